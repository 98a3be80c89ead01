"""Measures compared with handwritten queries, and growth of their time and memory with the number of tasks."""

from __future__ import annotations

import math
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from statistics import linear_regression
from typing import TYPE_CHECKING, Any

from tests.bench.generate import Export, generated
from tests.bench.measure import Row, Target, check_counts, installed, log, ratios, run_in_process
from tests.bench.server import serving
from tests.bench.snapshot import peak_megabytes

if TYPE_CHECKING:
    from collections.abc import Callable

    from tpanalytics import TaskProfiles

__all__ = ["MEASURES", "rows"]

_BY_HAND, _PANDAS = Target("at most", 1.3), Target("at most", 0.2)
_GROWTH = Target("at most", 1.1, "")
_NOT_AVAILABLE = "not available yet"
_SEED = 20_261_125
_FREED = {"H1": (0.4, 0.7), "H2": (0.1, 0.3), "H3": 0, "H4": 0, "H5": 0}


@dataclass(frozen=True)
class Measure:
    """Public name and arguments of a measure.

    Attributes
    ----------
    bounded
        Whether to measure it also with contract hours.
    checked
        Column whose sum must equal that of the handwritten query, if there is one.
    """

    function: str
    options: dict[str, Any] = field(default_factory=dict)
    bounded: bool = False
    checked: str = ""


MEASURES = {
    "coverage": Measure("coverage", checked="hours_coverage"),
    "hours": Measure("hours", bounded=True, checked="hours_per_job"),
    "impact by tasks": Measure("impact", {"weight": "tasks"}, checked="share"),
    "impact by hours": Measure("impact", {"weight": "hours"}, bounded=True, checked="share"),
    "exposure": Measure("exposure", bounded=True, checked="exposure"),
    "freed": Measure("capacity", {"freed": _FREED, "weight": "headcount"}),
    "capacity": Measure(
        "capacity",
        {"freed": _FREED, "adoption": (0.3, 0.6), "realisation": 0.7, "contract_hours": 40, "weight": "headcount"},
    ),
    "fragmentation": Measure("fragmentation", {"freed": _FREED, "realisation": 0.7, "weight": "headcount"}),
}


def rows(jobs: int, pairs: int, data: str | None, *, full: bool) -> list[Row]:
    """Measure all measures with `jobs` and ten times as many jobs, and with `full` 100 times as many."""
    exports = {"small": Export(generated(jobs, data)), "large": Export(generated(10 * jobs, data))}
    sizes = {name: export.tasks for name, export in exports.items()}
    with tempfile.TemporaryDirectory(prefix="tpanalytics-bench-measures-") as root:
        for name, export in exports.items():
            log(f"measures: exporting {export.tasks:,} tasks once")
            with serving(export.folder) as service:
                service.behave(page_seconds=0, gzip=False)
                run_in_process("measures:prepared", settings=service.settings, folder=f"{root}/{name}")
        if full:
            sizes["largest"] = 10 * sizes["large"]
            log(f"measures: writing {sizes['largest']:,} tasks once")
            run_in_process("measures:copied", source=f"{root}/large", folder=f"{root}/largest", times=10)
        result = []
        for name in (name for name, measure in MEASURES.items() if measure.checked):
            result += _ratio_rows(name, f"{root}/large", sizes["large"], pairs)
        for name in MEASURES:
            result += _growth_rows(name, root, sizes, pairs)
    return result


def _ratio_rows(name: str, folder: str, tasks: int, pairs: int) -> list[Row]:
    measure = MEASURES[name]
    result = []
    for contract in (False, True)[: 1 + measure.bounded]:
        title = f"measures: {name}{' and its bounds' * contract} over {{}}, {tasks:,} tasks"
        baselines = {"polars": ("a handwritten Polars query", _BY_HAND), "pandas": ("pandas", _PANDAS)}
        if contract:  # the handwritten query has no bounds, so there is no target
            baselines = {"polars": ("a handwritten Polars query without them", None)}
        missing = [library for library in ("pandas", "pyarrow") if not installed(library)]
        sides = [side for side in baselines if side == "polars" or not missing]
        log(f"measures: {name}{' and its bounds' * contract} and {' and '.join(sides)}, {pairs} pairs")
        times, counted = run_in_process(
            "measures:timed", folder=folder, name=name, sides=["ours", *sides], contract=contract, pairs=pairs
        )
        if counted:
            check_counts(counted, counted["ours"])
            check_counts({"ours": {"tasks": counted["ours"]["tasks"]}}, {"tasks": tasks})
        for side, (text, target) in baselines.items():
            both = {key: counted[key] for key in ("ours", side) if key in counted}
            values = ratios(times["ours"], times[side]) if len(both) == 2 else []
            why = f"not installed: {', '.join(missing)}" if counted else _NOT_AVAILABLE
            result.append(Row(title.format(text), values, target, both, why="" if values else why))
    return result


def _growth_rows(name: str, root: str, sizes: dict[str, int], pairs: int) -> list[Row]:
    log(f"measures: {name} with {', '.join(f'{n:,}' for n in sizes.values())} tasks, {pairs} pairs")
    measured: dict[str, dict[str, list[float]]] = {kind: {size: [] for size in sizes} for kind in ("time", "peak")}
    counted: dict[str, dict[str, int]] = {}
    for _ in range(pairs):
        for size, tasks in sizes.items():
            run = run_in_process("measures:grown", folder=f"{root}/{size}", name=name)
            if run is None:
                continue
            for kind, value in run["measured"].items():
                measured[kind][size].append(value)
            counted[size] = run["counted"]
            check_counts({name: counted[size]}, {"tasks": tasks})
    why = "" if counted else _NOT_AVAILABLE
    result = []
    for kind, unit in {"time": " ms", "peak": " MB"}.items():
        values = measured[kind]
        for size, tasks in sizes.items():
            counts = {size: counted[size]} if counted else {}
            result.append(Row(f"measures: {kind} of {name}, {tasks:,} tasks", values[size], None, counts, unit, why))
        steps = f"{min(sizes.values()):,} to {max(sizes.values()):,} tasks"
        slopes = [_slope([*sizes.values()], [*times]) for times in zip(*values.values(), strict=True)]
        result.append(Row(f"measures: {kind} of {name}, log-log slope, {steps}", slopes, _GROWTH, counted, "", why))
    return result


def _slope(sizes: list[int], values: list[float]) -> float:
    return linear_regression([math.log(size) for size in sizes], [math.log(value) for value in values]).slope


def prepared(settings: dict[str, Any], folder: str) -> None:
    """Export to a snapshot and add headcount and contract hours. 10% of the jobs have no headcount."""
    import random

    import polars as pl

    import tpanalytics as tpa
    from tpanalytics.profiles.snapshot.read_write import replace_jobs

    options = {"snapshot": folder, "families": "lists", "progress": False, "lazy": True}
    profiles = tpa.load_task_profiles(tpa.connect(**settings), **options)
    jobs = profiles.jobs.collect()
    draw = random.Random(_SEED)
    people = [None if draw.random() < 0.1 else draw.choice([1, 1, 2, 5, 20, 80]) for _ in range(jobs.height)]
    weeks = [draw.choice([20.0, 35.0, 38.5, 40.0]) for _ in range(jobs.height)]
    mapping = jobs.select("job_id", "job_name", "job_family_id").with_columns(
        headcount=pl.Series(people, dtype=pl.Int64), contract_hours=pl.Series(weeks, dtype=pl.Float64)
    )
    families = jobs.select("job_family_id", job_family_name="job_family").drop_nulls().unique()
    replace_jobs(tpa.assign_families(profiles, mapping, families), Path(folder))


def copied(source: str, folder: str, times: int) -> None:
    """Write a snapshot with several copies of another one. Copies have different job IDs and custom tasks."""
    import polars as pl

    import tpanalytics as tpa
    from tpanalytics.profiles.snapshot.layout import paths_of, read_manifest, write_manifest, write_part

    manifest, parts = read_manifest(Path(source))
    target = Path(folder)
    target.mkdir()
    job = pl.col("job_id")
    custom = pl.when(pl.col("task_id").str.len_chars() == 36).then(pl.lit("-")).otherwise(pl.lit(""))
    written: dict[str, list[Any]] = {"jobs": [], "tasks": [], "rejects": []}
    for table, paths in paths_of(Path(source), parts).items():
        for path in paths:
            frame = pl.read_parquet(path)
            for number in range(times if table != "rejects" else 1):
                mark = pl.lit(f"-{number}")
                renamed = frame if table == "rejects" else frame.with_columns(pl.concat_str(job, mark).alias("job_id"))
                if table == "tasks":  # custom tasks differ between copies
                    task_id = pl.when(custom == "-").then(pl.concat_str("task_id", mark)).otherwise("task_id")
                    renamed = renamed.with_columns(task_id=task_id)
                written[table].append(write_part(target, table, renamed))
    counts = {name: times * manifest[name] for name in ("jobs", "tasks")}
    write_manifest(target, {**manifest, **counts}, written)
    tpa.read_profiles(folder, lazy=True)


def timed(folder: str, name: str, sides: list[str], contract: bool, pairs: int) -> Any:
    """Run the measure and handwritten queries alternately on data in memory, and return times and counts."""
    import tpanalytics as tpa
    from tests.bench.by_hand import QUERIES

    measure = MEASURES[name]
    ours = getattr(tpa, measure.function, None)
    if ours is None:
        return {}, {}
    scanned = tpa.read_profiles(folder, lazy=True)
    columns = ["job_id", "job_family", "ai_impact_level", "validation_state", "weekly_hours"]
    jobs, tasks = scanned.jobs.collect(), scanned.tasks.select(columns).collect()
    if not contract:
        jobs = jobs.drop("headcount", "contract_hours")
    profiles = tpa.TaskProfiles(jobs, tasks)
    polars, pandas = QUERIES[name]
    functions: dict[str, Callable[[], Any]] = {"ours": lambda: ours(profiles, **measure.options)}
    if "polars" in sides:
        functions["polars"] = lambda: polars(jobs, tasks)
    if "pandas" in sides:
        frames = [frame.to_pandas() for frame in (jobs.select("job_id", "job_family"), tasks)]
        functions["pandas"] = lambda: pandas(*frames)
    times: dict[str, list[float]] = {side: [] for side in functions}
    counted: dict[str, dict[str, int]] = {}
    for number in range(pairs + 1):  # the first round only loads modules
        for side, function in functions.items():
            start = time.perf_counter()
            result = function()
            seconds = time.perf_counter() - start
            if number:
                times[side].append(seconds)
            else:
                shown = result[result["tasks"] > 0] if side == "pandas" else result.filter(result["tasks"] > 0)
                figure = round(1000 * float(shown[measure.checked].sum()))
                counted[side] = {"rows": len(shown), "tasks": int(shown["tasks"].sum()), "figure": figure}
    return times, counted


def grown(folder: str, name: str) -> Any:
    """Run a measure on a lazy snapshot."""
    import tpanalytics as tpa

    measure = MEASURES[name]
    ours = getattr(tpa, measure.function, None)
    if ours is None:
        return None
    profiles: TaskProfiles = tpa.read_profiles(folder, lazy=True)
    start = time.perf_counter()
    result = ours(profiles, **measure.options)
    milliseconds = 1000 * (time.perf_counter() - start)
    counted = {"tasks": tpa.about(result).tasks}
    return {"measured": {"time": milliseconds, "peak": peak_megabytes()}, "counted": counted}
