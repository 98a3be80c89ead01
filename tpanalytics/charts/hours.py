"""Chart of weekly hours per group of jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import altair as alt
import polars as pl

from tpanalytics.charts._core import captions, frame, theme
from tpanalytics.charts._core.frame import SideColumn
from tpanalytics.charts._core.grouping import grouping
from tpanalytics.formatting import NONE, coverage_percent, hours, listed, plural, total
from tpanalytics.measures._core.aggregate import aggregate_tasks, per_job
from tpanalytics.measures._core.cache import with_cache
from tpanalytics.measures._core.groups import BY_FAMILY
from tpanalytics.measures._core.metadata import get_metadata, grade
from tpanalytics.measures.hours import hours as measure_hours
from tpanalytics.measures.privacy.policy import USUAL
from tpanalytics.measures.privacy.release import filter_groups

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tpanalytics.charts._core.grouping import Grouping
    from tpanalytics.measures.privacy.policy import Privacy
    from tpanalytics.schema import TaskProfiles
    from tpanalytics.typing import By

__all__ = ["plot_hours"]

_WIDTH, _ROW = 470, 34
_COLUMNS = (
    SideColumn("half", "median", 62, muted=False),
    SideColumn("seen", ["jobs", "with hours"], 136),
    SideColumn("empty", ["without", "tasks"], 196),
    SideColumn("known", ["tasks", "with hours"], 262),
    SideColumn("grade", "grade", 304),
)
#: Maximum number of dots per row. Jobs with similar hours are merged into a single dot.
_DOTS = 64


def plot_hours(
    profiles: TaskProfiles,
    *,
    by: By = BY_FAMILY,
    states: Sequence[str] | None = None,
    groups: Sequence[str] | None = None,
    top: int | None = frame.TOP,
    privacy: Privacy | None = USUAL,
) -> alt.LayerChart:
    """Draw the jobs' documented weekly hours, with one row per group.

    Each dot is a group of jobs with similar hours, sized by the number of jobs. Dots are hollow if some tasks have no
    hours. The box spans the middle half of the jobs, with a line at the median, and is omitted for fewer than 5 jobs.
    A column on the right shows how many jobs have hours. Rows of suppressed groups show the reason instead of dots.
    Hours are for one incumbent of each job, also if `by` is a column of people.

    Parameters
    ----------
    profiles
        Task profiles with the columns read by `hours`.
    by
        Column of the jobs, people or tasks that defines the groups, a list of columns, or None for all jobs together.
    states
        Validation states to include. None means ``profiles.manifest["states"]``, or validated and suggested.
    groups
        Names of the groups to draw, or None for all. The axis scale does not depend on the selection.
    top
        Number of groups to draw, those with the most documented weekly hours. If None, or with `groups`, all are drawn.
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
        If a column or group does not exist.

    Warns
    -----
    TpAnalyticsWarning
        If tasks in an unknown validation state are excluded.

    Examples
    --------
    >>> from tpanalytics import load_sample
    >>> chart = plot_hours(load_sample())
    >>> chart.to_dict()["description"][:52]
    'Dots and boxes of documented weekly hours per job fo'
    """
    profiles = with_cache(profiles)
    words = grouping(profiles, by)
    released = captions.released(measure_hours, profiles, privacy, by=by, weight="hours", states=states)
    if released.height == 0:
        return frame.no_jobs()
    jobs = per_job(aggregate_tasks(profiles, states, by=by, by_level=False))
    jobs = jobs.join(released.filter(~captions.is_suppressed()), on="group", how="semi", maintain_order="left")
    # Scale the axis to all groups, so it doesn't depend on the selection.
    contract, longest = (
        None if value is None else float(value)
        for value in jobs.select(pl.col("contract_hours").median(), pl.col("hours").max()).row(0)
    )
    shown = filter_groups(released, groups)
    totals = captions.rows_for_totals(measure_hours, profiles, words, shown, groups, weight="hours", states=states)
    largest = frame.Largest(frame.checked_top(top), pl.col("hours"), "most documented weekly hours")
    layout = frame.groups(totals, shown, profiles, privacy, words, groups, largest)
    jobs = layout.labelled(jobs)
    rows = _ordered(layout.rows, jobs)
    order = rows.get_column("group").to_list()
    end = max(longest or 0.0, contract or 0.0, 1.0) * 1.04
    x, y = alt.Scale(domain=[0, end], nice=False), frame.group_axis(order)
    return frame.chart(
        layout,
        rows,
        [
            *([_contract_line(contract, x)] if contract else []),
            *_boxes(rows, y, x, words, measured=bool(longest or contract)),
            _dots(jobs, y, x, end, (len(order), frame.row_height(order, _ROW)), words),
        ],
        _COLUMNS,
        title=_headline(words.spoken(rows), words),
        basis="Documented weekly hours per job",
        description=_description(rows, layout),
        notes=[*_footnotes(totals, contract), *words.overlap_notes("hours")],
        size=(_WIDTH, _ROW),
        below=56,
    )


def _ordered(groups: pl.DataFrame, jobs: pl.DataFrame) -> pl.DataFrame:
    """Sort the groups by median, those without hours last, and format the columns."""
    medians = jobs.group_by("group").agg(median=pl.col("hours").median())
    return (
        groups.join(medians, on="group", how="left")
        .sort("median", "group", descending=[True, False], nulls_last=True)
        .with_columns(
            data_grade=grade(pl.col("coverage")),
            half=pl.when(pl.col("median").is_null())
            .then(pl.lit(NONE))
            .otherwise(pl.format("{}\u00a0h", pl.col("median").round(1))),
            seen=pl.struct(pl.col("jobs_with_hours").fill_null(0), "jobs").map_elements(
                lambda row: f"{row['jobs_with_hours']:,} of {row['jobs']:,}", return_dtype=pl.String
            ),
            empty=frame.formatted("jobs_without_tasks", lambda n: NONE if n is None else f"{n:,}"),
            known=frame.formatted("coverage", coverage_percent),
            missing=captions.missing_figure_reason(
                {"no tasks": pl.col("tasks") == 0, "no documented hours": pl.col("median").is_null()}
            ),
        )
        .with_columns(pl.col("data_grade").fill_null(NONE).alias("grade"))
        .with_columns(captions.mask_suppressed("half", "seen", "empty", "known", "grade"))
    )


def _contract_line(contract: float, x: alt.Scale) -> alt.Chart:
    rule = alt.Chart(pl.DataFrame({"contract_hours": [contract]})).mark_rule(
        stroke=theme.MUTED, strokeDash=[4, 3], strokeWidth=1
    )
    placed: alt.Chart = rule.encode(x=alt.X("contract_hours:Q", scale=x))
    return placed


def _boxes(groups: pl.DataFrame, y: alt.Y, x: alt.Scale, words: Grouping, *, measured: bool) -> list[alt.Chart]:
    rows = groups.filter(pl.col("hours_p25").is_not_null())
    axis = alt.Axis(title="documented weekly hours", titleAnchor="start", tickCount=8)
    if not measured:
        axis = alt.Axis(title=None, labels=False, grid=False)
    box = (
        alt.Chart(rows.select("group", "hours_p25", "hours_p75"))
        .mark_bar(size=18, color=theme.SHADE, cornerRadius=2)
        .encode(x=alt.X("hours_p25:Q", scale=x, axis=axis), x2=alt.X2("hours_p75:Q"), y=y)
    )
    median = (
        alt.Chart(rows.select("group", "hours_p50", "jobs_with_hours", "hours_p10", "hours_p90"))
        .mark_tick(thickness=2.5, size=22, color=theme.INK)
        .encode(
            x=alt.X("hours_p50:Q", scale=x, axis=axis),
            y=y,
            tooltip=captions.tooltips("hours_p50", "hours_p10", "hours_p90", "jobs_with_hours", words=words),
        )
    )
    return [box, median]


def _dots(jobs: pl.DataFrame, y: alt.Y, x: alt.Scale, top: float, rows: tuple[int, int], words: Grouping) -> alt.Chart:
    """Merge jobs with similar hours into dots. `rows` is the number of rows and the row height in pixels."""
    dots_per_row = min(_DOTS, max(8, 2000 // rows[0]))  # Altair rejects more than 5,000 rows
    step = next((step for step in (1.0, 2.0, 5.0, 10.0) if top <= dots_per_row * step), top / dots_per_row)
    dots = (
        jobs.filter(pl.col("hours").is_not_null())
        .with_columns(about=(pl.col("hours") / step).round() * step, described=_completeness())
        .group_by("group", "about", "described")
        .agg(jobs=pl.len())
        .sort("group", "about", "described")
    )
    middle = 0.45 * rows[1]  # bands take up 90% of the row height
    offsets = [middle - 5, middle + 5]
    largest = max(12, *dots.get_column("jobs").to_list(), 1)
    placed: alt.Chart = (
        alt.Chart(dots)
        .mark_point(shape="circle", strokeWidth=1.3, opacity=0.9)
        .encode(
            x=alt.X("about:Q", scale=x),
            y=y,
            yOffset=alt.YOffset("described:N", scale=alt.Scale(domain=list(_COMPLETENESS), range=offsets)),
            size=alt.Size("jobs:Q", scale=alt.Scale(domain=[1, largest], range=[28, 320]), legend=None),
            fill=alt.Fill(
                "described:N",
                scale=alt.Scale(domain=list(_COMPLETENESS), range=[theme.ACCENT, "#FFFFFF"]),
                legend=alt.Legend(symbolType="circle", symbolStrokeColor=theme.ACCENT) if dots.height else None,
            ),
            stroke=alt.StrokeValue(theme.ACCENT),
            tooltip=captions.tooltips(
                words=words,
                about=("Q", "Weekly hours, rounded", None),
                jobs=("Q", "Jobs", None),
                described=("N", "Tasks", None),
            ),
        )
    )
    return placed


_COMPLETENESS = ("all tasks have hours", "some tasks have no hours")


def _completeness() -> pl.Expr:
    return pl.when("complete").then(pl.lit(_COMPLETENESS[0])).otherwise(pl.lit(_COMPLETENESS[1]))


def _headline(groups: pl.DataFrame, words: Grouping) -> str:
    """Return a headline with the range of medians. Grade C is ignored, since missing hours lower the median."""
    all_groups, groups = groups, groups.filter(~captions.is_suppressed())
    if not groups.height:
        return words.all_suppressed
    safe = groups.filter(pl.col("hours_p50").is_not_null() & pl.col("data_grade").is_in(["A", "B"]) & words.is_named())
    if not groups.get_column("median").count():
        if total(groups, "tasks"):
            return "Weekly hours cannot be shown: no task has documented hours"
        return "No tasks in these task profiles"
    if safe.height == 0:
        few = groups.filter(pl.col("data_grade").is_in(["A", "B"]) & pl.col("median").is_not_null()).height
        compare = f"compare the hours of {words.nouns}" if words.by else "show the hours"
        return f"There {'are not enough jobs' if few else 'is not enough data'} to {compare}"
    top, bottom = safe.row(0, named=True), safe.row(-1, named=True)
    if safe.height == 1:
        of = f" in {top['group']}" if words.by else ""
        return f"Half of the jobs{of} have {hours(top['hours_p50'])} or more documented per week"
    scope = "" if safe.height == all_groups.height else " with enough data"
    if top["hours_p50"] - bottom["hours_p50"] < 0.5:
        return f"The median job has about {hours(top['hours_p50'])} documented per week in every {words.one}{scope}"
    grades = f" ({words.many} of grade A or B)" if scope else ""
    return (
        f"Median documented hours per job range from {bottom['hours_p50']:.1f} a week in {bottom['group']} "
        f"to {top['hours_p50']:.1f} in {top['group']}{grades}"
    )


def _footnotes(groups: pl.DataFrame, contract: float | None) -> list[str]:
    tasks = total(groups, "tasks")
    line = (
        f"The dashed line marks the median contract week ({hours(contract)})."
        if contract
        else "Contract hours are missing, so the documented share of a week is unknown."
    )
    known = {"hours": total(groups, "tasks_with_hours") / tasks if tasks else None}
    note = captions.coverage_note(known, of=plural(tasks, "task"), meaning=get_metadata(groups))
    return [
        f"{note} {captions.MISSING_HOURS} Hollow dots therefore understate the hours.",
        f"A dot is one or more jobs with similar hours; the box spans the middle half of the jobs. {line}",
        captions.grade_note("hours"),
    ]


def _description(groups: pl.DataFrame, layout: frame.DrawnGroups) -> tuple[str, str, list[str]]:
    known = groups.filter(pl.col("median").is_not_null()).select("group", "median").rows()
    summary = (
        f"Dots and boxes of documented weekly hours per job for {layout.population}."
        f"{layout.words.sorted_by('median, highest first')}"
    )
    medians = f"Medians: {listed(f'{group} {hours(median)}' for group, median in known)}." if known else ""
    return summary, medians, captions.missing_figure_note(groups, "median")
