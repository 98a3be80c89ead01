"""A measure over the snapshots of a history."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import polars as pl

from tpanalytics.errors import ArgumentError, SchemaError
from tpanalytics.formatting import plural
from tpanalytics.measures._core.cache import cached
from tpanalytics.measures._core.change_notes import COVERAGE_CHANGE_LIMIT, state_warnings
from tpanalytics.measures._core.checks import check_choice, check_options
from tpanalytics.measures._core.groups import BY_FAMILY, group_columns, missing_label, noun
from tpanalytics.measures._core.metadata import attach_metadata, get_metadata, grade
from tpanalytics.measures._core.snapshots import tenants_of
from tpanalytics.measures.coverage import coverage
from tpanalytics.measures.exposure import exposure
from tpanalytics.measures.hours import hours
from tpanalytics.measures.impact import impact
from tpanalytics.schema import AS_OF, LEVELS, NOT_ASSESSED, TENANT, History
from tpanalytics.typing import TrendMeasure

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tpanalytics.measures._core.metadata import Meaning
    from tpanalytics.typing import By

__all__ = ["COVERAGE_CHANGED", "figure_column", "trend"]

#: Reason why the change in a row does not reflect the work.
COVERAGE_CHANGED = "COVERAGE_CHANGED"
#: Columns with the main figure of a measure. With a weight that counts people, hours are multiplied by them.
_FIGURES = {"exposure": "exposure", "hours": "hours", "impact": "share", "coverage": "coverage"}
_STAFF_HOURS = ("headcount_hours", "fte_hours")
_MEASURES: dict[str, Callable[..., pl.DataFrame]] = {
    "exposure": exposure,
    "hours": hours,
    "impact": impact,
    "coverage": coverage,
}


@cached
def trend(
    history: History,
    *,
    measure: TrendMeasure = "exposure",
    by: By = BY_FAMILY,
    level: str | None = None,
    **options: Any,
) -> pl.DataFrame:
    """Follow a measure over the snapshots of a history.

    The figure of each date is that of the measure for this snapshot alone. Between two dates it equals the figures
    before and after in `compare_exposure`, or in `compare` for the hours at a level, as long as no job changes its
    group: a trend counts each job in its group at the time, while a comparison uses the later group for both.

    A change is not comparable if the coverage of the figure changed by more than 5 percentage points, because newly
    measured tasks can then be the cause. Use `compare` to separate them from changes in the work.

    Parameters
    ----------
    history
        Snapshots from `read_history`.
    measure
        ``"exposure"`` (exposure index), ``"hours"`` (documented hours per week), ``"impact"`` (share of the work at
        `level`) or ``"coverage"`` (share of tasks with hours and a level).
    by
        Column or columns of the jobs, people or tasks to group by, or None for all jobs together. Dates, and tenants if
        there are several, are always separate.
    level
        AI impact level, only for ``measure="impact"``. The default is ``"H1"``.
    **options
        Other arguments of the measure, such as ``states``, ``weight`` or ``level_weights``.

    Returns
    -------
    pl.DataFrame
        One row per tenant, date and group that has jobs at this date, in this order.

        ==============  =======  ====================================================================
        ``tenant``      String   tenant; only if there are several
        ``as_of``       Date     date of the snapshot
        (group)         String   the columns in `by`
        ``jobs``        UInt32   jobs in the group
        ``tasks``       UInt32   tasks in the selected states, for ``"impact"`` those at the level
        ``hours``       Float64  only for ``"impact"``: hours per week at the level
        (figure)        Float64  ``exposure``, ``hours`` (``headcount_hours`` or ``fte_hours`` with these weights),
                                 ``share`` or ``coverage``; null if unknown
        ``previous``    Date     date of the tenant's snapshot before; null for its first one
        ``change``      Float64  figure minus the figure of ``previous``; null if either is unknown
        ``coverage``    Float64  share of tasks that the figure is based on, 0 to 1
        ``data_grade``  String   A (coverage of at least 0.9), B (at least 0.7) or C
        ``comparable``  Boolean  False if the coverage changed too much to attribute the change to the work; null if
                                 there is no change
        ``reason``      String   why the figure is null, as in the measure, or ``COVERAGE_CHANGED`` if ``comparable`` is
                                 False
        ==============  =======  ====================================================================

    Raises
    ------
    SchemaError
        If `history` is not a `History`, or a required column is missing.
    ArgumentError
        If an argument is invalid, or the measure does not have an option.

    Warns
    -----
    TpAnalyticsWarning
        If tasks with an unrecognised validation state are ignored.

    Examples
    --------
    >>> from tpanalytics import load_sample, read_history, write_profiles
    >>> for state in ("2026-05", "2026-11"):
    ...     _ = write_profiles(load_sample(state), f"snapshots/{state}")
    >>> history = read_history("snapshots")
    >>> table = trend(history, by=None)
    >>> table.select(pl.col("as_of").cast(str), pl.col("exposure", "change").round(3), "comparable").rows()
    [('2026-05-01', 0.545, None, None), ('2026-11-01', 0.564, 0.018, False)]
    """
    if not isinstance(history, History):
        raise SchemaError(
            f"`history` must be a History from read_history, not {type(history).__name__}. "
            "To compare two snapshots, use compare."
        )
    check_choice("measure", measure, TrendMeasure)
    check_options("trend", options, _MEASURES[measure], ("measure", "by", "level"))
    if level is not None and measure != "impact":
        raise ArgumentError(f"`level` must be omitted unless measure='impact', not {level!r}.")
    groups = [name for name in group_columns(history, by).by if name not in (TENANT, AS_OF)]
    several = len(tenants_of(history)) > 1
    keys = [*([TENANT] * several), AS_OF, *groups]
    measured = _MEASURES[measure](history, by=keys, **options)
    figure = figure_column(measured.columns, measure)
    rows = _at_level(measured, keys, "H1" if level is None else level) if measure == "impact" else measured
    if measure == "coverage":
        rows = rows.with_columns(coverage="both_coverage")
    names = ["job_name"] if "job_id" in keys and "job_name" not in keys else []
    result = (
        _with_change(pl.DataFrame(rows), keys, figure, compare_coverage=measure != "coverage")
        .sort([key for name in keys for key in (pl.col(name).cast(pl.String) == missing_label(name), name)])
        .select(
            *_with_names(keys, names),
            *("jobs", "tasks"),
            *(["hours"] if measure == "impact" else []),
            *([figure] if figure != "coverage" else []),
            *("previous", "change", "coverage", "data_grade", "comparable", "reason"),
        )
    )
    meaning = get_metadata(measured)
    if meaning is None:  # all measures attach metadata
        return result
    return attach_metadata(result, _meaning(_of_groups(meaning, keys, groups), result, level=level, measure=measure))


def figure_column(columns: Sequence[str], measure: TrendMeasure) -> str:
    """Return the column with the main figure."""
    of_staff = next((name for name in _STAFF_HOURS if name in columns), None)
    return of_staff if measure == "hours" and of_staff else _FIGURES[measure]


def _with_names(keys: list[str], names: list[str]) -> list[str]:
    """Return the group columns, with the job name after the job id."""
    position = keys.index("job_id") + 1 if "job_id" in keys else len(keys)
    return [*keys[:position], *names, *keys[position:]]


def _at_level(shares: pl.DataFrame, keys: list[str], level: str) -> pl.DataFrame:
    """Return the shares at one level, with the reason why a share is unknown."""
    present = shares.get_column("ai_impact_level").drop_nulls().unique().to_list()
    if not isinstance(level, str) or level == NOT_ASSESSED or (present and level not in {*LEVELS, *present}):
        known = ", ".join(map(repr, sorted({*present} - {NOT_ASSESSED})))
        raise ArgumentError(f"`level` must be a level of the tasks ({known}), not {level!r}.")
    total = pl.col("tasks").sum().over(keys)
    table = shares.with_columns(
        reason=pl.when(pl.col("share").is_null())
        .then(
            pl.when(total == 0)
            .then(pl.lit("NO_TASKS"))
            .when(pl.col("hours").sum().over(keys) > 0)
            .then(pl.lit("NO_HEADCOUNT"))
            .otherwise(pl.lit("NO_HOURS"))
        )
        .otherwise(pl.lit(None, dtype=pl.String))
    )
    if level in present:
        return table.filter(pl.col("ai_impact_level") == level)
    # No task has the level, so its share is 0 wherever the shares of the other levels are known.
    return table.unique(keys, keep="first", maintain_order=True).with_columns(
        tasks=pl.lit(0, dtype=pl.UInt32),
        hours=pl.lit(None, dtype=pl.Float64),
        share=pl.when(pl.col("share").is_not_null()).then(0.0),
    )


def _with_change(rows: pl.DataFrame, keys: list[str], figure: str, *, compare_coverage: bool) -> pl.DataFrame:
    """Add the change since the previous snapshot of the tenant, and whether coverage changed."""
    tenant, others = [name for name in keys if name == TENANT], [name for name in keys if name != AS_OF]
    rows = rows.with_columns(pl.col(AS_OF).str.to_date("%Y-%m-%d"))
    dates = rows.select(*tenant, AS_OF).unique().sort(*tenant, AS_OF)
    shifted = pl.col(AS_OF).shift(1)
    dates = dates.with_columns(previous=shifted.over(tenant) if tenant else shifted)
    earlier = rows.select(*others, pl.col(AS_OF).alias("previous"), was=figure, coverage_before="coverage")
    shift = (pl.col("coverage") - pl.col("coverage_before")).abs() > COVERAGE_CHANGE_LIMIT + 1e-12
    change = pl.col(figure) - pl.col("was")
    changed = shift.fill_null(value=False) if compare_coverage else pl.lit(value=False)
    known = pl.col("reason") if "reason" in rows.columns else pl.lit(None, dtype=pl.String)
    return (
        rows.join(dates, on=[*tenant, AS_OF], how="left")
        .join(earlier, on=[*others, "previous"], how="left")
        .with_columns(change=change, comparable=pl.when(change.is_not_null()).then(~changed))
        .with_columns(
            data_grade=grade(pl.col("coverage")),
            reason=pl.when(pl.col(figure).is_null())
            .then(known)
            .when(~pl.col("comparable"))
            .then(pl.lit(COVERAGE_CHANGED)),
        )
    )


def _of_groups(meaning: Meaning, keys: list[str], groups: list[str]) -> Meaning:
    """Describe the figure of a group rather than that of a group and snapshot."""
    group = noun(groups) if groups else "snapshot"
    article = "an" if group[0] in "aeiou" else "a"
    return replace(meaning, value=meaning.value.replace(f"a {noun(keys)}", f"{article} {group}"))


def _meaning(meaning: Meaning, result: pl.DataFrame, *, level: str | None, measure: str) -> Meaning:
    dates = result.get_column(AS_OF)
    changed = int((result.get_column("reason") == COVERAGE_CHANGED).sum())
    warnings = [*meaning.warnings, *state_warnings(meaning.states)]
    if changed:
        warnings.append(
            f"Coverage changed by more than {COVERAGE_CHANGE_LIMIT:.0%} in {plural(changed, 'row')}, so these changes "
            "may only reflect newly measured tasks. Use `compare` to separate them."
        )
    at_level = f" ({'H1' if level is None else level})" if measure == "impact" else ""
    first: Any = dates.min()
    last: Any = dates.max()
    span = f" from {first} to {last}" if result.height else ""
    # Counts and coverage of all dates together are of no use.
    return replace(
        meaning,
        measure="trend",
        value=f"{meaning.value}{at_level} at each of {plural(dates.n_unique(), 'date')}{span}",
        coverage={},
        grade=None,
        share_suggested=None,
        policy=(*meaning.policy, "Each job is counted in its group at the time. Counts are sums over all snapshots."),
        warnings=tuple(warnings),
    )
