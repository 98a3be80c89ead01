"""Chart of the people, or jobs, whose work is exposed to at least some degree."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import altair as alt
import polars as pl

from tpanalytics.charts._core import captions, frame, theme
from tpanalytics.charts._core.panels import Panel, draw_panels, more_panels
from tpanalytics.formatting import listed, percent, plural
from tpanalytics.measures._core.cache import with_cache
from tpanalytics.measures._core.checks import check_whole
from tpanalytics.measures._core.groups import noun, short_noun
from tpanalytics.measures._core.metadata import NULL_REASONS
from tpanalytics.measures._core.staff import people_notes_of
from tpanalytics.measures._core.weights import WEIGHTS
from tpanalytics.measures.about import about
from tpanalytics.measures.exposure_curve import exposure_curve
from tpanalytics.measures.privacy.policy import FTE_NOTE, SUPPRESSED, SUPPRESSED_MARK, USUAL
from tpanalytics.measures.privacy.release import filter_groups

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tpanalytics.measures._core.metadata import Meaning
    from tpanalytics.measures.privacy.policy import Privacy
    from tpanalytics.schema import TaskProfiles
    from tpanalytics.typing import By, CountWeight, CurveWeight

__all__ = ["plot_exposure_curve"]

_WIDTH, _HEIGHT = 460, 320
#: Fill of the band in a panel, lighter than in the chart of one curve.
_BAND = "#EDF2F2"
#: Shares that differ by less than this are not compared in a headline.
_SIMILAR = 0.05
#: Thresholds listed next to the curve, and the one in the headline.
_LISTED, _HALF = (0.1, 0.25, 0.5, 0.75, 0.9), 0.5
#: Left edge of the list, and right edges of its columns, in pixels.
_LEFT, _EDGES = _WIDTH + 40, (_WIDTH + 90, _WIDTH + 150, _WIDTH + 244)
_LINE = 140
_NOUNS = {"headcount": "people", "fte": "full-time equivalents", "jobs": "jobs"}


def plot_exposure_curve(
    profiles: TaskProfiles,
    *,
    by: By = None,
    weight: CurveWeight = "headcount",
    work: CountWeight = "hours",
    level_weights: Mapping[str, float] = WEIGHTS,
    contract_hours: float | None = None,
    states: Sequence[str] | None = None,
    groups: Sequence[str] | None = None,
    top: int = 24,
    privacy: Privacy | None = USUAL,
) -> alt.LayerChart | alt.ConcatChart:
    """Draw the share of people, or of jobs, in jobs where at least x% of the work is exposed, for each x.

    The light band shows the bounds, which allow for missing data. With `by`, there is a panel per group, and each shows
    the curve of all jobs as a dashed line. Points that would reveal a few jobs are left out.

    Parameters
    ----------
    profiles
        Task profiles with the columns read by `exposure_curve`.
    by, weight, work, level_weights, contract_hours
        Passed to `exposure_curve`.
    states
        Validation states to include. None means ``profiles.manifest["states"]``, or validated and suggested.
    groups
        Groups to draw, or None for all. The figures do not depend on the selection.
    top
        Number of groups to draw, 1 to 40, with the most exposed first.
    privacy
        Thresholds for suppressing small groups. If None, nothing is suppressed.

    Returns
    -------
    alt.LayerChart or alt.ConcatChart
        An Altair chart that you can customize or pass to `save`.

    Raises
    ------
    SchemaError
        If a required column is missing.
    ArgumentError
        If an argument is invalid or a group does not exist.

    Warns
    -----
    TpAnalyticsWarning
        If tasks in an unknown validation state are excluded.

    Examples
    --------
    >>> from tpanalytics import load_sample
    >>> chart = plot_exposure_curve(load_sample())
    >>> chart.to_dict()["description"][:43]
    'Curve of the share of people in jobs where '
    """
    check_whole("top", top, "a whole number from 1 to 40", least=1, most=40)
    profiles = with_cache(profiles)
    how: dict[str, Any] = {
        "weight": weight,
        "work": work,
        "level_weights": level_weights,
        "contract_hours": contract_hours,
        "states": states,
    }
    released = captions.released(exposure_curve, profiles, privacy, by=by, **how)
    meaning, curves = about(released), frame.with_job_names(pl.DataFrame(filter_groups(released, groups)))
    if not meaning.jobs:
        return frame.no_jobs()
    texts = _Texts(_NOUNS[weight], work, meaning)
    sources = captions.source_line(profiles.manifest)
    curves = _with_band(theme.sanitize_labels(curves))
    shown = curves.filter(pl.col("share").is_not_null())
    if not shown.height:
        return _nothing_to_draw(curves, texts)
    if not meaning.by or shown.get_column("group").n_unique() == 1:
        return _one_curve(curves, texts, sources)
    company = captions.released(exposure_curve, profiles, privacy, by=None, **how)
    return _panels(curves, company, texts, sources, top)


class _Texts(NamedTuple):
    """What the curve counts, for titles and notes."""

    counted: str
    work: str
    meaning: Meaning

    def reach(self, threshold: float) -> str:
        """Return a clause such as "of people are in jobs with at least 50% of the hours exposed"."""
        if self.counted == "jobs":
            return f"of jobs have at least {percent(threshold)} of their {self.work} exposed"
        return f"of {self.counted} are in jobs with at least {percent(threshold)} of the {self.work} exposed"

    @property
    def short(self) -> str:
        return "FTE" if "full" in self.counted else self.counted

    @property
    def needed(self) -> str:
        return "a weighted level" if self.work == "tasks" else captions.WEIGHTED

    @property
    def population(self) -> str:
        return captions.jobs_and_tasks(self.meaning.jobs, self.meaning.tasks)


def _nothing_to_draw(curves: pl.DataFrame, texts: _Texts) -> theme.Chart:
    reasons = curves.get_column("reason").drop_nulls().unique().to_list()
    if SUPPRESSED in reasons:
        return theme.empty_chart("The exposure curve is suppressed", "There are too few jobs or people.")
    why = NULL_REASONS[reasons[0]] if len(reasons) == 1 else "no job has an index"
    return theme.empty_chart(f"Exposure cannot be computed: {why}", f"Checked {texts.population}.")


# one curve ------------------------------------------------------------------------------------------------------------


def _one_curve(curves: pl.DataFrame, texts: _Texts, sources: list[str]) -> theme.Chart:
    curve = curves.filter(pl.col("group") == curves.filter(pl.col("share").is_not_null()).item(0, "group"))
    notes = _footnotes(curve, texts)
    group = f"{curve.item(0, 'group')}: " if texts.meaning.by else ""
    population = texts.population if not texts.meaning.by else plural(int(curve.item(0, "jobs")), "job")
    return theme.assemble(
        [
            *_marks(
                curve,
                alt.X("at_least:Q", **_axis(f"at least this share of a job's {texts.work} is exposed")),
                _axis(f"share of {texts.counted}"),
                small=False,
            ),
            *_listed(curve, texts),
            theme.footer(captions.wrapped([*notes, *sources], _LINE), below=56),
        ],
        title=f"{group}{_headline(curve, texts)}",
        subtitle=f"Share of {texts.counted} by exposed share of the {texts.work} of their job · {population}"
        if texts.counted != "jobs"
        else f"Share of jobs by exposed share of their {texts.work} · {population}",
        description=_description(curve, texts, notes),
        width=_WIDTH,
        height=_HEIGHT,
    )


def _with_band(curves: pl.DataFrame) -> pl.DataFrame:
    """Add the bounds ``low`` and ``high``, using those of a neighbouring threshold where they are suppressed."""
    share = pl.col("share").interpolate_by("at_least")
    # Curves never increase, so these bounds are valid as well.
    low = pl.min_horizontal(pl.col("share_low").backward_fill().fill_null(0.0), share)
    high = pl.max_horizontal(pl.col("share_high").forward_fill(), share)
    return curves.with_columns(low=low.over("group"), high=high.over("group"))


def _marks(curve: pl.DataFrame, x: alt.X, y: dict[str, Any], *, small: bool) -> list[alt.Chart]:
    """Draw the bounds as a band and the curve as a line."""
    line = curve.filter(pl.col("share").is_not_null()).select("at_least", "share", "low", "high", "jobs_at_least")
    line = _corners(line, "share") if small else line
    band = _corners(curve.select("at_least", "low", "high").drop_nulls(), "low", "high")
    area = alt.Chart(band).mark_area(color=_BAND if small else theme.SHADE, opacity=1)
    drawn = alt.Chart(line).encode(x=x, y=alt.Y("share:Q", **y))
    tooltip = captions.tooltips(
        at_least=("Q", "At least exposed", ".0%"),
        share=("Q", "Share", ".1%"),
        low=("Q", "Lower bound", ".1%"),
        high=("Q", "Upper bound", ".1%"),
        jobs_at_least=("Q", "Jobs", ","),
    )
    return [
        area.encode(x=x, y=alt.Y("low:Q", **y), y2=alt.Y2("high:Q")),
        drawn.mark_line(color=theme.ACCENT, strokeWidth=3 if small else 2.5, opacity=1),
        drawn.mark_point(color=theme.ACCENT, filled=True, size=60 if small else 90, opacity=0).encode(tooltip=tooltip),
    ]


def _axis(title: str) -> dict[str, Any]:
    axis = {"title": title, "tickCount": 5, "labelExpr": "round(datum.value * 100) + '%'"}
    return {"axis": axis, "scale": {"domain": [0, 1]}}


def _listed(curve: pl.DataFrame, texts: _Texts) -> list[alt.Chart]:
    """Draw dots at some thresholds, and list their figures next to the curve."""
    rows = curve.filter(pl.col("at_least").is_in(_LISTED))
    dots = (
        alt.Chart(rows.filter(pl.col("share").is_not_null()).select("at_least", "share"))
        .mark_point(shape="circle", filled=True, size=70, opacity=1, color=theme.ACCENT, stroke="#FFFFFF")
        .encode(x=alt.X("at_least:Q"), y=alt.Y("share:Q"))
    )
    headers = [["at least", "exposed"], ["share of", texts.short], "bounds"]
    marks = [
        theme.note(header, x=edge, y=_TOP - 14 - 13 * (not isinstance(header, str)), **_RIGHT, lineHeight=13)
        for header, edge in zip(headers, _EDGES, strict=True)
    ]
    for number, row in enumerate(rows.iter_rows(named=True)):
        y = _TOP + 14 + 26 * number
        share = SUPPRESSED_MARK if row["reason"] == SUPPRESSED else percent(row["share"])
        bounds = _span(row["low"], row["high"])
        marks += [
            theme.note(percent(row["at_least"]), x=_EDGES[0], y=y, **_RIGHT, fontSize=12, color=theme.INK),
            theme.note(share, x=_EDGES[1], y=y, **_RIGHT, fontSize=12, fontWeight="bold", color=theme.INK),
            theme.note(bounds, x=_EDGES[2], y=y, **_RIGHT, fontSize=12),
        ]
    return [dots, *marks]


_TOP = 70
_RIGHT = {"align": "right", "baseline": "middle"}


def _span(low: float, high: float) -> str:
    return percent(low) if percent(low) == percent(high) else f"{percent(low)} to {percent(high)}"


def _headline(curve: pl.DataFrame, texts: _Texts) -> str:
    """Return the share at the visible threshold nearest to half of the work, or its bounds for grade C."""
    known = curve.filter(pl.col("share").is_not_null() & (pl.col("at_least") > 0))
    if not known.height:
        return f"Too few jobs to show how many {texts.counted} are exposed to what degree"
    row = known.sort((pl.col("at_least") - _HALF).abs(), "at_least").row(0, named=True)
    reach = texts.reach(row["at_least"])
    bounds = _span(row["low"], row["high"])
    if row["data_grade"] == "C":
        return f"Allowing for missing data, {bounds} {reach}"
    brackets = f" (bounds {bounds})" if bounds != percent(row["share"]) else ""
    return f"{percent(row['share'])}{brackets} {reach}"


def _suppression(curves: pl.DataFrame) -> list[str]:
    suppressed = curves.filter((pl.col("reason") == SUPPRESSED) & pl.col("at_least").is_not_null())
    n = suppressed.height
    if not n:
        return []
    # The mark is only used in the list next to a single curve.
    is_one = curves.get_column("group").n_unique() == 1
    mark = f"{SUPPRESSED_MARK} = suppressed. " * (is_one and suppressed.get_column("at_least").is_in(_LISTED).any())
    points = f"{plural(n, 'point')} of the curve{'s' * (not is_one)} {'is' if n == 1 else 'are'}"
    return [f"{mark}{points} left out because too few jobs or people lie in between."]


def _band_note(curves: pl.DataFrame) -> str:
    return f"The band allows for missing data{' and suppressed points' * bool(_suppression(curves))}."


def _footnotes(curve: pl.DataFrame, texts: _Texts) -> list[str]:
    meaning = texts.meaning
    known = {texts.needed: curve.item(0, "coverage")}
    without = [note for note in meaning.policy if "no index" in note] if not meaning.by else []
    return [
        *_suppression(curve),
        *[FTE_NOTE] * (bool(_suppression(curve)) and FTE_NOTE in meaning.policy),
        " ".join([captions.coverage_note(known, meaning=meaning), *without, _band_note(curve)]),
        captions.index_definition(meaning.level_weights).replace("weekly hours", texts.work),
        captions.grade_note(texts.needed, curve.item(0, "data_grade")),
        *people_notes_of(meaning),
    ]


def _description(curve: pl.DataFrame, texts: _Texts, notes: list[str]) -> str:
    summary = (
        f"Curve of the share of {texts.counted} in jobs where at least a given share of the {texts.work} is exposed "
        f"to AI, falling from 100% at 0%, with a band for its bounds."
    )
    if texts.counted == "jobs":
        summary = summary.replace("of jobs in jobs where", "of jobs where")
    rows = curve.filter(pl.col("at_least").is_in(_LISTED) & pl.col("share").is_not_null())
    figures = [f"{percent(share)} {texts.reach(at)}." for at, share in rows.select("at_least", "share").rows()]
    return captions.alt_text(summary, " ".join(figures), " ".join(notes[-3:-1]))


# several curves -------------------------------------------------------------------------------------------------------


def _panels(curves: pl.DataFrame, company: pl.DataFrame, texts: _Texts, sources: list[str], top: int) -> theme.Panels:
    with_curves = _sorted_groups(curves)
    names, by = with_curves[:top], texts.meaning.by
    one = plural(len(with_curves), short_noun(by))
    every = one if len(by) == 1 else f"{one} by {noun(by)}"
    by_name = {name: curves.filter(pl.col("group") == name) for name in names}
    drawn = curves.filter(pl.col("group").is_in(names))
    at, reference = _compared(drawn), _corners(company.filter(pl.col("share").is_not_null()), "share")
    hidden = sorted(set(curves.get_column("group")) - set(with_curves))
    left_out = len(with_curves) - len(names)
    notes = [
        *more_panels(left_out, every),
        *([f"Suppressed or without figures: {listed(hidden)}."] if hidden else []),
        *_footnotes_of_panels(curves, texts),
    ]
    of = f"their {texts.work}" if texts.counted == "jobs" else f"the {texts.work} of their job"
    return draw_panels(
        [_panel(name, curve, reference.select("at_least", "share"), at) for name, curve in by_name.items()],
        [*notes, *sources],
        axes=(f"exposed share of {texts.work}, at least", f"share of {texts.short}"),
        title=_headline_of_panels(drawn, at, texts),
        subtitle=f"Share of {texts.counted} by exposed share of {of} · dashed: all jobs · "
        f"{every if not left_out else f'first {len(names)} of {every}'}",
        description=_description_of_panels(by_name, at, texts, notes),
    )


def _compared(curves: pl.DataFrame) -> float:
    """Return the threshold to compare the groups at: the one nearest to half of the work that most of them show."""
    shown = curves.filter(pl.col("share").is_not_null() & pl.col("at_least").is_between(0.25, 0.75))
    places = shown.group_by("at_least").agg(n=pl.len())
    places = places.sort(pl.col("n"), (pl.col("at_least") - _HALF).abs(), "at_least", descending=[True, False, False])
    return float(places.item(0, "at_least")) if places.height else _HALF


def _sorted_groups(curves: pl.DataFrame) -> list[str]:
    """Return the groups with a curve, with the most exposed first."""
    at = pl.col("at_least")
    area = curves.group_by("group", maintain_order=True).agg(
        area=pl.col("share").interpolate_by(at).fill_null(0.0).mean(),
        points=pl.col("share").count(),
    )
    shown = area.filter(pl.col("points") > 0).sort(pl.col("area").round(9), descending=True, maintain_order=True)
    names: list[str] = shown.get_column("group").to_list()
    return names


def _corners(curve: pl.DataFrame, *figures: str) -> pl.DataFrame:
    """Drop points inside a constant part of the curve."""
    is_same = pl.all_horizontal(
        ((pl.col(name) == pl.col(name).shift(1)) & (pl.col(name) == pl.col(name).shift(-1))).fill_null(value=False)
        for name in figures
    )
    return curve.filter(~is_same)


def _panel(name: str, curve: pl.DataFrame, reference: pl.DataFrame, at: float) -> Panel:
    def marks(x: dict[str, Any], y: dict[str, Any]) -> list[alt.Chart]:
        dashed = alt.Chart(reference).mark_line(color=theme.INK, strokeWidth=1.1, strokeDash=[4, 3])
        reached = curve.filter((pl.col("at_least") == at) & pl.col("share").is_not_null())
        value = pl.col("share").map_elements(percent, return_dtype=pl.String)
        point = alt.Chart(reached.select("at_least", "share", value=value)).encode(
            x=alt.X("at_least:Q"), y=alt.Y("share:Q")
        )
        return [
            *_marks(curve, alt.X("at_least:Q", **x), y, small=True),
            dashed.encode(x=alt.X("at_least:Q"), y=alt.Y("share:Q")),
            point.mark_point(shape="circle", filled=True, size=46, opacity=1, color=theme.INK, stroke="#FFFFFF"),
            point.mark_text(**_above(reached, reference, at), fontSize=11, fontWeight="bold").encode(
                text=alt.Text("value:N")
            ),
        ]

    return Panel(
        name, f"{plural(int(curve.item(0, 'jobs')), 'job')}, grade {curve.item(0, 'data_grade') or 'none'}", marks
    )


def _above(reached: pl.DataFrame, reference: pl.DataFrame, at: float) -> dict[str, Any]:
    """Return the position of the figure: on the side of the curve that is away from the curve of all jobs."""
    usual = reference.filter(pl.col("at_least") <= at).get_column("share")
    if reached.height and usual.len() and reached.item(0, "share") < usual[-1] - 0.02:
        return {"align": "right", "baseline": "top", "dx": -6, "dy": 3}
    return {"align": "left", "baseline": "bottom", "dx": 6, "dy": -3}


def _headline_of_panels(curves: pl.DataFrame, at: float, texts: _Texts) -> str:
    """Return the range of the shares at a threshold, with the groups that have the lowest and the highest."""
    kind = noun(texts.meaning.by)
    shown = curves.filter((pl.col("at_least") == at) & pl.col("share").is_not_null())
    safe = shown.filter(pl.col("data_grade").is_in(["A", "B"])).sort("share", "group")
    if not safe.height:
        return f"There is not enough data to compare the exposure of {texts.counted} by {kind}"
    (lowest, low), (highest, high) = safe.select("group", "share").row(0), safe.select("group", "share").row(-1)
    reach = texts.reach(at)
    if safe.height == 1:
        return f"{lowest}: {percent(low)} {reach}"
    n = curves.get_column("group").n_unique()
    one = kind if len(texts.meaning.by) == 1 else "group"
    scope = f", among the {safe.height} of {plural(n, one)} with enough data" if safe.height < n else ""
    if percent(low) == percent(high):
        return f"{percent(low)} {reach} in every {one}{scope}"
    if high - low < _SIMILAR:
        return f"{percent(low)} to {percent(high)} {reach} in every {one}{scope}"
    return f"{percent(low)} ({lowest}) to {percent(high)} ({highest}) {reach}{scope}"


def _footnotes_of_panels(curves: pl.DataFrame, texts: _Texts) -> list[str]:
    return [
        *_suppression(curves),
        f"{captions.grade_note(texts.needed)} {_band_note(curves)}",
        captions.index_definition(texts.meaning.level_weights).replace("weekly hours", texts.work),
        *people_notes_of(texts.meaning),
    ]


def _description_of_panels(curves: Mapping[str, pl.DataFrame], at: float, texts: _Texts, notes: list[str]) -> str:
    summary = (
        f"Panels with a curve per {noun(texts.meaning.by)}: the share of {texts.counted} by the exposed share of the "
        f"{texts.work}, with a band for its bounds and a dashed line for all jobs."
    )
    shares = [
        f"{name} {percent(row.item(0, 'share'))}"
        for name, curve in curves.items()
        if (row := curve.filter((pl.col("at_least") == at) & pl.col("share").is_not_null())).height
    ]
    figures = f"Share at {percent(at)} exposed: {listed(shares)}." if shares else ""
    return captions.alt_text(summary, figures, " ".join(notes[:1]))
