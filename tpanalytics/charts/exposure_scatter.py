"""Scatter plot of exposure against weekly hours per job."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import altair as alt
import polars as pl

from tpanalytics.charts._core import captions, frame, theme
from tpanalytics.charts._core.grouping import grouping
from tpanalytics.formatting import clean_text, hours, listed, plural
from tpanalytics.measures._core.cache import with_cache
from tpanalytics.measures._core.checks import check_flag
from tpanalytics.measures._core.groups import BY_FAMILY
from tpanalytics.measures._core.staff import STAFF
from tpanalytics.measures._core.weights import WEIGHTS
from tpanalytics.measures.exposure import exposure as measure_exposure, exposure_of_jobs
from tpanalytics.measures.privacy.policy import USUAL

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tpanalytics.charts._core.grouping import Grouping
    from tpanalytics.measures.privacy.policy import Privacy
    from tpanalytics.schema import TaskProfiles
    from tpanalytics.typing import By

__all__ = ["plot_exposure_scatter"]

#: Maximum number of groups to draw in separate panels.
_PANELS = 6
_WIDE, _SMALL = (600, 400), (236, 210)
#: Maximum number of dots, and grid steps (index, hours) for merging jobs into dots.
_DOTS = 420
_STEPS = ((0.005, 0.25), (0.01, 0.5), (0.02, 1.0), (0.04, 2.0), (0.05, 4.0), (0.1, 8.0))
_GRADES = ("grade A or B: index covers at least 70% of tasks", "grade C: fewer")
#: Skip the finest grid steps above this number of jobs, so crowded areas stay readable.
_CROWD = 300
_NAMED = 6
#: Counts of the people in a job that the area of its dot can show, with a title.
_STAFF = {"headcount": "Headcount", "fte": "Full-time equivalents"}
#: Range of the index axis, with space for the corner labels.
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
    by: By = BY_FAMILY,
    level_weights: Mapping[str, float] = WEIGHTS,
    names: bool = False,
    states: Sequence[str] | None = None,
    privacy: Privacy | None = USUAL,
) -> alt.LayerChart | alt.ConcatChart:
    """Draw each job's exposure against its documented weekly hours.

    Each dot is a single job, or several jobs with similar values. The area shows the headcount or the full-time
    equivalents if known for every job, and the number of jobs otherwise. Dots are hollow for grade C, and dashed lines
    mark the medians. Up to 6 groups are drawn in separate panels, and more share a single panel. Jobs without an index
    and jobs in suppressed groups are not drawn. A job in several groups has a dot in the panel of each, and one dot in
    a single panel.

    Parameters
    ----------
    profiles
        Task profiles with the columns read by `exposure`.
    by
        Column of the jobs, people or tasks that defines the groups, a list of columns, or None for all jobs together.
    level_weights
        Weight of each level, 0 to 1. Levels without a weight count as not assessed.
    names
        If True, label the outermost jobs. The chart then identifies individual jobs, so share it with care.
    states
        Validation states to include. None means ``profiles.manifest["states"]``, or validated and suggested.
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
        If an argument is invalid.

    Warns
    -----
    TpAnalyticsWarning
        If tasks in an unknown validation state are excluded.

    Examples
    --------
    >>> from tpanalytics import load_sample
    >>> chart = plot_exposure_scatter(load_sample())
    >>> chart.to_dict()["description"][:46]
    'Dots of the exposure index against documented '
    """
    check_flag("names", names)
    profiles = with_cache(profiles)
    words = grouping(profiles, by)
    how: dict[str, Any] = {"level_weights": level_weights, "states": states}
    released = captions.released(measure_exposure, profiles, privacy, by=by, weight="hours", **how)
    if released.height == 0:
        return frame.no_jobs()
    totals = captions.rows_for_totals(measure_exposure, profiles, words, released, None, weight="hours", **how)
    layout = frame.groups(totals, released, profiles, privacy, words)
    shown = layout.rows.filter(~captions.is_suppressed()).select("group")
    jobs = layout.labelled(exposure_of_jobs(profiles, by=by, **how))
    jobs = jobs.join(shown, on="group", how="semi", maintain_order="left")
    n_groups = jobs.filter(pl.col("exposure").is_not_null()).get_column("group").n_unique()
    if words.overlap and n_groups > _PANELS:
        # Without panels, draw each job once, with all its tasks and people.
        ids = jobs.get_column("job_id").unique()
        jobs = exposure_of_jobs(profiles, by=None, **how).filter(pl.col("job_id").is_in(ids.to_list()))
    drawn = jobs.filter(pl.col("exposure").is_not_null())
    staff = _staff(drawn)
    notes = captions.wrapped(
        [
            *layout.suppression,
            *captions.suppressed_names(layout.rows),
            *_footnotes(totals, jobs, level_weights, staff=staff, totals=layout.totals),
            *words.overlap_notes("hours"),
            *layout.sources,
        ]
    )
    with_dots = set(drawn["group"])
    order = [group for group in layout.rows.get_column("group") if group in with_dots]
    texts: dict[str, Any] = {
        "title": _headline(layout.rows, drawn, words),
        "subtitle": (
            f"Exposure index (0 to 1) against documented weekly hours of each job · "
            f"{order[0] if len(order) == 1 and words.by else layout.population}"
        ),
    }
    if drawn.height:
        return _scatter(drawn, order, layout, notes, staff=staff, names=names, **texts)
    return theme.assemble(
        [theme.note("No job has an index.", x=0, y=20, fontSize=13), theme.footer(notes, below=10)],
        description=captions.alt_text(texts["title"] + ".", "", " ".join(notes[:2])),
        width=_WIDE[0],
        height=40,
        **texts,
    )


def _staff(drawn: pl.DataFrame) -> str | None:
    """Return the count of people, or else of full-time equivalents, that is known and above 0 for every job."""
    if not drawn.height:
        return None
    known = drawn.select((pl.col(name) > 0).fill_null(value=False).all() for name in _STAFF).row(0, named=True)
    return next((name for name, is_known in known.items() if is_known), None)


def _scatter(
    drawn: pl.DataFrame,
    order: list[str],
    layout: frame.DrawnGroups,
    notes: list[str],
    *,
    staff: str | None,
    names: bool,
    **texts: str,
) -> theme.Chart | theme.Panels:
    """Draw a panel per group if there are only a few, and a single panel otherwise."""
    panelled = 1 < len(order) <= _PANELS
    panel_groups: list[str | None] = [*order] if panelled else [None]
    parts = [(group, drawn.filter(group=group) if group else drawn) for group in panel_groups]
    dots = _dots(drawn, staff=staff, panels=panelled)
    most, extent = max(12.0, *dots.get_column("many")), _extent(drawn)
    named = [row for _, jobs in parts for row in _farthest(jobs, extent)] if names else []
    texts["description"] = _description(layout, parts, named, notes)
    width, height = size = _SMALL if panelled else _WIDE
    panels = [
        _panel(
            dots.filter(group=group) if group else dots,
            jobs,
            extent,
            size=size,
            most=most,
            staff=staff,
            names=names,
            group=group,
        )
        for group, jobs in parts
    ]
    if not panelled:
        return theme.assemble([*panels[0], theme.footer(notes, below=52)], width=width, height=height, **texts)
    footer = alt.LayerChart(layer=[theme.footer(notes, below=-52)], width=width, height=1)
    columns = min(3, len(panels))
    # Fill the last row, so that the footnotes start below all panels.
    blank = alt.LayerChart(layer=[theme.note("", x=0, y=0)], width=width, height=height)
    return theme.assemble_panels(
        [
            *(alt.LayerChart(layer=panel, width=width, height=height) for panel in panels),
            *[blank] * (-len(panels) % columns),
            footer,
        ],
        columns=columns,
        bounds="flush",  # labels outside the plots would widen the gaps between panels
        spacing={"row": 108, "column": 84},
        **texts,
    )


def _dots(drawn: pl.DataFrame, *, staff: str | None, panels: bool) -> pl.DataFrame:
    """Merge jobs with similar values into dots, coarsening the grid until there are few enough."""
    by = [*(["group"] if panels else []), "long", "index", "known"]
    for index, long in _STEPS if drawn.height <= _CROWD else _STEPS[2:]:
        dots = (
            drawn.with_columns(
                index=((pl.col("exposure") / index).round() * index).round(4),
                long=((pl.col("hours") / long).round() * long).round(2),
                known=pl.when(_is_grade_c()).then(pl.lit(_GRADES[1])).otherwise(pl.lit(_GRADES[0])),
            )
            .group_by(by)
            .agg(jobs=pl.len(), many=(pl.col(staff).sum().round(1) if staff else pl.len().cast(pl.Float64)))
            .sort("many", *by, descending=[True, *([False] * len(by))])  # draw small dots last so they are on top
        )
        if dots.height <= _DOTS:
            break
    return dots


def _is_grade_c() -> pl.Expr:
    return pl.col("data_grade") == "C"


def _extent(drawn: pl.DataFrame) -> tuple[float, float]:
    """Return the range of the hours axis, which may not start at zero."""
    low, high = (float(drawn.select(end).item()) for end in (pl.col("hours").min(), pl.col("hours").max()))
    padding = max(10 - (high - low), 0.06 * (high - low), 1.0) / 2
    return max(0.0, low - padding), high + padding


def _panel(
    dots: pl.DataFrame,
    jobs: pl.DataFrame,
    extent: tuple[float, float],
    *,
    size: tuple[int, int],
    most: float,
    staff: str | None,
    names: bool,
    group: str | None,
) -> list[alt.Chart]:
    x = alt.X(
        "long:Q",
        scale=alt.Scale(domain=list(extent), nice=False),
        axis=alt.Axis(title="documented weekly hours", titleAnchor="start", tickCount=6),
    )
    y = alt.Y(
        "index:Q",
        scale=alt.Scale(domain=[_LOW, _HIGH], nice=False),
        axis=alt.Axis(title=None, values=[0, 0.2, 0.4, 0.6, 0.8, 1.0], format=".1f"),
    )
    legend = alt.Legend(symbolType="circle", offset=26, columns=2)
    many: dict[str, Any] = {"many": ("Q", _STAFF[staff], ",.6~g")} if staff else {}
    points = (
        alt.Chart(dots.select(pl.exclude("group")))
        .mark_point(shape="circle", strokeWidth=1.2, opacity=0.9)
        .encode(
            x=x,
            y=y,
            size=alt.Size("many:Q", scale=alt.Scale(domain=[0, most], range=[26, 380]), legend=None),
            fill=alt.Fill(
                "known:N", scale=alt.Scale(domain=list(_GRADES), range=[theme.ACCENT, "#FFFFFF"]), legend=legend
            ),
            # Outline filled dots in white, so overlapping dots remain distinct.
            stroke=alt.Stroke(
                "known:N", scale=alt.Scale(domain=list(_GRADES), range=["#FFFFFF", theme.ACCENT]), legend=legend
            ),
            tooltip=captions.tooltips(
                index=("Q", "Index, rounded", ".2f"),
                long=("Q", "Weekly hours, rounded", None),
                jobs=("Q", "Jobs", None),
                **many,
                known=("N", "Data grade", None),
            ),
        )
    )
    medians = jobs.select(index=pl.col("exposure").median(), long=pl.col("hours").median())
    dashed: dict[str, Any] = {"stroke": theme.MUTED, "strokeDash": [4, 3], "strokeWidth": 1}
    horizontal = alt.Chart(medians.select("index")).mark_rule(**dashed).encode(y=y)
    ends = {"y": alt.YDatum(-0.03), "y2": alt.Y2Datum(1.03)}
    vertical = alt.Chart(medians.select("long")).mark_rule(**dashed).encode(x=x, **ends)
    marks = [horizontal, vertical, points, *_median_labels(medians, extent, size)]
    if group is None:
        marks += [
            theme.note(text, x=4 if side < 0 else size[0] - 4, y=9 if up > 0 else size[1] - 9, **_corner(side))
            for (side, up), text in _CORNERS.items()
        ]
    else:
        lines = frame.name_lines(group, 34, most=3)
        marks.append(theme.note(lines, x=0, y=-13 - 14 * len(lines), fontSize=12, fontWeight="bold", color=theme.INK))
    return [*marks, *(_names(jobs, x, y, extent) if names else [])]


def _corner(side: int) -> dict[str, Any]:
    return {"align": "left" if side < 0 else "right", "fontStyle": "italic", "baseline": "middle"}


def _median_labels(medians: pl.DataFrame, extent: tuple[float, float], size: tuple[int, int]) -> list[alt.Chart]:
    index, long = medians.row(0)
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
    """Return the jobs farthest from the medians, skipping jobs whose labels would overlap."""
    span = extent[1] - extent[0]
    far = (
        jobs.filter(~_is_grade_c())
        .with_columns(
            right=(pl.col("hours") - pl.col("hours").median()) / span,
            up=pl.col("exposure") - pl.col("exposure").median(),
            at=(pl.col("hours") - extent[0]) / span,
        )
        .with_columns(far=(pl.col("right") ** 2 + pl.col("up") ** 2).round(9))
        .sort("far", "job_id", descending=[True, False])
    )
    labelled: list[dict[str, Any]] = []
    for row in far.head(60).iter_rows(named=True):
        overlaps = any(
            abs(row["exposure"] - o["exposure"]) <= 0.05 and abs(row["at"] - o["at"]) <= 0.5 for o in labelled
        )
        if not overlaps and len(labelled) < _NAMED:
            # Place the label on the side away from the median, unless it would extend beyond the plot.
            outward = row["right"] > 0
            labelled.append({**row, "leftward": row["at"] > 0.7 or (not outward and row["at"] > 0.3)})
    return labelled


def _names(jobs: pl.DataFrame, x: alt.X, y: alt.Y, extent: tuple[float, float]) -> list[alt.Chart]:
    labelled = _farthest(jobs, extent)
    marks = []
    halos: list[dict[str, Any]] = [{"stroke": "#FFFFFF", "strokeWidth": 3.5, "strokeJoin": "round"}, {}]
    for leftward in (True, False):
        rows = [
            {"name": clean_text(row["job_name"]), "index": row["exposure"], "long": row["hours"]}
            for row in labelled
            if row["leftward"] == leftward
        ]
        for halo in halos if rows else ():
            side: dict[str, Any] = {"align": "right", "dx": -9} if leftward else {"align": "left", "dx": 9}
            text = alt.Chart(pl.DataFrame(rows)).mark_text(**side, **halo, fontSize=11, color=theme.INK, limit=240)
            marks.append(text.encode(x=x, y=y, text=alt.Text("name:N")))
    return marks


def _headline(groups: pl.DataFrame, drawn: pl.DataFrame, words: Grouping) -> str:
    """Return a headline with the exposure range of grade A and B jobs."""
    if not groups.filter(~captions.is_suppressed()).height:
        return words.all_suppressed
    scope = f" in the {words.many} shown" if groups.filter(captions.is_suppressed()).height else ""
    if not drawn.height:
        if groups.get_column("tasks").fill_null(0).sum():
            return f"Exposure of the jobs{scope} cannot be computed"
        return f"No tasks{scope}" if scope else "No tasks in these task profiles"
    safe = drawn.filter(~_is_grade_c())
    if safe.height < 5:
        return f"There is not enough data to compare the exposure of single jobs{scope}"
    low, high = (safe.select(pl.col("exposure").quantile(share, "linear")).item() for share in (0.1, 0.9))
    jobs = (
        f"{safe.height:,} jobs{scope}"
        if safe.height == drawn.height
        else f"{safe.height:,} jobs with enough data{scope}"
    )
    median = captions.index_text(safe.get_column("exposure").median())  # type: ignore[arg-type]  # a number
    return f"80% of the {jobs} have an exposure of {captions.index_range(low, high)}; the median is {median}"


def _footnotes(
    counts: pl.DataFrame, jobs: pl.DataFrame, level_weights: Mapping[str, float], *, staff: str | None, totals: bool
) -> list[str]:
    if not totals:
        return [captions.index_definition(level_weights)]
    missing = jobs.filter(pl.col("exposure").is_null()).height
    area = "number of jobs" if staff is None else STAFF[staff]
    return [
        *([f"{plural(missing, 'job')} without an index {'is' if missing == 1 else 'are'} not drawn."] * (missing > 0)),
        captions.index_coverage(counts),
        *([f"The area of a dot is the {area}; dashed lines are the medians of all dots."] * (missing < jobs.height)),
        captions.index_definition(level_weights),
        captions.grade_note(captions.WEIGHTED, of="a job's tasks"),
    ]


def _description(
    layout: frame.DrawnGroups,
    parts: list[tuple[str | None, pl.DataFrame]],
    named: list[dict[str, Any]],
    notes: list[str],
) -> str:
    panels = f" One panel per {layout.words.one}." * (len(parts) > 1)
    summary = (
        f"Dots of the exposure index against documented weekly hours per job for {layout.population}. "
        f"Hollow dots are jobs of grade C; dashed lines are the medians.{panels}"
    )
    numbers = []
    for group, jobs in parts:
        low, median, high, long = jobs.select(
            pl.col("exposure").min().alias("low"),
            pl.col("exposure").median(),
            pl.col("exposure").max().alias("high"),
            pl.col("hours").median(),
        ).row(0)
        prefix = f"{group}: " if group else ""
        numbers.append(
            f"{prefix}{plural(jobs.height, 'job')}, exposure {captions.index_range(low, high)}, median "
            f"{captions.index_text(median)}; median hours {hours(long)}; {jobs.filter(_is_grade_c()).height:,} of "
            "grade C."
        )
    if named:
        far = (f"{clean_text(row['job_name'])} {row['exposure']:.2f}, {hours(row['hours'])}" for row in named)
        numbers.append(f"Labelled outermost jobs: {'; '.join(far)}.")
    unknown = layout.rows.filter(pl.col("exposure").is_null() & ~captions.is_suppressed() & layout.words.is_named())
    shape = [f"No jobs drawn for {listed(unknown.get_column('group').to_list())}."] if unknown.height else []
    return captions.alt_text(summary, " ".join(numbers), " ".join([*shape, *notes]))
