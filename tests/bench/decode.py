"""Decoding of pages to validated frames on one core, compared with other libraries."""

from __future__ import annotations

import gc
import importlib.util
import json
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.bench.generate import PAGE, Export, generated
from tests.bench.measure import Row, Target, check_counts, installed, log, ratios, run_in_process

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["rows"]

_TARGET = Target("at most", 1.5)
_ONE_CORE = {
    "POLARS_MAX_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "RUNTIME__DLTHUB_TELEMETRY": "false",
    "RUNTIME__LOG_LEVEL": "ERROR",
}
_BASELINES = {
    "rows": "rows in a loop, then pl.DataFrame",
    "polars": "polars.json_normalize",
    "pandas": "pandas.json_normalize",
}


def rows(jobs: int, pairs: int, data: str | None, *, baselines: bool) -> list[Row]:
    """Measure the decoding of an export, optionally with the slower baselines."""
    export = Export(generated(jobs, data))
    names = ["ours", *(_BASELINES if baselines else ())]
    log(f"decode: {export.tasks:,} tasks, {export.size / 1e6:,.0f} MB, {pairs} pairs of orjson and {', '.join(names)}")
    subjects = {"ours": "bytes to validated frames", **_BASELINES}
    result = []
    for name in names:
        subject = f"decode: {subjects[name]} over orjson.loads, {export.tasks:,} tasks"
        target = _TARGET if name == "ours" else None
        libraries = [library for library in (name, "orjson") if library not in {"ours", "rows"}]
        missing = [library for library in libraries if not installed(library)]
        both = [side for side in (name, "orjson") if side not in missing]
        # Use separate processes, so that memory of one library does not slow down another.
        times, counted = run_in_process("decode:run", env=_ONE_CORE, folder=str(export.folder), names=both, pairs=pairs)
        check_counts(counted, {"jobs": export.jobs, "tasks": export.tasks})
        if missing:
            result.append(Row(subject, target=target, counted=counted, why=f"not installed: {', '.join(missing)}"))
        else:
            result.append(Row(subject, ratios(times[name], times["orjson"]), target, counted))
    return [*result, _dlt_row(export, pairs)] if baselines else result


def _dlt_row(export: Export, pairs: int) -> Row:
    """Measure dlt with a tenth of the pages, because all of them take minutes."""
    pages = max(1, -(-export.jobs // PAGE) // 10)
    subject = "decode: dlt into DuckDB over orjson.loads, {} tasks"
    missing = [name for name in ("dlt", "duckdb", "orjson") if not installed(name)]
    if missing:
        return Row(subject.format("a tenth of the"), why=f"not installed: {', '.join(missing)}")
    log(f"decode: {pages} of the pages with dlt")
    some = {"folder": str(export.folder), "names": ["dlt", "orjson"], "pairs": pairs, "pages": pages}
    times, counted = run_in_process("decode:run", env=_ONE_CORE, **some)
    check_counts(counted, counted["orjson"])
    return Row(subject.format(f"{counted['dlt']['tasks']:,}"), ratios(times["dlt"], times["orjson"]), None, counted)


def run(
    folder: str, names: list[str], pairs: int, pages: int | None = None
) -> tuple[dict[str, list[float]], dict[str, dict[str, int]]]:
    """Run the functions alternately and return times in seconds and numbers of rows."""
    bodies = Export(folder).pages()[:pages]
    times: dict[str, list[float]] = {name: [] for name in names}
    counted: dict[str, dict[str, int]] = {}
    for name in names:  # exclude imports on first use
        _FUNCTIONS[name](bodies[:1])
    gc.collect()
    gc.freeze()
    for _ in range(pairs):
        for name in names:
            gc.collect()
            start = time.perf_counter()
            result = _FUNCTIONS[name](bodies)
            times[name].append(time.perf_counter() - start)
            counted[name] = result[1]()
            del result
    return times, counted


#: Decoded data, and a function that counts its rows after the measurement.
Result = tuple[Any, "Callable[[], dict[str, int]]"]


def _ours(bodies: list[bytes]) -> Result:
    from tpanalytics.api.wire import decode_page, read_envelope
    from tpanalytics.profiles.frames import frames_of

    frames = [
        frames_of(decode_page(read_envelope(body), where=f"page {number}"))
        for number, body in enumerate(bodies, start=1)
    ]
    return frames, lambda: {
        "jobs": sum(jobs.height for jobs, _ in frames),
        "tasks": sum(tasks.height for _, tasks in frames),
    }


def _orjson(bodies: list[bytes]) -> Result:
    """Decode without storing the result."""
    import orjson

    for body in bodies:
        page = orjson.loads(body)

    def count() -> dict[str, int]:
        pages = map(orjson.loads, bodies)
        sizes = [len(record["tasks"]) for page in pages for record in page["records"]]
        return {"jobs": len(sizes), "tasks": sum(sizes)}

    return page, count


def _loads(body: bytes) -> Any:
    if importlib.util.find_spec("orjson") is None:
        return json.loads(body)
    import orjson

    return orjson.loads(body)


def _rows(bodies: list[bytes]) -> Result:
    import polars as pl

    jobs, tasks = [], []
    for body in bodies:
        for record in _loads(body)["records"]:
            jobs.append({"job_id": record["external_id"], "n_tasks": len(record["tasks"])})
            for task in record["tasks"]:
                impact = task.get("ai_impact") or {}
                tasks.append(
                    {
                        "job_id": record["external_id"],
                        "task_id": task["task_id"],
                        "task": task["task"],
                        "validation_state": task["validation_state"],
                        "weekly_hours": task.get("weekly_hours"),
                        "ai_impact_level": impact.get("level"),
                        "ai_impact_rationale": impact.get("rationale"),
                    }
                )
    frames = pl.DataFrame(jobs), pl.DataFrame(tasks, infer_schema_length=None)
    return frames, lambda: {"jobs": frames[0].height, "tasks": frames[1].height}


def _polars(bodies: list[bytes]) -> Result:
    import polars as pl

    frames = [
        pl.json_normalize(
            [
                {"job_id": record["external_id"], **task}
                for record in _loads(body)["records"]
                for task in record["tasks"]
            ],
            infer_schema_length=None,
        )
        for body in bodies
    ]
    return frames, lambda: {"tasks": sum(frame.height for frame in frames)}


def _pandas(bodies: list[bytes]) -> Result:
    import pandas as pd

    frames = [pd.json_normalize(_loads(body)["records"], record_path="tasks", meta=["external_id"]) for body in bodies]
    return frames, lambda: {"tasks": sum(len(frame) for frame in frames)}


def _dlt(bodies: list[bytes]) -> Result:
    import dlt

    folder = tempfile.TemporaryDirectory(prefix="tpanalytics-bench-dlt-")
    database = Path(folder.name) / "store.duckdb"
    pipeline = dlt.pipeline(
        "bench",
        pipelines_dir=folder.name,
        destination=dlt.destinations.duckdb(str(database)),
        dataset_name="export",
    )
    pipeline.run(dlt.resource((_loads(body)["records"] for body in bodies), name="jobs"))

    def count() -> dict[str, int]:
        import duckdb

        with duckdb.connect(str(database), read_only=True) as connection:
            tables = {"jobs": "jobs", "tasks": "jobs__tasks"}
            return {
                name: connection.sql(f"select count(*) from export.{table}").fetchall()[0][0]
                for name, table in tables.items()
            }

    return folder, count


_FUNCTIONS: dict[str, Callable[[list[bytes]], Result]] = {
    "ours": _ours,
    "orjson": _orjson,
    "rows": _rows,
    "polars": _polars,
    "pandas": _pandas,
    "dlt": _dlt,
}
