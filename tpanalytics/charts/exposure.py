"""How exposed each family is, how sure that is, and which families cannot be told apart (C4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import altair as alt
import polars as pl

from tpanalytics.charts._core import captions, frame, theme
from tpanalytics.charts._core.frame import SideColumn
from tpanalytics.charts._core.labels import columns, ties
from tpanalytics.formatting import NONE, covered, listed
from tpanalytics.measures._core.cache import with_cache
from tpanalytics.measures._core.weights import WEIGHTS
from tpanalytics.measures.exposure import exposure as measure_exposure
from tpanalytics.measures.exposure_ranking import exposure_ranking
from tpanalytics.measures.privacy.policy import USUAL
from tpanalytics.schema import COUNTED_STATES, NO_FAMILY

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tpanalytics.measures.privacy.policy import Privacy
    from tpanalytics.schema import TaskProfiles
    from tpanalytics.typing import StaffWeight

__all__ = ["plot_exposure"]

_WIDTH, _ROW = 430, 32
_COLUMNS = (
    SideColumn("figure", "index", 46, muted=False),
    SideColumn("held", ["can be", "from, to"], 124),
    SideColumn("known", ["tasks", "in it"], 168),
    SideColumn("grade", "grade", 206),
    SideColumn("place", ["place", "from, to"], 262, muted=False),
)
#: Heights within a row: the index and its resamples above the middle, what the weight of H2 does below.
_UP, _DOWN = -3, 8
_GREY, _BAND = "#7A7A80", "#E3EBEB"
#: Height of the key above the plot.
_KEY = -42
_HIGH = {"A": "enough is known", "B": "enough is known", "C": "grade C"}
#: Most lines that join families; with more, the column of places says it alone.
_MOST_TIES, _TIE = 9, 9


def plot_exposure(
    profiles: TaskProfiles,
    *,
    level_weights: Mapping[str, float] = WEIGHTS,
    contract_hours: float | None = None,
    weight: StaffWeight = "hours",
    rounds: int = 2000,
    seed: int = 0,
    states: Sequence[str] = COUNTED_STATES,
    privacy: Privacy | None = USUAL,
) -> alt.LayerChart:
    """Draw how exposed each job family is, how sure that is, and which families cannot be told apart.

    A dot is the index, hollow where too little is known. Three kinds of doubt are never mixed: thick and thin line
    hold 66 and 95 % of resamples of the jobs, the line below them goes from H2 counting nothing to H2 counting in
    full, and the light band holds whatever is not known. Families joined by a line at the right cannot be told apart.
    A family without an index, or hidden because too few jobs or people stand behind it, keeps its row and says so.

    Parameters
    ----------
    profiles
        As for `exposure`.
    level_weights
        Weight of each level, 0 to 1. A level that is not among them counts as unknown.
    contract_hours
        Hours per week that jobs without contract hours of their own are taken to have, for the band alone.
    weight
        ``"hours"`` counts each job once; ``"headcount"`` once per full-time equivalent.
    rounds, seed
        Of the resamples, as for `exposure_ranking`.
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
        If a column is missing, or an argument is not as above.

    Warns
    -----
    TpAnalyticsWarning
        If tasks are in a state that is neither counted nor ``rejected``.

    Examples
    --------
    >>> from tpanalytics import load_sample
    >>> chart = plot_exposure(load_sample(), rounds=200)
    >>> chart.to_dict()["description"][:53]
    'Dots and intervals of the exposure index for 16 job f'
    """
    profiles = with_cache(profiles)
    how: dict[str, Any] = {"level_weights": level_weights, "weight": weight, "states": states}
    everyone = measure_exposure(profiles, contract_hours=contract_hours, **how)
    if everyone.height == 0:
        return frame.no_jobs()
    guard = captions.released(measure_exposure, profiles, privacy, contract_hours=contract_hours, **how)
    groups = frame.groups(everyone, guard, profiles, privacy)
    # Ranked among those shown alone: a place that is missing would tell where a hidden family is.
    shown = guard.filter(~captions.is_hidden()).get_column("job_family").to_list()
    ranks = exposure_ranking(profiles, rounds=rounds, seed=seed, families=shown, **how)
    families = _families(groups.rows, theme.sanitize_labels(ranks))
    order = families.get_column("job_family").to_list()
    tied, y, range_of_h2 = ties(families), frame.group_axis(order), "H2" in level_weights
    joined = columns(tied, order)
    return frame.chart(
        groups,
        families,
        [*_key(families, range_of_h2=range_of_h2), *_intervals(families, y, range_of_h2=range_of_h2)],
        _COLUMNS,
        title=_finding(families),
        basis=f"Exposure index, 0 to 1: share of {captions.UNIT[weight]}, weighted by AI impact level",
        description=_description(families, tied, groups.population),
        notes=_notes(everyone, captions.index_definition(level_weights), families, many_ties=len(joined) > _MOST_TIES),
        size=(_WIDTH, _ROW),
        below=46,
        over=_joined(joined, y),
    )


def _families(exposure: pl.DataFrame, ranks: pl.DataFrame) -> pl.DataFrame:
    """Join ranks and resamples to the index, and format what is printed."""
    drawn = ["interval_low", "interval_high", "inner_low", "inner_high", "rank", "rank_low", "rank_high"]
    places = pl.struct("rank", "rank_low", "rank_high").map_elements(captions.rank_range, return_dtype=pl.String)
    bounds = pl.struct("bound_low", "bound_high").map_elements(
        lambda row: captions.index_range(row["bound_low"], row["bound_high"]), return_dtype=pl.String, skip_nulls=False
    )
    why = pl.col("reason").replace_strict(
        captions.NO_INDEX, default=captions.NO_INDEX["NO_HOURS"], return_dtype=pl.String
    )
    return (
        exposure.join(ranks.select("job_family", *drawn), on="job_family", how="left", maintain_order="left")
        .with_columns(
            figure=frame.as_text("exposure", captions.index_text),
            held=bounds,
            place=places,
            known=frame.as_text("coverage", covered),
            grade=pl.col("data_grade").fill_null(NONE),
            dot=pl.col("data_grade").replace_strict(_HIGH, default=None, return_dtype=pl.String),
            missing=captions.why_missing({}, pl.when(pl.col("exposure").is_null()).then(why)),
        )
        .with_columns(captions.mask_hidden("figure", "held", "place", "known", "grade"))
    )


def _x(field: str) -> alt.X:
    axis = alt.Axis(title=None, tickCount=5, format=".1f")
    return alt.X(f"{field}:Q", scale=alt.Scale(domain=[0, 1]), axis=axis)


def _intervals(families: pl.DataFrame, y: alt.Y, *, range_of_h2: bool) -> list[alt.Chart]:
    rows = alt.Chart(
        families.filter(pl.col("exposure").is_not_null()).select(
            *("job_family", "exposure", "weight_low", "weight_high", "interval_low", "interval_high"),
            *("inner_low", "inner_high", "dot", "jobs_weighed", "tasks_weighed"),
        )
    )
    banded = families.filter(pl.col("bound_low").is_not_null() & pl.col("bound_high").is_not_null())
    bounds = (
        alt.Chart(banded.select("job_family", "bound_low", "bound_high"))
        .mark_bar(size=25, color=_BAND, stroke=_BAND, strokeWidth=1)
        .encode(
            x=_x("bound_low"),
            x2=alt.X2("bound_high:Q"),
            y=y,
            tooltip=captions.tooltips("job_family", "bound_low", "bound_high"),
        )
    )
    ranges = [
        rows.mark_rule(stroke=_GREY, strokeWidth=1, yOffset=_DOWN).encode(
            x=_x("weight_low"), x2=alt.X2("weight_high:Q"), y=y
        ),
        *(
            rows.mark_point(shape=shape, size=22, filled=True, fill=_GREY, yOffset=_DOWN, opacity=1).encode(
                x=_x(f"weight_{side}"), y=y
            )
            for side, shape in (("low", "triangle-right"), ("high", "triangle-left"))
        ),
    ]
    resamples = [
        rows.mark_rule(stroke=theme.INK, strokeWidth=width, yOffset=_UP).encode(
            x=_x(f"{name}_low"), x2=f"{name}_high:Q", y=y
        )
        for name, width in (("interval", 1.2), ("inner", 4))
    ]
    dots = rows.mark_point(shape="circle", size=72, stroke=theme.INK, strokeWidth=1.5, opacity=1, yOffset=_UP).encode(
        x=_x("exposure"),
        y=y,
        fill=alt.Fill("dot:N", scale=_filled(), legend=None),
        tooltip=captions.tooltips(
            *("job_family", "exposure", "interval_low", "interval_high"),
            *("weight_low", "weight_high", "jobs_weighed", "tasks_weighed"),
        ),
    )
    return [bounds, *(ranges if range_of_h2 else []), *resamples, dots]


def _filled() -> alt.Scale:
    return alt.Scale(domain=list(dict.fromkeys(_HIGH.values())), range=[theme.ACCENT, "#FFFFFF"])


def _key(families: pl.DataFrame, *, range_of_h2: bool) -> list[alt.Chart]:
    """Draw one of each mark above the plot and say what it is; only those that are in the plot."""
    if not families.get_column("exposure").count():
        return []
    at, marks = 0, []
    one = alt.Chart(alt.InlineData(values=[{}]))

    def line(width: float, colour: str, left: int, right: int) -> alt.Chart:
        placed: alt.Chart = one.mark_rule(stroke=colour, strokeWidth=width).encode(
            **theme.pixel_encoding(x=left, x2=right, y=_KEY, y2=_KEY)
        )
        return placed

    def point(shape: str, size: int, fill: str, x: int, stroke: str) -> alt.Chart:
        placed: alt.Chart = one.mark_point(
            shape=shape, size=size, fill=fill, stroke=stroke, strokeWidth=1.5, opacity=1
        ).encode(**theme.pixel_encoding(x=x, y=_KEY))
        return placed

    grades = set(families.get_column("data_grade").drop_nulls())
    if grades & {"A", "B"}:
        marks += [point("circle", 72, theme.ACCENT, 5, theme.INK), _words("index", 15)]
        at = 58
    if "C" in grades:
        marks += [point("circle", 72, "#FFFFFF", at + 5, theme.INK), _words("index of grade C", at + 15)]
        at += 116
    if families.get_column("interval_low").count():
        marks += [line(1.2, theme.INK, at, at + 30), line(4, theme.INK, at + 8, at + 22)]
        marks += [_words("66 and 95 % of resamples", at + 36)]
        at += 176
    if range_of_h2:
        marks += [line(1, _GREY, at, at + 28), point("triangle-right", 22, _GREY, at, _GREY)]
        marks += [point("triangle-left", 22, _GREY, at + 28, _GREY), _words("H2 counting 0 to 1", at + 36)]
        at += 148
    if families.get_column("bound_low").count():
        marks += [line(12, _BAND, at, at + 28), _words("what it can be, for all that is unknown", at + 34)]
    return marks


def _words(text: str, x: int) -> alt.Chart:
    return theme.note(text, x=x, y=_KEY, baseline="middle", fontSize=10.5)


def _joined(joined: list[list[list[str]]], y: alt.Y) -> list[alt.Chart]:
    """Join each group by a line, a knot at each member."""
    if not joined or len(joined) > _MOST_TIES:
        return []
    left = _WIDTH + 284
    marks: list[alt.Chart] = []
    for at, column in enumerate(joined):
        x = theme.pixel_encoding(x=left + _TIE * at)
        ends = pl.DataFrame({"job_family": [group[0] for group in column], "last": [group[-1] for group in column]})
        knots = pl.DataFrame({"job_family": [family for group in column for family in group]})
        marks += [
            alt.Chart(ends).mark_rule(stroke=theme.INK, strokeWidth=1).encode(**x, y=y, y2=alt.Y2("last:N")),
            alt.Chart(knots)
            .mark_point(shape="circle", size=16, filled=True, fill=theme.INK, opacity=1)
            .encode(**x, y=y),
        ]
    header = ["joined: not", "told apart"]
    return [*marks, theme.note(header, x=left - 4, y=-18, baseline="bottom", lineHeight=12, fontSize=10.5)]


def _finding(families: pl.DataFrame) -> str:
    """State the most exposed family, if its resamples separate it from the others of grade A or B."""
    nothing = captions.no_headline_reason(families)
    if nothing:
        return nothing
    safe = families.filter(captions.may_headline())
    top = safe.row(0, named=True)
    index = captions.index_text(top["exposure"])
    others = families.filter((pl.col("job_family") != NO_FAMILY) & pl.col("exposure").is_not_null()).height - 1
    if safe.height == 1:
        more = "; too little is known of the others to compare them" if others else ""
        return f"{top['job_family']}: exposure {index}{_sure(top)}{more}"
    among = captions.headline_scope(families)
    if top["rank_low"] is None:
        return (
            f"{top['job_family']} has the highest exposure{among}, {index}; it has too few jobs to say how sure that is"
        )
    rivals = safe.filter(pl.col("rank_low").fill_null(0) <= top["rank_high"]).get_column("job_family").to_list()
    if len(rivals) == 1:
        return f"{top['job_family']} is the most exposed family{among}: {index}{_sure(top)}"
    if len(rivals) <= 3:
        return f"{listed(rivals)} cannot be told apart as the most exposed{among}: {index} at most"
    return f"The most exposed family{among} cannot be told: {len(rivals)} of {safe.height} may be, up to {index}"


def _sure(row: dict[str, Any]) -> str:
    """Return the interval of an index: of the resamples, or below five jobs its bounds."""
    if row["interval_low"] is not None:
        return f" (95 % of resamples: {captions.index_range(row['interval_low'], row['interval_high'])})"
    if row["held"] not in {NONE, row["figure"]}:
        return f" (it can be {row['held']})"
    return ""


def _notes(everyone: pl.DataFrame, definition: str, families: pl.DataFrame, *, many_ties: bool) -> list[str]:
    few = families.filter(pl.col("exposure").is_not_null() & pl.col("interval_low").is_null()).height
    alone = f" A place in brackets is that of {'a family' if few == 1 else 'families'} of fewer than 5 jobs: not sure."
    resampled = (
        "Resamples draw jobs anew, families apart: they say how much hangs on which jobs there are, nothing of gaps."
    )
    unbounded = families.filter(
        pl.col("exposure").is_not_null() & (pl.col("bound_low").is_null() | pl.col("bound_high").is_null())
    ).height
    return [
        captions.index_coverage(everyone),
        resampled + alone * (few > 0),
        *(
            [f"What {unbounded} families can be is not known: tasks lack hours, and contract hours are not given."]
            * (unbounded > 1)
        ),
        *(["Too many families overlap in place to join them by lines; the places say which."] * many_ties),
        definition,
        captions.INDEX_GRADE,
    ]


def _description(families: pl.DataFrame, tied: list[list[str]], population: str) -> tuple[str, str, list[str]]:
    built = f"Dots and intervals of the exposure index for {population}."
    rows = families.filter(pl.col("exposure").is_not_null())
    shape = [*(f"Cannot be told apart: {listed(group)}." for group in tied), *captions.no_figure(families, "exposure")]
    if not rows.height:
        return built, "", shape
    built += (
        " Families in order of the index, highest first; thick and thin line hold 66 and 95 % of resamples; "
        "the band is what the index can be for all that is unknown, and the line below goes from H2 counting 0 to "
        "H2 counting 1."
    )
    top, bottom = rows.row(0, named=True), rows.row(-1, named=True)
    each = "; ".join(map(_row, rows.iter_rows(named=True)))
    extremes = (
        f"The index runs from {captions.index_text(top['exposure'])} in {top['job_family']} to "
        f"{captions.index_text(bottom['exposure'])} in {bottom['job_family']}. All: {each}."
    )
    return built, extremes, shape


def _row(row: Mapping[str, Any]) -> str:
    parts = [f"{row['job_family']} {row['figure']}", f"grade {row['grade']}", f"place {row['place']}"]
    if row["interval_low"] is not None:
        parts.insert(1, f"resamples {captions.index_range(row['interval_low'], row['interval_high'])}")
    if row["held"] != NONE:
        parts.insert(1, f"can be {row['held']}")
    return f"{', '.join(parts)}, {row['known']} of tasks in it"
