"""Recording of results, errors and warnings.

Folders, ports, times, hashes of content with times, and generated names of Altair (`view_1`, `data-<hash>`) differ
between runs and are replaced.
"""

from __future__ import annotations

import io
import json
import os
import re
import shlex
import tempfile
import time
import warnings
import zipfile
from collections import Counter
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from hashlib import sha256
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

import altair as alt
import openpyxl
import polars as pl
import vl_convert

import tpanalytics as tpa
from tests.helpers.plots import PLOTS
from tests.helpers.public_measures import public
from tests.recordings import calls
from tpanalytics.cli.main import main as command_line
from tpanalytics.demo.server import Tenant

if TYPE_CHECKING:
    from collections.abc import Callable

    Companies = dict[str, tuple[tpa.TaskProfiles, tpa.TaskProfiles]]

__all__ = ["KINDS", "Recorder", "record"]

_STARTED = datetime.now(UTC)
#: Longer columns and scripts are recorded as a hash.
_MAX_ROWS, _MAX_SCRIPT = 10_000, 200_000


def _measures(companies: Companies, recorder: Recorder) -> None:
    functions = [function for function, _, _ in calls.MEASURES.values()]
    if missing := public() - {function.__name__ for function in functions} - {"impute_hours"}:
        raise NotImplementedError(f"MEASURES has no entry for {', '.join(sorted(missing))}.")
    if not all(
        any(arguments.keys() <= signature(function).parameters.keys() for function in functions)
        for arguments in calls.VARIANTS.values()
    ):
        raise NotImplementedError("No measure has an argument of VARIANTS.")
    for company, (profiles, later) in companies.items():
        for name, (function, common, variants) in calls.MEASURES.items():
            parameters = signature(function).parameters
            data = [profiles, later] if "before" in parameters else [profiles]
            general = {key: arguments for key, arguments in calls.VARIANTS.items() if {*arguments} <= {*parameters}}
            for variant, changes in {"": {}, **variants, **general}.items():
                combined = {**common, **changes}
                arguments = {key: value(profiles) if callable(value) else value for key, value in combined.items()}
                result = recorder(f"{company}/{name}{variant and f', {variant}'}", function, *data, **arguments)
                if not variant and isinstance(result, pl.DataFrame) and {"job_id", "job_family"} & {*result.columns}:
                    recorder(f"{company}/{name}, suppressed", _suppressed, result, *data)
        for name, make in calls.OTHERS.items():
            recorder(f"{company}/{name}", make, profiles, later)


def _suppressed(result: pl.DataFrame, profiles: tpa.TaskProfiles, later: tpa.TaskProfiles | None = None) -> Any:
    if later is not None:
        return tpa.suppress(result, later, profiles)
    return tpa.suppress(result, profiles)


def _charts(companies: Companies, recorder: Recorder) -> None:
    for company, both in companies.items():
        if company in calls.NOT_DRAWN:
            continue
        for name, draw in PLOTS.items():
            recorder(f"{company}/{name}", _spec, draw, both[0])
        for name, draw_variant in calls.CHARTS.items() if company in ("sample", "6 families") else ():
            recorder(f"{company}/variant/{name}", _spec, draw_variant, *both)


def _spec(draw: Callable[..., Any], *profiles: tpa.TaskProfiles) -> Any:
    return draw(*profiles).to_dict(validate=False)


def _reports(companies: Companies, recorder: Recorder) -> None:
    for name, (company, write) in calls.FILES.items():
        if company not in companies:  # the real data may be missing
            continue
        profiles, later = companies[company]
        path = recorder(name, write, profiles, later)
        if path is not None and path.is_file():
            recorder(f"{name}, checked", tpa.check_share, path)
        if name == "report, changed":
            recorder(f"{name}, verified", tpa.verify_report, path, later, before=profiles)


def _errors(companies: Companies, recorder: Recorder) -> None:
    for name, call in calls.REFUSED.items():
        recorder(name, call, companies["sample"][0])


def _cli(companies: Companies, recorder: Recorder) -> None:
    tpa.write_profiles(companies["6 families"][0], "data/six")
    with Tenant() as tenant:
        settings = {f"TPANALYTICS_{name.upper()}": value for name, value in tenant.settings.items()}
        with mock.patch.dict(os.environ, settings):
            for name, command in calls.COMMANDS.items():
                recorder(name, _shell, *shlex.split(command.replace("ROOT", str(calls.ROOT))))
    for command in calls.HELP:
        recorder(f"help of {command or 'all'}", _shell, *command.split(), "--help")
    recorder("files/snapshot", tpa.read_profiles, "data/now")
    for page in ("company.html", "family.html", "tpanalytics-demo/report.html"):
        recorder(f"files/{Path(page).stem}", Path, page)


def _shell(*arguments: str) -> dict[str, Any]:
    """Run a command and return its status and output."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        try:
            status: Any = command_line(arguments)
        except SystemExit as error:
            status = error.code
    printed = out.getvalue()
    is_json = printed.startswith(("{", "["))
    return {
        "status": status,
        "out": json.loads(printed) if is_json else printed.splitlines(),
        "err": err.getvalue().splitlines(),
    }


KINDS = {"measures": _measures, "charts": _charts, "reports": _reports, "errors": _errors, "cli": _cli}


def record(folder: Path, kinds: list[str], real: Path) -> None:
    """Record each kind to a subfolder."""
    for name in [name for name in os.environ if name.startswith("TPANALYTICS_")]:
        del os.environ[name]
    alt.utils.schemapi.disable_debug_mode()  # skip validation, which takes a third of the time
    companies = calls.companies(real)
    if "real" not in companies:
        print(f"{real} does not exist: the real data are not recorded.")
    with tempfile.TemporaryDirectory() as home, mock.patch.object(pl.LazyFrame, "collect", _collect_in_memory):
        # Do not wrap help texts, so that a renamed option is a single difference.
        os.environ.update(COLUMNS="10000", NO_COLOR="1", TPANALYTICS_TOKEN_CACHE=f"{home}/tokens")
        replacements = {
            str(Path(home).resolve()): "<home>",
            home: "<home>",
            str(calls.ROOT): "<root>",
            str(real): "<real>",
        }
        for kind in kinds:
            work = Path(home, kind)
            work.mkdir()
            recorder = Recorder(folder / kind, replacements)
            start = time.monotonic()
            with chdir(work):
                KINDS[kind](companies, recorder)
            print(f"{kind}: {dict(recorder.counts)} in {time.monotonic() - start:.0f} s", flush=True)


_COLLECT = pl.LazyFrame.collect


def _collect_in_memory(frame: pl.LazyFrame, **options: Any) -> Any:
    # The streaming engine adds up in an order that differs between runs.
    return _COLLECT(frame, **{**options, "engine": "in-memory"})


class Recorder:
    """Writes recordings to a folder."""

    def __init__(self, folder: Path, replacements: dict[str, str]) -> None:
        self._folder, self._replacements = folder, replacements
        self.counts: Counter[str] = Counter()

    def __call__(self, name: str, call: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """Record the result or error of a call and its warnings, and return the result."""
        result, recording = None, {}
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                result = call(*args, **kwargs)
            except Exception as error:  # noqa: BLE001  all errors are recorded
                recording["error"] = {"type": type(error).__name__, "message": str(error)}
            else:
                recording["result"] = _plain(result)
        recording["warnings"] = [str(w.message) for w in caught if isinstance(w.message, tpa.TpAnalyticsWarning)]
        path = self._folder / f"{name}.json"
        if path.exists():
            raise FileExistsError(f"{path} exists. Record into an empty folder, and give each recording a unique ID.")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_to_json(recording, self._replacements), encoding="utf-8")
        self.counts["errors" if "error" in recording else "results"] += 1
        return result


def _plain(value: Any) -> Any:
    """Convert a result to JSON values without loss."""
    if isinstance(value, pl.DataFrame):
        columns = {column.name: {"type": str(column.dtype), "values": _values(column.to_list())} for column in value}
        try:
            meaning = tpa.about(value)
        except tpa.SchemaError:
            return {"columns": columns, "order": value.columns}
        return {"columns": columns, "order": value.columns, "about": _plain(meaning)}
    if is_dataclass(value) and not isinstance(value, type):
        parts = {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
        return {**parts, "printed": str(value).splitlines()}
    return _content(value) if isinstance(value, Path) else value


def _values(values: list[Any]) -> Any:
    if len(values) <= _MAX_ROWS:
        return values
    return {"rows": len(values), "hash": _hash(json.dumps(values, default=str).encode())}


def _hash(content: bytes) -> str:
    return sha256(content).hexdigest()[:32]


def _content(path: Path) -> Any:
    """Return the content of a file, with markup and pictures as "appearance"."""
    if path.is_dir():
        return {part.name: _content(part) for part in sorted(path.iterdir())}
    match path.suffix:
        case ".html":
            return _page(path.read_text(encoding="utf-8"))
        case ".json" | ".ipynb":
            return json.loads(path.read_text(encoding="utf-8"))
        case ".csv" | ".txt":
            return path.read_text(encoding="utf-8").splitlines()
        case ".parquet":
            return _plain(pl.read_parquet(path))
        case ".svg":
            return {"appearance": _lines(path.read_text(encoding="utf-8"))}
        case ".xlsx":
            with zipfile.ZipFile(path) as parts:
                markup = {name: _lines(parts.read(name).decode()) for name in parts.namelist()}
            sheets = openpyxl.load_workbook(path)
            return {**{sheet.title: [*sheet.iter_rows(values_only=True)] for sheet in sheets}, "appearance": markup}
    return {"appearance": _hash(path.read_bytes())}


def _lines(markup: str) -> list[str]:
    return markup.replace("><", ">\n<").splitlines()


def _page(text: str) -> dict[str, Any]:
    """Split a page into text, data and appearance (pictures, scripts and styles)."""
    library: str = vl_convert.javascript_bundle()  # type: ignore[call-arg]  # has a default
    data: list[Any] = []
    appearance: list[Any] = []

    def replace(part: re.Match[str]) -> str:
        head, _, body = part[0].partition(">")
        if "application/json" in head:
            data.append(json.loads(body.removesuffix("</script>")))
            return "<data>"
        appearance.append(_lines(part[0]) if len(part[0]) < _MAX_SCRIPT else _hash(part[0].encode()))
        return "<appearance>"

    text = text.replace(library.replace("</script", "<\\/script"), "<library>")
    parts = r"<script.*?</script>|<style.*?</style>|<svg.*?</svg>|src='data:[^']*'"
    return {"text": _lines(re.sub(parts, replace, text, flags=re.DOTALL)), "data": data, "appearance": appearance}


def _to_json(recording: Any, replacements: dict[str, str]) -> str:
    """Return a recording as JSON, with values that differ between runs replaced."""
    text = json.dumps(recording, separators=(",\n", ": "), sort_keys=True, ensure_ascii=False, default=str)
    for path, name in replacements.items():
        text = text.replace(path, name)
    text = re.sub(r"(127\.0\.0\.1|localhost):\d+", r"\1:<port>", text)
    text = re.sub(r"\b0x[0-9a-f]{6,}\b", "<address>", text)
    days = r"\b\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d)?(?:Z|\+00:00)?)?|\b\d{1,2} [A-Z][a-z]+ \d{4}\b"
    text = re.sub(days, _time, text)
    # Keep hashes of data. Files contain times, so replace their hashes.
    text = re.sub(r'(?<!content_sha256": ")(?<!computed_sha256": ")\b[0-9a-f]{64}\b', "<hash>", text)
    text = re.sub(r"\bsha256 [0-9a-f]{16}\b", "sha256 <hash>", text)
    text = re.sub(r'"pull": "[0-9a-f]{8}"', '"pull": "<id>"', text)
    generated = r"\bdata-[0-9a-f]{32}\b|\b(?:view|param)_\d+\b"
    # Number names in order of use, because the keys of "datasets" are sorted by hashes of the data.
    names = [*re.findall(r'"name": "(data-[0-9a-f]{32})"', text), *re.findall(generated, text)]
    numbers = {name: f"<name {i}>" for i, name in enumerate(dict.fromkeys(names), 1)}
    return re.sub(generated, lambda name: numbers[name[0]], text)


def _time(match: re.Match[str]) -> str:
    """Replace a time or date of this run."""
    days = {f"{day:%Y-%m-%d}": f"{day.day} {day:%B %Y}" for day in (_STARTED, datetime.now(UTC))}
    return "<time>" if match[0][:10] in days or match[0] in days.values() else match[0]
