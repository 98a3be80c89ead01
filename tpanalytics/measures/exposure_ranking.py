"""Ranking of job families by exposure, with bootstrap intervals."""

from __future__ import annotations

from statistics import NormalDist
from typing import TYPE_CHECKING

import polars as pl

from tpanalytics.errors import ArgumentError
from tpanalytics.measures._core.aggregate import aggregate_tasks, share_of
from tpanalytics.measures._core.bootstrap import ENOUGH_JOBS, checked_rounds, resample
from tpanalytics.measures._core.cache import cached
from tpanalytics.measures._core.checks import checked_groups
from tpanalytics.measures._core.groups import BY_FAMILY
from tpanalytics.measures._core.metadata import attach_metadata, meaning_of
from tpanalytics.measures._core.staff import STAFF, checked_weight, with_staff, without_staff_note
from tpanalytics.measures._core.weights import WEIGHTS, checked_weights, job_sums, unmapped
from tpanalytics.measures.exposure import POTENTIAL_CHANGE
from tpanalytics.schema import NOT_ASSESSED
from tpanalytics.typing import StaffWeight

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tpanalytics.measures._core.aggregate import TaskCounts
    from tpanalytics.measures._core.metadata import Meaning
    from tpanalytics.schema import TaskProfiles
    from tpanalytics.typing import By

__all__ = ["exposure_ranking"]

#: Minimum number of jobs for a BCa interval.
_JOBS_FOR_BCA = 20
#: Round to this many decimals before ranking, so floating-point errors don't affect the ranks.
_DIGITS = 9
_NORMAL = NormalDist()
#: Confidence level of the inner interval. Showing two intervals makes it clear that neither is a hard limit.
INNER = 0.66


@cached
def exposure_ranking(
    profiles: TaskProfiles,
    *,
    by: By = BY_FAMILY,
    weight: StaffWeight | None = None,
    level_weights: Mapping[str, float] = WEIGHTS,
    confidence: float = 0.95,
    rounds: int = 2000,
    seed: int = 0,
    families: Sequence[str] | None = None,
    states: Sequence[str] | None = None,
) -> pl.DataFrame:
    """Rank job families by exposure, with bootstrap intervals for the index and the rank.

    The index is defined as in `exposure`, so tasks without hours or without a weighted level are excluded. The
    intervals describe how much the result depends on which jobs are in the data. They don't account for missing hours,
    wrong levels or the choice of weights. If the data includes every job in the catalogue, interpret the intervals as
    sensitivity to individual jobs.

    Parameters
    ----------
    profiles
        Task profiles. Uses ``job_id, job_family`` from `jobs` and ``job_id, ai_impact_level, validation_state,
        weekly_hours`` (hours per week) from `tasks`. The weights ``"headcount"`` and ``"fte"`` also use that column of
        `jobs` or `people`.
    by
        Group columns: a column of the jobs, people or tasks, several of them, ``"job_id"``, or None for all jobs
        together. With a column of people, figures count the people in each group by default, and jobs without people
        are in no group. With the weights ``"tasks"`` and ``"hours"``, a job counts once in every group that has it, so
        groups overlap. With a column of tasks, a job counts in every group where it has such a task.
    level_weights
        Weight of each level, 0 to 1. Levels without a weight count as not assessed.
    confidence
        Confidence level of the intervals, from 0.5 to 0.999.
    rounds
        Number of bootstrap resamples, from 100 to 100,000.
    seed
        Seed for the random number generator. The result does not depend on row order.
    weight
        ``"hours"`` counts each job once. ``"headcount"`` multiplies each job's hours by its people and ``"fte"`` by its
        full-time equivalents, excluding jobs without them. None means ``"headcount"`` if `by` has a column of people,
        and ``"hours"`` otherwise.
    families
        Job families to rank. All others are removed before ranking, so the ranks don't reveal anything about suppressed
        families. If None, all families are ranked.
    states
        Validation states to include. None means ``profiles.manifest["states"]``, or validated and suggested.

    Returns
    -------
    pl.DataFrame
        One row per ranked family, sorted by exposure in descending order (nulls last) and then by name. Intervals are
        null for families with fewer than 5 jobs.

        ========================  ============  ==========================================================
        ``job_family``            String        the columns in `by`
        ``exposure``              Float64       exposure index, 0 to 1; null if no hours have a weight
        ``interval_low``          Float64       lower end of the index interval
        ``interval_high``         Float64       upper end
        ``inner_low``             Float64       lower end of the 66% interval (or of `confidence`, if that is lower)
        ``inner_high``            Float64       upper end
        ``jobs``                  UInt32        jobs included in the index
        ``rank``                  UInt32        1 for the most exposed family; ties share the best rank; null if
                                                ``exposure`` is null
        ``rank_low``              UInt32        best rank in the interval
        ``rank_high``             UInt32        worst rank in the interval
        ``tied_with``             List[String]  other families with an overlapping rank interval, most exposed first;
                                                the data cannot distinguish between them
        ``method``                String        ``"BCa"`` or ``"percentile"``; null if the interval is null
        ``most_influential_job``  String        id of the job whose removal changes the index most, ties by id; null
                                                if the index is undefined without it
        ``influence``             Float64       index without that job minus the index
        ``reason``                String        why ``exposure`` is null (``NO_TASKS``, ``NO_HEADCOUNT``,
                                                ``NO_HOURS``, ``NO_LEVELS``) or its interval is (``TOO_FEW``)
        ========================  ============  ==========================================================

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
    Jobs are resampled within each family (Poisson bootstrap). Families with at least 20 jobs get a BCa interval for the
    index (Efron, 1987, *Better Bootstrap Confidence Intervals*, JASA 82). For a tail probability ``p``, it uses the
    quantile ``Phi(z0 + (z0 + z_p) / (1 - a (z0 + z_p)))``, where ``z0`` is the bias correction and ``a`` is the
    jackknife acceleration. Smaller families and ranks use percentile intervals. For ties within a resample,
    ``rank_low`` uses the best of the shared ranks and ``rank_high`` the worst. Families with fewer than 5 jobs keep
    their index in every resample, as do families without jobs in a resample.

    Examples
    --------
    >>> from tpanalytics import load_sample
    >>> ranks = exposure_ranking(load_sample(), rounds=500)
    >>> ranks.select("job_family", "rank", "rank_low", "rank_high").row(0)
    ('Field Service and Installation', 1, 1, 9)
    """
    level_weights = checked_weights(level_weights)
    _check_arguments(confidence, rounds, seed)
    weight = checked_weight(profiles, by, weight, StaffWeight)
    staffed = weight in STAFF
    reduced = with_staff(aggregate_tasks(profiles, states, by=by), weight)
    jobs = _jobs(reduced, level_weights, staffed=staffed)
    ranked = reduced.groups.table.select("group")
    if families is not None:
        ranked = ranked.filter(
            pl.col("group").is_in(checked_groups(families, ranked.get_column("group"), reduced.groups.noun))
        )
        jobs = jobs.join(ranked, on="group", how="semi", maintain_order="left")
    without_one = _without_one(jobs)
    ranking = ranked.join(_families(without_one), on="group", how="left").join(
        _reasons(reduced.jobs, reduced.cells, level_weights, staffed=staffed), on="group", how="left"
    )
    enough_jobs = jobs.filter(pl.len().over("group") >= ENOUGH_JOBS)
    resamples = resample(enough_jobs, rounds=rounds, seed=seed).with_columns(
        index=share_of(pl.col("part"), pl.col("whole"))
    )
    result = (
        ranking.join(_intervals(resamples, ranking, confidence), on="group", how="left")
        .join(_rank_intervals(resamples, ranking, confidence, rounds), on="group", how="left")
        .sort("rank", reduced.groups.order, nulls_last=True)
    )
    result = result.join(_ties(result), on="group", how="left", maintain_order="left").select(
        *("group", "exposure", "interval_low", "interval_high", "inner_low", "inner_high"),
        pl.col("jobs").fill_null(0).cast(pl.UInt32),
        *("rank", "rank_low", "rank_high", "tied_with", "method", "most_influential_job", "influence"),
        reason=pl.when(pl.col("exposure").is_null())
        .then("why_null")
        .when(pl.col("interval_low").is_null())
        .then(pl.lit("TOO_FEW")),
    )
    return attach_metadata(
        reduced.groups.named(result),
        _metadata(
            reduced,
            level_weights,
            result,
            weight=weight,
            interval=f"{confidence:.1%}, from {rounds:,} bootstrap resamples of the jobs in each group, seed {seed}",
            selected=families is not None,
        ),
    )


def _check_arguments(confidence: float, rounds: int, seed: int) -> None:
    checked_rounds(rounds, seed)
    if isinstance(confidence, bool) or not isinstance(confidence, int | float) or not 0.5 <= confidence <= 0.999:
        raise ArgumentError(f"`confidence` must be a number from 0.5 to 0.999, not {confidence!r}.")


def _jobs(reduced: TaskCounts, level_weights: Mapping[str, float], *, staffed: bool) -> pl.DataFrame:
    """Return the index numerator (``part``) and denominator (``whole``) for each job with weighted hours."""
    staff = pl.col("headcount") if staffed else pl.lit(1.0)
    return (
        job_sums(reduced.cells, level_weights)
        .join(reduced.jobs.select("job", "job_id", staff=staff), on="job", how="left")
        .select("group", "job_id", part=pl.col("exposed") * pl.col("staff"), whole=pl.col("weighed") * pl.col("staff"))
        .filter(pl.col("whole") > 0)
        .sort("group", "job_id")
    )


def _metadata(
    reduced: TaskCounts,
    level_weights: Mapping[str, float],
    result: pl.DataFrame,
    *,
    weight: StaffWeight,
    interval: str,
    selected: bool,
) -> Meaning:
    staffed = weight in STAFF
    times_staff = f" times {STAFF[weight]}" if staffed else ""
    unweighted = unmapped(reduced.cells.get_column("level").to_list(), level_weights)
    small = result.filter(pl.col("reason") == "TOO_FEW").height
    weighted = reduced._replace(
        cells=reduced.cells.with_columns(
            level=pl.when(pl.col("level").is_in(list(level_weights))).then("level").otherwise(pl.lit(NOT_ASSESSED))
        )
    )
    return meaning_of(
        weighted,
        staffed=staffed,
        measure="exposure_ranking",
        value=f"exposure index of {reduced.groups.a_group}'s work, and its rank",
        unit="share, 0 to 1",
        basis=weight,
        numerator=f"weekly hours times weight{times_staff}",
        denominator=f"weekly hours with a weight{times_staff}",
        level_weights=level_weights,
        interval=interval,
        policy=(
            POTENTIAL_CHANGE,
            "Tasks without hours or without a weighted level are excluded from the index, not counted as zero.",
            "Intervals describe sensitivity to which jobs are in the data, not missing hours or the choice of weights.",
            "Groups with overlapping rank intervals are not distinguishable.",
            *((f"Only the requested groups ({result.height}) are ranked.",) if selected else ()),
            *without_staff_note(weight),
        ),
        warnings=(
            *((f"Levels without a weight count as not assessed: {', '.join(unweighted)}.",) if unweighted else ()),
            *(
                (f"Groups with fewer than {ENOUGH_JOBS} jobs have no interval ({small}). Look at the jobs instead.",)
                if small
                else ()
            ),
        ),
    )


def _without_one(jobs: pl.DataFrame) -> pl.DataFrame:
    """Add the family's index with and without each job."""
    # Sum the jobs before and after each job. Subtracting from the total would lose precision.
    rest = [
        pl.col(name).cum_sum().shift(1, fill_value=0.0) + pl.col(name).cum_sum(reverse=True).shift(-1, fill_value=0.0)
        for name in ("part", "whole")
    ]
    part, whole = (pl.col(name).sum().over("group") for name in ("part", "whole"))
    return (
        jobs.with_columns(
            exposure=(part / whole).clip(0, 1),
            without=share_of(rest[0].over("group"), rest[1].over("group")).clip(0, 1),
        )
        .with_columns(influence=pl.col("without") - pl.col("exposure"))
        .with_columns(mean=pl.col("without").mean().over("group"))
    )


def _families(without_one: pl.DataFrame) -> pl.DataFrame:
    """Return the index, rank, most influential job and BCa acceleration (``skew``) for each family."""
    most_influential = pl.col("influence").abs().round(_DIGITS).arg_max().fill_null(0)
    deviation = pl.col("mean") - pl.col("without")
    variation = (deviation**2).sum()
    return (
        without_one.group_by("group", maintain_order=True)
        .agg(
            pl.col("exposure").first(),
            jobs=pl.len(),
            most_influential_job=pl.col("job_id").get(most_influential),
            influence=pl.col("influence").get(most_influential),
            skew=pl.when(variation > 0).then((deviation**3).sum() / (6 * variation**1.5)).otherwise(0.0),
        )
        .with_columns(
            most_influential_job=pl.when(pl.col("influence").is_not_null()).then("most_influential_job"),
            rank=pl.col("exposure").round(_DIGITS).rank("min", descending=True).cast(pl.UInt32),
        )
    )


def _reasons(
    jobs: pl.DataFrame, cells: pl.DataFrame, level_weights: Mapping[str, float], *, staffed: bool
) -> pl.DataFrame:
    """Return the reason to report for each family without an index."""
    has_weight = pl.col("level").is_in(list(level_weights))
    staff = pl.col("headcount") if staffed else pl.lit(1.0)
    available = (
        cells.join(jobs.select("job", staff=staff), on="job", how="left")
        .group_by("group")
        .agg(
            staffed=pl.col("staff").fill_null(0).max() > 0,
            hours=pl.col("n_known").sum() > 0,
            weighted=(has_weight & (pl.col("n_known") > 0)).any(),
        )
    )
    reason = (
        pl.when(pl.col("staffed").not_())
        .then(pl.lit("NO_HEADCOUNT"))
        .when(pl.col("hours").not_())
        .then(pl.lit("NO_HOURS"))
        .when(pl.col("weighted").not_())
        .then(pl.lit("NO_LEVELS"))
        .when(pl.col("weighted").is_null())
        .then(pl.lit("NO_TASKS"))
    )
    return (
        jobs.select(pl.col("group").unique())
        .join(available, on="group", how="left")
        .select("group", why_null=reason.otherwise(pl.lit("NO_HOURS")))
    )


def _intervals(resamples: pl.DataFrame, families: pl.DataFrame, confidence: float) -> pl.DataFrame:
    """Return the outer and inner index interval for each family."""
    deviation = (pl.col("index") - pl.col("exposure")).round(_DIGITS)
    statistics = (
        resamples.join(families.select("group", "exposure", "jobs", "skew"), on="group", how="left")
        .group_by("group", maintain_order=True)
        .agg(
            pl.col("jobs", "skew").first(),
            below=((deviation < 0).sum() + (deviation == 0).sum() / 2) / pl.col("index").count(),
        )
        .sort("group")
    )
    widths = {"interval": confidence, "inner": min(INNER, confidence)}
    quantiles = statistics.select("group")
    for name, share in widths.items():
        ends = [_ends(row["jobs"], row["skew"], row["below"], share) for row in statistics.iter_rows(named=True)]
        quantiles = quantiles.with_columns(
            pl.Series(f"{name}_low_at", [end[0] for end in ends], dtype=pl.Float64),
            pl.Series(f"{name}_high_at", [end[1] for end in ends], dtype=pl.Float64),
            pl.Series(f"{name}_method", [end[2] for end in ends], dtype=pl.String),
        )
    values = resamples.group_by("group").agg(values=pl.col("index").drop_nulls().sort())
    return quantiles.join(values, on="group", how="left").select(
        "group",
        *(
            _quantile("values", f"{name}_{side}_at").alias(f"{name}_{side}")
            for name in widths
            for side in ("low", "high")
        ),
        method="interval_method",
    )


def _ends(jobs: int, skew: float, below: float, confidence: float) -> tuple[float, float, str]:
    """Return the quantiles at both ends of the interval, along with the method name."""
    tails = (1 - confidence) / 2, (1 + confidence) / 2
    if jobs < _JOBS_FOR_BCA or not 0 < below < 1:
        return *tails, "percentile"
    z0 = _NORMAL.inv_cdf(below)
    corrected = []
    for tail in tails:
        z = z0 + _NORMAL.inv_cdf(tail)
        if skew * z >= 1:
            return *tails, "percentile"
        corrected.append(_NORMAL.cdf(z0 + z / (1 - skew * z)))
    return corrected[0], corrected[1], "BCa"


def _quantile(values: str, share: str) -> pl.Expr:
    """Return a quantile of sorted values, using linear interpolation."""
    position = pl.col(share) * (pl.col(values).list.len() - 1).cast(pl.Float64)
    low, high = position.floor(), position.ceil()
    at_low, at_high = (pl.col(values).list.get(at.cast(pl.Int64)) for at in (low, high))
    return at_low + (at_high - at_low) * (position - low)


def _rank_intervals(resamples: pl.DataFrame, families: pl.DataFrame, confidence: float, rounds: int) -> pl.DataFrame:
    """Rank all families in each resample. Families keep their index if none of their jobs are drawn."""
    indexed = families.filter(pl.col("exposure").is_not_null()).select("group", "exposure")
    every_round = pl.DataFrame({"round": pl.int_range(rounds, dtype=pl.UInt32, eager=True)})
    index = pl.coalesce("index", "exposure").round(_DIGITS)
    ranked = (
        indexed.join(every_round, how="cross")
        .join(resamples.select("group", "round", "index"), on=["group", "round"], how="left")
        .with_columns(
            best=index.rank("min", descending=True).over("round"),
            worst=index.rank("max", descending=True).over("round"),
        )
        .group_by("group")
        .agg(
            rank_low=pl.col("best").quantile((1 - confidence) / 2, interpolation="lower").cast(pl.UInt32),
            rank_high=pl.col("worst").quantile((1 + confidence) / 2, interpolation="higher").cast(pl.UInt32),
        )
    )
    return ranked.join(resamples.select(pl.col("group").unique()), on="group", how="semi")


def _ties(result: pl.DataFrame) -> pl.DataFrame:
    """For each family, find the others with an overlapping rank interval."""
    ranks = result.filter(pl.col("rank_low").is_not_null()).select("group", "rank_low", "rank_high")
    overlap = (pl.col("rank_low") <= pl.col("rank_high_other")) & (pl.col("rank_low_other") <= pl.col("rank_high"))
    tied = (
        ranks.join(ranks, how="cross", suffix="_other", maintain_order="left_right")
        .filter(overlap & (pl.col("group") != pl.col("group_other")))
        .group_by("group", maintain_order=True)
        .agg(tied_with=pl.col("group_other"))
    )
    no_ties = pl.lit([], dtype=pl.List(pl.String))
    return (
        ranks.select("group")
        .join(tied, on="group", how="left", maintain_order="left")
        .with_columns(pl.col("tied_with").fill_null(no_ties))
    )
