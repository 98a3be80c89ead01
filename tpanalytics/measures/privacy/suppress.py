"""Suppress small groups, and any figures that would reveal them as a difference."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import polars as pl

from tpanalytics.errors import ArgumentError, SchemaError
from tpanalytics.measures._core.cache import cached, check_profiles, with_cache
from tpanalytics.measures._core.metadata import attach_metadata, get_metadata, without_totals
from tpanalytics.measures.about import about
from tpanalytics.measures.privacy.group_counts import (
    below_threshold,
    check_cells,
    count_differences,
    counts_of,
    group_counts,
    job_differences,
    members,
    own_counts,
    pair_counts,
    per_member_counts,
)
from tpanalytics.measures.privacy.policy import OFF, SUPPRESSED, USUAL, Privacy, check_privacy, suppression_note
from tpanalytics.schema import COUNTED_STATES, NO_FAMILY, TaskProfiles, require

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tpanalytics.measures._core.metadata import Meaning

__all__ = [
    "apply_change_policy",
    "apply_policy",
    "are_all_suppressed",
    "extend_suppression",
    "families_in_change",
    "states_of",
    "suppress",
    "suppress_moves",
    "suppressed_families",
    "suppressed_jobs",
]

_KEYS = ("level", "block_hours")
_NOTHING_SUPPRESSED = "Nothing is suppressed, so figures can describe single jobs or people."
#: Figures in a result with one row per pair of levels or states.
_MOVE_FIGURES = ("tasks", "jobs", "tasks_with_hours", "hours_before", "hours_after")
#: Columns that keep their values in suppressed rows, in addition to the keys.
_KEPT = ("jobs", "basis", "reason")


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
      removed.

    A family is small if it has fewer than ``min_jobs`` jobs, or if the number of its jobs with tasks, or with hours, is
    below ``min_jobs`` but not zero. It is also small if it has fewer than ``min_headcount`` people. Null headcounts are
    ignored, and this check is skipped if ``min_jobs`` or more jobs have a null headcount. For headcount figures, a
    family is also small if fewer than ``min_jobs`` of its jobs have both hours and a headcount, or if a single job has
    more than 85% of the people.

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
    [('Field Service and Installation', 14, None), ('(no family)', 7, None)]
    """
    limits = check_privacy(privacy) or OFF
    _check_frame("result", result)
    if isinstance(keys, str) or not isinstance(keys, Iterable):
        raise ArgumentError(f"`keys` must be a list of column names, not {keys!r}.")
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
    if rule == "family":
        return _suppress_groups(result, profiles, limits, keys, staffed=_may_be_by_headcount(result))
    if profiles is None:
        raise SchemaError("`result` is by job. Pass the `profiles` it was computed from.")
    profiles = with_cache(profiles)  # groups are counted several times
    if before is None:
        return _suppress_jobs(result, profiles, limits)
    check_profiles(before)
    return _suppress_change(result, profiles, before, limits)


def _check_frame(name: str, frame: Any) -> None:
    if not isinstance(frame, pl.DataFrame):
        raise SchemaError(f"`{name}` must be a Polars DataFrame returned by a measure, not {type(frame).__name__}.")
    for column, types in {"job_family": (pl.String, pl.Categorical, pl.Enum), "reason": (pl.String, pl.Null)}.items():
        if (
            column in frame.columns
            and frame.schema[column] not in types
            and not isinstance(frame.schema[column], types)
        ):
            raise SchemaError(f"`{column}` of `{name}` must be text, not {frame.schema[column]}. Cast it first.")
    if "jobs" in frame.columns and not frame.schema["jobs"].is_numeric() and frame.schema["jobs"] != pl.Null:
        raise SchemaError(f"`jobs` of `{name}` must be numeric, not {frame.schema['jobs']}. Cast it first.")


def _rule_of(result: pl.DataFrame) -> Literal["family", "job", "two snapshots"]:
    if ("scope" in result.columns and "job_family" in result.columns) or _move_columns(result):
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
    require(earlier, "job_family", name="released")
    if earlier_profiles is None:
        differing = count_differences(result, earlier)
    elif profiles is None:
        raise SchemaError("`released` has profiles but `result` does not. Pass `profiles` as well, or neither.")
    else:
        differing = job_differences(members(profiles, states_of(result)), members(earlier_profiles, states_of(earlier)))
    is_small = below_threshold(differing.columns, privacy, staffed=_may_be_by_headcount(result))
    shown = set(earlier.get_column("job_family")) - set(suppressed_families(earlier))
    small = [family for family in differing.filter(is_small).get_column("job_family") if family in shown]
    suppressed = _suppress_groups(result, profiles, privacy, keys, small, staffed=_may_be_by_headcount(result))
    # A total would reveal the suppressed families' sum, and so its difference from the released result.
    parts = differing.filter(pl.col("job_family").is_in(suppressed_families(suppressed)))
    together = parts.select(pl.exclude("job_family", "^.*_largest$").sum(), pl.col("^.*_largest$").max())
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
    profiles: TaskProfiles, *, states: Sequence[str] = COUNTED_STATES, privacy: Privacy | None = None
) -> pl.Series:
    """Return the ids of the jobs that `suppress` removes from a result by job."""
    jobs = members(profiles, states)
    if privacy is None or privacy.off:
        return jobs.get_column("job_id").clear()
    families = suppressed_families(_small_families(group_counts(profiles, states=states), privacy))
    cells = per_member_counts(jobs)
    # Each row describes a single job, so only the number of people matters.
    is_small = below_threshold(cells.columns, replace(privacy, min_jobs=0), staffed=False)
    ordered = cells.with_columns(suppressed=is_small).sort(
        "job_family", ~pl.col("suppressed"), "headcount", "job_id", nulls_last=True
    )
    together = ordered.select(pl.col("^.*_(jobs|people)$").cum_sum().over("job_family"))
    # A job with an unknown headcount might not have any people, so it can't protect another job.
    layers = [
        name.removesuffix("_jobs") for name in together.columns if name.endswith("_jobs") and "staffed" not in name
    ]
    enough = [(pl.col(f"{name}_jobs") == 0) | (pl.col(f"{name}_people") >= privacy.min_headcount) for name in layers]
    closed = extend_suppression(ordered, "job_family", together.select(pl.all_horizontal(enough)).to_series())
    return closed.filter(pl.col("suppressed") | pl.col("job_family").is_in(families)).get_column("job_id").sort()


def _suppress_change(result: pl.DataFrame, after: TaskProfiles, before: TaskProfiles, privacy: Privacy) -> pl.DataFrame:
    meaning = about(result)
    # Moves between states include rejected tasks, but group counts don't.
    states = [state for state in meaning.states if state != "rejected"] or COUNTED_STATES
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
        shown = apply_change_policy(parts.drop("scope"), before, after, states=states, privacy=privacy)
        shown, all_suppressed = shown.with_columns(scope=pl.lit("family")), are_all_suppressed(shown)
    rows = pl.concat([shown, totals.clear() if all_suppressed else totals], how="diagonal")
    return attach_metadata(rows.select(result.columns), meaning)


def families_in_change(
    before: TaskProfiles, after: TaskProfiles, *, states: Sequence[str], privacy: Privacy | None
) -> pl.DataFrame:
    """Return the families in either snapshot, with a ``reason`` if they are suppressed."""
    families = pair_counts(before, after, states=states).select("job_family")
    return apply_change_policy(families, before, after, states=states, privacy=privacy)


def apply_change_policy(
    families: pl.DataFrame, before: TaskProfiles, after: TaskProfiles, *, states: Sequence[str], privacy: Privacy | None
) -> pl.DataFrame:
    """Suppress families that are too small in either snapshot, using each job's original and later family."""
    limits = check_privacy(privacy) or OFF
    small_in_one = [
        family
        for profiles in (before, after)
        for family in suppressed_families(_small_families(group_counts(profiles, states=states), limits))
    ]
    return _suppress_groups(families, pair_counts(before, after, states=states), limits, also=small_in_one)


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
    ends = moves.select(start.alias("job_family"), end.alias("end"), *figures)
    cells = _suppress_groups(ends, None, replace(privacy, min_headcount=0), ["end"])
    suppressed = cells.filter(reason=SUPPRESSED).select("job_family", "end", suppressed=pl.lit(value=True))
    if suppressed.height == cells.height:
        return moves.clear()
    flag = ends.join(suppressed, on=["job_family", "end"], how="left", maintain_order="left").get_column("suppressed")
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
    return _suppress_groups(counts.select("job_family"), counts, privacy)


def are_all_suppressed(families: pl.DataFrame) -> bool:
    """Return `True` if every family is suppressed, in which case totals must not be shown either."""
    return families.height > 0 and bool(families.get_column("reason").eq(SUPPRESSED).fill_null(value=False).all())


def suppressed_families(result: pl.DataFrame) -> list[str]:
    """Return the families that have suppressed rows, in row order."""
    if "reason" not in result.columns:
        return []
    return result.filter(pl.col("reason") == SUPPRESSED).get_column("job_family").unique(maintain_order=True).to_list()


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
    require(result, "job_family", name="result")
    keys, meaning, original = [key for key in keys if key in result.columns], get_metadata(result), result
    result = result if "reason" in result.columns else result.with_columns(reason=pl.lit(None, dtype=pl.String))
    if privacy.off:
        return _with_meaning(
            result.clone(), meaning and replace(meaning, policy=(*meaning.policy, _NOTHING_SUPPRESSED))
        )
    counts = counts_of(profiles, states_of(original))
    cells = _cells(result, keys, counts)
    staffed = staffed or _by_headcount(original)
    is_small = below_threshold(cells.columns, privacy, staffed=staffed)
    cells = cells.with_columns(suppressed=pl.col("suppressed") | pl.col("job_family").is_in(list(also)) | is_small)
    cells = _protect_from_totals(cells, privacy, staffed=staffed)
    shown = _hide_suppressed(result, keys, cells)
    if meaning is not None:
        n = cells.filter("suppressed").get_column("job_family").n_unique()
        note = suppression_note(n, cells.get_column("job_family").n_unique(), privacy)
        meaning = replace(meaning, policy=(*meaning.policy, note))
        if counts is None and "headcount" not in result.columns:
            note = "Families were suppressed by number of jobs only. Pass profiles to suppress by headcount as well."
            meaning = replace(meaning, warnings=(*meaning.warnings, note))
        if cells.height and cells.get_column("suppressed").all():
            meaning = without_totals(meaning)
    return _with_meaning(shown, meaning)


def _hide_suppressed(result: pl.DataFrame, keys: list[str], cells: pl.DataFrame) -> pl.DataFrame:
    """Set the figures of suppressed cells to null, and move fully suppressed families to the end."""
    suppressed, kept = cells.get_column("suppressed"), {"job_family", *keys, *_KEPT}
    own = pl.col("own_all_jobs").n_unique().over("job_family")
    if "jobs" in result.columns and cells.select((own > 1).any()).item():
        kept.remove("jobs")  # counted for each cell rather than each family, so it must be suppressed too
    is_all_suppressed = pl.col("suppressed").all().over("job_family")
    order = (
        cells.with_columns(all_suppressed=is_all_suppressed)
        .sort(
            "all_suppressed",
            pl.when("all_suppressed").then(pl.col("job_family") == NO_FAMILY),
            pl.when("all_suppressed").then("job_family"),
            "row",
        )
        .get_column("row")
    )
    shown = result.with_columns(
        *(pl.when(~pl.lit(suppressed)).then(pl.col(name)).alias(name) for name in result.columns if name not in kept),
        reason=pl.when(pl.lit(suppressed)).then(pl.lit(SUPPRESSED)).otherwise("reason"),
    )[order]
    if keys and shown.height and suppressed.all():
        # Even the list of levels would reveal information.
        null_keys = (pl.lit(None, dtype=shown.schema[key]).alias(key) for key in keys)
        shown = shown.unique("job_family", keep="first", maintain_order=True).with_columns(null_keys)
    return shown


def _cells(result: pl.DataFrame, keys: list[str], counts: pl.DataFrame | None) -> pl.DataFrame:
    """Return each row's counts, taken from its own columns and from `counts`."""
    check_cells(result, keys, alone=counts is None)
    parts = [pl.col(key).cast(pl.String).fill_null("\0") for key in keys]
    cells = result.select(
        "job_family",
        key=pl.concat_str(parts, separator="\x1f") if parts else pl.lit(""),
        tasks=pl.col("tasks").cast(pl.Float64).fill_null(0) if "tasks" in result.columns else pl.lit(1.0),
        suppressed=(pl.col("reason") == SUPPRESSED).fill_null(value=False),
        **own_counts(result.columns),
    ).with_row_index("row")
    if counts is None:
        return cells
    unknown = cells.join(counts, on="job_family", how="anti").get_column("job_family").sort()
    if unknown.len():
        raise SchemaError(
            f"`result` has the family {unknown[0]!r}, which `profiles` does not have. "
            "Pass the profiles that the result was computed from."
        )
    return cells.join(counts, on="job_family", maintain_order="left")


def _protect_from_totals(cells: pl.DataFrame, privacy: Privacy, *, staffed: bool) -> pl.DataFrame:
    """Suppress the next smallest cells across families and keys until all suppressed cells together meet the limits."""
    of_jobs = [name for name in cells.columns if name.endswith("_jobs") and (staffed or "staffed" not in name)]
    empty = pl.min_horizontal(of_jobs) == 0  # suppressing empty cells doesn't protect the others
    is_small = below_threshold(cells.columns, privacy, staffed=staffed)
    while True:
        before = cells.get_column("suppressed").sum()
        ordered = cells.sort(~pl.col("suppressed"), empty, of_jobs[0], "job_family", "key")
        together = ordered.select(
            "key",
            pl.col("^.*_(jobs|people|unknown)$").fill_null(0).cum_sum().over("key"),
            pl.col("^.*_largest$").fill_null(0).cum_max().over("key"),
        )
        # The total of empty cells is known to be zero, so they don't protect each other either.
        enough = ~is_small & (pl.col(of_jobs[0]) > 0)
        cells = extend_suppression(ordered, "key", together.select(enough).to_series())
        if cells.get_column("key").n_unique() > 1:
            ordered = cells.sort(~pl.col("suppressed"), pl.col("tasks") == 0, of_jobs[0], "tasks", "key", "job_family")
            cells = extend_suppression(ordered, "job_family", pl.repeat(value=True, n=cells.height, eager=True))
        if cells.get_column("suppressed").sum() == before:
            return cells.sort("row")


def extend_suppression(ordered: pl.DataFrame, within: str, enough: pl.Series) -> pl.DataFrame:
    """In each group with suppressed rows, suppress at least two rows, and continue up to the first `enough` row."""
    place, n_suppressed = pl.col("place"), pl.col("n_suppressed")
    return (
        ordered.with_columns(
            enough=enough,
            place=pl.int_range(pl.len()).over(within),
            n_suppressed=pl.col("suppressed").sum().over(within).cast(pl.Int64),
        )
        .with_columns(last=pl.when(pl.col("enough") & (place >= 1) & (place >= n_suppressed - 1)).then(place))
        .with_columns(pl.col("last").min().over(within))
        .with_columns(
            suppressed=pl.col("suppressed") | ((n_suppressed > 0) & (place <= pl.col("last").fill_null(pl.len())))
        )
        .drop("enough", "place", "n_suppressed", "last")
    )


def _may_be_by_headcount(result: pl.DataFrame) -> bool:
    """Return whether figures may be by headcount. This is assumed if the result has no metadata."""
    return get_metadata(result) is None or _by_headcount(result)


def _by_headcount(result: pl.DataFrame) -> bool:
    meaning = get_metadata(result)
    by_name = any("headcount" in name and name != "headcount" for name in result.columns)
    return by_name or (meaning is not None and meaning.basis == "headcount")


def states_of(result: pl.DataFrame) -> Sequence[str]:
    """Return the validation states counted in a result, or the default states if it has no metadata."""
    meaning = get_metadata(result)
    return meaning.states if meaning and meaning.states else COUNTED_STATES


def _with_meaning(result: pl.DataFrame, meaning: Meaning | None) -> pl.DataFrame:
    return result if meaning is None else attach_metadata(result, meaning)
