"""Metadata for results: units, coverage, data grade, assumptions and warnings.

The metadata is preserved when a result is filtered, sorted, copied or pickled.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field, replace
from functools import wraps
from typing import TYPE_CHECKING, Any

import polars as pl

from tpanalytics.formatting import html_lines, plural
from tpanalytics.measures._core.aggregate import each_task_once
from tpanalytics.measures._core.staff import STAFF, people_notes
from tpanalytics.schema import LEVELS, NO_STATE, NOT_ASSESSED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from tpanalytics.measures._core.aggregate import TaskCounts
    from tpanalytics.measures._core.groups import GroupColumns

__all__ = [
    "NO_KNOWN_LEVEL",
    "NULL_REASONS",
    "STATES_UNKNOWN",
    "Meaning",
    "MeasureResult",
    "attach_metadata",
    "get_metadata",
    "grade",
    "grade_of",
    "has_usable_levels",
    "meaning_of",
    "no_known_level",
    "states_unknown",
    "without_totals",
]

#: Reasons why a figure is null, keyed by the code in the ``reason`` column.
NULL_REASONS = {
    "NO_JOBS": "there are no jobs",
    "NO_TASKS": "there are no tasks",
    "NO_HOURS": "no task has hours above 0",
    "NO_STATES": "the validation state is unknown",
    "NO_LEVELS": "no task has a level with a weight",
    "NO_HEADCOUNT": "no job has a headcount",
    "NO_CONTRACT_HOURS": "contract hours are missing",
    "BELOW_COVERAGE": "coverage is too low",
    "CONFLICT": "the same task has conflicting levels",
    "NOT_REQUESTED": "not requested when loading",
    "NOT_RECORDED": "not recorded",
    "NOT_ASSUMED": "a required assumption is missing",
    "NO_VARIATION": "all levels are the same",
    "NOTHING_FREED": "no hours are freed under these assumptions",
    "TOO_FEW": "there is too little data",
    "GROUPS_OVERLAP": "groups overlap, and the total counts each job once",
    "SUPPRESSED": "suppressed (small group)",
}
#: Stated if tasks have levels, but none of H1 to H5.
NO_KNOWN_LEVEL = "No task has a level from H1 to H5, so the data grade is C and the share at H1 is unknown."
#: Stated instead of a share of validated tasks if no task has a validation state.
STATES_UNKNOWN = "The validation state of the tasks is unknown."


@dataclass(frozen=True, kw_only=True)
class Meaning:
    """Metadata returned by `about`.

    Attributes
    ----------
    measure
        Name of the function that computed the result.
    value
        Description of the main figure.
    unit
        Unit of the main figure, such as ``"hours per week"`` or ``"share, 0 to 1"``.
    by
        The columns that define the groups. Empty if all jobs are counted together.
    numerator, denominator
        Descriptions of the numerator and denominator. Empty if the figure is not a ratio.
    basis
        Basis of the figure: ``"task"``, ``"hours"``, ``"job"``, ``"headcount"`` or ``"fte"``.
    states
        Validation states that are counted.
    jobs, tasks
        Number of jobs, and number of counted tasks. Each counts once, even if groups overlap.
    coverage
        Share of tasks (0 to 1) with ``hours``, a ``level``, or ``both``. Figures for all people also include the share
        of ``jobs with headcount`` or ``jobs with full-time equivalents``. None if there are no tasks or jobs.
    share_suggested
        Share of tasks that are not validated, 0 to 1, among those with a validation state. None if none has one.
    share_imputed
        Share of hours that are imputed, 0 to 1. See `impute_hours`.
    policy
        Sentences describing how missing data were handled and which options were used.
    level_weights
        Weight of each level in an exposure index.
    contract_hours
        Weekly contract hours assumed for jobs without any, or None. Only recorded by `exposure_curve`.
    interval
        Method, number of resamples and seed for an interval. Empty if there is none.
    grade
        Data grade: A (coverage of at least 0.9), B (at least 0.7) or C. None if there is nothing to grade.
    warnings
        Sentences to print alongside the figure.
    """

    measure: str
    value: str
    unit: str
    basis: str
    by: tuple[str, ...] = ()
    numerator: str = ""
    denominator: str = ""
    states: tuple[str, ...] = ()
    jobs: int = 0
    tasks: int = 0
    coverage: Mapping[str, float | None] = field(default_factory=dict)
    share_suggested: float | None = None
    share_imputed: float = 0.0
    policy: tuple[str, ...] = ()
    level_weights: Mapping[str, float] = field(default_factory=dict)
    contract_hours: float | None = None
    interval: str = ""
    grade: str | None = None
    warnings: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Format the metadata as lines of text."""
        ratio = f" ({self.numerator} / {self.denominator})" if self.denominator else ""
        coverage = ", ".join(f"{name} {share:.0%}" for name, share in self.coverage.items() if share is not None)
        suggested = "" if self.share_suggested is None else f", {self.share_suggested:.0%} not validated"
        states = "" if self.states == (NO_STATE,) else f" ({' or '.join(self.states)})"
        lines = [
            f"{self.measure}: {self.value}. Unit: {self.unit}{ratio}. Basis: {self.basis}.",
            f"{self.jobs:,} jobs, {self.tasks:,} tasks{states}{suggested}.",
            *[STATES_UNKNOWN] * states_unknown(self),
            *([f"Coverage: {coverage}; data grade {self.grade or '-'}."] if coverage else []),
            *self.policy,
            *(
                [f"Weights: {', '.join(f'{level} {weight:g}' for level, weight in self.level_weights.items())}."]
                * bool(self.level_weights)
            ),
            *([f"Interval: {self.interval}."] if self.interval else []),
            *(f"Warning: {warning}" for warning in self.warnings),
        ]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        return html_lines(str(self))


class MeasureResult(pl.DataFrame):
    """A Polars frame with metadata, accessible through `about`."""

    _meaning: Meaning | None = None
    #: Whether rows or columns have changed since the measure returned.
    _derived: bool = False

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (pl.DataFrame(self), self._meaning, self._derived)


#: Methods that preserve all rows and columns.
_SAME_ROWS = {"clone", "rechunk", "reverse", "set_sorted", "shrink_to_fit", "sort"}
#: Methods that aggregate or reshape the result, so the metadata no longer applies.
_NO_RESULT = {
    *("approx_n_unique", "clear", "corr", "count", "describe", "max", "mean", "median", "min", "null_count", "pivot"),
    *("product", "quantile", "std", "sum", "to_dummies", "transpose", "unpivot", "unstack", "upsample", "var"),
}
#: Methods that modify the frame in place.
_IN_PLACE = ("__setitem__", "drop_in_place", "extend", "insert_column", "replace_column")


def _restored(frame: pl.DataFrame, meaning: Meaning | None, derived: bool) -> MeasureResult:  # noqa: FBT001
    result = MeasureResult(frame)
    result._meaning, result._derived = meaning, derived
    return result


def _with_metadata(name: str, method: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(method)
    def call(self: MeasureResult, *args: Any, **kwargs: Any) -> Any:
        if name in _IN_PLACE or kwargs.get("in_place"):
            self._derived = True
        result = method(self, *args, **kwargs)
        if not isinstance(result, pl.DataFrame) or result is self:
            return result
        if name in _NO_RESULT:
            return pl.DataFrame(result)
        return _restored(result, self._meaning, derived=self._derived or name not in _SAME_ROWS)

    return call


for _name, _method in vars(pl.DataFrame).items():
    if inspect.isfunction(_method) and _name != "pipe" and (_name[0] != "_" or _name in ("__getitem__", "__setitem__")):
        setattr(MeasureResult, _name, _with_metadata(_name, _method))


def get_metadata(result: pl.DataFrame) -> Meaning | None:
    """Return the metadata for a result, or None if the frame has none."""
    if not isinstance(result, MeasureResult) or result._meaning is None:
        return None
    meaning = result._meaning
    if not result._derived:
        return meaning
    note = (
        f"Rows or columns were changed after `{meaning.measure}`. Counts, coverage and grade describe the full result."
    )
    return meaning if note in meaning.warnings else replace(meaning, warnings=(*meaning.warnings, note))


def states_unknown(meaning: Meaning) -> bool:
    """Return whether no counted task has a validation state."""
    only = meaning.states == (NO_STATE,)
    return only or (NO_STATE in meaning.states and meaning.share_suggested is None and bool(meaning.coverage))


def no_known_level(levels: Iterable[str]) -> bool:
    """Return whether tasks have levels, but none of H1 to H5."""
    given = {*levels} - {NOT_ASSESSED}
    return bool(given) and given.isdisjoint(LEVELS)


def without_totals(meaning: Meaning) -> Meaning:
    """Remove metadata that describes the full result: coverage, grade and share of suggested tasks."""
    return replace(meaning, coverage={}, share_suggested=None, grade=None)


def attach_metadata(result: pl.DataFrame, meaning: Meaning) -> MeasureResult:
    """Return the frame as a `MeasureResult` with the given metadata."""
    return _restored(result, meaning, derived=False)


def meaning_of(
    reduced: TaskCounts,
    *,
    covered: str = "both",
    staffed: bool = False,
    columns: GroupColumns | None = None,
    usable: bool = True,
    policy: tuple[str, ...] = (),
    warnings: tuple[str, ...] = (),
    **facts: Any,
) -> Meaning:
    """Return result metadata, with counts and coverage from the aggregated tables, in which each task counts once."""
    jobs, cells = reduced.jobs, each_task_once(reduced)
    columns = columns or reduced.groups.columns
    n = _total(cells, "n")
    states = dict(reduced.states.rows())
    n_with_state = sum(states.values()) - states.get(NO_STATE, 0)
    # Imputed hours must not increase the coverage or the grade.
    n_imputed = _total(cells, "n_imputed")
    coverage: dict[str, float | None] = {"hours": _share(_total(cells, "n_known") - n_imputed, n)}
    if "level" in cells.columns:
        assessed = cells.filter(pl.col("level") != NOT_ASSESSED)
        coverage["level"] = _share(_total(assessed, "n"), n)
        coverage["both"] = _share(_total(assessed, "n_known") - _total(assessed, "n_imputed"), n)
    if staffed and "headcount" in jobs.columns:
        people = STAFF.get(facts["basis"], STAFF["headcount"])
        coverage[f"jobs with {people}"] = _share(jobs.get_column("headcount").count(), jobs.height)
    share_imputed = _share(_total(cells, "imputed"), _total(cells, "hours")) or 0.0
    if n_imputed:
        note = f"{share_imputed:.1%} of the hours are imputed ({plural(round(n_imputed), 'task')})."
        warnings = (note, *warnings)
    if not usable:
        warnings = (NO_KNOWN_LEVEL, *warnings)
    return Meaning(
        by=columns.by,
        jobs=jobs.get_column("job_id").n_unique() if reduced.groups.columns.overlap else jobs.height,
        tasks=int(n),
        states=tuple(reduced.counted),
        coverage=coverage,
        share_suggested=_share(n_with_state - states.get("validated", 0), n_with_state),
        share_imputed=share_imputed,
        grade=grade_of(coverage.get(covered), usable=usable),
        policy=(*policy, *people_notes(reduced), *columns.overlap_notes(staffed=facts["basis"] in STAFF)),
        warnings=warnings,
        **facts,
    )


def _total(frame: pl.DataFrame, column: str) -> float:
    return float(frame.get_column(column).sum())


def _share(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def has_usable_levels(n: str) -> pl.Expr:
    """Return whether the rows with a count above 0 have a level of H1 to H5, or no level at all."""
    level = pl.col("level").filter(pl.col(n) > 0)
    return level.is_in(LEVELS).any() | (level == NOT_ASSESSED).all()


def grade(coverage: pl.Expr, *, usable: pl.Expr | bool = True) -> pl.Expr:
    """Return the data grade: A (coverage of at least 0.9), B (at least 0.7) or C. Null if the coverage is null.

    The grade is C at best if the levels are not usable.
    """
    return (
        pl.when((coverage >= 0.9) & usable)
        .then(pl.lit("A"))
        .when((coverage >= 0.7) & usable)
        .then(pl.lit("B"))
        .when(coverage >= 0)
        .then(pl.lit("C"))
    )


def grade_of(coverage: float | None, *, usable: bool = True) -> str | None:
    """Return the data grade for a single coverage value."""
    return None if coverage is None else pl.select(grade(pl.lit(coverage), usable=usable)).item()
