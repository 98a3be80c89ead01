"""Hours per job in each family: where the jobs lie, how they spread, and which are described in full (C5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import altair as alt
import polars as pl

from tpanalytics.charts import theme
from tpanalytics.measures import hours_by_family, hours_by_job
from tpanalytics.schema import COUNTED_STATES
from tpanalytics.words import NONE, hours, listed, percent, plural, total

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tpanalytics.schema import TaskProfiles

__all__ = ["plot_hours_by_family"]

_WIDTH, _ROW = 470, 34
#: Most dots a row may have: jobs of about the same hours share one, so that thousands of jobs stay readable and small.
_DOTS = 64


def plot_hours_by_family(profiles: TaskProfiles, *, states: Sequence[str] = COUNTED_STATES) -> alt.LayerChart:
    """Draw how many weekly hours the jobs of each family describe.

    A dot stands for the jobs of about the same hours, its area for how many; it is hollow where some of their tasks
    have no hours. The box holds the middle half of the jobs, the line in it the median; below 5 jobs there is no box.
    Jobs without hours are counted at the right.

    Parameters
    ----------
    profiles
        As for `hours_by_family`.
    states
        Validation states that count.

    Returns
    -------
    alt.LayerChart
        Restyle it as any Altair chart; write it with `save`.

    Raises
    ------
    SchemaError
        If a column is missing.

    Warns
    -----
    TpAnalyticsWarning
        If tasks are in a state that is neither counted nor ``rejected``.

    Examples
    --------
    >>> from tpanalytics import load_sample
    >>> chart = plot_hours_by_family(load_sample())
    >>> chart.to_dict()["description"][:52]
    'Dots and boxes of described weekly hours per job for'
    """
    families = hours_by_family(profiles, states=states)
    jobs = hours_by_job(profiles, states=states)
    if families.height == 0:
        return theme.empty_chart("No jobs in these task profiles", "There are no weekly hours to show.")
    families = _ordered(families, jobs)
    order = families.get_column("job_family").to_list()
    contract, longest = (
        None if value is None else float(value)
        for value in jobs.select(pl.col("contract_hours").median(), pl.col("hours").max()).row(0)
    )
    top = max(longest or 0.0, contract or 0.0, 1.0) * 1.04
    x = alt.Scale(domain=[0, top], nice=False)
    row = theme.row_height(order, _ROW)
    return theme.finish(
        [
            *([_contract_line(contract, x)] if contract else []),
            *_boxes(families, order, x),
            _dots(jobs, order, x, top, row),
            *_beside(families, order),
            theme.footer(_policy(families, contract), below=56),
        ],
        title=_finding(families),
        subtitle=f"Described weekly hours per job · {theme.population(families)}",
        description=_description(families, contract),
        width=_WIDTH,
        rows=len(order),
        row_height=row,
    )


def _ordered(families: pl.DataFrame, jobs: pl.DataFrame) -> pl.DataFrame:
    """Order the families by their median, those without any hours last, and write out what stands beside them."""
    middle = jobs.group_by("job_family").agg(median=pl.col("hours").median())
    empty = pl.col("jobs_without_tasks")
    unknown = pl.col("jobs") - empty - pl.col("jobs_with_hours")
    return (
        families.join(middle, on="job_family")
        .sort("median", "job_family", descending=[True, False], nulls_last=True)
        .with_columns(
            half=pl.when(pl.col("median").is_null())
            .then(pl.lit(NONE))
            .otherwise(pl.format("{}\u00a0h", pl.col("median").round(1))),
            seen=pl.format("{} of {}", "jobs_with_hours", "jobs"),
            empty=pl.when(empty > 0).then(empty.cast(pl.String)).otherwise(pl.lit(NONE)),
            unknown=pl.when(unknown > 0).then(unknown.cast(pl.String)).otherwise(pl.lit(NONE)),
            known=pl.col("coverage").map_elements(percent, return_dtype=pl.String, skip_nulls=False),
        )
    )


def _contract_line(contract: float, x: alt.Scale) -> alt.Chart:
    rule = alt.Chart(pl.DataFrame({"contract_hours": [contract]})).mark_rule(
        stroke=theme.MUTED, strokeDash=[4, 3], strokeWidth=1
    )
    placed: alt.Chart = rule.encode(x=alt.X("contract_hours:Q", scale=x))
    return placed


def _boxes(families: pl.DataFrame, order: list[str], x: alt.Scale) -> list[alt.Chart]:
    y = theme.family_axis(order)
    rows = families.filter(pl.col("hours_p25").is_not_null())
    axis = alt.Axis(title="described hours per week", titleAnchor="start", tickCount=8)
    box = (
        alt.Chart(rows.select("job_family", "hours_p25", "hours_p75"))
        .mark_bar(size=18, color=theme.SHADE, cornerRadius=2)
        .encode(x=alt.X("hours_p25:Q", scale=x, axis=axis), x2="hours_p75:Q", y=y)
    )
    median = (
        alt.Chart(rows.select("job_family", "hours_p50", "jobs_with_hours", "hours_p10", "hours_p90"))
        .mark_tick(thickness=2.5, size=22, color=theme.INK)
        .encode(
            x=alt.X("hours_p50:Q", scale=x, axis=axis),
            y=y,
            tooltip=[
                alt.Tooltip("job_family:N", title="Job family"),
                alt.Tooltip("hours_p50:Q", title="Median, hours a week", format=".1f"),
                alt.Tooltip("hours_p10:Q", title="A tenth of jobs below", format=".1f"),
                alt.Tooltip("hours_p90:Q", title="A tenth of jobs above", format=".1f"),
                alt.Tooltip("jobs_with_hours:Q", title="Jobs with hours"),
            ],
        )
    )
    return [box, median]


def _dots(jobs: pl.DataFrame, order: list[str], x: alt.Scale, top: float, row: int) -> alt.Chart:
    """Gather jobs of about the same hours into one dot."""
    step = next((step for step in (1.0, 2.0, 5.0, 10.0) if top <= _DOTS * step), top / _DOTS)
    dots = (
        jobs.filter(pl.col("hours").is_not_null())
        .with_columns(about=(pl.col("hours") / step).round() * step, described=_described())
        .group_by("job_family", "about", "described")
        .agg(jobs=pl.len())
        .sort("job_family", "about", "described")
    )
    middle = 0.45 * row  # of the band, which is a tenth lower than its row
    beside = [middle - 5, middle + 5]
    most = max(12, *dots.get_column("jobs").to_list(), 1)
    placed: alt.Chart = (
        alt.Chart(dots)
        .mark_point(shape="circle", strokeWidth=1.3, opacity=0.9)
        .encode(
            x=alt.X("about:Q", scale=x),
            y=theme.family_axis(order),
            yOffset=alt.YOffset("described:N", scale=alt.Scale(domain=list(_DESCRIBED), range=beside)),
            size=alt.Size("jobs:Q", scale=alt.Scale(domain=[1, most], range=[28, 320]), legend=None),
            fill=alt.Fill(
                "described:N",
                scale=alt.Scale(domain=list(_DESCRIBED), range=[theme.ACCENT, "#FFFFFF"]),
                legend=alt.Legend(symbolType="circle", symbolStrokeColor=theme.ACCENT),
            ),
            stroke=alt.value(theme.ACCENT),
            tooltip=[
                alt.Tooltip("job_family:N", title="Job family"),
                alt.Tooltip("about:Q", title="About, hours a week"),
                alt.Tooltip("jobs:Q", title="Jobs"),
                alt.Tooltip("described:N", title="Tasks"),
            ],
        )
    )
    return placed


_DESCRIBED = ("all tasks have hours", "some tasks have no hours")


def _described() -> pl.Expr:
    return pl.when("complete").then(pl.lit(_DESCRIBED[0])).otherwise(pl.lit(_DESCRIBED[1]))


def _beside(families: pl.DataFrame, order: list[str]) -> list[alt.Chart]:
    y = theme.family_axis(order)
    columns = [
        ("half", "median", _WIDTH + 62, False),
        ("seen", ["jobs", "with hours"], _WIDTH + 136, True),
        ("empty", ["without", "any task"], _WIDTH + 196, True),
        ("unknown", ["hours", "unknown"], _WIDTH + 256, True),
    ]
    rows = families.select("job_family", *(field for field, *_ in columns))
    return [
        mark for field, header, x, muted in columns for mark in theme.column(rows, y, field, header, x, muted=muted)
    ]


def _finding(families: pl.DataFrame) -> str:
    known = families.filter(pl.col("hours_p50").is_not_null())
    if known.height == 0:
        return "Hours per job: too few jobs have hours to compare"
    if known.height == 1:
        family, median = known.select("job_family", "hours_p50").row(0)
        return f"Half of the jobs in {family} describe {hours(median)} a week or more"
    top, bottom = known.row(0, named=True), known.row(-1, named=True)
    if top["hours_p50"] - bottom["hours_p50"] < 0.5:
        return f"Jobs of all families describe about {hours(top['hours_p50'])} a week"
    return (
        f"The typical job describes {hours(top['hours_p50'])} a week in {top['job_family']}, "
        f"{hours(bottom['hours_p50'])} in {bottom['job_family']}"
    )


def _policy(families: pl.DataFrame, contract: float | None) -> list[str]:
    tasks = total(families, "tasks")
    line = (
        f"The dashed line is the median contract, {hours(contract)} a week."
        if contract
        else "Contract hours are not given, so nothing says how much of a week is described."
    )
    share = percent(total(families, "tasks_with_hours") / tasks) if tasks else NONE
    return [
        f"{share} of {plural(tasks, 'task')} have hours; the others are not zero, so a hollow dot lies too far left.",
        f"A dot is the jobs of about the same hours, its area how many; the box is the middle half. {line}",
    ]


def _description(families: pl.DataFrame, contract: float | None) -> str:
    known = families.filter(pl.col("median").is_not_null())
    said = (
        f"Dots and boxes of described weekly hours per job for {theme.population(families)}. "
        "Families in order of their median, highest first."
    )
    if known.height:
        said += " Medians: " + listed(f"{f} {hours(m)}" for f, m in known.select("job_family", "median").rows()) + "."
    unknown = families.filter(pl.col("median").is_null()).get_column("job_family").to_list()
    if unknown:
        said += f" No hours are known for {listed(unknown)}."
    return f"{said} {_policy(families, contract)[0]}"
