"""Chart of AI impact levels per group of jobs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import polars as pl

from tpanalytics.charts._core import captions, frame
from tpanalytics.charts._core.frame import SideColumn
from tpanalytics.charts._core.grouping import grouping
from tpanalytics.charts._core.level_bars import level_bars
from tpanalytics.formatting import NONE, coverage_percent, listed, percent, total
from tpanalytics.measures._core.cache import with_cache
from tpanalytics.measures._core.groups import BY_FAMILY
from tpanalytics.measures._core.metadata import get_metadata, no_known_level
from tpanalytics.measures._core.staff import NEEDED, checked_weight
from tpanalytics.measures.about import about
from tpanalytics.measures.coverage import coverage as measure_coverage
from tpanalytics.measures.impact import impact as measure_impact
from tpanalytics.measures.privacy.policy import USUAL
from tpanalytics.measures.privacy.release import filter_groups
from tpanalytics.schema import NOT_ASSESSED, level_order
from tpanalytics.typing import Weight

if TYPE_CHECKING:
    from collections.abc import Sequence

    import altair as alt

    from tpanalytics.charts._core.grouping import Grouping
    from tpanalytics.measures._core.metadata import Meaning
    from tpanalytics.measures.privacy.policy import Privacy
    from tpanalytics.schema import TaskProfiles
    from tpanalytics.typing import By

__all__ = ["plot_impact"]

_WIDTH, _ROW = 540, 30
_NO_AMOUNT = {
    "tasks": "no tasks",
    "hours": "no hours, or all hours are zero",
    "headcount": "no hours with a headcount, or all are zero",
    "fte": "no hours with an FTE, or all are zero",
}
_COLUMNS = {
    "tasks": [SideColumn("total", "tasks", 72, muted=False), SideColumn("known", ["tasks with", "level"], 142)],
    "hours": [
        SideColumn("total", ["weekly", "hours"], 72, muted=False),
        SideColumn("known", ["tasks with", "hours, level"], 142),
    ],
    "headcount": [
        SideColumn("total", ["weekly hours,", "all people"], 72, muted=False),
        SideColumn("known", ["with hours,", "level, headcount"], 160),
    ],
    "fte": [
        SideColumn("total", ["weekly hours,", "all FTE"], 72, muted=False),
        SideColumn("known", ["with hours,", "level, FTE"], 150),
    ],
}
#: A headline names the group with the largest share only if the next one is further below.
_SIMILAR = 0.01


def plot_impact(
    profiles: TaskProfiles,
    *,
    by: By = BY_FAMILY,
    weight: Weight | None = None,
    states: Sequence[str] | None = None,
    groups: Sequence[str] | None = None,
    top: int | None = frame.TOP,
    privacy: Privacy | None = USUAL,
) -> alt.LayerChart:
    """Draw each group's work by AI impact level, as shares.

    Groups are sorted by H1 share. Work without a level is hatched, at the end of the bar. Rows of suppressed groups
    or groups without a figure show the reason instead. The chart data has one row per group and level, without
    individual tasks or jobs.

    Parameters
    ----------
    profiles
        Task profiles with the columns read by `impact`.
    by
        Column of the jobs, people or tasks that defines the groups, a list of columns, or None for all jobs together.
    weight
        Quantity to add up: ``"tasks"``, ``"hours"`` (weekly), ``"headcount"`` (weekly hours times people) or ``"fte"``
        (weekly hours times full-time equivalents). If None, people if `by` has a column of people, and hours otherwise.
    states
        Validation states to include. None means ``profiles.manifest["states"]``, or validated and suggested.
    groups
        Names of the groups to draw, or None for all. The figures do not depend on the selection.
    top
        Number of groups to draw, those with the most work. If None, or with `groups`, all are drawn.
    privacy
        Thresholds for suppressing small groups. If None, nothing is suppressed.

    Returns
    -------
    alt.LayerChart
        An Altair chart that you can customize or pass to `save`.

    Raises
    ------
    SchemaError
        If a required column is missing.
    ArgumentError
        If `weight` is invalid or a group does not exist.

    Warns
    -----
    TpAnalyticsWarning
        If tasks in an unknown validation state are excluded.

    Examples
    --------
    >>> from tpanalytics import load_sample
    >>> chart = plot_impact(load_sample(), weight="tasks")
    >>> chart.to_dict()["description"][:40]
    'Stacked bars of tasks by AI impact level'
    """
    profiles = with_cache(profiles)
    words = grouping(profiles, by)
    unit: Weight = checked_weight(profiles, by, weight, Weight)
    impact = captions.released(measure_impact, profiles, privacy, by=by, weight=unit, states=states)
    meaning, impact = about(impact), filter_groups(impact, groups)
    if impact.height == 0:
        return frame.no_jobs()
    coverage = captions.rows_for_totals(measure_coverage, profiles, words, impact, groups, states=states)
    largest = frame.Largest(frame.checked_top(top), pl.col("amount"), f"most {captions.UNIT[unit]}")
    layout = frame.groups(coverage, impact, profiles, privacy, words, groups, largest)
    impact = layout.rows.rename({"ai_impact_level": "level"})
    levels = level_order(impact.filter(pl.col("tasks") > 0).get_column("level").to_list())
    rows = _rows(impact, unit)
    columns, title = _COLUMNS[unit], _headline(impact, words.spoken(rows), unit, words)
    return frame.chart(
        layout,
        rows,
        level_bars(
            impact.select("group", "level", "share", "tasks", "tasks_with_hours", "hours"),
            frame.group_axis(rows.get_column("group").to_list()),
            levels,
            captions.tooltips("level", "share", "hours", "tasks", "tasks_with_hours", words=words),
            width=_WIDTH,
            key="group",
        ),
        [*columns, SideColumn("grade", "grade", columns[-1].edge + 48)],
        title=title,
        basis=f"Share of {captions.UNIT[unit]} by AI impact level",
        description=_description(rows, levels, unit, layout),
        notes=_footnotes(coverage, unit, words, meaning, title),
        size=(_WIDTH, _ROW),
    )


def _rows(impact: pl.DataFrame, weight: Weight) -> pl.DataFrame:
    """Return one row per group, sorted by H1 share, and format the columns."""
    return (
        impact.group_by("group")
        .agg(
            *(
                pl.col(column).filter(pl.col("level") == "H1").first().alias(name)
                for name, column in (("h1", "share"), ("low", "share_low"), ("high", "share_high"))
            ),
            has_share=pl.col("share").is_not_null().any(),
            amount=pl.when(pl.col("amount").count() > 0).then(pl.col("amount").sum()),
            tasks=pl.col("tasks").sum(),
            coverage=pl.col("coverage").first(),
            data_grade=pl.col("data_grade").first(),
            reason=pl.col("reason").first(),
        )
        .sort("has_share", "h1", "group", descending=[True, True, False], nulls_last=True)
        .with_columns(
            total=pl.col("amount").map_batches(
                _counts if weight == "tasks" else frame.hours_column, return_dtype=pl.String
            ),
            known=frame.formatted("coverage", coverage_percent),
            grade=pl.col("data_grade").fill_null(NONE),
            missing=captions.missing_figure_reason(
                {"no tasks": pl.col("tasks") == 0, _NO_AMOUNT[weight]: ~pl.col("has_share")}
            ),
        )
        .with_columns(captions.mask_suppressed("total", "known", "grade"))
    )


def _counts(amounts: pl.Series) -> pl.Series:
    return pl.Series([NONE if n is None else f"{n:,.0f}" for n in amounts], dtype=pl.String)


def _headline(impact: pl.DataFrame, groups: pl.DataFrame, weight: Weight, words: Grouping) -> str:
    """Return a headline with the largest H1 share, ignoring grade C and jobs without a group."""
    suppressed, groups = groups.filter(captions.is_suppressed()).height, groups.filter(~captions.is_suppressed())
    if not groups.height:
        return words.all_suppressed
    scope = f" in the {words.many} shown" if suppressed else ""
    return _no_share(impact, groups, weight, scope) or _largest(groups, weight, scope, words)


def _no_share(impact: pl.DataFrame, groups: pl.DataFrame, weight: Weight, scope: str) -> str | None:
    """Explain why there is no H1 share, or return None if there is."""
    if not groups.get_column("tasks").sum():
        return f"No tasks{scope or ' in these task profiles'}"
    if not total(impact.filter(pl.col("level") != NOT_ASSESSED), "tasks"):
        return f"AI impact cannot be shown: no task{scope} has a level"
    if no_known_level(impact.get_column("level").drop_nulls()):
        return f"AI impact cannot be shown: no task{scope} has a level from H1 to H5"
    if not groups.get_column("has_share").any():
        return f"AI impact cannot be shown: {_NO_AMOUNT[weight]}"
    if not total(impact.filter(level="H1"), "tasks"):
        return f"No task{scope} is rated H1, highly automatable"
    if not groups.select((pl.col("h1") > 0).any()).item():
        return f"H1 (highly automatable) tasks have no {weight} to add up"
    return None


def _largest(groups: pl.DataFrame, weight: Weight, scope: str, words: Grouping) -> str:
    named = groups.filter(words.is_named())
    safe = named.filter(pl.col("data_grade").is_in(["A", "B"]) & pl.col("h1").is_not_null())
    if named.height == 0:
        share, grade = groups.select("h1", "data_grade").row(0)
        if grade != "C":
            return f"{percent(share)} of {captions.UNIT[weight]} are highly automatable"
    if safe.height == 0:
        compare = f"compare the AI impact of {words.nouns}" if words.by else "show the AI impact"
        return f"There is not enough data to {compare}"
    group, share, low, high = safe.select("group", "h1", "low", "high").row(0)
    share_of = f"{percent(share)} of {captions.UNIT[weight]}"
    known = low is not None and high is not None and percent(low) != percent(high)
    bounds = f" ({percent(low)} to {percent(high)})" if known else ""
    if named.height == 1:
        return words.headline(group, f"{share_of}{bounds} are highly automatable")
    if group != named.item(0, "group"):
        scope = f" among {words.many} with enough data"
    if safe.height > 1 and (share - safe.item(1, "h1") < _SIMILAR or percent(share) == percent(safe.item(1, "h1"))):
        least = safe.item(-1, "h1")
        which = scope.replace(f" in the {words.many}", "").replace(f" among {words.many}", "")
        if share - least < _SIMILAR or percent(share) == percent(least):
            return f"{percent(share)} of {captions.UNIT[weight]} are highly automatable in every {words.one}{which}"
        span = f"{percent(least)} to {percent(share)} of {captions.UNIT[weight]} are highly automatable"
        return f"{span}, depending on the {words.one}" + f", in the {words.many}{which}" * bool(which)
    if not groups.head(1).select(words.is_named()).item():
        group = f"Of the {words.nouns}, {group}"
    return f"{group} has the largest highly automatable share{scope}: {share_of}{bounds}"


def _footnotes(coverage: pl.DataFrame, weight: Weight, words: Grouping, meaning: Meaning, title: str) -> list[str]:
    if not total(coverage, "tasks"):
        return [captions.NO_TASKS_NOTE]
    parts = ("hours_coverage", "level_coverage", "validated_share")
    with_hours, with_level, validated = (captions.overall(coverage, name) for name in parts)
    known = captions.coverage_note(
        {"hours": with_hours, "a level": with_level}, validated, meaning=get_metadata(coverage)
    )
    ranges = " The range in brackets allows for missing data." if re.search(r"\([0-9]+% to [0-9]+%\)", title) else ""
    missing = f"{captions.MISSING_HOURS}{ranges}"
    return [
        f"{known} {captions.without_tasks(coverage)}",
        *([missing] * (weight != "tasks")),
        *words.overlap_notes(weight, meaning),
        f"{captions.grade_note(NEEDED[weight])} {captions.LEVELS_NOTE}",
    ]


def _description(
    groups: pl.DataFrame, levels: list[str], weight: Weight, layout: frame.DrawnGroups
) -> tuple[str, str, list[str]]:
    known = groups.filter(pl.col("has_share") & pl.col("h1").is_not_null())
    listed_levels = f" ({', '.join(levels)})" if levels else ""
    summary = (
        f"Stacked bars of {captions.UNIT[weight]} by AI impact level{listed_levels} for {layout.population}."
        f"{layout.words.sorted_by('their share of H1, highly automatable, highest first')}"
    )
    extremes = ""
    if known.height:
        top, bottom = known.row(0, named=True), known.row(-1, named=True)
        if not layout.words.by:
            return summary, f"H1 share: {percent(top['h1'])} (grade {top['data_grade']}).", []
        shares = listed(f"{group} {percent(h1)}" for group, h1 in known.select("group", "h1").rows())
        extremes = (
            f"The H1 shares range from {percent(top['h1'])} in {top['group']} (grade {top['data_grade']}) to "
            f"{percent(bottom['h1'])} in {bottom['group']} (grade {bottom['data_grade']}). All H1 shares: "
            f"{shares}."
        )
    return summary, extremes, captions.missing_figure_note(groups.filter(~pl.col("has_share")), "h1")
