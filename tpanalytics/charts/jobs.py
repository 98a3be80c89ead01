"""Chart of the jobs in a group."""

from __future__ import annotations

from typing import TYPE_CHECKING

import altair as alt
import polars as pl

from tpanalytics.charts._core import captions, frame, theme
from tpanalytics.charts._core.frame import SideColumn
from tpanalytics.charts._core.grouping import grouping
from tpanalytics.errors import ArgumentError
from tpanalytics.formatting import NONE, clean_text, hours, listed, percent, plural, total
from tpanalytics.measures._core.cache import with_cache
from tpanalytics.measures._core.checks import unknown_group_message
from tpanalytics.measures._core.group_jobs import jobs_of_group
from tpanalytics.measures._core.groups import BY_FAMILY, noun
from tpanalytics.measures._core.labels import with_labels
from tpanalytics.measures._core.metadata import get_metadata
from tpanalytics.measures.coverage import coverage as measure_coverage
from tpanalytics.measures.impact import impact as measure_impact
from tpanalytics.measures.privacy.policy import FTE_NOTE, USUAL
from tpanalytics.schema import NOT_ASSESSED, level_order

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tpanalytics.charts._core.grouping import Grouping
    from tpanalytics.measures._core.group_jobs import GroupJobs
    from tpanalytics.measures._core.metadata import Meaning
    from tpanalytics.measures.privacy.policy import Privacy
    from tpanalytics.schema import TaskProfiles
    from tpanalytics.typing import By

__all__ = ["plot_jobs"]

#: Maximum number of bars to draw.
_BARS = 40
_WIDTH, _ROW, _BAR = 430, 26, 16
#: Maximum line length for job names, in characters.
_NAME = 46
#: Digit width, padding around a figure, and padding around a figure in a hatched segment, in pixels.
_CHARACTER, _AROUND, _STROKES = 6.2, 6, 32
_COLUMNS = (
    SideColumn("amount", ["weekly", "hours"], 56, muted=False),
    SideColumn("of_h1", "H1", 98, muted=False),
    SideColumn("seen", "tasks", 140),
    SideColumn("open", ["without", "hours"], 192),
    SideColumn("grade", "grade", 234),
)
#: Draw fewer hatching strokes above this number of bars. Altair raises an error for more than 5,000 rows.
_DENSE = 20


def plot_jobs(
    profiles: TaskProfiles,
    group: str,
    *,
    by: By = BY_FAMILY,
    states: Sequence[str] | None = None,
    privacy: Privacy | None = USUAL,
) -> alt.LayerChart:
    """Draw the documented weekly hours of each job in a group, by AI impact level.

    Hours without a level are hatched, and a column on the right shows the number of tasks with missing hours. A
    vertical line marks a job's contract hours, if known. Only the 40 jobs with the most hours are drawn. A footnote
    says how many others there are. The chart contains job names.

    Parameters
    ----------
    profiles
        Task profiles with the columns read by `impact`.
    group
        Name of the group, such as ``"Finance"``, or ``"Finance · BE"`` for two columns. Use ``"(no job family)"`` to
        draw jobs without a family, and ``"all jobs"`` if `by` is None.
    by
        Column of the jobs, people or tasks that defines the groups, a list of columns, or None for all jobs together.
        With a column of the tasks, only the job's tasks in the group are drawn.
    states
        Validation states to include. None means ``profiles.manifest["states"]``, or validated and suggested.
    privacy
        Thresholds for suppressing small groups. If the group is suppressed, no jobs are drawn. Jobs with a known
        headcount in the group below `Privacy.min_headcount` are suppressed, along with the next smallest job if the
        group's total would otherwise reveal them. If None, nothing is suppressed.

    Returns
    -------
    alt.LayerChart
        An Altair chart that you can customize or pass to `save`.

    Raises
    ------
    SchemaError
        If a required column is missing.
    ArgumentError
        If the group does not exist.

    Warns
    -----
    TpAnalyticsWarning
        If tasks in an unknown validation state are excluded.

    Examples
    --------
    >>> from tpanalytics import load_sample
    >>> chart = plot_jobs(load_sample(), "Finance")
    >>> chart.to_dict()["description"][:64]
    'Stacked bars of documented weekly hours of 6 of 15 jobs in Finan'
    """
    profiles = with_cache(profiles)
    words = grouping(profiles, by)
    coverage = with_labels(measure_coverage(profiles, by=by, states=states))
    if coverage.height == 0:
        return frame.no_jobs()
    group = _group(group, coverage.get_column("group").to_list(), words)
    name = clean_text(group) or group
    impact = captions.released(measure_impact, profiles, privacy, by=by, weight="hours", states=states)
    own = impact.filter(pl.col("group") == group)
    if own.select(captions.is_suppressed().all()).item():
        reason = f"The {words.one} has too few jobs or people, or its figures would reveal another suppressed one."
        if not words.by:
            return theme.empty_chart(words.all_suppressed, "There are too few jobs or people.")
        return theme.empty_chart(f"The jobs in {name} are suppressed", reason)
    selected = jobs_of_group(profiles, group=group, by=by, states=states, privacy=privacy)
    suppressed = _suppression_note(selected, privacy)
    if not selected.jobs.height:
        return theme.empty_chart(f"No job in {name} can be shown", " ".join(suppressed))
    drawn = _rows(selected.jobs.head(_BARS))
    segments = _segments(selected.levels, drawn)
    levels = level_order(segments.get_column("level").to_list())
    names = dict(drawn.select("job_id", "name").rows())
    notes = captions.wrapped(
        [
            *suppressed,
            *_rest(selected.jobs),
            *_footnotes(selected.jobs, drawn, get_metadata(own)),
            *_task_note(words),
            *captions.source_line(profiles.manifest),
        ]
    )
    y = frame.row_axis("job_id", names, _NAME)
    title = words.headline(name, _headline(own, selected))
    shown = plural(selected.jobs.height, "job")
    if selected.left_out:
        shown = f"{selected.jobs.height:,} of {plural(selected.jobs.height + selected.left_out, 'job')}"
    return theme.assemble(
        [
            *_bars(segments, drawn, y, levels),
            *frame.side_columns(drawn, y, _COLUMNS, _WIDTH, key="job_id"),
            theme.footer(notes, below=52),
        ],
        title=title,
        subtitle=(
            f"Documented weekly hours of each job by AI impact level, for one incumbent · {shown}, "
            f"{plural(total(selected.jobs, 'tasks'), 'task')}"
        ),
        description=_description(title, name, drawn, shown, levels, notes),
        width=_WIDTH,
        height=drawn.height * frame.row_height(list(names.values()), _ROW, _NAME),
    )


def _group(group: str, groups: list[str], words: Grouping) -> str:
    """Find a group by name, or by the name printed in charts."""
    if group in groups:
        return group
    matches = [name for name in groups if clean_text(name) == group]
    if len(matches) != 1:
        raise ArgumentError(f"`group`: {unknown_group_message(str(group), groups, words.noun)}.")
    return matches[0]


def _task_note(words: Grouping) -> list[str]:
    columns = words.columns.tasks
    return [f"Only the tasks of this {noun(columns)} are counted."] if columns else []


def _rows(jobs: pl.DataFrame) -> pl.DataFrame:
    """Format the columns for each job."""
    reasons = {
        "no tasks": pl.col("tasks") == 0,
        "no documented hours": pl.col("hours").is_null(),
        "all hours are zero": pl.col("hours") == 0,
    }
    return jobs.with_columns(
        pl.col("job_id").map_elements(clean_text, return_dtype=pl.String),
        name=pl.col("job_name").map_elements(clean_text, return_dtype=pl.String),
        amount=pl.col("hours").map_batches(frame.hours_column, return_dtype=pl.String),
        of_h1=frame.formatted("h1", percent),
        seen=frame.formatted("tasks", lambda n: f"{n:,}"),
        open=frame.counts_as_text(pl.col("tasks") - pl.col("tasks_with_hours")),
        grade=pl.col("data_grade").fill_null(NONE),
        missing=pl.coalesce(pl.when(test).then(pl.lit(text)) for text, test in reasons.items()),
    )


def _top(drawn: pl.DataFrame) -> float:
    """Return the upper end of the axis in hours."""
    longest = drawn.select(pl.max_horizontal(pl.col("hours").max(), pl.col("contract_hours").max())).item()
    return 1.02 * float(longest or 1.0)


def _segments(levels: pl.DataFrame, drawn: pl.DataFrame) -> pl.DataFrame:
    """Stack each job's levels into segments with a start and an end."""
    order = {level: i for i, level in enumerate(level_order(levels.get_column("level").to_list()))}
    end = pl.col("hours").cum_sum().over("job")
    per_pixel = _top(drawn) / _WIDTH
    jobs = drawn.select("job", "job_id", "name", "contract_hours")
    known = levels.filter(pl.col("hours") > 0).join(jobs, on="job", how="inner")
    label = pl.col("hours").round(1).map_elements(lambda value: f"{value:,.12g}", return_dtype=pl.String)
    length = label.str.len_chars() * _CHARACTER * per_pixel
    crossed = ((pl.col("contract_hours") - pl.col("middle")).abs() < length / 2 + 2 * per_pixel).fill_null(value=False)
    padding = pl.when(pl.col("level") == NOT_ASSESSED).then(_STROKES).otherwise(_AROUND)
    fits = length + padding * per_pixel <= pl.col("hours")
    return (
        known.sort("job", pl.col("level").replace_strict(order, return_dtype=pl.Int64))
        .with_columns(start=end - pl.col("hours"), end=end)
        .with_columns(middle=((pl.col("start") + pl.col("end")) / 2).round(4))
        .with_columns(
            figure=pl.when(fits & ~crossed).then(label).otherwise(pl.lit("")),
            dark=pl.col("level").is_in(["H1", "H2"]),
            paint=pl.col("level").map_elements(clean_text, return_dtype=pl.String),
        )
    )


def _bars(segments: pl.DataFrame, drawn: pl.DataFrame, y: alt.Y, levels: list[str]) -> list[alt.Chart]:
    scale = alt.Scale(domain=[0, _top(drawn)], nice=False)
    axis = alt.Axis(title="documented weekly hours", titleAnchor="start", tickCount=8)
    x = alt.X("start:Q", scale=scale, axis=axis)
    printed = [clean_text(level) or level for level in levels]
    columns = ("job_id", "name", "start", "end", "hours", "tasks", "middle", "figure", "dark")
    base = alt.Chart(segments.rename({"n_known": "tasks"}).select(*columns, level="paint"))
    bars = base.mark_bar(stroke=theme.OUTLINE, strokeWidth=1, size=_BAR).encode(
        x=x,
        x2=alt.X2("end:Q"),
        y=y,
        color=alt.Color("level:N", scale=theme.level_scale(printed), legend=theme.level_legend(printed)),
        tooltip=captions.tooltips(
            name=("N", "Job", None),
            level=("N", "AI impact level", None),
            hours=("Q", "Weekly hours", ",.2f"),
            tasks=("Q", "Tasks with hours", ","),
        ),
    )
    figures = base.mark_text(fontSize=11).encode(
        x=alt.X("middle:Q"), y=y, text=alt.Text("figure:N"), color=theme.ink_if("datum.dark", "#FFFFFF", theme.INK)
    )
    hatching = theme.hatched(alt.Chart(_strokes(segments, drawn)), _BAR).encode(x=alt.X("at:Q"), y=y)
    weeks = drawn.filter(pl.col("contract_hours").is_not_null()).select("job_id", "contract_hours")
    if not weeks.height:
        return [bars, hatching, figures]
    line = alt.Chart(weeks).mark_tick(thickness=2, size=_BAR + 8, color=theme.INK)
    return [bars, hatching, figures, line.encode(x=alt.X("contract_hours:Q", scale=scale, axis=axis), y=y)]


def _strokes(segments: pl.DataFrame, drawn: pl.DataFrame) -> pl.DataFrame:
    """Return positions for hatching strokes in segments without a level, except behind figures."""
    per_pixel = _top(drawn) / _WIDTH
    scale = per_pixel * max(1.0, drawn.height / _DENSE)
    strokes = [
        {"job_id": job, "at": at}
        for job, start, end, figure in segments.filter(level=NOT_ASSESSED)
        .select("job_id", "start", "end", "figure")
        .rows()
        for at in theme.strokes(start, end, scale)
        if not figure or abs(at - (start + end) / 2) > (len(figure) * _CHARACTER / 2 + _AROUND) * per_pixel
    ]
    return pl.DataFrame(strokes, schema={"job_id": pl.String, "at": pl.Float64})


def _suppression_note(selected: GroupJobs, privacy: Privacy | None) -> list[str]:
    if not selected.left_out or privacy is None:
        return []
    reason = f"fewer than {privacy.min_headcount:g} people, or needed to protect another job"
    are = "is" if selected.left_out == 1 else "are"
    fte = f" {FTE_NOTE}" * (selected.counts_fte and bool(privacy.min_headcount))
    return [f"{plural(selected.left_out, 'job')} {are} suppressed: {reason}.{fte}"]


def _rest(jobs: pl.DataFrame) -> list[str]:
    """Return a note about jobs that aren't drawn because there are too many."""
    rest = jobs.slice(_BARS)
    if not rest.height:
        return []
    known = rest.get_column("hours").count()
    amount = f"with {hours(float(rest.get_column('hours').sum()))} a week" if known else "without hours"
    return [f"Only the {_BARS} jobs with the most hours are drawn, not {plural(rest.height, 'other job')} {amount}."]


def _footnotes(jobs: pl.DataFrame, drawn: pl.DataFrame, meaning: Meaning | None) -> list[str]:
    tasks = total(jobs, "tasks")
    if not tasks:
        return [captions.NO_TASKS_NOTE]
    with_hours, with_level = (total(jobs, name) / tasks for name in ("tasks_with_hours", "tasks_with_level"))
    weeks = drawn.get_column("contract_hours").drop_nulls()
    line = "Contract hours are missing, so the documented share of a week is unknown."
    if weeks.len():
        week = f" of {hours(float(weeks[0]))}" if weeks.n_unique() == 1 else " of the job"
        unknown = f" (unknown for {plural(drawn.height - weeks.len(), 'job')})" if weeks.len() < drawn.height else ""
        line = f"The vertical line marks the contract week{week}{unknown}. Hours between bar and line are undocumented."
    note = captions.coverage_note(
        {"hours": with_hours, "a level": with_level}, of=plural(tasks, "task"), meaning=meaning
    )
    return [
        f"{note} {captions.MISSING_HOURS}",
        line,
        f"H1 is the share of the hours in the bar. {captions.LEVELS_NOTE}",
        captions.grade_note("hours and a level"),
    ]


def _headline(impact: pl.DataFrame, selected: GroupJobs) -> str:
    """Return a headline with the group's H1 share and the range across jobs, unless the group is grade C."""
    jobs = selected.jobs
    if not total(jobs, "tasks"):
        return "no tasks"
    if not jobs.get_column("hours").count():
        return f"{plural(total(jobs, 'tasks'), 'task')} without documented hours"
    if not jobs.get_column("hours").sum():
        return "all documented hours are zero"
    if impact.item(0, "data_grade") not in {"A", "B"}:
        return "there is not enough data to say how much of the work is highly automatable"
    h1 = impact.filter(ai_impact_level="H1").select("share", "share_low", "share_high").rows()
    share, low, high = h1[0] if h1 else (0.0, None, None)
    bounds = "" if low is None or high is None else f" ({percent(low)} to {percent(high)})"
    headline = f"{percent(share)}{bounds} of documented weekly hours are highly automatable"
    safe = jobs.filter(pl.col("data_grade").is_in(["A", "B"]) & pl.col("h1").is_not_null()).get_column("h1").sort()
    if safe.len() < 2:
        return headline
    scope = "single jobs" if safe.len() == jobs.height else f"the {safe.len()} jobs with enough data"
    if selected.left_out:
        scope = f"{safe.len()} of the {jobs.height} jobs shown"
        if safe.len() == jobs.height:
            scope = f"the {plural(safe.len(), 'job')} shown"
    return f"{headline}, from {percent(safe[0])} to {percent(safe[-1])} in {scope}"


def _description(title: str, name: str, drawn: pl.DataFrame, shown: str, levels: list[str], notes: list[str]) -> str:
    listed_levels = f" ({listed(clean_text(level) or level for level in levels)})" if levels else ""
    summary = (
        f"Stacked bars of documented weekly hours of {shown} in {name} by AI impact level{listed_levels}, most hours "
        "first."
    )
    figures = (
        f"{job} {hours(amount) if amount is not None else 'unknown hours'}"
        + (f", {percent(h1)} H1" if h1 is not None else "")
        + (f", {plural(tasks - with_hours, 'task')} without hours" if with_hours < tasks else "")
        for job, amount, h1, tasks, with_hours in drawn.select(
            "name", "hours", "h1", "tasks", "tasks_with_hours"
        ).rows()
    )
    return captions.alt_text(summary, f"{title}. Jobs: {'; '.join(figures)}.", " ".join(notes))
