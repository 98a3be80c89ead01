"""Layout for charts with one row per group."""

from __future__ import annotations

import json
import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import altair as alt
import polars as pl

from tpanalytics.charts._core import captions, theme
from tpanalytics.charts._core.theme import INK, MUTED, note, pixel_encoding
from tpanalytics.formatting import NONE
from tpanalytics.measures._core.checks import check_whole

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from tpanalytics.charts._core.grouping import Grouping
    from tpanalytics.measures.privacy.policy import Privacy
    from tpanalytics.schema import TaskProfiles

#: Default maximum number of rows.
TOP = 40
#: Maximum row label width in characters, and line height in pixels.
_WRAP, _LINE = 38, 12


@dataclass(frozen=True)
class DrawnGroups:
    """Rows to draw after suppression, with text describing them."""

    rows: pl.DataFrame
    #: Whether totals can be shown. If every row is suppressed, totals would reveal the figures.
    totals: bool
    population: str
    suppression: list[str]
    sources: list[str]
    words: Grouping
    #: Label of each group in the chart.
    labels: dict[str, str]
    selected: Sequence[str] | None = None
    #: Number of groups if only the largest are drawn, and what they have the most of.
    out_of: tuple[int, str] | None = None

    def titled(self, finding: str) -> str:
        """Prefix the title with the number of groups if only some are drawn."""
        if self.out_of:
            return f"{len(self.labels)} largest {self.words.many} · {finding}"
        return captions.title_with_selection(finding, self.selected, self.words)

    @property
    def not_drawn(self) -> list[str]:
        """Report how many groups are not drawn, and how to see them."""
        if not self.out_of:
            return []
        of, most = self.out_of
        drawn = f"{len(self.labels)} of {self.words.counted(of)} are drawn, those with the {most}."
        return [f"{drawn} Pass top=None to draw all."]

    def labelled(self, table: pl.DataFrame, *columns: str) -> pl.DataFrame:
        """Replace groups with their labels in the chart, dropping rows of groups that are not in it."""
        columns = columns or ("group",)
        rows = table.filter(pl.col(name).is_in(list(self.labels)) for name in columns)
        return rows.with_columns(pl.col(name).replace_strict(self.labels, return_dtype=pl.String) for name in columns)

    def footnotes(self, notes: Iterable[str]) -> list[str]:
        """Return the wrapped footnotes, omitting `notes` if every group is suppressed."""
        return captions.wrapped([*self.not_drawn, *self.suppression, *(notes if self.totals else ()), *self.sources])


class Largest(NamedTuple):
    """The largest groups to draw, if there are more than `top`."""

    top: int | None
    amount: pl.Expr
    #: What these groups have, such as "most weekly hours".
    most: str

    def of(self, rows: pl.DataFrame) -> list[str] | None:
        """Return the labels of the largest groups that are not suppressed, or None to draw all groups."""
        if self.top is None or rows.get_column("group").n_unique() <= self.top:
            return None
        shown = rows.filter(~captions.is_suppressed()) if any_shown(rows) else rows
        amounts = shown.group_by("group").agg(amount=self.amount.sum().cast(pl.Float64).round(9))
        drawn = amounts.sort("amount", "group", descending=[True, False], nulls_last=True).head(self.top)
        return drawn.get_column("group").to_list()


def checked_top(top: int | None) -> int | None:
    """Raise an error unless `top` is None or at least 1."""
    if top is not None:
        check_whole("top", top, "a whole number, 1 or more, or None to draw all groups", least=1)
    return top


def groups(
    counts: pl.DataFrame,
    shown: pl.DataFrame,
    profiles: TaskProfiles,
    privacy: Privacy | None,
    words: Grouping,
    selected: Sequence[str] | None = None,
    largest: Largest | None = None,
) -> DrawnGroups:
    """Return the groups to draw. Totals are taken from `counts`. Selected groups are all drawn."""
    totals, counted = any_shown(shown), shown
    if selected is not None and totals:
        counted = shown.filter(~captions.is_suppressed())
    are_summed = totals and not (words.columns.tasks and selected is not None)
    population = captions.population(words, counted, counts if are_summed else None)
    sources = captions.source_line(profiles.manifest)
    limit = largest if selected is None else None
    return _groups(shown, population, sources, privacy, words, (profiles,), selected, limit)


def groups_of_change(
    counts: pl.DataFrame,
    shown: pl.DataFrame,
    before: TaskProfiles,
    after: TaskProfiles,
    privacy: Privacy | None,
    words: Grouping,
    largest: Largest | None = None,
) -> DrawnGroups:
    """Return the groups to draw when comparing two snapshots. Totals are taken from `counts`, of the later one."""
    population = captions.population(words, shown, counts if any_shown(shown) else None, " after")
    sources = captions.source_lines(before, after)
    return _groups(shown, population, sources, privacy, words, (before, after), largest=largest)


def _groups(
    shown: pl.DataFrame,
    population: str,
    sources: list[str],
    privacy: Privacy | None,
    words: Grouping,
    profiles: Sequence[TaskProfiles],
    selected: Sequence[str] | None = None,
    largest: Largest | None = None,
) -> DrawnGroups:
    rows, suppression = (
        theme.sanitize_labels(with_job_names(shown)),
        captions.suppression_footnote(shown, privacy, words, profiles),
    )
    labels, out_of = dict(zip(shown["group"], rows["group"], strict=True)), None
    drawn = None if largest is None else largest.of(rows)
    if drawn is not None and largest is not None:
        out_of = len(labels), largest.most
        rows = rows.filter(pl.col("group").is_in(drawn))
        labels = {group: label for group, label in labels.items() if label in drawn}
        # Suppressed groups are not drawn, so there is no symbol to explain.
        suppression = [line.partition(" = suppressed. ")[2] or line for line in suppression]
    return DrawnGroups(rows, any_shown(shown), population, suppression, sources, words, labels, selected, out_of)


def with_job_names(shown: pl.DataFrame) -> pl.DataFrame:
    """Label jobs with their names, adding the id if several jobs have the same name."""
    if "job_name" not in shown.columns:
        return shown
    is_shared = pl.col("group").n_unique().over("job_name") > 1
    label = pl.when(is_shared).then(pl.format("{} ({})", "job_name", "group")).otherwise("job_name")
    return shown.with_columns(group=label)


def any_shown(rows: pl.DataFrame) -> bool:
    """Return True if at least one row is not suppressed."""
    return bool(rows.filter(~captions.is_suppressed()).height)


class SideColumn(NamedTuple):
    """Text column right of the plot. `edge` is the position of the right edge, in pixels from the plot."""

    field: str
    header: str | Sequence[str]
    edge: int
    muted: bool = True


def chart(
    groups: DrawnGroups,
    rows: pl.DataFrame,
    marks: Sequence[alt.Chart],
    columns: Sequence[SideColumn],
    *,
    title: str,
    basis: str,
    description: tuple[str, str, Iterable[str]],
    notes: Sequence[str],
    size: tuple[int, int],
    below: int = 38,
    over: Sequence[alt.Chart] = (),
) -> theme.Chart:
    """Assemble a chart with one row per group. Rows without marks show the text in ``missing``."""
    order = rows.get_column("group").to_list()
    built, extremes, shape = description
    footnotes = list(notes) if groups.totals else []
    return theme.assemble(
        [
            *marks,
            *side_columns(rows, group_axis(order), columns, size[0]),
            *over,
            theme.footer(groups.footnotes(footnotes), below=below),
        ],
        title=groups.titled(title),
        subtitle=f"{basis} · {groups.population}",
        description=captions.alt_text(
            built, extremes, " ".join([*shape, *captions.suppressed_names(rows), *footnotes[:1]])
        ),
        width=size[0],
        height=len(order) * row_height(order, size[1]),
    )


def no_jobs() -> theme.Chart:
    """Return a placeholder for profiles without jobs."""
    return theme.empty_chart("No jobs in these task profiles", "There is nothing to draw.")


def no_jobs_in_either() -> theme.Chart:
    """Return a placeholder for two snapshots without jobs."""
    return theme.empty_chart("No jobs in either snapshot", "There is nothing to compare.")


def all_suppressed_chart(groups: DrawnGroups, title: str = "") -> theme.Chart:
    """Return a placeholder for when every group is suppressed."""
    title = title or groups.words.all_suppressed
    lines = [*groups.suppression, *groups.sources]
    return theme.assemble(
        [note(lines, x=0, y=8)],
        title=title,
        subtitle=groups.population,
        description=" ".join([f"{title}.", *captions.suppressed_names(groups.rows)]),
        width=620,
        height=16 * max(len(lines), 1),
    )


def group_axis(order: Sequence[str]) -> alt.Y:
    """Return a row axis for the groups in the given order, wrapping long names."""
    return row_axis("group", {group: group for group in order})


def row_axis(field: str, names: Mapping[str, str], width: int = _WRAP) -> alt.Y:
    """Return a row axis for a field. `names` maps values to labels, in display order."""
    order, lines = list(names), {value: name_lines(name, width) for value, name in names.items()}
    # Vega aligns the first line with the row, so shift multi-line labels up by half the extra height.
    offsets = [
        {"test": f"indexof({json.dumps(long)}, datum.label) >= 0", "value": -_LINE / 2 * (count - 1)}
        for count in range(2, max(map(len, lines.values()), default=1) + 1)
        if (long := [value for value in order if len(lines[value]) == count])
    ]
    # We use a plain dict here. The axis is copied for every layer, and copying an `alt.Axis` is slow.
    axis = {
        "title": None,
        # Look up labels by position, since a group could be named "constructor".
        "labelExpr": f"{json.dumps(list(lines.values()))}[indexof({json.dumps(list(lines))}, datum.label)]",
        "labelLimit": 400,
        "labelLineHeight": _LINE,
        "labelOffset": {"condition": offsets, "value": 0} if offsets else 0,
        "grid": False,
    }
    return alt.Y(f"{field}:N", sort=order, axis=axis, scale={"domain": order})


def numbered_axis(field: str, names: Sequence[Sequence[str]], **look: Any) -> alt.Y:
    """Return an axis for rows numbered from 1. Labels can repeat and have up to two lines."""
    two_lines = [number for number, name in enumerate(names, 1) if len(name) > 1]
    offset = {"condition": {"test": f"indexof({json.dumps(two_lines)}, datum.value) >= 0", "value": -6}, "value": 0}
    axis = alt.Axis(
        title=None,
        labelExpr=f"{json.dumps(names)}[datum.value - 1]",
        labelLineHeight=_LINE,
        labelOffset=offset if two_lines else 0,
        grid=False,
        **look,
    )
    return alt.Y(f"{field}:O", axis=axis)


def row_height(order: Sequence[str], usual: int, width: int = _WRAP) -> int:
    """Return the row height in pixels needed to fit the longest label."""
    return max([usual, *(_LINE * len(name_lines(group, width)) + 4 for group in order)])


def name_lines(name: str, width: int = _WRAP, *, most: int = 4) -> list[str]:
    """Wrap a name to `width` characters, truncating it after `most` lines."""
    return textwrap.wrap(name, width, max_lines=most, placeholder=" …") or ["(unnamed)"]


def side_columns(
    rows: pl.DataFrame, y: alt.Y, columns: Sequence[SideColumn], width: int, *, key: str = "group"
) -> list[alt.Chart]:
    """Draw the text columns right of the plot, and the ``missing`` text in rows without marks."""
    table = rows.select(key, *(column.field for column in columns))
    marks = []
    for field, header, edge, muted in columns:
        x, lines = width + edge, 1 if isinstance(header, str) else len(header)
        body = alt.Chart(table).mark_text(align="right", fontSize=11, color=MUTED if muted else INK)
        marks += [
            body.encode(**pixel_encoding(x=x), y=y, text=alt.Text(f"{field}:N")),
            note(header, x=x, y=-6 - 12 * (lines - 1), align="right", baseline="bottom", lineHeight=12, fontSize=10.5),
        ]
    without = rows.filter(pl.col("missing").is_not_null()).select(key, "missing")
    if without.height:
        # The white outline keeps gridlines from crossing the text.
        for look in ({"stroke": "#FFFFFF", "strokeWidth": 5, "color": "#FFFFFF"}, {"color": MUTED}):
            remark = alt.Chart(without).mark_text(align="left", fontSize=11, fontStyle="italic", **look)
            marks.append(remark.encode(**pixel_encoding(x=4), y=y, text=alt.Text("missing:N")))
    return marks


def formatted(column: str, write: Callable[[Any], str]) -> pl.Expr:
    """Format a column as text, including nulls."""
    return pl.col(column).map_elements(write, return_dtype=pl.String, skip_nulls=False)


def counts_as_text(column: str | pl.Expr) -> pl.Expr:
    """Format counts as text, using a dash for zero and null."""
    counted = pl.col(column) if isinstance(column, str) else column
    return counted.map_elements(lambda n: f"{n:,}" if n else NONE, return_dtype=pl.String, skip_nulls=False)


def decimals(values: Sequence[float | None]) -> int:
    """Return the number of decimals (0 or 1) for a column of hours."""
    amounts = [abs(round(value, 1)) for value in values if value is not None]
    integral = all(value == round(value) for value in amounts)
    large = any(value >= 100 for value in amounts) and all(value == 0 or value >= 10 for value in amounts)
    return 0 if integral or large else 1


def hours_column(amounts: pl.Series) -> pl.Series:
    """Format a column of hours with the same number of decimals throughout."""
    digits = decimals(amounts.to_list())
    texts = [NONE if amount is None else f"{amount:,.{digits}f}\u00a0h" for amount in amounts]
    return pl.Series(texts, dtype=pl.String)
