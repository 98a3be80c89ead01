"""Whether freed hours come in blocks that a person can use: a curve per family over the size of the block (C21)."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import altair as alt
import polars as pl

from tpanalytics.charts._core import captions, frame, theme
from tpanalytics.formatting import NONE, covered, plural
from tpanalytics.measures._core.metadata import NONE_BECAUSE
from tpanalytics.measures.about import about
from tpanalytics.measures.coverage import coverage as measure_coverage
from tpanalytics.measures.fragmentation import fragmentation as measure_fragmentation
from tpanalytics.measures.privacy.policy import HIDDEN, SUPPRESSED, USUAL, Privacy
from tpanalytics.measures.privacy.suppress import suppress
from tpanalytics.schema import COUNTED_STATES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from tpanalytics.measures._core.metadata import Meaning
    from tpanalytics.measures._core.scenario import Range
    from tpanalytics.schema import TaskProfiles

__all__ = ["plot_fragmentation"]

#: Up to so many families all have a panel; of more, the largest.
_ALL, _LARGEST = 24, 12
_COLUMNS, _WIDTH, _HEIGHT, _WRAP = 4, 188, 92, 32
#: Half a day.
_HALF_DAY = 4.0
_BLOCKS = (0.5, *(float(hours) for hours in range(1, 17)))
_READ = (
    "Bands reach from the least to the most under what is assumed; the bar is at half a day (4 h). Below a name: the "
    "share that is usable, and hours equal to so many full-time weeks of all that is freed; its grade."
)


def plot_fragmentation(
    profiles: TaskProfiles,
    *,
    freed: Mapping[str, Range],
    realisation: Range,
    adoption: Range,
    contract_hours: float | None,
    states: Sequence[str] = COUNTED_STATES,
    privacy: Privacy | None = USUAL,
) -> alt.ConcatChart | alt.LayerChart:
    """Draw which share of the freed time comes in blocks of a given size per person and week, for each job family.

    Each panel is a family, its band between the least and the most the share can be under what is assumed; the mark is
    at half a day (4 hours), and the line below the name says how many full-time weeks that is. Families with most freed
    hours come first; of more than 24, the first 12 are drawn. Nothing is assumed for you.

    Parameters
    ----------
    profiles
        As for `fragmentation`.
    freed, realisation
        As for `fragmentation`; ranges make the band.
    adoption, contract_hours
        As for `capacity`, for the full-time weeks; adoption changes no share.
    states
        Validation states that count.
    privacy
        How few jobs or people a figure may tell of; None hides nothing.

    Returns
    -------
    alt.ConcatChart or alt.LayerChart
        Restyle it as any Altair chart; write it with `save`. Without jobs there are no panels.

    Raises
    ------
    SchemaError
        As `fragmentation`.

    Warns
    -----
    TpAnalyticsWarning
        If tasks are in a state that is neither counted nor ``rejected``.

    Examples
    --------
    >>> from tpanalytics import load_sample
    >>> chart = plot_fragmentation(
    ...     load_sample(),
    ...     freed={"H1": (0.4, 0.7), "H2": 0.2, "H3": 0, "H4": 0},
    ...     realisation=(0.5, 0.8),
    ...     adoption=(0.3, 0.6),
    ...     contract_hours=38.5,
    ... )
    >>> chart.to_dict()["description"][:43]
    'Bands of the share of freed hours that come'
    """
    found = measure_fragmentation(
        profiles,
        freed=freed,
        realisation=realisation,
        block_hours=_BLOCKS,
        adoption=adoption,
        contract_hours=contract_hours,
        states=states,
    )
    if not found.height:
        return frame.no_jobs()
    meaning, everyone = about(found), measure_coverage(profiles, states=states)
    shown = suppress(found, profiles, privacy=privacy, keys=("block_hours",))
    groups = frame.groups(everyone, shown, profiles, privacy)
    families = _families(groups.rows)
    drawn = families if families.height <= _ALL else families.head(_LARGEST)
    finding = _finding(families, found, meaning)
    notes = groups.footnotes(_notes(meaning, families.height, drawn.height))
    rows = drawn.to_dicts()
    panels = [
        _panel(row, groups.rows, left=at % _COLUMNS == 0, bottom=_lowest(rows, at)) for at, row in enumerate(rows)
    ]
    below = alt.LayerChart(layer=[theme.footer(notes, below=4)], width=1, height=1)
    return theme.assemble_panels(
        [alt.ConcatChart(concat=panels, columns=_COLUMNS), below],
        columns=1,
        title=finding,
        subtitle=(
            f"Share of the freed hours in blocks of at least so many hours per person and week · {groups.population}"
        ),
        description=_description(drawn, families, groups.population, finding),
    )


def _families(shown: pl.DataFrame) -> pl.DataFrame:
    """Return a row per family with its figures at half a day, most usable weeks first, suppressed ones last by name."""
    return (
        shown.filter((pl.col("block_hours") == _HALF_DAY) | pl.col("block_hours").is_null())  # null where all is hidden
        .with_columns(gone=captions.is_hidden())
        .sort(
            *("gone", "usable_weeks_high", "full_time_weeks_high", "job_family"),
            descending=[False, True, True, False],
            nulls_last=True,
        )
        .drop("gone")
    )


def _lowest(rows: list[dict[str, Any]], at: int) -> bool:
    """Return whether no curve is below this one, so that it needs the figures of the axis."""
    return at + _COLUMNS >= len(rows) or rows[at + _COLUMNS]["usable_share_high"] is None


def _panel(row: dict[str, Any], shown: pl.DataFrame, *, left: bool, bottom: bool) -> alt.LayerChart:
    """Draw one family; only panels at the edge have the axes' figures."""
    family = row["job_family"]
    curve = shown.filter(job_family=family).select(
        "block_hours", low=pl.col("usable_share_low").round(4), high=pl.col("usable_share_high").round(4)
    )
    x = alt.X(
        "block_hours:Q",
        scale=alt.Scale(domain=[0, _BLOCKS[-1]], nice=False),
        axis=alt.Axis(
            title="hours per person and week" if bottom else None,
            titleAnchor="start",
            values=[0, 4, 8, 12, 16],
            labels=bottom,
            labelExpr="datum.value + '\u00a0h'",
            grid=False,
        ),
    )
    axis = alt.Axis(title=None, values=[0, 0.5, 1], labels=left, labelExpr=_PERCENT)
    scale = alt.Scale(domain=[0, 1], nice=False)
    y, top = (alt.Y(f"{end}:Q", scale=scale, axis=axis) for end in ("low", "high"))
    name = frame.name_lines(family, _WRAP, most=3)
    # Notes, not a title: a title would stand higher where the figures of an axis are, and panels out of line.
    head = [
        theme.note(
            name, x=0, y=-26 - 13 * (len(name) - 1), fontSize=11.5, fontWeight="bold", color=theme.INK, lineHeight=13
        ),
        theme.note(_weeks(row), x=0, y=-11, fontSize=10.5),
    ]
    if row["usable_share_high"] is None:
        ground = (
            alt.Chart(alt.InlineData(values=[{}]))
            .mark_rect(fill="#F4F4F6")
            .encode(**theme.pixel_encoding(x=0, x2=_WIDTH, y=0, y2=_HEIGHT))
        )
        why = theme.note(_why(row), x=8, y=_HEIGHT // 2, baseline="middle", fontStyle="italic", fontSize=10.5)
        return alt.LayerChart(layer=[ground, why, *head], width=_WIDTH, height=_HEIGHT)
    base = alt.Chart(curve)
    band = base.mark_area(color="#A9CED1", opacity=0.75).encode(x=x, y=y, y2=alt.Y2("high:Q"))
    edges = [base.mark_line(stroke=theme.ACCENT, strokeWidth=1.4).encode(x=x, y=end) for end in (y, top)]
    at = alt.Chart(curve.filter(block_hours=_HALF_DAY))
    mark = at.mark_rule(stroke=theme.INK, strokeWidth=3, strokeCap="square").encode(
        x=x,
        y=y,
        y2=alt.Y2("high:Q"),
        tooltip=captions.tooltips(
            block_hours=("Q", "Block, hours per person and week", None),
            low=("Q", "Usable, least", ".0%"),
            high=("Q", "Usable, most", ".0%"),
        ),
    )
    return alt.LayerChart(layer=[band, *edges, mark, *head], width=_WIDTH, height=_HEIGHT)


_PERCENT = "round(datum.value * 100) + '\u00a0%'"


def _why(row: dict[str, Any]) -> list[str]:
    if row["reason"] == SUPPRESSED:
        return textwrap.wrap(f"{HIDDEN} {captions.WHY_HIDDEN}", 30)
    return textwrap.wrap(NONE_BECAUSE.get(row["reason"], "not known"), 30)


def _weeks(row: dict[str, Any]) -> str:
    """State what share of the freed hours comes in half days, and how many full-time weeks that is."""
    if row["reason"] == SUPPRESSED:
        return HIDDEN
    if row["usable_share_high"] is None:
        return NONE
    share = _span(row["usable_share_low"], row["usable_share_high"], covered)
    usable = _span(row["usable_weeks_low"], row["usable_weeks_high"], _number)
    whole = _span(row["full_time_weeks_low"], row["full_time_weeks_high"], _number)
    return f"{share}: {usable} of {whole} weeks · {row['data_grade']}"


def _span(low: float, high: float, said: Callable[[float], str]) -> str:
    one, other = said(low), said(high)
    return one if one == other else f"{one.removesuffix(_UNIT)}{_TO}{other}"


_UNIT, _TO = "\u00a0%", "\u2013"


def _number(weeks: float) -> str:
    return f"{weeks:,.1f}" if 0 < weeks < 10 else f"{weeks:,.0f}"


def _finding(families: pl.DataFrame, found: pl.DataFrame, meaning: Meaning) -> str:
    """State for all families together how much comes in half days, in full-time weeks, never in posts."""
    if not frame.any_shown(families):
        return captions.ALL_HIDDEN
    half = found.filter(block_hours=_HALF_DAY)
    sums = half.select(pl.col("^(usable|full_time)_weeks_.*$").sum()).row(0, named=True)
    if not half.get_column("usable_weeks_high").count():
        reasons = set(half.get_column("reason").drop_nulls())
        why = f": {NONE_BECAUSE[reasons.pop()]}" if len(reasons) == 1 else ""
        return f"In what blocks time is freed cannot be said{why}"
    if not sums["full_time_weeks_high"]:
        return "Nothing is freed under these assumptions"
    if meaning.grade == "C":
        share = covered(meaning.coverage["hours, level and headcount"])
        return f"Too little is known to say in what blocks time is freed: {share} of tasks have hours, level and staff"
    usable, whole = (
        _span(sums[f"{of}_weeks_low"], sums[f"{of}_weeks_high"], _number).replace(_TO, " to ")
        for of in ("usable", "full_time")
    )
    return f"At half a day (4\u00a0h), hours equal to {usable} of {whole} full-time weeks are usable"


def _notes(meaning: Meaning, families: int, drawn: int) -> list[str]:
    return [
        captions.known_of(meaning, "hours, level and headcount"),
        captions.grade_note("hours, a level and people", meaning.grade),
        _READ,
        *(
            [f"The {drawn} families with most usable hours are drawn; {families - drawn} more are not."]
            * (drawn < families)
        ),
        " ".join([*meaning.policy, *meaning.warnings]),
    ]


def _description(drawn: pl.DataFrame, families: pl.DataFrame, population: str, finding: str) -> str:
    built = (
        f"Bands of the share of freed hours that come in blocks of at least so many hours per person and week, from "
        f"half an hour to {_BLOCKS[-1]:g}, in {plural(drawn.height, 'panel')}, one per job family, for {population}."
    )
    known = drawn.filter(pl.col("usable_share_high").is_not_null())
    numbers = "; ".join(f"{row['job_family']} {_weeks(row)}" for row in known.iter_rows(named=True))
    unknown = drawn.filter(pl.col("usable_share_high").is_null() & ~captions.is_hidden())
    shape = [
        f"{row['job_family']}: {NONE_BECAUSE.get(row['reason'], 'not known')}." for row in unknown.iter_rows(named=True)
    ]
    if families.height > drawn.height:
        shape.append(f"{families.height - drawn.height} more families are not drawn.")
    said = f"{finding}." + (f" At half a day: {numbers}." if numbers else "")
    return captions.alt_text(built, said, " ".join([*shape, *captions.hidden_names(families)]))
