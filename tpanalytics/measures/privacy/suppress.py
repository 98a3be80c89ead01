"""Suppress the figures of small groups of jobs or people, and what would reveal them."""

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
    behind_of,
    below_threshold,
    both_behind,
    check_cells,
    count_differences,
    group_counts,
    job_differences,
    members,
    own_counts,
    per_member_counts,
)
from tpanalytics.measures.privacy.policy import OFF, SUPPRESSED, USUAL, Privacy, check_privacy, said_of_hidden
from tpanalytics.schema import COUNTED_STATES, NO_FAMILY, TaskProfiles, require

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tpanalytics.measures._core.metadata import Meaning

__all__ = [
    "all_hidden",
    "apply_change_policy",
    "apply_policy",
    "families_in_change",
    "filled",
    "hidden_families",
    "jobs_left_out",
    "states_of",
    "suppress",
    "suppress_moves",
]

_KEYS = ("level", "block_hours")
_NOTHING_HIDDEN = "Nothing is hidden, however few jobs or people it tells of."
#: The figures of a result that counts moves.
_MOVED = ("tasks", "jobs", "tasks_with_hours", "hours_before", "hours_after")
#: What a hidden row keeps besides its keys.
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

    The columns of the result decide which rule applies:

    - By family: a suppressed row keeps its family, its `keys` and its number of jobs; every other figure becomes null,
      and ``reason`` is ``SUPPRESSED``. Where a row is suppressed, the next smallest is suppressed too, over families
      and over `keys`, until what is suppressed together would itself pass, so that no total reveals it. Rows of
      families that are suppressed completely come last, by name.
    - By job (a column ``job_id``): the rows of families that are suppressed are removed, and those of jobs of fewer
      than ``min_headcount`` people. With these goes the next smallest job of the family, until the removed jobs have
      together at least as many people. A job whose headcount is null stays.
    - Of two snapshots (from `compare`, `compare_exposure` or `transitions`): a family is suppressed
      where it is too small in either snapshot. Rows of the whole stay, unless every family is suppressed. Of moves
      between levels or states those are suppressed that fewer than ``min_jobs`` jobs have, and as many others as keep
      a total from revealing them; no row is left where every family is suppressed.

    A family is small if it has fewer than ``min_jobs`` jobs, or some but fewer than ``min_jobs`` jobs with tasks, or
    with hours; or if it has fewer than ``min_headcount`` people, counted over the jobs whose headcount is known, unless
    ``min_jobs`` or more jobs have no headcount. In figures by headcount it is small also if fewer than ``min_jobs`` of
    its jobs have hours and a headcount, or if one job has more than 85 % of the people.

    Parameters
    ----------
    result
        What a measure returned: reads ``job_family``, and where present `keys`, ``jobs, jobs_without_tasks,
        jobs_with_hours, headcount, tasks, reason``; by job ``job_id``; of two snapshots ``scope``, or the levels or
        states before and after.
    profiles
        What the result was computed from, to count jobs with tasks, jobs with hours, and people; of two snapshots the
        later one. Without it, only the columns of a result by family are looked at. Where a job is an employee, it is
        one person.
    before
        The earlier snapshot, for a result of two.
    released
        A result by family that was released before, of other jobs, or a pair of it and the profiles it was computed
        from. A family that is shown in both is suppressed where its jobs or people differ between them, but by fewer
        than `privacy` allows: the two figures together would reveal the difference. Only with both profiles it is seen
        that one job replaced another. Counts that are null differ by an unknown number.
    privacy
        The smallest groups that may be shown; None suppresses nothing.
    keys
        Columns that with the family identify a row. Those that the result does not have are ignored.

    Returns
    -------
    pl.DataFrame
        The columns of `result`, and ``reason`` (String) if it had none and is not by job. Where everything by family
        is suppressed, one row per family is left, with null in `keys`. What `about` returns for it states how many
        families, or jobs, are suppressed, and warns where no total may be shown with it.

    Raises
    ------
    SchemaError
        If `result` lacks ``job_family``, or ``jobs`` where no `profiles` are given; has a family or job that `profiles`
        do not have, or several rows of the same family and `keys`; names single jobs without ``job_id``; is of two
        snapshots and `before` is missing, or is not and it is given; or if `released` comes with profiles and `result`
        without, or with a result that is not by family.

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
        raise ArgumentError(f"keys={keys!r}: give a list of columns.")
    if profiles is not None:
        check_profiles(profiles)
    rule = _rule_of(result)
    if (rule == "two snapshots") != (before is not None):
        if before is None:
            raise SchemaError("This result is of two snapshots; pass the later one as profiles, the earlier as before.")
        raise SchemaError("before is for a result of two snapshots, and this is a result of one.")
    if released is not None:
        if rule != "family":
            raise SchemaError("released is for results by family, and this result is not.")
        return _suppress_difference(result, profiles, released, limits, keys)
    if rule == "family":
        return _suppress_groups(result, profiles, limits, keys, staffed=_may_be_by_headcount(result))
    if profiles is None:
        raise SchemaError("result tells of single jobs, or of two snapshots; pass profiles to suppress as well.")
    profiles = with_cache(profiles)  # the groups are counted several times
    if before is None:
        return _suppress_jobs(result, profiles, limits)
    check_profiles(before)
    return _suppress_change(result, profiles, before, limits)


def _check_frame(name: str, frame: Any) -> None:
    if not isinstance(frame, pl.DataFrame):
        raise SchemaError(f"{name} is a {type(frame).__name__}; give a Polars frame as a measure returns it.")
    for column, types in {"job_family": (pl.String, pl.Categorical, pl.Enum), "reason": (pl.String, pl.Null)}.items():
        if (
            column in frame.columns
            and frame.schema[column] not in types
            and not isinstance(frame.schema[column], types)
        ):
            raise SchemaError(f"{name}: {column} must be text, and is {frame.schema[column]}.")
    if "jobs" in frame.columns and not frame.schema["jobs"].is_numeric() and frame.schema["jobs"] != pl.Null:
        raise SchemaError(f"{name}: jobs must be numbers, and is {frame.schema['jobs']}.")


def _rule_of(result: pl.DataFrame) -> Literal["family", "job", "two snapshots"]:
    if ("scope" in result.columns and "job_family" in result.columns) or _moved(result):
        return "two snapshots"
    return "job" if "job_id" in result.columns else "family"


def _moved(result: pl.DataFrame) -> tuple[str, str] | None:
    """Return the columns of a result that counts moves, between which the moves are."""
    for what in ("level", "state"):
        if f"{what}_before" in result.columns and f"{what}_after" in result.columns:
            return f"{what}_before", f"{what}_after"
    return None


def _suppress_difference(
    result: pl.DataFrame,
    profiles: TaskProfiles | None,
    released: pl.DataFrame | tuple[pl.DataFrame, TaskProfiles],
    privacy: Privacy,
    keys: Sequence[str],
) -> pl.DataFrame:
    """Suppress what a released result together with this one would reveal."""
    pair = released if isinstance(released, tuple) else (released, None)
    if len(pair) != 2:
        raise ArgumentError("released: give a frame, or a pair of a frame and the profiles it was computed from.")
    earlier, earlier_profiles = pair
    _check_frame("released", earlier)
    require(earlier, "job_family", name="released")
    if earlier_profiles is None:
        differing = count_differences(result, earlier)
    elif profiles is None:
        raise SchemaError("released comes with its profiles; pass profiles of the result as well, or of neither.")
    else:
        one, other = members(profiles, states_of(result)), members(earlier_profiles, states_of(earlier))
        differing = job_differences(one, other)
    few = below_threshold(differing.columns, privacy, staffed=_may_be_by_headcount(result))
    shown = set(earlier.get_column("job_family")) - set(hidden_families(earlier))
    near = [family for family in differing.filter(few).get_column("job_family") if family in shown]
    hidden = _suppress_groups(result, profiles, privacy, keys, near, staffed=_may_be_by_headcount(result))
    # A total would reveal all that is suppressed together; with what was released of it, that is the difference.
    parts = differing.filter(pl.col("job_family").is_in(hidden_families(hidden)))
    together = parts.select(pl.exclude("job_family", "^.*_largest$").sum(), pl.col("^.*_largest$").max())
    meaning = get_metadata(hidden)
    if meaning and together.select(few).item():
        said = "Show no total beside this table: with what was released before, it would tell of too few."
        meaning = replace(without_totals(meaning), warnings=(*meaning.warnings, said))
    return _with_meaning(hidden, meaning)


def _suppress_jobs(result: pl.DataFrame, profiles: TaskProfiles, privacy: Privacy) -> pl.DataFrame:
    meaning, states = get_metadata(result), states_of(result)
    known, left = members(profiles, states), jobs_left_out(profiles, states=states, privacy=privacy)
    strangers = result.join(known, on="job_id", how="anti")
    if strangers.height:
        raise SchemaError(
            f"result has the job {strangers.item(0, 'job_id')!r}, which profiles do not have; pass what it was made of."
        )
    shown = result.filter(~pl.col("job_id").is_in(left.to_list()))
    if meaning is None:
        return shown
    said = _NOTHING_HIDDEN
    if not privacy.off:
        said = (
            f"{left.len():,} of {known.height:,} jobs are left out: they, or their families, tell of fewer than "
            f"{privacy.min_headcount:g} people or {privacy.min_jobs} jobs, or hide one that could be worked out from a "
            "total."
        )
    return attach_metadata(shown, replace(meaning, policy=(*meaning.policy, said)))


@cached
def jobs_left_out(
    profiles: TaskProfiles, *, states: Sequence[str] = COUNTED_STATES, privacy: Privacy | None = None
) -> pl.Series:
    """List the ids of the jobs whose rows are removed from a result by job."""
    jobs = members(profiles, states)
    if privacy is None or privacy.off:
        return jobs.get_column("job_id").clear()
    families = hidden_families(_small_families(group_counts(profiles, states=states), privacy))
    cells = per_member_counts(jobs)
    # A row tells of one job anyway, so that people alone are counted.
    few = below_threshold(cells.columns, replace(privacy, min_jobs=0), staffed=False)
    ordered = cells.with_columns(hidden=few).sort(
        "job_family", ~pl.col("hidden"), "headcount", "job_id", nulls_last=True
    )
    together = ordered.select(pl.col("^.*_(jobs|people)$").cum_sum().over("job_family"))
    # Jobs of unknown headcount may be of nobody, so they do not protect the one they are removed with.
    layers = [
        name.removesuffix("_jobs") for name in together.columns if name.endswith("_jobs") and "staffed" not in name
    ]
    enough = [(pl.col(f"{name}_jobs") == 0) | (pl.col(f"{name}_people") >= privacy.min_headcount) for name in layers]
    closed = filled(ordered, "job_family", together.select(pl.all_horizontal(enough)).to_series())
    return closed.filter(pl.col("hidden") | pl.col("job_family").is_in(families)).get_column("job_id").sort()


def _suppress_change(result: pl.DataFrame, after: TaskProfiles, before: TaskProfiles, privacy: Privacy) -> pl.DataFrame:
    meaning = about(result)
    # Moves between states count rejected tasks too, of which no group is made.
    states = [state for state in meaning.states if state != "rejected"] or COUNTED_STATES
    if _moved(result):
        everything = all_hidden(families_in_change(before, after, states=states, privacy=privacy))
        return attach_metadata(suppress_moves(result, privacy, everything=everything), meaning)
    result = result if "reason" in result.columns else result.with_columns(reason=pl.lit(None, dtype=pl.String))
    parts, whole = result.filter(pl.col("scope") != "all"), result.filter(scope="all")
    if "job_id" in result.columns:
        left = [jobs_left_out(with_cache(one), states=states, privacy=privacy) for one in (before, after)]
        shown = parts.filter(~pl.col("job_id").is_in(pl.concat(left).to_list()))
        everything = parts.height > shown.height == 0
    else:
        shown = apply_change_policy(parts.drop("scope"), before, after, states=states, privacy=privacy)
        shown, everything = shown.with_columns(scope=pl.lit("family")), all_hidden(shown)
    rows = pl.concat([shown, whole.clear() if everything else whole], how="diagonal")
    return attach_metadata(rows.select(result.columns), meaning)


def families_in_change(
    before: TaskProfiles, after: TaskProfiles, *, states: Sequence[str], privacy: Privacy | None
) -> pl.DataFrame:
    """Return the families of either snapshot, with the reason where one is suppressed in results of both."""
    families = both_behind(before, after, states=states).select("job_family")
    return apply_change_policy(families, before, after, states=states, privacy=privacy)


def apply_change_policy(
    families: pl.DataFrame, before: TaskProfiles, after: TaskProfiles, *, states: Sequence[str], privacy: Privacy | None
) -> pl.DataFrame:
    """Suppress the families that are too small in either snapshot, also where each is counted by itself."""
    limits = check_privacy(privacy) or OFF
    alone = [
        family
        for profiles in (before, after)
        for family in hidden_families(_small_families(group_counts(profiles, states=states), limits))
    ]
    return _suppress_groups(families, both_behind(before, after, states=states), limits, also=alone)


def suppress_moves(moves: pl.DataFrame, privacy: Privacy, *, everything: bool = False) -> pl.DataFrame:
    """Suppress moves of too few jobs; shares of what they come from are suppressed with them."""
    sides = _moved(moves) or ("level_before", "level_after")
    figures = [name for name in _MOVED if name in moves.columns]
    require(moves, *sides, *_MOVED[:2], "share", name="result")
    moves = moves.with_columns(reason=pl.lit(None, dtype=pl.String))
    if everything:
        return moves.clear()
    # What moves come from takes the place of a family: neither a row's nor a column's total must reveal one.
    start, end = (pl.col(side).fill_null("\0") for side in sides)
    ends = moves.select(start.alias("job_family"), end.alias("end"), *figures)
    cells = _suppress_groups(ends, None, replace(privacy, min_headcount=0), ["end"])
    hidden = cells.filter(reason=SUPPRESSED).select("job_family", "end", hidden=pl.lit(value=True))
    if hidden.height == cells.height:
        return moves.clear()
    flag = ends.join(hidden, on=["job_family", "end"], how="left", maintain_order="left").get_column("hidden")
    marked = moves.with_columns(hidden=flag.fill_null(value=False))
    return marked.with_columns(
        *(pl.when(~pl.col("hidden")).then(pl.col(name)).alias(name) for name in figures),
        share=pl.when(~pl.col("hidden").any().over(sides[0])).then("share"),
        reason=pl.when("hidden").then(pl.lit(SUPPRESSED)),
    ).drop("hidden")


def apply_policy(result: pl.DataFrame, profiles: TaskProfiles | pl.DataFrame, privacy: Privacy | None) -> pl.DataFrame:
    """Suppress small groups in a result by family; `profiles` may be the counts of its groups."""
    return _suppress_groups(result, profiles, check_privacy(privacy) or OFF)


def _small_families(counts: pl.DataFrame, privacy: Privacy) -> pl.DataFrame:
    return _suppress_groups(counts.select("job_family"), counts, privacy)


def all_hidden(families: pl.DataFrame) -> bool:
    """Return whether there are families and each is suppressed, so that even totals would reveal them."""
    return families.height > 0 and bool(families.get_column("reason").eq(SUPPRESSED).fill_null(value=False).all())


def hidden_families(result: pl.DataFrame) -> list[str]:
    """List the families of which figures are hidden, in the order of the rows."""
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
    """Suppress small families and those `also` named, and others so that no total reveals them."""
    require(result, "job_family", name="result")
    keys, meaning, original = [key for key in keys if key in result.columns], get_metadata(result), result
    result = result if "reason" in result.columns else result.with_columns(reason=pl.lit(None, dtype=pl.String))
    if privacy.off:
        return _with_meaning(result.clone(), meaning and replace(meaning, policy=(*meaning.policy, _NOTHING_HIDDEN)))
    behind = behind_of(profiles, states_of(original))
    cells = _cells(result, keys, behind)
    staffed = staffed or _by_headcount(original)
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


def _may_be_by_headcount(result: pl.DataFrame) -> bool:
    """Return whether figures may be weighted by headcount; those of a result that lost its information may be."""
    return get_metadata(result) is None or _by_headcount(result)


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
