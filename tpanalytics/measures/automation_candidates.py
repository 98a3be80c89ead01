"""Ranking of tasks by highly automatable weekly hours."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import polars as pl

from tpanalytics.formatting import plural
from tpanalytics.measures._core.aggregate import family_or_none, share_of
from tpanalytics.measures._core.bootstrap import poisson_weights
from tpanalytics.measures._core.cache import cached
from tpanalytics.measures._core.checks import check_choice, check_whole, is_whole
from tpanalytics.measures._core.groups import BY_FAMILY, group_columns
from tpanalytics.measures._core.metadata import attach_metadata, meaning_of
from tpanalytics.measures._core.scenario import CAPACITY_NOTE, undocumented_hours
from tpanalytics.measures._core.snapshots import check_one_snapshot
from tpanalytics.measures._core.staff import STAFF, with_staff
from tpanalytics.measures._core.task_identity import DIGITS, TaskMatrix, level_agreement, per_task, task_matrix
from tpanalytics.measures.privacy.group_counts import counts_fte, keys_of_small_groups, people_of
from tpanalytics.measures.privacy.policy import FTE_NOTE, check_privacy
from tpanalytics.schema import NOT_ASSESSED
from tpanalytics.typing import SameTask, StaffWeight

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tpanalytics.measures.privacy.policy import Privacy
    from tpanalytics.schema import TaskProfiles
    from tpanalytics.typing import By

__all__ = [
    "Candidates",
    "automation_candidates",
    "exclusion_notes",
    "find_candidates",
    "suppress_small_groups",
    "with_weight",
]

#: AI impact level of highly automatable tasks.
_LEVEL = "H1"
#: Minimum level agreement. Tasks below this value are excluded as contested.
_MIN_AGREEMENT = 0.5
#: Number of tasks to rank in each resample, and number of tasks that get an interval. We rank more tasks than we
#: report, since lower-ranked tasks can overtake the others.
_RANKED_TASKS, _TASKS_WITH_INTERVAL = 600, 300
_MIN_JOBS, _MIN_ROUNDS, _MAX_ROUNDS = 5, 100, 100_000
#: Process resamples in batches of this size to limit memory use.
_BATCH_SIZE = 50


class Candidates(NamedTuple):
    """Tasks that at least one job rates as H1.

    Attributes
    ----------
    table
        One row per candidate, with ``key`` and all columns of `automation_candidates` except the rank intervals.
    amounts
        Known H1 hours by task and job, per week and incumbent. Columns are ``key, job, staff, hours``.
    total
        Total known H1 hours, including the hours of excluded tasks.
    contested, contested_hours
        Number and total H1 hours of the tasks excluded because jobs disagree on the level.
    rated
        Jobs that rate each task as H1. Columns are ``key, job``.
    n_suppressed
        Number of suppressed tasks, or None if suppression is off.
    counts_fte
        Whether full-time equivalents count as people in a job, because its people are unknown.
    """

    table: pl.DataFrame
    amounts: pl.DataFrame
    total: float
    contested: int
    contested_hours: float
    rated: pl.DataFrame
    n_suppressed: int | None = None
    counts_fte: bool = False


@cached
def automation_candidates(
    profiles: TaskProfiles,
    *,
    by: By = BY_FAMILY,
    weight: StaffWeight = "hours",
    same_task: SameTask = "id",
    contract_hours: float | None = None,
    top: int | None = None,
    rounds: int = 1000,
    seed: int = 0,
    states: Sequence[str] | None = None,
    privacy: Privacy | None = None,
) -> pl.DataFrame:
    """Rank tasks by weekly hours known to be highly automatable (H1).

    Missing hours are excluded, not counted as zero, so ``h1_hours`` is null if none of a task's H1 hours are known.
    Hours without a level only affect the upper bound ``h1_hours_high``. The same goes for undocumented contract hours
    in jobs that list the task without hours. Tasks are ranked by their lower bound, ``h1_hours``. A task is excluded if
    fewer than half of the job pairs that rated it agree on the level.

    Parameters
    ----------
    profiles
        Task profiles. Uses ``job_id, job_family`` and, if present, ``contract_hours`` (hours per week) from `jobs`, and
        ``job_id, task_id, task, ai_impact_level, validation_state, weekly_hours`` (hours per week) from `tasks`.
        The weights ``"headcount"`` (people) and ``"fte"`` (full-time equivalents) also use that column of `jobs`.
    by
        Columns of the jobs, people or tasks whose groups are counted for each task, such as the countries that have it.
        The other figures are of all jobs together, whatever the groups.
    weight
        ``"hours"`` counts each job once. ``"headcount"`` multiplies each job's hours by its people and ``"fte"`` by its
        full-time equivalents, excluding jobs without them.
    same_task
        Match tasks by ``"id"``, or by ``"text"`` ignoring case and whitespace. Without ids, texts are compared.
        Matching rows of the same job are merged and their hours added up. Conflicting levels count as not assessed
        unless the validated rows agree.
    contract_hours
        Weekly contract hours to assume for jobs without any. This only affects ``h1_hours_high``. If None, nothing is
        assumed.
    top
        Maximum number of rows to return. If None, all rows are returned.
    rounds
        Number of bootstrap resamples for the rank intervals, from 100 to 100,000. Use 0 to skip the intervals.
    seed
        Seed for the random number generator.
    states
        Validation states to include. None means ``profiles.manifest["states"]``, or validated and suggested.
    privacy
        Suppress tasks that involve fewer jobs or people than these limits. If None, no tasks are suppressed.

    Returns
    -------
    pl.DataFrame
        One row per task that at least one job rates as H1, sorted by ``h1_hours`` in descending order (nulls last) and
        then by ``task_key``. Hours are per week.

        ===================  =======  =====================================================================
        ``rank``             UInt32   1 for the most ``h1_hours``; ties share a rank; null if hours are null
        ``rank_low``         UInt32   lower end of the 95% interval; only for the first 300 tasks and at least 5 jobs
        ``rank_high``        UInt32   upper end; only the first 600 tasks are ranked in the resamples
        ``task_key``         String   task id or normalised text, depending on `same_task`
        ``task``             String   task text; the alphabetically first if there are several
        ``jobs``             UInt32   jobs that have the task, at any level
        ``jobs_h1``          UInt32   jobs that rate the task as H1
        ``families``         UInt32   job families with the task; null if `jobs` has no families. With other columns in
                                      `by`, ``groups`` with the task
        ``tasks``            UInt32   task rows in all jobs
        ``h1_hours``         Float64  known H1 hours (lower bound)
        ``h1_hours_high``    Float64  upper bound; null if contract hours are required but missing
        ``share_of_h1``      Float64  share of all known H1 hours, 0 to 1
        ``validated_share``  Float64  share of ``tasks`` that are validated, 0 to 1, among those
                                      with a state
        ``level_agreement``  Float64  share of job pairs that agree on the level, 0 to 1; null if fewer
                                      than 2 jobs rated the task
        ``hours_coverage``   Float64  share of ``tasks`` that have hours, 0 to 1
        ``basis``            String   the `weight`
        ``reason``           String   why ``h1_hours`` (``NO_HOURS``, ``NO_HEADCOUNT``) or ``h1_hours_high``
                                      (``NO_CONTRACT_HOURS``) is null
        ===================  =======  =====================================================================

    Raises
    ------
    SchemaError
        If a required column is missing.
    ArgumentError
        If an argument is invalid.

    Warns
    -----
    TpAnalyticsWarning
        If tasks with an unrecognised validation state are ignored.

    Notes
    -----
    Let h be a task's hours, N the headcount (or 1), and R a job's undocumented contract hours. Let o be 1 if the job
    lists the task without hours, either at H1 or without a level, and 0 otherwise. Then ``h1_hours = Σ N·h at H1`` and
    ``h1_hours_high = h1_hours + Σ N·h without level + Σ N·R·o`` (Manski, 2005, *Partial identification with missing
    data*). Don't add up upper bounds across tasks, since a job's undocumented hours can only be used once. Rank
    intervals are computed with a Poisson bootstrap over jobs.

    Examples
    --------
    >>> from tpanalytics import automation_candidates, load_sample
    >>> first = automation_candidates(load_sample(), top=1)
    >>> first.select("task", "jobs", "h1_hours", "h1_hours_high", "rank_low", "rank_high").row(0)
    ('Compile the monthly key figures of the department from the source systems', 18, 28.5, 50.5, 1, 22)
    """
    check_one_snapshot(profiles=profiles)
    check_choice("weight", weight, StaffWeight)
    _check_rounds(rounds, seed)
    if top is not None:
        check_whole("top", top, least=1)
    check_privacy(privacy)
    matrix = with_weight(task_matrix(profiles, states, same_task, by=family_or_none(profiles)), weight)
    candidates, warnings = find_candidates(matrix, weight, contract_hours)
    candidates = suppress_small_groups(candidates, profiles, matrix, weight, privacy)
    counted, table = "families", candidates.table
    if by not in (BY_FAMILY, [BY_FAMILY], (BY_FAMILY,)):
        counted, n_groups = "groups", _groups_of_tasks(profiles, states, same_task, by)
        table = table.join(n_groups, on="task_key", how="left", maintain_order="left").with_columns(
            pl.col("groups").fill_null(0)
        )
    intervals = _rank_intervals(candidates, matrix.reduced.jobs.height, rounds, seed)
    result = (
        table.join(intervals, on="key", how="left", maintain_order="left")
        .select(
            *("rank", "rank_low", "rank_high", "task_key", "task", "jobs", "jobs_h1", counted, "tasks"),
            *("h1_hours", "h1_hours_high", "share_of_h1", "validated_share", "level_agreement", "hours_coverage"),
            *("basis", "reason"),
        )
        .head(candidates.table.height if top is None else top)
    )
    return attach_metadata(
        result,
        meaning_of(
            matrix.reduced,
            columns=group_columns(profiles, None),
            staffed=weight in STAFF,
            measure="automation_candidates",
            value=f"known {_LEVEL} hours of a task (lower bound)",
            unit="hours per week",
            basis=weight,
            interval=_interval_note(intervals, rounds, seed),
            policy=(
                CAPACITY_NOTE,
                f"Tasks are ranked by known {_LEVEL} hours; missing data do not raise a rank.",
                _weight_note(weight),
                *exclusion_notes(candidates),
                *(
                    (f"The first {result.height:,} of {candidates.table.height:,} tasks are shown.",)
                    * (top is not None)
                ),
            ),
            warnings=(*warnings, *matrix.warnings),
        ),
    )


def _groups_of_tasks(profiles: TaskProfiles, states: Sequence[str] | None, same_task: SameTask, by: By) -> pl.DataFrame:
    """Count the groups with each task, as ``task_key, groups``."""
    matrix = task_matrix(profiles, states, same_task, by=by)
    groups = matrix.rows.join(matrix.reduced.jobs.select("job", "group"), on="job").group_by("key")
    counts = groups.agg(groups=pl.col("group").n_unique().cast(pl.UInt32))
    return counts.join(matrix.keys, on="key").select("groups", task_key="name")


def find_candidates(
    matrix: TaskMatrix, weight: StaffWeight, contract_hours: float | None = None
) -> tuple[Candidates, tuple[str, ...]]:
    """Return all uncontested tasks that at least one job rates as H1, plus warnings about assumed contract hours."""
    rest, warnings = undocumented_hours(matrix.reduced, contract_hours)
    staff = pl.col("headcount") if weight in STAFF else pl.lit(1.0)
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
            validated_share=share_of(pl.col("n_validated"), pl.col("tasks") - pl.col("n_stateless")),
            hours_coverage=share_of(pl.col("tasks_with_hours"), pl.col("tasks")),
        )
    )
    agreed = pl.col("level_agreement").fill_null(1.0) >= _MIN_AGREEMENT
    contested = table.filter(~agreed)
    rounded_hours = pl.col("h1_hours").round(DIGITS)
    table = (
        table.filter(agreed)
        .sort(rounded_hours, "task_key", descending=[True, False], nulls_last=True)
        .with_columns(rank=rounded_hours.rank("min", descending=True).cast(pl.UInt32))
    )
    rows = rows.filter(at_level)
    amounts = rows.filter(pl.col("amount").is_not_null()).select("key", "job", "staff", "hours")
    hours = float(contested.get_column("h1_hours").sum())
    return Candidates(table, amounts, total, contested.height, hours, rows.select("key", "job")), warnings


def _hours_at_level(rows: pl.DataFrame) -> pl.DataFrame:
    at_level = pl.col("level") == _LEVEL
    known, open_rest = pl.col("amount").filter(at_level), pl.col("rest") * pl.col("staff")
    is_open = (pl.col("n_known") < pl.col("n")) & pl.col("staff").is_not_null()
    no_headcount, without_hours = pl.col("staffed") == 0, pl.col("h1_hours").is_null()
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
        .with_columns(h1_hours_high=pl.when((pl.col("no_week") == 0) & ~no_headcount).then(high))
        .with_columns(
            reason=pl.when(without_hours & no_headcount)
            .then(pl.lit("NO_HEADCOUNT"))
            .when(without_hours)
            .then(pl.lit("NO_HOURS"))
            .when(pl.col("h1_hours_high").is_null())
            .then(pl.lit("NO_CONTRACT_HOURS"))
        )
    )


def suppress_small_groups(
    candidates: Candidates, profiles: TaskProfiles, matrix: TaskMatrix, weight: StaffWeight, privacy: Privacy | None
) -> Candidates:
    """Remove tasks that would reveal a small group, and re-rank the rest."""
    if privacy is None or privacy.off:
        return candidates
    amounts = candidates.amounts.select("key", "job")
    layers = {"rated": candidates.rated, "staffed" if weight in STAFF else "measured": amounts}
    visible_layers = {name: pairs.join(candidates.table, on="key", how="semi") for name, pairs in layers.items()}
    small_groups = keys_of_small_groups(visible_layers, people_of(profiles, matrix.reduced.jobs), privacy)
    table = candidates.table.join(small_groups.to_frame(), on="key", how="anti", maintain_order="left").with_columns(
        rank=pl.col("h1_hours").round(DIGITS).rank("min", descending=True).cast(pl.UInt32)
    )
    fte = bool(privacy.min_headcount) and counts_fte(profiles, None)
    return candidates._replace(table=table, n_suppressed=small_groups.len(), counts_fte=fte)


def exclusion_notes(candidates: Candidates) -> tuple[str, ...]:
    """Return notes on excluded and suppressed tasks."""
    hours = f" with {candidates.contested_hours:,.1f} hours at {_LEVEL}" if candidates.n_suppressed is None else ""
    fte = f" {FTE_NOTE}" * candidates.counts_fte
    groups = (
        (candidates.contested, hours, "most pairs of jobs disagree on the level."),
        (candidates.n_suppressed, "", f"too few jobs or people are involved (small group).{fte}"),
    )
    texts = ((f"{plural(n, 'task')}{hours}", "is" if n == 1 else "are", cause) for n, hours, cause in groups if n)
    return tuple(f"{tasks} {verb} left out because {cause}" for tasks, verb, cause in texts)


def with_weight(matrix: TaskMatrix, weight: StaffWeight) -> TaskMatrix:
    """Store the people or full-time equivalents that `weight` counts in the ``headcount`` column of the jobs."""
    return matrix._replace(reduced=with_staff(matrix.reduced, weight))


def _weight_note(weight: StaffWeight) -> str:
    if weight in STAFF:
        without = "a headcount" if weight == "headcount" else STAFF[weight]
        return f"Hours are multiplied by the {STAFF[weight]} of the job. Jobs without {without} are excluded."
    return "Hours are for one incumbent of each job."


def _check_rounds(rounds: int, seed: int) -> None:
    if not is_whole(rounds) or rounds != 0:
        expected = f"a whole number from {_MIN_ROUNDS} to {_MAX_ROUNDS:,}, or 0 for no intervals"
        check_whole("rounds", rounds, expected, least=_MIN_ROUNDS, most=_MAX_ROUNDS)
    check_whole("seed", seed, "a whole number")


def _interval_note(intervals: pl.DataFrame, rounds: int, seed: int) -> str:
    if not intervals.height:
        return ""
    return f"95% interval of the rank from {rounds:,} Poisson resamples of the jobs (seed {seed})"


def _rank_intervals(candidates: Candidates, n_jobs: int, rounds: int, seed: int) -> pl.DataFrame:
    pool = (
        candidates.table.filter(pl.col("rank").is_not_null()).head(_RANKED_TASKS).select("key").with_row_index("place")
    )
    rows = (
        candidates.amounts.join(pool, on="key", maintain_order="left")
        .select("place", "job", amount=pl.col("hours") * pl.col("staff"))
        .sort("place", "job")
    )
    if not rounds or n_jobs < _MIN_JOBS or not rows.height:
        return pl.DataFrame(schema={"key": pool.schema["key"], "rank_low": pl.UInt32, "rank_high": pl.UInt32})
    jobs = rows.get_column("job").unique().sort()
    index = jobs.search_sorted(rows.get_column("job"))
    amount = rows.get_column("amount")
    ranks, batch = [], []
    for number, job_weights in enumerate(poisson_weights(jobs, rounds, seed)):
        batch.append((job_weights.gather(index) * amount).alias(str(number)))
        if len(batch) == _BATCH_SIZE or number == rounds - 1:
            sums = rows.select("place").hstack(batch).group_by("place").sum().sort("place").drop("place")
            ranks.append(sums.select(pl.all().round(DIGITS).rank("min", descending=True).cast(pl.UInt32)))
            batch = []
    sorted_ranks = pl.concat(ranks, how="horizontal").select(ranks=pl.concat_list(pl.all()).list.sort())
    low, high = math.floor(0.025 * (rounds - 1)), math.ceil(0.975 * (rounds - 1))
    return (
        pool.hstack(
            sorted_ranks.select(rank_low=pl.col("ranks").list.get(low), rank_high=pl.col("ranks").list.get(high))
        )
        .head(_TASKS_WITH_INTERVAL)
        .drop("place")
    )
