"""What a result means: what it is a share of, its coverage, and the rules it was made by.

A measure returns a `MeasureResult`, a Polars frame that carries its `Meaning` through filters, sorts, copies, pickles.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field, replace
from functools import wraps
from typing import TYPE_CHECKING, Any

import polars as pl

from tpanalytics.formatting import html_lines
from tpanalytics.schema import NOT_ASSESSED

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tpanalytics.measures._core.aggregate import TaskCounts

__all__ = [
    "NONE_BECAUSE",
    "Meaning",
    "MeasureResult",
    "attach_metadata",
    "get_metadata",
    "grade",
    "grade_of",
    "meaning_of",
    "without_totals",
]

#: Why a figure is null (rule R9), by the word that stands in a result's column ``reason``.
NONE_BECAUSE = {
    "NO_JOBS": "no job",
    "NO_TASKS": "no task that counts",
    "NO_HOURS": "no task has hours above 0",
    "NO_LEVELS": "no task has a level that has a weight",
    "NO_HEADCOUNT": "no job has a headcount",
    "NO_CONTRACT_HOURS": "contract hours are needed and not known",
    "BELOW_COVERAGE": "too little is known",
    "CONFLICT": "the same task has levels that contradict each other",
    "NOT_REQUESTED": "it was not asked for when loading",
    "NOT_RECORDED": "nobody wrote it down",
    "NOT_ASSUMED": "an assumption that it needs was not given",
    "NO_VARIATION": "all have the same level",
    "NOTHING_FREED": "nothing is freed under these assumptions",
    "TOO_FEW": "too few to say",
    "SUPPRESSED": "hidden to protect small groups of jobs or people",
}


@dataclass(frozen=True, kw_only=True)
class Meaning:
    """What a measure's result means: units, parts of the fraction, coverage, rules, grade, warnings.

    Attributes
    ----------
    measure
        The function that made it.
    value
        What its main figure is, in words.
    unit
        Of the main figure: ``"hours per week"``, ``"share, 0 to 1"``, …
    numerator, denominator
        What is divided by what, in words; empty where nothing is divided.
    basis
        What is counted: ``"task"``, ``"hours"``, ``"job"`` or ``"headcount"``.
    states
        Validation states that count.
    jobs, tasks
        How many jobs there are, and how many tasks count.
    coverage
        Shares of tasks, 0 to 1, with ``hours``, ``level``, ``both``; by headcount also of ``jobs with headcount``. None
        where there is nothing to be covered.
    share_suggested
        Share of the tasks that nobody has validated, 0 to 1.
    share_imputed
        Share of the hours that were put in, not stated, 0 to 1; see `impute_hours`.
    policy
        Sentences: what was done with what is not known, and which choices were made.
    level_weights
        Weight of each level in an exposure index.
    interval
        Method, rounds and seed of an interval; empty where there is none.
    grade
        A, B or C by how much is known; see `metadata.grade`.
    warnings
        Sentences that belong beside the figure wherever it is printed.
    """

    measure: str
    value: str
    unit: str
    basis: str
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
    interval: str = ""
    grade: str | None = None
    warnings: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Say it in lines, as a report's footer prints it."""
        of = f" ({self.numerator} / {self.denominator})" if self.denominator else ""
        known = ", ".join(f"{name} {share:.0%}" for name, share in self.coverage.items() if share is not None)
        suggested = "" if self.share_suggested is None else f", {self.share_suggested:.0%} of them not validated"
        lines = [
            f"{self.measure}: {self.value}, {self.unit}{of}; basis {self.basis}.",
            f"{self.jobs:,} jobs, {self.tasks:,} tasks in state {' or '.join(self.states)}{suggested}.",
            *([f"Known: {known}; grade {self.grade or '-'}."] if known else []),
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
    """A Polars frame that knows what it means; `about` reads it, also after a filter, a sort, a copy or a pickle."""

    _meaning: Meaning | None = None
    #: Whether rows or columns were changed since the measure returned it, so that totals describe the full result.
    _derived: bool = False

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (pl.DataFrame(self), self._meaning, self._derived)


#: Methods after which the rows are still those of the measure; after all others they may not be.
_SAME_ROWS = {"clone", "rechunk", "reverse", "set_sorted", "shrink_to_fit", "sort"}
#: Methods whose outcome is no longer a result: they aggregate, reshape or take another frame in.
_NO_RESULT = {
    *("approx_n_unique", "clear", "corr", "count", "describe", "max", "mean", "median", "min", "null_count", "pivot"),
    *("product", "quantile", "std", "sum", "to_dummies", "transpose", "unpivot", "unstack", "upsample", "var"),
}
#: Methods that change the frame in place.
_IN_PLACE = ("__setitem__", "drop_in_place", "extend", "insert_column", "replace_column")


def _restored(frame: pl.DataFrame, meaning: Meaning | None, derived: bool) -> MeasureResult:  # noqa: FBT001
    result = MeasureResult(frame)
    result._meaning, result._derived = meaning, derived
    return result


def _carrying(name: str, method: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(method)
    def carrying(self: MeasureResult, *args: Any, **kwargs: Any) -> Any:
        if name in _IN_PLACE or kwargs.get("in_place"):
            self._derived = True
        made = method(self, *args, **kwargs)
        if not isinstance(made, pl.DataFrame) or made is self:
            return made
        if name in _NO_RESULT:
            return pl.DataFrame(made)
        return _restored(made, self._meaning, derived=self._derived or name not in _SAME_ROWS)

    return carrying


for _name, _method in vars(pl.DataFrame).items():
    if inspect.isfunction(_method) and _name != "pipe" and (_name[0] != "_" or _name in ("__getitem__", "__setitem__")):
        setattr(MeasureResult, _name, _carrying(_name, _method))


def get_metadata(result: pl.DataFrame) -> Meaning | None:
    """Return what a result means, or None where it does not say."""
    if not isinstance(result, MeasureResult) or result._meaning is None:
        return None
    meaning = result._meaning
    if not result._derived:
        return meaning
    note = (
        f"Rows or columns were changed after `{meaning.measure}`; counts, coverage and grade describe its full result."
    )
    return meaning if note in meaning.warnings else replace(meaning, warnings=(*meaning.warnings, note))


def without_totals(meaning: Meaning) -> Meaning:
    """Return the meaning without what describes all rows together."""
    return replace(meaning, coverage={}, share_suggested=None, grade=None)


def attach_metadata(result: pl.DataFrame, meaning: Meaning) -> MeasureResult:
    """Return the frame as a result that carries its meaning."""
    return _restored(result, meaning, derived=False)


def meaning_of(
    reduced: TaskCounts, *, covered: str = "both", staffed: bool = False, warnings: tuple[str, ...] = (), **said: Any
) -> Meaning:
    """Make the meaning of a result from what it was made of."""
    jobs, cells = reduced.jobs, reduced.cells
    n = _total(cells, "n")
    # Hours that were put in are not known ones, so that no rule of imputation buys a better grade.
    put_in = _total(cells, "n_imputed")
    coverage: dict[str, float | None] = {"hours": _share(_total(cells, "n_known") - put_in, n)}
    if "level" in cells.columns:
        assessed = cells.filter(pl.col("level") != NOT_ASSESSED)
        coverage["level"] = _share(_total(assessed, "n"), n)
        coverage["both"] = _share(_total(assessed, "n_known") - _total(assessed, "n_imputed"), n)
    if staffed and "headcount" in jobs.columns:
        coverage["jobs with headcount"] = _share(jobs.get_column("headcount").count(), jobs.height)
    share_imputed = _share(_total(cells, "imputed"), _total(cells, "hours")) or 0.0
    if put_in:
        mark = f"{share_imputed:.1%} of the hours were put in, not stated: those of {put_in:,.0f} tasks."
        warnings = (mark, *warnings)
    return Meaning(
        jobs=jobs.height,
        tasks=int(n),
        states=tuple(reduced.counted),
        coverage=coverage,
        share_suggested=_share(dict(reduced.states.rows()).get("suggested", 0), n),
        share_imputed=share_imputed,
        grade=grade_of(coverage.get(covered)),
        warnings=warnings,
        **said,
    )


def _total(frame: pl.DataFrame, column: str) -> float:
    return float(frame.get_column(column).sum())


def _share(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def grade(coverage: pl.Expr) -> pl.Expr:
    """Grade how much of a figure is known: A from 90 %, B from 70 %, C below; null where there is nothing to grade."""
    return (
        pl.when(coverage >= 0.9)
        .then(pl.lit("A"))
        .when(coverage >= 0.7)
        .then(pl.lit("B"))
        .when(coverage >= 0)
        .then(pl.lit("C"))
    )


def grade_of(coverage: float | None) -> str | None:
    """Grade one coverage, as `grade` does."""
    return None if coverage is None else pl.select(grade(pl.lit(coverage))).item()
