"""A pull over HTTP held against the service's own latency: what the client adds; and what workers take off it."""

from __future__ import annotations

import gzip
import http.client
import json
import os
import re
import tempfile
import time
from typing import TYPE_CHECKING, Any

from tests.bench.generate import Export, generated
from tests.bench.measure import Row, Target, agree, said, separately
from tests.bench.server import serving

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.bench.server import Service

__all__ = ["rows", "worker_rows"]

#: Seconds a page takes, whether pages are packed, and how much longer than the service a pull may take.
_CASES = ((0.2, True, 1.05), (0.02, False, 1.30))
_WAYS = {
    "snapshot": ("pull:ours", {"snapshot": True}, "pull: into a snapshot"),
    "memory": ("pull:ours", {"snapshot": False}, "pull: into memory"),
    "bare": ("pull:bare", {}, "pull: http.client alone, bytes not decoded,"),
    "floor": ("pull:floor", {}, "pull: requests alone, bytes not decoded,"),
    "rows": ("pull:rows_in_a_loop", {}, "pull: requests, rows in a loop,"),
}
_WORKERS = 4
_EXPORT = "/job_architecture/export/jobs/task_profiles"


def rows(jobs: int, pairs: int, data: str | None) -> list[Row]:
    """Measure pulls of an export of so many jobs."""
    export = Export(generated(jobs, data))
    found = []
    with serving(export.folder) as service:
        for page_seconds, packed, most in _CASES:
            times: dict[str, list[float]] = {name: [] for name in _WAYS}
            counted: dict[str, dict[str, int]] = {}
            said(f"pull: {export.tasks:,} tasks at {page_seconds * 1000:.0f} ms a page, {pairs} x {', '.join(_WAYS)}")
            for _ in range(pairs):
                for name, (function, options, _) in _WAYS.items():
                    ratio, counted[name] = _pulled(service, function, page_seconds, packed, options)
                    times[name].append(ratio)
            agree(counted, {"jobs": export.jobs, "tasks": export.tasks})
            how = "gzip" if packed else "not packed"
            against = f"over the service's latency, {page_seconds * 1000:.0f} ms a page, {how}, {export.tasks:,} tasks"
            for name, (_, _, subject) in _WAYS.items():
                target = Target("at most", most) if name in {"snapshot", "memory"} else None
                found.append(Row(f"{subject} {against}", times[name], target, {name: counted[name]}))
    return found


def worker_rows(jobs: int, pairs: int, data: str | None) -> list[Row]:
    """Measure how much quicker several workers are than one."""
    page_seconds, packed, _ = _CASES[0]
    export = Export(generated(jobs, data))
    target = Target("at least", 3.5)
    subject = (
        f"workers: one over {_WORKERS}, {page_seconds * 1000:.0f} ms a page, gzip, lists read, {export.tasks:,} tasks"
    )
    said(f"workers: {export.tasks:,} tasks, {pairs} pairs")
    quicker = []
    warm = pairs > 1  # the first round has the service pack pages that start where only workers start
    with serving(export.folder) as service:
        for number in range(pairs + warm):
            taken, counted = {}, {}
            for workers in (1, _WORKERS):
                service.behave(page_seconds=page_seconds, gzip=packed)
                done = separately(
                    "pull:ours", settings=service.settings, snapshot=False, families="lists", workers=workers
                )
                taken[workers], counted[str(workers)] = done["seconds"], done["counted"]
            agree(counted, {"jobs": export.jobs, "tasks": export.tasks})
            if number or not warm:
                quicker.append(taken[1] / taken[_WORKERS])
    return [Row(subject, quicker, target, counted)]


def _pulled(
    service: Service, function: str, page_seconds: float, packed: bool, options: dict[str, Any]
) -> tuple[float, dict[str, int]]:
    service.behave(page_seconds=page_seconds, gzip=packed)
    done = separately(function, settings=service.settings, **options)
    return done["seconds"] / service.latency().seconds, done["counted"]


def ours(settings: dict[str, Any], snapshot: bool, **options: Any) -> dict[str, Any]:
    """Pull with this package, sign-in included; with `snapshot` into a folder, written while pages come."""
    import tqdm.auto  # noqa: F401  what loads on first use is no part of it

    from tpanalytics import connect, load_task_profiles

    with tempfile.TemporaryDirectory(prefix="tpanalytics-bench-pull-") as folder:
        more: dict[str, Any] = {**options, "snapshot": folder} if snapshot else options
        start = time.perf_counter()
        profiles = load_task_profiles(connect(**settings), progress=False, **more)
        seconds = time.perf_counter() - start
    return {"seconds": seconds, "counted": {name: profiles.manifest[name] for name in ("jobs", "tasks")}}


def floor(settings: dict[str, Any]) -> dict[str, Any]:
    """Pull with requests-oauthlib alone: page after page, nothing decoded but the cursor."""
    session, auth = _session(settings)
    return _undecoded(lambda asked: session.post(settings["base_url"] + _EXPORT, json=asked, auth=auth()).content)


def bare(settings: dict[str, Any]) -> dict[str, Any]:
    """Pull with no library at all: what the wire and the service take beyond the latency, and no client can save."""
    connection = http.client.HTTPConnection(settings["base_url"].removeprefix("http://"))
    headers = {"Content-Type": "application/json", "Accept-Encoding": "gzip"}

    def post(path: str, body: dict[str, Any]) -> bytes:
        connection.request("POST", path, json.dumps(body), headers)
        answer = connection.getresponse()
        content = answer.read()
        return gzip.decompress(content) if answer.headers.get("Content-Encoding") == "gzip" else content

    def page(asked: dict[str, Any]) -> bytes:
        if "Authorization" not in headers:
            headers["Authorization"] = f"Bearer {json.loads(post('/oauth/token', {}))['access_token']}"
        return post(_EXPORT, asked)

    return _undecoded(page)


def _undecoded(page: Callable[[dict[str, Any]], bytes]) -> dict[str, Any]:
    """Ask for page after page and keep the bytes; they are counted once time is no longer taken."""
    bodies = []
    start = time.perf_counter()
    after = None
    while True:
        body = page(_asked(after))
        bodies.append(body)
        cursor = re.search(rb'"next_starting_after":"([^"]+)"', body[:200])
        if cursor is None:
            break
        after = cursor[1].decode()
    seconds = time.perf_counter() - start
    counts = {"jobs": rb'"external_id":', "tasks": rb'"task_id":'}
    return {"seconds": seconds, "counted": {name: sum(b.count(key) for b in bodies) for name, key in counts.items()}}


def rows_in_a_loop(settings: dict[str, Any]) -> dict[str, Any]:
    """Pull as one would in a notebook: page after page, a dict per task, a frame at the end."""
    import polars as pl

    session, auth = _session(settings)
    jobs, tasks = [], []
    start = time.perf_counter()
    after = None
    while True:
        page = session.post(settings["base_url"] + _EXPORT, json=_asked(after), auth=auth()).json()
        for record in page["records"]:
            jobs.append({"job_id": record["external_id"], "n_tasks": len(record["tasks"])})
            for task in record["tasks"]:
                tasks.append({"job_id": record["external_id"], **task, **(task.get("ai_impact") or {})})
        if not page["has_next"]:
            break
        after = page["next_starting_after"]
    frames = pl.DataFrame(jobs), pl.DataFrame(tasks, infer_schema_length=None)
    seconds = time.perf_counter() - start
    return {"seconds": seconds, "counted": {"jobs": frames[0].height, "tasks": frames[1].height}}


def _session(settings: dict[str, Any]) -> tuple[Any, Any]:
    """Give a session, and what makes the signature of a request; the token is fetched on first use."""
    import requests
    from requests_oauthlib import OAuth2

    os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"  # in this process, which speaks to this machine only
    session = requests.Session()
    session.trust_env = False
    token: dict[str, Any] = {}

    def auth() -> Any:
        if not token:
            token.update(session.post(settings["token_url"], json={"grant_type": "client_credentials"}).json())
        return OAuth2(token=token)

    return session, auth


def _asked(after: str | None) -> dict[str, Any]:
    asked: dict[str, Any] = {"limit": 100, "include": ["ai_impact", "weekly_hours"]}
    return asked if after is None else {**asked, "starting_after": after}
