"""Which families share their work: a square per pair, families that are alike beside each other (C12)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import altair as alt
import polars as pl

from tpanalytics.charts._core import captions, frame, theme
from tpanalytics.formatting import NONE, listed, percent, plural
from tpanalytics.measures._core.cache import with_cache
from tpanalytics.measures._core.checks import check_choice
from tpanalytics.measures._core.metadata import grade
from tpanalytics.measures.about import about
from tpanalytics.measures.coverage import coverage as measure_coverage
from tpanalytics.measures.overlap import by_likeness, overlap as measure_overlap
from tpanalytics.measures.privacy.policy import HIDDEN, USUAL
from tpanalytics.schema import COUNTED_STATES, NO_FAMILY
from tpanalytics.typing import CountWeight, SameTask

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tpanalytics.measures._core.metadata import Meaning
    from tpanalytics.measures.privacy.policy import Privacy
    from tpanalytics.schema import TaskProfiles

__all__ = ["plot_overlap"]

#: Families that fit; of more, those with most tasks.
_MOST = 60
#: Up to so many families the squares have their figures printed.
_PRINTED = 24
#: Fewest shared tasks of which a share is told.
_ENOUGH = 5
_FEW = "\u25e6"
#: Above this share a square is boxed.
_HALF = 0.5
_STEPS = [0.1, 0.2, 0.35, 0.5]
_WORDS = ["below 10\u00a0%", "10 to 20\u00a0%", "20 to 35\u00a0%", "35 to 50\u00a0%", "50\u00a0% and more"]
_SHADES = ["#F1F6F6", "#CFE3E4", "#8FC0C3", "#3F8F95", "#124B50"]
#: Side of a square in pixels, up to so many families.
_SIZES = ((6, 54), (12, 38), (_PRINTED, 28))
_WRAP = 38
#: Pixels left of the squares for the number of a row.
_NUMBER = 18
_HOURS = f"Hours are of one incumbent of each job. {captions.MISSING_HOURS}"
_BUILT = "Rows and columns are the families in the same order, those that share much beside each other."
_SAID = {
    "hours": "share of the row's hours in tasks that the column has too",
    "tasks": "tasks that both have, of the different tasks of the two",
}


def plot_overlap(
    profiles: TaskProfiles,
    *,
    weight: CountWeight = "hours",
    same_task: SameTask = "id",
    states: Sequence[str] = COUNTED_STATES,
    privacy: Privacy | None = USUAL,
) -> alt.LayerChart:
    """Draw how much of their work every two job families share.

    Rows and columns are the families in the same order and with the same numbers; those that share much stand beside
    each other. By hours a square says which share of the row's hours lies in tasks that the column has as well, so that
    the two squares of a pair differ; by tasks both are the same. Squares above 50 % are boxed. Pairs that share fewer
    than 5 tasks have a sign instead of a figure, and so have families that are hidden. Up to 24 families the figures
    are printed; of more than 60 only those with most tasks are drawn. The chart holds a row per pair, nothing of any
    task or job.

    Parameters
    ----------
    profiles
        As for `overlap`.
    weight
        ``"hours"``, or ``"tasks"`` whatever time they take.
    same_task
        By what two tasks are the same: their ``"id"``, or their ``"text"`` without case and spacing.
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
        If a column is missing, or an argument is none of its values.

    Warns
    -----
    TpAnalyticsWarning
        If tasks are in a state that is neither counted nor ``rejected``.

    Examples
    --------
    >>> from tpanalytics import load_sample
    >>> chart = plot_overlap(load_sample())
    >>> chart.to_dict()["description"][:42]
    "Squares of the share of the row's hours in"
    """
    profiles = with_cache(profiles)
    check_choice("weight", weight, CountWeight)
    everyone = measure_coverage(profiles, states=states)
    if not everyone.height:
        return frame.no_jobs()
    groups = frame.groups(
        everyone, captions.released(measure_coverage, profiles, privacy, states=states), profiles, privacy
    )
    families = groups.rows
    overlap = measure_overlap(profiles, same_task=same_task, states=states)
    meaning = about(overlap)
    shares = _shares(overlap, weight)
    shown = families.filter(~captions.is_hidden())
    order, left_out = _order(families, shown, shares)
    squares = _squares(order, shares, shown)
    named = _named(squares, shown, weight)
    finding = _finding(squares, named, order, weight) if shown.height else captions.ALL_HIDDEN
    notes = groups.footnotes(_notes(meaning, squares, left_out, weight))
    size = next((size for most, size in _SIZES if len(order) <= most), max(11, 660 // max(len(order), 1)))
    return theme.assemble(
        [*_marks(squares, order, weight, size), theme.footer(notes, below=14)],
        title=finding,
        subtitle=f"{_SAID[weight][0].upper()}{_SAID[weight][1:]} · {groups.population}",
        description=captions.alt_text(
            f"Squares of the {_SAID[weight]}, for {groups.population}. {_BUILT}",
            f"{finding}. {_largest(named, weight)}".strip(),
            _shape(squares, order, families, notes),
        ),
        width=max(size * len(order), 60),
        height=max(size * len(order), 40),
    )


def _shares(overlap: pl.DataFrame, weight: CountWeight) -> pl.DataFrame:
    """Return each pair in both directions: ``row, column, shared, share``, families by name."""
    one, other = ("jaccard", "jaccard") if weight == "tasks" else ("containment_a_in_b", "containment_b_in_a")
    sides = [("family_a", "family_b", one), ("family_b", "family_a", other)]
    both = pl.concat(
        overlap.select(row=pl.col(row), column=pl.col(column), shared=pl.col("tasks_shared"), share=pl.col(share))
        for row, column, share in sides
    )
    names = pl.concat([both.select(job_family="row"), both.select(job_family="column")])
    drawn = theme.sanitize_labels(names).get_column("job_family")
    return both.with_columns(row=drawn.head(both.height), column=drawn.tail(both.height)).sort("row", "column")


def _order(families: pl.DataFrame, shown: pl.DataFrame, shares: pl.DataFrame) -> tuple[list[str], int]:
    """Order families by likeness, jobs without a family and suppressed ones last; leave out the smallest."""
    largest = shown.sort("tasks", "job_family", descending=[True, False]).head(_MOST).get_column("job_family")
    names = [family for family in shown.get_column("job_family").sort() if family in set(largest)]
    pairs = shares.filter(pl.col("share").is_not_null() & (pl.col("shared") >= _ENOUGH))
    both = pairs.group_by(
        pl.min_horizontal("row", "column").alias("one"), pl.max_horizontal("row", "column").alias("other")
    ).agg(pl.col("share").mean())
    likeness = {(one, other): share for one, other, share in both.rows()}
    row = by_likeness([family for family in names if family != NO_FAMILY], likeness)
    row += [NO_FAMILY] * (NO_FAMILY in names)
    hidden = families.filter(captions.is_hidden()).get_column("job_family").to_list()[: _MOST - len(row)]
    return [*row, *hidden], families.height - len(row) - len(hidden)


def _squares(order: list[str], shares: pl.DataFrame, shown: pl.DataFrame) -> pl.DataFrame:
    """Return a row per square: its share, or a sign that explains why it has none."""
    places = pl.DataFrame(
        {"row": order, "place": range(1, len(order) + 1)}, schema={"row": pl.String, "place": pl.Int64}
    )
    open_to = set(shown.get_column("job_family"))
    grid = places.join(places.rename({"row": "column", "place": "across"}), how="cross").filter(
        pl.col("row") != pl.col("column")
    )
    seen = pl.col("row").is_in(list(open_to)) & pl.col("column").is_in(list(open_to))
    few = (pl.col("shared") > 0) & (pl.col("shared") < _ENOUGH)
    return (
        grid.join(shares, on=["row", "column"], how="left", maintain_order="left")
        .with_columns(
            sign=pl.when(~seen)
            .then(pl.lit(HIDDEN))
            .when(pl.col("share").is_null())
            .then(pl.lit(NONE))
            .when(few)
            .then(pl.lit(_FEW))
        )
        .with_columns(
            share=pl.when(pl.col("sign").is_null()).then(pl.col("share").round(4)), shared=pl.when(seen).then("shared")
        )
        .sort("place", "across")
    )


def _marks(squares: pl.DataFrame, order: list[str], weight: CountWeight, size: int) -> list[alt.Chart]:
    printed = len(order) <= _PRINTED
    y, x = _axes(order, size, printed=printed)
    own = pl.DataFrame({"row": range(1, len(order) + 1)}).with_columns(col=pl.col("row"))
    numbers = alt.Chart(own).mark_text(align="right", fontSize=_font(size), color=theme.MUTED)
    marks = [
        alt.Chart(own).mark_rect(color="#D5D5DA").encode(x=x, y=y),
        # Apart from the names, which may end in a number of their own.
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
    """Fill the squares and print their figures."""
    title = "Share of the row's hours" if weight == "hours" else "Share of the tasks of both"
    figure = (pl.col("share") * 100).round().cast(pl.Int64).cast(pl.String)
    little = (pl.col("share") > 0) & (pl.col("share") < 0.005)
    rows = known.select("row", "col", "share", "shared", figure=pl.when(little).then(pl.lit("<1")).otherwise(figure))
    squares = _square(rows, y, x).encode(
        tooltip=captions.tooltips("row", "col", share=("Q", title, ".1%"), shared=("Q", "Tasks both have", ","))
    )
    ink = theme.ink_if("datum.share >= 0.35", "#FFFFFF", theme.INK)
    text = alt.Chart(rows).mark_text(fontSize=11 if size > 30 else 10)
    return [squares, text.encode(x=x, y=y, text=alt.Text("figure:N"), color=ink)]


def _shaded(known: pl.DataFrame, y: alt.Y, x: alt.X) -> list[alt.Chart]:
    """Shade thousands of squares, with a key to the shades and no more."""
    marks = [_square(known.select("row", "col", pl.col("share").round(3)), y, x)]
    for at, (shade, words) in enumerate(zip(_SHADES, _WORDS, strict=True)):
        left = 4 + 108 * at
        swatch = alt.Chart(alt.InlineData(values=[{}])).mark_rect(fill=shade, stroke=theme.OUTLINE, strokeWidth=1)
        place = theme.pixel_encoding(x=left, x2=left + 12, y=-44, y2=-32)
        marks += [swatch.encode(**place), theme.note(words, x=left + 18, y=-38, baseline="middle", color=theme.INK)]
    return marks


def _font(size: int) -> float:
    return 11 if size >= 24 else 9.5


def _axes(order: list[str], size: int, *, printed: bool) -> tuple[alt.Y, alt.X]:
    """Return axes with the same numbers; only rows have names, because across they could not be read."""
    width = _WRAP if size >= 24 else 200
    names = [frame.name_lines(family, width, most=2) for family in order]
    font = _font(size)
    scale = alt.Scale(domain=list(range(1, len(order) + 1)), paddingInner=0.08, paddingOuter=0.04)
    down = frame.numbered_axis(
        "row", names, labelLimit=420, labelFontSize=font, labelPadding=_NUMBER + 6, labelOverlap=False
    )
    every = "" if printed else "datum.value % 5 ? '' : datum.value"
    across = alt.Axis(
        title=None,
        orient="top",
        labelAngle=0,
        labelFontSize=font,
        labelColor=theme.MUTED,
        labelOverlap=False,
        labelExpr=every or alt.Undefined,
        grid=False,
    )
    return down.scale(scale), alt.X("col:O", axis=across).scale(scale)


def _named(squares: pl.DataFrame, shown: pl.DataFrame, weight: CountWeight) -> pl.DataFrame:
    """Return the squares that may be the headline, the largest share first: of families of grade A or B."""
    known = pl.lit(value=True) if weight == "tasks" else grade(pl.col("hours_coverage")).is_in(["A", "B"])
    safe = shown.filter(known & (pl.col("job_family") != NO_FAMILY)).select("job_family")
    return (
        squares.drop_nulls("share")
        .join(safe, left_on="row", right_on="job_family", how="semi")
        .join(safe, left_on="column", right_on="job_family", how="semi")
        .sort("share", "row", "column", descending=[True, False, False])
    )


def _finding(squares: pl.DataFrame, named: pl.DataFrame, order: list[str], weight: CountWeight) -> str:
    """State which families share most, or how many are tied, or that nothing can be compared."""
    if len(order) < 2:
        return f"There is one job family, {order[0]}: none to share its work with"
    if not named.height and squares.get_column("share").count():
        return "Too little is known to say which job families share most"
    if not named.height:
        known = squares.filter(pl.col("sign").is_null() | (pl.col("sign") == _FEW)).height
        if known:
            return "No two job families share enough tasks to be compared"
        return "What job families share cannot be said: too little is known of their work"
    top = named.row(0, named=True)
    if top["share"] == 0:
        return (
            "No two job families share a task" if not squares.get_column("shared").fill_null(0).sum() else _thin(weight)
        )
    boxed = squares.filter(pl.col("share") > _HALF).height
    half = named.filter(pl.col("share") > _HALF).height
    above = f"{plural(half, 'square')} {'is' if half == 1 else 'are'} above" if half else "none is above"
    lone = (pl.col("row") == NO_FAMILY) | (pl.col("column") == NO_FAMILY)
    others = squares.filter(pl.col("share") > _HALF, ~lone).height > half
    aside = " among families of which enough is known" if others else ", jobs without a family apart" * (boxed > half)
    first = named.filter(pl.col("share") >= top["share"] - 1e-9)
    pairs = first.select(pl.min_horizontal("row", "column"), other=pl.max_horizontal("row", "column")).n_unique()
    if pairs > 1:
        said = f"{pairs:,} pairs of families share most: {percent(top['share'])}"
        said = (
            f"{said} of the tasks of both" if weight == "tasks" else f"{said} of one's hours are in tasks of the other"
        )
    elif weight == "tasks":
        said = f"{top['row']} and {top['column']} share most: {percent(top['share'])} of the tasks of both"
    else:
        said = (
            f"{top['row']} and {top['column']} share most: {percent(top['share'])} of the hours of {top['row']} are in "
            "tasks of both"
        )
    return f"{said}; {above} 50\u00a0%{aside}"


def _thin(weight: CountWeight) -> str:
    return (
        f"What two job families share takes none of their known {weight}"
        if weight == "hours"
        else "Hardly a task is shared"
    )


def _notes(meaning: Meaning, squares: pl.DataFrame, left_out: int, weight: CountWeight) -> list[str]:
    signs = squares.get_column("sign")
    rated = captions.grade_note("hours", meaning.grade)
    return [
        captions.known_of(meaning, "hours"),
        rated if weight == "hours" else "A task counts once per family, whatever time it takes.",
        *([_HOURS] * (weight == "hours")),
        *meaning.warnings,
        *([f"Boxed: above {percent(_HALF)}."] * bool((squares.get_column("share") > _HALF).any())),
        *([f"{_FEW} fewer than {_ENOUGH} tasks shared: no figure."] * bool((signs == _FEW).any())),
        *([f"{NONE} nothing to share is known: no task, or no hours."] * bool((signs == NONE).any())),
        *([f"The {_MOST} families with most tasks are drawn; {left_out:,} more are not."] * bool(left_out)),
    ]


def _largest(named: pl.DataFrame, weight: CountWeight) -> str:
    """Name the largest shares for those who cannot see the squares."""
    above = named.filter(pl.col("share") > 0)
    if weight == "tasks":
        above = above.filter(pl.col("row") < pl.col("column"))
    if not above.height:
        return ""
    link = "with" if weight == "tasks" else "in"
    said = (f"{row} {link} {column} {percent(share)}" for row, column, share in above.select(_PAIR).head(12).rows())
    return f"Largest: {listed(said)}."


_PAIR = ("row", "column", "share")


def _shape(squares: pl.DataFrame, order: list[str], families: pl.DataFrame, notes: list[str]) -> str:
    """Describe the order, what has no figure, and what is hidden."""
    shown = [
        family for family in order if family in set(families.filter(~captions.is_hidden()).get_column("job_family"))
    ]
    said = [f"Order: {listed(shown)}."] if 0 < len(shown) <= _PRINTED else []
    few = (squares.get_column("sign") == _FEW).sum()
    if few:
        said.append(f"{few:,} squares have no figure: fewer than {_ENOUGH} tasks shared.")
    return " ".join([*said, *captions.hidden_names(families), *(notes if shown else [])])
