"""Suppress small groups, and any figures that would reveal them as a difference."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import polars as pl

from tpanalytics.errors import ArgumentError, SchemaError
from tpanalytics.measures._core.cache import with_cache
from tpanalytics.measures._core.groups import BY_FAMILY, noun, short_noun
from tpanalytics.measures._core.labels import by_of, with_labels, without_labels
from tpanalytics.measures._core.metadata import attach_metadata, get_metadata, without_totals
from tpanalytics.measures._core.staff import STAFF
from tpanalytics.measures.about import about
from tpanalytics.measures.privacy.group_counts import (
    below_threshold,
    count_differences,
    counts_fte,
    group_counts,
    job_differences,
    members,
    pair_counts,
)
from tpanalytics.measures.privacy.policy import (
    FTE_NOTE,
    OFF,
    SUPPRESSED,
    USUAL,
    Privacy,
    check_privacy,
    suppression_note,
)
from tpanalytics.measures.privacy.suppress_cells import KEPT
from tpanalytics.measures.privacy.suppress_curve import without_points
from tpanalytics.measures.privacy.suppress_groups import (
    KEYS,
    NOTHING_SUPPRESSED,
    are_all_suppressed,
    by_headcount,
    larger_groups,
    may_be_by_headcount,
    small_groups,
    states_of,
    suppress_groups,
    suppressed_families,
    with_meaning,
)
from tpanalytics.measures.privacy.suppress_jobs import (
    groups_of_jobs,
    suppress_jobs,
    suppress_jobs_over_time,
    without_suppressed_jobs,
)
from tpanalytics.measures.privacy.suppress_pairs import without_pairs, without_parts
from tpanalytics.measures.privacy.suppress_skills import skill_note, small_skills, without_skills
from tpanalytics.schema import AS_OF, TENANT, History, TaskProfiles, check_profiles, counted_states, require

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tpanalytics.measures._core.metadata import Meaning
    from tpanalytics.typing import By

__all__ = ["apply_change_policy", "families_in_change", "suppress", "suppress_moves"]

#: Measures whose results `suppress` cannot protect, with the way out.
_NOT_BY_GROUP = {
    **dict.fromkeys(
        ("automation_candidates", "automation_curve"),
        "Pass privacy=Privacy() to {measure}, which then leaves out tasks of few jobs or people.",
    ),
    "shared_tasks": "Pass a larger `min_jobs` to {measure}, and leave out tasks with few people.",
    "compare_groups": "Share it only if `suppress` shows both groups in a result by {noun}.",
    "quality_report": "Leave out checks that describe few jobs before you share it.",
}
#: Names for the rows of results that are not by group or job.
_ROWS = {"skills": "skill", "curve": "degree of exposure", "pairs": "pair of groups", "parts": "part of the hours"}
#: Figures in a result with one row per pair of levels or states.
_MOVE_FIGURES = ("tasks", "jobs", "tasks_with_hours", "hours_before", "hours_after")


def suppress(
    result: pl.DataFrame,
    profiles: TaskProfiles | None = None,
    before: TaskProfiles | None = None,
    released: pl.DataFrame | tuple[pl.DataFrame, TaskProfiles] | None = None,
    *,
    privacy: Privacy | None = USUAL,
    keys: Sequence[str] = KEYS,
) -> pl.DataFrame:
    """Suppress the figures of small groups of jobs or people.

    Groups are those that the result was computed by: by country, small countries are suppressed, whatever the job
    families are. The rule depends on the result's columns:

    - By group: all figures in a suppressed row become null except ``jobs``, and ``reason`` is set to ``SUPPRESSED``.
      The next smallest rows, across groups and across `keys`, are also suppressed until the suppressed rows combined
      meet the limits. Otherwise a total could reveal one of them. Fully suppressed groups come last, sorted by name.
      With several group columns, rows in a suppressed group by fewer of them are suppressed too, and so are more rows
      of each larger group until those suppressed in it meet the limits. So tables by country, by pay grade and by both
      don't reveal a small group together.
    - By job (if there is a ``job_id`` column): rows are removed if their group is suppressed or the job has fewer than
      ``min_headcount`` people. The next smallest jobs in the group are removed as well, until the removed jobs have at
      least ``min_headcount`` people in total. Jobs with a null headcount are only removed if the other jobs are not
      enough, or if their group is suppressed. With ``by="job_id"``, the groups are the job families if there are any.
      With other groups, such as countries, the jobs removed with ``by="job_id"`` are removed as well. If the people of
      a job are in several groups, more of its rows are removed until those removed have at least ``min_headcount``
      people.
    - Two snapshots (from `compare` or `compare_exposure`): groups that are too small in either snapshot are suppressed.
      If every group is suppressed, the totals are removed. From `changed_tasks`, the tasks of jobs that are suppressed
      in either snapshot are removed.
    - Moves between levels or states (from `transitions`): moves are suppressed if they affect fewer than ``min_jobs``
      jobs, along with any other moves needed to protect them. All are removed if all jobs together are too few.
    - By skill (from `skills`): the rows of a skill are removed if too few jobs or people have it, along with the next
      smallest skills needed to protect it.
    - A curve (from `exposure_curve`): points are suppressed so that too few jobs never lie between two of the others.
      A curve from `concentration_curve` is suppressed if its group is, or if it is based on too few jobs or people.
    - Pairs (from `overlap` or `break_even`): pairs with a suppressed group are suppressed or removed.

    Results that rank or compare tasks, such as those of `automation_candidates`, raise an error with the way out.

    A group is small if it has fewer than ``min_jobs`` jobs, or if the number of its jobs with tasks, or with hours, is
    below ``min_jobs`` but not zero. It is also small if it has fewer than ``min_headcount`` people. Null headcounts are
    ignored, and this check is skipped if ``min_jobs`` or more jobs have a null headcount. The headcount of a job is its
    people, or its full-time equivalents if only these are known, which `about` then says. For figures that count people
    or full-time equivalents, a group is also small if fewer than ``min_jobs`` of its jobs have both hours and this
    count, or if a single job has more than 85% of it.

    Parameters
    ----------
    result
        The result of a measure. Reads the columns of the groups and, if present, `keys`, ``jobs, jobs_without_tasks,
        jobs_with_hours, headcount, tasks, reason``, ``job_id``, ``scope`` and the columns for levels or states before
        and after. Without metadata, the groups are read from ``job_family``.
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
    profiles = None if profiles is None else with_cache(profiles)  # groups are counted several times
    if isinstance(profiles, History) and AS_OF in by_of(result) and AS_OF in result.columns:
        shown = _suppress_over_time(result, profiles, limits, keys)
    else:
        shown = without_labels(_suppress(labelled, profiles, before, released, limits, keys), result)
    meaning = get_metadata(shown)
    if meaning is None or not limits.min_headcount:
        return shown
    sides = [side for side in (before, profiles) if side is not None]
    note = (FTE_NOTE,) * any(counts_fte(side, meaning.by) for side in sides)
    return attach_metadata(shown, replace(meaning, policy=(*meaning.policy, *note)))


def _suppress(
    result: pl.DataFrame,
    profiles: TaskProfiles | None,
    before: TaskProfiles | None,
    released: pl.DataFrame | tuple[pl.DataFrame, TaskProfiles] | None,
    limits: Privacy,
    keys: Sequence[str],
) -> pl.DataFrame:
    _check_keys(keys)
    _check_measure(result)
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
    if rule in _ROWS:
        return _suppress_within_groups(result, profiles, limits, rule)
    if rule == "family":
        return suppress_groups(result, profiles, limits, keys, staffed=may_be_by_headcount(result))
    if profiles is None:
        raise SchemaError("`result` is by job. Pass the `profiles` it was computed from.")
    if before is None:
        return suppress_jobs(result, profiles, limits)
    check_profiles(before, "before")
    return _suppress_change(result, profiles, before, limits)


def _check_keys(keys: Sequence[str]) -> None:
    if isinstance(keys, str) or not isinstance(keys, Iterable):
        raise ArgumentError(f"`keys` must be a list of column names, not {keys!r}.")


def _check_measure(result: pl.DataFrame) -> None:
    """Raise an error if the result has no groups to suppress."""
    meaning = get_metadata(result)
    measure = (
        "automation_candidates" if meaning is None and "task_key" in result.columns else meaning and meaning.measure
    )
    if measure in _NOT_BY_GROUP:
        remedy = _NOT_BY_GROUP[measure].format(measure=measure, noun=noun(by_of(result)))
        raise SchemaError(f"`suppress` cannot protect the result of {measure}, which is not by group. {remedy}")
    by = by_of(result)
    if meaning is not None and _rule_of(result) == "family" and "group" not in result.columns:
        missing = next((name for name in by if name not in result.columns), "jobs")
        raise SchemaError(
            f"`result` of {measure} has no column {missing!r}, so its groups are unknown. "
            "Suppress the result before you drop or rename columns."
        )


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
        raise SchemaError(f"`result` is by {_ROWS[rule]}. Pass {missing}.")
    if privacy.off:
        reason = {"reason": pl.lit(None, dtype=pl.String)} if rule == "parts" else {}
        shown = result.with_columns(**reason)
        return attach_metadata(shown, replace(meaning, policy=(*meaning.policy, NOTHING_SUPPRESSED)))
    states = list(meaning.states)
    small = small_groups(profiles, by=meaning.by, states=states, privacy=privacy)
    if rule == "parts":
        shown, note = without_parts(result, profiles, meaning, small, privacy, SUPPRESSED)
    elif rule == "pairs":
        shown, note = without_pairs(result, meaning, small, SUPPRESSED)
    elif rule == "skills":
        staffed = by_headcount(result)
        listed = meaning.basis in STAFF
        skills = small_skills(profiles, states, meaning.by, privacy, small, staffed=staffed, listed=listed)
        shown, note = without_skills(result, skills, small, SUPPRESSED), skill_note(skills, privacy, noun(meaning.by))
    else:
        shown, n = without_points(result, profiles, small, privacy, SUPPRESSED)
        note = f"{n:,} points of the curve are suppressed (too few jobs or people lie between them and the next one)."
    notes: tuple[str, ...] = (note,)
    if small and meaning.by:
        n_groups = group_counts(profiles, by=meaning.by, states=states).height
        notes = (f"{len(small):,} of {n_groups:,} groups ({noun(meaning.by)}) are suppressed.", note)
    return _within_groups(shown, meaning, notes)


def _within_groups(shown: pl.DataFrame, meaning: Meaning, notes: tuple[str, ...]) -> pl.DataFrame:
    """Add the notes to the metadata, without the totals if every row is suppressed."""
    if "reason" in shown.columns and shown.height and are_all_suppressed(shown):
        meaning = without_totals(meaning)
    return attach_metadata(shown, replace(meaning, policy=(*meaning.policy, *notes)))


def _rule_of(
    result: pl.DataFrame,
) -> Literal["family", "job", "two snapshots", "skills", "curve", "pairs", "parts"]:
    if {"group_a", "group_b"} <= set(result.columns):
        return "pairs"
    if "job_id" not in result.columns and {"part", "k"} <= set(result.columns):
        return "parts"
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
    if get_metadata(earlier) is not None and by_of(earlier) != by_of(result):
        raise ArgumentError(
            f"`released` must have the same groups as `result` ({noun(by_of(result))}), not {noun(by_of(earlier))}."
        )
    if earlier_profiles is None:
        differing = count_differences(result, earlier)
    elif profiles is None:
        raise SchemaError("`released` has profiles but `result` does not. Pass `profiles` as well, or neither.")
    else:
        differing = job_differences(
            members(profiles, states_of(result), by_of(result)),
            members(earlier_profiles, states_of(earlier), by_of(result)),
        )
    is_small = below_threshold(differing.columns, privacy, staffed=may_be_by_headcount(result))
    shown = set(earlier.get_column("group")) - set(suppressed_families(earlier))
    small = [family for family in differing.filter(is_small).get_column("group") if family in shown]
    suppressed = suppress_groups(result, profiles, privacy, keys, small, staffed=may_be_by_headcount(result))
    # A total would reveal the suppressed families' sum, and so its difference from the released result.
    parts = differing.filter(pl.col("group").is_in(suppressed_families(suppressed)))
    together = parts.select(pl.exclude("group", "^.*_largest$").sum(), pl.col("^.*_largest$").max())
    meaning = get_metadata(suppressed)
    if meaning and together.select(is_small).item():
        note = "Do not show a total with this table: with the released figures it would reveal a small group."
        meaning = replace(without_totals(meaning), warnings=(*meaning.warnings, note))
    return with_meaning(suppressed, meaning)


def _suppress_change(result: pl.DataFrame, after: TaskProfiles, before: TaskProfiles, privacy: Privacy) -> pl.DataFrame:
    meaning = about(result)
    # Moves between states include rejected tasks, but group counts don't.
    states = [state for state in meaning.states if state != "rejected"] or counted_states(None, before, after)
    if "job_id" in result.columns and "scope" not in result.columns:
        return _suppress_changed_tasks(result, after, before, privacy, states)
    if _move_columns(result):
        groups = families_in_change(before, after, by=meaning.by, states=states, privacy=privacy)
        all_suppressed = are_all_suppressed(groups)
        return attach_metadata(suppress_moves(result, privacy, everything=all_suppressed), meaning)
    result = result if "reason" in result.columns else result.with_columns(reason=pl.lit(None, dtype=pl.String))
    parts, totals = result.filter(pl.col("scope") != "all"), result.filter(scope="all")
    if "job_id" in result.columns:
        shown = _without_suppressed_jobs(parts, before, after, states, privacy)
        all_suppressed = parts.height > shown.height == 0
    else:
        by = by_of(result)
        shown = apply_change_policy(parts.drop("scope"), before, after, by=by, states=states, privacy=privacy)
        shown = shown.with_columns(scope=pl.lit("group"))
        # A result for all jobs together has no rows by group.
        groups = families_in_change(before, after, by=by, states=states, privacy=privacy)
        all_suppressed = are_all_suppressed(groups)
        if by and not privacy.off:
            note = suppression_note(len(suppressed_families(groups)), groups.height, privacy, short_noun(by))
            meaning = replace(meaning, policy=(*meaning.policy, note))
    rows = pl.concat([shown, totals.clear() if all_suppressed else totals], how="diagonal")
    return attach_metadata(rows.select(result.columns), meaning)


def _suppress_changed_tasks(
    result: pl.DataFrame, after: TaskProfiles, before: TaskProfiles, privacy: Privacy, states: Sequence[str] | None
) -> pl.DataFrame:
    """Remove the tasks of jobs that are suppressed in either snapshot."""
    shown = _without_suppressed_jobs(result, before, after, states, privacy)
    note = NOTHING_SUPPRESSED
    if not privacy.off:
        n, of = (rows.get_column("job_id").n_unique() for rows in (shown, result))
        note = f"The tasks of {of - n:,} of {of:,} jobs are suppressed (too few jobs or people in either snapshot)."
    meaning = get_metadata(result)
    return with_meaning(shown, meaning and replace(meaning, policy=(*meaning.policy, note)))


def _without_suppressed_jobs(
    result: pl.DataFrame,
    before: TaskProfiles,
    after: TaskProfiles,
    states: Sequence[str] | None,
    privacy: Privacy,
) -> pl.DataFrame:
    """Remove the rows of jobs that are suppressed in their group in either snapshot."""
    by, shown = by_of(result), pl.DataFrame(result)
    for side in (before, after):
        groups = groups_of_jobs(by, side)
        shown = without_suppressed_jobs(shown, with_cache(side), by=groups, states=states, privacy=privacy)
    return shown


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
    counts = pair_counts(before, after, by=by, states=states)
    how: dict[str, Any] = {"by": by, "states": states, "privacy": limits}
    small_in_one = [group for profiles in (before, after) for group in small_groups(profiles, **how)]
    sides = [larger_groups(profiles, **how, staffed=False) for profiles in (after, before)]
    larger = pl.concat(sides).unique("group", keep="first")
    return suppress_groups(groups, counts, limits, also=small_in_one, larger=larger)


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
    cells = suppress_groups(ends, None, replace(privacy, min_headcount=0), ["end"])
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


def _suppress_over_time(result: pl.DataFrame, history: History, privacy: Privacy, keys: Sequence[str]) -> pl.DataFrame:
    """Suppress small groups in each snapshot. If the result has changes, they are suppressed at all dates."""
    if "job_id" in result.columns:
        return suppress_jobs_over_time(result, history, privacy)
    by, meaning, labelled = by_of(result), get_metadata(result), with_labels(result)
    staffed, states = may_be_by_headcount(result), states_of(result)
    counts = group_counts(history, by=by, states=states)
    larger = larger_groups(history, by=by, states=states, privacy=privacy, staffed=staffed)
    texts = [pl.col(name).cast(pl.String).fill_null("") for name in (TENANT, AS_OF) if name in by]
    snapshots = pl.DataFrame(result).select(pl.concat_str(texts, separator="\0")).to_series()
    parts = [labelled.filter(snapshots == snapshot) for snapshot in snapshots.unique(maintain_order=True)]
    shown = [
        pl.DataFrame(
            suppress_groups(
                part, counts.join(part, on="group", how="semi"), privacy, keys, staffed=staffed, larger=larger
            )
        )
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
    note = NOTHING_SUPPRESSED
    if not privacy.off:
        n, of = (rows.unique(lines or by).height for rows in (table.filter(suppressed), table))
        note = suppression_note(n, of, privacy, short_noun(lines))
    return with_meaning(table, meaning and replace(meaning, policy=(*meaning.policy, note)))
