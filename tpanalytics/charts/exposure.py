"""How exposed each family is, how sure that is, and which families cannot be told apart (C4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import altair as alt
import polars as pl

from tpanalytics.charts._core import captions, exposure_captions, group_rows, theme
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

    from tpanalytics.measures.exposure import ExposureWeight
    from tpanalytics.measures.privacy.policy import Privacy
    from tpanalytics.schema import TaskProfiles

__all__ = ["plot_exposure"]

_WIDTH, _ROW = 430, 32
#: Heights within a row: the index and its resamples above the middle, what the weight of H2 does below.
_UP, _DOWN = -3, 8
_HIGH = {"A": "enough is known", "B": "enough is known", "C": "grade C"}
#: Most lines that join families; with more, the column of places says it alone.
_MOST_TIES, _TIE = 9, 9


def plot_exposure(
    profiles: TaskProfiles,
    *,
    level_weights: Mapping[str, float] = WEIGHTS,
    contract_hours: float | None = None,
    weight: ExposureWeight = "hours",
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
        return theme.empty_chart("No jobs in these task profiles", "There is no exposure to show.")
    guard = captions.released(measure_exposure, profiles, privacy, contract_hours=contract_hours, **how)
    # Ranked among those shown alone: a place that is missing would tell where a hidden family is.
    shown = guard.filter(~captions.is_hidden()).get_column("job_family").to_list()
    ranks = exposure_ranking(profiles, rounds=rounds, seed=seed, among=shown, **how)
    families = _families(theme.drawable(guard), theme.drawable(ranks))
    order = families.get_column("job_family").to_list()
    groups = ties(families)
    joined = columns(groups, order)
    totals = bool(shown)
    lines = _policy(everyone if totals else None, level_weights, families, many_ties=len(joined) > _MOST_TIES)
    return theme.finish(
        [
            *_key(families, range_of_h2="H2" in level_weights),
            *_intervals(families, order, range_of_h2="H2" in level_weights),
            *_beside(families, order),
            *_joined(joined, order),
            theme.footer(
                [*captions.hidden_note(guard, privacy), *lines, *captions.source_line(profiles.manifest)], below=46
            ),
        ],
        title=_finding(families),
        subtitle=f"{_basis(weight)} · {captions.population(everyone, totals=totals)}",
        description=_description(families, groups, everyone, lines, totals=totals),
        width=_WIDTH,
        height=len(order) * group_rows.row_height(order, _ROW),
    )


def _basis(weight: ExposureWeight) -> str:
    hours = {"hours": "described weekly hours", "headcount": "the weekly hours of all incumbents"}[weight]
    return f"Exposure index, 0 to 1: share of {hours}, weighted by AI impact level"


def _families(exposure: pl.DataFrame, ranks: pl.DataFrame) -> pl.DataFrame:
    """Put ranks and resamples beside the index, and write out what is printed."""
    drawn = ["interval_low", "interval_high", "inner_low", "inner_high", "rank", "rank_low", "rank_high"]
    places = pl.struct("rank", "rank_low", "rank_high").map_elements(exposure_captions.places, return_dtype=pl.String)
    bounds = pl.struct("bound_low", "bound_high").map_elements(
        lambda row: exposure_captions.between(row["bound_low"], row["bound_high"]),
        return_dtype=pl.String,
        skip_nulls=False,
    )
    return (
        exposure.join(ranks.select("job_family", *drawn), on="job_family", how="left", maintain_order="left")
        .with_columns(
            figure=pl.col("exposure").map_elements(exposure_captions.figure, return_dtype=pl.String, skip_nulls=False),
            held=bounds,
            place=places,
            known=pl.col("coverage").map_elements(covered, return_dtype=pl.String, skip_nulls=False),
            graded=pl.col("data_grade").fill_null(NONE),
            dot=pl.col("data_grade").replace_strict(_HIGH, default=None, return_dtype=pl.String),
            missing=pl.when(captions.is_hidden())
            .then(pl.lit(captions.WHY_HIDDEN))
            .when(pl.col("exposure").is_null())
            .then(
                pl.col("reason").replace_strict(
                    exposure_captions.WHY, default=exposure_captions.WHY["NO_HOURS"], return_dtype=pl.String
                )
            ),
        )
        .with_columns(captions.unless_hidden("figure", "held", "place", "known", "graded"))
    )


def _x(field: str) -> alt.X:
    axis = alt.Axis(title=None, tickCount=5, format=".1f")
    return alt.X(f"{field}:Q", scale=alt.Scale(domain=[0, 1]), axis=axis)


def _intervals(families: pl.DataFrame, order: list[str], *, range_of_h2: bool) -> list[alt.Chart]:
    y = group_rows.family_axis(order)
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
            tooltip=[
                alt.Tooltip("job_family:N", title="Job family"),
                alt.Tooltip("bound_low:Q", title="Least it can be", format=".2f"),
                alt.Tooltip("bound_high:Q", title="Most it can be", format=".2f"),
            ],
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
        tooltip=[
            alt.Tooltip("job_family:N", title="Job family"),
            alt.Tooltip("exposure:Q", title="Index", format=".2f"),
            alt.Tooltip("interval_low:Q", title="Resamples (95 %), from", format=".2f"),
            alt.Tooltip("interval_high:Q", title="to", format=".2f"),
            alt.Tooltip("weight_low:Q", title="H2 counts nothing", format=".2f"),
            alt.Tooltip("weight_high:Q", title="H2 counts in full", format=".2f"),
            alt.Tooltip("jobs_weighed:Q", title="Jobs in it"),
            alt.Tooltip("tasks_weighed:Q", title="Tasks in it"),
        ],
    )
    return [bounds, *(ranges if range_of_h2 else []), *resamples, dots]


_GREY, _BAND = "#7A7A80", "#E3EBEB"


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
            **theme.pixels(x=left, x2=right, y=_KEY, y2=_KEY)
        )
        return placed

    def point(shape: str, size: int, fill: str, x: int, stroke: str) -> alt.Chart:
        placed: alt.Chart = one.mark_point(
            shape=shape, size=size, fill=fill, stroke=stroke, strokeWidth=1.5, opacity=1
        ).encode(**theme.pixels(x=x, y=_KEY))
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


_KEY = -42


def _words(text: str, x: int) -> alt.Chart:
    return theme.note(text, x=x, y=_KEY, baseline="middle", fontSize=10.5)


def _beside(families: pl.DataFrame, order: list[str]) -> list[alt.Chart]:
    y = group_rows.family_axis(order)
    printed = [
        ("figure", "index", _WIDTH + 46, False),
        ("held", ["can be", "from, to"], _WIDTH + 124, True),
        ("known", ["tasks", "in it"], _WIDTH + 168, True),
        ("grade", "grade", _WIDTH + 206, True),
        ("place", ["place", "from, to"], _WIDTH + 262, False),
    ]
    rows = families.select("job_family", "figure", "held", "known", "place", grade="graded")
    marks = [
        mark
        for field, header, x, muted in printed
        for mark in group_rows.column(rows, y, field, header, x, muted=muted)
    ]
    return [*marks, *group_rows.remarks(families, y, "missing")]


def _joined(joined: list[list[list[str]]], order: list[str]) -> list[alt.Chart]:
    """Join each group by a line, a knot at each member."""
    if not joined or len(joined) > _MOST_TIES:
        return []
    y = group_rows.family_axis(order)
    left = _WIDTH + 284
    marks: list[alt.Chart] = []
    for at, column in enumerate(joined):
        x = theme.pixels(x=left + _TIE * at)
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
    """Say which family is most exposed, if its resamples tell it from the others of which enough is known."""
    nothing = exposure_captions.never_headline(families)
    if nothing:
        return nothing
    safe = families.filter(exposure_captions.graded_well())
    top = safe.row(0, named=True)
    index = exposure_captions.figure(top["exposure"])
    others = families.filter((pl.col("job_family") != NO_FAMILY) & pl.col("exposure").is_not_null()).height - 1
    if safe.height == 1:
        more = "; too little is known of the others to compare them" if others else ""
        return f"{top['job_family']}: exposure {index}{_sure(top)}{more}"
    among = exposure_captions.among(families)
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
    """Give the interval of an index: of the resamples, or below five jobs what it can be."""
    if row["interval_low"] is not None:
        return f" (95 % of resamples: {exposure_captions.between(row['interval_low'], row['interval_high'])})"
    if row["held"] not in {NONE, row["figure"]}:
        return f" (it can be {row['held']})"
    return ""


def _policy(
    everyone: pl.DataFrame | None, level_weights: Mapping[str, float], families: pl.DataFrame, *, many_ties: bool
) -> list[str]:
    if everyone is None:
        return [exposure_captions.weights_line(level_weights)]
    few = families.filter(pl.col("exposure").is_not_null() & pl.col("interval_low").is_null()).height
    alone = f" A place in brackets is that of {'a family' if few == 1 else 'families'} of fewer than 5 jobs: not sure."
    resampled = (
        "Resamples draw jobs anew, families apart: they say how much hangs on which jobs there are, nothing of gaps."
    )
    unbounded = families.filter(
        pl.col("exposure").is_not_null() & (pl.col("bound_low").is_null() | pl.col("bound_high").is_null())
    ).height
    return [
        f"{exposure_captions.known_line(everyone)}",
        resampled + alone * (few > 0),
        *(
            [f"What {unbounded} families can be is not known: tasks lack hours, and contract hours are not given."]
            * (unbounded > 1)
        ),
        *(["Too many families overlap in place to join them by lines; the places say which."] * many_ties),
        exposure_captions.weights_line(level_weights),
        exposure_captions.GRADED,
    ]


def _description(
    families: pl.DataFrame, groups: list[list[str]], everyone: pl.DataFrame, lines: list[str], *, totals: bool
) -> str:
    built = f"Dots and intervals of the exposure index for {captions.population(everyone, totals=totals)}."
    rows = families.filter(pl.col("exposure").is_not_null())
    if rows.height:
        built += (
            " Families in order of the index, highest first; thick and thin line hold 66 and 95 % of resamples; "
            "the band is what the index can be for all that is unknown, and the line below goes from H2 counting 0 to "
            "H2 counting 1."
        )
    extremes = ""
    if rows.height:
        top, bottom = rows.row(0, named=True), rows.row(-1, named=True)
        extremes = (
            f"The index runs from {exposure_captions.figure(top['exposure'])} in {top['job_family']} to "
            f"{exposure_captions.figure(bottom['exposure'])} in {bottom['job_family']}. All: "
            + "; ".join(map(exposure_captions.row, rows.iter_rows(named=True)))
            + "."
        )
    unknown = families.filter(pl.col("exposure").is_null() & ~captions.is_hidden()).get_column("job_family").to_list()
    shape = [
        *(f"Cannot be told apart: {listed(group)}." for group in groups),
        *([f"Nothing can be shown for {listed(unknown)}."] if unknown else []),
        *captions.hidden_names(families),
        *lines[:1],
    ]
    return theme.described(built, extremes, " ".join(shape))
