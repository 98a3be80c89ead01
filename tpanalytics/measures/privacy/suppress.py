"""Suppress small groups, and any figures that would reveal them as a difference."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import polars as pl

from tpanalytics.errors import ArgumentError, SchemaError
from tpanalytics.measures._core.cache import cached, with_cache
from tpanalytics.measures._core.groups import BY_FAMILY, missing_label, noun, short_noun
from tpanalytics.measures._core.labels import by_of, with_labels, without_labels
from tpanalytics.measures._core.metadata import attach_metadata, get_metadata, without_totals
from tpanalytics.measures._core.staff import STAFF
from tpanalytics.measures.about import about
from tpanalytics.measures.privacy.group_counts import (
    below_threshold,
    count_differences,
    counts_of,
    group_counts,
    job_differences,
    members,
    pair_counts,
    per_member_counts,
)
from tpanalytics.measures.privacy.policy import OFF, SUPPRESSED, USUAL, Privacy, check_privacy, suppression_note
from tpanalytics.measures.privacy.suppress_cells import (
    KEPT,
    cells_of,
    extend_suppression,
    hide_suppressed,
    protect_from_totals,
)
from tpanalytics.measures.privacy.suppress_curve import without_points
from tpanalytics.measures.privacy.suppress_skills import skill_note, small_skills, without_skills
from tpanalytics.schema import AS_OF, TENANT, History, TaskProfiles, check_profiles, counted_states, require

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tpanalytics.measures._core.metadata import Meaning
    from tpanalytics.typing import By

__all__ = [
    "apply_change_policy",
    "apply_policy",
    "are_all_suppressed",
    "families_in_change",
    "states_of",
    "suppress",
    "suppress_moves",
    "suppressed_families",
    "suppressed_jobs",
]

_KEYS = ("ai_impact_level", "block_hours")
_NOTHING_SUPPRESSED = "Nothing is suppressed, so figures can describe single jobs or people."
#: Figures in a result with one row per pair of levels or states.
_MOVE_FIGURES = ("tasks", "jobs", "tasks_with_hours", "hours_before", "hours_after")


def suppress(
    result: pl.DataFrame,
    profiles: TaskProfiles | None = None,
    before: TaskProfiles | None = None,
    released: pl.DataFrame | tuple[pl.DataFrame, TaskProfiles] | None = None,
    *,
    privacy: Privacy | None = USUAL,
    keys: Sequence[str] = _KEYS,
) -> pl.DataFrame:
    """Suppress the figures of small groups of jobs or people.

    The rule depends on the result's columns:

    - By family: all figures in a suppressed row become null except ``jobs``, and ``reason`` is set to ``SUPPRESSED``.
      The next smallest rows, across families and across `keys`, are also suppressed until the suppressed rows combined
      meet the limits. Otherwise a total could reveal one of them. Fully suppressed families come last, sorted by name.
    - By job (if there is a ``job_id`` column): rows are removed if their family is suppressed or the job has fewer than
      ``min_headcount`` people. The next smallest jobs in the family are removed as well, until the removed jobs have at
      least ``min_headcount`` people in total. Jobs with a null headcount are only removed if the other jobs are not
      enough, or if their family is suppressed.
    - Two snapshots (from `compare`, `compare_exposure` or `transitions`): families that are too small in either
      snapshot are suppressed. Moves between levels or states are suppressed if they affect fewer than ``min_jobs``
      jobs, along with any other moves needed to protect them. If every family is suppressed, all moves and totals are
      removed. From `changed_tasks`, the tasks of jobs that are suppressed in either snapshot are removed.
    - By skill (from `skills`): the rows of a skill are removed if too few jobs or people have it, along with the next
      smallest skills needed to protect it.
    - A curve (from `exposure_curve`): points are suppressed so that too few jobs never lie between two of the others.

    A family is small if it has fewer than ``min_jobs`` jobs, or if the number of its jobs with tasks, or with hours, is
    below ``min_jobs`` but not zero. It is also small if it has fewer than ``min_headcount`` people. Null headcounts are
    ignored, and this check is skipped if ``min_jobs`` or more jobs have a null headcount. The headcount of a job is its
    people, or its full-time equivalents if only these are known. For figures that count people or full-time
    equivalents, a family is also small if fewer than ``min_jobs`` of its jobs have both hours and this count, or if a
    single job has more than 85% of it.

    Parameters
    ----------
    result
        The result of a measure. Reads ``job_family`` and, if present, `keys`, ``jobs, jobs_without_tasks,
        jobs_with_hours, headcount, tasks, reason``, ``job_id``, ``scope`` and the columns for levels or states before
        and after.
    profiles
        The profiles used to compute the result, or the later profiles if it compares two snapshots. They are used to
        count people and the jobs with tasks or hours. If each job represents an employee, it counts as one person. If
        None, only the columns of a result by family are checked.
    before
        The earlier snapshot, for a result that compares two snapshots.
    released
        A previously released result by family, or a tuple of the result and its profiles. Two figures for the same
        family would reveal the difference, so a family shown in both results is suppressed if its jobs or people differ
        by fewer than `privacy` allows. Null counts in `released` are read as 0. A job that replaces another is only
        detected if both profiles are passed.
    privacy
        The smallest group whose figures may be shown. If None, nothing is suppressed.
    keys
        Columns that identify a row within a family. Columns that are not in the result are ignored.

    Returns
    -------
    pl.DataFrame
        The columns of `result`, plus ``reason`` (String) unless the result is by job. If every row of a result by
        family is suppressed, there is one row per family with null `keys`. `about` returns the number of suppressed
        families or jobs, and a warning if the result must not be shown with a total.

    Raises
    ------
    SchemaError
        If a required column is missing, `result` has a family or job that is not in `profiles`, several rows have the
        same family and `keys`, there are columns about single jobs but no ``job_id``, `before` does not match the
        result, `released` is used with a result that is not by family, or `released` has profiles and `result` does
        not.

    Examples
    --------
    >>> from tpanalytics import hours, load_sample
    >>> profiles = load_sample()
    >>> shown = suppress(hours(profiles), profiles, privacy=Privacy(min_jobs=8))
    >>> shown.filter(reason="SUPPRESSED").select("job_family", "jobs", "hours").rows()
    [('Field Service and Installation', 14, None), ('(no job family)', 7, None)]
    """
    _check_frame("result", result)
    limits, labelled = check_privacy(privacy) or OFF, with_labels(result)
    if isinstance(profiles, History) and AS_OF in by_of(result) and AS_OF in result.columns:
        return _suppress_over_time(result, profiles, limits, keys)
    return without_labels(_suppress(labelled, profiles, before, released, limits, keys), result)


def _suppress(
    result: pl.DataFrame,
    profiles: TaskProfiles | None,
    before: TaskProfiles | None,
    released: pl.DataFrame | tuple[pl.DataFrame, TaskProfiles] | None,
    limits: Privacy,
    keys: Sequence[str],
) -> pl.DataFrame:
    _check_keys(keys)
    if profiles is not None:
        check_profiles(profiles)
    rule = _rule_of(result)
    if (rule == "two snapshots") != (before is not None):
        if before is None:
            raise SchemaError(
                "`result` compares two snapshots. Pass the later one as `profiles` and the earlier one as `before`."
            )
        raise SchemaError("`before` is only for results that compare two snapshots. Remove it.")
    if released is not None:
        if rule != "family":
            raise SchemaError("`released` is only for results by family. Remove it, or pass a result by family.")
        return _suppress_difference(result, profiles, released, limits, keys)
    if rule in ("skills", "curve"):
        return _suppress_within_groups(result, profiles, limits, rule)
    if rule == "family":
        return _suppress_groups(result, profiles, limits, keys, staffed=_may_be_by_headcount(result))
    if profiles is None:
        raise SchemaError("`result` is by job. Pass the `profiles` it was computed from.")
    profiles = with_cache(profiles)  # groups are counted several times
    if before is None:
        return _suppress_jobs(result, profiles, limits)
    check_profiles(before)
    return _suppress_change(result, profiles, before, limits)


def _check_keys(keys: Sequence[str]) -> None:
    if isinstance(keys, str) or not isinstance(keys, Iterable):
        raise ArgumentError(f"`keys` must be a list of column names, not {keys!r}.")


def _check_frame(name: str, frame: Any) -> None:
    if not isinstance(frame, pl.DataFrame):
        raise SchemaError(f"`{name}` must be a Polars DataFrame returned by a measure, not {type(frame).__name__}.")
    for column, types in {BY_FAMILY: (pl.String, pl.Categorical, pl.Enum), "reason": (pl.String, pl.Null)}.items():
        if (
            column in frame.columns
            and frame.schema[column] not in types
            and not isinstance(frame.schema[column], types)
        ):
            raise SchemaError(f"`{column}` of `{name}` must be text, not {frame.schema[column]}. Cast it first.")
    if "jobs" in frame.columns and not frame.schema["jobs"].is_numeric() and frame.schema["jobs"] != pl.Null:
        raise SchemaError(f"`jobs` of `{name}` must be numeric, not {frame.schema['jobs']}. Cast it first.")


def _suppress_within_groups(
    result: pl.DataFrame, profiles: TaskProfiles | None, privacy: Privacy, rule: str
) -> pl.DataFrame:
    """Suppress the skills, or the points of a curve, that would reveal a small part of a group."""
    meaning = get_metadata(result)
    if profiles is None or meaning is None:
        missing = "the `profiles` it was computed from" if meaning else "the unchanged result of a measure"
        raise SchemaError(f"`result` is by {'skill' if rule == 'skills' else 'degree of exposure'}. Pass {missing}.")
    if privacy.off:
        return attach_metadata(result.clone(), replace(meaning, policy=(*meaning.policy, _NOTHING_SUPPRESSED)))
    profiles, states = with_cache(profiles), list(meaning.states)  # tasks are counted several times
    small = suppressed_families(_small_families(group_counts(profiles, by=meaning.by, states=states), privacy))
    if rule == "skills":
        staffed = _by_headcount(result)
        skills = small_skills(profiles, states, meaning.by, privacy, small, staffed=staffed)
        shown, note = without_skills(result, skills, small, SUPPRESSED), skill_note(skills, privacy, noun(meaning.by))
    else:
        shown, n = without_points(result, profiles, small, privacy, SUPPRESSED)
        note = f"{n:,} points of the curve are suppressed (too few jobs or people lie between them and the next one)."
    notes: tuple[str, ...] = (note,)
    if small:
        n_groups = result.get_column("group").n_unique()
        notes = (f"{len(small):,} of {n_groups:,} groups ({noun(meaning.by)}) are suppressed.", note)
    if shown.height and shown.get_column("reason").eq(SUPPRESSED).fill_null(value=False).all():
        meaning = without_totals(meaning)
    return attach_metadata(shown, replace(meaning, policy=(*meaning.policy, *notes)))


def _rule_of(result: pl.DataFrame) -> Literal["family", "job", "two snapshots", "skills", "curve"]:
    if "job_id" not in result.columns and {"skill", "ai_impact_level"} <= set(result.columns):
        return "skills"
    if "job_id" not in result.columns and "at_least" in result.columns:
        return "curve"
    if ("scope" in result.columns and {"group", "job_id"} & set(result.columns)) or _move_columns(result):
        return "two snapshots"
    return "job" if "job_id" in result.columns else "family"


def _move_columns(result: pl.DataFrame) -> tuple[str, str] | None:
    """Return the before and after columns if the result has moves between levels or states."""
    for name in ("level", "state"):
        if f"{name}_before" in result.columns and f"{name}_after" in result.columns:
            return f"{name}_before", f"{name}_after"
    return None


def _suppress_difference(
    result: pl.DataFrame,
    profiles: TaskProfiles | None,
    released: pl.DataFrame | tuple[pl.DataFrame, TaskProfiles],
    privacy: Privacy,
    keys: Sequence[str],
) -> pl.DataFrame:
    """Suppress families where the difference from a released result would reveal a small group."""
    pair = released if isinstance(released, tuple) else (released, None)
    if len(pair) != 2:
        raise ArgumentError(
            f"`released` must be a DataFrame, or a pair of a DataFrame and its profiles, not {len(pair)} objects."
        )
    earlier, earlier_profiles = pair
    _check_frame("released", earlier)
    earlier = with_labels(earlier)
    require(earlier, "group", name="released")
    if earlier_profiles is None:
        differing = count_differences(result, earlier)
    elif profiles is None:
        raise SchemaError("`released` has profiles but `result` does not. Pass `profiles` as well, or neither.")
    else:
        differing = job_differences(members(profiles, states_of(result)), members(earlier_profiles, states_of(earlier)))
    is_small = below_threshold(differing.columns, privacy, staffed=_may_be_by_headcount(result))
    shown = set(earlier.get_column("group")) - set(suppressed_families(earlier))
    small = [family for family in differing.filter(is_small).get_column("group") if family in shown]
    suppressed = _suppress_groups(result, profiles, privacy, keys, small, staffed=_may_be_by_headcount(result))
    # A total would reveal the suppressed families' sum, and so its difference from the released result.
    parts = differing.filter(pl.col("group").is_in(suppressed_families(suppressed)))
    together = parts.select(pl.exclude("group", "^.*_largest$").sum(), pl.col("^.*_largest$").max())
    meaning = get_metadata(suppressed)
    if meaning and together.select(is_small).item():
        note = "Do not show a total with this table: with the released figures it would reveal a small group."
        meaning = replace(without_totals(meaning), warnings=(*meaning.warnings, note))
    return _with_meaning(suppressed, meaning)


def _suppress_jobs(result: pl.DataFrame, profiles: TaskProfiles, privacy: Privacy) -> pl.DataFrame:
    meaning, states = get_metadata(result), states_of(result)
    jobs, removed = members(profiles, states), suppressed_jobs(profiles, states=states, privacy=privacy)
    unknown = result.join(jobs, on="job_id", how="anti")
    if unknown.height:
        raise SchemaError(
            f"`result` has the job {unknown.item(0, 'job_id')!r}, which `profiles` does not have. "
            "Pass the profiles that the result was computed from."
        )
    shown = result.filter(~pl.col("job_id").is_in(removed.to_list()))
    if meaning is None:
        return shown
    note = _NOTHING_SUPPRESSED
    if not privacy.off:
        note = (
            f"{removed.len():,} of {jobs.height:,} jobs are suppressed: they or their families have fewer than "
            f"{privacy.min_headcount:g} people or {privacy.min_jobs} jobs, or a total would reveal another job."
        )
    return attach_metadata(shown, replace(meaning, policy=(*meaning.policy, note)))


@cached
def suppressed_jobs(
    profiles: TaskProfiles,
    *,
    by: By = BY_FAMILY,
    states: Sequence[str] | None = None,
    privacy: Privacy | None = None,
) -> pl.Series:
    """Return the ids of the jobs that `suppress` removes from a result by job, given groups that don't overlap."""
    jobs = members(profiles, states, by)
    if privacy is None or privacy.off:
        return jobs.get_column("job_id").clear()
    families = suppressed_families(_small_families(group_counts(profiles, by=by, states=states), privacy))
    cells = per_member_counts(jobs)
    # Each row describes a single job, so only the number of people matters.
    is_small = below_threshold(cells.columns, replace(privacy, min_jobs=0), staffed=False)
    ordered = cells.with_columns(suppressed=is_small).sort(
        "group", ~pl.col("suppressed"), "headcount", "job_id", nulls_last=True
    )
    together = ordered.select(pl.col("^.*_(jobs|people)$").cum_sum().over("group"))
    # A job with an unknown headcount might not have any people, so it can't protect another job.
    layers = [
        name.removesuffix("_jobs") for name in together.columns if name.endswith("_jobs") and "staffed" not in name
    ]
    enough = [(pl.col(f"{name}_jobs") == 0) | (pl.col(f"{name}_people") >= privacy.min_headcount) for name in layers]
    closed = extend_suppression(ordered, "group", together.select(pl.all_horizontal(enough)).to_series())
    return closed.filter(pl.col("suppressed") | pl.col("group").is_in(families)).get_column("job_id").sort()


def _suppress_change(result: pl.DataFrame, after: TaskProfiles, before: TaskProfiles, privacy: Privacy) -> pl.DataFrame:
    meaning = about(result)
    # Moves between states include rejected tasks, but group counts don't.
    states = [state for state in meaning.states if state != "rejected"] or counted_states(None, before, after)
    if "job_id" in result.columns and "scope" not in result.columns:
        return _suppress_changed_tasks(result, after, before, privacy, states)
    if _move_columns(result):
        all_suppressed = are_all_suppressed(families_in_change(before, after, states=states, privacy=privacy))
        return attach_metadata(suppress_moves(result, privacy, everything=all_suppressed), meaning)
    result = result if "reason" in result.columns else result.with_columns(reason=pl.lit(None, dtype=pl.String))
    parts, totals = result.filter(pl.col("scope") != "all"), result.filter(scope="all")
    if "job_id" in result.columns:
        removed = [suppressed_jobs(with_cache(side), states=states, privacy=privacy) for side in (before, after)]
        shown = parts.filter(~pl.col("job_id").is_in(pl.concat(removed).to_list()))
        all_suppressed = parts.height > shown.height == 0
    else:
        by = by_of(result)
        shown = apply_change_policy(parts.drop("scope"), before, after, by=by, states=states, privacy=privacy)
        shown = shown.with_columns(scope=pl.lit("group"))
        # A result for all jobs together has no rows by group.
        groups = families_in_change(before, after, by=by, states=states, privacy=privacy)
        all_suppressed = are_all_suppressed(groups)
    rows = pl.concat([shown, totals.clear() if all_suppressed else totals], how="diagonal")
    return attach_metadata(rows.select(result.columns), meaning)


def _suppress_changed_tasks(
    result: pl.DataFrame, after: TaskProfiles, before: TaskProfiles, privacy: Privacy, states: Sequence[str] | None
) -> pl.DataFrame:
    """Remove the tasks of jobs that are suppressed in either snapshot."""
    sides = [suppressed_jobs(with_cache(side), states=states, privacy=privacy) for side in (before, after)]
    shown = result.filter(~pl.col("job_id").is_in(pl.concat(sides).to_list()))
    note = _NOTHING_SUPPRESSED
    if not privacy.off:
        n, of = (rows.get_column("job_id").n_unique() for rows in (shown, result))
        note = f"The tasks of {of - n:,} of {of:,} jobs are suppressed (too few jobs or people in either snapshot)."
    meaning = get_metadata(result)
    return _with_meaning(shown, meaning and replace(meaning, policy=(*meaning.policy, note)))


def families_in_change(
    before: TaskProfiles,
    after: TaskProfiles,
    *,
    by: By = BY_FAMILY,
    states: Sequence[str] | None,
    privacy: Privacy | None,
) -> pl.DataFrame:
    """Return the groups in either snapshot, with a ``reason`` if they are suppressed."""
    groups = pair_counts(before, after, by=by, states=states).select("group")
    return apply_change_policy(groups, before, after, by=by, states=states, privacy=privacy)


def apply_change_policy(
    groups: pl.DataFrame,
    before: TaskProfiles,
    after: TaskProfiles,
    *,
    by: By = BY_FAMILY,
    states: Sequence[str] | None,
    privacy: Privacy | None,
) -> pl.DataFrame:
    """Suppress groups that are too small in either snapshot, using each job's original and later group."""
    limits = check_privacy(privacy) or OFF
    small_in_one = [
        group
        for profiles in (before, after)
        for group in suppressed_families(_small_families(group_counts(profiles, by=by, states=states), limits))
    ]
    return _suppress_groups(groups, pair_counts(before, after, by=by, states=states), limits, also=small_in_one)


def suppress_moves(moves: pl.DataFrame, privacy: Privacy, *, everything: bool = False) -> pl.DataFrame:
    """Suppress moves that affect too few jobs, and all shares for the level or state they start from."""
    sides = _move_columns(moves) or ("level_before", "level_after")
    figures = [name for name in _MOVE_FIGURES if name in moves.columns]
    require(moves, *sides, *_MOVE_FIGURES[:2], "share", name="result")
    moves = moves.with_columns(reason=pl.lit(None, dtype=pl.String))
    if everything:
        return moves.clear()
    # Treat the start as the family, so neither row totals nor column totals reveal a suppressed move.
    start, end = (pl.col(side).fill_null("\0") for side in sides)
    ends = moves.select(start.alias("group"), end.alias("end"), *figures)
    cells = _suppress_groups(ends, None, replace(privacy, min_headcount=0), ["end"])
    suppressed = cells.filter(reason=SUPPRESSED).select("group", "end", suppressed=pl.lit(value=True))
    if suppressed.height == cells.height:
        return moves.clear()
    flag = ends.join(suppressed, on=["group", "end"], how="left", maintain_order="left").get_column("suppressed")
    marked = moves.with_columns(suppressed=flag.fill_null(value=False))
    return marked.with_columns(
        *(pl.when(~pl.col("suppressed")).then(pl.col(name)).alias(name) for name in figures),
        share=pl.when(~pl.col("suppressed").any().over(sides[0])).then("share"),
        reason=pl.when("suppressed").then(pl.lit(SUPPRESSED)),
    ).drop("suppressed")


def apply_policy(result: pl.DataFrame, profiles: TaskProfiles | pl.DataFrame, privacy: Privacy | None) -> pl.DataFrame:
    """Suppress small groups in a result by family, given either profiles or the result of `group_counts`."""
    return _suppress_groups(result, profiles, check_privacy(privacy) or OFF)


def _small_families(counts: pl.DataFrame, privacy: Privacy) -> pl.DataFrame:
    return _suppress_groups(counts.select("group"), counts, privacy)


def are_all_suppressed(families: pl.DataFrame) -> bool:
    """Return `True` if every family is suppressed, in which case totals must not be shown either."""
    return families.height > 0 and bool(families.get_column("reason").eq(SUPPRESSED).fill_null(value=False).all())


def _suppress_over_time(result: pl.DataFrame, history: History, privacy: Privacy, keys: Sequence[str]) -> pl.DataFrame:
    """Suppress small groups in each snapshot. If the result has changes, they are suppressed at all dates."""
    if "job_id" in result.columns:
        return _suppress_jobs_over_time(result, history, privacy)
    by, meaning, labelled = by_of(result), get_metadata(result), with_labels(result)
    staffed, counts = _may_be_by_headcount(result), group_counts(history, by=by, states=states_of(result))
    texts = [pl.col(name).cast(pl.String).fill_null("") for name in (TENANT, AS_OF) if name in by]
    snapshots = pl.DataFrame(result).select(pl.concat_str(texts, separator="\0")).to_series()
    parts = [labelled.filter(snapshots == snapshot) for snapshot in snapshots.unique(maintain_order=True)]
    shown = [
        pl.DataFrame(_suppress_groups(part, counts.join(part, on="group", how="semi"), privacy, keys, staffed=staffed))
        for part in parts or [labelled]
    ]
    table = pl.DataFrame(without_labels(pl.concat(shown), result))
    lines = [name for name in by if name != AS_OF]
    suppressed = (pl.col("reason") == SUPPRESSED).fill_null(value=False)
    if "change" in table.columns and not privacy.off:
        at_any_date = suppressed.any().over(lines) if lines else suppressed.any()
        kept = {*by, *KEPT, "previous"}
        table = table.with_columns(
            *(pl.when(~at_any_date).then(pl.col(name)).alias(name) for name in table.columns if name not in kept),
            reason=pl.when(at_any_date).then(pl.lit(SUPPRESSED)).otherwise("reason"),
        )
    note = _NOTHING_SUPPRESSED
    if not privacy.off:
        n, of = (rows.unique(lines or by).height for rows in (table.filter(suppressed), table))
        note = suppression_note(n, of, privacy)
    return _with_meaning(table, meaning and replace(meaning, policy=(*meaning.policy, note)))


def _suppress_jobs_over_time(result: pl.DataFrame, history: History, privacy: Privacy) -> pl.DataFrame:
    """Remove the suppressed jobs of each snapshot. If the result has changes, they are removed at all dates."""
    meaning, snapshot = get_metadata(result), [name for name in (TENANT, AS_OF) if name in by_of(result)]
    n_jobs = result.select("job_id", *snapshot).unique().height
    for row in result.select(snapshot).unique(maintain_order=True).iter_rows(named=True):
        tenant = row.get(TENANT)
        profiles = history.at(row[AS_OF], None if tenant == missing_label(TENANT) else tenant)
        ids = suppressed_jobs(with_cache(profiles), states=states_of(result), privacy=privacy)
        small = pl.DataFrame({"job_id": ids, **{name: [value] * ids.len() for name, value in row.items()}})
        keys = ["job_id", *(name for name in snapshot if name != AS_OF or "change" not in result.columns)]
        small = small.select(pl.col(name).cast(result.schema[name]) for name in keys)
        result = pl.DataFrame(result).join(small, on=keys, how="anti", maintain_order="left")
    n_shown = result.select("job_id", *snapshot).unique().height
    note = _NOTHING_SUPPRESSED if privacy.off else f"{n_jobs - n_shown:,} of {n_jobs:,} rows of jobs are suppressed."
    return _with_meaning(result, meaning and replace(meaning, policy=(*meaning.policy, note)))


def suppressed_families(result: pl.DataFrame) -> list[str]:
    """Return the families that have suppressed rows, in row order."""
    if "reason" not in result.columns:
        return []
    return (
        with_labels(result)
        .filter(pl.col("reason") == SUPPRESSED)
        .get_column("group")
        .unique(maintain_order=True)
        .to_list()
    )


def _suppress_groups(
    result: pl.DataFrame,
    profiles: TaskProfiles | pl.DataFrame | None,
    privacy: Privacy,
    keys: Sequence[str] = _KEYS,
    also: Sequence[str] = (),
    *,
    staffed: bool = False,
) -> pl.DataFrame:
    """Suppress small families and those in `also`, plus any others needed so totals don't reveal them."""
    require(result, *(["group"] if "group" in result.columns else by_of(result)), name="result")
    keys, meaning, original = [key for key in keys if key in result.columns], get_metadata(result), result
    result = result if "reason" in result.columns else result.with_columns(reason=pl.lit(None, dtype=pl.String))
    if privacy.off:
        return _with_meaning(
            result.clone(), meaning and replace(meaning, policy=(*meaning.policy, _NOTHING_SUPPRESSED))
        )
    counts = counts_of(profiles, states_of(original), by_of(original))
    cells = cells_of(result, keys, counts)
    staffed = staffed or _by_headcount(original)
    is_small = below_threshold(cells.columns, privacy, staffed=staffed)
    cells = cells.with_columns(suppressed=pl.col("suppressed") | pl.col("group").is_in(list(also)) | is_small)
    cells = protect_from_totals(cells, privacy, staffed=staffed)
    shown = hide_suppressed(result, keys, cells)
    if meaning is not None:
        n = cells.filter("suppressed").get_column("group").n_unique()
        note = suppression_note(n, cells.get_column("group").n_unique(), privacy, short_noun(by_of(original)))
        meaning = replace(meaning, policy=(*meaning.policy, note))
        if counts is None and "headcount" not in result.columns:
            note = "Families were suppressed by number of jobs only. Pass profiles to suppress by headcount as well."
            meaning = replace(meaning, warnings=(*meaning.warnings, note))
        if cells.height and cells.get_column("suppressed").all():
            meaning = without_totals(meaning)
    return _with_meaning(shown, meaning)


def _may_be_by_headcount(result: pl.DataFrame) -> bool:
    """Return whether figures may be by headcount. This is assumed if the result has no metadata."""
    return get_metadata(result) is None or _by_headcount(result)


def _by_headcount(result: pl.DataFrame) -> bool:
    meaning = get_metadata(result)
    by_name = any(re.search(r"(^|_)(headcount|fte)(_|$)", name) for name in result.columns if name not in STAFF)
    return by_name or (meaning is not None and meaning.basis in STAFF)


def states_of(result: pl.DataFrame) -> Sequence[str] | None:
    """Return the validation states counted in a result, or None if it has no metadata."""
    meaning = get_metadata(result)
    return meaning.states if meaning and meaning.states else None


def _with_meaning(result: pl.DataFrame, meaning: Meaning | None) -> pl.DataFrame:
    return result if meaning is None else attach_metadata(result, meaning)
