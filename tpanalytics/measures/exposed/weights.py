"""How much of a task counts as exposed, by its level; and what the exposure index of a job or a family is made of."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import polars as pl

from tpanalytics.errors import SchemaError
from tpanalytics.measures.reduce import columns_of_jobs, known_sum, reduce_tasks, share_of, stated
from tpanalytics.schema import NOT_ASSESSED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from tpanalytics.measures.reduce import Cells
    from tpanalytics.schema import TaskProfiles

__all__ = [
    "WEIGHTS",
    "Parts",
    "Sums",
    "at",
    "beside_sets",
    "checked_weights",
    "families_as_jobs",
    "family_sums",
    "index_of",
    "job_sums",
    "parts_of",
    "undescribed",
    "unmapped",
    "weight_of",
    "with_people",
]

#: A set of levels is a number of so many bits; where there are more levels, several numbers.
_BITS = 62

#: Highly automatable counts whole, partly automatable by half (0 to 1 are shown beside it), human judgement not.
WEIGHTS: dict[str, float] = {"H1": 1.0, "H2": 0.5, "H3": 0.0}


def checked_weights(weights: Mapping[str, float]) -> dict[str, float]:
    """Give the weights as plain numbers.

    Raises
    ------
    SchemaError
        If there is none, one is not within 0 to 1, or one is for tasks that are not assessed.
    """
    if not weights or not hasattr(weights, "items"):
        raise SchemaError(f"weights={weights!r}: give a weight from 0 to 1 by level, like {WEIGHTS}.")
    for level, weight in weights.items():
        number = isinstance(weight, int | float) and not isinstance(weight, bool) and math.isfinite(weight)
        if not number or not 0 <= weight <= 1:
            raise SchemaError(f"weights: the weight of {level!r} is {weight!r}; it must be a number from 0 to 1.")
        if level == NOT_ASSESSED:
            raise SchemaError(
                f"weights: tasks that are {NOT_ASSESSED!r} have no weight; they widen the bounds instead."
            )
    return {level: float(weight) for level, weight in weights.items()}


def at(weights: Mapping[str, float], b: float) -> dict[str, float]:
    """Give the weights with that of H2 set to `b`, for the range and the break-even."""
    return {**weights, "H2": b} if "H2" in weights else dict(weights)


def unmapped(levels: Iterable[str], weights: Mapping[str, float]) -> list[str]:
    """List the levels that have no weight and so count as unknown until they are given one."""
    return sorted(set(levels) - set(weights) - {NOT_ASSESSED})


def weight_of(weights: Mapping[str, float]) -> pl.Expr:
    """Give the weight of a row's ``level``; null where it has none."""
    return pl.col("level").replace_strict(dict(weights), default=None, return_dtype=pl.Float64)


def job_sums(cells: pl.DataFrame, weights: Mapping[str, float]) -> pl.DataFrame:
    """Give each job's part in the index: what its hours with a weight come to, and how many they are.

    Parameters
    ----------
    cells
        As in `tpanalytics.measures.reduce.Cells`, per job and by level.
    weights
        As `checked_weights` gives them.

    Returns
    -------
    pl.DataFrame
        ``job, job_family, exposed`` (sum of hours times weight) and ``weighed`` (sum of hours), both in hours per
        week, null for a job without hours that have a weight; one row per job with a task that counts.
    """
    weight = weight_of(weights)
    return (
        cells.with_columns(weighed=pl.when(weight.is_not_null()).then("hours"), exposed=pl.col("hours") * weight)
        .group_by("job", "job_family", maintain_order=True)
        .agg(exposed=known_sum("exposed"), weighed=known_sum("weighed"))
    )


def with_people(
    jobs: pl.DataFrame, cells: pl.DataFrame, *, by_headcount: bool = False, contract_hours: float | None = None
) -> pl.DataFrame:
    """Put beside each cell what belongs to its job: ``staff`` (1 unless by headcount) and ``week`` (contract hours).

    Jobs whose headcount is not known are left out when going by it; ``week`` is null where it is not known and
    `contract_hours` is None.
    """
    staff = pl.col("headcount") if by_headcount else pl.lit(1.0)
    week = pl.col("contract_hours") if "contract_hours" in jobs.columns else pl.lit(None, dtype=pl.Float64)
    week = week if contract_hours is None else week.fill_null(contract_hours)
    people = jobs.select("job", staff=staff, week=week)
    return cells.join(people, on="job", maintain_order="left").filter(pl.col("staff").is_not_null())


def families_as_jobs(cells: pl.DataFrame) -> pl.DataFrame:
    """Put each family in the place of a job, as `with_people` would; for where nothing but its sums matters."""
    return cells.with_columns(job="job_family", staff=1.0, week=pl.lit(None, dtype=pl.Float64))


def undescribed(**more: pl.Expr) -> list[pl.Expr]:
    """Say how to work out of a job's cells ``rest``: the contract hours it does not describe, times its people.

    They are null where they are not known; and belong to nobody, and are 0, where a job has no people.
    """
    rest = (pl.col("week").first() - pl.col("hours").sum()).clip(lower_bound=0) * pl.col("staff").first()
    return [
        pl.when(pl.col("staff").first() == 0).then(0.0).otherwise(rest).alias("rest"),
        *(expression.alias(name) for name, expression in more.items()),
    ]


class Parts(NamedTuple):
    """What weights work on, the same for all of them: as small for many jobs of a family as for few.

    Attributes
    ----------
    names
        The levels there are, in order.
    amounts
        By job or family and ``level``: ``amount`` (hours per week times people; null where none is known), ``tasks``
        of it with hours, ``stated`` of these whose hours were not put in, and ``people``.
    held
        By job or family and set of levels: how many ``jobs`` have hours at just these levels.
    gaps
        By job or family and set of levels: ``rest``, the undescribed contract hours of the jobs whose tasks without
        hours have just these levels, and of how many of them they are ``unknown``.
    """

    names: list[str]
    amounts: pl.DataFrame
    held: pl.DataFrame
    gaps: pl.DataFrame


def parts_of(cells: pl.DataFrame, by: str) -> Parts:
    """Add up jobs that differ in nothing that weights could tell apart.

    Parameters
    ----------
    cells
        As `with_people` gives them.
    by
        ``"job"`` or ``"job_family"``.
    """
    names = cells.get_column("level").unique().sort().to_list()
    words = range(0, max(len(names), 1), _BITS)
    has = {"held": pl.col("amount").is_not_null(), "open": pl.col("n_known") < pl.col("n")}
    cells = cells.with_columns(amount=pl.col("hours") * pl.col("staff")).with_columns(
        pl.when(which).then(_bit(names[word : word + _BITS])).otherwise(0).alias(f"{kind}_{word}")
        for kind, which in has.items()
        for word in words
    )
    sets = {kind: {f"{kind}_{word}": f"set_{word}" for word in words} for kind in has}
    first = {"job_family": pl.col("job_family").first()} if by == "job_family" else {}
    in_sets = {name: pl.col(name).bitwise_or() for kind in sets.values() for name in kind}
    # A family may stand in the place of its jobs; it is one of them then.
    per_job = cells.group_by("job", maintain_order=True).agg(undescribed(**first, **in_sets))

    def grouped(kind: str, **sums: pl.Expr) -> pl.DataFrame:
        some = per_job.rename(sets[kind]).filter(pl.any_horizontal(pl.col(name) != 0 for name in sets[kind].values()))
        return some.group_by(by, *sets[kind].values(), maintain_order=True).agg(**sums)

    amounts = cells.group_by(by, "level", maintain_order=True).agg(
        amount=known_sum("amount"), tasks=pl.col("n_known").sum(), stated=stated.sum(), people=pl.col("staff").sum()
    )
    rest = pl.col("rest")
    return Parts(
        names, amounts, grouped("held", jobs=pl.len()), grouped("open", rest=rest.sum(), unknown=rest.null_count())
    )


def _bit(names: list[str]) -> pl.Expr:
    bits = {name: 1 << place for place, name in enumerate(names)}
    return pl.col("level").replace_strict(bits, default=0, return_dtype=pl.Int64)


class Sums(NamedTuple):
    """What any weights are put on.

    Attributes
    ----------
    families
        ``job_family, jobs, tasks`` (null where it has none).
    parts, per_job
        Of the families, added up over jobs; or where not `per_job`, since nothing but the sums of families matters, as
        if each were one job.
    reduced
        All that was counted, its cells by level alone.
    """

    families: pl.DataFrame
    parts: Parts
    per_job: bool
    reduced: Cells


def family_sums(profiles: TaskProfiles, *, states: Sequence[str], by_headcount: bool, week: float | None) -> Sums:
    """Add up by family all that an exposure index and its bounds are made of, whatever the weights.

    Parameters
    ----------
    profiles, states
        As for `exposure_by_family`.
    by_headcount
        Jobs weigh by their headcount; those without one are left out.
    week
        Contract hours of jobs that have none; None takes none.

    Raises
    ------
    SchemaError
        If a column is missing, ``headcount`` included when asked for.
    """
    # Only what belongs to a job makes its jobs matter: people, and the contract hours it does not describe.
    per_job = by_headcount or week is not None or "contract_hours" in columns_of_jobs(profiles)
    reduced = reduce_tasks(profiles, states, per="job" if per_job else "family")
    if by_headcount and "headcount" not in reduced.jobs.columns:
        raise SchemaError(
            "jobs lacks 'headcount' (full-time equivalents); give it as a column of the mapping file of "
            "assign_families, or use weight='hours'."
        )
    cells = families_as_jobs(reduced.cells)
    if per_job:
        cells = with_people(reduced.jobs, reduced.cells, by_headcount=by_headcount, contract_hours=week)
    jobs = reduced.jobs.group_by("job_family").agg(jobs=pl.len())
    tasks = reduced.cells.group_by("job_family").agg(tasks=pl.col("n").sum())
    by_level = reduced.cells.group_by("level", maintain_order=True).agg(
        pl.col("n", "n_known", "hours", "imputed", "n_imputed").sum()
    )
    return Sums(
        jobs.join(tasks, on="job_family", how="left"),
        parts_of(cells, "job_family"),
        per_job,
        reduced._replace(cells=by_level),
    )


def beside_sets(rows: pl.DataFrame, names: list[str], **said: Callable[[list[str]], float]) -> pl.DataFrame:
    """Put beside each set of levels numbers that are said of it; `names` are those of its `Parts`."""
    words = [name for name in rows.columns if name.startswith("set_")]
    sets = rows.select(words).unique(maintain_order=True)
    members = [
        [name for place, name in enumerate(names) if row[place // _BITS] >> place % _BITS & 1] for row in sets.rows()
    ]
    numbers = [pl.Series(name, [say(levels) for levels in members], dtype=pl.Float64) for name, say in said.items()]
    return rows.join(sets.with_columns(numbers), on=words, how="left", maintain_order="left")


def index_of(parts: Parts, weights: Mapping[str, float], by: str) -> pl.DataFrame:
    """Work out the exposure index: hours times weight, over the hours that have a weight.

    Parameters
    ----------
    parts
        As `parts_of` gives them.
    weights
        As `checked_weights` gives them.
    by
        ``"job"`` or ``"job_family"``, as for the `parts`.

    Returns
    -------
    pl.DataFrame
        One row per job or family of `parts`: ``numerator, denominator`` (hours per week, times people; null where no
        hours have a weight), ``exposure``, ``weight_low`` and ``weight_high`` (the same with H2 at 0 and at 1), all
        null where there is nothing to divide by; ``tasks_weighed``, those that have hours and a weight, of
        ``jobs_weighed`` jobs; ``tasks_stated``, those of them whose hours were not put in;
        ``tasks_with_hours``; ``people``, the headcount of the jobs (0 where all have none).
    """
    sums = {"numerator": weights, "low": at(weights, 0.0), "high": at(weights, 1.0)}
    weighed = weight_of(weights).is_not_null()
    index = {"exposure": "numerator", "weight_low": "low", "weight_high": "high"}
    held = beside_sets(parts.held, parts.names, weighed=lambda levels: any(level in weights for level in levels))
    jobs = held.group_by(by).agg(jobs_weighed=pl.col("jobs").filter(pl.col("weighed") > 0).sum())
    return (
        parts.amounts.with_columns(
            denominator=pl.when(weighed).then("amount"),
            tasks_weighed=pl.when(weighed).then("tasks").otherwise(0),
            tasks_stated=pl.when(weighed).then("stated").otherwise(0),
            **{name: pl.col("amount") * weight_of(of) for name, of in sums.items()},
        )
        .group_by(by, maintain_order=True)
        .agg(
            *(known_sum(name).alias(name) for name in (*sums, "denominator")),
            tasks_weighed=pl.col("tasks_weighed").sum(),
            tasks_stated=pl.col("tasks_stated").sum(),
            tasks_with_hours=pl.col("tasks").sum(),
            people=pl.col("people").sum(),
        )
        .join(jobs, on=by, how="left", maintain_order="left")
        .with_columns(share_of(pl.col(part), pl.col("denominator")).alias(name) for name, part in index.items())
        .drop("low", "high")
    )
