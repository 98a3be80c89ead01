"""What each family's exposure is under any weight of H2, and where the order of families turns (C3)."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import altair as alt
import polars as pl

from tpanalytics.charts._core import captions, frame, theme
from tpanalytics.charts._core.labels import LINE, Extent, labelled, leaders, roles, sanitized_pairs, slot
from tpanalytics.formatting import listed
from tpanalytics.measures._core.cache import with_cache
from tpanalytics.measures._core.weights import WEIGHTS, at
from tpanalytics.measures.break_even import break_even
from tpanalytics.measures.exposure import bounds_by_family, exposure as measure_exposure
from tpanalytics.measures.privacy.policy import USUAL
from tpanalytics.measures.privacy.release import filter_families
from tpanalytics.schema import COUNTED_STATES, NO_FAMILY

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tpanalytics.charts._core.labels import Leader
    from tpanalytics.measures.privacy.policy import Privacy
    from tpanalytics.schema import TaskProfiles

__all__ = ["plot_weight_sensitivity"]

_WIDTH, _HEIGHT = 400, 400
_SLIDER = "weight_of_h2"
_AT = f"datum.weight_low + {_SLIDER} * (datum.weight_high - datum.weight_low)"
#: Where bounds are worked out; they need not be straight between 0 and 1.
_STEPS = (0.0, 0.25, 0.5, 0.75, 1.0)
#: A weight below this leaves no room for words before it.
_ROOM = 0.1
# Plain mappings, as in `frame.row_axis`.
_SCALE = {"domain": [0, 1], "nice": False}
_AXIS = {
    "title": "weight of H2: at 0 only H1 counts, at 1 a partly automatable task counts in full",
    "titlePadding": 10,
    "values": list(_STEPS),
    "format": ".2~f",
    "grid": True,
    "labelFlush": False,
}
_ROLES = {"leads": (theme.INK, 2.4), "named": ("#77777E", 1.0), "other": ("#CFCFD4", 0.8)}


def plot_weight_sensitivity(
    profiles: TaskProfiles,
    *,
    level_weights: Mapping[str, float] = WEIGHTS,
    contract_hours: float | None = None,
    states: Sequence[str] = COUNTED_STATES,
    families: Sequence[str] | None = None,
    privacy: Privacy | None = USUAL,
) -> alt.LayerChart:
    """Draw each family's exposure under any weight of H2, partly automatable, from 0 to 1.

    A family is a straight line. Bold lines lead somewhere, and b* marks the weight at which one takes the lead from
    another; the light band is what the headline's family can be, whatever is not known. Ends are hollow where too
    little is known. In a browser a slider moves the weight, and with it a rule, a dot on each line and the column of
    figures; it needs no Python. Above 18 families only the highest, the lowest and those that cross most are named.

    Parameters
    ----------
    profiles
        As for `exposure`.
    level_weights
        Weight of each level, 0 to 1, H2 among them: there the slider starts. A level that is not among them counts as
        unknown.
    contract_hours
        Hours per week that jobs without contract hours of their own are taken to have, for the band alone.
    states
        Validation states that count.
    families
        Draw these alone, each as it stands among all; None draws every family.
    privacy
        How few jobs or people a figure may tell of; None hides nothing.

    Returns
    -------
    alt.LayerChart
        Restyle it as any Altair chart; write it with `save`. The parameter of the slider is ``weight_of_h2``.

    Raises
    ------
    SchemaError
        If a column is missing, a weight or `contract_hours` is not as above, there is no weight for H2, or a family is
        not there.

    Warns
    -----
    TpAnalyticsWarning
        If tasks are in a state that is neither counted nor ``rejected``.

    Examples
    --------
    >>> from tpanalytics import load_sample
    >>> chart = plot_weight_sensitivity(load_sample())
    >>> chart.to_dict()["description"][:58]
    'Lines of the exposure index against the weight of H2 for 1'
    >>> chart.to_dict()["params"][0]["bind"]["input"]
    'range'
    """
    profiles = with_cache(profiles)
    how: dict[str, Any] = {"contract_hours": contract_hours, "states": states}
    everyone = measure_exposure(profiles, level_weights=level_weights, **how)
    crossings = break_even(profiles, level_weights=level_weights, states=states)
    if everyone.height == 0:
        return frame.no_jobs()
    guard = filter_families(
        captions.released(measure_exposure, profiles, privacy, level_weights=level_weights, **how), families
    )
    everyone = captions.rows_for_totals(everyone, guard, families)
    groups = frame.groups(everyone, guard, profiles, privacy, families)
    rows = groups.rows
    lines = rows.filter(pl.col("exposure").is_not_null())
    pairs = sanitized_pairs(crossings, guard.filter(pl.col("exposure").is_not_null()))
    first = leaders(lines, pairs)
    safe = leaders(lines.filter(captions.may_headline()), pairs)
    lines = roles(lines, pairs, first)
    band = _band(profiles, [leader.family for leader in safe[:2]], level_weights, how)
    notes = [
        *groups.suppression,
        *captions.wrapped([*captions.hidden_names(rows), *captions.without_index(rows)]),
        *(_notes(everyone, lines, turning=len(first) > 1, banded=band.height > 0) if groups.totals else []),
    ]
    what: dict[str, Any] = {
        "title": captions.title_with_selection(_finding(rows, safe), families),
        "subtitle": (
            f"Exposure index by the weight of H2, partly automatable: share of {captions.UNIT['hours']} · "
            f"{groups.population}"
        ),
        "description": _description(lines, first, groups.population, notes, level_weights["H2"]),
    }
    footnotes = captions.wrapped([*notes, captions.index_definition(level_weights), *groups.sources])
    if not lines.height:
        nothing = theme.note("No family has an index to draw.", x=0, y=20, fontSize=13)
        return theme.assemble([nothing, theme.footer(footnotes, below=10)], width=520, height=40, **what)
    extent = _extent(lines)
    slider = alt.binding_range(min=0, max=1, step=0.01, name="Weight of H2, partly automatable: ")
    under, *above = [
        *_banded(band, extent),
        *_lines(lines, extent),
        *_named(lines, extent),
        *_turns(first, extent),
        theme.footer(footnotes, below=58),
    ]
    # A parameter of one layer is lifted to the chart; added to the chart it would copy all of it.
    under = under.add_params(alt.param(name=_SLIDER, value=level_weights["H2"], bind=slider))
    return theme.assemble([under, *above], width=_WIDTH, height=extent.height, **what)


def _band(
    profiles: TaskProfiles, families: list[str], level_weights: Mapping[str, float], how: dict[str, Any]
) -> pl.DataFrame:
    """Return the bounds of the families in the headline at several weights of H2."""
    schema = {"job_family": pl.String, "b": pl.Float64, "bound_low": pl.Float64, "bound_high": pl.Float64}
    if not families:
        return pl.DataFrame(schema=schema)
    parts = [
        theme.sanitize_labels(bounds_by_family(profiles, level_weights=at(level_weights, b), **how))
        .filter(pl.col("job_family").is_in(families))
        .select("job_family", pl.lit(b).alias("b"), "bound_low", "bound_high")
        for b in _STEPS
    ]
    known = pl.concat(parts)
    gaps = known.filter(pl.col("bound_low").is_null() | pl.col("bound_high").is_null())
    return known.join(gaps, on="job_family", how="anti", maintain_order="left")


def _extent(lines: pl.DataFrame) -> Extent:
    """Return an extent from 0 to 1, so that lines stay where they are when families or weights change."""
    named = lines.filter(pl.col("role") != "other").get_column("job_family")
    needed = sum(slot(name) for name in named) + 10
    return Extent(-0.02, 1.02, max(_HEIGHT, needed))


def _y(field: str, extent: Extent) -> alt.Y:
    return alt.Y(f"{field}:Q", scale={"domain": [extent.low, extent.high], "nice": False, "zero": False}, axis=None)


def _x(position: Any) -> Any:
    return alt.XDatum(position, type="quantitative", scale=_SCALE, axis=_AXIS)


def _banded(band: pl.DataFrame, extent: Extent) -> list[alt.Chart]:
    if not band.height:
        return []
    area = alt.Chart(band).mark_area(color="#E3EBEB", opacity=0.8)
    x = alt.X("b:Q", scale=_SCALE, axis=_AXIS)
    return [area.encode(x=x, y=_y("bound_low", extent), y2=alt.Y2("bound_high:Q"), detail=alt.Detail("job_family:N"))]


def _lines(lines: pl.DataFrame, extent: Extent) -> list[alt.Chart]:
    """Draw the lines, the ends of those that have a name, and what the slider moves along them."""
    order = {role: place for place, role in enumerate(reversed(_ROLES))}
    rows = lines.sort(pl.col("role").replace_strict(order, return_dtype=pl.Int64), "job_family")
    domain = list(_ROLES)
    colour = alt.Color("role:N", scale=alt.Scale(domain=domain, range=[_ROLES[r][0] for r in domain]), legend=None)
    drawn = alt.Chart(rows.select("job_family", "weight_low", "weight_high", "role", "data_grade"))
    straight = drawn.mark_rule().encode(
        x=_x(0),
        x2=alt.X2Datum(1),
        y=_y("weight_low", extent),
        y2=alt.Y2("weight_high:Q"),
        color=colour,
        strokeWidth=alt.StrokeWidth(
            "role:O", scale=alt.Scale(domain=domain, range=[_ROLES[r][1] for r in domain]), legend=None
        ),
        tooltip=captions.tooltips("job_family", "weight_low", "weight_high", "data_grade"),
    )
    ends = [
        alt.Chart(rows.filter(some & (pl.col("role") != "other")).select(end, "role"))
        .mark_point(shape="circle", size=34, strokeWidth=1.4, opacity=1, **hollow)
        .encode(x=_x(place), y=_y(end, extent), color=colour)
        for some, hollow in (
            (pl.col("data_grade") != "C", {"filled": True}),
            (pl.col("data_grade") == "C", {"fill": "#FFFFFF"}),
        )
        for place, end in ((0, "weight_low"), (1, "weight_high"))
    ]
    here = alt.ExprRef(_SLIDER)
    rule = alt.Chart(alt.InlineData(values=[{}])).mark_rule(stroke=theme.ACCENT, strokeWidth=1.4, strokeDash=[5, 3])
    dots = (
        drawn.transform_calculate(at_weight=_AT)
        .mark_point(shape="circle", filled=True, opacity=1, fill=theme.ACCENT)
        .encode(
            x=_x(here),
            y=_y("at_weight", extent),
            size=alt.Size("role:O", scale=alt.Scale(domain=domain, range=[46, 28, 12]), legend=None),
            tooltip=captions.tooltips("job_family", at_weight=("Q", "Index at this weight", ".2f")),
        )
    )
    return [straight, rule.encode(x=_x(here)), dots, *ends]


def _named(lines: pl.DataFrame, extent: Extent) -> list[alt.Chart]:
    """Write names and figures at both ends, apart from each other, joined to their lines by thin leaders."""
    rows = lines.filter(pl.col("role") != "other")
    marks = [
        _head(["H2", "counts 0"], -34, "right"),
        _head(["H2", "counts 1"], _WIDTH + 34, "left"),
        theme.note("", x=_WIDTH + 98, y=-12, baseline="bottom", fontSize=10.5, color=theme.ACCENT, fontWeight="bold"),
    ]
    marks[-1].mark.text = alt.ExprRef(f"'at ' + format({_SLIDER}, '.2f')")
    for end, edge, out in (("weight_low", 0, -1), ("weight_high", _WIDTH, 1)):
        labels = labelled(rows, end, extent)
        drawn = alt.Chart(labels.select("role", "end", "figure", "label", "above", "name"))
        align = "right" if out < 0 else "left"
        colour = theme.ink_if("datum.role == 'leads'", theme.INK, theme.MUTED)
        weight = alt.ExprRef("datum.role == 'leads' ? 'bold' : 'normal'")
        text: dict[str, Any] = {"align": align, "baseline": "middle", "fontSize": 11, "fontWeight": weight}
        name_at = edge - 62 if out < 0 else edge + 138
        marks += [
            drawn.mark_rule(stroke="#B5B5BA", strokeWidth=0.7).encode(
                **theme.pixel_encoding(x=edge + 7 * out, x2=edge + 28 * out), y=_y("end", extent), y2=alt.Y2("label:Q")
            ),
            drawn.mark_text(**text).encode(
                **theme.pixel_encoding(x=edge + 34 * out),
                y=_y("label", extent),
                text=alt.Text("figure:N"),
                color=colour,
            ),
            drawn.mark_text(**text, lineBreak="\n", lineHeight=LINE).encode(
                **theme.pixel_encoding(x=name_at), y=_y("above", extent), text=alt.Text("name:N"), color=colour
            ),
        ]
        if out > 0:
            moved = alt.Chart(labels.select("weight_low", "weight_high", "label")).transform_calculate(
                at_weight=f"format({_AT}, '.2f')"
            )
            marks.append(
                moved.mark_text(align="left", baseline="middle", fontSize=11, color=theme.ACCENT).encode(
                    **theme.pixel_encoding(x=edge + 98), y=_y("label", extent), text=alt.Text("at_weight:N")
                )
            )
    return marks


def _head(text: Sequence[str], x: int, align: str) -> alt.Chart:
    return theme.note(text, x=x, y=-24, baseline="bottom", align=align, fontSize=10.5, lineHeight=LINE)


def _turns(first: list[Leader], extent: Extent) -> list[alt.Chart]:
    """Mark where one family takes the lead from another."""
    turns = [leader for leader in first if leader.since > 0]
    if not turns:
        return []
    heights: list[int] = []
    before = -1.0
    for leader in turns:  # two that are near each other stand at two heights
        low, high = (12, 26) if leader.since >= _ROOM else (26, 12)
        heights.append(high if leader.since - before < 0.16 and heights[-1] == low else low)
        before = leader.since
    rows = pl.DataFrame(
        {
            "b": [leader.since for leader in turns],
            "index": [leader.level for leader in turns],
            "above": [leader.level + height * extent.pixel for leader, height in zip(turns, heights, strict=True)],
            "said": [f"b* {leader.since:.2f}" for leader in turns],
        }
    )
    x = alt.X("b:Q", scale=_SCALE, axis=_AXIS)
    drawn = alt.Chart(rows)
    # Lines rise, and none lies above one that leads, so that the place before a crossing and above it is free.
    free = alt.ExprRef(f"datum.b < {_ROOM} ? 'left' : 'right'")
    return [
        drawn.mark_point(shape="diamond", size=70, fill="#FFFFFF", stroke=theme.INK, strokeWidth=1.6, opacity=1).encode(
            x=x, y=_y("index", extent)
        ),
        drawn.mark_text(fontSize=11, fontWeight="bold", color=theme.INK, baseline="bottom", align=free).encode(
            x=x, y=_y("above", extent), text=alt.Text("said:N")
        ),
    ]


def _finding(families: pl.DataFrame, safe: list[Leader]) -> str:
    """State which family leads under which weight, of those of grade A or B."""
    nothing = captions.no_headline_reason(families)
    if nothing:
        return nothing
    known = families.filter(captions.may_headline())
    ends = {row["job_family"]: row for row in known.iter_rows(named=True)}
    others = families.filter(pl.col("exposure").is_not_null() & (pl.col("job_family") != NO_FAMILY)).height - 1
    if known.height == 1:
        more = "; too little is known of the others" * (others > 0)
        top = known.row(0, named=True)
        between = captions.index_range(top["weight_low"], top["weight_high"])
        return f"{top['job_family']}: exposure {between}, depending on how much a partly automatable task counts{more}"
    among = captions.headline_scope(families)
    if len(safe) == 1:
        top = ends[safe[0].family]
        alike = [
            family
            for family, row in ends.items()
            if max(abs(row[end] - top[end]) for end in ("weight_low", "weight_high")) < 1e-9
        ]
        between = captions.index_range(top["weight_low"], top["weight_high"])
        has = "has" if len(alike) == 1 else "have"
        return f"{listed(alike)} {has} the highest exposure{among}, whatever the weight of H2: {between}"
    if len(safe) == 2:
        return (
            f"The most exposed family{among} changes where H2 counts {safe[1].since:.2f}: "
            f"{safe[0].family} below, {safe[1].family} above"
        )
    turns = [f"{one.family} up to {two.since:.2f}" for one, two in itertools.pairwise(safe)]
    return (
        f"The most exposed family{among} changes with the weight of H2: {listed([*turns, f'then {safe[-1].family}'])}"
    )


def _notes(everyone: pl.DataFrame, lines: pl.DataFrame, *, turning: bool, banded: bool) -> list[str]:
    grey = lines.filter(role="other").height
    drawn = ["Bold lines lead at some weight."] * (lines.height > 1)
    drawn += ["b* is where the lead changes."] * turning
    drawn += ["Band: what the headline's family can be, for all that is unknown."] * banded
    return [
        captions.index_coverage(everyone),
        *(
            [f"{grey} of {lines.height} lines have no name: they neither lead, nor end lowest, nor cross most."]
            * (grey > 0)
        ),
        *([" ".join(drawn)] * bool(drawn)),
        *(["Hollow ends: grade C, quote none of these alone."] * lines.get_column("data_grade").eq("C").any()),
    ]


def _description(lines: pl.DataFrame, first: list[Leader], population: str, notes: list[str], b: float) -> str:
    built = (
        f"Lines of the exposure index against the weight of H2 for {population}. "
        "Each family is a straight line from the index with a weight of 0 to that with a weight of 1; bold lines lead "
        f"somewhere. In a browser a slider moves a rule over the lines; here it stands at {b:.2f}."
    )
    told = ""
    if lines.height:
        turns = [f"{leader.family} from b* {leader.since:.2f} on" for leader in first if leader.since > 0]
        lead = f"{first[0].family} is the most exposed at 0" + (
            f", {listed(turns)}" if turns else ", and at any weight"
        )
        rows = (
            lines.filter(pl.col("role") != "other")
            .select("job_family", "weight_low", "weight_high", "data_grade")
            .rows()
        )
        told = f"{lead}. All that are named: " + "; ".join(
            f"{family} {low:.2f} at 0, {low + b * (high - low):.2f} at {b:.2f}, {high:.2f} at 1 (grade {grade})"
            for family, low, high, grade in rows
        )
        told += "."
    return captions.alt_text(built, told, " ".join(notes))
