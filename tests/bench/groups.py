"""Time of a measure grouped by two columns, compared with one column."""

from __future__ import annotations

import random
import time
from typing import Any

from tests.bench.measure import Row, Target, check_counts, log, ratios, run_in_process

__all__ = ["rows"]

_TARGET = Target("at most", 1.3)
_SEED = 20260501
#: One column and two, by the table that the second is in.
COLUMNS = {
    "jobs": (["job_family"], ["job_family", "site"]),
    "people": (["country"], ["country", "pay_grade"]),
    "tasks": (["validation_state"], ["validation_state", "system"]),
}
MEASURES = ("impact", "exposure", "hours")
_PEOPLE_OF_JOB = 20


def rows(jobs: int, pairs: int) -> list[Row]:
    """Measure copies of the sample with at least `jobs` jobs and 20 times as many people."""
    result = []
    for table, (one, two) in COLUMNS.items():
        log(f"groups: columns of {table}, {jobs:,} jobs, {pairs} pairs")
        for name in MEASURES:
            run = run_in_process("groups:timed", jobs=jobs, name=name, table=table, pairs=pairs)
            counted, tasks = run["counted"], run["tasks"]
            if table != "people":  # a task counts in every group of its job's people
                check_counts(counted, counted["one"])
            subject = f"groups: {name} by {' and '.join(two)} ({table}) over {one[0]}, {tasks:,} tasks"
            result.append(Row(subject, ratios(run["two"], run["one"]), _TARGET, counted))
            for key, by in (("one", one), ("two", two)):
                times = [1000 * seconds for seconds in run[key]]
                result.append(
                    Row(f"groups: time of {name} by {' and '.join(by)}", times, None, {key: counted[key]}, " ms")
                )
    return result


def timed(jobs: int, name: str, table: str, pairs: int) -> dict[str, Any]:
    """Run the measure by one column and by two alternately, and return seconds and counts."""
    from dataclasses import replace

    import polars as pl

    import tpanalytics as tpa

    sample = tpa.load_sample()
    copies = pl.DataFrame({"copy": range(-(-jobs // sample.jobs.height))})
    draw = random.Random(_SEED)
    tables = [
        frame.join(copies, how="cross").with_columns(job_id=pl.format("{}-{}", "job_id", "copy")).drop("copy")
        for frame in (sample.jobs, sample.tasks)
    ]
    profiles = replace(sample, jobs=tables[0], tasks=tables[1])
    ids = profiles.jobs["job_id"].to_list()
    profiles = replace(
        profiles,
        jobs=profiles.jobs.with_columns(site=pl.Series(draw.choices(["Ghent", "Lyon", "Turin"], k=len(ids)))),
        tasks=profiles.tasks.with_columns(
            system=pl.Series(draw.choices(["ERP", "CRM", None], k=profiles.tasks.height))
        ),
    )
    if table == "people":
        people = _PEOPLE_OF_JOB * len(ids)
        roster = pl.DataFrame(
            {
                "job_id": [*ids, *draw.choices(ids, k=people - len(ids))],
                "country": draw.choices(["BE", "DE", "ES", "FR", "NL", "PL"], k=people),
                "pay_grade": draw.choices([f"G{i}" for i in range(9)], k=people),
            }
        )
        profiles = tpa.assign_people(profiles, roster, by=["country", "pay_grade"])
    measure, (one, two) = getattr(tpa, name), COLUMNS[table]
    seconds: dict[str, list[float]] = {"one": [], "two": []}
    counted: dict[str, dict[str, int]] = {}
    for number in range(pairs + 1):  # the first round only loads modules
        for key, by in (("one", one), ("two", two)):
            start = time.perf_counter()
            result = measure(profiles, by=by)
            if number:
                seconds[key].append(time.perf_counter() - start)
            else:
                counted[key] = {"tasks": tpa.about(result).tasks}
    return {**seconds, "counted": counted, "tasks": profiles.tasks.height}
