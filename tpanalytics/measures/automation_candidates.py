"""Which tasks to automate first, and how sure their order is."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import polars as pl

from tpanalytics.measures._core.aggregate import columns_of_jobs, share_of
from tpanalytics.measures._core.bootstrap import poisson_weights
from tpanalytics.measures._core.cache import cached
from tpanalytics.measures._core.checks import check_choice, check_headcount, check_whole, is_whole
from tpanalytics.measures._core.metadata import attach_metadata, meaning_of
from tpanalytics.measures._core.scenario import undocumented_hours
from tpanalytics.measures._core.task_identity import DIGITS, TaskMatrix, level_agreement, per_task, task_matrix
from tpanalytics.measures.privacy.group_counts import keys_of_few, people_of
from tpanalytics.measures.privacy.policy import check_privacy
from tpanalytics.schema import COUNTED_STATES, NOT_ASSESSED
from tpanalytics.typing import SameTask, StaffWeight

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tpanalytics.measures.privacy.policy import Privacy
    from tpanalytics.schema import TaskProfiles

__all__ = [
    "Candidates",
    "automation_candidates",
    "candidates_of",
    "checked_people",
    "left_out",
    "without_few",
]

#: The level that says a task is highly automatable.
_LEVEL = "H1"
#: Jobs that agree on less than this share of pairs have not said that a task is automatable.
_AGREED = 0.5
#: Candidates that resamples put in order, and how many of the first get an interval: fewer, so that others may pass.
_POOL, _INTERVALS = 600, 300
_ENOUGH_JOBS, _ROUNDS_LEAST, _ROUNDS_MOST = 5, 100, 100_000
#: Resamples held at a time.
_AT_ONCE = 50


class Candidates(NamedTuple):
    """Tasks that some job has at H1.

    Attributes
    ----------
    table
        One row per candidate, most hours first, ties by name, those without hours last; ``key``, and the columns of
        `automation_candidates` but the ranks' intervals.
    amounts
        ``key, job, staff, hours`` (hours per week of one incumbent): known hours at H1 of jobs that count.
    total
        Hours known at H1, those of left out tasks included.
    contested, contested_hours
        Tasks left out because jobs disagree about their level, and their hours at H1.
    rated
        ``key, job``: the jobs that have it at H1.
    few
        Tasks left out because they tell of too few jobs or people; None where that was not asked.
    """

    table: pl.DataFrame
    amounts: pl.DataFrame
    total: float
    contested: int
    contested_hours: float
    rated: pl.DataFrame
    few: int | None = None


@cached
def automation_candidates(
    profiles: TaskProfiles,
    *,
    weight: StaffWeight = "hours",
    same_task: SameTask = "id",
    contract_hours: float | None = None,
    top: int | None = None,
    rounds: int = 1000,
    seed: int = 0,
    states: Sequence[str] = COUNTED_STATES,
    privacy: Privacy | None = None,
) -> pl.DataFrame:
    """List the tasks that are highly automatable (H1) by the hours they are sure to take, with how sure their rank is.

    A task without hours adds nothing and is not zero: ``h1_hours`` is null where no hours at H1 are known. Hours of
    unknown level, and undescribed contract hours of jobs that have the task without hours, are only in
    ``h1_hours_high``. The order is that of ``h1_hours``, the least it can be, so that no guess moves a task up. Tasks
    on whose level most jobs disagree are left out and counted in the meaning.

    Parameters
    ----------
    profiles
        Reads ``job_id, job_family`` and where present ``contract_hours`` (hours per week), for headcount also
        ``headcount`` (full-time equivalents) of `jobs`, and ``job_id, task_id, task, ai_impact_level,
        validation_state, weekly_hours`` (hours per week) of `tasks`.
    weight
        ``"hours"`` adds up the hours of one incumbent of each job; ``"headcount"`` hours times the job's headcount,
        leaving out hours of jobs whose headcount is not known.
    same_task
        By what two tasks are the same: their ``"id"``, or their ``"text"`` without case and spacing. Rows of one job
        that are the same task are one task, by the rule of `_core.task_identity`.
    contract_hours
        Hours per week that jobs without contract hours of their own are taken to have, for ``h1_hours_high``; None
        takes none.
    top
        Give only so many; None gives all.
    rounds
        Resamples of the jobs for the ranks' intervals, 100 to 100,000; 0 makes none.
    seed
        Of the resamples; the same one gives the same intervals.
    states
        Validation states that count.
    privacy
        Leave out tasks that tell of fewer jobs or people, for a list to be handed on; None leaves in all.

    Returns
    -------
    pl.DataFrame
        One row per task that a job has at H1, most ``h1_hours`` first, ties by ``task_key``, unknown ones last. Hours
        are per week.

        ===================  =======  =====================================================================
        ``rank``             UInt32   1 + tasks with more hours; null where ``h1_hours`` is
        ``rank_low``         UInt32   least rank in 95 % of resamples; for the first 300, from 5 jobs
        ``rank_high``        UInt32   greatest; ranks in resamples are among the first 600
        ``task_key``         String   its identity, by `same_task`
        ``task``             String   its text; the first in order where there are several
        ``jobs``             UInt32   jobs that have it, at any level
        ``jobs_h1``          UInt32   those that have it at H1
        ``families``         UInt32   job families of ``jobs``
        ``tasks``            UInt32   tasks in ``jobs``
        ``h1_hours``         Float64  hours known at H1, the least they can be
        ``h1_hours_high``    Float64  the most; null where contract hours are needed and missing
        ``share_of_h1``      Float64  share of all hours known at H1, 0 to 1
        ``validated_share``  Float64  share of ``tasks`` that are validated, 0 to 1
        ``level_agreement``  Float64  share of pairs of jobs with a level for it that gave it the same, 0 to 1; null
                                      where fewer than 2 did
        ``hours_coverage``   Float64  share of ``tasks`` that have hours, 0 to 1
        ``basis``            String   the `by`
        ``reason``           String   why ``h1_hours``, or with it known ``h1_hours_high``, is null: a word of
                                      `metadata.NONE_BECAUSE`
        ===================  =======  =====================================================================

    Raises
    ------
    SchemaError
        If a column is missing, ``headcount`` included when asked for, or an argument is none of its values.

    Warns
    -----
    TpAnalyticsWarning
        If tasks are in a state that is neither counted nor ``rejected``.

    Notes
    -----
    With h the hours, N the headcount or 1, R the contract hours a job does not describe, and o = 1 where a job has the
    task without hours at H1 or without level: ``h1_hours = Σ N·h at H1``, ``h1_hours_high = h1_hours + Σ N·h without
    level + Σ N·R·o`` (Manski, 2005, *Partial identification with missing data*). The highs of several tasks do not add
    up: a job's R may only go once. In a resample each job counts as often as a Poisson variable of mean 1 says.

    Examples
    --------
    >>> from tpanalytics import automation_candidates, load_sample
    >>> first = automation_candidates(load_sample(), top=1)
    >>> first.select("task", "jobs", "h1_hours", "h1_hours_high", "rank_low", "rank_high").row(0)
    ('Compile the monthly key figures of the department from the source systems', 18, 28.5, 50.5, 1, 22)
    """
    checked_people(profiles, weight)
    _check_rounds(rounds, seed)
    if top is not None:
        check_whole("top", top, least=1)
    check_privacy(privacy)
    matrix = task_matrix(profiles, states, same_task)
    found, notes = candidates_of(matrix, weight, contract_hours)
    found = without_few(found, profiles, matrix, weight, privacy)
    intervals = _rank_intervals(found, matrix.reduced.jobs.height, rounds, seed)
    result = (
        found.table.join(intervals, on="key", how="left", maintain_order="left")
        .select(
            *("rank", "rank_low", "rank_high", "task_key", "task", "jobs", "jobs_h1", "families", "tasks"),
            *("h1_hours", "h1_hours_high", "share_of_h1", "validated_share", "level_agreement", "hours_coverage"),
            *("basis", "reason"),
        )
        .head(found.table.height if top is None else top)
    )
    return attach_metadata(
        result,
        meaning_of(
            matrix.reduced,
            staffed=weight == "headcount",
            measure="automation_candidates",
            value=f"known hours of a task at {_LEVEL}, the least they can be",
            unit="hours per week",
            basis=weight,
            interval=_said_interval(intervals, rounds, seed),
            policy=(
                "Exposure says what could change, not who leaves.",
                f"Tasks are ordered by the hours known at {_LEVEL}; what is not known moves none up.",
                *_people_policy(weight),
                *left_out(found),
                *((f"The first {result.height:,} of {found.table.height:,} tasks are shown.",) * (top is not None)),
            ),
            warnings=(*notes, *matrix.warnings),
        ),
    )


def candidates_of(
    matrix: TaskMatrix, weight: StaffWeight, contract_hours: float | None = None
) -> tuple[Candidates, tuple[str, ...]]:
    """Find the tasks that a job has at H1 and on whose level jobs do not disagree, with notes on the bounds."""
    rest, notes = undocumented_hours(matrix.reduced, contract_hours)
    staff = pl.col("headcount") if weight == "headcount" else pl.lit(1.0)
    people = matrix.reduced.jobs.select("job", staff=staff).join(rest, on="job", how="left", maintain_order="left")
    at_level = pl.col("level") == _LEVEL
    rows = (
        matrix.rows.filter(at_level | (pl.col("level") == NOT_ASSESSED))
        .filter(at_level.any().over("key"))
        .join(people, on="job", how="left", maintain_order="left")
        .with_columns(amount=pl.col("hours") * pl.col("staff"))
    )
    sums = _hours_at_level(rows)
    total = float(sums.get_column("h1_hours").sum())
    table = (
        sums.join(per_task(matrix).drop("hours"), on="key", how="left", maintain_order="left")
        .join(level_agreement(matrix), on="key", how="left", maintain_order="left")
        .join(matrix.keys, on="key", how="left", maintain_order="left")
        .rename({"name": "task_key"})
        .with_columns(
            basis=pl.lit(weight),
            share_of_h1=pl.col("h1_hours") / total if total else pl.lit(None, dtype=pl.Float64),
            validated_share=share_of(pl.col("n_validated"), pl.col("tasks")),
            hours_coverage=share_of(pl.col("tasks_with_hours"), pl.col("tasks")),
        )
    )
    agreed = pl.col("level_agreement").fill_null(1.0) >= _AGREED
    contested = table.filter(~agreed)
    tied = pl.col("h1_hours").round(DIGITS)
    table = (
        table.filter(agreed)
        .sort(tied, "task_key", descending=[True, False], nulls_last=True)
        .with_columns(rank=tied.rank("min", descending=True).cast(pl.UInt32))
    )
    rows = rows.filter(at_level)
    amounts = rows.filter(pl.col("amount").is_not_null()).select("key", "job", "staff", "hours")
    hours = float(contested.get_column("h1_hours").sum())
    return Candidates(table, amounts, total, contested.height, hours, rows.select("key", "job")), notes


def _hours_at_level(rows: pl.DataFrame) -> pl.DataFrame:
    """Add up ``jobs_h1, h1_hours, h1_hours_high`` by task, with the ``reason`` where hours are null."""
    at_level = pl.col("level") == _LEVEL
    known, open_rest = pl.col("amount").filter(at_level), pl.col("rest") * pl.col("staff")
    is_open = (pl.col("n_known") < pl.col("n")) & pl.col("staff").is_not_null()
    nobody, without_hours = pl.col("staffed") == 0, pl.col("h1_hours").is_null()
    high = pl.col("h1_hours").fill_null(0.0) + pl.col("without_level") + pl.col("open_rest")
    return (
        rows.group_by("key", maintain_order=True)
        .agg(
            jobs_h1=at_level.sum().cast(pl.UInt32),
            staffed=pl.col("staff").filter(at_level).count(),
            h1_hours=pl.when(known.count() > 0).then(known.sum()),
            without_level=pl.col("amount").filter(~at_level).sum(),
            open_rest=open_rest.filter(is_open).sum(),
            no_week=open_rest.filter(is_open).null_count(),
        )
        .with_columns(h1_hours_high=pl.when((pl.col("no_week") == 0) & ~nobody).then(high))
        .with_columns(
            reason=pl.when(without_hours & nobody)
            .then(pl.lit("NO_HEADCOUNT"))
            .when(without_hours)
            .then(pl.lit("NO_HOURS"))
            .when(pl.col("h1_hours_high").is_null())
            .then(pl.lit("NO_CONTRACT_HOURS"))
        )
    )


def without_few(
    found: Candidates, profiles: TaskProfiles, matrix: TaskMatrix, weight: StaffWeight, privacy: Privacy | None
) -> Candidates:
    """Take out the tasks that tell of too few jobs or people; the places of the others do not tell of them either."""
    if privacy is None or privacy.off:
        return found
    amounts = found.amounts.select("key", "job")
    layers = {"rated": found.rated, "staffed" if weight == "headcount" else "measured": amounts}
    own = {name: pairs.join(found.table, on="key", how="semi") for name, pairs in layers.items()}
    few = keys_of_few(own, people_of(profiles, matrix.reduced.jobs), privacy)
    table = found.table.join(few.to_frame(), on="key", how="anti", maintain_order="left").with_columns(
        rank=pl.col("h1_hours").round(DIGITS).rank("min", descending=True).cast(pl.UInt32)
    )
    return found._replace(table=table, few=few.len())


def left_out(found: Candidates) -> tuple[str, ...]:
    """Note which tasks are not candidates although a job has them at H1."""
    of_hours = f" with {found.contested_hours:,.1f} hours at {_LEVEL}" if found.few is None else ""
    contested = (
        f"{found.contested:,} tasks{of_hours} are left out: fewer than half of the pairs of jobs that rated them gave "
        "them the same level."
    )
    few = f"{found.few or 0:,} tasks are left out because too few jobs or people have them at {_LEVEL}."
    return (*((contested,) * bool(found.contested)), *((few,) * bool(found.few)))


def checked_people(profiles: TaskProfiles, weight: StaffWeight) -> None:
    """Refuse a basis that is none, or that the jobs have no column for."""
    check_choice("weight", weight, StaffWeight)
    if weight == "headcount":
        check_headcount(columns_of_jobs(profiles))


def _people_policy(weight: StaffWeight) -> tuple[str, ...]:
    if weight == "headcount":
        return ("Hours are times the headcount of the job; jobs without a headcount add none.",)
    return ("Hours are for one incumbent of each job.",)


def _check_rounds(rounds: int, seed: int) -> None:
    if not is_whole(rounds) or rounds != 0:
        expected = f"a whole number from {_ROUNDS_LEAST} to {_ROUNDS_MOST:,}, or 0 for no intervals"
        check_whole("rounds", rounds, expected, least=_ROUNDS_LEAST, most=_ROUNDS_MOST)
    check_whole("seed", seed, "a whole number")


def _said_interval(intervals: pl.DataFrame, rounds: int, seed: int) -> str:
    if not intervals.height:
        return ""
    return (
        f"ranks lie within rank_low and rank_high in 95 % of {rounds:,} Poisson resamples of the jobs (seed {seed}); "
        "it says how much the order hangs on single jobs"
    )


def _rank_intervals(found: Candidates, jobs: int, rounds: int, seed: int) -> pl.DataFrame:
    """Return ``key, rank_low, rank_high`` of the first candidates; no rows where resamples say nothing."""
    pool = found.table.filter(pl.col("rank").is_not_null()).head(_POOL).select("key").with_row_index("place")
    rows = (
        found.amounts.join(pool, on="key", maintain_order="left")
        .select("place", "job", amount=pl.col("hours") * pl.col("staff"))
        .sort("place", "job")
    )
    if not rounds or jobs < _ENOUGH_JOBS or not rows.height:
        return pl.DataFrame(schema={"key": pool.schema["key"], "rank_low": pl.UInt32, "rank_high": pl.UInt32})
    drawn = rows.get_column("job").unique().sort()
    at = drawn.search_sorted(rows.get_column("job"))
    amount = rows.get_column("amount")
    ranks, part = [], []
    for number, level_weights in enumerate(poisson_weights(drawn, rounds, seed)):
        part.append((level_weights.gather(at) * amount).alias(str(number)))
        if len(part) == _AT_ONCE or number == rounds - 1:
            sums = rows.select("place").hstack(part).group_by("place").sum().sort("place").drop("place")
            ranks.append(sums.select(pl.all().round(DIGITS).rank("min", descending=True).cast(pl.UInt32)))
            part = []
    in_order = pl.concat(ranks, how="horizontal").select(ranks=pl.concat_list(pl.all()).list.sort())
    least, most = math.floor(0.025 * (rounds - 1)), math.ceil(0.975 * (rounds - 1))
    return (
        pool.hstack(in_order.select(rank_low=pl.col("ranks").list.get(least), rank_high=pl.col("ranks").list.get(most)))
        .head(_INTERVALS)
        .drop("place")
    )
