"""Exports over HTTP compared with the latency of the service, and with several workers."""

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
from tests.bench.measure import Row, Target, check_counts, log, run_in_process
from tests.bench.server import serving

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.bench.server import Service

__all__ = ["rows", "worker_rows"]

#: Seconds per page, whether pages are compressed, and the target ratio to the latency of the service.
_CASES = ((0.2, True, 1.05), (0.02, False, 1.30))
_CLIENTS = {
    "snapshot": ("pull:ours", {"snapshot": True}, "pull: into a snapshot"),
    "memory": ("pull:ours", {"snapshot": False}, "pull: into memory"),
    "bare": ("pull:bare", {}, "pull: http.client alone, bytes not decoded,"),
    "floor": ("pull:floor", {}, "pull: requests alone, bytes not decoded,"),
    "rows": ("pull:rows_in_a_loop", {}, "pull: requests, rows in a loop,"),
}
_WORKERS = 4
_EXPORT = "/job_architecture/export/jobs/task_profiles"


def rows(jobs: int, pairs: int, data: str | None) -> list[Row]:
    """Measure exports over HTTP."""
    export = Export(generated(jobs, data))
    result = []
    with serving(export.folder) as service:
        for page_seconds, packed, most in _CASES:
            times: dict[str, list[float]] = {name: [] for name in _CLIENTS}
            counted: dict[str, dict[str, int]] = {}
            log(f"pull: {export.tasks:,} tasks at {page_seconds * 1000:.0f} ms a page, {pairs} x {', '.join(_CLIENTS)}")
            for _ in range(pairs):
                for name, (function, options, _) in _CLIENTS.items():
                    ratio, counted[name] = _pulled(service, function, page_seconds, packed, options)
                    times[name].append(ratio)
            check_counts(counted, {"jobs": export.jobs, "tasks": export.tasks})
            how = "gzip" if packed else "uncompressed"
            against = f"over the service's latency, {page_seconds * 1000:.0f} ms a page, {how}, {export.tasks:,} tasks"
            for name, (_, _, subject) in _CLIENTS.items():
                target = Target("at most", most) if name in {"snapshot", "memory"} else None
                result.append(Row(f"{subject} {against}", times[name], target, {name: counted[name]}))
    return result


def worker_rows(jobs: int, pairs: int, data: str | None) -> list[Row]:
    """Measure the speedup with several workers."""
    page_seconds, packed, _ = _CASES[0]
    export = Export(generated(jobs, data))
    target = Target("at least", 3.5)
    subject = (
        f"workers: one over {_WORKERS}, {page_seconds * 1000:.0f} ms a page, gzip, lists read, {export.tasks:,} tasks"
    )
    log(f"workers: {export.tasks:,} tasks, {pairs} pairs")
    speedups = []
    warm = pairs > 1  # in the first round, the service compresses the pages of workers
    with serving(export.folder) as service:
        for number in range(pairs + warm):
            times, counted = {}, {}
            for workers in (1, _WORKERS):
                service.behave(page_seconds=page_seconds, gzip=packed)
                run = run_in_process(
                    "pull:ours", settings=service.settings, snapshot=False, families="lists", workers=workers
                )
                times[workers], counted[str(workers)] = run["seconds"], run["counted"]
            check_counts(counted, {"jobs": export.jobs, "tasks": export.tasks})
            if number or not warm:
                speedups.append(times[1] / times[_WORKERS])
    return [Row(subject, speedups, target, counted)]


def _pulled(
    service: Service, function: str, page_seconds: float, packed: bool, options: dict[str, Any]
) -> tuple[float, dict[str, int]]:
    service.behave(page_seconds=page_seconds, gzip=packed)
    run = run_in_process(function, settings=service.settings, **options)
    return run["seconds"] / service.latency().seconds, run["counted"]


def ours(settings: dict[str, Any], snapshot: bool, **options: Any) -> dict[str, Any]:
    """Export with this package, including sign-in, to memory or to a snapshot."""
    import tqdm.auto  # noqa: F401  what loads on first use is no part of it

    from tpanalytics import connect, load_task_profiles

    with tempfile.TemporaryDirectory(prefix="tpanalytics-bench-pull-") as folder:
        more: dict[str, Any] = {**options, "snapshot": folder} if snapshot else options
        start = time.perf_counter()
        profiles = load_task_profiles(connect(**settings), progress=False, **more)
        seconds = time.perf_counter() - start
    return {"seconds": seconds, "counted": {name: profiles.manifest[name] for name in ("jobs", "tasks")}}


def floor(settings: dict[str, Any]) -> dict[str, Any]:
    """Export with requests-oauthlib, decoding only the cursor."""
    session, auth = _session(settings)
    return _download(lambda body: session.post(settings["base_url"] + _EXPORT, json=body, auth=auth()).content)


def bare(settings: dict[str, Any]) -> dict[str, Any]:
    """Export with http.client, the fastest possible client."""
    connection = http.client.HTTPConnection(settings["base_url"].removeprefix("http://"))
    headers = {"Content-Type": "application/json", "Accept-Encoding": "gzip"}

    def post(path: str, body: dict[str, Any]) -> bytes:
        connection.request("POST", path, json.dumps(body), headers)
        response = connection.getresponse()
        content = response.read()
        return gzip.decompress(content) if response.headers.get("Content-Encoding") == "gzip" else content

    def page(body: dict[str, Any]) -> bytes:
        if "Authorization" not in headers:
            headers["Authorization"] = f"Bearer {json.loads(post('/oauth/token', {}))['access_token']}"
        return post(_EXPORT, body)

    return _download(page)


def _download(page: Callable[[dict[str, Any]], bytes]) -> dict[str, Any]:
    """Request all pages, and count jobs and tasks after the measurement."""
    bodies = []
    start = time.perf_counter()
    after = None
    while True:
        body = page(_request_body(after))
        bodies.append(body)
        cursor = re.search(rb'"next_starting_after":"([^"]+)"', body[:200])
        if cursor is None:
            break
        after = cursor[1].decode()
    seconds = time.perf_counter() - start
    counts = {"jobs": rb'"external_id":', "tasks": rb'"task_id":'}
    return {"seconds": seconds, "counted": {name: sum(b.count(key) for b in bodies) for name, key in counts.items()}}


def rows_in_a_loop(settings: dict[str, Any]) -> dict[str, Any]:
    """Export with a typical notebook loop that collects a dict per task."""
    import polars as pl

    session, auth = _session(settings)
    jobs, tasks = [], []
    start = time.perf_counter()
    after = None
    while True:
        page = session.post(settings["base_url"] + _EXPORT, json=_request_body(after), auth=auth()).json()
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
    """Return a session and a function that returns its authorization. The token is requested on first use."""
    import requests
    from requests_oauthlib import OAuth2

    os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"  # only local requests
    session = requests.Session()
    session.trust_env = False
    token: dict[str, Any] = {}

    def auth() -> Any:
        if not token:
            token.update(session.post(settings["token_url"], json={"grant_type": "client_credentials"}).json())
        return OAuth2(token=token)

    return session, auth


def _request_body(after: str | None) -> dict[str, Any]:
    body: dict[str, Any] = {"limit": 100, "include": ["ai_impact", "weekly_hours"]}
    return body if after is None else {**body, "starting_after": after}
