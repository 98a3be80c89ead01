"""Suppress the points of a curve that would reveal a small group of jobs or people."""

from __future__ import annotations

from bisect import bisect, bisect_left
from typing import TYPE_CHECKING, cast

import polars as pl

from tpanalytics.errors import SchemaError
from tpanalytics.measures._core.metadata import get_metadata
from tpanalytics.measures.exposure_curve import LAST_PLACE, exposed_jobs, place_of
from tpanalytics.measures.privacy.group_counts import is_small_group, people_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tpanalytics.measures.privacy.policy import Privacy
    from tpanalytics.schema import TaskProfiles
    from tpanalytics.typing import CurveWeight

__all__ = ["without_points"]

#: The index that each figure is based on.
_INDEX_OF = {
    "share": "exposure",
    "amount": "exposure",
    "jobs_at_least": "exposure",
    "share_low": "low",
    "share_high": "high",
}
#: Headcounts of jobs, null if unknown.
_Jobs = list[float | None]


def without_points(
    result: pl.DataFrame, profiles: TaskProfiles, groups: Sequence[str], privacy: Privacy, reason: str
) -> tuple[pl.DataFrame, int]:
    """Suppress the points between which only a few jobs lie, and return the number of suppressed points.

    Keep a single row without figures for each suppressed group.
    """
    meaning = get_metadata(result)
    if meaning is None or "work" not in result.columns:
        raise SchemaError("`result` must be a result of exposure_curve. Select columns after suppressing it.")
    if not result.height:
        return result, 0
    work = result.item(0, "work")
    weight = cast("CurveWeight", "jobs" if meaning.basis == "job" else meaning.basis)
    exposed = exposed_jobs(
        profiles,
        by=meaning.by,
        weight=weight,
        work=work,
        level_weights=dict(meaning.level_weights),
        contract_hours=meaning.contract_hours,
        states=list(meaning.states),
    )
    people = people_of(profiles, exposed.reduced.jobs).select("job", "headcount")
    jobs = exposed.jobs.filter(pl.col("people").is_not_null()).join(people, on="job")
    marked = result.with_columns(place=place_of("at_least"))
    for index in dict.fromkeys(_INDEX_OF.values()):
        points = _shown_points(jobs, index, privacy).with_columns(pl.lit(value=True).alias(index))
        marked = marked.join(points, on=["group", "place"], how="left", maintain_order="left")
    figures = [name for name in _INDEX_OF if name in result.columns]
    hidden = pl.col("exposure").is_null() & pl.col("reason").is_null()
    marked = marked.with_columns(
        *(pl.when(_INDEX_OF[name]).then(pl.col(name)).alias(name) for name in figures),
        reason=pl.when(hidden).then(pl.lit(reason)).otherwise("reason"),
        hidden=hidden,
    )
    in_groups = pl.col("group").is_in(list(groups))
    kept = [name for name in ("group", "jobs", "basis", "work") if name in result.columns]
    empty = marked.filter(in_groups).unique("group", keep="first", maintain_order=True).select(kept)
    rows = [marked.filter(~in_groups).select(result.columns), empty.with_columns(reason=pl.lit(reason))]
    n_hidden = int(marked.filter(~in_groups).get_column("hidden").sum())
    return pl.concat(rows, how="diagonal").select(result.columns), n_hidden


def _shown_points(jobs: pl.DataFrame, index: str, privacy: Privacy) -> pl.DataFrame:
    """Return ``group, place`` of the thresholds to show."""
    known = jobs.filter(pl.col(index).is_not_null())
    places: dict[str, dict[int, _Jobs]] = {group: {} for group in jobs.get_column("group").unique()}
    for group, place, headcounts in known.group_by("group", place_of(index).alias("place")).agg("headcount").rows():
        places[group][place] = headcounts
    points = [(group, place) for group, steps in places.items() for place in _shown_places(steps, privacy)]
    return pl.DataFrame(points, schema={"group": pl.String, "place": pl.Int64}, orient="row")


def _shown_places(steps: Mapping[int, _Jobs], privacy: Privacy) -> list[int]:
    """Return the thresholds to show. The jobs between two of them, listed in `steps`, are never a small group."""
    places = [place for place, headcounts in sorted(steps.items()) for _ in headcounts]
    headcounts = [headcount for _, step in sorted(steps.items()) for headcount in step]
    shown = [0, LAST_PLACE + 1]
    for place in _ROUND_FIRST:
        number = bisect(shown, place)
        start, split, end = (bisect_left(places, at) for at in (shown[number - 1], place, shown[number]))
        if not any(is_small_group(headcounts[part], privacy) for part in (slice(start, split), slice(split, end))):
            shown.insert(number, place)
    return shown[:-1]


#: Thresholds above 0. Round ones come first, so they are more likely to be shown.
_ROUND_FIRST = sorted(range(1, LAST_PLACE + 1), key=lambda place: [place % step > 0 for step in (50, 25, 10, 5)])
