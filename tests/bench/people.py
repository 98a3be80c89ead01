"""Time to assign the people of a roster, compared with one group_by of the roster in Polars."""

from __future__ import annotations

import random
import time
from typing import Any

import polars as pl

from tests.bench.measure import Row, Target, log, ratios, run_in_process

__all__ = ["assigned", "rows"]

_BY = ["country", "pay_grade"]
_TARGET = Target("at most", 3)
_SEED = 20260501


def rows(people: int, pairs: int) -> list[Row]:
    """Measure rosters of `people` rows."""
    log(f"people: {people:,} rows, {pairs} pairs")
    runs = run_in_process("people:assigned", people=people, pairs=pairs)
    subject = f"people: assign_people over one group_by, {people:,} rows"
    texts = {"ours": "assign_people", "group_by": "one group_by"}
    return [
        Row(subject, ratios(runs["ours"], runs["group_by"]), _TARGET, runs["counted"]),
        *(
            Row(f"people: time of {text}", [1000 * s for s in runs[side]], None, runs["counted"], " ms")
            for side, text in texts.items()
        ),
    ]


def assigned(people: int, pairs: int) -> dict[str, Any]:
    """Return the seconds of both sides. The first pair is a warm-up."""
    from tpanalytics import assign_people, load_sample

    sample = load_sample()
    draw = random.Random(_SEED)
    roster = pl.DataFrame(
        {
            "employee_id": [f"e{i:07d}" for i in range(people)],
            "job_id": draw.choices(sample.jobs["job_id"].to_list(), k=people),
            "country": draw.choices(["BE", "DE", "ES", "FR", "NL", "PL"], k=people),
            "pay_grade": draw.choices([f"G{i}" for i in range(9)], k=people),
            "fte": draw.choices([0.5, 0.8, 1.0], k=people),
        }
    )
    seconds: dict[str, list[float]] = {"ours": [], "group_by": []}
    for _ in range(pairs + 1):
        start = time.perf_counter()
        ours = assign_people(sample, roster, by=_BY).people
        between = time.perf_counter()
        grouped = roster.group_by("job_id", *_BY).agg(headcount=pl.len(), fte=pl.col("fte").sum())
        end = time.perf_counter()
        seconds["ours"].append(between - start)
        seconds["group_by"].append(end - between)
    assert ours is not None
    counted = {name: {"rows": frame.height} for name, frame in (("ours", ours), ("group_by", grouped))}
    return {**{name: values[1:] for name, values in seconds.items()}, "counted": counted}
