"""Whether a comparison of two families holds under every choice, and allowing for all missing data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import polars as pl

from tpanalytics.errors import SchemaError
from tpanalytics.formatting import html_lines
from tpanalytics.measures._core.aggregate import aggregate_tasks, known_sum, n_stated, share_of
from tpanalytics.measures._core.bootstrap import ENOUGH_JOBS, checked_rounds, resample
from tpanalytics.measures._core.bounds import hours_bounds, index_bounds, share_bounds
from tpanalytics.measures._core.cache import cached
from tpanalytics.measures._core.checks import check_choice, checked_week, no_family
from tpanalytics.measures._core.level_sums import attach_staffing, level_sums
from tpanalytics.measures._core.metadata import grade_of
from tpanalytics.measures._core.specifications import MEASURES, SAME, agrees, figures_of, job_parts, specifications
from tpanalytics.measures._core.weights import WEIGHTS, checked_weights, unmapped
from tpanalytics.schema import NO_FAMILY, NOT_ASSESSED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tpanalytics.schema import TaskProfiles
    from tpanalytics.typing import ClaimMeasure, Verdict

__all__ = ["Claim", "check_claim", "read_claim"]

_Pair = tuple[float | None, float | None]

#: Share of resamples that must agree with a robust claim.
_RESAMPLES = 0.95


@dataclass(frozen=True, kw_only=True)
class Claim:
    """What became of a claim; print it, or read its attributes.

    Attributes
    ----------
    claim
        As it was read: ``"Finance > Sales"``.
    measure, unit
        What is compared, and in which unit.
    left, right
        The two families.
    figure_left, figure_right
        Their figures; None where not defined.
    holds
        Whether the figures are as claimed; None where one is not defined.
    verdict
        ``"robust"``, ``"fragile"`` or ``"undetermined"``; see `check_claim` for the rule.
    because
        Sentences: what keeps the claim from being robust; empty where it is.
    specifications
        One row per way to work the figures out: ``basis, states, jobs, h2_weight, figure_left, figure_right, agrees``.
    specifications_agree
        Share of those in which both figures are defined that agree with the claim, 0 to 1; None where there is none.
    resamples_agree
        Share of the resamples of jobs that agree, 0 to 1; None below 5 jobs on a side.
    bounds_left, bounds_right
        Least and most each figure can be, given what is not known; None where contract hours are needed and missing.
    bounds_separate
        Whether all that is possible is as claimed; None where a bound is not known.
    break_even
        Weight of H2 at which the order of the two turns, within 0 and 1; None where it does not, and for measures
        that have no weights.
    jobs_left, jobs_right
        Jobs that are in the figures.
    grade_left, grade_right
        A, B or C by how much of each figure is known; None for a family without tasks.
    rounds, seed
        Of the resamples.
    warnings
        Sentences that belong beside the verdict.
    """

    claim: str
    measure: str
    unit: str
    left: str
    right: str
    figure_left: float | None
    figure_right: float | None
    holds: bool | None
    verdict: Verdict
    because: tuple[str, ...]
    specifications: pl.DataFrame = field(repr=False, compare=False)
    specifications_agree: float | None
    resamples_agree: float | None
    bounds_left: tuple[float, float] | None
    bounds_right: tuple[float, float] | None
    bounds_separate: bool | None
    break_even: float | None
    jobs_left: int
    jobs_right: int
    grade_left: str | None
    grade_right: str | None
    rounds: int
    seed: int
    warnings: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Format the verdict, the figures and each source of doubt as lines of text."""
        defined = self.specifications.get_column("agrees").drop_nulls()
        sides = (
            (self.left, self.figure_left, self.bounds_left, self.jobs_left, self.grade_left),
            (self.right, self.figure_right, self.bounds_right, self.jobs_right, self.grade_right),
        )
        lines = [
            f"{self.claim} ({self.measure}; {self.unit}): {self.verdict}.",
            *(
                f"{name}: {_figure_text(figure)}, possible {_range_text(bounds)}; {jobs:,} jobs, grade {grade or '-'}."
                for name, figure, bounds, jobs, grade in sides
            ),
            f"{int(defined.sum()):,} of {defined.len():,} ways to work it out agree.",
            "Too few jobs, or no figure, to draw jobs again."
            if self.resamples_agree is None
            else f"{self.resamples_agree:.1%} of {self.rounds:,} resamples of jobs agree (seed {self.seed}).",
            *([f"The order turns where H2 weighs {self.break_even:.2f}."] if self.break_even is not None else []),
            *self.because,
            *(f"Warning: {warning}" for warning in self.warnings),
        ]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        return html_lines(str(self))


@cached
def check_claim(
    profiles: TaskProfiles,
    claim: str,
    *,
    measure: ClaimMeasure = "exposure",
    level_weights: Mapping[str, float] = WEIGHTS,
    rounds: int = 2000,
    seed: int = 0,
    contract_hours: float | None = None,
) -> Claim:
    """Say whether a comparison of two families is robust, fragile, or cannot be determined.

    Four sources of doubt are looked at one by one and never blended: choices (every way to work the figures out),
    which jobs are in the data (resamples), what is not known (bounds), and the weight of H2 (break-even). A missing
    hour is never a zero, a missing level never a level.

    The verdict is the first of these that fits:

    ``"undetermined"``
        a figure is not defined; or a side has fewer than 5 jobs in its figure; or a side is of grade C; or one
        side's bounds lie within the other's and a side is not of grade A.
    ``"robust"``
        the figures are as claimed; and so are those of all ways to work them out in which both are defined; and those
        of at least 95 % of the resamples; and the bounds are, whatever is not known, as claimed, or both sides are of
        grade A, so that at most a tenth is not known.
    ``"fragile"``
        all else, a claim that the figures contradict among it; ``because`` says what it fails on.

    The ways are every combination of: basis hours, tasks (for shares and the index) or headcount (where there is
    any); all counted tasks or the validated alone; all jobs or those all of whose tasks have hours; and, for the
    index, a weight for H2 of 0, 0.25, 0.5, 0.75, 1. The figures themselves are by hours, of validated and suggested
    tasks, of all jobs, with the `level_weights` as they are.

    Parameters
    ----------
    profiles
        Reads ``job_id, job_family`` and where present ``headcount`` (full-time equivalents) and ``contract_hours``
        (hours per week) of `jobs`, and ``job_id, ai_impact_level, validation_state, weekly_hours`` (hours per week)
        of `tasks`.
    claim
        Two families with ``>`` or ``<`` between them, like ``"Finance > Sales"``. Names may hold these signs too; in
        double quotes where it could be read in several ways.
    measure
        ``"exposure"``, the index; ``"hours"``, the sum of described hours; ``"hours_per_job"``, their mean over jobs
        with hours; ``"h1_share"``, the share of the hours that are at H1.
    level_weights
        Weight of each level, 0 to 1. A level that is not among them counts as unknown.
    rounds
        How many resamples of jobs to draw, 100 to 100,000; of a sum each draws as many jobs as there are.
    seed
        Whole number; the same one gives the same result.
    contract_hours
        Hours per week that jobs without contract hours of their own are taken to have, for the bounds alone; None
        takes none.

    Returns
    -------
    Claim
        Print it, or read its attributes. The bounds of ``"hours_per_job"`` are those of the mean over jobs with tasks.

    Raises
    ------
    SchemaError
        If a column is missing, a family is not known, the claim can be read in several ways, or an argument is not as
        above.

    Warns
    -----
    TpAnalyticsWarning
        If tasks are in a state that is neither counted nor ``rejected``.

    Examples
    --------
    >>> from tpanalytics import load_sample
    >>> found = check_claim(load_sample(), "Finance > Sales", rounds=200)
    >>> found.verdict, found.holds
    ('undetermined', True)
    """
    check_choice("measure", measure, MEASURES)
    level_weights, week = checked_weights(level_weights), checked_week(contract_hours)
    checked_rounds(rounds, seed)
    reduced = aggregate_tasks(profiles, by_state=True)
    families = reduced.jobs.get_column("job_family").unique().sort().to_list()
    read = read_claim(claim, sorted(families, key=lambda family: (family == NO_FAMILY, family)))
    left, sign, right = read
    of_both = pl.col("job_family").is_in([left, right])
    jobs, by_state = reduced.jobs.filter(of_both), reduced.cells.filter(of_both)
    cells = by_state.group_by("job", "job_family", "level", maintain_order=True).agg(
        pl.col("n", "n_known", "n_imputed").sum(), hours=known_sum("hours")
    )
    b = level_weights.get("H2")
    parts = job_parts(jobs, cells, measure, "hours", level_weights)
    figures = figures_of(parts, measure, b)
    n_jobs = dict(parts.filter(pl.col("whole") > 0).group_by("job_family").len().rows())
    counts = n_jobs.get(left, 0), n_jobs.get(right, 0)
    pair: _Pair = (figures.get(left), figures.get(right))
    grades = _grades(cells, measure, level_weights)
    bounds = _bounds(attach_staffing(jobs, cells, contract_hours=week), measure, level_weights)
    table = specifications(jobs, by_state, measure, level_weights, read)
    share: float | None = None
    if min(counts) >= ENOUGH_JOBS:
        share = _resampled(parts, jobs, read, measure, b, rounds, seed)
    agree = table.get_column("agrees").drop_nulls()
    both = bounds.get(left), bounds.get(right)
    separate = _separate(both[0], sign, both[1])
    holds = agrees(pair[0], sign, pair[1])
    graded = grades.get(left), grades.get(right)
    undetermined = _undetermined(read, pair, counts, graded, both)
    doubts = () if undetermined else _doubts(agree, share, graded, separate=separate, holds=holds)
    strange = unmapped(cells.get_column("level").to_list(), level_weights) if measure == "exposure" else []
    return Claim(
        claim=f"{left} {sign} {right}",
        measure=MEASURES[measure][0],
        unit=MEASURES[measure][1],
        left=left,
        right=right,
        figure_left=pair[0],
        figure_right=pair[1],
        holds=holds,
        verdict="undetermined" if undetermined else "fragile" if doubts else "robust",
        because=undetermined or doubts,
        specifications=table,
        specifications_agree=float(agree.sum()) / agree.len() if agree.len() else None,
        resamples_agree=share,
        bounds_left=both[0],
        bounds_right=both[1],
        bounds_separate=separate,
        break_even=_break_even(parts, left, right) if measure == "exposure" and b is not None else None,
        jobs_left=counts[0],
        jobs_right=counts[1],
        grade_left=graded[0],
        grade_right=graded[1],
        rounds=rounds,
        seed=seed,
        warnings=(f"Levels without a weight count as unknown: {', '.join(strange)}.",) if strange else (),
    )


def read_claim(claim: str, families: list[str]) -> tuple[str, str, str]:
    """Return the left family, ``>`` or ``<``, and the right family; raise SchemaError where that is not clear."""
    if not isinstance(claim, str):
        raise SchemaError(f"claim={claim!r}: give it as text, like 'Finance > Sales'.")
    cuts = [i for i, sign in enumerate(claim) if sign in "<>"]
    if not cuts:
        raise SchemaError(f"claim={claim!r}: put > or < between two families, like 'Finance > Sales'.")
    sides = [(_family(claim[:i], families), claim[i], _family(claim[i + 1 :], families)) for i in cuts]
    ways = sorted({(left, sign, right) for left, sign, right in sides if left is not None and right is not None})
    if len(ways) > 1:
        listed = " or ".join(f'"{left}" {sign} "{right}"' for left, sign, right in ways)
        raise SchemaError(f"claim={claim!r} can be read as {listed}; put the families in double quotes.")
    if ways:
        left, sign, right = ways[0]
        if left == right:
            raise SchemaError(f"claim={claim!r}: both sides are {left!r}; compare two families.")
        return left, sign, right
    # The cut at which most is known is the one that was meant.
    best = max(range(len(cuts)), key=lambda i: (sides[i][0] is not None) + (sides[i][2] is not None))
    texts = claim[: cuts[best]].strip(), claim[cuts[best] + 1 :].strip()
    found = sides[best][0], sides[best][2]
    unknown = [text for text, family in zip(texts, found, strict=True) if family is None]
    raise SchemaError(f"claim={claim!r}: {'; '.join(no_family(text, families) for text in unknown)}.")


def _family(text: str, families: list[str]) -> str | None:
    text = text.strip()
    for name in (text, text[1:-1] if len(text) > 1 and text[0] == text[-1] == '"' else text):
        if name in families:
            return name
        alike = [family for family in families if family.strip().casefold() == name.strip().casefold()]
        if len(alike) == 1:
            return alike[0]
    return None


def _grades(cells: pl.DataFrame, measure: str, level_weights: Mapping[str, float]) -> dict[str, str | None]:
    """Grade each family by the share of its tasks that are in the figure, or could be at H1."""
    known = {"exposure": pl.col("level").is_in(list(level_weights)), "h1_share": pl.col("level") != NOT_ASSESSED}
    covered = n_stated.filter(known.get(measure, pl.lit(value=True))).sum() / pl.col("n").sum()
    return {family: grade_of(share) for family, share in cells.group_by("job_family").agg(covered).rows()}


def _bounds(cells: pl.DataFrame, measure: str, level_weights: Mapping[str, float]) -> dict[str, tuple[float, float]]:
    """Bound each family's figure; one with an unknown bound is left out."""
    if measure == "h1_share":
        found = share_bounds(cells, "H1").filter(pl.col("level") == "H1").drop("level")
    elif measure == "exposure":
        found = index_bounds(level_sums(cells, "job_family"), level_weights, "job_family")
    else:
        found = hours_bounds(level_sums(cells, "job_family"))
        if measure == "hours_per_job":
            jobs = cells.group_by("job_family").agg(jobs=pl.col("job").n_unique())
            found = found.join(jobs, on="job_family").select(
                "job_family", pl.col("bound_low", "bound_high") / pl.col("jobs")
            )
    return {family: (low, high) for family, low, high in found.drop_nulls().rows()}


def _resampled(
    parts: pl.DataFrame,
    jobs: pl.DataFrame,
    read: tuple[str, str, str],
    measure: str,
    b: float | None,
    rounds: int,
    seed: int,
) -> float | None:
    """Return the share of resamples as claimed, among those in which both figures are defined."""
    left, sign, right = read
    named = parts.join(jobs.select("job", "job_id"), on="job", how="left").select(
        "job_family", "job_id", "whole", part=pl.col("part") + pl.col("part_h2") * (b or 0.0)
    )
    # A sum is a mean times how many there are: resampling asks which jobs, not how many.
    scale = pl.len().over("job_family") if measure == "hours" else pl.lit(1)
    scales = named.select("job_family", scale=scale).unique()
    drawn = (
        resample(named, rounds=rounds, seed=seed)
        .join(scales, on="job_family", how="left")
        .select("job_family", "round", figure=share_of(pl.col("part"), pl.col("whole")) * pl.col("scale"))
    )
    one, other = (drawn.filter(pl.col("job_family") == name).drop("job_family") for name in (left, right))
    more = one.join(other, on="round", suffix="_right").select(more=pl.col("figure") - pl.col("figure_right"))
    more = more.drop_nulls()
    if not more.height:
        return None
    as_claimed = pl.col("more") > SAME if sign == ">" else pl.col("more") < -SAME
    return float(more.select(as_claimed.mean()).item())


def _separate(left: tuple[float, float] | None, sign: str, right: tuple[float, float] | None) -> bool | None:
    if left is None or right is None:
        return None
    return left[0] - right[1] > SAME if sign == ">" else right[0] - left[1] > SAME


def _break_even(parts: pl.DataFrame, left: str, right: str) -> float | None:
    at_0, at_1 = (figures_of(parts, "exposure", b) for b in (0.0, 1.0))
    if left not in at_0 or right not in at_0:
        return None
    before, after = at_0[left] - at_0[right], at_1[left] - at_1[right]
    if min(abs(before), abs(after)) <= SAME or before * after > 0:
        return None
    return before / (before - after)


def _undetermined(
    read: tuple[str, str, str],
    figures: _Pair,
    jobs: tuple[int, int],
    grades: tuple[str | None, str | None],
    bounds: tuple[tuple[float, float] | None, tuple[float, float] | None],
) -> tuple[str, ...]:
    """Return why there can be no verdict."""
    why = []
    for name, figure, n, graded in zip((read[0], read[2]), figures, jobs, grades, strict=True):
        if figure is None:
            lacking = "no task that counts" if graded is None else "no hours that it could be worked out of"
            why.append(f"{name} has no figure: {lacking}.")
        elif n < ENOUGH_JOBS:
            why.append(f"{name} has {n} job{'s' * (n != 1)} in its figure, fewer than {ENOUGH_JOBS}.")
        elif graded == "C":
            why.append(f"Less than 70 % of {name} is known (grade C).")
    one, other = bounds
    if one is not None and other is not None and not why and set(grades) != {"A"}:
        within = one[0] <= other[0] <= other[1] <= one[1] or other[0] <= one[0] <= one[1] <= other[1]
        if within:
            why.append("What one family's figure can be lies within what the other's can be.")
    return tuple(why)


def _doubts(
    agree: pl.Series,
    share: float | None,
    grades: tuple[str | None, str | None],
    *,
    separate: bool | None,
    holds: bool | None,
) -> tuple[str, ...]:
    """Return on what a claim fails."""
    doubts = [] if holds else ["The figures are not as claimed."]
    against = agree.len() - int(agree.sum())
    if against:
        doubts.append(f"{against:,} of {agree.len():,} ways to work it out do not agree.")
    if share is None or share < _RESAMPLES:
        doubts.append(f"{share or 0:.1%} of the resamples agree, less than {_RESAMPLES:.0%}.")
    if not separate and grades != ("A", "A"):
        doubts.append(
            "Contract hours are needed to bound what is not known, and are missing."
            if separate is None
            else "What is not known could turn the order."
        )
    return tuple(doubts)


def _figure_text(figure: float | None) -> str:
    return "no figure" if figure is None else f"{figure:,.3f}"


def _range_text(bounds: tuple[float, float] | None) -> str:
    return "range not known" if bounds is None else f"{bounds[0]:,.3f} to {bounds[1]:,.3f}"
