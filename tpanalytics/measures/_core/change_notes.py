"""What must be said beside a figure about two snapshots: how much each knows, and whether they can be compared."""

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
    "meaning_of_both",
    "said_of_jobs",
    "said_of_pair",
    "said_of_pulls",
    "said_of_states",
    "said_of_weights",
]

#: A coverage that moved by more makes a difference between two snapshots one between two measurements.
COVERAGE_MOVED = 0.05
_PARTS = {"hours": "hours", "level": "a level", "both": "hours and a level"}


def meaning_of_both(
    before: TaskCounts, after: TaskCounts, *, covered: str = "both", warnings: tuple[str, ...] = (), **said: Any
) -> Meaning:
    """Make the meaning of a result about two snapshots; what it counts is of the later one, its grade of the worse.

    Parameters
    ----------
    before, after
        All that was counted.
    covered
        The entry of `Meaning.coverage` that the grade goes by.
    warnings
        What else must stand beside the figure.
    **said
        Other attributes of `Meaning`.
    """
    first, second = (
        meaning_of(side, covered=covered, measure="", value="", unit="", basis="") for side in (before, after)
    )
    moved = tuple(
        f"{_PARTS.get(part, part).capitalize()} were known for {was:.1%} of the tasks before and for {now:.1%} after: "
        "the bridge, which sets newly measured hours apart, is the headline, not the difference."
        for part, was, now in ((part, first.coverage[part], second.coverage[part]) for part in second.coverage)
        if was is not None and now is not None and abs(now - was) > COVERAGE_MOVED + 1e-12
    )
    grades = [grade for grade in (first.grade, second.grade) if grade]
    policy = (
        f"{_counted('Before', first)}; {_counted('after', second)}.",
        *said.pop("policy", ()),
    )
    whole = meaning_of(after, covered=covered, policy=policy, **said)
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
        warnings=(*moved, *imputed, *said_of_states(after.counted), *warnings),
    )


def _counted(when: str, meaning: Meaning) -> str:
    known = meaning.coverage.get("both")
    said = "" if known is None else f", {known:.1%} of them with hours and a level"
    suggested = "" if not meaning.share_suggested else f", {meaning.share_suggested:.1%} not validated"
    return f"{when}: {meaning.jobs:,} jobs and {meaning.tasks:,} tasks{said}{suggested}"


def counts_suggested(states: Sequence[str]) -> bool:
    """Say whether a task that is suggested counts, so that to validate it changes nothing."""
    return set(COUNTED_STATES) <= set(states)


def said_of_states(states: Sequence[str]) -> tuple[str, ...]:
    """Say what it does to a comparison that not every state counts."""
    if counts_suggested(states):
        return ()
    only = " or ".join(states)
    return (f"Only what is {only} counts: a task in another state before seems added, though it was there.",)


def said_of_pulls(before: TaskProfiles, after: TaskProfiles) -> tuple[str, ...]:
    """Say what the manifests tell against comparing two snapshots.

    A pull over live data is no single instant: what changed while it ran may be on either side.

    Parameters
    ----------
    before, after
        Their manifests are read, not their frames.
    """
    said = [
        f"The export {when} was not complete: what seems {gone} may only not have been seen."
        for when, gone, profiles in (("before", "added", before), ("after", "removed", after))
        if profiles.manifest.get("complete") is False
    ]
    times = [_times(profiles.manifest) for profiles in (before, after)]
    (started, finished), started_after = times[0], times[1][0]
    if started and started_after and started_after < started:
        said.append("The snapshot after is older than the one before; perhaps they are the wrong way round.")
    elif finished and started_after:
        gap = max(started_after - finished, timedelta(0))
        took = [end - start for start, end in times if start and end]
        longest = max(took, default=timedelta(0))
        if longest > gap:
            said.append(
                f"A pull took {_hours(longest)}, longer than the {_hours(gap)} between the two: what changed meanwhile "
                "may be on either side."
            )
    return tuple(said)


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


def said_of_jobs(jobs: pl.DataFrame) -> tuple[str, ...]:
    """Say how many jobs are in one snapshot only, and how many changed their family.

    Parameters
    ----------
    jobs
        As `snapshot_pairs.jobs_of` gives them.
    """
    gone, new = (int(jobs.get_column(f"family_{side}").null_count()) for side in ("after", "before"))
    moved = int((jobs.get_column("family_before") != jobs.get_column("family_after")).sum())
    said = []
    if gone or new:
        said.append(
            f"{_n(gone, 'job is', 'jobs are')} only in the snapshot before and {_n(new, 'job is', 'jobs are')} only in "
            "the one after; an export may be a subset of the tenant."
        )
    if moved:
        said.append(f"{_n(moved, 'job', 'jobs')} changed family, and count on both sides in the family after.")
    return tuple(said)


def _n(count: int, one: str, several: str) -> str:
    return f"{count:,} {one if count == 1 else several}"


def said_of_pair(pair: Pair) -> tuple[str, ...]:
    """Say what is odd about how the tasks of two snapshots match.

    Parameters
    ----------
    pair
        As `snapshot_pairs.match_tasks` gives it.
    """
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
    said = list(said_of_jobs(pair.jobs))
    if in_both and counts["before"] and counts["after"] and not counts["matched"]:
        other = "text" if what == "id" else "id"
        said.append(f"No task has the same {what} in both snapshots; try same_task={other!r}.")
    if counts["nameless"]:
        said.append(
            f"{_n(counts['nameless'], 'task has', 'tasks have')} no {what} to match by; what its hours change is newly "
            "measured."
        )
    if counts["repeated"]:
        said.append(
            f"{_n(counts['repeated'], 'task stands', 'tasks stand')} more than once in a job, and each counts as one "
            f"with its hours added up; {counts['conflict']:,} of them have levels that contradict each other, so that "
            "none is known."
        )
    return tuple(said)


def said_of_weights(level_weights: Mapping[str, float], *cells: pl.DataFrame) -> tuple[str, ...]:
    """Say which levels have no weight, and how many tasks are at them.

    Parameters
    ----------
    level_weights
        Weight of each level.
    *cells
        As in `aggregate.TaskCounts`.
    """
    levels = pl.concat([frame.select("level", "n") for frame in cells])
    strange = unmapped(levels.get_column("level").unique().to_list(), level_weights)
    if not strange:
        return ()
    n = int(levels.filter(pl.col("level").is_in(strange)).get_column("n").sum())
    return (f"{_n(n, 'task is', 'tasks are')} at {', '.join(strange)}, which has no weight here and so is not known.",)
