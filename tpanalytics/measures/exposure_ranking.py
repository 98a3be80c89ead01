"""Which family is more exposed than which, and how much that hangs on single jobs."""

from __future__ import annotations

from statistics import NormalDist
from typing import TYPE_CHECKING

import polars as pl

from tpanalytics.errors import SchemaError
from tpanalytics.measures._core.aggregate import aggregate_tasks, share_of
from tpanalytics.measures._core.bootstrap import ENOUGH_JOBS, checked_rounds, resample
from tpanalytics.measures._core.cache import cached
from tpanalytics.measures._core.checks import check_choice, check_headcount, checked_families
from tpanalytics.measures._core.metadata import attach_metadata, meaning_of
from tpanalytics.measures._core.weights import WEIGHTS, checked_weights, job_sums, unmapped
from tpanalytics.schema import COUNTED_STATES, NOT_ASSESSED
from tpanalytics.typing import StaffWeight

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tpanalytics.measures._core.aggregate import TaskCounts
    from tpanalytics.measures._core.metadata import Meaning
    from tpanalytics.schema import TaskProfiles

__all__ = ["exposure_ranking"]


#: From so many jobs on the interval is corrected for bias and skewness.
_JOBS_FOR_BCA = 20
#: Two figures nearer than this are the same; no rank may depend on how floats were added up.
_DIGITS = 9
_NORMAL = NormalDist()
#: Two widths keep readers from taking an interval for least and most: this one holds two thirds of the resamples.
INNER = 0.66


@cached
def exposure_ranking(
    profiles: TaskProfiles,
    *,
    level_weights: Mapping[str, float] = WEIGHTS,
    confidence: float = 0.95,
    rounds: int = 2000,
    seed: int = 0,
    weight: StaffWeight = "hours",
    families: Sequence[str] | None = None,
    states: Sequence[str] = COUNTED_STATES,
) -> pl.DataFrame:
    """Rank families by exposure, and say how far index and rank hang on which jobs are in the data.

    The index is the sum of hours times the weight of their level over the hours that have a weight; tasks without
    hours or without such a level are left out of it, they are not zero. Jobs are drawn again `rounds` times, families
    apart (Poisson bootstrap). The interval of the index is BCa (Efron, 1987, *Better bootstrap confidence intervals*,
    JASA 82) from 20 jobs on and percentile below: for the share ``p`` of the tail it takes the quantile
    ``Phi(z0 + (z0 + z_p) / (1 - a (z0 + z_p)))``, where ``z0`` is how far the resamples lie beside the index and ``a``
    how skewed the indexes without one job are. The interval of the rank is percentile. None of these says anything of
    missing hours, of levels that are wrong, or of the weights. If the data are the full catalogue of jobs, read them
    as how sensitive the figure is to single jobs.

    Parameters
    ----------
    profiles
        Reads ``job_id, job_family`` of `jobs`, for headcount also ``headcount`` (full-time equivalents), and
        ``job_id, ai_impact_level, validation_state, weekly_hours`` (hours per week) of `tasks`.
    level_weights
        Weight of each level, 0 to 1. A level that is not among them counts as unknown.
    confidence
        Share of resamples the intervals hold, within 0.5 and 0.999.
    rounds
        How many resamples to draw, 100 to 100,000.
    seed
        Whole number; the same one gives the same result, whatever the order of rows.
    weight
        ``"hours"`` counts each job once; ``"headcount"`` counts it once per full-time equivalent, leaving out jobs
        whose headcount is not known.
    families
        Families to rank, the others left out as if they were not there, so that no place tells of a family that is
        hidden; None ranks all.
    states
        Validation states that count.

    Returns
    -------
    pl.DataFrame
        One row per family, or per family in `families`, most exposed first, ties by name, families without an index
        last, by name.

        ========================  ============  ==========================================================
        ``job_family``            String        the family
        ``exposure``              Float64       its index, 0 to 1; null where no hours have a weight
        ``interval_low``          Float64       least of the interval; null below 5 jobs
        ``interval_high``         Float64       most of it
        ``inner_low``             Float64       least of the interval that holds 66 % of resamples, or `confidence` if
                                                that is less; null below 5 jobs
        ``inner_high``            Float64       most of it
        ``jobs``                  UInt32        jobs that are in the index
        ``rank``                  UInt32        1 is the most exposed; families that are equally exposed share the
                                                best of their places; null without an index
        ``rank_low``              UInt32        best place in the interval of the rank; null below 5 jobs
        ``rank_high``             UInt32        worst place in it
        ``tied_with``             List[String]  other families whose interval of the rank overlaps, most exposed
                                                first: data like these cannot tell them apart; null below 5 jobs
        ``method``                String        ``"BCa"`` or ``"percentile"``; null without an interval
        ``most_influential_job``  String        id of the job without which the index moves most, ties by id; null
                                                where a family would be left without an index
        ``influence``             Float64       by how much it then moves: index without the job minus index
        ``reason``                String        why ``exposure`` or its interval is null: a word of
                                                `metadata.NONE_BECAUSE`
        ========================  ============  ==========================================================

        Where families are equally exposed in a resample, the best of their places counts for ``rank_low``, the worst
        for ``rank_high``. Families below 5 jobs keep their index in each resample; so do others in a resample that
        holds none of their jobs.

    Raises
    ------
    SchemaError
        If a column is missing, ``headcount`` included when asked for, or an argument is not as above.

    Warns
    -----
    TpAnalyticsWarning
        If tasks are in a state that is neither counted nor ``rejected``.

    Examples
    --------
    >>> from tpanalytics import load_sample
    >>> ranks = exposure_ranking(load_sample(), rounds=500)
    >>> ranks.select("job_family", "rank", "rank_low", "rank_high").row(0)
    ('Field Service and Installation', 1, 1, 9)
    """
    level_weights = checked_weights(level_weights)
    _check_arguments(confidence, rounds, seed, weight)
    reduced = aggregate_tasks(profiles, states)
    staffed = weight == "headcount"
    if staffed:
        check_headcount(reduced.jobs.columns)
    jobs = _jobs(reduced, level_weights, staffed=staffed)
    ranked = reduced.jobs.select(pl.col("job_family").unique())
    if families is not None:
        ranked = ranked.filter(pl.col("job_family").is_in(checked_families(families, ranked.get_column("job_family"))))
        jobs = jobs.join(ranked, on="job_family", how="semi", maintain_order="left")
    without_one = _without_one(jobs)
    ranking = ranked.join(_families(without_one), on="job_family", how="left").join(
        _reasons(reduced.jobs, reduced.cells, level_weights, staffed=staffed), on="job_family", how="left"
    )
    enough = jobs.filter(pl.len().over("job_family") >= ENOUGH_JOBS)
    drawn = resample(enough, rounds=rounds, seed=seed).with_columns(index=share_of(pl.col("part"), pl.col("whole")))
    result = (
        ranking.join(_intervals(drawn, ranking, confidence), on="job_family", how="left")
        .join(_rank_intervals(drawn, ranking, confidence, rounds), on="job_family", how="left")
        .sort(pl.col("rank"), "job_family", nulls_last=True)
    )
    result = result.join(_ties(result), on="job_family", how="left", maintain_order="left").select(
        *("job_family", "exposure", "interval_low", "interval_high", "inner_low", "inner_high"),
        pl.col("jobs").fill_null(0).cast(pl.UInt32),
        *("rank", "rank_low", "rank_high", "tied_with", "method", "most_influential_job", "influence"),
        reason=pl.when(pl.col("exposure").is_null())
        .then("why_none")
        .when(pl.col("interval_low").is_null())
        .then(pl.lit("TOO_FEW")),
    )
    return attach_metadata(
        result,
        _metadata(
            reduced,
            level_weights,
            result,
            weight=weight,
            interval=f"{confidence:.1%} of {rounds:,} resamples of jobs, families apart, seed {seed}",
            asked=families is not None,
        ),
    )


def _check_arguments(confidence: float, rounds: int, seed: int, weight: StaffWeight) -> None:
    checked_rounds(rounds, seed)
    if isinstance(confidence, bool) or not isinstance(confidence, int | float) or not 0.5 <= confidence <= 0.999:
        raise SchemaError(
            f"confidence={confidence!r}: give the share of resamples an interval holds, from 0.5 to 0.999."
        )
    check_choice("weight", weight, StaffWeight)


def _jobs(reduced: TaskCounts, level_weights: Mapping[str, float], *, staffed: bool) -> pl.DataFrame:
    """Return ``job_family, job_id, part, whole`` of the jobs that are in the index."""
    staff = pl.col("headcount") if staffed else pl.lit(1.0)
    return (
        job_sums(reduced.cells, level_weights)
        .join(reduced.jobs.select("job", "job_id", staff=staff), on="job", how="left")
        .select(
            "job_family", "job_id", part=pl.col("exposed") * pl.col("staff"), whole=pl.col("weighed") * pl.col("staff")
        )
        .filter(pl.col("whole") > 0)
        .sort("job_family", "job_id")
    )


def _metadata(
    reduced: TaskCounts,
    level_weights: Mapping[str, float],
    result: pl.DataFrame,
    *,
    weight: StaffWeight,
    interval: str,
    asked: bool,
) -> Meaning:
    staffed = weight == "headcount"
    strange = unmapped(reduced.cells.get_column("level").to_list(), level_weights)
    few = result.filter(pl.col("reason") == "TOO_FEW").height
    known = reduced._replace(
        cells=reduced.cells.with_columns(
            level=pl.when(pl.col("level").is_in(list(level_weights))).then("level").otherwise(pl.lit(NOT_ASSESSED))
        )
    )
    return meaning_of(
        known,
        staffed=staffed,
        measure="exposure_ranking",
        value="exposure index of a family's work, and its place among families",
        unit="share, 0 to 1",
        basis=weight,
        numerator="weekly hours times weight" + " times full-time equivalents" * staffed,
        denominator="weekly hours with a weight" + " times full-time equivalents" * staffed,
        level_weights=level_weights,
        interval=interval,
        policy=(
            "Exposure says what could change, not who leaves.",
            "Tasks without hours or without a level that has a weight are left out; they are not zero.",
            "Intervals say how much hangs on which jobs are in the data; nothing of missing hours or of weights.",
            "Families whose intervals of the rank overlap cannot be told apart by these jobs.",
            *((f"Ranked are {result.height} families that were asked for.",) if asked else ()),
            *(("Jobs without a headcount are left out.",) if staffed else ()),
        ),
        warnings=(
            *((f"Levels without a weight count as unknown: {', '.join(strange)}.",) if strange else ()),
            *((f"{few} families have fewer than {ENOUGH_JOBS} jobs: look at the jobs instead.",) if few else ()),
        ),
    )


def _without_one(jobs: pl.DataFrame) -> pl.DataFrame:
    """Attach to each job its family's index, and the index without the job."""
    # What comes before the job and what comes after: a difference of sums would leave dust where little is left.
    rest = [
        pl.col(name).cum_sum().shift(1, fill_value=0.0) + pl.col(name).cum_sum(reverse=True).shift(-1, fill_value=0.0)
        for name in ("part", "whole")
    ]
    part, whole = (pl.col(name).sum().over("job_family") for name in ("part", "whole"))
    return (
        jobs.with_columns(
            exposure=(part / whole).clip(0, 1),
            without=share_of(rest[0].over("job_family"), rest[1].over("job_family")).clip(0, 1),
        )
        .with_columns(influence=pl.col("without") - pl.col("exposure"))
        .with_columns(mean=pl.col("without").mean().over("job_family"))
    )


def _families(without_one: pl.DataFrame) -> pl.DataFrame:
    """Return each family's index, rank, most influential job, and the skewness of the indices without one job."""
    strength = pl.col("influence").abs().round(_DIGITS)
    first = strength.arg_max()
    off = pl.col("mean") - pl.col("without")
    spread = (off**2).sum()
    return (
        without_one.group_by("job_family", maintain_order=True)
        .agg(
            pl.col("exposure").first(),
            jobs=pl.len(),
            most_influential_job=pl.col("job_id").get(first.fill_null(0)),
            influence=pl.col("influence").get(first.fill_null(0)),
            skew=pl.when(spread > 0).then((off**3).sum() / (6 * spread**1.5)).otherwise(0.0),
        )
        .with_columns(
            most_influential_job=pl.when(pl.col("influence").is_not_null()).then("most_influential_job"),
            rank=pl.col("exposure").round(_DIGITS).rank("min", descending=True).cast(pl.UInt32),
        )
    )


def _reasons(
    jobs: pl.DataFrame, cells: pl.DataFrame, level_weights: Mapping[str, float], *, staffed: bool
) -> pl.DataFrame:
    """Return why a family would have no index."""
    weighed = pl.col("level").is_in(list(level_weights))
    staff = pl.col("headcount") if staffed else pl.lit(1.0)
    seen = (
        cells.join(jobs.select("job", staff=staff), on="job", how="left")
        .group_by("job_family")
        .agg(
            staffed=pl.col("staff").fill_null(0).max() > 0,
            hours=pl.col("n_known").sum() > 0,
            weighed=(weighed & (pl.col("n_known") > 0)).any(),
        )
    )
    why = (
        pl.when(pl.col("staffed").not_())
        .then(pl.lit("NO_HEADCOUNT"))
        .when(pl.col("hours").not_())
        .then(pl.lit("NO_HOURS"))
        .when(pl.col("weighed").not_())
        .then(pl.lit("NO_LEVELS"))
        .when(pl.col("weighed").is_null())
        .then(pl.lit("NO_TASKS"))
    )
    return (
        jobs.select(pl.col("job_family").unique())
        .join(seen, on="job_family", how="left")
        .select("job_family", why_none=why.otherwise(pl.lit("NO_HOURS")))
    )


def _intervals(drawn: pl.DataFrame, families: pl.DataFrame, confidence: float) -> pl.DataFrame:
    """Return both intervals of each family's index, each end a quantile of its resamples."""
    off = (pl.col("index") - pl.col("exposure")).round(_DIGITS)
    places = (
        drawn.join(families.select("job_family", "exposure", "jobs", "skew"), on="job_family", how="left")
        .group_by("job_family", maintain_order=True)
        .agg(
            pl.col("jobs", "skew").first(),
            below=((off < 0).sum() + (off == 0).sum() / 2) / pl.col("index").count(),
        )
        .sort("job_family")
    )
    widths = {"interval": confidence, "inner": min(INNER, confidence)}
    asked = places.select("job_family")
    for name, share in widths.items():
        ends = [_ends(row["jobs"], row["skew"], row["below"], share) for row in places.iter_rows(named=True)]
        asked = asked.with_columns(
            pl.Series(f"{name}_low_at", [end[0] for end in ends], dtype=pl.Float64),
            pl.Series(f"{name}_high_at", [end[1] for end in ends], dtype=pl.Float64),
            pl.Series(f"{name}_method", [end[2] for end in ends], dtype=pl.String),
        )
    values = drawn.group_by("job_family").agg(values=pl.col("index").drop_nulls().sort())
    return asked.join(values, on="job_family", how="left").select(
        "job_family",
        *(
            _quantile("values", f"{name}_{side}_at").alias(f"{name}_{side}")
            for name in widths
            for side in ("low", "high")
        ),
        method="interval_method",
    )


def _ends(jobs: int, skew: float, below: float, confidence: float) -> tuple[float, float, str]:
    """Return the shares of resamples between which the interval lies, and the method."""
    tails = (1 - confidence) / 2, (1 + confidence) / 2
    if jobs < _JOBS_FOR_BCA or not 0 < below < 1:
        return *tails, "percentile"
    z0 = _NORMAL.inv_cdf(below)
    moved = []
    for tail in tails:
        z = z0 + _NORMAL.inv_cdf(tail)
        if skew * z >= 1:
            return *tails, "percentile"
        moved.append(_NORMAL.cdf(z0 + z / (1 - skew * z)))
    return moved[0], moved[1], "BCa"


def _quantile(values: str, share: str) -> pl.Expr:
    """Look up a share of sorted values, linear between two of them."""
    place = pl.col(share) * (pl.col(values).list.len() - 1).cast(pl.Float64)
    low, high = place.floor(), place.ceil()
    at_low, at_high = (pl.col(values).list.get(at.cast(pl.Int64)) for at in (low, high))
    return at_low + (at_high - at_low) * (place - low)


def _rank_intervals(drawn: pl.DataFrame, families: pl.DataFrame, confidence: float, rounds: int) -> pl.DataFrame:
    """Rank all families in each resample; one that was not drawn keeps its index."""
    indexed = families.filter(pl.col("exposure").is_not_null()).select("job_family", "exposure")
    every_round = pl.DataFrame({"round": pl.int_range(rounds, dtype=pl.UInt32, eager=True)})
    place = pl.coalesce("index", "exposure").round(_DIGITS)
    ranked = (
        indexed.join(every_round, how="cross")
        .join(drawn.select("job_family", "round", "index"), on=["job_family", "round"], how="left")
        .with_columns(
            best=place.rank("min", descending=True).over("round"),
            worst=place.rank("max", descending=True).over("round"),
        )
        .group_by("job_family")
        .agg(
            rank_low=pl.col("best").quantile((1 - confidence) / 2, interpolation="lower").cast(pl.UInt32),
            rank_high=pl.col("worst").quantile((1 + confidence) / 2, interpolation="higher").cast(pl.UInt32),
        )
    )
    return ranked.join(drawn.select(pl.col("job_family").unique()), on="job_family", how="semi")


def _ties(result: pl.DataFrame) -> pl.DataFrame:
    """List for each family with an interval of the rank those whose interval overlaps."""
    own = result.filter(pl.col("rank_low").is_not_null()).select("job_family", "rank_low", "rank_high")
    overlap = (pl.col("rank_low") <= pl.col("rank_high_other")) & (pl.col("rank_low_other") <= pl.col("rank_high"))
    tied = (
        own.join(own, how="cross", suffix="_other", maintain_order="left_right")
        .filter(overlap & (pl.col("job_family") != pl.col("job_family_other")))
        .group_by("job_family", maintain_order=True)
        .agg(tied_with=pl.col("job_family_other"))
    )
    alone = pl.lit([], dtype=pl.List(pl.String))
    return (
        own.select("job_family")
        .join(tied, on="job_family", how="left", maintain_order="left")
        .with_columns(pl.col("tied_with").fill_null(alone))
    )
