"""Words of the chart of a measure over time: title, subtitle, footnotes and alt text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from tpanalytics.charts._core import captions
from tpanalytics.formatting import (
    MINUS,
    NONE,
    coverage_percent,
    hours as hours_text,
    listed,
    percent,
    plural,
    plural_of,
)
from tpanalytics.measures._core.change_notes import state_warnings
from tpanalytics.measures._core.groups import ALL_JOBS, noun, short_noun
from tpanalytics.measures._core.metadata import NULL_REASONS
from tpanalytics.measures.privacy.policy import FTE_NOTE, SUPPRESSED
from tpanalytics.measures.trend import COVERAGE_CHANGED
from tpanalytics.schema import AS_OF, TENANT

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from tpanalytics.measures._core.groups import GroupColumns
    from tpanalytics.measures._core.metadata import Meaning
    from tpanalytics.schema import History
    from tpanalytics.typing import TrendMeasure

__all__ = ["ALL", "SOME", "Shown", "quotable_lines", "sentence", "spans_of"]

#: Label every line if there are at most `ALL`. Otherwise, label the first `SOME` of them.
ALL, SOME = 18, 10
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_BASIS = {
    "task": "tasks",
    "hours": "documented weekly hours",
    "headcount": "weekly hours of all people",
    "fte": "weekly hours of all full-time equivalents",
}
_DOTTED = (
    "Dotted line: coverage changed by more than 5 percentage points, "
    "so the change may only reflect newly measured tasks."
)
#: Parts of the data that a figure is based on.
_PARTS = {
    "exposure": captions.WEIGHTED,
    "hours": "hours",
    "impact": "hours and a level",
    "coverage": "hours and a level",
}


@dataclass(frozen=True)
class Shown:
    """The rows of a trend after suppression, and the words for its figure."""

    rows: pl.DataFrame
    meaning: Meaning
    measure: TrendMeasure
    level: str
    dates: list[date]
    columns: GroupColumns

    @property
    def noun(self) -> str:
        """Noun for a line."""
        return noun(self._lines)

    @property
    def _lines(self) -> list[str]:
        """The columns that define the lines."""
        return [name for name in self.meaning.by if name != AS_OF]

    @property
    def figure(self) -> str:
        """Name of the figure in a sentence."""
        names = {"exposure": "exposure", "hours": "weekly hours", "coverage": "coverage"}
        return names.get(self.measure, f"share of work at {self.level}")

    def text(self, value: float | None) -> str:
        """Format a figure."""
        if self.measure == "exposure":
            return captions.index_text(value)
        if self.measure == "hours":
            return hours_text(value)
        return coverage_percent(value) if self.measure == "coverage" else percent(value)

    def change_text(self, value: float | None) -> str:
        """Format a difference of two figures with its sign."""
        if value is None:
            return NONE
        if self.measure == "exposure":
            return captions.signed(value)
        if self.measure == "hours":
            return captions.signed_hours(value)
        points = round(value * 100, 1)
        return f"{'+' if points > 0 else MINUS if points < 0 else chr(0xB1)}{abs(points):.1f} pp"

    def day(self, value: date) -> str:
        """Format a date as a month, or as a day if two snapshots of a tenant are of the same month."""
        month = f"{_MONTHS[value.month - 1]} {value.year}"
        months = {(day.year, day.month) for day in self.dates}
        return month if len(months) == len(self.dates) else f"{value.day} {month}"

    @property
    def period(self) -> str:
        """The first and the last date."""
        days = [self.day(value) for value in self.dates]
        return days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"

    @property
    def basis(self) -> str:
        """What the figure measures."""
        unit = _BASIS.get(self.meaning.basis, _BASIS["hours"])
        of = {
            "exposure": f"exposure index (share of {unit}, 0 to 1)",
            "hours": unit,
            "coverage": "share of tasks with hours and a level",
        }
        return of.get(self.measure, f"share of {unit} at {self.level}")

    def lines_text(self, rows: pl.DataFrame) -> str:
        """Format the number of lines."""
        if self.noun == ALL_JOBS:
            return ALL_JOBS
        lines = rows.select("line", "unnamed").unique()
        if len(self._lines) > 1:
            return f"{plural(lines.height, 'group')} by {self.noun}"
        named = lines.filter(~pl.col("unnamed")).height
        a_group = f"{'an' if self.noun[0] in 'aeiou' else 'a'} {self.noun}"
        return plural(named, self.noun) + f", plus jobs without {a_group}" * (named < lines.height)

    def subtitle(self, rows: pl.DataFrame) -> str:
        return f"{sentence(self.basis)} · {self.lines_text(rows)} · {plural(len(self.dates), 'date')}, {self.period}"

    def headline(self, rows: pl.DataFrame) -> str:
        """State the largest comparable change, or why there is none."""
        known = rows.filter(pl.col("figure").is_not_null())
        if rows.filter(pl.col("reason") == SUPPRESSED).height == rows.height:
            return f"All {self._plural} are suppressed (too few jobs or people)"
        if not known.height:
            return f"No {self.figure} can be computed at any date"
        first, last = (self.day(value) for value in (self.dates[0], self.dates[-1]))
        if len(self.dates) == 1:
            return f"One snapshot, of {first}: no change over time to show"
        spans = spans_of(known, self.measure)
        whole = spans.filter((pl.col("from") == self.dates[0]) & (pl.col("to") == self.dates[-1]))
        good = quotable_lines(whole)
        if not good.height:
            return self._no_headline(whole, first, last)
        top = good.row(0, named=True)
        start, end = self.text(top["start"]), self.text(top["end"])
        if start == end or abs(top["change"]) < (0.5 if self.measure == "hours" else 0.01):
            return f"{sentence(self.figure)} hardly changed from {first} to {last}" + self._scope(good, rows)
        moved = "rose" if top["change"] > 0 else "fell"
        if spans.height == 1:
            if self._is_rounded(top):
                return f"{sentence(self.figure)} {moved} {self._from_to(top)} from {first} to {last}"
            return f"{sentence(self.figure)} {moved} from {start} in {first} to {end} in {last}"
        of_next = {self.change_text(change) for change in good.get_column("change").abs().round(9)[:2]}
        if good.height > 1 and len(of_next) == 1:
            by_up_to = f"{sentence(self.figure)} changed by up to {self.change_text(abs(top['change'])).lstrip('+')}"
            return f"{by_up_to} from {first} to {last}{self._scope(good, rows)}"
        if good.height == 1:
            others = f"other {self._plural} have grade C or changed coverage"
            return f"{top['line']}: {self.figure} {moved} {self._from_to(top)}; {others}"
        change = f"{moved} {self._from_to(top)}" if self._is_rounded(top) else f"{start} to {end}"
        return f"{sentence(self.figure)} changed most in {top['line']}: {change}{self._scope(good, rows)}"

    def _is_rounded(self, row: dict[str, Any]) -> bool:
        """Whether the rounded figures differ by more or less than the rounded change."""
        if self.measure != "exposure":
            return False
        start, end, change = (round(float(row[name]), 2) for name in ("start", "end", "change"))
        return abs(end - start - change) > 1e-6

    def _from_to(self, row: dict[str, Any]) -> str:
        """Return both figures, or the change if it is not the difference of the rounded figures."""
        if self._is_rounded(row):
            return f"by {captions.signed(abs(row['change'])).lstrip('+')} to {self.text(row['end'])}"
        return f"from {self.text(row['start'])} to {self.text(row['end'])}"

    @property
    def _plural(self) -> str:
        return "jobs" if self.noun == ALL_JOBS else plural_of(short_noun(self._lines))

    def _scope(self, good: pl.DataFrame, rows: pl.DataFrame) -> str:
        named = rows.filter(~pl.col("unnamed")).get_column("line").n_unique()
        return "" if good.height == named else f", among {self._plural} with enough comparable data"

    def _no_headline(self, whole: pl.DataFrame, first: str, last: str) -> str:
        if whole.height and not whole.get_column("comparable").any():
            where = "" if self.noun == ALL_JOBS else f" in every {self.noun}"
            return f"Coverage changed{where}, so {self.figure} in {first} and {last} is not comparable"
        return f"There is not enough data to say how {self.figure} changed from {first} to {last}"

    def notes(self, rows: pl.DataFrame, company: pl.DataFrame | None, history: History) -> list[str]:
        """Return the footnotes."""
        suppressed = rows.filter(pl.col("reason") == SUPPRESSED)
        names = suppressed.get_column("line").unique(maintain_order=True).to_list()
        all_suppressed = suppressed.height == rows.height
        known = rows.filter(pl.col("figure").is_not_null())
        policy = self.meaning.policy
        fte = [FTE_NOTE] * (FTE_NOTE in policy)
        return [
            *([f"{policy[-1 - len(fte)]} Suppressed: {listed(names)}.", *fte] if names else []),
            *(note for line in policy if line.endswith("rows of jobs are suppressed.") for note in (line, *fte)),
            *([_DOTTED] if known.filter(reason=COVERAGE_CHANGED).height else []),
            *(["Hollow point: data grade C, do not quote on its own."] if known.filter(data_grade="C").height else []),
            *_without_figure(rows),
            *(
                []
                if all_suppressed
                else _coverage_note(known if company is None else company, self, selected=company is None)
            ),
            *([captions.index_definition(self.meaning.level_weights)] if self.measure == "exposure" else []),
            *self._group_note(),
            *state_warnings(self.meaning.states),
            *_sources(history, self),
        ]

    def _group_note(self) -> list[str]:
        groups = [name for name in self.meaning.by if name not in (TENANT, AS_OF)]
        if not groups or "job_id" in groups:
            return []
        one = noun(groups)
        if self.columns.people:
            return [f"Each job is counted in every {one} that has people in it at the time."]
        if self.columns.tasks:
            return [f"Each task is counted in its {one} at the time."]
        return [f"Each job is counted in its {one} at the time."]

    def description(self, rows: pl.DataFrame, notes: Sequence[str]) -> str:
        """Return the alt text."""
        dates = f"{plural(len(self.dates), 'date')}, {self.period}"
        built = f"Line chart of the {self.basis} of {self.lines_text(rows)} at {dates}."
        spans = spans_of(rows.filter(pl.col("figure").is_not_null()), self.measure)
        parts = []
        for row in spans.head(ALL).iter_rows(named=True):
            if row["from"] == row["to"]:
                parts.append(f"{row['line']} {self.text(row['end'])} in {self.day(row['to'])}")
                continue
            broken = "" if row["comparable"] else " (coverage changed)"
            parts.append(
                f"{row['line']} {self.text(row['start'])} in {self.day(row['from'])}, "
                f"{self.text(row['end'])} in {self.day(row['to'])}{broken}"
            )
        extremes = f"{'; '.join(parts)}." if parts else ""
        return captions.alt_text(built, extremes, " ".join(filter(None, notes)))


def sentence(text: str) -> str:
    """Return the text with a capital at the start."""
    return f"{text[0].upper()}{text[1:]}"


def spans_of(known: pl.DataFrame, measure: TrendMeasure) -> pl.DataFrame:
    """Return the first and last figure of each line, and whether every change in between is comparable."""
    first, last = (pl.col("figure").sort_by("day").get(place) for place in (0, -1))
    grades = pl.lit(value=True) if measure == "coverage" else pl.col("data_grade").is_in(["A", "B"]).all()
    return known.group_by("line", maintain_order=True).agg(
        pl.col(AS_OF).min().alias("from"),
        pl.col(AS_OF).max().alias("to"),
        start=first,
        end=last,
        change=last - first,
        # The first row of a line has no change.
        comparable=(pl.col("comparable").fill_null(value=False).sum() == pl.len() - 1) & (pl.len() > 1),
        quotable=grades,
        unnamed=pl.col("unnamed").any(),
    )


def quotable_lines(spans: pl.DataFrame) -> pl.DataFrame:
    """Return the lines that a headline can quote, with the largest change first."""
    good = spans.filter("comparable", "quotable", ~pl.col("unnamed"))
    return good.sort(pl.col("change").abs().round(9), "line", descending=[True, False])


def _without_figure(rows: pl.DataFrame) -> list[str]:
    """List the lines without a figure at some date, with a sentence for each reason."""
    missing = rows.filter(pl.col("figure").is_null() & (pl.col("reason") != SUPPRESSED))
    sentences = []
    for (reason,), part in missing.group_by("reason", maintain_order=True):
        names = part.get_column("line").unique(maintain_order=True).to_list()
        which = listed(names) if len(names) <= SOME else f"{len(names):,} lines"
        sentences.append(f"No figure at some dates for {which} ({NULL_REASONS[str(reason)]}).")
    return sentences


def _coverage_note(company: pl.DataFrame, shown: Shown, *, selected: bool) -> list[str]:
    """State the coverage of the first and last date, or the range over all tenants and dates."""
    covered = company.filter(pl.col("coverage").is_not_null()).sort(AS_OF)
    if not covered.height:
        return [captions.NO_TASKS_NOTE]
    have = "a level" if shown.meaning.basis == "task" and shown.measure == "impact" else _PARTS[shown.measure]
    dates, shares = covered.get_column(AS_OF), covered.get_column("coverage")
    first, last = (f"in {shown.day(dates[place])}" for place in (0, -1))
    ends = [f"{coverage_percent(shares[0])} of tasks {first}", f"{coverage_percent(shares[-1])} of tasks {last}"]
    if coverage_percent(shares[0]) == coverage_percent(shares[-1]) and first != last:
        ends = [f"{coverage_percent(shares[0])} of tasks {first} and {last}"]
    if selected or TENANT in company.columns:
        by = "line and date" if selected else "tenant and date"
        low, high = coverage_percent(shares.min()), coverage_percent(shares.max())  # type: ignore[arg-type]
        ends = [f"{low} of tasks" if low == high else f"{low} to {high} of tasks, by {by},"]
    return [
        f"{listed(dict.fromkeys(ends))} have {have}. {captions.rejected_note(shown.meaning)} {captions.MISSING_HOURS}"
    ]


def _sources(history: History, shown: Shown) -> list[str]:
    """Describe the snapshots."""
    entries = history.manifest.get("snapshots", ())
    if len(entries) <= 2:
        return list(dict.fromkeys(line for entry in entries for line in captions.source_line(entry["manifest"])))
    return [f"Data: {plural(len(entries), 'snapshot')}, {shown.period}."]
