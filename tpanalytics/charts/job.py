"""One-page chart of a single job."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, NamedTuple

import narwhals as nw
import polars as pl

from tpanalytics.charts._core import captions, frame, job_parts, theme
from tpanalytics.errors import SchemaError
from tpanalytics.formatting import clean_text, hours, listed, percent, plural
from tpanalytics.measures._core.aggregate import aggregate_tasks, read_inputs
from tpanalytics.measures._core.cache import with_cache
from tpanalytics.measures._core.metadata import get_metadata
from tpanalytics.measures._core.scenario import CAPACITY_NOTE, assumed, checked_freed, freed_per_job
from tpanalytics.measures.exposure import exposure as measure_exposure
from tpanalytics.measures.hours import hours as measure_hours
from tpanalytics.measures.impact import impact as measure_impact
from tpanalytics.measures.privacy.policy import USUAL
from tpanalytics.measures.privacy.suppress_groups import suppressed_families
from tpanalytics.schema import NO_FAMILY, NO_STATE, NOT_ASSESSED, TaskProfiles, counted_states, level_order, to_polars

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import altair as alt

    from tpanalytics.measures._core.metadata import Meaning
    from tpanalytics.measures._core.scenario import Range
    from tpanalytics.measures.privacy.policy import Privacy

__all__ = ["plot_job"]

#: Maximum number of rationales to quote.
_QUOTED = 3


class _Job(NamedTuple):
    """A job with its profile, measures, and tasks sorted by hours."""

    name: str
    family: str
    profile: TaskProfiles
    tasks: pl.DataFrame
    week: float | None
    hours: float | None
    h1: tuple[float | None, float | None, float | None]
    grade: str | None
    meaning: Meaning | None


def plot_job(
    profiles: TaskProfiles,
    job_id: str,
    *,
    rationales: bool = False,
    freed: Mapping[str, Range] | None = None,
    states: Sequence[str] | None = None,
    privacy: Privacy | None = USUAL,
) -> alt.LayerChart | alt.ConcatChart:
    """Draw a job's week and tasks, and compare its exposure with the rest of the family.

    The week is drawn as a bar with one block per task, sized by hours and coloured by level. Contract hours not
    covered by any task are hatched. Tasks with missing hours are listed, but have no block. The chart contains task
    names.

    Parameters
    ----------
    profiles
        Task profiles with the columns read by `hours`. Tasks are labelled with ``task`` from `tasks`, or
        with ``task_id`` if null.
    job_id
        Job ID.
    rationales
        If True, quote the rationales of the three longest tasks that have one.
    freed
        Share of task time freed, 0 to 1, by level: a number or a pair (low, high). See `capacity`. A second bar
        shows the remaining week. If None, no scenario is drawn.
    states
        Validation states to include. None means ``profiles.manifest["states"]``, or validated and suggested.
    privacy
        Thresholds for suppressing small groups. If the job's headcount (or FTE if people are unknown) is below
        `Privacy.min_headcount`, an error is raised, since the chart would be personal data. The other jobs in the
        family are only drawn if the family is not suppressed. If None, nothing is suppressed.

    Returns
    -------
    alt.LayerChart or alt.ConcatChart
        An Altair chart that you can customize or pass to `save`. It has a single layer if there are no jobs.

    Raises
    ------
    SchemaError
        If the job does not exist or has too few people, a required column is missing, or `freed` is invalid or lacks
        one of the job's levels.

    Warns
    -----
    TpAnalyticsWarning
        If tasks in an unknown validation state are excluded.

    Examples
    --------
    >>> from tpanalytics import load_sample
    >>> chart = plot_job(load_sample(), "job-0002", freed={"H1": (0.4, 0.7), "H2": 0.2, "H3": 0, "H4": 0})
    >>> chart.to_dict()["description"][:44]
    'Single job, Quotation Specialist: a bar of t'
    """
    profiles = with_cache(profiles)
    counted = counted_states(states, profiles)
    jobs = read_inputs(profiles).jobs
    if not jobs.height:
        return frame.no_jobs()
    _check(jobs, job_id, profiles, privacy)
    job = _job(profiles, jobs.filter(pl.col("job_id") == job_id), counted, rationales=rationales)
    shares = None if freed is None else checked_freed(freed)
    scenario = None if shares is None else freed_per_job(aggregate_tasks(job.profile, counted, checked=True), shares)
    peers, peer_note = _peers(profiles, job, job_id, counted, privacy)
    quotes = _quotes(job.tasks) if rationales else []
    levels = level_order(job.tasks.get_column("level").to_list())
    notes = _footnotes(job)
    if shares is not None:
        notes += [f"{assumed(shares)}. {CAPACITY_NOTE}"]
    panels = [
        job_parts.week(job.tasks, levels, job.week, scenario),
        *job_parts.task_list(job.tasks),
        *job_parts.peers(peers, peer_note),
        *job_parts.quotes(quotes),
        theme.footer_panel([*notes, *captions.source_line(profiles.manifest)]),
    ]
    week = f"contract week {hours(job.week)}" if job.week else "contract week unknown"
    return theme.assemble_panels(
        panels,
        columns=1,
        title=_headline(job),
        subtitle=f"{job.family} · {week} · {plural(job.tasks.height, 'task')} · for one incumbent",
        description=_description(job, scenario, peer_note, quotes, notes),
    )


def _check(jobs: pl.DataFrame, job_id: str, profiles: TaskProfiles, privacy: Privacy | None) -> None:
    """Raise an error if the job does not exist or has too few people."""
    row = jobs.filter(pl.col("job_id") == str(job_id))
    if not row.height:
        names = jobs.get_column("job_name").to_list() if "job_name" in jobs.columns else [None] * jobs.height
        by_name = {name: key for key, name in zip(jobs.get_column("job_id"), names, strict=True) if name}
        ids = jobs.get_column("job_id").to_list()
        similar = [repr(key) for key in difflib.get_close_matches(str(job_id), ids, n=3)] + [
            f"{by_name[name]!r} ({name})" for name in difflib.get_close_matches(str(job_id), by_name, n=3)
        ]
        hint = (
            f"did you mean {' or '.join(similar)}?" if similar else f"there are {jobs.height:,} jobs, like {ids[0]!r}"
        )
        raise SchemaError(f"`job_id`: {job_id!r} is not a job ({hint}).")
    if privacy is None or not privacy.min_headcount:
        return
    counts = {"people": "headcount", "full-time equivalents": "fte"}
    known = {what: row.item(0, name) for what, name in counts.items() if name in row.columns}
    what, count = next(((what, n) for what, n in known.items() if n is not None), ("people", None))
    employees = profiles.manifest.get("source", {}).get("kind") == "employees"
    if employees or (count is not None and count < privacy.min_headcount):
        raise SchemaError(
            f"`job_id`: {job_id!r} has fewer than {privacy.min_headcount:g} {what}, so its chart would be personal "
            "data. Pass privacy=None if the audience may see it, or a Privacy with a lower limit."
        )


def _job(profiles: TaskProfiles, row: pl.DataFrame, states: list[str], *, rationales: bool) -> _Job:
    native = nw.from_native(profiles.tasks).lazy()
    columns = native.collect_schema().names()
    texts = [name for name in ("task", "task_id", *(["ai_impact_rationale"] * rationales)) if name in columns]
    needed = ["job_id", "validation_state", "weekly_hours", "ai_impact_level"]
    key = row.item(0, "job_id")
    own = to_polars(native.filter(nw.col("job_id") == key).select(*needed, *texts).to_native())
    own = own.with_columns(
        pl.col("weekly_hours").cast(pl.Float64).fill_nan(None), pl.exclude("weekly_hours").cast(pl.String)
    )
    profile = TaskProfiles(row.drop("job", "n_tasks", strict=False), own, profiles.manifest)
    totals = measure_hours(profile, by="job_id", states=states).row(0, named=True)
    impact = measure_impact(profile, weight="hours", states=states)
    h1 = impact.filter(ai_impact_level="H1").select("share", "share_low", "share_high").rows()
    name = pl.coalesce(*(name for name in texts if name.startswith("task")), pl.lit("(unnamed task)"))
    rationale = "ai_impact_rationale" if "ai_impact_rationale" in own.columns else pl.lit(None, dtype=pl.String)
    tasks = (
        own.filter(pl.col("validation_state").fill_null(NO_STATE).is_in(states))
        .select(
            task=name.map_elements(clean_text, return_dtype=pl.String),
            hours="weekly_hours",
            level=pl.col("ai_impact_level").fill_null(NOT_ASSESSED),
            state=pl.col("validation_state").fill_null(NO_STATE),
            rationale=rationale,
        )
        .sort(pl.col("hours").round(9), "task", descending=[True, False], nulls_last=True)
        .with_row_index("n", offset=1)
    )
    family = clean_text(row.item(0, "job_family")) or NO_FAMILY
    grade = impact.item(0, "data_grade") if impact.height else None
    contract = totals["contract_hours"] or None
    share = h1[0] if h1 else ((0.0, None, None) if impact.filter(pl.col("share") > 0).height else (None, None, None))
    return _Job(
        clean_text(totals["job_name"]) or key,
        family,
        profile,
        tasks,
        contract,
        totals["hours"],
        share,
        grade,
        get_metadata(impact),
    )


def _peers(
    profiles: TaskProfiles, job: _Job, job_id: str, states: list[str], privacy: Privacy | None
) -> tuple[pl.DataFrame, str]:
    """Return the exposure of every job in the family, with this one flagged, and a sentence to print above."""
    no_peers = pl.DataFrame(schema={"exposure": pl.Float64, "own": pl.Boolean})
    exposure = measure_exposure(profiles, by=["job_family", "job_id"], states=states)
    own = exposure.filter(pl.col("job_id") == str(job_id))
    family, index = own.item(0, "job_family"), own.item(0, "exposure")
    if family == NO_FAMILY:
        return no_peers, "This job has no family to compare it with."
    families = captions.released(measure_exposure, profiles, privacy, states=states)
    if family in suppressed_families(families):
        return no_peers, f"The other jobs in {job.family} are suppressed (small group)."
    jobs = exposure.filter(pl.col("job_family") == family, pl.col("exposure").is_not_null())
    if index is None:
        note = "Exposure is unknown because no hours have a weighted level."
        return jobs.select(pl.col("exposure").round(3), own=pl.lit(value=False)), note
    if jobs.height < 2:
        return no_peers, f"No other job in {job.family} has a known exposure."
    ends = [own.item(0, end) for end in ("bound_low", "bound_high")]
    bounds = "" if None in ends else f"bounds {captions.index_range(*ends)}, "
    above = jobs.filter(pl.col("exposure").round(9) > round(index, 9)).height
    low, median, high = (float(jobs.get_column("exposure").quantile(q) or 0.0) for q in (0.0, 0.5, 1.0))
    note = (
        f"Exposure {captions.index_text(index)} ({bounds}grade {own.item(0, 'data_grade')}), exceeded by {above} of "
        f"{plural(jobs.height - 1, 'other job')} in the family. Range of the family: "
        f"{captions.index_range(low, high)}, median {captions.index_text(median)}."
    )
    return jobs.select(pl.col("exposure").round(3), own=pl.col("job_id") == str(job_id)), note


def _quotes(tasks: pl.DataFrame) -> list[tuple[int, str]]:
    quoted = tasks.filter(pl.col("rationale").is_not_null() & (pl.col("rationale") != "")).head(_QUOTED)
    return [(n, clean_text(rationale) or "") for n, rationale in quoted.select("n", "rationale").rows()]


def _headline(job: _Job) -> str:
    """Return a headline with the H1 share of documented hours, unless the job is grade C."""
    share, low, high = job.h1
    if not job.tasks.height:
        return f"{job.name}: no tasks"
    if job.hours is None:
        return f"{job.name}: {plural(job.tasks.height, 'task')} without documented hours"
    if job.grade == "C" or share is None:
        return f"{job.name}: there is not enough data to say how much of the week is highly automatable"
    bounds = "" if low is None or high is None or round(high - low, 3) == 0 else f" ({percent(low)} to {percent(high)})"
    documented = hours(job.hours).removesuffix("\u00a0h")
    return f"{job.name}: {percent(share)}{bounds} of {documented} documented hours per week are highly automatable"


def _footnotes(job: _Job) -> list[str]:
    n = job.tasks.height
    if not n:
        return ["This job has no tasks to count."]
    with_hours = job.tasks.get_column("hours").count()
    with_level = job.tasks.filter(pl.col("level") != NOT_ASSESSED).height
    validated = job.tasks.filter(state="validated").height
    note = captions.coverage_note(
        {"hours": with_hours, "a level": with_level}, validated, meaning=job.meaning, of=plural(n, "task")
    )
    return [
        f"{note} {captions.MISSING_HOURS}",
        f"{captions.grade_note('hours and a level', job.grade)} {captions.LEVELS_NOTE}",
    ]


def _description(
    job: _Job, scenario: pl.DataFrame | None, peer_note: str, quotes: list[tuple[int, str]], notes: list[str]
) -> str:
    summary = (
        f"Single job, {job.name}: a bar of the week with one block per task, coloured by AI impact level, a list of "
        f"the tasks, and a strip of the jobs in {job.family}."
    )
    rows = job.tasks.select("n", "task", "hours", "level", "state").rows()
    numbers = [
        f"{_headline(job)}.",
        f"Current week: {job_parts.week_note(job.tasks, job.week)}.",
        *([f"{job_parts.scenario_note(scenario)}."] if scenario is not None else []),
        *notes,
    ]
    if rows:
        tasks = (
            f"{n} {task}, {hours(h) if h is not None else 'unknown hours'}, {clean_text(level)}, {clean_text(state)}"
            for n, task, h, level, state in rows[: job_parts.LISTED]
        )
        numbers.append(f"Tasks: {'; '.join(tasks)}.")
    shape = [peer_note, *(f"Rationale of task {n}: {rationale}" for n, rationale in quotes)]
    by_level = job.tasks.filter(pl.col("hours").is_not_null()).group_by("level").agg(pl.col("hours").sum())
    if by_level.height:
        amounts = dict(by_level.rows())
        texts = (f"{clean_text(level)} {hours(amounts[level])}" for level in level_order(amounts))
        shape.insert(0, f"By level: {listed(texts)}.")
    return captions.alt_text(summary, " ".join(numbers), " ".join(shape))
