"""The jobs of one family: a bar each, as long as its described week, its segments the levels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import altair as alt
import polars as pl

from tpanalytics.charts._core import captions, frame, theme
from tpanalytics.charts._core.frame import SideColumn
from tpanalytics.errors import ArgumentError
from tpanalytics.formatting import NONE, hours, listed, percent, plural, printable, total
from tpanalytics.measures._core.cache import with_cache
from tpanalytics.measures._core.checks import no_family
from tpanalytics.measures._core.family_jobs import jobs_of_family
from tpanalytics.measures.coverage import coverage as measure_coverage
from tpanalytics.measures.impact import impact as measure_impact
from tpanalytics.measures.privacy.policy import USUAL
from tpanalytics.schema import COUNTED_STATES, NOT_ASSESSED, level_order

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tpanalytics.measures._core.family_jobs import FamilyJobs
    from tpanalytics.measures.privacy.policy import Privacy
    from tpanalytics.schema import TaskProfiles

__all__ = ["plot_jobs"]

#: Most bars; the other jobs are counted.
_BARS = 40
_WIDTH, _ROW, _BAR = 430, 26, 16
#: Width of a job's name in characters; names of jobs are longer than those of families.
_NAME = 46
#: Width of a character of a figure in its segment, in pixels, the least room around it, and that for strokes too.
_CHARACTER, _AROUND, _STROKES = 6.2, 6, 32
_COLUMNS = (
    SideColumn("amount", "a week", 56, muted=False),
    SideColumn("of_h1", "H1", 98, muted=False),
    SideColumn("seen", "tasks", 140),
    SideColumn("open", ["without", "hours"], 192),
    SideColumn("grade", "grade", 234),
)
#: So many bars at most are hatched densely, since Altair refuses 5,000 rows.
_DENSE = 20


def plot_jobs(
    profiles: TaskProfiles, family: str, *, states: Sequence[str] = COUNTED_STATES, privacy: Privacy | None = USUAL
) -> alt.LayerChart:
    """Draw the jobs of one family: how many hours a week each describes, and how they split over AI impact levels.

    A bar is as long as the hours of the job's tasks; hours without a level are hatched, and tasks without hours are
    counted beside it. The upright line in a row is the contract week of the job, where it is known. The job with most
    hours comes first; of more than 40 the others are counted. This chart names jobs, because that is what is asked.

    Parameters
    ----------
    profiles
        As for `hours_by_job`.
    family
        The family; ``"(no family)"`` are the jobs without one.
    states
        Validation states that count.
    privacy
        How few jobs or people a figure may tell of. Of a family that is hidden no job is drawn. A job of fewer people
        than `Privacy.min_headcount` is left out, where its headcount is known, and the next smallest with it, so that
        no total of the family tells what it is. None hides nothing.

    Returns
    -------
    alt.LayerChart
        Restyle it as any Altair chart; write it with `save`.

    Raises
    ------
    SchemaError
        If there is no such family, or a column is missing.

    Warns
    -----
    TpAnalyticsWarning
        If tasks are in a state that is neither counted nor ``rejected``.

    Examples
    --------
    >>> from tpanalytics import load_sample
    >>> chart = plot_jobs(load_sample(), "Finance")
    >>> chart.to_dict()["description"][:67]
    'Stacked bars of the described weekly hours of 6 of 15 jobs in Finan'
    """
    profiles = with_cache(profiles)
    coverage = measure_coverage(profiles, states=states)
    if coverage.height == 0:
        return frame.no_jobs()
    family = _family(family, coverage.get_column("job_family").to_list())
    name = printable(family) or family
    impact = captions.released(measure_impact, profiles, privacy, weight="hours", states=states)
    own = impact.filter(pl.col("job_family") == family)
    if own.select(captions.is_hidden().all()).item():
        why = "It tells of too few jobs or people, or it hides a family that could be worked out from a total."
        return theme.empty_chart(f"The jobs of {name} are hidden", why)
    found = jobs_of_family(profiles, family=family, states=states, privacy=privacy)
    left_out = _left_out(found, privacy)
    if not found.jobs.height:
        return theme.empty_chart(f"No job of {name} can be shown", " ".join(left_out))
    drawn = _rows(found.jobs.head(_BARS))
    segments = _segments(found.levels, drawn)
    levels = level_order(segments.get_column("level").to_list())
    names = dict(drawn.select("job_id", "name").rows())
    notes = captions.wrapped(
        [*left_out, *_rest(found.jobs), *_notes(found.jobs, drawn), *captions.source_line(profiles.manifest)]
    )
    y = frame.row_axis("job_id", names, _NAME)
    title = _finding(name, own, found)
    shown = plural(found.jobs.height, "job")
    if found.left_out:
        shown = f"{found.jobs.height:,} of {plural(found.jobs.height + found.left_out, 'job')}"
    return theme.assemble(
        [
            *_bars(segments, drawn, y, levels),
            *frame.side_columns(drawn, y, _COLUMNS, _WIDTH, key="job_id"),
            theme.footer(notes, below=52),
        ],
        title=title,
        subtitle=(
            f"Described weekly hours of each job by AI impact level, for one incumbent · {shown}, "
            f"{plural(total(found.jobs, 'tasks'), 'task')}"
        ),
        description=_description(title, name, drawn, shown, levels, notes),
        width=_WIDTH,
        height=drawn.height * frame.row_height(list(names.values()), _ROW, _NAME),
    )


def _family(family: str, there: list[str]) -> str:
    """Return the family that is meant, also by its name as charts print it."""
    if family in there:
        return family
    printed = [one for one in there if printable(one) == family]
    if len(printed) != 1:
        raise ArgumentError(f"family={family!r}: {no_family(str(family), there)}.")
    return printed[0]


def _rows(jobs: pl.DataFrame) -> pl.DataFrame:
    """Format what is printed in each row."""
    reasons = {
        "no task described": pl.col("tasks") == 0,
        "no hours are known": pl.col("hours").is_null(),
        "all hours are zero": pl.col("hours") == 0,
    }
    return jobs.with_columns(
        pl.col("job_id").map_elements(printable, return_dtype=pl.String),
        name=pl.col("job_name").map_elements(printable, return_dtype=pl.String),
        amount=pl.col("hours").map_batches(frame.hours_column, return_dtype=pl.String),
        of_h1=frame.as_text("h1", percent),
        seen=frame.as_text("tasks", lambda n: f"{n:,}"),
        open=frame.counts_as_text(pl.col("tasks") - pl.col("tasks_with_hours")),
        grade=pl.col("data_grade").fill_null(NONE),
        missing=pl.coalesce(pl.when(test).then(pl.lit(text)) for text, test in reasons.items()),
    )


def _top(drawn: pl.DataFrame) -> float:
    """Return where the axis ends."""
    longest = drawn.select(pl.max_horizontal(pl.col("hours").max(), pl.col("contract_hours").max())).item()
    return 1.02 * float(longest or 1.0)


def _segments(levels: pl.DataFrame, drawn: pl.DataFrame) -> pl.DataFrame:
    """Place each level of a job behind the one before it."""
    place = {level: i for i, level in enumerate(level_order(levels.get_column("level").to_list()))}
    end = pl.col("hours").cum_sum().over("job")
    per_pixel = _top(drawn) / _WIDTH
    told = drawn.select("job", "job_id", "name", "contract_hours")
    known = levels.filter(pl.col("hours") > 0).join(told, on="job", how="inner")
    said = pl.col("hours").round(1).map_elements(lambda value: f"{value:,.12g}", return_dtype=pl.String)
    length = said.str.len_chars() * _CHARACTER * per_pixel
    crossed = ((pl.col("contract_hours") - pl.col("middle")).abs() < length / 2 + 2 * per_pixel).fill_null(value=False)
    around = pl.when(pl.col("level") == NOT_ASSESSED).then(_STROKES).otherwise(_AROUND)
    fits = length + around * per_pixel <= pl.col("hours")
    return (
        known.sort("job", pl.col("level").replace_strict(place, return_dtype=pl.Int64))
        .with_columns(start=end - pl.col("hours"), end=end)
        .with_columns(middle=((pl.col("start") + pl.col("end")) / 2).round(4))
        .with_columns(
            figure=pl.when(fits & ~crossed).then(said).otherwise(pl.lit("")),
            dark=pl.col("level").is_in(["H1", "H2"]),
            paint=pl.col("level").map_elements(printable, return_dtype=pl.String),
        )
    )


def _bars(segments: pl.DataFrame, drawn: pl.DataFrame, y: alt.Y, levels: list[str]) -> list[alt.Chart]:
    scale = alt.Scale(domain=[0, _top(drawn)], nice=False)
    axis = alt.Axis(title="described hours per week", titleAnchor="start", tickCount=8)
    x = alt.X("start:Q", scale=scale, axis=axis)
    printed = [printable(level) or level for level in levels]
    told = ("job_id", "name", "start", "end", "hours", "tasks", "middle", "figure", "dark")
    base = alt.Chart(segments.rename({"n_known": "tasks"}).select(*told, level="paint"))
    bars = base.mark_bar(stroke=theme.OUTLINE, strokeWidth=1, size=_BAR).encode(
        x=x,
        x2=alt.X2("end:Q"),
        y=y,
        color=alt.Color("level:N", scale=theme.level_scale(printed), legend=theme.level_legend(printed)),
        tooltip=captions.tooltips(
            name=("N", "Job", None),
            level=("N", "AI impact level", None),
            hours=("Q", "Hours a week", ",.2f"),
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
    """Place the hatching of hours without a level, clear of their figure."""
    per_pixel = _top(drawn) / _WIDTH
    apart = per_pixel * max(1.0, drawn.height / _DENSE)
    places = [
        {"job_id": job, "at": at}
        for job, start, end, figure in segments.filter(level=NOT_ASSESSED)
        .select("job_id", "start", "end", "figure")
        .rows()
        for at in theme.strokes(start, end, apart)
        if not figure or abs(at - (start + end) / 2) > (len(figure) * _CHARACTER / 2 + _AROUND) * per_pixel
    ]
    return pl.DataFrame(places, schema={"job_id": pl.String, "at": pl.Float64})


def _left_out(found: FamilyJobs, privacy: Privacy | None) -> list[str]:
    if not found.left_out or privacy is None:
        return []
    few = f"those of fewer than {privacy.min_headcount:g} people, and those by which one of them could be worked out"
    return [f"{plural(found.left_out, 'job')} {'is' if found.left_out == 1 else 'are'} left out: {few}."]


def _rest(jobs: pl.DataFrame) -> list[str]:
    """Count the jobs that are not drawn because there are too many."""
    rest = jobs.slice(_BARS)
    if not rest.height:
        return []
    known = rest.get_column("hours").count()
    amount = f"with {hours(float(rest.get_column('hours').sum()))} a week" if known else "without hours"
    return [f"The {_BARS} jobs with most hours are drawn; {plural(rest.height, 'more job')} {amount} not."]


def _notes(jobs: pl.DataFrame, drawn: pl.DataFrame) -> list[str]:
    tasks = total(jobs, "tasks")
    if not tasks:
        return [captions.NO_TASK_COUNTS]
    timed, rated = (total(jobs, name) / tasks for name in ("tasks_with_hours", "tasks_with_level"))
    weeks = drawn.get_column("contract_hours").drop_nulls()
    line = "Contract hours are not given, so nothing says how much of a week is described."
    if weeks.len():
        each = hours(float(weeks[0])) if weeks.n_unique() == 1 else "each its own"
        without = (
            f"; of {plural(drawn.height - weeks.len(), 'job')} it is not known" if weeks.len() < drawn.height else ""
        )
        line = f"The upright line is the contract week, {each}{without}. What is missing to it is not described."
    known = captions.known_note({"hours": timed, "a level": rated}, of=plural(tasks, "task"))
    return [
        f"{known} {captions.MISSING_HOURS}",
        line,
        f"H1 is a share of the hours in the bar. {captions.JUDGED}",
        captions.grade_note("hours and a level"),
    ]


def _finding(name: str, impact: pl.DataFrame, found: FamilyJobs) -> str:
    """State how much of the family's hours is H1, and the range of its jobs; not for grade C."""
    jobs = found.jobs
    if not total(jobs, "tasks"):
        return f"{name}: no task is described"
    if not jobs.get_column("hours").count():
        return f"{name}: no hours are known of {plural(total(jobs, 'tasks'), 'task')}"
    if not jobs.get_column("hours").sum():
        return f"{name}: all hours that are known are zero"
    if impact.item(0, "data_grade") not in {"A", "B"}:
        return f"{name}: too little is known to say how much of its hours is highly automatable"
    h1 = impact.filter(level="H1").select("share", "share_low", "share_high").rows()
    share, low, high = h1[0] if h1 else (0.0, None, None)
    between = "" if low is None or high is None else f" ({percent(low)} to {percent(high)})"
    said = f"{name}: {percent(share)}{between} of described weekly hours are highly automatable"
    safe = jobs.filter(pl.col("data_grade").is_in(["A", "B"]) & pl.col("h1").is_not_null()).get_column("h1").sort()
    if safe.len() < 2:
        return said
    among = "single jobs" if safe.len() == jobs.height else f"the {safe.len()} jobs of which enough is known"
    if found.left_out:
        among = f"{safe.len()} of the {jobs.height} that may be shown"
        if safe.len() == jobs.height:
            among = f"the {plural(safe.len(), 'job')} that may be shown"
    return f"{said}, from {percent(safe[0])} to {percent(safe[-1])} in {among}"


def _description(title: str, name: str, drawn: pl.DataFrame, shown: str, levels: list[str], notes: list[str]) -> str:
    among = f" ({listed(printable(level) or level for level in levels)})" if levels else ""
    built = (
        f"Stacked bars of the described weekly hours of {shown} in {name} by AI impact level{among}, most hours first."
    )
    each = (
        f"{job} {hours(amount) if amount is not None else 'hours not known'}"
        + (f", {percent(h1)} H1" if h1 is not None else "")
        + (f", {plural(tasks - timed, 'task')} without hours" if timed < tasks else "")
        for job, amount, h1, tasks, timed in drawn.select("name", "hours", "h1", "tasks", "tasks_with_hours").rows()
    )
    return captions.alt_text(built, f"{title}. Jobs: {'; '.join(each)}.", " ".join(notes))
