"""One job on one page: its week, its tasks, what a scenario would leave of it, and where it stands (C20)."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, NamedTuple

import narwhals as nw
import polars as pl

from tpanalytics.charts._core import captions, frame, job_parts, theme
from tpanalytics.errors import SchemaError
from tpanalytics.formatting import hours, listed, percent, plural, printable
from tpanalytics.measures._core.aggregate import aggregate_tasks, checked_states, read_inputs
from tpanalytics.measures._core.cache import with_cache
from tpanalytics.measures._core.scenario import NOT_WHO_LEAVES, assumed, checked_freed, freed_per_job
from tpanalytics.measures.exposure import exposure as measure_exposure, exposure_by_job
from tpanalytics.measures.hours import hours_by_job
from tpanalytics.measures.impact import impact as measure_impact
from tpanalytics.measures.privacy.policy import USUAL
from tpanalytics.measures.privacy.suppress import hidden_families
from tpanalytics.schema import COUNTED_STATES, NO_FAMILY, NOT_ASSESSED, TaskProfiles, level_order, to_polars

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import altair as alt

    from tpanalytics.measures._core.scenario import Range
    from tpanalytics.measures.privacy.policy import Privacy

__all__ = ["plot_job"]

#: Of how many tasks the rationale is quoted.
_QUOTED = 3


class _Job(NamedTuple):
    """The job by itself, what the measures say of it, and its tasks, the longest first."""

    name: str
    family: str
    alone: TaskProfiles
    tasks: pl.DataFrame
    week: float | None
    hours: float | None
    h1: tuple[float | None, float | None, float | None]
    grade: str | None


def plot_job(
    profiles: TaskProfiles,
    job_id: str,
    *,
    rationales: bool = False,
    freed: Mapping[str, Range] | None = None,
    states: Sequence[str] = COUNTED_STATES,
    privacy: Privacy | None = USUAL,
) -> alt.LayerChart | alt.ConcatChart:
    """Draw one job on one page: its week, its tasks, and where it stands among the jobs of its family.

    The bar of the week has a block per task, as long as its hours and in the colour of its level; what the contract
    week holds besides is not described and hatched. Tasks without hours are listed and get no block. This chart names
    tasks, because that is what is asked.

    Parameters
    ----------
    profiles
        As for `hours_by_job`; ``task`` of `tasks` names a task, its ``task_id`` one that has no name.
    job_id
        The job.
    rationales
        Quote the rationales of the three longest tasks that have one; free text stays out unless you ask for it.
    freed
        Share of a task's time that is freed, 0 to 1, by level, a number or a pair (least, most), as for
        `capacity`: adds what would be left of the week. Nothing is assumed for you.
    states
        Validation states that count.
    privacy
        A job of fewer people than `Privacy.min_headcount` is refused, where its headcount is known: its sheet would be
        personal data. The other jobs of the family are shown if the family may be. None refuses and hides nothing.

    Returns
    -------
    alt.LayerChart or alt.ConcatChart
        Panels below each other, or without any job the chart that says so; restyle it as any Altair chart, write it
        with `save`.

    Raises
    ------
    SchemaError
        If there is no such job, it is one of too few people, a column is missing, or `freed` is not as above or does
        not name a level of the job.

    Warns
    -----
    TpAnalyticsWarning
        If tasks are in a state that is neither counted nor ``rejected``.

    Examples
    --------
    >>> from tpanalytics import load_sample
    >>> chart = plot_job(load_sample(), "job-0002", freed={"H1": (0.4, 0.7), "H2": 0.2, "H3": 0, "H4": 0})
    >>> chart.to_dict()["description"][:44]
    'Sheet of one job, Quotation Specialist: a ba'
    """
    profiles = with_cache(profiles)
    counted = checked_states(states)
    jobs, _ = read_inputs(profiles)
    if not jobs.height:
        return frame.no_jobs()
    _check(jobs, job_id, profiles, privacy)
    job = _job(profiles, jobs.filter(pl.col("job_id") == job_id), counted, rationales=rationales)
    shares = None if freed is None else checked_freed(freed)
    scenario = None if shares is None else freed_per_job(aggregate_tasks(job.alone, counted, checked=True), shares)
    peers, said_of_peers = _peers(profiles, job, job_id, counted, privacy)
    quotes = _quotes(job.tasks) if rationales else []
    levels = level_order(job.tasks.get_column("level").to_list())
    notes = _notes(job)
    if shares is not None:
        notes += [f"{assumed(shares)}. {NOT_WHO_LEAVES}"]
    panels = [
        job_parts.week(job.tasks, levels, job.week, scenario),
        *job_parts.task_list(job.tasks),
        *job_parts.peers(peers, said_of_peers),
        *job_parts.quotes(quotes),
        theme.footer_panel([*notes, *captions.source_line(profiles.manifest)]),
    ]
    week = f"contract week {hours(job.week)}" if job.week else "contract week not known"
    return theme.assemble_panels(
        panels,
        columns=1,
        title=_finding(job),
        subtitle=f"{job.family} · {week} · {plural(job.tasks.height, 'task')} · for one incumbent",
        description=_description(job, scenario, said_of_peers, quotes, notes),
    )


def _check(jobs: pl.DataFrame, job_id: str, profiles: TaskProfiles, privacy: Privacy | None) -> None:
    """Refuse a job that does not exist, and one of too few people."""
    found = jobs.filter(pl.col("job_id") == str(job_id))
    if not found.height:
        names = jobs.get_column("job_name").to_list() if "job_name" in jobs.columns else [None] * jobs.height
        by_name = {name: key for key, name in zip(jobs.get_column("job_id"), names, strict=True) if name}
        ids = jobs.get_column("job_id").to_list()
        near = difflib.get_close_matches(str(job_id), ids, n=3) + [
            f"{by_name[name]} ({name})" for name in difflib.get_close_matches(str(job_id), by_name, n=3)
        ]
        hint = f"did you mean {' or '.join(near)}?" if near else f"there are {jobs.height:,}, like {ids[0]}."
        raise SchemaError(f"job_id={job_id!r}: there is no such job; {hint}")
    if privacy is None or not privacy.min_headcount:
        return
    people = found.item(0, "headcount") if "headcount" in found.columns else None
    one = profiles.manifest.get("source", {}).get("kind") == "employees"
    if one or (people is not None and people < privacy.min_headcount):
        raise SchemaError(
            f"job_id={job_id!r}: fewer than {privacy.min_headcount:g} people are in this job, so a sheet of it would "
            "be personal data. Pass privacy=None if those who will see it may, or a Privacy with a lower limit."
        )


def _job(profiles: TaskProfiles, row: pl.DataFrame, states: list[str], *, rationales: bool) -> _Job:
    native = nw.from_native(profiles.tasks).lazy()
    there = native.collect_schema().names()
    texts = [name for name in ("task", "task_id", *(["ai_impact_rationale"] * rationales)) if name in there]
    needed = ["job_id", "validation_state", "weekly_hours", "ai_impact_level"]
    key = row.item(0, "job_id")
    own = to_polars(native.filter(nw.col("job_id") == key).select(*needed, *texts).to_native())
    own = own.with_columns(
        pl.col("weekly_hours").cast(pl.Float64).fill_nan(None), pl.exclude("weekly_hours").cast(pl.String)
    )
    alone = TaskProfiles(row.drop("job", "n_tasks", strict=False), own, profiles.manifest)
    whole = hours_by_job(alone, states=states).row(0, named=True)
    impact = measure_impact(alone, weight="hours", states=states)
    h1 = impact.filter(level="H1").select("share", "share_low", "share_high").rows()
    named = pl.coalesce(*(name for name in texts if name.startswith("task")), pl.lit("(unnamed task)"))
    why = "ai_impact_rationale" if "ai_impact_rationale" in own.columns else pl.lit(None, dtype=pl.String)
    tasks = (
        own.filter(pl.col("validation_state").is_in(states))
        .select(
            task=named.map_elements(printable, return_dtype=pl.String),
            hours="weekly_hours",
            level=pl.col("ai_impact_level").fill_null(NOT_ASSESSED),
            state="validation_state",
            why=why,
        )
        .sort(pl.col("hours").round(9), "task", descending=[True, False], nulls_last=True)
        .with_row_index("n", offset=1)
    )
    family = printable(row.item(0, "job_family")) or NO_FAMILY
    grade = impact.item(0, "data_grade") if impact.height else None
    contract = whole["contract_hours"] or None
    share = h1[0] if h1 else ((0.0, None, None) if impact.filter(pl.col("share") > 0).height else (None, None, None))
    return _Job(printable(whole["job_name"]) or key, family, alone, tasks, contract, whole["hours"], share, grade)


def _peers(
    profiles: TaskProfiles, job: _Job, job_id: str, states: list[str], privacy: Privacy | None
) -> tuple[pl.DataFrame, str]:
    """Return the exposure of the family's jobs, this one marked, if the family may be shown, and a sentence on them."""
    nobody = pl.DataFrame(schema={"exposure": pl.Float64, "own": pl.Boolean})
    everyone = exposure_by_job(profiles, states=states)
    own = everyone.filter(pl.col("job_id") == str(job_id))
    family, index = own.item(0, "job_family"), own.item(0, "exposure")
    if family == NO_FAMILY:
        return nobody, "This job has no family, so there are no jobs to set it beside."
    families = captions.released(measure_exposure, profiles, privacy, states=states)
    if family in hidden_families(families):
        return nobody, f"The other jobs of {job.family} are hidden to protect small groups of jobs or people."
    jobs = everyone.filter(pl.col("job_family") == family, pl.col("exposure").is_not_null())
    if index is None:
        said = "Its exposure is not known: no hours have a level that has a weight."
        return jobs.select(pl.col("exposure").round(3), own=pl.lit(value=False)), said
    if jobs.height < 2:
        return nobody, f"No other job of {job.family} has a known exposure."
    bounds = [own.item(0, end) for end in ("bound_low", "bound_high")]
    within = "" if None in bounds else f"{captions.index_range(*bounds)} whatever is not known, "
    above = jobs.filter(pl.col("exposure").round(9) > round(index, 9)).height
    low, middle, high = (float(jobs.get_column("exposure").quantile(q) or 0.0) for q in (0.0, 0.5, 1.0))
    said = (
        f"Exposure {captions.index_text(index)} ({within}grade {own.item(0, 'data_grade')}): {above} of "
        f"{jobs.height - 1} other jobs of its family lie higher; all run from {captions.index_range(low, high)}, "
        f"median {captions.index_text(middle)}."
    )
    marked = jobs.select(pl.col("exposure").round(3), own=pl.col("job_id") == str(job_id))
    return marked, said


def _quotes(tasks: pl.DataFrame) -> list[tuple[int, str]]:
    found = tasks.filter(pl.col("why").is_not_null() & (pl.col("why") != "")).head(_QUOTED)
    return [(n, printable(why) or "") for n, why in found.select("n", "why").rows()]


def _finding(job: _Job) -> str:
    """State how much of the described hours is H1; not for grade C."""
    share, low, high = job.h1
    if not job.tasks.height:
        return f"{job.name}: no task is described"
    if job.hours is None:
        return f"{job.name}: {plural(job.tasks.height, 'task')}, of none of which hours are known"
    if job.grade == "C" or share is None:
        return f"{job.name}: too little is known to say how much of the week is highly automatable"
    between = (
        "" if low is None or high is None or round(high - low, 3) == 0 else f" ({percent(low)} to {percent(high)})"
    )
    return f"{job.name}: {percent(share)}{between} of {hours(job.hours)} a week described are highly automatable"


def _notes(job: _Job) -> list[str]:
    n = job.tasks.height
    if not n:
        return ["No task of this job counts."]
    known = job.tasks.get_column("hours").count()
    rated = job.tasks.filter(pl.col("level") != NOT_ASSESSED).height
    valid = job.tasks.filter(state="validated").height
    note = captions.known_note({"hours": known, "a level": rated}, valid, of=plural(n, "task"))
    return [
        f"{note} {captions.MISSING_HOURS}",
        f"{captions.grade_note('hours and a level', job.grade)} {captions.JUDGED}",
    ]


def _description(
    job: _Job, scenario: pl.DataFrame | None, peers: str, quotes: list[tuple[int, str]], notes: list[str]
) -> str:
    built = (
        f"Sheet of one job, {job.name}: a bar of the week with a block for each task, coloured by AI impact level, the "
        f"list of its tasks, and a strip of the jobs of {job.family}."
    )
    rows = job.tasks.select("n", "task", "hours", "level", "state").rows()
    said = [
        f"{_finding(job)}.",
        f"The week now: {job_parts.said_of_week(job.tasks, job.week)}.",
        *([f"{job_parts.said_of_scenario(scenario)}."] if scenario is not None else []),
        *notes,
    ]
    if rows:
        tasks = (
            f"{n} {task}, {hours(h) if h is not None else 'hours not known'}, {printable(level)}, {printable(state)}"
            for n, task, h, level, state in rows[: job_parts.LISTED]
        )
        said.append(f"Tasks: {'; '.join(tasks)}.")
    shape = [peers, *(f"Rationale of task {n}: {why}" for n, why in quotes)]
    by_level = job.tasks.filter(pl.col("hours").is_not_null()).group_by("level").agg(pl.col("hours").sum())
    if by_level.height:
        amounts = dict(by_level.rows())
        split = (f"{printable(level)} {hours(amounts[level])}" for level in level_order(amounts))
        shape.insert(0, f"By level: {listed(split)}.")
    return captions.alt_text(built, " ".join(said), " ".join(shape))
