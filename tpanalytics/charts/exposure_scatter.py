"""Exposure of single jobs against their hours: where jobs lie together, and which lie far out (C7)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import altair as alt
import polars as pl

from tpanalytics.charts._core import captions, frame, theme
from tpanalytics.formatting import hours, listed, plural, printable
from tpanalytics.measures._core.cache import with_cache
from tpanalytics.measures._core.checks import check_flag
from tpanalytics.measures._core.weights import WEIGHTS
from tpanalytics.measures.exposure import exposure as measure_exposure, exposure_by_job
from tpanalytics.measures.privacy.policy import USUAL
from tpanalytics.schema import COUNTED_STATES, NO_FAMILY

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tpanalytics.measures.privacy.policy import Privacy
    from tpanalytics.schema import TaskProfiles

__all__ = ["plot_exposure_scatter"]

#: Up to so many families have a panel each; more would be too small to compare.
_PANELS = 6
_WIDE, _SMALL = (600, 400), (236, 210)
#: Most dots; jobs that lie closer than the dots are apart share one.
_DOTS = 420
_STEPS = ((0.005, 0.25), (0.01, 0.5), (0.02, 1.0), (0.04, 2.0), (0.05, 4.0), (0.1, 8.0))
_KNOWN = ("grade A or B: index of at least 70\u00a0% of its tasks", "grade C: of fewer")
#: From so many jobs on dots stand on a grid, so that one can see how many lie where.
_CROWD = 300
_NAMED = 6
#: From where to where the index is drawn: beyond 0 and 1 stand the words in the corners.
_LOW, _HIGH = -0.1, 1.1
_CORNERS = {
    (-1, 1): "shorter, more exposed",
    (1, 1): "longer, more exposed",
    (-1, -1): "shorter, less exposed",
    (1, -1): "longer, less exposed",
}


def plot_exposure_scatter(
    profiles: TaskProfiles,
    *,
    level_weights: Mapping[str, float] = WEIGHTS,
    names: bool = False,
    states: Sequence[str] = COUNTED_STATES,
    privacy: Privacy | None = USUAL,
) -> alt.LayerChart | alt.ConcatChart:
    """Draw each job's exposure against the weekly hours it describes.

    A dot stands for a job, or for several that lie together, its area for how many people hold it where that is known
    of all, else for how many jobs it is; it is hollow where too few tasks of the job are in the index. The lines are
    the medians of both. Up to 6 families have a panel each, more share one. Jobs of a family that is hidden because
    too few jobs or people stand behind it are no dots. Jobs have no names here unless asked for.

    Parameters
    ----------
    profiles
        As for `exposure_by_job`.
    level_weights
        Weight of each level, 0 to 1. A level that is not among them counts as unknown.
    names
        Name the jobs that lie farthest out. The chart then tells of single jobs: mind to whom it goes.
    states
        Validation states that count.
    privacy
        How few jobs or people a figure may tell of; None hides nothing.

    Returns
    -------
    alt.LayerChart or alt.ConcatChart
        Restyle it as any Altair chart; write it with `save`.

    Raises
    ------
    SchemaError
        If a column is missing, or a weight is not as above.

    Warns
    -----
    TpAnalyticsWarning
        If tasks are in a state that is neither counted nor ``rejected``.

    Examples
    --------
    >>> from tpanalytics import load_sample
    >>> chart = plot_exposure_scatter(load_sample())
    >>> chart.to_dict()["description"][:46]
    'Dots of the exposure index against described w'
    """
    check_flag("names", names)
    profiles = with_cache(profiles)
    everyone = measure_exposure(profiles, level_weights=level_weights, states=states)
    if everyone.height == 0:
        return frame.no_jobs()
    guard = captions.released(measure_exposure, profiles, privacy, level_weights=level_weights, states=states)
    groups = frame.groups(everyone, guard, profiles, privacy)
    shown = groups.rows.filter(~captions.is_hidden()).select("job_family")
    jobs = theme.sanitize_labels(exposure_by_job(profiles, level_weights=level_weights, states=states))
    jobs = jobs.join(shown, on="job_family", how="semi", maintain_order="left")
    drawn = jobs.filter(pl.col("exposure").is_not_null())
    staffed = bool(drawn.height) and bool(drawn.select((pl.col("headcount") > 0).fill_null(value=False).all()).item())
    notes = captions.wrapped(
        [
            *groups.suppression,
            *captions.hidden_names(groups.rows),
            *_notes(everyone, jobs, level_weights, staffed=staffed, totals=groups.totals),
            *groups.sources,
        ]
    )
    with_dots = set(drawn["job_family"])
    order = [family for family in groups.rows.get_column("job_family") if family in with_dots]
    what: dict[str, Any] = {
        "title": _finding(groups.rows, drawn),
        "subtitle": (
            f"Exposure index (0 to 1) against described weekly hours of each job · "
            f"{order[0] if len(order) == 1 else groups.population}"
        ),
    }
    if drawn.height:
        return _scatter(drawn, order, groups, notes, staffed=staffed, names=names, **what)
    return theme.assemble(
        [theme.note("No job has an index to draw.", x=0, y=20, fontSize=13), theme.footer(notes, below=10)],
        description=captions.alt_text(what["title"] + ".", "", " ".join(notes[:2])),
        width=_WIDE[0],
        height=40,
        **what,
    )


def _scatter(
    drawn: pl.DataFrame,
    order: list[str],
    groups: frame.Groups,
    notes: list[str],
    *,
    staffed: bool,
    names: bool,
    **what: str,
) -> theme.Chart | theme.Panels:
    """Draw a panel for each of a few families, or one for all."""
    panelled = 1 < len(order) <= _PANELS
    each: list[str | None] = [*order] if panelled else [None]
    parts = [(family, drawn.filter(job_family=family) if family else drawn) for family in each]
    dots = _dots(drawn, staffed=staffed, panels=panelled)
    most, extent = max(12.0, *dots.get_column("many")), _extent(drawn)
    named = [row for _, some in parts for row in _farthest(some, extent)] if names else []
    what["description"] = _description(groups, parts, named, notes)
    width, height = size = _SMALL if panelled else _WIDE
    panels = [
        _panel(
            dots.filter(job_family=family) if family else dots,
            jobs,
            extent,
            size=size,
            most=most,
            staffed=staffed,
            names=names,
            family=family,
        )
        for family, jobs in parts
    ]
    if not panelled:
        return theme.assemble([*panels[0], theme.footer(notes, below=52)], width=width, height=height, **what)
    under = alt.LayerChart(layer=[theme.footer(notes, below=-52)], width=width, height=1)
    return theme.assemble_panels(
        [*(alt.LayerChart(layer=panel, width=width, height=height) for panel in panels), under],
        columns=min(3, len(panels)),
        bounds="flush",  # by the plots alone: a wide footer or name would push the panels apart
        spacing={"row": 108, "column": 84},
        **what,
    )


def _dots(drawn: pl.DataFrame, *, staffed: bool, panels: bool) -> pl.DataFrame:
    """Gather jobs that lie together into one dot, as coarsely as it takes to have few enough."""
    by = [*(["job_family"] if panels else []), "long", "index", "known"]
    for index, long in _STEPS if drawn.height <= _CROWD else _STEPS[2:]:
        dots = (
            drawn.with_columns(
                index=((pl.col("exposure") / index).round() * index).round(4),
                long=((pl.col("hours") / long).round() * long).round(2),
                known=pl.when(_poor()).then(pl.lit(_KNOWN[1])).otherwise(pl.lit(_KNOWN[0])),
            )
            .group_by(by)
            .agg(jobs=pl.len(), many=(pl.col("headcount").sum().round(1) if staffed else pl.len().cast(pl.Float64)))
            .sort("many", *by, descending=[True, *([False] * len(by))])  # small dots lie on large ones
        )
        if dots.height <= _DOTS:
            break
    return dots


def _poor() -> pl.Expr:
    """Return whether a job has grade C."""
    return pl.col("data_grade") == "C"


def _extent(drawn: pl.DataFrame) -> tuple[float, float]:
    """Return the range of the hours: not from zero, where no job may be near it."""
    least, most = (float(drawn.select(end).item()) for end in (pl.col("hours").min(), pl.col("hours").max()))
    room = max(10 - (most - least), 0.06 * (most - least), 1.0) / 2
    return max(0.0, least - room), most + room


def _panel(
    dots: pl.DataFrame,
    jobs: pl.DataFrame,
    extent: tuple[float, float],
    *,
    size: tuple[int, int],
    most: float,
    staffed: bool,
    names: bool,
    family: str | None,
) -> list[alt.Chart]:
    x = alt.X(
        "long:Q",
        scale=alt.Scale(domain=list(extent), nice=False),
        axis=alt.Axis(title="described hours per week", titleAnchor="start", tickCount=6),
    )
    y = alt.Y(
        "index:Q",
        scale=alt.Scale(domain=[_LOW, _HIGH], nice=False),
        axis=alt.Axis(title=None, values=[0, 0.2, 0.4, 0.6, 0.8, 1.0], format=".1f"),
    )
    legend = alt.Legend(symbolType="circle", offset=26, columns=2)
    columns = [name for name in dots.columns if name != "job_family"]
    points = (
        alt.Chart(dots.select(columns))
        .mark_point(shape="circle", strokeWidth=1.2, opacity=0.9)
        .encode(
            x=x,
            y=y,
            size=alt.Size("many:Q", scale=alt.Scale(domain=[0, most], range=[26, 380]), legend=None),
            fill=alt.Fill(
                "known:N", scale=alt.Scale(domain=list(_KNOWN), range=[theme.ACCENT, "#FFFFFF"]), legend=legend
            ),
            # A white rim parts full dots that lie on each other.
            stroke=alt.Stroke(
                "known:N", scale=alt.Scale(domain=list(_KNOWN), range=["#FFFFFF", theme.ACCENT]), legend=legend
            ),
            tooltip=captions.tooltips(
                index=("Q", "Index, about", ".2f"),
                long=("Q", "Hours a week, about", None),
                jobs=("Q", "Jobs", None),
                **({"many": ("Q", "People, full-time equivalents", ",.1f")} if staffed else {}),
                known=("N", "Known", None),
            ),
        )
    )
    middle = jobs.select(index=pl.col("exposure").median(), long=pl.col("hours").median())
    dashed: dict[str, Any] = {"stroke": theme.MUTED, "strokeDash": [4, 3], "strokeWidth": 1}
    across = alt.Chart(middle.select("index")).mark_rule(**dashed).encode(y=y)
    ends = {"y": alt.YDatum(-0.03), "y2": alt.Y2Datum(1.03)}
    upright = alt.Chart(middle.select("long")).mark_rule(**dashed).encode(x=x, **ends)
    marks = [across, upright, points, *_said_of_middle(middle, extent, size)]
    if family is None:
        marks += [
            theme.note(words, x=4 if side < 0 else size[0] - 4, y=9 if up > 0 else size[1] - 9, **_corner(side))
            for (side, up), words in _CORNERS.items()
        ]
    else:
        words = frame.name_lines(family, 34, most=3)
        above = -13 - 14 * len(words)
        marks.append(theme.note(words, x=0, y=above, fontSize=12, fontWeight="bold", color=theme.INK))
    return [*marks, *(_names(jobs, x, y, extent) if names else [])]


def _corner(side: int) -> dict[str, Any]:
    return {"align": "left" if side < 0 else "right", "fontStyle": "italic", "baseline": "middle"}


def _said_of_middle(middle: pl.DataFrame, extent: tuple[float, float], size: tuple[int, int]) -> list[alt.Chart]:
    """Write the medians at the ends of their lines."""
    index, long = middle.row(0)
    at = (long - extent[0]) / (extent[1] - extent[0])
    return [
        theme.note(
            f"median {hours(long)}",
            x=round(at * size[0]),
            y=-4,
            baseline="bottom",
            align="left" if at < 0.2 else "right" if at > 0.8 else "center",
            fontSize=10.5,
        ),
        theme.note(
            ["median", captions.index_text(index)],
            x=size[0] + 4,
            y=round((_HIGH - index) / (_HIGH - _LOW) * size[1]),
            baseline="middle",
            lineHeight=12,
            fontSize=10.5,
        ),
    ]


def _farthest(jobs: pl.DataFrame, extent: tuple[float, float]) -> list[dict[str, Any]]:
    """Choose the jobs farthest from both medians, no two of them so near that their names would meet."""
    span = extent[1] - extent[0]
    far = (
        jobs.filter(~_poor())
        .with_columns(
            right=(pl.col("hours") - pl.col("hours").median()) / span,
            up=pl.col("exposure") - pl.col("exposure").median(),
            at=(pl.col("hours") - extent[0]) / span,
        )
        .with_columns(far=(pl.col("right") ** 2 + pl.col("up") ** 2).round(9))
        .sort("far", "job_id", descending=[True, False])
    )
    kept: list[dict[str, Any]] = []
    for row in far.head(60).iter_rows(named=True):
        apart = all(abs(row["exposure"] - one["exposure"]) > 0.05 or abs(row["at"] - one["at"]) > 0.5 for one in kept)
        if apart and len(kept) < _NAMED:
            # Away from the crowd, unless the name would leave the plot.
            outward = row["right"] > 0
            kept.append({**row, "leftward": row["at"] > 0.7 or (not outward and row["at"] > 0.3)})
    return kept


def _names(jobs: pl.DataFrame, x: alt.X, y: alt.Y, extent: tuple[float, float]) -> list[alt.Chart]:
    kept = _farthest(jobs, extent)
    marks = []
    halos: list[dict[str, Any]] = [{"stroke": "#FFFFFF", "strokeWidth": 3.5, "strokeJoin": "round"}, {}]
    for leftward in (True, False):
        rows = [
            {"name": printable(row["job_name"]), "index": row["exposure"], "long": row["hours"]}
            for row in kept
            if row["leftward"] == leftward
        ]
        for halo in halos if rows else ():
            side: dict[str, Any] = {"align": "right", "dx": -9} if leftward else {"align": "left", "dx": 9}
            text = alt.Chart(pl.DataFrame(rows)).mark_text(**side, **halo, fontSize=11, color=theme.INK, limit=240)
            marks.append(text.encode(x=x, y=y, text=alt.Text("name:N")))
    return marks


def _finding(families: pl.DataFrame, drawn: pl.DataFrame) -> str:
    """State the spread of the jobs of grade A or B."""
    if not families.filter(~captions.is_hidden()).height:
        return captions.ALL_HIDDEN
    of_shown = " of the families shown" if families.filter(captions.is_hidden()).height else ""
    if not drawn.height:
        described = families.get_column("tasks").fill_null(0).sum()
        return f"The exposure of no job{of_shown} can be worked out" if described else f"No task{of_shown} is described"
    safe = drawn.filter(~_poor())
    if safe.height < 5:
        return f"Too little is known to compare the exposure of single jobs{of_shown}"
    low, high = (safe.select(pl.col("exposure").quantile(share, "linear")).item() for share in (0.1, 0.9))
    if safe.height == drawn.height:
        among = f"{safe.height:,} jobs{of_shown}"
    else:
        among = f"the {safe.height:,} jobs{of_shown} of which enough is known"
    middle = f"the median is {captions.index_text(safe.get_column('exposure').median())}"  # type: ignore[arg-type]  # a number
    return f"Exposure of 8 in 10 of {among} lies within {captions.index_range(low, high)}; {middle}"


def _notes(
    everyone: pl.DataFrame, jobs: pl.DataFrame, level_weights: Mapping[str, float], *, staffed: bool, totals: bool
) -> list[str]:
    if not totals:
        return [captions.index_definition(level_weights)]
    missing = jobs.filter(pl.col("exposure").is_null()).height
    area = "how many people hold the jobs" if staffed else "how many jobs lie there"
    return [
        *([f"{plural(missing, 'job')} without an index {'is' if missing == 1 else 'are'} not drawn."] * (missing > 0)),
        captions.index_coverage(everyone),
        *([f"The area of a dot is {area}; dashed lines are the medians of the jobs drawn."] * (missing < jobs.height)),
        captions.index_definition(level_weights),
        captions.grade_note(captions.WEIGHED, of="a job's tasks"),
    ]


def _description(
    groups: frame.Groups, parts: list[tuple[str | None, pl.DataFrame]], named: list[dict[str, Any]], notes: list[str]
) -> str:
    panels = " A panel for each family." * (len(parts) > 1)
    built = (
        f"Dots of the exposure index against described weekly hours per job for {groups.population}. "
        f"Hollow dots are jobs of grade C; dashed lines are the medians.{panels}"
    )
    told = []
    for family, jobs in parts:
        low, middle, high, long = jobs.select(
            pl.col("exposure").min().alias("low"),
            pl.col("exposure").median(),
            pl.col("exposure").max().alias("high"),
            pl.col("hours").median(),
        ).row(0)
        whose = f"{family}: " if family else ""
        told.append(
            f"{whose}{plural(jobs.height, 'job')} from {captions.index_range(low, high)}, median "
            f"{captions.index_text(middle)}; median of the hours {hours(long)}; {jobs.filter(_poor()).height:,} of "
            "grade C."
        )
    if named:
        far = (f"{printable(row['job_name'])} {row['exposure']:.2f}, {hours(row['hours'])}" for row in named)
        told.append(f"Named, because they lie farthest out: {'; '.join(far)}.")
    unknown = groups.rows.filter(
        pl.col("exposure").is_null() & ~captions.is_hidden() & (pl.col("job_family") != NO_FAMILY)
    )
    shape = [f"No job is drawn of {listed(unknown.get_column('job_family').to_list())}."] if unknown.height else []
    return captions.alt_text(built, " ".join(told), " ".join([*shape, *notes]))
