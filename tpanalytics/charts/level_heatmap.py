"""Where each family's work sits among the levels: a table of shares, shaded by how large they are (C6)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import altair as alt
import polars as pl

from tpanalytics.charts._core import captions, exposure_captions, group_rows, theme
from tpanalytics.formatting import NONE, covered, listed, percent, plural, total
from tpanalytics.measures._core.cache import recall, remembering
from tpanalytics.measures.coverage import coverage_by_family
from tpanalytics.measures.impact import impact_by_family
from tpanalytics.measures.privacy.policy import USUAL
from tpanalytics.schema import COUNTED_STATES, NO_FAMILY, NOT_ASSESSED, level_order

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tpanalytics.measures.impact import Weight
    from tpanalytics.measures.privacy.policy import Privacy
    from tpanalytics.schema import TaskProfiles

__all__ = ["plot_level_heatmap"]

_CELL, _ROW = 100, 30
#: From nothing to the largest share; on the way either black or white text has a contrast of 4.5 or more.
_LIGHT, _DARK = "#F3F7F7", "#0B4F56"
#: The scale ends here or at the largest share, so that small differences do not look large.
_TOP = 0.5
#: White text is read from here on, black before.
_TURN = 0.18
_BOXED = 3


def plot_level_heatmap(
    profiles: TaskProfiles,
    *,
    weight: Weight = "hours",
    states: Sequence[str] = COUNTED_STATES,
    privacy: Privacy | None = USUAL,
) -> alt.LayerChart:
    """Draw each family's share of each AI impact level as a table shaded by size.

    Families come in order of their H1 share, the three largest shares of a level are boxed, and a family of which too
    little is known has a notch in the corner of each of its cells. A family nothing of which can be weighed keeps its
    row and says so, and so does one that is hidden because too few jobs or people stand behind it.

    Parameters
    ----------
    profiles
        As for `impact_by_family`.
    weight
        What a share is of: ``"tasks"``, ``"hours"`` (per week), or ``"headcount"`` (hours times full-time
        equivalents).
    states
        Validation states that count.
    privacy
        How few jobs or people a figure may tell of; None hides nothing.

    Returns
    -------
    alt.LayerChart
        Restyle it as any Altair chart; write it with `save`.

    Raises
    ------
    SchemaError
        If a column is missing, or `weight` is none of its values.

    Warns
    -----
    TpAnalyticsWarning
        If tasks are in a state that is neither counted nor ``rejected``.

    Examples
    --------
    >>> from tpanalytics import load_sample
    >>> chart = plot_level_heatmap(load_sample())
    >>> chart.to_dict()["description"][:52]
    'Table of shares of described weekly hours, shaded by'
    """
    profiles = remembering(profiles)
    impact = captions.released(impact_by_family, profiles, privacy, weight=weight, states=states)
    hidden = captions.hidden_note(impact, privacy)
    impact = theme.drawable(impact)
    coverage = recall(coverage_by_family, profiles, states=states)
    if impact.height == 0:
        return theme.empty_chart("No jobs in these task profiles", "There is nothing to split by AI impact level.")
    totals = not impact.select(captions.is_hidden().all()).item()
    families = _families(impact, weight)
    order = families.get_column("job_family").to_list()
    levels = level_order(impact.filter(pl.col("tasks") > 0).get_column("level").to_list())
    cells = _cells(impact.filter(pl.col("level").is_in(levels)), weight)
    boxed = _largest(cells)
    # Without a level there is no column, and nothing beside which to print.
    width = _CELL * max(len(levels), 3)
    row = group_rows.row_height(order, _ROW)
    lines = _policy(
        coverage,
        weight,
        poor=families.get_column("grade").eq("C").any(),
        boxed=boxed.height,
        without=cells.get_column("figure").eq(NONE).any(),
    )
    return theme.finish(
        [
            *_table(cells, boxed, order, levels, (width / max(len(levels), 1), row)),
            *_beside(families, order, width),
            theme.footer([*hidden, *(lines if totals else []), *captions.source_line(profiles.manifest)], below=16),
        ],
        title=_finding(families, cells, weight),
        subtitle=f"Share of {exposure_captions.UNIT[weight]} at each AI impact level · {captions.population(coverage, totals=totals)}",
        description=_description(families, cells, boxed, coverage, weight, lines[:1], totals=totals),
        width=width,
        height=len(order) * row,
    )


def _families(impact: pl.DataFrame, weight: Weight) -> pl.DataFrame:
    of_h1 = pl.col("share").filter(pl.col("level") == "H1").first()
    nothing = {
        "tasks": "no task is described",
        "hours": "no hours are known, or all are zero",
        "headcount": "no hours with headcount are known, or all are zero",
    }[weight]
    return (
        impact.group_by("job_family")
        .agg(
            h1=of_h1,
            weighed=pl.col("share").is_not_null().any(),
            tasks=pl.col("tasks").sum(),
            coverage=pl.col("coverage").first(),
            grade=pl.col("grade").first(),
            reason=pl.col("reason").first(),
        )
        .sort("weighed", "h1", "job_family", descending=[True, True, False], nulls_last=True)
        .with_columns(
            known=pl.col("coverage").map_elements(covered, return_dtype=pl.String, skip_nulls=False),
            graded=pl.col("grade").fill_null(NONE),
            missing=pl.when(captions.is_hidden())
            .then(pl.lit(captions.WHY_HIDDEN))
            .when(pl.col("tasks") == 0)
            .then(pl.lit("no task described"))
            .when(~pl.col("weighed"))
            .then(pl.lit(nothing)),
        )
        .with_columns(captions.unless_hidden("known", "graded"))
    )


def _cells(impact: pl.DataFrame, weight: Weight) -> pl.DataFrame:
    """Write out the share of each cell; tasks without hours are no share of 0, they cannot be weighed."""
    unweighed = (pl.col("tasks") > 0) & (pl.col("tasks_with_hours") == 0) & (weight != "tasks")
    rows = impact.filter(pl.col("share").is_not_null())
    top = max(_TOP, float(rows.select(pl.col("share").max()).item() or 0.0))
    return rows.with_columns(
        figure=pl.when(unweighed)
        .then(pl.lit(NONE))
        .otherwise(pl.col("share").map_elements(percent, return_dtype=pl.String)),
        dark=pl.col("share").map_elements(lambda share: _luminance(share / top) < _TURN, return_dtype=pl.Boolean),
        top=pl.lit(top),
    )


def _luminance(at: float) -> float:
    """Give the relative luminance of the shade at a share of the scale, as the web guidelines define it."""
    total_light = 0.0
    for place, part in ((1, 0.2126), (3, 0.7152), (5, 0.0722)):
        light, dark = (int(colour[place : place + 2], 16) / 255 for colour in (_LIGHT, _DARK))
        channel = light + (dark - light) * at
        total_light += part * (channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4)
    return total_light


def _largest(cells: pl.DataFrame) -> pl.DataFrame:
    return (
        cells.filter((pl.col("level") != NOT_ASSESSED) & (pl.col("share") > 0))
        .sort(pl.col("share").round(9), "job_family", "level", descending=[True, False, False])
        .head(_BOXED)
    )


def _table(
    cells: pl.DataFrame, boxed: pl.DataFrame, order: list[str], levels: list[str], size: tuple[float, int]
) -> list[alt.Chart]:
    cell, row = size
    y = group_rows.family_axis(order)
    words = [theme.LEVEL_WORDS.get(level, f"{level} (unknown)").split(" ", 1) for level in levels]
    axis = alt.Axis(
        title=None,
        orient="top",
        labelAngle=0,
        labelExpr=f"{json.dumps(words)}[indexof({json.dumps(levels)}, datum.label)]",
        labelLimit=_CELL + 30,
        labelLineHeight=12,
        labelPadding=18,  # the second line hangs below the first
    )
    x = alt.X("level:N", sort=levels, axis=axis, scale=alt.Scale(domain=levels, paddingInner=0.03, paddingOuter=0))
    drawn = alt.Chart(cells.select("job_family", "level", "share", "tasks", "tasks_with_hours", "figure", "dark"))
    top = cells.item(0, "top") if cells.height else 1.0
    shades = drawn.mark_rect(height=row - 2).encode(
        x=x,
        y=y,
        color=alt.Color(
            "share:Q",
            scale=alt.Scale(domain=[0, top], range=[_LIGHT, _DARK], interpolate="rgb"),
            legend=None,
        ),
        tooltip=[
            alt.Tooltip("job_family:N", title="Job family"),
            alt.Tooltip("level:N", title="AI impact level"),
            alt.Tooltip("share:Q", title="Share", format=".1%"),
            alt.Tooltip("tasks:Q", title="Tasks", format=","),
            alt.Tooltip("tasks_with_hours:Q", title="Tasks with hours", format=","),
        ],
    )
    notches = (
        alt.Chart(cells.filter(grade="C").select("job_family", "level", "dark"))
        .mark_point(
            shape="M-1,-1L1,-1L1,1Z", size=36, filled=True, opacity=1, xOffset=cell / 2 - 5, yOffset=5 - row / 2
        )
        .encode(x=x, y=y, color=theme.ink_if("datum.dark", "#FFFFFF", "#000000"))
    )
    boxes = (
        alt.Chart(boxed.select("job_family", "level"))
        .mark_rect(height=row - 3, fillOpacity=0, stroke="#000000", strokeWidth=2.2)
        .encode(x=x, y=y)
    )
    figures = drawn.mark_text(fontSize=12).encode(
        x=x,
        y=y,
        text=alt.Text("figure:N"),
        color=theme.ink_if("datum.dark", "#FFFFFF", "#000000"),
    )
    return [shades, notches, boxes, figures]


def _beside(families: pl.DataFrame, order: list[str], width: int) -> list[alt.Chart]:
    y = group_rows.family_axis(order)
    rows = families.select("job_family", "known", grade="graded")
    columns = [("known", ["tasks", "in it"], width + 58), ("grade", "grade", width + 106)]
    marks = [mark for field, header, x in columns for mark in group_rows.column(rows, y, field, header, x, muted=True)]
    return [*marks, *group_rows.remarks(families, y, "missing")]


def _finding(families: pl.DataFrame, cells: pl.DataFrame, weight: Weight) -> str:
    """Say which level holds most of a family's work, of those of which enough is known."""
    shown = families.filter(~captions.is_hidden())
    if not shown.height:
        return captions.ALL_HIDDEN
    of_shown = " of the families shown" if shown.height < families.height else ""
    if not shown.get_column("tasks").sum():
        return f"No task{of_shown} is described"
    if not total(cells.filter(pl.col("level") != NOT_ASSESSED), "tasks"):
        return f"AI impact cannot be shown: no task{of_shown} that can be weighed has a level"
    safe = cells.filter(pl.col("grade").is_in(["A", "B"]) & (pl.col("job_family") != NO_FAMILY))
    largest = _largest(safe)
    if not largest.height:
        return "Too little is known to compare the AI impact of job families"
    most = largest.row(0, named=True)
    between = exposure_captions.shares_between(most["share_low"], most["share_high"])
    level, _, means = theme.LEVEL_WORDS.get(most["level"], most["level"]).partition(" ")
    word = f"{level} ({means})" if means else level
    of = f"{percent(most['share'])} of {exposure_captions.UNIT[weight]}{between} are {word}"
    named = shown.filter((pl.col("job_family") != NO_FAMILY) & pl.col("weighed"))
    if named.height == 1:
        return f"{most['job_family']}: {of}"
    among = of_shown if safe.get_column("job_family").n_unique() == named.height else " of a family that is well known"
    return f"The largest share{among}: in {most['job_family']}, {of}"


def _policy(coverage: pl.DataFrame, weight: Weight, *, poor: bool, boxed: int, without: bool) -> list[str]:
    tasks = total(coverage, "tasks")
    if not tasks:
        return ["No job has a task that counts."]
    known, level = (captions.overall(coverage, name) for name in ("hours_coverage", "level_coverage"))
    marks = [f"Boxed: the {plural(boxed, 'largest share')} of a level." if boxed > 1 else ""]
    marks += ["Notched corner: grade C, quote none of these figures alone."] * poor
    marks += [f"{NONE}: tasks of that level, none with hours."] * without
    return [
        f"{covered(known)} of {plural(tasks, 'task')} have hours, {covered(level)} a level."
        + " A task without hours is in no share; it is not zero." * (weight != "tasks"),
        *([" ".join(filter(None, marks))] * any(marks)),
        f"Grade by the share of tasks {exposure_captions.NEEDED[weight]}: A from 90 %, B from 70 %, C below. Levels are judgements.",
    ]


def _description(
    families: pl.DataFrame,
    cells: pl.DataFrame,
    boxed: pl.DataFrame,
    coverage: pl.DataFrame,
    weight: Weight,
    lines: list[str],
    *,
    totals: bool,
) -> str:
    built = (
        f"Table of shares of {exposure_captions.UNIT[weight]}, shaded by size, with a row for each of "
        f"{captions.population(coverage, totals=totals)} and a column per AI impact level. "
        "Families in order of their share of H1, highly automatable, highest first."
    )

    def cell(row: dict[str, Any]) -> str:
        return f"{row['level']} {row['figure']}"

    extremes = ""
    if boxed.height:
        most = (f"{row['level']} in {row['job_family']} {row['figure']}" for row in boxed.iter_rows(named=True))
        extremes = f"The largest shares of a level: {listed(most)}. All: "
        by_family = [
            f"{row['job_family']} (grade {row['graded']}, {row['known']} of tasks in it) "
            + ", ".join(map(cell, cells.filter(job_family=row["job_family"]).iter_rows(named=True)))
            for row in families.filter("weighed").iter_rows(named=True)
        ]
        extremes += "; ".join(by_family) + "."
    unknown = families.filter(~pl.col("weighed") & ~captions.is_hidden()).get_column("job_family").to_list()
    shape = [
        *([f"Nothing can be shown for {listed(unknown)}."] if unknown else []),
        *captions.hidden_names(families),
        *(lines if totals else []),
    ]
    return theme.described(built, extremes, " ".join(shape))
