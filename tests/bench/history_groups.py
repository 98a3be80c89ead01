"""Time to group a history by tenant, month and job family, compared with SQL in DuckDB on the same Parquet files."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.bench.measure import Row, Target, check_counts, installed, log, ratios, run_in_process

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["rows"]

_TARGET = Target("at most", 1.5)
_TENANTS = ("acme", "globex", "initech")
_BY = ["tenant", "as_of", "job_family"]
_STATES = "validation_state IN ('validated', 'suggested')"
_CELLS = f"""
    SELECT tenant, as_of, job_family, ai_impact_level AS level,
        count(*) AS tasks, count(weekly_hours) AS tasks_with_hours, sum(weekly_hours) AS hours
    FROM tasks WHERE {_STATES} GROUP BY ALL"""
#: For each measure, its figure and the same in SQL, without bounds.
FIGURES = {
    "impact": (
        "share",
        f"""SELECT *, hours / sum(hours) OVER (PARTITION BY tenant, as_of, job_family) AS share
        FROM ({_CELLS}) ORDER BY ALL""",
    ),
    "exposure": (
        "exposure",
        f"""SELECT tenant, as_of, job_family, sum(tasks) AS tasks,
            sum(hours * weight) / sum(hours) FILTER (weight IS NOT NULL) AS exposure
        FROM (SELECT *, CASE level WHEN 'H1' THEN 1 WHEN 'H2' THEN 0.5 WHEN 'H3' THEN 0 END AS weight FROM ({_CELLS}))
        GROUP BY ALL ORDER BY ALL""",
    ),
    "hours": (
        "hours_per_job",
        f"""SELECT jobs.tenant, jobs.as_of, jobs.job_family, count(*) AS jobs, sum(tasks) AS tasks, sum(hours) AS hours,
            avg(hours) AS hours_per_job, quantile_cont(hours, [0, 0.1, 0.25, 0.5, 0.75, 0.9, 1]) AS quantiles
        FROM jobs LEFT JOIN (
            SELECT tenant, as_of, job_id, count(*) AS tasks, sum(weekly_hours) AS hours
            FROM tasks WHERE {_STATES} GROUP BY ALL
        ) AS of_job USING (tenant, as_of, job_id) GROUP BY ALL ORDER BY ALL""",
    ),
}
#: How the history is read.
SIDES = {
    "snapshots": "read_history in Polars",
    "polars": "scan_parquet in Polars",
    "duckdb": "read_parquet in DuckDB",
}


def rows(copies: int, pairs: int, months: int = 24) -> list[Row]:
    """Measure snapshots of 3 tenants in 24 months, with several copies of the sample each."""
    subject = "history by group: {} of {} over SQL in DuckDB, {:,} tasks"
    if not installed("duckdb"):
        return [
            Row(subject.format(name, text, 0), target=_TARGET, why="not installed: duckdb")
            for name in FIGURES
            for text in SIDES.values()
        ]
    result = []
    with tempfile.TemporaryDirectory(prefix="tpanalytics-bench-history-") as folder:
        log(f"history by group: writing {len(_TENANTS) * months} snapshots once")
        tasks = run_in_process("history_groups:written", folder=folder, copies=copies, months=months)["tasks"]
        for name in FIGURES:
            log(f"history by group: {name} of {tasks:,} tasks, {pairs} pairs")
            seconds, counted = run_in_process("history_groups:timed", folder=folder, name=name, pairs=pairs)
            check_counts(counted, counted["sql"])
            for side, text in SIDES.items():
                both = {key: counted[key] for key in (side, "sql")}
                values = ratios(seconds[side], seconds["sql"])
                result.append(Row(subject.format(name, text, tasks), values, _TARGET, both))
                result.append(
                    Row(
                        f"history by group: time of {name} of {text}",
                        [1000 * s for s in seconds[side]],
                        None,
                        both,
                        unit=" ms",
                    )
                )
    return result


def written(folder: str, copies: int, months: int) -> dict[str, int]:
    """Write snapshots, and the same tables as one Parquet file each."""
    from dataclasses import replace

    import polars as pl

    import tpanalytics as tpa

    sample = tpa.load_sample()
    numbers = pl.DataFrame({"copy": range(copies)})
    tables = {
        name: frame.join(numbers, how="cross").with_columns(job_id=pl.format("{}-{}", "job_id", "copy")).drop("copy")
        for name, frame in (
            ("jobs", sample.jobs.drop("contract_hours", "headcount", "fte")),
            ("tasks", sample.tasks),
        )
    }
    for tenant in _TENANTS:
        for month in range(months):
            day = f"{2025 + month // 12}-{month % 12 + 1:02}-01"
            manifest = {"source": {"kind": "frames", "tenant": tenant}, "as_of": day}
            profiles = replace(sample, **tables, manifest=manifest)
            tpa.write_profiles(profiles, Path(folder, "snapshots", f"{tenant}-{day}"))
    history = tpa.read_history(Path(folder, "snapshots"))
    for name in ("jobs", "tasks"):
        getattr(history, name).sink_parquet(Path(folder, f"{name}.parquet"))
    return {"tasks": tables["tasks"].height * len(_TENANTS) * months}


def timed(folder: str, name: str, pairs: int) -> Any:
    """Run the measure on each side and the SQL alternately, and return seconds and counts."""
    import duckdb
    import polars as pl

    import tpanalytics as tpa

    files = {table: str(Path(folder, f"{table}.parquet")) for table in ("jobs", "tasks")}
    database = duckdb.connect(config={"threads": pl.thread_pool_size()})
    for table, file in files.items():
        database.execute(f"CREATE VIEW {table} AS FROM '{file}'")
    histories = {
        "snapshots": tpa.read_history(Path(folder, "snapshots")),
        "polars": tpa.History(*(pl.scan_parquet(file) for file in files.values())),
        "duckdb": tpa.History(*(database.read_parquet(file) for file in files.values())),
    }
    figure, sql = FIGURES[name]
    measure = getattr(tpa, name)
    functions: dict[str, Callable[[], pl.DataFrame]] = {"sql": lambda: database.sql(sql).pl()}
    functions |= {side: lambda history=history: measure(history, by=_BY) for side, history in histories.items()}
    seconds: dict[str, list[float]] = {side: [] for side in functions}
    counted: dict[str, dict[str, int]] = {}
    for number in range(pairs + 1):  # the first round only fills the cache of the file system
        for side, function in functions.items():
            start = time.perf_counter()
            table = function()
            if number:
                seconds[side].append(time.perf_counter() - start)
            else:
                shown = table.filter(pl.col("tasks") > 0)
                sum_of_figure = round(1000 * float(shown[figure].sum()))
                counted[side] = {"rows": shown.height, "tasks": int(shown["tasks"].sum()), "figure": sum_of_figure}
    return seconds, counted
