"""Panels of the single-job chart."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Literal

import altair as alt
import polars as pl

from tpanalytics.charts._core import frame, theme
from tpanalytics.formatting import clean_text, hours, plural
from tpanalytics.schema import NOT_ASSESSED, level_order

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Maximum number of tasks to list. The bar always includes every task.
LISTED = 40
_WIDTH, _BAR, _ROW, _LINE = 890, 34, 19, 14
#: Bar height in pixels, including the sentence above.
_BAND = 66
#: Minimum width of a numbered block, in pixels.
_NUMBER = 15
#: Maximum line length of task names and rationales, in characters.
_NAME, _QUOTE = 104, 165
#: Fill colours for everything except blocks. The panels share a scale, so all colours must be in a single dict.
_FILLS = {
    "remaining": "#D9D9DE",
    "possibly freed": "#F1F8F8",
    "freed": "#CFE6E8",
    "unknown": "#FFFFFF",
    **theme.LEVEL_COLOURS,
    "another level": "#BDBDC2",
}
_CURRENT, _SCENARIO = "current week", "scenario"


def week(
    tasks: pl.DataFrame, levels: Sequence[str], contract: float | None, scenario: pl.DataFrame | None
) -> alt.LayerChart:
    """Draw the current week with one block per task, and the week in the scenario below if there is one."""
    blocks = _blocks(tasks)
    documented = max([0.0, *blocks.get_column("end")])
    top = max(documented, contract or 0.0) or 1.0
    per_pixel = top / _WIDTH
    scale = alt.Scale(domain=[0, top], nice=False)
    x = alt.X("start:Q", scale=scale, axis=alt.Axis(title="weekly hours", titleAnchor="start", tickCount=8, grid=False))
    spans = _spans(documented, contract, scenario)
    # Omit labels that don't fit. The sentence above the bar has the same figures.
    width = (pl.col("end") - pl.col("start")) / per_pixel
    fits = pl.col("label").str.len_chars() * 5.8 + 6 < width
    spans = spans.with_columns(label=pl.when(fits).then("label").otherwise(pl.lit("")))
    layers = []
    for number, line in enumerate([_CURRENT, _SCENARIO] if scenario is not None else [_CURRENT]):
        top_of_bar = number * _BAND + _BAND - _BAR - 8
        layers += _span_layers(spans.filter(pl.col("line") == line), x, scale, top_of_bar)
    layers += _block_layers(blocks, x, scale, levels, per_pixel)
    for number, line in enumerate([_CURRENT, _SCENARIO]):
        hatched = spans.filter(pl.col("line") == line, pl.col("hatched")).select("start", "end", "label").rows()
        if line == _CURRENT:
            hatched += [
                (start, end, str(n) if end - start >= _NUMBER * per_pixel else "")
                for start, end, n in blocks.filter(level=NOT_ASSESSED).select("start", "end", "n").rows()
            ]
        positions = [
            at
            for start, end, label in hatched
            for at in theme.strokes(start, end, per_pixel)
            if not label or abs(at - (start + end) / 2) > (len(label) * 2.9 + 6) * per_pixel
        ]
        if positions:
            strokes = theme.hatched(alt.Chart(pl.DataFrame({"at": positions})), _BAR)
            middle = theme.pixel_encoding(y=number * _BAND + _BAND - _BAR / 2 - 8)
            layers.append(strokes.encode(x=alt.X("at:Q", scale=scale), **middle))
    sentences = [f"Current week: {week_note(tasks, contract)}"]
    sentences += [scenario_note(scenario)] if scenario is not None else []
    layers += [
        theme.note(sentence, x=0, y=_BAND * number + 12, baseline="middle", color=theme.INK)
        for number, sentence in enumerate(sentences)
    ]
    height = _BAND * len(sentences)
    if contract:
        rule = alt.Chart(pl.DataFrame({"contract": [contract]})).mark_rule(stroke=theme.INK, strokeWidth=1.5)
        ends = theme.pixel_encoding(y=_BAND - _BAR - 14, y2=height)
        layers.append(rule.encode(x=alt.X("contract:Q", scale=scale), **ends))
    chart: alt.LayerChart = alt.LayerChart(layer=layers, width=_WIDTH, height=height)
    return chart


def _block_layers(
    blocks: pl.DataFrame, x: alt.X, scale: alt.Scale, levels: Sequence[str], per_pixel: float
) -> list[alt.Chart]:
    """Draw one block per task, and number the blocks that are wide enough."""
    top = _BAND - _BAR - 8
    printed = [_printed(level) for level in levels]
    colours = alt.Scale(domain=printed, range=[theme.LEVEL_COLOURS.get(level, "#BDBDC2") for level in levels])
    bar = (
        alt.Chart(blocks.select("start", "end", "level", "task", "hours"))
        .mark_rect(stroke=theme.OUTLINE, strokeWidth=1)
        .encode(
            x=x,
            x2=alt.X2("end:Q"),
            **theme.pixel_encoding(y=top, y2=top + _BAR),
            color=alt.Color("level:N", scale=colours, legend=theme.level_legend(printed)),
            tooltip=[
                alt.Tooltip("task:N", title="Task"),
                alt.Tooltip("hours:Q", title="Weekly hours", format=",.2f"),
                alt.Tooltip("level:N", title="AI impact level"),
            ],
        )
    )
    wide = blocks.filter(pl.col("end") - pl.col("start") >= _NUMBER * per_pixel)
    numbers = (
        alt.Chart(wide.select("middle", "n", "dark"))
        .mark_text(fontSize=10.5)
        .encode(
            x=alt.X("middle:Q", scale=scale),
            **theme.pixel_encoding(y=top + _BAR / 2),
            text=alt.Text("n:N"),
            color=theme.ink_if("datum.dark", "#FFFFFF", theme.INK),
        )
    )
    return [bar, numbers]


def _span_layers(spans: pl.DataFrame, x: alt.X, scale: alt.Scale, top: float) -> list[alt.Chart]:
    """Draw the non-task segments of a bar."""
    if not spans.height:
        return []
    bars = (
        alt.Chart(spans.select("start", "end", "paint"))
        .mark_rect(stroke=theme.OUTLINE, strokeWidth=1)
        .encode(x=x, x2=alt.X2("end:Q"), **theme.pixel_encoding(y=top, y2=top + _BAR), fill=_paint())
    )
    labelled = spans.filter(pl.col("label") != "").select("label", middle=(pl.col("start") + pl.col("end")) / 2)
    labels = alt.Chart(labelled).mark_text(fontSize=11, color=theme.INK)
    return [
        bars,
        labels.encode(
            x=alt.X("middle:Q", scale=scale), **theme.pixel_encoding(y=top + _BAR / 2), text=alt.Text("label:N")
        ),
    ]


def _paint() -> alt.Fill:
    return alt.Fill("paint:N", scale=alt.Scale(domain=list(_FILLS), range=list(_FILLS.values())), legend=None)


def _blocks(tasks: pl.DataFrame) -> pl.DataFrame:
    """Lay out the tasks end to end, sorted by level (H1 first) and then by hours (longest first)."""
    levels = level_order(tasks.get_column("level").to_list())
    rank = {level: number for number, level in enumerate(levels)}
    end = pl.col("hours").cum_sum()
    return (
        tasks.filter(pl.col("hours") > 0)
        .sort(pl.col("level").replace_strict(rank, default=99, return_dtype=pl.Int32), "n")
        .with_columns(start=end - pl.col("hours"), end=end, dark=pl.col("level").is_in(["H1", "H2"]))
        .with_columns(pl.col("n").cast(pl.String), middle=(pl.col("start") + pl.col("end")) / 2)
        .with_columns(pl.col("level").map_elements(_printed, return_dtype=pl.String))
    )


def _printed(level: str) -> str:
    return clean_text(level) or level


def _spans(documented: float, contract: float | None, scenario: pl.DataFrame | None) -> pl.DataFrame:
    """Return the non-task segments: undocumented hours and the parts of the scenario."""
    rows: list[tuple[str, float, float, str, str, bool]] = []
    if contract and contract > documented:
        rows.append((_CURRENT, documented, contract, "unknown", f"undocumented {hours(contract - documented)}", True))
    if scenario is not None:
        low, high, rated = scenario.select("freed_low", "freed_high", "hours_known").row(0)
        if rated is not None and low is not None:
            ends = [0.0, rated - high, rated - low, rated, max(documented, rated)]
            freed = _between(low, high)
            for start, end, paint, label, is_hatched in (
                (ends[0], ends[1], "remaining", f"remaining {hours(ends[1])}", False),
                (ends[1], ends[2], "possibly freed", "possibly freed", False),
                (ends[2], ends[3], "freed", f"freed {freed}", False),
                (ends[3], ends[4], "unknown", "no level", True),
            ):
                if end - start > 1e-9:
                    rows.append((_SCENARIO, start, end, paint, label, is_hatched))
        if contract and contract > documented:
            rows.append((_SCENARIO, documented, contract, "unknown", "undocumented", True))
    schema = {
        "line": pl.String,
        "start": pl.Float64,
        "end": pl.Float64,
        "paint": pl.String,
        "label": pl.String,
        "hatched": pl.Boolean,
    }
    return pl.DataFrame(rows, schema=schema, orient="row")


def _between(low: float, high: float) -> str:
    return hours(high) if round(high - low, 2) == 0 else f"{round(low, 1):g} to {hours(high)}"


def week_note(tasks: pl.DataFrame, contract: float | None) -> str:
    """Summarize documented hours, contract hours and tasks without hours."""
    timed = tasks.filter(pl.col("hours").is_not_null())
    documented = float(timed.get_column("hours").sum())
    without = tasks.height - timed.height
    text = f"{hours(documented)} documented" if timed.height else "no hours documented"
    if contract:
        text += f" of a {hours(contract)} contract week"
        gap = contract - documented
        text += f", {hours(gap)} undocumented" if gap > 0.05 else f", {hours(-gap)} over" if gap < -0.05 else ""
    return text + (f"; {plural(without, 'task')} without hours" if without else "")


def scenario_note(scenario: pl.DataFrame) -> str:
    """Summarize how many hours a scenario would free, and the minimum that would remain."""
    low, high, rated = scenario.select("freed_low", "freed_high", "hours_known").row(0)
    if low is None or rated is None:
        return "The scenario cannot be computed: no task has hours and a level"
    freed = _between(low, high)
    return (
        f"Scenario: {freed} of {hours(rated)} with a level would be freed, at least {hours(rated - high)} would remain"
    )


def _listed(shown: pl.DataFrame) -> tuple[pl.DataFrame, float, float | None]:
    """Return the task rows, the total height, and the position of the note above tasks without hours."""
    rows, at, gap_at = [], 0.0, None
    digits = frame.decimals(shown.get_column("hours").to_list())
    for n, task, amount, level, state in shown.select("n", "task", "hours", "level", "state").rows():
        if amount is None and gap_at is None:
            gap_at = at + 14
            at += 30
        lines = textwrap.wrap(task, _NAME, max_lines=3, placeholder=" …") or [""]
        middle = at + _LINE / 2
        level_text = theme.LEVEL_WORDS.get(level, _printed(level))
        figure = "unknown" if amount is None else f"{amount:,.{digits}f}\u00a0h"
        paint = level if level in theme.LEVEL_COLOURS else "another level"
        rows.append((str(n), "\n".join(lines), figure, level_text, _printed(state), paint, round(middle, 1)))
        at += _ROW + _LINE * (len(lines) - 1)
    schema = dict.fromkeys(("n", "task", "hours", "level", "state", "paint"), pl.String) | {"y": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row"), at, gap_at


def task_list(tasks: pl.DataFrame) -> list[alt.LayerChart]:
    """List the tasks, longest first, followed by tasks without hours."""
    if not tasks.height:
        return []
    shown = tasks.head(LISTED)
    table, at, gap_at = _listed(shown)
    more = tasks.height - shown.height
    rest = float(tasks.tail(more).get_column("hours").sum()) if more else 0.0
    height = at + 4
    y = alt.Y("y:Q", scale=alt.Scale(domain=[height, 0], nice=False), axis=None)
    columns: list[tuple[str, int, Literal["left", "right"]]] = [
        ("n", 16, "right"),
        ("task", 46, "left"),
        ("hours", 672, "right"),
        ("level", 690, "left"),
        ("state", 832, "left"),
    ]
    texts = [
        alt.Chart(table.select("y", name))
        .mark_text(
            align=align,
            baseline="top",
            dy=-_LINE / 2 + 1,
            fontSize=11,
            lineBreak="\n",
            lineHeight=_LINE,
            color=theme.MUTED if name in ("n", "state") else theme.INK,
        )
        .encode(**theme.pixel_encoding(x=x), y=y, text=alt.Text(f"{name}:N"))
        for name, x, align in columns
    ]
    squares = (
        alt.Chart(table.select("y", "paint"))
        .mark_point(shape="square", size=90, stroke=theme.OUTLINE, strokeWidth=1, opacity=1)
        .encode(**theme.pixel_encoding(x=31), y=y, fill=_paint())
    )
    heads = [
        theme.note(name, x=x, y=-8, align=align, baseline="bottom", fontSize=10.5)
        for name, x, align in (
            ("task (longest first, numbered as in the bar)", 46, "left"),
            ("weekly hours", 672, "right"),
            ("AI impact level", 690, "left"),
            ("state", 832, "left"),
        )
    ]
    if gap_at is not None:
        text = "hours missing (not zero), so not in the bar"
        heads.append(theme.note(text, x=46, y=round(gap_at), baseline="middle", fontStyle="italic"))
    if more:
        text = f"and {plural(more, 'more task')} with {hours(rest)}"
        heads.append(theme.note(text, x=46, y=round(height + 8), baseline="middle", fontStyle="italic"))
    chart: alt.LayerChart = alt.LayerChart(layer=[*texts, squares, *heads], width=_WIDTH, height=height)
    return [chart]


def peers(jobs: pl.DataFrame, text: str) -> list[alt.LayerChart]:
    """Draw the exposure of every job in the family as a strip, and highlight this job."""
    lines = textwrap.wrap(text, _QUOTE)
    heading = theme.note(lines, x=0, y=-22 - 15 * (len(lines) - 1), baseline="bottom", color=theme.INK)
    if not jobs.height:
        return [alt.LayerChart(layer=[heading], width=_WIDTH, height=1)]
    axis = alt.Axis(title=None, tickCount=5, format=".1f")
    x = alt.X("exposure:Q", scale=alt.Scale(domain=[0, 1]), axis=axis)
    others = (
        alt.Chart(jobs.filter(~pl.col("own")).select("exposure"))
        .mark_tick(thickness=1.5, size=18, color=theme.ACCENT, opacity=0.75)
        .encode(x=x, **theme.pixel_encoding(y=12))
    )
    own = alt.Chart(jobs.filter("own").select("exposure"))
    mark = own.mark_point(shape="diamond", size=150, fill=theme.INK, stroke="#FFFFFF", strokeWidth=1, opacity=1)
    # Align the label inwards near the ends of the strip, so it isn't cut off.
    at = jobs.filter("own").get_column("exposure").sum()
    side: Literal["left", "center", "right"] = "left" if at < 0.03 else "right" if at > 0.97 else "center"
    name = own.mark_text(text="this job", align=side, dy=-17, fontSize=11, fontWeight="bold", color=theme.INK)
    strip = alt.LayerChart(
        layer=[others, *(part.encode(x=x, **theme.pixel_encoding(y=12)) for part in (mark, name)), heading]
    ).properties(width=_WIDTH, height=24)
    return [strip]


def quotes(rationales: Sequence[tuple[int, str]]) -> list[alt.LayerChart]:
    """Quote the rationales with task numbers."""
    if not rationales:
        return []
    lines = ["Rationales of the ratings, by task number:"]
    for n, rationale in rationales:
        lines += textwrap.wrap(f"{n}  {rationale}", _QUOTE, max_lines=3, placeholder=" …", subsequent_indent="     ")
    note = theme.note(lines, x=0, y=0, baseline="top", color=theme.INK)
    return [alt.LayerChart(layer=[note], width=_WIDTH, height=15 * len(lines))]
