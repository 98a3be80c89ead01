"""Memory of measures on more tasks than fit into memory."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from tests.bench.measure import Row, Target, check_counts, log, ratios, run_in_process

__all__ = ["rows"]

_GROWTH = Target("at most", 1.5)
_MEMORY = Target("at most", 400, " MB")
_COPIES = {"large": 100, "small": 10}
#: A measure that aggregates by family, and one that aggregates by job.
_MEASURES = ("impact", "hours")
_TASKS_A_JOB = 20


def rows(jobs: int, pairs: int) -> list[Row]:
    """Measure the peak memory for 100 and for 10 copies of a file of tasks.

    With 10,000 jobs, these are 20 million and 2 million tasks.
    """
    tasks = {name: jobs * _TASKS_A_JOB * copies for name, copies in _COPIES.items()}
    log(f"streaming: {tasks['large']:,} and {tasks['small']:,} tasks, {pairs} pairs")
    result = []
    with tempfile.TemporaryDirectory(prefix="tpanalytics-bench-streaming-") as folder:
        run_in_process("streaming:written", folder=folder, jobs=jobs)
        for measure in _MEASURES:
            peaks: dict[str, list[float]] = {name: [] for name in _COPIES}
            counted: dict[str, dict[str, int]] = {}
            for _ in range(pairs):
                for name, copies in _COPIES.items():
                    run = run_in_process("streaming:reduced", folder=folder, copies=copies, measure=measure)
                    peaks[name].append(run["megabytes"])
                    counted[name] = run["counted"]
            for name in _COPIES:
                check_counts({name: counted[name]}, {"jobs": jobs, "tasks": tasks[name]})
            of = f"streaming: peak of {measure}"
            result += [
                Row(
                    f"{of}, {tasks['large']:,} tasks", peaks["large"], _MEMORY, {"large": counted["large"]}, unit=" MB"
                ),
                Row(
                    f"{of}, {tasks['large']:,} tasks over {tasks['small']:,}",
                    ratios(peaks["large"], peaks["small"]),
                    _GROWTH,
                    counted,
                ),
            ]
    return result


def written(folder: str, jobs: int) -> dict[str, Any]:
    """Write jobs and tasks with realistic texts to Parquet files."""
    import polars as pl

    row, job = pl.int_range(jobs * _TASKS_A_JOB), pl.int_range(jobs * _TASKS_A_JOB) // _TASKS_A_JOB
    spread = row * 2_654_435_761 % 1000  # hard to compress
    tasks = pl.select(
        job_id=pl.format("job-{}", job),
        job_family=pl.when(job % 41 > 0).then(pl.format("family {}", job % 40)),
        task_id=pl.format("task-{}", row),
        task=pl.format("Prepares, checks and hands over the weekly figures number {} of unit {}", row, spread),
        validation_state=pl.when(spread % 3 > 0).then(pl.lit("validated")).otherwise(pl.lit("suggested")),
        weekly_hours=pl.when(spread % 7 > 0).then((spread % 24 + 1) / 4),
        ai_impact_level=pl.when(spread % 11 > 0).then(pl.format("H{}", spread % 4 + 1)),
        ai_impact_rationale=pl.format("Because figure {} follows from figures {} to {}", row, spread, row + spread),
    )
    tasks.write_parquet(Path(folder) / "tasks.parquet")
    tasks.group_by("job_id", "job_family", maintain_order=True).agg(n_tasks=pl.len()).write_parquet(
        Path(folder) / "jobs.parquet"
    )
    return {"counted": {"tasks": tasks.height}}


def reduced(folder: str, copies: int, measure: str) -> dict[str, Any]:
    """Run a measure on a lazy frame that scans the same file several times."""
    import polars as pl

    import tpanalytics as tpa
    from tests.bench.snapshot import peak_megabytes

    jobs = pl.read_parquet(Path(folder) / "jobs.parquet")
    tasks = pl.concat([pl.scan_parquet(Path(folder) / "tasks.parquet")] * copies)
    # Adjust n_tasks, because measures use a faster path if it matches the tasks.
    profiles = tpa.TaskProfiles(jobs.with_columns(pl.col("n_tasks") * copies), tasks)
    result = getattr(tpa, measure)(profiles)
    families = result.unique("job_family")
    counts = {"jobs": int(families["jobs"].sum()), "tasks": int(result["tasks"].sum())}
    return {"megabytes": peak_megabytes(), "counted": counts}
