"""Hide what tells of too few jobs or people in results by family, and what else must be hidden for its sake."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import polars as pl

from tpanalytics.errors import SchemaError
from tpanalytics.measures._core.metadata import attach_metadata, get_metadata, without_totals
from tpanalytics.measures.privacy.group_counts import (
    behind_of,
    below_threshold,
    check_cells,
    count_differences,
    job_differences,
    members,
    own_counts,
)
from tpanalytics.measures.privacy.policy import SUPPRESSED, Privacy, check_privacy, said_of_hidden
from tpanalytics.schema import COUNTED_STATES, NO_FAMILY, TaskProfiles, require

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tpanalytics.measures._core.metadata import Meaning

__all__ = ["apply_policy", "filled", "hidden_families", "states_of", "suppress", "suppress_beside"]

#: What a hidden row keeps besides its keys.
_KEPT = ("jobs", "basis", "reason")


def suppress(
    result: pl.DataFrame,
    profiles: TaskProfiles | pl.DataFrame | None = None,
    *,
    min_jobs: int = 3,
    min_headcount: float = 5,
    keys: Sequence[str] = ("level", "block_hours"),
) -> pl.DataFrame:
    """Hide the figures of job families behind which too few jobs or people stand.

    A hidden row keeps its family, its `keys` and its number of jobs; every other figure becomes null, and ``reason``
    says ``SUPPRESSED``. Where something is hidden, the next smallest is hidden too, over families and over `keys`,
    until what is hidden together would itself pass: a total never tells what a hidden cell is. Rows whose family is
    wholly hidden come last, by name, so that their place tells nothing.

    Hidden are families of fewer than `min_jobs` jobs, or of which fewer than `min_jobs` have tasks, or hours, though
    some have; families of fewer than `min_headcount` people, counted over the jobs whose headcount is known, unless
    `min_jobs` jobs or more are without one; and in figures by headcount also those of which fewer than `min_jobs` have
    hours and a headcount, or one job has more than 85 % of the people.

    Parameters
    ----------
    result
        What a measure by family gave: reads ``job_family``, and where present `keys`, ``jobs, jobs_without_tasks,
        jobs_with_hours, headcount, tasks, reason``.
    profiles
        What the result was made of, to count jobs with tasks, with hours, and people; or what `group_counts` made of
        it. Without, only the columns of `result` are looked at.
    min_jobs
        Fewest jobs; 0 asks for none.
    min_headcount
        Fewest people (full-time equivalents); 0 asks for none.
    keys
        Columns that with the family say what a row is about. Those that the result does not have are passed over.

    Returns
    -------
    pl.DataFrame
        The rows and columns of `result`, and ``reason`` (String) if it had none. If everything must be hidden, one
        row per family is left, with null in `keys`. Its meaning says how many families are hidden.

    Raises
    ------
    SchemaError
        If `result` lacks ``job_family``, or ``jobs`` where no `profiles` are given; has a family that `profiles` do
        not have, or rows that family and `keys` do not tell apart; tells of single jobs; or a limit is below 0.

    Examples
    --------
    >>> from tpanalytics import hours, load_sample
    >>> profiles = load_sample()
    >>> hidden = suppress(hours(profiles), profiles, min_jobs=8)
    >>> hidden.filter(reason="SUPPRESSED").select("job_family", "jobs", "hours").rows()
    [('Field Service and Installation', 14, None), ('(no family)', 7, None)]
    """
    privacy = Privacy(min_jobs=min_jobs, min_headcount=min_headcount)
    return _hide(result, profiles, privacy, keys)


def suppress_beside(
    result: pl.DataFrame,
    released: pl.DataFrame,
    profiles: TaskProfiles | None = None,
    released_profiles: TaskProfiles | None = None,
    *,
    min_jobs: int = 3,
    min_headcount: float = 5,
    keys: Sequence[str] = ("level", "block_hours"),
) -> pl.DataFrame:
    """Hide in a result what, beside one that was released before, would tell of too few jobs or people.

    Two figures of the same family, made of populations that differ by a job, differ by that job: what one must not
    know of a cell one could work out from two. So the difference of two cells is judged as a cell: a family whose jobs
    differ between both by fewer than `min_jobs`, or whose people by fewer than `min_headcount`, but do differ, is
    hidden in the second. `suppress` is applied as well. Counts that are null differ by an unknown number and hide.

    Parameters
    ----------
    result
        What is to be released now; as for `suppress`.
    released
        What was released before, of other jobs: reads ``job_family`` and, without profiles, ``jobs,
        jobs_without_tasks, jobs_with_hours, headcount`` where present. Families hidden in it hide nothing now.
    profiles, released_profiles
        What both were made of. Only with both it is seen that one job took the place of another.
    min_jobs, min_headcount, keys
        As for `suppress`.

    Returns
    -------
    pl.DataFrame
        As `suppress`. Its meaning warns where no total may be shown beside it.

    Raises
    ------
    SchemaError
        As `suppress`, for either result; or if profiles are given for one of them only.

    Examples
    --------
    >>> from tpanalytics import TaskProfiles, hours, load_sample
    >>> before = load_sample()
    >>> now = TaskProfiles(before.jobs, before.tasks.filter(pl.col("job_id") != before.jobs["job_id"][0]))
    >>> hidden = suppress_beside(hours(now), hours(before), now, before)
    >>> hidden.filter(reason="SUPPRESSED").select("job_family", "hours").rows()
    [('Sales', None), ('(no family)', None)]
    """
    privacy = Privacy(min_jobs=min_jobs, min_headcount=min_headcount)
    require(released, "job_family", name="released")
    if profiles is None and released_profiles is None:
        differing = count_differences(result, released)
    elif profiles is None or released_profiles is None:
        raise SchemaError("suppress_beside: give both profiles and released_profiles, or neither of them.")
    else:
        one, other = members(profiles, states_of(result)), members(released_profiles, states_of(released))
        differing = job_differences(one, other)
    few = below_threshold(differing.columns, privacy, staffed=_by_headcount(result))
    shown = set(released.get_column("job_family")) - set(hidden_families(released))
    near = [family for family in differing.filter(few).get_column("job_family") if family in shown]
    hidden = _hide(result, profiles, privacy, keys, near)
    # What is hidden can be had together, from a total; beside what was shown of it before, that tells the difference.
    parts = differing.filter(pl.col("job_family").is_in(hidden_families(hidden)))
    together = parts.select(pl.exclude("job_family", "^.*_largest$").sum(), pl.col("^.*_largest$").max())
    meaning = get_metadata(hidden)
    if meaning and together.select(few).item():
        said = "Show no total beside this table: with what was released before, it would tell of too few."
        meaning = replace(without_totals(meaning), warnings=(*meaning.warnings, said))
    return _with_meaning(hidden, meaning)


def apply_policy(result: pl.DataFrame, profiles: TaskProfiles | pl.DataFrame, privacy: Privacy | None) -> pl.DataFrame:
    """Do what `suppress` does, by a setting; None hides nothing."""
    limits = check_privacy(privacy) or Privacy(min_jobs=0, min_headcount=0)
    return suppress(result, profiles, min_jobs=limits.min_jobs, min_headcount=limits.min_headcount)


def hidden_families(result: pl.DataFrame) -> list[str]:
    """List the families of which figures are hidden, in the order of the rows."""
    if "reason" not in result.columns:
        return []
    return result.filter(pl.col("reason") == SUPPRESSED).get_column("job_family").unique(maintain_order=True).to_list()


def _hide(
    result: pl.DataFrame,
    profiles: TaskProfiles | pl.DataFrame | None,
    privacy: Privacy,
    keys: Sequence[str],
    also: Sequence[str] = (),
) -> pl.DataFrame:
    """Do what `suppress` does, and hide the families `also` as well."""
    require(result, "job_family", name="result")
    keys, meaning, original = [key for key in keys if key in result.columns], get_metadata(result), result
    result = result if "reason" in result.columns else result.with_columns(reason=pl.lit(None, dtype=pl.String))
    if privacy.off:
        said = "Nothing is hidden, however few jobs or people it tells of."
        return _with_meaning(result.clone(), meaning and replace(meaning, policy=(*meaning.policy, said)))
    behind = behind_of(profiles, states_of(original))
    cells = _cells(result, keys, behind)
    staffed = _by_headcount(original)
    few = below_threshold(cells.columns, privacy, staffed=staffed)
    cells = cells.with_columns(hidden=pl.col("hidden") | pl.col("job_family").is_in(list(also)) | few)
    cells = _closed(cells, privacy, staffed=staffed)
    shown = _without(result, keys, cells)
    if meaning is not None:
        n = cells.filter("hidden").get_column("job_family").n_unique()
        said = said_of_hidden(n, cells.get_column("job_family").n_unique(), privacy)
        meaning = replace(meaning, policy=(*meaning.policy, said))
        if behind is None and "headcount" not in result.columns:
            said = "Only numbers of jobs were looked at to hide families, not headcounts; pass profiles to suppress."
            meaning = replace(meaning, warnings=(*meaning.warnings, said))
        if cells.height and cells.get_column("hidden").all():
            meaning = without_totals(meaning)
    return _with_meaning(shown, meaning)


def _without(result: pl.DataFrame, keys: list[str], cells: pl.DataFrame) -> pl.DataFrame:
    """Take the figures of hidden cells out, and put the families of which nothing is left last."""
    hidden, kept = cells.get_column("hidden"), {"job_family", *keys, *_KEPT}
    own = pl.col("own_all_jobs").n_unique().over("job_family")
    if "jobs" in result.columns and cells.select((own > 1).any()).item():
        kept.remove("jobs")  # it is not of the family but of each cell, and so a figure as others are
    gone = pl.col("hidden").all().over("job_family")
    order = (
        cells.with_columns(gone=gone)
        .sort(
            "gone", pl.when("gone").then(pl.col("job_family") == NO_FAMILY), pl.when("gone").then("job_family"), "row"
        )
        .get_column("row")
    )
    shown = result.with_columns(
        *(pl.when(~pl.lit(hidden)).then(pl.col(name)).alias(name) for name in result.columns if name not in kept),
        reason=pl.when(pl.lit(hidden)).then(pl.lit(SUPPRESSED)).otherwise("reason"),
    )[order]
    if keys and shown.height and hidden.all():
        # Which levels there are would tell something still.
        nothing = (pl.lit(None, dtype=shown.schema[key]).alias(key) for key in keys)
        shown = shown.unique("job_family", keep="first", maintain_order=True).with_columns(nothing)
    return shown


def _cells(result: pl.DataFrame, keys: list[str], behind: pl.DataFrame | None) -> pl.DataFrame:
    """Give for each row what stands behind it, as far as its own columns and `behind` tell."""
    check_cells(result, keys, alone=behind is None)
    parts = [pl.col(key).cast(pl.String).fill_null("\0") for key in keys]
    cells = result.select(
        "job_family",
        key=pl.concat_str(parts, separator="\x1f") if parts else pl.lit(""),
        tasks=pl.col("tasks").cast(pl.Float64).fill_null(0) if "tasks" in result.columns else pl.lit(1.0),
        hidden=(pl.col("reason") == SUPPRESSED).fill_null(value=False),
        **own_counts(result.columns),
    ).with_row_index("row")
    if behind is None:
        return cells
    strangers = cells.join(behind, on="job_family", how="anti").get_column("job_family").sort()
    if strangers.len():
        raise SchemaError(
            f"result has the family {strangers[0]!r}, which profiles do not have; pass what it was made of."
        )
    return cells.join(behind, on="job_family", maintain_order="left")


def _closed(cells: pl.DataFrame, privacy: Privacy, *, staffed: bool) -> pl.DataFrame:
    """Hide the next smallest, over families and over keys, until what is hidden together could be shown."""
    of_jobs = [name for name in cells.columns if name.endswith("_jobs") and (staffed or "staffed" not in name)]
    empty = pl.min_horizontal(of_jobs) == 0  # to hide these would protect nothing
    few = below_threshold(cells.columns, privacy, staffed=staffed)
    while True:
        before = cells.get_column("hidden").sum()
        ordered = cells.sort(~pl.col("hidden"), empty, of_jobs[0], "job_family", "key")
        together = ordered.select(
            "key",
            pl.col("^.*_(jobs|people|unknown)$").fill_null(0).cum_sum().over("key"),
            pl.col("^.*_largest$").fill_null(0).cum_max().over("key"),
        )
        cells = filled(ordered, "key", together.select(~few).to_series())
        if cells.get_column("key").n_unique() > 1:
            ordered = cells.sort(~pl.col("hidden"), pl.col("tasks") == 0, of_jobs[0], "tasks", "key", "job_family")
            cells = filled(ordered, "job_family", pl.repeat(value=True, n=cells.height, eager=True))
        if cells.get_column("hidden").sum() == before:
            return cells.sort("row")


def filled(ordered: pl.DataFrame, within: str, enough: pl.Series) -> pl.DataFrame:
    """Hide in each group where anything is hidden two at least, and as many as are `enough` together."""
    place, hiding = pl.col("place"), pl.col("hiding")
    return (
        ordered.with_columns(
            enough=enough,
            place=pl.int_range(pl.len()).over(within),
            hiding=pl.col("hidden").sum().over(within).cast(pl.Int64),
        )
        .with_columns(last=pl.when(pl.col("enough") & (place >= 1) & (place >= hiding - 1)).then(place))
        .with_columns(pl.col("last").min().over(within))
        .with_columns(hidden=pl.col("hidden") | ((hiding > 0) & (place <= pl.col("last").fill_null(pl.len()))))
        .drop("enough", "place", "hiding", "last")
    )


def _by_headcount(result: pl.DataFrame) -> bool:
    meaning = get_metadata(result)
    by_name = any("headcount" in name and name != "headcount" for name in result.columns)
    return by_name or (meaning is not None and meaning.basis == "headcount")


def states_of(result: pl.DataFrame) -> Sequence[str]:
    """Say which states counted in a result; in one that does not say, the usual."""
    meaning = get_metadata(result)
    return meaning.states if meaning and meaning.states else COUNTED_STATES


def _with_meaning(result: pl.DataFrame, meaning: Meaning | None) -> pl.DataFrame:
    return result if meaning is None else attach_metadata(result, meaning)
