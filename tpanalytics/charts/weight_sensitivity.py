"""Chart of the exposure index against the weight of H2."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import altair as alt
import polars as pl

from tpanalytics.charts._core import captions, frame, theme
from tpanalytics.charts._core.grouping import grouping
from tpanalytics.charts._core.labels import LINE, Extent, drawn_pairs, end_labels, leaders, roles, slot
from tpanalytics.formatting import listed
from tpanalytics.measures._core.cache import with_cache
from tpanalytics.measures._core.groups import BY_FAMILY
from tpanalytics.measures._core.weights import WEIGHTS, at
from tpanalytics.measures.break_even import break_even
from tpanalytics.measures.exposure import bounds_by_group, exposure as measure_exposure
from tpanalytics.measures.privacy.policy import USUAL
from tpanalytics.measures.privacy.release import filter_groups

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tpanalytics.charts._core.grouping import Grouping
    from tpanalytics.charts._core.labels import Leader
    from tpanalytics.measures.privacy.policy import Privacy
    from tpanalytics.schema import TaskProfiles
    from tpanalytics.typing import By

__all__ = ["plot_weight_sensitivity"]

_WIDTH, _HEIGHT = 400, 400
_SLIDER = "weight_of_h2"
_AT = f"datum.weight_low + {_SLIDER} * (datum.weight_high - datum.weight_low)"
#: Compute bounds at these weights, since they may not be linear in between.
_STEPS = (0.0, 0.25, 0.5, 0.75, 1.0)
#: Place labels to the right below this weight.
_MARGIN = 0.1
# Plain dicts are faster to copy, as in `frame.row_axis`.
_SCALE = {"domain": [0, 1], "nice": False}
_AXIS = {
    "title": "weight of H2, partly automatable (0 = not exposed, 1 = fully exposed)",
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
    by: By = BY_FAMILY,
    level_weights: Mapping[str, float] = WEIGHTS,
    contract_hours: float | None = None,
    states: Sequence[str] | None = None,
    groups: Sequence[str] | None = None,
    privacy: Privacy | None = USUAL,
) -> alt.LayerChart:
    """Draw each group's exposure index as the weight of H2 (partly automatable) varies from 0 to 1.

    Each group is drawn as a straight line, in bold if the index is the highest at some weight. b* marks the weight
    where another group takes over. The light band shows the bounds of the groups in the headline, allowing for
    missing data. Line ends are hollow for grade C. In a browser, you can change the weight with a slider, even without
    Python. If there are more than 18 groups, only the highest, the lowest, and those with the most crossings are
    labelled. Hours are for one incumbent of each job, also if `by` is a column of people.

    Parameters
    ----------
    profiles
        Task profiles with the columns read by `exposure`.
    by
        Column of the jobs, people or tasks that defines the groups, a list of columns, or None for all jobs together.
    level_weights
        Weight of each level, 0 to 1. H2 must have a weight, which is the slider's initial value. Levels
        without a weight count as not assessed.
    contract_hours
        Weekly contract hours to assume if a job has none. Only affects the bounds.
    states
        Validation states to include. None means ``profiles.manifest["states"]``, or validated and suggested.
    groups
        Names of the groups to draw, or None for all. The figures do not depend on the selection.
    privacy
        Thresholds for suppressing small groups. If None, nothing is suppressed.

    Returns
    -------
    alt.LayerChart
        An Altair chart that you can customize or pass to `save`. The slider's parameter is named ``weight_of_h2``.

    Raises
    ------
    SchemaError
        If a required column is missing.
    ArgumentError
        If H2 has no weight, a weight or `contract_hours` is out of range, or a group does not exist.

    Warns
    -----
    TpAnalyticsWarning
        If tasks in an unknown validation state are excluded.

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
    options: dict[str, Any] = {"contract_hours": contract_hours, "states": states}
    words = grouping(profiles, by)
    of_index: dict[str, Any] = {"level_weights": level_weights, "weight": "hours", **options}
    crossings = break_even(profiles, by=by, level_weights=level_weights, states=states)
    released = captions.released(measure_exposure, profiles, privacy, by=by, **of_index)
    if released.height == 0:
        return frame.no_jobs()
    released = filter_groups(released, groups)
    totals = captions.rows_for_totals(measure_exposure, profiles, words, released, groups, **of_index)
    layout = frame.groups(totals, released, profiles, privacy, words, groups)
    rows = layout.rows
    lines = rows.filter(pl.col("exposure").is_not_null())
    pairs = drawn_pairs(layout.labelled(crossings, "group_a", "group_b"), lines)
    first = leaders(lines, pairs)
    safe = leaders(lines.filter(captions.has_enough_data(words)), pairs)
    lines = roles(lines, pairs, first)
    band = _band(profiles, layout, [leader.group for leader in safe[:2]], level_weights, options)
    notes = [
        *layout.suppression,
        *captions.wrapped([*captions.suppressed_names(rows), *captions.without_index(rows)]),
        *(_footnotes(totals, lines, words, turning=len(first) > 1, banded=band.height > 0) if layout.totals else []),
    ]
    texts: dict[str, Any] = {
        "title": captions.title_with_selection(_headline(rows, safe, words), groups, words),
        "subtitle": (
            f"Exposure index by the weight of H2, partly automatable: share of {captions.UNIT['hours']} · "
            f"{layout.population}"
        ),
        "description": _description(lines, first, layout, notes, level_weights["H2"]),
    }
    footnotes = captions.wrapped([*notes, captions.index_definition(level_weights), *layout.sources])
    if not lines.height:
        remark = theme.note(f"No {words.one} has an index.", x=0, y=20, fontSize=13)
        return theme.assemble([remark, theme.footer(footnotes, below=10)], width=520, height=40, **texts)
    extent = _extent(lines)
    slider = alt.binding_range(min=0, max=1, step=0.01, name="Weight of H2, partly automatable: ")
    under, *above = [
        *_banded(band, extent),
        *_lines(lines, extent, words),
        *_labels(lines, extent),
        *_crossings(first, extent),
        theme.footer(footnotes, below=58),
    ]
    # Add the parameter to a layer and let Altair move it to the top level. Adding it there would copy the chart.
    under = under.add_params(alt.param(name=_SLIDER, value=level_weights["H2"], bind=slider))
    return theme.assemble([under, *above], width=_WIDTH, height=extent.height, **texts)


def _band(
    profiles: TaskProfiles,
    layout: frame.DrawnGroups,
    leading: list[str],
    level_weights: Mapping[str, float],
    options: dict[str, Any],
) -> pl.DataFrame:
    """Return bounds at several H2 weights for the groups in the headline."""
    schema = {"group": pl.String, "b": pl.Float64, "bound_low": pl.Float64, "bound_high": pl.Float64}
    if not leading:
        return pl.DataFrame(schema=schema)
    by = layout.words.by
    parts = [
        layout.labelled(bounds_by_group(profiles, by=by, level_weights=at(level_weights, b), **options))
        .filter(pl.col("group").is_in(leading))
        .select("group", pl.lit(b).alias("b"), "bound_low", "bound_high")
        for b in _STEPS
    ]
    known = pl.concat(parts)
    unbounded = known.filter(pl.col("bound_low").is_null() | pl.col("bound_high").is_null())
    return known.join(unbounded, on="group", how="anti", maintain_order="left")


def _extent(lines: pl.DataFrame) -> Extent:
    """Return a fixed index range and a plot height that fits all labels."""
    named = lines.filter(pl.col("role") != "other").get_column("group")
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
    return [area.encode(x=x, y=_y("bound_low", extent), y2=alt.Y2("bound_high:Q"), detail=alt.Detail("group:N"))]


def _lines(lines: pl.DataFrame, extent: Extent, words: Grouping) -> list[alt.Chart]:
    """Draw the lines, the end points of labelled lines, and the marks that follow the slider."""
    order = {role: place for place, role in enumerate(reversed(_ROLES))}
    rows = lines.sort(pl.col("role").replace_strict(order, return_dtype=pl.Int64), "group")
    domain = list(_ROLES)
    colour = alt.Color("role:N", scale=alt.Scale(domain=domain, range=[_ROLES[r][0] for r in domain]), legend=None)
    drawn = alt.Chart(rows.select("group", "weight_low", "weight_high", "role", "data_grade"))
    straight = drawn.mark_rule().encode(
        x=_x(0),
        x2=alt.X2Datum(1),
        y=_y("weight_low", extent),
        y2=alt.Y2("weight_high:Q"),
        color=colour,
        strokeWidth=alt.StrokeWidth(
            "role:O", scale=alt.Scale(domain=domain, range=[_ROLES[r][1] for r in domain]), legend=None
        ),
        tooltip=captions.tooltips("weight_low", "weight_high", "data_grade", words=words),
    )
    ends = [
        alt.Chart(rows.filter(grade & (pl.col("role") != "other")).select(end, "role"))
        .mark_point(shape="circle", size=34, strokeWidth=1.4, opacity=1, **hollow)
        .encode(x=_x(position), y=_y(end, extent), color=colour)
        for grade, hollow in (
            (pl.col("data_grade") != "C", {"filled": True}),
            (pl.col("data_grade") == "C", {"fill": "#FFFFFF"}),
        )
        for position, end in ((0, "weight_low"), (1, "weight_high"))
    ]
    weight = alt.ExprRef(_SLIDER)
    rule = alt.Chart(alt.InlineData(values=[{}])).mark_rule(stroke=theme.ACCENT, strokeWidth=1.4, strokeDash=[5, 3])
    dots = (
        drawn.transform_calculate(at_weight=_AT)
        .mark_point(shape="circle", filled=True, opacity=1, fill=theme.ACCENT)
        .encode(
            x=_x(weight),
            y=_y("at_weight", extent),
            size=alt.Size("role:O", scale=alt.Scale(domain=domain, range=[46, 28, 12]), legend=None),
            tooltip=captions.tooltips(words=words, at_weight=("Q", "Index at this weight", ".2f")),
        )
    )
    return [straight, rule.encode(x=_x(weight)), dots, *ends]


def _labels(lines: pl.DataFrame, extent: Extent) -> list[alt.Chart]:
    """Draw names and figures at both ends without overlap, connected to the lines."""
    rows = lines.filter(pl.col("role") != "other")
    marks = [
        _head(["index at", "H2 = 0"], -34, "right"),
        _head(["index at", "H2 = 1"], _WIDTH + 34, "left"),
        theme.note("", x=_WIDTH + 98, y=-12, baseline="bottom", fontSize=10.5, color=theme.ACCENT, fontWeight="bold"),
    ]
    marks[-1].mark.text = alt.ExprRef(f"'at ' + format({_SLIDER}, '.2f')")
    for end, edge, out in (("weight_low", 0, -1), ("weight_high", _WIDTH, 1)):
        labels = end_labels(rows, end, extent)
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


def _crossings(first: list[Leader], extent: Extent) -> list[alt.Chart]:
    """Mark the weights at which the most exposed group changes."""
    changes = [leader for leader in first if leader.since > 0]
    if not changes:
        return []
    heights: list[int] = []
    previous = -1.0
    for leader in changes:  # alternate the height if labels are close together
        low, high = (12, 26) if leader.since >= _MARGIN else (26, 12)
        heights.append(high if leader.since - previous < 0.16 and heights[-1] == low else low)
        previous = leader.since
    rows = pl.DataFrame(
        {
            "b": [leader.since for leader in changes],
            "index": [leader.level for leader in changes],
            "above": [leader.level + height * extent.pixel for leader, height in zip(changes, heights, strict=True)],
            "said": [f"b* {leader.since:.2f}" for leader in changes],
        }
    )
    x = alt.X("b:Q", scale=_SCALE, axis=_AXIS)
    drawn = alt.Chart(rows)
    # Lines never fall, and none is above the leader's, so the space above and left of a crossing is free.
    align = alt.ExprRef(f"datum.b < {_MARGIN} ? 'left' : 'right'")
    return [
        drawn.mark_point(shape="diamond", size=70, fill="#FFFFFF", stroke=theme.INK, strokeWidth=1.6, opacity=1).encode(
            x=x, y=_y("index", extent)
        ),
        drawn.mark_text(fontSize=11, fontWeight="bold", color=theme.INK, baseline="bottom", align=align).encode(
            x=x, y=_y("above", extent), text=alt.Text("said:N")
        ),
    ]


def _headline(groups: pl.DataFrame, safe: list[Leader], words: Grouping) -> str:
    """Name the most exposed groups of grade A or B as the weight varies."""
    reason = captions.no_headline_reason(groups, words)
    if reason:
        return reason
    known = groups.filter(captions.has_enough_data(words))
    ends = {row["group"]: row for row in known.iter_rows(named=True)}
    others = groups.filter(pl.col("exposure").is_not_null() & words.is_named()).height - 1
    if known.height == 1:
        more = "; there is not enough data on the others" * (others > 0)
        top = known.row(0, named=True)
        index = captions.index_range(top["weight_low"], top["weight_high"])
        text = f"exposure {index}, depending on the weight of partly automatable tasks{more}"
        return words.headline(top["group"], text)
    scope = captions.headline_scope(groups, words)
    if len(safe) == 1:
        top = ends[safe[0].group]
        tied = [
            group
            for group, row in ends.items()
            if max(abs(row[end] - top[end]) for end in ("weight_low", "weight_high")) < 1e-9
        ]
        index = captions.index_range(top["weight_low"], top["weight_high"])
        has = "has" if len(tied) == 1 else "have"
        return f"{listed(tied)} {has} the highest exposure{scope} at any weight of H2: {index}"
    if len(safe) == 2:
        return (
            f"The most exposed {words.one}{scope} changes at an H2 weight of {safe[1].since:.2f}: "
            f"{safe[0].group} below, {safe[1].group} above"
        )
    changes = [f"{leader.group} up to {successor.since:.2f}" for leader, successor in itertools.pairwise(safe)]
    order = listed([*changes, f"then {safe[-1].group}"])
    return f"The most exposed {words.one}{scope} changes with the weight of H2: {order}"


def _footnotes(totals: pl.DataFrame, lines: pl.DataFrame, words: Grouping, *, turning: bool, banded: bool) -> list[str]:
    unlabelled = lines.filter(role="other").height
    legend = ["Bold lines have the highest index at some weight."] * (lines.height > 1)
    legend += ["The mark b* shows the H2 weight at which the highest line changes."] * turning
    legend += [
        f"Band: bounds of the {words.many if words.by else 'index'} in the headline, allowing for missing data."
    ] * banded
    note = f"{unlabelled} of {lines.height} lines are not labelled: not highest or lowest, and few crossings."
    return [
        captions.index_coverage(totals),
        *([note] * (unlabelled > 0)),
        *([" ".join(legend)] * bool(legend)),
        *(["Hollow ends are grade C: do not quote on their own."] * lines.get_column("data_grade").eq("C").any()),
        *words.overlap_notes("hours"),
    ]


def _description(
    lines: pl.DataFrame, first: list[Leader], layout: frame.DrawnGroups, notes: list[str], b: float
) -> str:
    line = f"Each {layout.words.one}" if layout.words.by else "The index"
    summary = (
        f"Lines of the exposure index against the weight of H2 for {layout.population}. "
        f"{line} is a straight line from the index at a weight of 0 to the index at a weight of 1. Bold lines have "
        f"the highest index at some weight. A slider in the browser sets the weight, here {b:.2f}."
    )
    figures = ""
    if lines.height:
        changes = [f"{leader.group} from b* {leader.since:.2f}" for leader in first if leader.since > 0]
        leading = f"{first[0].group} is the most exposed at 0" + (
            f", {listed(changes)}" if changes else " and at any other weight"
        )
        rows = lines.filter(pl.col("role") != "other").select("group", "weight_low", "weight_high", "data_grade").rows()
        figures = f"{leading}. Labelled {layout.words.many}: " + "; ".join(
            f"{group} {low:.2f} at 0, {low + b * (high - low):.2f} at {b:.2f}, {high:.2f} at 1 (grade {grade})"
            for group, low, high, grade in rows
        )
        figures += "."
    return captions.alt_text(summary, figures, " ".join(notes))
