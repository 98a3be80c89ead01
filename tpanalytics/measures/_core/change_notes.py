"""What stands with a figure about two snapshots: the coverage of each, and whether they can be compared."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import polars as pl

from tpanalytics.measures._core.metadata import grade_of, meaning_of
from tpanalytics.measures._core.weights import unmapped
from tpanalytics.schema import COUNTED_STATES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tpanalytics.measures._core.aggregate import TaskCounts
    from tpanalytics.measures._core.metadata import Meaning
    from tpanalytics.measures._core.snapshot_pairs import Pair
    from tpanalytics.schema import TaskProfiles

__all__ = [
    "COVERAGE_MOVED",
    "counts_suggested",
    "job_warnings",
    "match_warnings",
    "meaning_of_both",
    "pull_warnings",
    "state_warnings",
    "weight_warnings",
]

#: A coverage that moved by more makes a difference between two snapshots one between two measurements.
COVERAGE_MOVED = 0.05
_PARTS = {"hours": "hours", "level": "a level", "both": "hours and a level"}


def meaning_of_both(
    before: TaskCounts, after: TaskCounts, *, covered: str = "both", warnings: tuple[str, ...] = (), **facts: Any
) -> Meaning:
    """Describe a result about two snapshots: it counts the later one, and its grade is the worse of both."""
    first, second = (
        meaning_of(side, covered=covered, measure="", value="", unit="", basis="") for side in (before, after)
    )
    coverage_changed = tuple(
        f"{_PARTS.get(part, part).capitalize()} were known for {was:.1%} of the tasks before and for {now:.1%} after: "
        "the bridge, which sets newly measured hours apart, is the headline, not the difference."
        for part, was, now in ((part, first.coverage[part], second.coverage[part]) for part in second.coverage)
        if was is not None and now is not None and abs(now - was) > COVERAGE_MOVED + 1e-12
    )
    grades = [grade for grade in (first.grade, second.grade) if grade]
    policy = (
        f"{_counted('Before', first)}; {_counted('after', second)}.",
        *facts.pop("policy", ()),
    )
    whole = meaning_of(after, covered=covered, policy=policy, **facts)
    imputed = tuple(
        f"{meaning.share_imputed:.1%} of the hours {when} were put in, not stated; what changes them is newly measured."
        for when, meaning in (("before", first), ("after", second))
        if meaning.share_imputed
    )
    return replace(
        whole,
        coverage={
            f"{part} {when}": share
            for when, meaning in (("before", first), ("after", second))
            for part, share in meaning.coverage.items()
        },
        grade=max(grades, default=grade_of(None)),
        warnings=(*coverage_changed, *imputed, *state_warnings(after.counted), *warnings),
    )


def _counted(when: str, meaning: Meaning) -> str:
    known = meaning.coverage.get("both")
    both = "" if known is None else f", {known:.1%} of them with hours and a level"
    suggested = "" if not meaning.share_suggested else f", {meaning.share_suggested:.1%} not validated"
    return f"{when}: {meaning.jobs:,} jobs and {meaning.tasks:,} tasks{both}{suggested}"


def counts_suggested(states: Sequence[str]) -> bool:
    """Return whether a suggested task counts, so that to validate it changes nothing."""
    return set(COUNTED_STATES) <= set(states)


def state_warnings(states: Sequence[str]) -> tuple[str, ...]:
    """Warn that not every state counts, and what that does to a comparison."""
    if counts_suggested(states):
        return ()
    only = " or ".join(states)
    return (f"Only what is {only} counts: a task in another state before seems added, though it was there.",)


def pull_warnings(before: TaskProfiles, after: TaskProfiles) -> tuple[str, ...]:
    """Warn of what the manifests say against comparing two snapshots."""
    warnings = [
        f"The export {when} was not complete: what seems {gone} may only not have been seen."
        for when, gone, profiles in (("before", "added", before), ("after", "removed", after))
        if profiles.manifest.get("complete") is False
    ]
    times = [_times(profiles.manifest) for profiles in (before, after)]
    (started, finished), started_after = times[0], times[1][0]
    if started and started_after and started_after < started:
        warnings.append("The snapshot after is older than the one before; perhaps they are the wrong way round.")
    elif finished and started_after:
        gap = max(started_after - finished, timedelta(0))
        took = [end - start for start, end in times if start and end]
        longest = max(took, default=timedelta(0))
        if longest > gap:
            warnings.append(
                f"A pull took {_hours(longest)}, longer than the {_hours(gap)} between the two: what changed meanwhile "
                "may be on either side."
            )
    return tuple(warnings)


def _hours(span: timedelta) -> str:
    minutes = span.total_seconds() / 60
    return f"{minutes:.0f} minutes" if minutes < 120 else f"{minutes / 60:.1f} hours"


def _times(manifest: Mapping[str, Any]) -> tuple[datetime | None, datetime | None]:
    source = manifest.get("source") or {}
    if source.get("kind") == "sample":
        state = _time(f"{source.get('state')}-01T00:00:00+00:00")
        return state, state
    return _time(manifest.get("started")), _time(manifest.get("finished"))


def _time(text: Any) -> datetime | None:
    try:
        time = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    # A time without zone cannot be set against one with a zone; the package writes UTC.
    return time if time.tzinfo else None


def job_warnings(jobs: pl.DataFrame) -> tuple[str, ...]:
    """Warn of jobs that are in one snapshot only, and of those that changed their family."""
    gone, new = (int(jobs.get_column(f"family_{side}").null_count()) for side in ("after", "before"))
    moved = int((jobs.get_column("family_before") != jobs.get_column("family_after")).sum())
    warnings = []
    if gone or new:
        warnings.append(
            f"{_n(gone, 'job is', 'jobs are')} only in the snapshot before and {_n(new, 'job is', 'jobs are')} only in "
            "the one after; an export may be a subset of the tenant."
        )
    if moved:
        warnings.append(f"{_n(moved, 'job', 'jobs')} changed family, and count on both sides in the family after.")
    return tuple(warnings)


def _n(count: int, one: str, several: str) -> str:
    return f"{count:,} {one if count == 1 else several}"


def match_warnings(pair: Pair) -> tuple[str, ...]:
    """Warn of what is odd about how the tasks of two snapshots match."""
    in_both = pair.jobs.drop_nulls().height
    here, there = pl.col("n_before").is_not_null(), pl.col("n_after").is_not_null()
    counts = pair.tasks.select(
        matched=(here & there & pl.col("named")).sum(),
        before=here.sum(),
        after=there.sum(),
        nameless=(pl.col("n_before").fill_null(0) + pl.col("n_after").fill_null(0)).filter(~pl.col("named")).sum(),
        repeated=((pl.col("n_before") > 1) | (pl.col("n_after") > 1)).filter("named").sum(),
        conflict=(pl.col("conflict_before").fill_null(value=False) | pl.col("conflict_after").fill_null(value=False))
        .filter("named")
        .sum(),
    ).row(0, named=True)
    what = "id" if pair.same_task == "id" else "text"
    warnings = list(job_warnings(pair.jobs))
    if in_both and counts["before"] and counts["after"] and not counts["matched"]:
        other = "text" if what == "id" else "id"
        warnings.append(f"No task has the same {what} in both snapshots; try same_task={other!r}.")
    if counts["nameless"]:
        warnings.append(
            f"{_n(counts['nameless'], 'task has', 'tasks have')} no {what} to match by; what its hours change is newly "
            "measured."
        )
    if counts["repeated"]:
        warnings.append(
            f"{_n(counts['repeated'], 'task stands', 'tasks stand')} more than once in a job, and each counts as one "
            f"with its hours added up; {counts['conflict']:,} of them have levels that contradict each other, so that "
            "none is known."
        )
    return tuple(warnings)


def weight_warnings(level_weights: Mapping[str, float], *cells: pl.DataFrame) -> tuple[str, ...]:
    """Warn of levels that have no weight, with how many tasks are at them."""
    levels = pl.concat([frame.select("level", "n") for frame in cells])
    strange = unmapped(levels.get_column("level").unique().to_list(), level_weights)
    if not strange:
        return ()
    n = int(levels.filter(pl.col("level").is_in(strange)).get_column("n").sum())
    return (f"{_n(n, 'task is', 'tasks are')} at {', '.join(strange)}, which has no weight here and so is not known.",)
