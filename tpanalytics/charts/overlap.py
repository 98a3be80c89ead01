"""Heatmap of tasks shared by groups of jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import altair as alt
import polars as pl

from tpanalytics.charts._core import captions, frame, theme
from tpanalytics.charts._core.grouping import capitalized, grouping
from tpanalytics.formatting import NONE, listed, percent, plural
from tpanalytics.measures._core.cache import with_cache
from tpanalytics.measures._core.checks import check_choice
from tpanalytics.measures._core.groups import BY_FAMILY
from tpanalytics.measures._core.metadata import grade
from tpanalytics.measures.about import about
from tpanalytics.measures.coverage import coverage as measure_coverage
from tpanalytics.measures.overlap import order_by_similarity, overlap as measure_overlap
from tpanalytics.measures.privacy.policy import SUPPRESSED_MARK, USUAL
from tpanalytics.typing import CountWeight, SameTask

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tpanalytics.charts._core.grouping import Grouping
    from tpanalytics.measures._core.metadata import Meaning
    from tpanalytics.measures.privacy.policy import Privacy
    from tpanalytics.schema import TaskProfiles
    from tpanalytics.typing import By

__all__ = ["plot_overlap"]

#: Maximum number of groups to draw.
_MOST = 60
#: Print figures in the squares for up to this many groups.
_PRINTED = 24
#: Minimum number of shared tasks for a figure, and the symbol for pairs with fewer.
_ENOUGH = 5
_FEW = "\u25e6"
#: Outline squares with a share above this value.
_HALF = 0.5
_STEPS = [0.1, 0.2, 0.35, 0.5]
_STEP_LABELS = ["below 10%", "10% to 20%", "20% to 35%", "35% to 50%", "50% and more"]
_SHADES = ["#F1F6F6", "#CFE3E4", "#8FC0C3", "#3F8F95", "#124B50"]
#: Maximum number of groups and square size in pixels.
_SIZES = ((6, 54), (12, 38), (_PRINTED, 28))
_WRAP = 38
#: Width reserved for the row numbers, in pixels.
_NUMBER = 18
_HOURS = f"Hours are for one incumbent of each job. {captions.MISSING_HOURS}"
_CONTENT = {
    "hours": "share of the row's hours in tasks shared with the column",
    "tasks": "shared tasks as a share of the distinct tasks of both {many}",
}


def plot_overlap(
    profiles: TaskProfiles,
    *,
    by: By = BY_FAMILY,
    weight: CountWeight = "hours",
    same_task: SameTask = "id",
    states: Sequence[str] | None = None,
    privacy: Privacy | None = USUAL,
) -> alt.LayerChart:
    """Draw how much work each pair of groups has in common.

    Rows and columns list the groups in the same order, with similar groups next to each other. When weighted by
    hours, a square is the share of the row's hours in tasks shared with the column, so a pair's two squares differ.
    When weighted by tasks, both are equal. Squares above 50% are outlined. Pairs with fewer than 5 shared tasks and
    suppressed groups show a symbol. Figures are printed for up to 24 groups, and at most the 60 groups with the most
    tasks are drawn. Groups of people that hold the same jobs share the tasks of those jobs. The chart data has one row
    per pair, without individual tasks or jobs.

    Parameters
    ----------
    profiles
        Task profiles with the columns read by `overlap`.
    by
        Column of the jobs, people or tasks that defines the groups, a list of columns, or None for all jobs together.
    weight
        ``"hours"`` compares weekly hours. ``"tasks"`` compares the number of tasks.
    same_task
        Match tasks by ``"id"`` or by ``"text"``, ignoring case and spacing.
    states
        Validation states to include. None means ``profiles.manifest["states"]``, or validated and suggested.
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
        If an argument is invalid.

    Warns
    -----
    TpAnalyticsWarning
        If tasks in an unknown validation state are excluded.

    Examples
    --------
    >>> from tpanalytics import load_sample
    >>> chart = plot_overlap(load_sample())
    >>> chart.to_dict()["description"][:42]
    "Squares of the share of the row's hours in"
    """
    profiles = with_cache(profiles)
    check_choice("weight", weight, CountWeight)
    words = grouping(profiles, by)
    released = captions.released(measure_coverage, profiles, privacy, by=by, states=states)
    if not released.height:
        return frame.no_jobs()
    totals = captions.rows_for_totals(measure_coverage, profiles, words, released, None, states=states)
    layout = frame.groups(totals, released, profiles, privacy, words)
    groups = layout.rows
    overlap = measure_overlap(profiles, by=by, same_task=same_task, states=states)
    # If groups overlap, count the tasks of a job in several groups only once.
    once = measure_overlap(profiles, by=None, same_task=same_task, states=states) if words.overlap else overlap
    meaning = about(once)
    shares = _shares(layout.labelled(overlap, "group_a", "group_b"), weight)
    shown = groups.filter(~captions.is_suppressed())
    order, not_drawn = _order(groups, shown, shares, words)
    content = _CONTENT[weight].format(many=words.many)
    squares = _squares(order, shares, shown)
    named = _quotable(squares, shown, weight, words)
    headline = _headline(squares, named, order, weight, words) if shown.height else words.all_suppressed
    notes = layout.footnotes(_footnotes(meaning, squares, not_drawn, weight, words))
    size = next((size for most, size in _SIZES if len(order) <= most), max(11, 660 // max(len(order), 1)))
    return theme.assemble(
        [*_marks(squares, order, weight, size), theme.footer(notes, below=14)],
        title=headline,
        subtitle=f"{capitalized(content)} · {layout.population}",
        description=captions.alt_text(
            f"Squares of the {content}, for {layout.population}. "
            f"Rows and columns list the {words.many} in the same order, similar {words.many} next to each other.",
            f"{headline}. {_largest(named, weight)}".strip(),
            _shape(squares, order, groups, notes),
        ),
        width=max(size * len(order), 60),
        height=max(size * len(order), 40),
    )


def _shares(overlap: pl.DataFrame, weight: CountWeight) -> pl.DataFrame:
    """Return each pair in both directions, in the columns ``row``, ``column``, ``shared`` and ``share``."""
    a_in_b, b_in_a = ("jaccard", "jaccard") if weight == "tasks" else ("containment_a_in_b", "containment_b_in_a")
    sides = [("group_a", "group_b", a_in_b), ("group_b", "group_a", b_in_a)]
    return pl.concat(
        overlap.select(row=pl.col(row), column=pl.col(column), shared=pl.col("tasks_shared"), share=pl.col(share))
        for row, column, share in sides
    ).sort("row", "column")


def _order(groups: pl.DataFrame, shown: pl.DataFrame, shares: pl.DataFrame, words: Grouping) -> tuple[list[str], int]:
    """Return the groups to draw, sorted by similarity (suppressed ones last), and the number omitted."""
    largest = shown.sort("tasks", "group", descending=[True, False]).head(_MOST).get_column("group")
    names = [group for group in shown.get_column("group").sort() if group in set(largest)]
    pairs = shares.filter(pl.col("share").is_not_null() & (pl.col("shared") >= _ENOUGH))
    both = pairs.group_by(
        pl.min_horizontal("row", "column").alias("first"), pl.max_horizontal("row", "column").alias("second")
    ).agg(pl.col("share").mean())
    similarity = {(first, second): share for first, second, share in both.rows()}
    unnamed = shown.filter(~words.is_named()).get_column("group").to_list()
    order = order_by_similarity([group for group in names if group not in unnamed], similarity)
    order += [group for group in names if group in unnamed]
    suppressed = groups.filter(captions.is_suppressed()).get_column("group").to_list()[: _MOST - len(order)]
    return [*order, *suppressed], groups.height - len(order) - len(suppressed)


def _squares(order: list[str], shares: pl.DataFrame, shown: pl.DataFrame) -> pl.DataFrame:
    """Return one row per square, with the share or a symbol if there is none."""
    places = pl.DataFrame(
        {"row": order, "place": range(1, len(order) + 1)}, schema={"row": pl.String, "place": pl.Int64}
    )
    names = shown.get_column("group").to_list()
    grid = places.join(places.rename({"row": "column", "place": "across"}), how="cross").filter(
        pl.col("row") != pl.col("column")
    )
    released = pl.col("row").is_in(names) & pl.col("column").is_in(names)
    few = (pl.col("shared") > 0) & (pl.col("shared") < _ENOUGH)
    return (
        grid.join(shares, on=["row", "column"], how="left", maintain_order="left")
        .with_columns(
            sign=pl.when(~released)
            .then(pl.lit(SUPPRESSED_MARK))
            .when(pl.col("share").is_null())
            .then(pl.lit(NONE))
            .when(few)
            .then(pl.lit(_FEW))
        )
        .with_columns(
            share=pl.when(pl.col("sign").is_null()).then(pl.col("share").round(4)),
            shared=pl.when(released).then("shared"),
        )
        .sort("place", "across")
    )


def _marks(squares: pl.DataFrame, order: list[str], weight: CountWeight, size: int) -> list[alt.Chart]:
    printed = len(order) <= _PRINTED
    y, x = _axes(order, size, printed=printed)
    diagonal = pl.DataFrame({"row": range(1, len(order) + 1)}).with_columns(col=pl.col("row"))
    numbers = alt.Chart(diagonal).mark_text(align="right", fontSize=_font(size), color=theme.MUTED)
    marks = [
        alt.Chart(diagonal).mark_rect(color="#D5D5DA").encode(x=x, y=y),
        # Draw row numbers separately from the names, which could end in a digit.
        numbers.encode(**theme.pixel_encoding(x=-6), y=y, text=alt.Text("row:Q")),
    ]
    squares = squares.select("share", "shared", "sign", row="place", col="across")
    known = squares.drop_nulls("share")
    if known.height:
        marks += _filled(known, y, x, weight, size) if printed else _shaded(known, y, x)
    signs = squares.drop_nulls("sign").select("row", "col", "sign")
    if signs.height:
        text = alt.Chart(signs).mark_text(fontSize=14 if printed else 9, fontWeight="bold", color=theme.MUTED)
        marks.append(text.encode(x=x, y=y, text=alt.Text("sign:N")))
    return marks


def _square(known: pl.DataFrame, y: alt.Y, x: alt.X) -> alt.Chart:
    shades = alt.Color("share:Q", scale=alt.Scale(type="threshold", domain=_STEPS, range=_SHADES), legend=None)
    boxed = alt.StrokeValue("transparent", condition=theme.when(f"datum.share > {_HALF}", theme.INK))
    marks = alt.Chart(known).mark_rect(strokeWidth=2, strokeJoin="miter")
    placed: alt.Chart = marks.encode(x=x, y=y, color=shades, stroke=boxed)
    return placed


def _filled(known: pl.DataFrame, y: alt.Y, x: alt.X, weight: CountWeight, size: int) -> list[alt.Chart]:
    """Draw the squares with figures."""
    title = "Share of the row's hours" if weight == "hours" else "Share of distinct tasks"
    figure = (pl.col("share") * 100).round().cast(pl.Int64).cast(pl.String)
    tiny = (pl.col("share") > 0) & (pl.col("share") < 0.005)
    rows = known.select("row", "col", "share", "shared", figure=pl.when(tiny).then(pl.lit("<1")).otherwise(figure))
    squares = _square(rows, y, x).encode(
        tooltip=captions.tooltips("row", "col", share=("Q", title, ".1%"), shared=("Q", "Shared tasks", ","))
    )
    ink = theme.ink_if("datum.share >= 0.35", "#FFFFFF", theme.INK)
    text = alt.Chart(rows).mark_text(fontSize=11 if size > 30 else 10)
    return [squares, text.encode(x=x, y=y, text=alt.Text("figure:N"), color=ink)]


def _shaded(known: pl.DataFrame, y: alt.Y, x: alt.X) -> list[alt.Chart]:
    """Draw the squares without figures, and add a legend for the shades."""
    marks = [_square(known.select("row", "col", pl.col("share").round(3)), y, x)]
    for at, (shade, label) in enumerate(zip(_SHADES, _STEP_LABELS, strict=True)):
        left = 4 + 108 * at
        swatch = alt.Chart(alt.InlineData(values=[{}])).mark_rect(fill=shade, stroke=theme.OUTLINE, strokeWidth=1)
        position = theme.pixel_encoding(x=left, x2=left + 12, y=-44, y2=-32)
        marks += [swatch.encode(**position), theme.note(label, x=left + 18, y=-38, baseline="middle", color=theme.INK)]
    return marks


def _font(size: int) -> float:
    return 11 if size >= 24 else 9.5


def _axes(order: list[str], size: int, *, printed: bool) -> tuple[alt.Y, alt.X]:
    """Return numbered axes. Only rows have names, as column names wouldn't be readable."""
    width = _WRAP if size >= 24 else 200
    names = [frame.name_lines(group, width, most=2) for group in order]
    font = _font(size)
    scale = alt.Scale(domain=list(range(1, len(order) + 1)), paddingInner=0.08, paddingOuter=0.04)
    rows = frame.numbered_axis(
        "row", names, labelLimit=420, labelFontSize=font, labelPadding=_NUMBER + 6, labelOverlap=False
    )
    every_fifth = "" if printed else "datum.value % 5 ? '' : datum.value"
    columns = alt.Axis(
        title=None,
        orient="top",
        labelAngle=0,
        labelFontSize=font,
        labelColor=theme.MUTED,
        labelOverlap=False,
        labelExpr=every_fifth or alt.Undefined,
        grid=False,
    )
    return rows.scale(scale), alt.X("col:O", axis=columns).scale(scale)


def _quotable(squares: pl.DataFrame, shown: pl.DataFrame, weight: CountWeight, words: Grouping) -> pl.DataFrame:
    """Return squares where both groups are grade A or B, largest share first."""
    known = pl.lit(value=True) if weight == "tasks" else grade(pl.col("hours_coverage")).is_in(["A", "B"])
    safe = shown.filter(known & words.is_named()).select("group")
    return (
        squares.drop_nulls("share")
        .join(safe, left_on="row", right_on="group", how="semi")
        .join(safe, left_on="column", right_on="group", how="semi")
        .sort("share", "row", "column", descending=[True, False, False])
    )


def _headline(
    squares: pl.DataFrame, named: pl.DataFrame, order: list[str], weight: CountWeight, words: Grouping
) -> str:
    """Name the groups that share the most work, or explain why none can be compared."""
    if len(order) < 2:
        only = f"{order[0]} is the only {words.noun}" if words.by else "All jobs are in one group"
        return f"{only}, so there is no overlap to show"
    if not named.height and squares.get_column("share").count():
        return f"There is not enough data to say which {words.nouns} share the most work"
    if not named.height:
        if squares.filter(pl.col("sign").is_null() | (pl.col("sign") == _FEW)).height:
            return f"No two {words.nouns} share enough tasks to be compared"
        return f"There is not enough data to compare the work of {words.nouns}"
    top = named.row(0, named=True)
    if top["share"] == 0:
        return (
            f"No two {words.nouns} share a task"
            if not squares.get_column("shared").fill_null(0).sum()
            else _no_overlap(weight, words)
        )
    boxed = squares.filter(pl.col("share") > _HALF).height
    half = named.filter(pl.col("share") > _HALF).height
    above = f"{plural(half, 'square')} {'is' if half == 1 else 'are'} above" if half else "no square is above"
    others = squares.filter(pl.col("share") > _HALF, words.is_named("row"), words.is_named("column")).height > half
    scope = f" among {words.many} with enough data" if others else f", excluding {words.missing}" * (boxed > half)
    first = named.filter(pl.col("share") >= top["share"] - 1e-9)
    pairs = first.select(pl.min_horizontal("row", "column"), other=pl.max_horizontal("row", "column")).n_unique()
    if pairs > 1:
        of_what = "of their distinct tasks" if weight == "tasks" else f"of one {words.one}'s hours are in shared tasks"
        headline = f"{pairs:,} pairs of {words.many} share the most work: {percent(top['share'])} {of_what}"
    else:
        of_what = (
            "of their distinct tasks" if weight == "tasks" else f"of the hours in {top['row']} are in shared tasks"
        )
        headline = f"{top['row']} and {top['column']} share the most work: {percent(top['share'])} {of_what}"
    return f"{headline}; {above} 50%{scope}"


def _no_overlap(weight: CountWeight, words: Grouping) -> str:
    if weight == "hours":
        return "Shared tasks take up almost no hours"
    return f"{capitalized(words.nouns)} share almost no tasks"


def _footnotes(
    meaning: Meaning, squares: pl.DataFrame, not_drawn: int, weight: CountWeight, words: Grouping
) -> list[str]:
    signs = squares.get_column("sign")
    grade_note = captions.grade_note("hours", meaning.grade)
    return [
        captions.coverage_of(meaning, "hours"),
        grade_note if weight == "hours" else f"A task counts once per {words.one}, regardless of its hours.",
        *([_HOURS] * (weight == "hours")),
        *meaning.warnings,
        *([f"Boxed: above {percent(_HALF)}."] * bool((squares.get_column("share") > _HALF).any())),
        *([f"{_FEW} = fewer than {_ENOUGH} shared tasks."] * bool((signs == _FEW).any())),
        *([f"{NONE} = no tasks or no hours."] * bool((signs == NONE).any())),
        *words.overlap_notes(weight),
        *(
            [f"Only the {_MOST} {words.many} with the most tasks are drawn, not {not_drawn:,} others."]
            * bool(not_drawn)
        ),
    ]


def _largest(named: pl.DataFrame, weight: CountWeight) -> str:
    """List the largest shares for the alt text."""
    above = named.filter(pl.col("share") > 0)
    if weight == "tasks":
        above = above.filter(pl.col("row") < pl.col("column"))
    if not above.height:
        return ""
    link = "with" if weight == "tasks" else "in"
    shares = (f"{row} {link} {column} {percent(share)}" for row, column, share in above.select(_PAIR).head(12).rows())
    return f"Largest: {listed(shares)}."


_PAIR = ("row", "column", "share")


def _shape(squares: pl.DataFrame, order: list[str], groups: pl.DataFrame, notes: list[str]) -> str:
    """Describe the order of the groups and the squares without a figure."""
    shown = [group for group in order if group in set(groups.filter(~captions.is_suppressed()).get_column("group"))]
    texts = [f"Order: {listed(shown)}."] if 0 < len(shown) <= _PRINTED else []
    few = (squares.get_column("sign") == _FEW).sum()
    if few:
        texts.append(f"{few:,} squares have no figure: fewer than {_ENOUGH} shared tasks.")
    return " ".join([*texts, *captions.suppressed_names(groups), *(notes if shown else [])])
