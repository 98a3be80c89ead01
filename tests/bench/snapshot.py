"""Memory of an export to a snapshot, and time to read a sealed snapshot."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

from tests.bench.generate import Export, generated
from tests.bench.measure import Row, Target, check_counts, installed, log, ratios, run_in_process
from tests.bench.server import serving

__all__ = ["memory_rows", "open_rows", "peak_megabytes"]

_MEMORY = Target("at most", 400, " MB")
_GROWTH = Target("at most", 1.2)
_OPEN = Target("at most", 0.5)
_FIGURES = ("job_family", "ai_impact_level", "validation_state", "weekly_hours")


def memory_rows(jobs: int, pairs: int, data: str | None) -> list[Row]:
    """Measure the peak memory of exports of different sizes."""
    large = Export(generated(jobs, data))
    small = Export(generated(max(2, jobs // 20 * 2), data))
    log(f"memory: {large.tasks:,} and {small.tasks:,} tasks, {pairs} pairs")
    peaks: dict[str, list[float]] = {"large": [], "small": [], "rows": []}
    counted: dict[str, dict[str, int]] = {}
    with serving(large.folder) as large_service, serving(small.folder) as small_service:
        for service in (large_service, small_service):
            service.behave(page_seconds=0, gzip=False)
        for _ in range(pairs):
            for name, service in (("large", large_service), ("small", small_service)):
                with tempfile.TemporaryDirectory(prefix="tpanalytics-bench-memory-") as folder:
                    run = run_in_process("snapshot:pulled", settings=service.settings, folder=folder)
                peaks[name].append(run["megabytes"])
                counted[name] = run["counted"]
            run = run_in_process("snapshot:pulled_as_rows", settings=small_service.settings)
            peaks["rows"].append(run["megabytes"])
            counted["rows"] = run["counted"]
    check_counts({"large": counted["large"]}, {"jobs": large.jobs, "tasks": large.tasks})
    check_counts({name: counted[name] for name in ("small", "rows")}, {"jobs": small.jobs, "tasks": small.tasks})
    of = "memory: peak of a pull into a snapshot"
    return [
        Row(f"{of}, {large.tasks:,} tasks", peaks["large"], _MEMORY, {"large": counted["large"]}, unit=" MB"),
        Row(
            f"{of}, {large.tasks:,} tasks over {small.tasks:,}",
            ratios(peaks["large"], peaks["small"]),
            _GROWTH,
            {name: counted[name] for name in ("large", "small")},
        ),
        Row(f"{of}, {small.tasks:,} tasks", peaks["small"], _MEMORY, {"small": counted["small"]}, unit=" MB"),
        Row(
            f"memory: peak of rows in a loop, {small.tasks:,} tasks",
            peaks["rows"],
            counted={"rows": counted["rows"]},
            unit=" MB",
        ),
    ]


def open_rows(jobs: int, pairs: int, data: str | None) -> list[Row]:
    """Measure reading a snapshot and computing shares per family, compared with pandas on the same files."""
    export = Export(generated(jobs, data))
    subject = "open: read_profiles{} and impact over pandas, {}, {:,} tasks"
    modes: dict[str, dict[str, Any]] = {"eager": {}, "lazy": {"lazy": True}}
    columns = {"needed": "needed columns only", "all": "all columns"}
    of_ours = {"eager": "()", "lazy": "(lazy=True)"}
    missing = [name for name in ("pandas", "pyarrow") if not installed(name)]
    times: dict[str, list[float]] = {name: [] for name in (*of_ours, *columns)}
    counted: dict[str, dict[str, int]] = {}
    with tempfile.TemporaryDirectory(prefix="tpanalytics-bench-open-") as folder:
        log(f"open: exporting {export.tasks:,} tasks once")
        with serving(export.folder) as service:
            service.behave(page_seconds=0, gzip=False)
            run_in_process("snapshot:pulled", settings=service.settings, folder=folder, families="lists")
        log(f"open: {pairs} pairs")
        warm = pairs > 1  # the first round fills the cache of the file system
        for number in range(pairs + warm):
            runs: dict[str, Any] = {}
            for name, options in modes.items():
                runs[name] = run_in_process("snapshot:opened", folder=folder, options=options)
            for name in () if missing else columns:
                runs[name] = run_in_process("snapshot:opened_by_pandas", folder=folder, needed=name == "needed")
            for name, run in runs.items():
                counted[name] = run["counted"]
                if number or not warm:
                    times[name].append(run["seconds"])
    check_counts(counted, counted["eager"])
    check_counts({name: {"tasks": counts["tasks"]} for name, counts in counted.items()}, {"tasks": export.tasks})
    result = []
    for name, called in of_ours.items():
        for of, columns_text in columns.items():
            title = subject.format(called, columns_text, export.tasks)
            both = {key: counted[key] for key in (name, of) if key in counted}
            fair = {"eager": "all", "lazy": "needed"}[name] == of  # reads the same columns
            target = _OPEN if fair else None
            if missing:
                why = f"not installed: {', '.join(missing)}"
                result.append(Row(title, target=target, counted=both, why=why))
            else:
                result.append(Row(title, ratios(times[name], times[of]), target, both))
    return result


def pulled(settings: dict[str, Any], folder: str, **options: Any) -> dict[str, Any]:
    """Export to a snapshot."""
    from tpanalytics import connect, load_task_profiles

    profiles = load_task_profiles(connect(**settings), snapshot=folder, progress=False, lazy=True, **options)
    counts = {name: profiles.manifest[name] for name in ("jobs", "tasks")}
    return {"megabytes": peak_megabytes(), "counted": counts}


def pulled_as_rows(settings: dict[str, Any]) -> dict[str, Any]:
    """Export with a notebook loop that holds every row as a dict."""
    from tests.bench.pull import rows_in_a_loop

    return {"counted": rows_in_a_loop(settings)["counted"], "megabytes": peak_megabytes()}


def opened(folder: str, options: dict[str, Any]) -> dict[str, Any]:
    """Read a snapshot and compute shares per level."""
    import tpanalytics as tpa

    read, impact = tpa.read_profiles, tpa.impact  # import on first use
    start = time.perf_counter()
    shares = impact(read(folder, **options))
    seconds = time.perf_counter() - start
    shown = shares.filter(shares["tasks"] > 0)
    return {"seconds": seconds, "counted": {"cells": shown.height, "tasks": int(shown["tasks"].sum())}}


def opened_by_pandas(folder: str, needed: bool) -> dict[str, Any]:
    """Read the same Parquet files with pandas and compute the same shares."""
    import pandas as pd

    parts = sorted(path for path in Path(folder).rglob("*.parquet") if "tasks" in path.name)
    jobs = sorted(path for path in Path(folder).rglob("*.parquet") if "jobs" in path.name)
    # Older snapshots have the family only in the jobs.
    has_family = _has_family(parts)
    columns = [*_FIGURES] if has_family else ["job_id", *_FIGURES[1:]]
    start = time.perf_counter()
    tasks = pd.read_parquet(parts, columns=columns if needed else None)
    if not has_family:
        families = pd.read_parquet(jobs, columns=["job_id", "job_family"])
        tasks = tasks.drop(columns="job_family", errors="ignore").merge(families, on="job_id", how="left")
    tasks = tasks[tasks["validation_state"].isin(["validated", "suggested"])]
    tasks = tasks.fillna({"job_family": "(no job family)", "ai_impact_level": "not assessed"})
    groups = tasks.groupby(["job_family", "ai_impact_level"], sort=True)["weekly_hours"]
    shares = groups.agg(tasks="size", tasks_with_hours="count", hours="sum").reset_index()
    shares["share"] = shares["hours"] / shares.groupby("job_family")["hours"].transform("sum")
    seconds = time.perf_counter() - start
    return {"seconds": seconds, "counted": {"cells": len(shares), "tasks": int(shares["tasks"].sum())}}


def _has_family(parts: list[Path]) -> bool:
    import pandas as pd  # imports its Parquet reader before the measurement
    import pyarrow.parquet as pq

    if "job_family" not in pq.read_schema(parts[0]).names:
        return False
    return bool(pd.read_parquet(parts, columns=["job_family"])["job_family"].notna().any())


def peak_megabytes() -> float:
    """Return the peak memory of this process in MB."""
    import resource
    import sys

    status = Path("/proc/self/status")
    if status.is_file():  # getrusage can include the peak of the parent process
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / 1e6
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
