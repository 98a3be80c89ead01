"""Metadata and warnings for results that compare two snapshots."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import polars as pl

from tpanalytics.measures._core.metadata import grade_of, meaning_of, states_unknown
from tpanalytics.measures._core.task_identity import BY_TEXT
from tpanalytics.measures._core.weights import unmapped
from tpanalytics.schema import COUNTED_STATES, NO_STATE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tpanalytics.measures._core.aggregate import TaskCounts
    from tpanalytics.measures._core.groups import GroupColumns
    from tpanalytics.measures._core.metadata import Meaning
    from tpanalytics.measures._core.snapshot_pairs import Pair
    from tpanalytics.schema import TaskProfiles

__all__ = [
    "COVERAGE_CHANGE_LIMIT",
    "counts_suggested",
    "job_warnings",
    "match_warnings",
    "meaning_of_both",
    "pull_warnings",
    "state_warnings",
    "weight_warnings",
]

#: If coverage changes by more than this, the difference between two snapshots may only reflect newly measured data.
COVERAGE_CHANGE_LIMIT = 0.05
_PARTS = {"hours": "hours", "level": "a level", "both": "hours and a level"}


def meaning_of_both(
    before: TaskCounts,
    after: TaskCounts,
    *,
    columns: GroupColumns,
    covered: str = "both",
    warnings: tuple[str, ...] = (),
    **facts: Any,
) -> Meaning:
    """Return metadata with the later snapshot's counts, the coverage of both, and the lower grade.

    If groups overlap, pass the counts for all jobs together.
    """
    first, second = (
        meaning_of(side, covered=covered, measure="", value="", unit="", basis="") for side in (before, after)
    )
    changes = [
        f"{was:.1%} of tasks had {_PARTS.get(part, part)} before and {now:.1%} after"
        for part, was, now in ((part, first.coverage[part], second.coverage[part]) for part in second.coverage)
        if was is not None and now is not None and abs(now - was) > COVERAGE_CHANGE_LIMIT + 1e-12
    ]
    advice = "Quote the terms from `compare`, which show newly measured hours separately, instead of the difference."
    coverage_changed = (f"Coverage changed: {', '.join(changes)}. {advice}",) if changes else ()
    grades = [grade for grade in (first.grade, second.grade) if grade]
    policy = (
        f"{_summary('Before', first)}; {_summary('after', second)}.",
        *facts.pop("policy", ()),
    )
    later = meaning_of(after, covered=covered, columns=columns, policy=policy, **facts)
    imputed = tuple(
        f"{meaning.share_imputed:.1%} of the hours {when} are imputed. Changes to them count as newly measured."
        for when, meaning in (("before", first), ("after", second))
        if meaning.share_imputed
    )
    return replace(
        later,
        coverage={
            f"{part} {when}": share
            for when, meaning in (("before", first), ("after", second))
            for part, share in meaning.coverage.items()
        },
        grade=max(grades, default=grade_of(None)),
        warnings=(*coverage_changed, *imputed, *state_warnings(after.counted), *warnings),
    )


def _summary(when: str, meaning: Meaning) -> str:
    coverage = meaning.coverage.get("both")
    both = "" if coverage is None else f", {coverage:.1%} with hours and a level"
    suggested = "" if not meaning.share_suggested else f", {meaning.share_suggested:.1%} not validated"
    if states_unknown(meaning):
        suggested = " in unknown validation states"
    return f"{when}: {meaning.jobs:,} jobs and {meaning.tasks:,} tasks{both}{suggested}"


def counts_suggested(states: Sequence[str]) -> bool:
    """Return `True` if suggested tasks are counted. Validating a task then doesn't change any figures."""
    return set(COUNTED_STATES) <= set(states) or set(states) == {NO_STATE}


def state_warnings(states: Sequence[str]) -> tuple[str, ...]:
    """Return a warning if only some validation states are counted, since tasks can then appear to be added."""
    if counts_suggested(states):
        return ()
    return (f"Only {' and '.join(states)} tasks are counted, so a task that changed its state can appear as added.",)


def pull_warnings(before: TaskProfiles, after: TaskProfiles) -> tuple[str, ...]:
    """Return warnings if an export is incomplete, or if the export times make the comparison unreliable."""
    warnings = [
        f"The {when} export is incomplete, so {missing} jobs and tasks may only be missing from it."
        for when, missing, profiles in (("earlier", "added", before), ("later", "removed", after))
        if profiles.manifest.get("complete") is False
    ]
    times = [_times(profiles.manifest) for profiles in (before, after)]
    (started, finished), started_after = times[0], times[1][0]
    if started and started_after and started_after < started:
        warnings.append("The later snapshot is older than the earlier one. Check the order of the arguments.")
    elif finished and started_after:
        gap = max(started_after - finished, timedelta(0))
        took = [end - start for start, end in times if start and end]
        longest = max(took, default=timedelta(0))
        if longest > gap:
            warnings.append(
                f"An export took {_hours(longest)}, longer than the {_hours(gap)} between the two snapshots. "
                "Changes made during the export can be in either snapshot."
            )
    return tuple(warnings)


def _hours(span: timedelta) -> str:
    minutes = span.total_seconds() / 60
    return f"{minutes:.0f} minutes" if minutes < 120 else f"{minutes / 60:.1f} hours"


def _times(manifest: Mapping[str, Any]) -> tuple[datetime | None, datetime | None]:
    source = manifest.get("source") or {}
    stated = source.get("state") if source.get("kind") == "sample" else source.get("as_of")
    if stated is not None:
        time = _time(f"{stated if len(str(stated)) > len('2026-11') else f'{stated}-01'}T00:00:00+00:00")
        return time, time
    return _time(manifest.get("started")), _time(manifest.get("finished"))


def _time(text: Any) -> datetime | None:
    try:
        time = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    # A time without a time zone can't be compared with the UTC times written by this package.
    return time if time.tzinfo else None


def job_warnings(jobs: pl.DataFrame, noun: str = "job family") -> tuple[str, ...]:
    """Return warnings about jobs that are in only one snapshot or changed groups."""
    removed, added = (int(jobs.get_column(f"family_{side}").null_count()) for side in ("after", "before"))
    moved = int((jobs.get_column("family_before") != jobs.get_column("family_after")).sum())
    warnings = []
    if removed or added:
        warnings.append(
            f"{_n(removed, 'job is', 'jobs are')} only in the earlier snapshot and {_n(added, 'job is', 'jobs are')} "
            "only in the later one. An export may be a subset of the tenant."
        )
    if moved:
        warnings.append(
            f"{_n(moved, 'job', 'jobs')} changed {noun}. Both snapshots count them in the later "
            f"{'family' if noun == 'job family' else 'one'}."
        )
    return tuple(warnings)


def _n(count: int, singular: str, plural: str) -> str:
    return f"{count:,} {singular if count == 1 else plural}"


_OTHER = {"id": "text", "text": "id"}


def match_warnings(pair: Pair) -> tuple[str, ...]:
    """Return warnings about tasks that match poorly, such as those with no identity or conflicting levels."""
    in_both = pair.jobs.drop_nulls().height
    in_before, in_after = pl.col("n_before").is_not_null(), pl.col("n_after").is_not_null()
    counts = pair.tasks.select(
        matched=(in_before & in_after & pl.col("named")).sum(),
        before=in_before.sum(),
        after=in_after.sum(),
        nameless=(pl.col("n_before").fill_null(0) + pl.col("n_after").fill_null(0)).filter(~pl.col("named")).sum(),
        repeated=((pl.col("n_before") > 1) | (pl.col("n_after") > 1)).filter("named").sum(),
        conflict=(pl.col("conflict_before").fill_null(value=False) | pl.col("conflict_after").fill_null(value=False))
        .filter("named")
        .sum(),
    ).row(0, named=True)
    warnings = [*([BY_TEXT] * (pair.matched_by != pair.same_task)), *job_warnings(pair.jobs, pair.groups.noun)]
    if in_both and counts["before"] and counts["after"] and not counts["matched"]:
        other = "" if pair.matched_by != pair.same_task else f" Try same_task={_OTHER[pair.same_task]!r}."
        warnings.append(f"No task has the same {pair.matched_by} in both snapshots.{other}")
    if counts["nameless"]:
        warnings.append(
            f"{_n(counts['nameless'], 'task has', 'tasks have')} no {pair.matched_by} to match by. "
            "Changes to their hours count as newly measured."
        )
    if counts["repeated"]:
        warnings.append(
            f"{_n(counts['repeated'], 'task is', 'tasks are')} repeated in a job and counted once, with added hours. "
            f"Those with conflicting levels ({counts['conflict']:,}) count as not assessed."
        )
    return tuple(warnings)


def weight_warnings(level_weights: Mapping[str, float], *cells: pl.DataFrame) -> tuple[str, ...]:
    """Return a warning that lists levels without a weight, with task counts."""
    levels = pl.concat([frame.select("level", "n") for frame in cells])
    without_weight = unmapped(levels.get_column("level").unique().to_list(), level_weights)
    if not without_weight:
        return ()
    n = int(levels.filter(pl.col("level").is_in(without_weight)).get_column("n").sum())
    levels_listed = ", ".join(without_weight)
    return (f"Levels without a weight count as not assessed: {levels_listed} ({_n(n, 'task', 'tasks')}).",)
