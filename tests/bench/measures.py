"""What a measure costs beside the same figure written by hand, and how its time and memory grow with the tasks."""

from __future__ import annotations

import math
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from statistics import linear_regression
from typing import TYPE_CHECKING, Any

from tests.bench.generate import Export, generated
from tests.bench.measure import Row, Target, agree, installed, ratios, said, separately
from tests.bench.server import serving
from tests.bench.snapshot import peak_megabytes

if TYPE_CHECKING:
    from collections.abc import Callable

    from tpanalytics import TaskProfiles

__all__ = ["MEASURES", "rows"]

_BY_HAND, _PANDAS = Target("at most", 1.3), Target("at most", 0.2)
_GROWTH = Target("at most", 1.1, "")
_NOT_THERE = "not there yet"
_SEED = 20_261_125
_FREED = {"H1": (0.4, 0.7), "H2": (0.1, 0.3), "H3": 0, "H4": 0, "H5": 0}


@dataclass(frozen=True)
class Measure:
    """A measure by its public name, and how it is called.

    Attributes
    ----------
    bounded
        Contract hours make it do more, so it is also measured with them.
    checked
        The column whose sum must be that of the same figure by hand, for measures that are in `tests.bench.by_hand`.
    """

    function: str
    options: dict[str, Any] = field(default_factory=dict)
    bounded: bool = False
    checked: str = ""


#: Another measure is another line.
MEASURES = {
    "coverage": Measure("coverage", checked="hours_coverage"),
    "hours": Measure("hours", bounded=True, checked="hours_per_job"),
    "impact by tasks": Measure("impact", {"weight": "tasks"}, checked="share"),
    "impact by hours": Measure("impact", {"weight": "hours"}, bounded=True, checked="share"),
    "exposure": Measure("exposure", bounded=True, checked="exposure"),
    "freed": Measure("capacity", {"freed": _FREED}),
    "capacity": Measure(
        "capacity", {"freed": _FREED, "adoption": (0.3, 0.6), "realisation": 0.7, "contract_hours": 40}
    ),
    "fragmentation": Measure("fragmentation", {"freed": _FREED, "realisation": 0.7}),
}


def rows(jobs: int, pairs: int, data: str | None, *, full: bool) -> list[Row]:
    """Measure every measure on ten times as many jobs, and how it grows to there; with `full` ten times further."""
    exports = {"small": Export(generated(jobs, data)), "large": Export(generated(10 * jobs, data))}
    sizes = {name: export.tasks for name, export in exports.items()}
    with tempfile.TemporaryDirectory(prefix="tpanalytics-bench-measures-") as root:
        for name, export in exports.items():
            said(f"measures: pulling {export.tasks:,} tasks once")
            with serving(export.folder) as service:
                service.behave(page_seconds=0, gzip=False)
                separately("measures:prepared", settings=service.settings, folder=f"{root}/{name}")
        if full:
            sizes["largest"] = 10 * sizes["large"]
            said(f"measures: writing {sizes['largest']:,} tasks once")
            separately("measures:copied", source=f"{root}/large", folder=f"{root}/largest", times=10)
        found = []
        for name in (name for name, measure in MEASURES.items() if measure.checked):
            found += _ratio_rows(name, f"{root}/large", sizes["large"], pairs)
        for name in MEASURES:
            found += _growth_rows(name, root, sizes, pairs)
    return found


def _ratio_rows(name: str, folder: str, tasks: int, pairs: int) -> list[Row]:
    measure = MEASURES[name]
    found = []
    for contract in (False, True)[: 1 + measure.bounded]:
        title = f"measures: {name}{' and its bounds' * contract} over {{}}, {tasks:,} tasks"
        beside = {"polars": ("a Polars query by hand", _BY_HAND), "pandas": ("pandas", _PANDAS)}
        if contract:  # by hand there are no bounds; what they cost has no target
            beside = {"polars": ("a Polars query by hand without them", None)}
        lacking = [one for one in ("pandas", "pyarrow") if not installed(one)]
        sides = [side for side in beside if side == "polars" or not lacking]
        said(f"measures: {name}{' and its bounds' * contract} beside {' and '.join(sides)}, {pairs} pairs")
        times, counted = separately(
            "measures:timed", folder=folder, name=name, sides=["ours", *sides], contract=contract, pairs=pairs
        )
        if counted:
            agree(counted, counted["ours"])
            agree({"ours": {"tasks": counted["ours"]["tasks"]}}, {"tasks": tasks})
        for side, (text, target) in beside.items():
            both = {one: counted[one] for one in ("ours", side) if one in counted}
            values = ratios(times["ours"], times[side]) if len(both) == 2 else []
            why = f"not installed: {', '.join(lacking)}" if counted else _NOT_THERE
            found.append(Row(title.format(text), values, target, both, why="" if values else why))
    return found


def _growth_rows(name: str, root: str, sizes: dict[str, int], pairs: int) -> list[Row]:
    said(f"measures: {name} with {', '.join(f'{n:,}' for n in sizes.values())} tasks, {pairs} pairs")
    taken: dict[str, dict[str, list[float]]] = {kind: {size: [] for size in sizes} for kind in ("time", "peak")}
    counted: dict[str, dict[str, int]] = {}
    for _ in range(pairs):
        for size, tasks in sizes.items():
            done = separately("measures:grown", folder=f"{root}/{size}", name=name)
            if done is None:
                continue
            for kind, value in done["taken"].items():
                taken[kind][size].append(value)
            counted[size] = done["counted"]
            agree({name: counted[size]}, {"tasks": tasks})
    why = "" if counted else _NOT_THERE
    found = []
    for kind, unit in {"time": " ms", "peak": " MB"}.items():
        values = taken[kind]
        for size, tasks in sizes.items():
            here = {size: counted[size]} if counted else {}
            found.append(Row(f"measures: {kind} of {name}, {tasks:,} tasks", values[size], None, here, unit, why))
        steps = f"{min(sizes.values()):,} to {max(sizes.values()):,} tasks"
        slopes = [_slope([*sizes.values()], [*one]) for one in zip(*values.values(), strict=True)]
        found.append(Row(f"measures: {kind} of {name}, log-log slope, {steps}", slopes, _GROWTH, counted, "", why))
    return found


def _slope(sizes: list[int], values: list[float]) -> float:
    return linear_regression([math.log(size) for size in sizes], [math.log(value) for value in values]).slope


def prepared(settings: dict[str, Any], folder: str) -> None:
    """Pull into a snapshot, and give its jobs people and contract hours; one in ten has no headcount."""
    import random

    import polars as pl

    import tpanalytics as tpa
    from tpanalytics.profiles.snapshot.read_write import replace_jobs

    asked = {"snapshot": folder, "families": "lists", "progress": False, "lazy": True}
    profiles = tpa.load_task_profiles(tpa.connect(**settings), **asked)
    jobs = profiles.jobs.collect()
    draw = random.Random(_SEED)
    people = [
        None if draw.random() < 0.1 else draw.choice([0.5, 1.0, 2.0, 5.0, 20.0, 80.0]) for _ in range(jobs.height)
    ]
    weeks = [draw.choice([20.0, 35.0, 38.5, 40.0]) for _ in range(jobs.height)]
    mapping = jobs.select("job_id", "job_name", "job_family_id").with_columns(
        headcount=pl.Series(people, dtype=pl.Float64), contract_hours=pl.Series(weeks, dtype=pl.Float64)
    )
    families = jobs.select("job_family_id", job_family_name="job_family").drop_nulls().unique()
    replace_jobs(tpa.assign_families(profiles, mapping, families), Path(folder))


def copied(source: str, folder: str, times: int) -> None:
    """Write a snapshot that holds another one several times, each time with other jobs and other tasks of their own."""
    import polars as pl

    import tpanalytics as tpa
    from tpanalytics.profiles.snapshot.layout import paths_of, read_manifest, write_manifest, write_part

    manifest, parts = read_manifest(Path(source))
    target = Path(folder)
    target.mkdir()
    job = pl.col("job_id")
    own = pl.when(pl.col("task_id").str.len_chars() == 36).then(pl.lit("-")).otherwise(pl.lit(""))
    written: dict[str, list[Any]] = {"jobs": [], "tasks": [], "rejects": []}
    for table, paths in paths_of(Path(source), parts).items():
        for path in paths:
            frame = pl.read_parquet(path)
            for number in range(times if table != "rejects" else 1):
                mark = pl.lit(f"-{number}")
                renamed = frame if table == "rejects" else frame.with_columns(pl.concat_str(job, mark).alias("job_id"))
                if table == "tasks":  # what has an identity of its own there has one here
                    unlike = pl.when(own == "-").then(pl.concat_str("task_id", mark)).otherwise("task_id")
                    renamed = renamed.with_columns(task_id=unlike)
                written[table].append(write_part(target, table, renamed))
    counts = {name: times * manifest[name] for name in ("jobs", "tasks")}
    write_manifest(target, {**manifest, **counts}, written)
    tpa.read_profiles(folder, lazy=True)


def timed(folder: str, name: str, sides: list[str], contract: bool, pairs: int) -> Any:
    """Run the measure and the same by hand in turn on what lies in memory; gives times, and what each computed."""
    import tpanalytics as tpa
    from tests.bench.by_hand import QUERIES

    measure = MEASURES[name]
    ours = getattr(tpa, measure.function, None)
    if ours is None:
        return {}, {}
    scanned = tpa.read_profiles(folder, lazy=True)
    wanted = ["job_id", "job_family", "ai_impact_level", "validation_state", "weekly_hours"]
    jobs, tasks = scanned.jobs.collect(), scanned.tasks.select(wanted).collect()
    if not contract:
        jobs = jobs.drop("headcount", "contract_hours")
    profiles = tpa.TaskProfiles(jobs, tasks)
    polars, pandas = QUERIES[name]
    ways: dict[str, Callable[[], Any]] = {"ours": lambda: ours(profiles, **measure.options)}
    if "polars" in sides:
        ways["polars"] = lambda: polars(jobs, tasks)
    if "pandas" in sides:
        frames = [frame.to_pandas() for frame in (jobs.select("job_id", "job_family"), tasks)]
        ways["pandas"] = lambda: pandas(*frames)
    times: dict[str, list[float]] = {side: [] for side in ways}
    counted: dict[str, dict[str, int]] = {}
    for number in range(pairs + 1):  # in the first round everything loads what it needs
        for side, way in ways.items():
            start = time.perf_counter()
            result = way()
            seconds = time.perf_counter() - start
            if number:
                times[side].append(seconds)
            else:
                shown = result[result["tasks"] > 0] if side == "pandas" else result.filter(result["tasks"] > 0)
                figure = round(1000 * float(shown[measure.checked].sum()))
                counted[side] = {"rows": len(shown), "tasks": int(shown["tasks"].sum()), "figure": figure}
    return times, counted


def grown(folder: str, name: str) -> Any:
    """Open a snapshot without reading it, and let the measure read what it needs."""
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
    return {"taken": {"time": milliseconds, "peak": peak_megabytes()}, "counted": counted}
