"""Robustness checks for comparisons between two job families."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import polars as pl

from tpanalytics.errors import SchemaError
from tpanalytics.formatting import html_lines, plural
from tpanalytics.measures._core.aggregate import aggregate_tasks, known_sum, n_stated, share_of
from tpanalytics.measures._core.bootstrap import ENOUGH_JOBS, checked_rounds, resample
from tpanalytics.measures._core.bounds import hours_bounds, index_bounds, share_bounds
from tpanalytics.measures._core.cache import cached
from tpanalytics.measures._core.checks import check_choice, checked_week, unknown_group_message
from tpanalytics.measures._core.groups import BY_FAMILY
from tpanalytics.measures._core.level_sums import attach_staffing, level_sums
from tpanalytics.measures._core.metadata import grade_of
from tpanalytics.measures._core.specifications import MEASURES, SAME, agrees, figures_of, job_parts, specifications
from tpanalytics.measures._core.weights import WEIGHTS, checked_weights, unmapped
from tpanalytics.schema import NOT_ASSESSED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tpanalytics.schema import TaskProfiles
    from tpanalytics.typing import By, ClaimMeasure, Verdict

__all__ = ["Claim", "check_claim", "parse_claim"]

_Pair = tuple[float | None, float | None]

#: Minimum share of resamples that must agree for a claim to be robust.
_MIN_AGREEMENT = 0.95


@dataclass(frozen=True, kw_only=True)
class Claim:
    """The result of `check_claim`. Print it, or access its individual attributes.

    Attributes
    ----------
    claim
        The parsed claim, such as ``"Finance > Sales"``.
    measure, unit
        Description and unit of the figure to compare.
    left, right
        The two job families.
    figure_left, figure_right
        The figure for each family, or None if it is undefined.
    holds
        Whether the figures support the claim, or None if either is undefined.
    verdict
        ``"robust"``, ``"fragile"`` or ``"undetermined"``. See `check_claim` for the definitions.
    because
        Reasons why the claim is not robust. Empty for robust claims.
    specifications
        One row per specification: ``basis, states, jobs, h2_weight, figure_left, figure_right, agrees``.
    specifications_agree
        Share of specifications that agree with the claim, 0 to 1. Specifications with an undefined figure are ignored.
        None if no specifications are left.
    resamples_agree
        Share of bootstrap resamples that agree with the claim, 0 to 1, or None if either family has fewer than 5 jobs.
    bounds_left, bounds_right
        Lower and upper bound for each figure, allowing for missing data, or None if required contract hours are
        missing.
    bounds_separate
        Whether the claim is true for all values within the bounds, or None if a bound is unknown.
    break_even
        H2 weight between 0 and 1 at which the families swap places. None if they don't, or if the measure does not use
        weights.
    jobs_left, jobs_right
        Number of jobs included in the figures.
    grade_left, grade_right
        Data grade for each figure (A, B or C), or None if the family has no tasks.
    rounds, seed
        Number of bootstrap resamples, and the random seed.
    warnings
        Warnings to print with the verdict.
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
        """Return the verdict, the figures and the result of each check as text."""
        defined = self.specifications.get_column("agrees").drop_nulls()
        sides = (
            (self.left, self.figure_left, self.bounds_left, self.jobs_left, self.grade_left),
            (self.right, self.figure_right, self.bounds_right, self.jobs_right, self.grade_right),
        )
        lines = [
            f"{self.claim} ({self.measure}; {self.unit}): {self.verdict}.",
            *(
                f"{name}: {_figure_text(figure)}, {_bounds_text(bounds)}, {plural(jobs, 'job')}, grade {grade or '-'}."
                for name, figure, bounds, jobs, grade in sides
            ),
            f"{int(defined.sum()):,} of {defined.len():,} specifications agree.",
            "Too few jobs for bootstrap resamples."
            if self.resamples_agree is None
            else f"{self.resamples_agree:.1%} of {self.rounds:,} bootstrap resamples agree (seed {self.seed}).",
            *([f"The order changes at an H2 weight of {self.break_even:.2f}."] if self.break_even is not None else []),
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
    by: By = BY_FAMILY,
    measure: ClaimMeasure = "exposure",
    level_weights: Mapping[str, float] = WEIGHTS,
    rounds: int = 2000,
    seed: int = 0,
    contract_hours: float | None = None,
) -> Claim:
    """Check whether a comparison of two job families is robust, fragile or undetermined.

    Four separate checks test whether the claim depends on the specification, on which jobs are in the data (bootstrap),
    on missing data (bounds) or on the H2 weight (break-even). Missing hours are excluded, not counted as zero, and
    missing levels count as not assessed.

    The verdict is the first of these that applies:

    ``"undetermined"``
        A figure is undefined, is based on fewer than 5 jobs, or has data grade C. A claim is also undetermined if one
        family's bounds are within the other's, unless both families have grade A.
    ``"robust"``
        The figures support the claim, and so do at least 95% of the resamples and all specifications in which both
        figures are defined. In addition, the claim is true for all values within the bounds, or both families have
        grade A.
    ``"fragile"``
        All other cases, including claims that are contradicted by the figures. See ``because`` for the reasons.

    The specifications are all combinations of these choices:

    - weight by hours, tasks (only shares and the index) or headcount (if available)
    - all tasks or only validated tasks
    - all jobs or only jobs with hours for all tasks
    - an H2 weight of 0, 0.25, 0.5, 0.75 or 1 (only the index)

    The reported figures are weighted by hours and include all jobs and both validated and suggested tasks.

    Parameters
    ----------
    profiles
        Task profiles. Uses ``job_id, job_family`` and, if present, ``headcount`` (people) and
        ``contract_hours`` (hours per week) from `jobs`, and ``job_id, ai_impact_level, validation_state, weekly_hours``
        (hours per week) from `tasks`.
    by
        Group columns: a column of the jobs, people or tasks, several of them, ``"job_id"``, or None for all jobs
        together. A job counts once in every group that has it, so groups by a column of people or tasks overlap. With a
        column of tasks, these are the groups where it has such a task. Jobs without people are in a group such as
        ``(no country)``.
    claim
        Two job families separated by ``>`` or ``<``, such as ``"Finance > Sales"``. If a name contains one of these
        characters and makes the claim ambiguous, put the names in double quotes.
    measure
        The figure to compare. ``"exposure"`` is the exposure index, ``"hours"`` is the sum of documented hours,
        ``"hours_per_job"`` is their mean over jobs with hours, and ``"h1_share"`` is the share of hours at H1.
    level_weights
        Weight of each level, 0 to 1. Levels without a weight count as not assessed.
    rounds
        Number of bootstrap resamples, from 100 to 100,000. Sums are scaled to the original number of jobs in every
        resample.
    seed
        Seed for the random number generator.
    contract_hours
        Weekly contract hours to assume for jobs without any. This only affects the bounds. If None, nothing is assumed.

    Returns
    -------
    Claim
        The verdict and the evidence for it. Bounds for ``"hours_per_job"`` are for the mean over all jobs with tasks.

    Raises
    ------
    SchemaError
        If a required column is missing, a family does not exist, the claim is ambiguous or an argument is invalid.

    Warns
    -----
    TpAnalyticsWarning
        If tasks with an unrecognised validation state are ignored.

    Examples
    --------
    >>> from tpanalytics import load_sample
    >>> claim = check_claim(load_sample(), "Finance > Sales", rounds=200)
    >>> claim.verdict, claim.holds
    ('undetermined', True)
    """
    check_choice("measure", measure, MEASURES)
    level_weights, week = checked_weights(level_weights), checked_week(contract_hours)
    checked_rounds(rounds, seed)
    reduced = aggregate_tasks(profiles, by=by, by_state=True)
    parsed = parse_claim(claim, reduced.groups.table.get_column("group").to_list(), reduced.groups.noun)
    left, sign, right = parsed
    in_either = pl.col("group").is_in([left, right])
    jobs, cells_by_state = reduced.jobs.filter(in_either), reduced.cells.filter(in_either)
    cells = cells_by_state.group_by("job", "group", "level", maintain_order=True).agg(
        pl.col("n", "n_known", "n_imputed").sum(), hours=known_sum("hours")
    )
    b = level_weights.get("H2")
    parts = job_parts(jobs, cells, measure, "hours", level_weights)
    figures = figures_of(parts, measure, b)
    n_jobs = dict(parts.filter(pl.col("whole") > 0).group_by("group").len().rows())
    counts = n_jobs.get(left, 0), n_jobs.get(right, 0)
    pair: _Pair = (figures.get(left), figures.get(right))
    grades = _grades(cells, measure, level_weights)
    bounds = _bounds(attach_staffing(jobs, cells, contract_hours=week), measure, level_weights)
    table = specifications(jobs, cells_by_state, measure, level_weights, parsed)
    share: float | None = None
    if min(counts) >= ENOUGH_JOBS:
        share = _share_of_resamples(parts, jobs, parsed, measure, b, rounds, seed)
    agree = table.get_column("agrees").drop_nulls()
    bounds_left, bounds_right = bounds.get(left), bounds.get(right)
    separate = _separate(bounds_left, sign, bounds_right)
    holds = agrees(pair[0], sign, pair[1])
    grade_pair = grades.get(left), grades.get(right)
    undetermined = _undetermined(parsed, pair, counts, grade_pair, (bounds_left, bounds_right))
    doubts = () if undetermined else _doubts(agree, share, grade_pair, separate=separate, holds=holds)
    unweighted = unmapped(cells.get_column("level").to_list(), level_weights) if measure == "exposure" else []
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
        bounds_left=bounds_left,
        bounds_right=bounds_right,
        bounds_separate=separate,
        break_even=_break_even(parts, left, right) if measure == "exposure" and b is not None else None,
        jobs_left=counts[0],
        jobs_right=counts[1],
        grade_left=grade_pair[0],
        grade_right=grade_pair[1],
        rounds=rounds,
        seed=seed,
        warnings=(f"Levels without a weight count as not assessed: {', '.join(unweighted)}.",) if unweighted else (),
    )


def parse_claim(claim: str, groups: list[str], noun: str = "job family") -> tuple[str, str, str]:
    """Split a claim into left group, sign and right group, or raise a `SchemaError`."""
    if not isinstance(claim, str):
        raise SchemaError(f"`claim` must be a string like 'Finance > Sales', not {claim!r}.")
    splits = [i for i, sign in enumerate(claim) if sign in "<>"]
    if not splits:
        raise SchemaError(f"`claim` must contain > or <, like 'Finance > Sales', not {claim!r}.")
    sides = [(_match_group(claim[:i], groups), claim[i], _match_group(claim[i + 1 :], groups)) for i in splits]
    readings = sorted({(left, sign, right) for left, sign, right in sides if left is not None and right is not None})
    if len(readings) > 1:
        listed = " or ".join(f'"{left}" {sign} "{right}"' for left, sign, right in readings)
        raise SchemaError(f"`claim` {claim!r} is ambiguous: {listed}. Put the names in double quotes.")
    if readings:
        left, sign, right = readings[0]
        if left == right:
            raise SchemaError(f"`claim` must compare two different groups, not {left!r} with itself.")
        return left, sign, right
    # For the error message, use the split that matches the most groups.
    best = max(range(len(splits)), key=lambda i: (sides[i][0] is not None) + (sides[i][2] is not None))
    texts = claim[: splits[best]].strip(), claim[splits[best] + 1 :].strip()
    matches = sides[best][0], sides[best][2]
    unknown = [text for text, group in zip(texts, matches, strict=True) if group is None]
    raise SchemaError(f"`claim` {claim!r}: {'; '.join(unknown_group_message(text, groups, noun) for text in unknown)}.")


def _match_group(text: str, groups: list[str]) -> str | None:
    text = text.strip()
    for name in (text, text[1:-1] if len(text) > 1 and text[0] == text[-1] == '"' else text):
        if name in groups:
            return name
        matches = [group for group in groups if group.strip().casefold() == name.strip().casefold()]
        if len(matches) == 1:
            return matches[0]
    return None


def _grades(cells: pl.DataFrame, measure: str, level_weights: Mapping[str, float]) -> dict[str, str | None]:
    """Return each family's data grade, based on the share of tasks included in the figure."""
    known = {"exposure": pl.col("level").is_in(list(level_weights)), "h1_share": pl.col("level") != NOT_ASSESSED}
    covered = n_stated.filter(known.get(measure, pl.lit(value=True))).sum() / pl.col("n").sum()
    return {family: grade_of(share) for family, share in cells.group_by("group").agg(covered).rows()}


def _bounds(cells: pl.DataFrame, measure: str, level_weights: Mapping[str, float]) -> dict[str, tuple[float, float]]:
    """Return bounds on the figure by family, omitting families with unknown bounds."""
    if measure == "h1_share":
        bounds = share_bounds(cells, "H1").filter(pl.col("level") == "H1").drop("level")
    elif measure == "exposure":
        bounds = index_bounds(level_sums(cells, "group"), level_weights, "group")
    else:
        bounds = hours_bounds(level_sums(cells, "group"))
        if measure == "hours_per_job":
            jobs = cells.group_by("group").agg(jobs=pl.col("job").n_unique())
            bounds = bounds.join(jobs, on="group").select("group", pl.col("bound_low", "bound_high") / pl.col("jobs"))
    return {family: (low, high) for family, low, high in bounds.drop_nulls().rows()}


def _share_of_resamples(
    parts: pl.DataFrame,
    jobs: pl.DataFrame,
    parsed: tuple[str, str, str],
    measure: str,
    b: float | None,
    rounds: int,
    seed: int,
) -> float | None:
    """Return the share of resamples that agree with the claim, ignoring those with undefined figures."""
    left, sign, right = parsed
    jobs_by_id = parts.join(jobs.select("job", "job_id"), on="job", how="left").select(
        "group", "job_id", "whole", part=pl.col("part") + pl.col("part_h2") * (b or 0.0)
    )
    # Scale the mean to the original number of jobs, since resamples differ in size.
    scale = pl.len().over("group") if measure == "hours" else pl.lit(1)
    scales = jobs_by_id.select("group", scale=scale).unique()
    resampled = (
        resample(jobs_by_id, rounds=rounds, seed=seed)
        .join(scales, on="group", how="left")
        .select("group", "round", figure=share_of(pl.col("part"), pl.col("whole")) * pl.col("scale"))
    )
    lefts, rights = (resampled.filter(pl.col("group") == name).drop("group") for name in (left, right))
    pairs = lefts.join(rights, on="round", suffix="_right").select(difference=pl.col("figure") - pl.col("figure_right"))
    pairs = pairs.drop_nulls()
    if not pairs.height:
        return None
    as_claimed = pl.col("difference") > SAME if sign == ">" else pl.col("difference") < -SAME
    return float(pairs.select(as_claimed.mean()).item())


def _separate(left: tuple[float, float] | None, sign: str, right: tuple[float, float] | None) -> bool | None:
    if left is None or right is None:
        return None
    return left[0] - right[1] > SAME if sign == ">" else right[0] - left[1] > SAME


def _break_even(parts: pl.DataFrame, left: str, right: str) -> float | None:
    at_0, at_1 = (figures_of(parts, "exposure", b) for b in (0.0, 1.0))
    if left not in at_0 or right not in at_0:
        return None
    low, high = at_0[left] - at_0[right], at_1[left] - at_1[right]
    if min(abs(low), abs(high)) <= SAME or low * high > 0:
        return None
    return low / (low - high)


def _undetermined(
    parsed: tuple[str, str, str],
    figures: _Pair,
    jobs: tuple[int, int],
    grades: tuple[str | None, str | None],
    bounds: tuple[tuple[float, float] | None, tuple[float, float] | None],
) -> tuple[str, ...]:
    reasons = []
    for name, figure, n, grade in zip((parsed[0], parsed[2]), figures, jobs, grades, strict=True):
        if figure is None:
            missing = "tasks" if grade is None else "hours to compute it from"
            reasons.append(f"{name} has no figure because it has no {missing}.")
        elif n < ENOUGH_JOBS:
            reasons.append(f"The figure of {name} is based on {plural(n, 'job')}, fewer than {ENOUGH_JOBS}.")
        elif grade == "C":
            reasons.append(f"The coverage of {name} is below 70% (grade C).")
    left, right = bounds
    if left is not None and right is not None and not reasons and set(grades) != {"A"}:
        nested = left[0] <= right[0] <= right[1] <= left[1] or right[0] <= left[0] <= left[1] <= right[1]
        if nested:
            reasons.append("The bounds of one family lie within the bounds of the other.")
    return tuple(reasons)


def _doubts(
    agree: pl.Series,
    share: float | None,
    grades: tuple[str | None, str | None],
    *,
    separate: bool | None,
    holds: bool | None,
) -> tuple[str, ...]:
    doubts = [] if holds else ["The figures do not support the claim."]
    against = agree.len() - int(agree.sum())
    if against:
        doubts.append(f"{against:,} of {agree.len():,} specifications disagree.")
    if share is None or share < _MIN_AGREEMENT:
        doubts.append(f"{share or 0:.1%} of the resamples agree, less than {_MIN_AGREEMENT:.0%}.")
    if not separate and grades != ("A", "A"):
        doubts.append(
            "The bounds are unknown because contract hours are missing."
            if separate is None
            else "Missing data could reverse the order."
        )
    return tuple(doubts)


def _figure_text(figure: float | None) -> str:
    return "no figure" if figure is None else f"{figure:,.3f}"


def _bounds_text(bounds: tuple[float, float] | None) -> str:
    return "bounds unknown" if bounds is None else f"bounds {bounds[0]:,.3f} to {bounds[1]:,.3f}"
