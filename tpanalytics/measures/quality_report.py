"""Data quality report for task profiles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import narwhals as nw
import polars as pl

from tpanalytics.formatting import is_table
from tpanalytics.measures._core.aggregate import TaskCounts, group_jobs, of_jobs, per_job, read_inputs, sum_tasks
from tpanalytics.measures._core.agreement import checks_of_keys
from tpanalytics.measures._core.cache import cached
from tpanalytics.measures._core.metadata import attach_metadata, meaning_of
from tpanalytics.measures._core.quality_checks import Check, Look, checks_of_jobs, checks_of_tasks, found, unknown
from tpanalytics.measures._core.task_identity import aggregate_by_identity
from tpanalytics.measures.coverage import sources_by_job
from tpanalytics.schema import COUNTED_STATES, counted_states, provenance

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tpanalytics.schema import TaskProfiles
    from tpanalytics.typing import SameTask

__all__ = ["quality_report"]

_COLUMNS = {
    "check": pl.String(),
    "severity": pl.String(),
    "finding": pl.String(),
    "value": pl.Float64(),
    "affected": pl.UInt64(),  # the number of job pairs may not fit into 32 bits
    "of": pl.UInt64(),
    "counted": pl.String(),
    "unit": pl.String(),
    "share_hours": pl.Float64(),
    "examples": pl.List(pl.String()),
    "reason": pl.String(),
}


@cached
def quality_report(
    profiles: TaskProfiles, *, states: Sequence[str] | None = None, same_task: SameTask = "id"
) -> pl.DataFrame:
    """Check the profiles for missing, contradictory and implausible data.

    The report does not correct anything, so missing hours stay null and repeated tasks are kept. If a check cannot be
    performed because data is missing, its ``value`` is null and the cause is listed in ``reason``.

    Parameters
    ----------
    profiles
        Task profiles. Uses ``job_id, job_family`` and, if present, ``job_name``, ``headcount`` (people)
        and ``contract_hours`` (hours per week) from `jobs`; ``job_id, task_id, task, ai_impact_level, validation_state,
        weekly_hours`` (hours per week) and, if it is a list, ``source_data`` from `tasks`. The manifest and the rejects
        are also checked.
    states
        Validation states to include. None means ``profiles.manifest["states"]``, or validated and suggested.
    same_task
        Match tasks by ``"id"``, or by ``"text"`` ignoring case and whitespace. Use ``"text"`` if task ids are not
        shared between jobs.

    Returns
    -------
    pl.DataFrame
        One row per check. Rows are sorted by severity, then by ``share_hours`` in descending order (nulls first), and
        then by name. Notes without a ``value`` are listed after all other notes.

        ===============  ============  ======================================================================
        ``check``        String        name of the check, from the list below
        ``severity``     String        ``error`` (more than 30% affected), ``warning`` (more than 10%), ``note`` or
                                       ``ok`` (none); some checks have a minimum or maximum severity
        ``finding``      String        result as a sentence
        ``value``        Float64       result as a number; null if the check cannot be performed
        ``affected``     UInt64        number affected; null if ``value`` is
        ``of``           UInt64        number checked; may be null if ``value`` is
        ``counted``      String        what ``affected`` and ``of`` count
        ``unit``         String        unit of ``value``
        ``share_hours``  Float64       share of all known hours that is affected, 0 to 1; null if unknown
        ``examples``     List(String)  first 5 affected: ids of jobs (also for tasks), names of families and groups, or
                                       ids or texts of tasks if tasks are compared across jobs
        ``reason``       String        why ``value`` is null
        ===============  ============  ======================================================================

        The checks for tasks are ``hours_missing, levels_missing, hours_and_levels_missing, levels_unknown,
        not_validated, rejected, states_not_counted, zero_hours, tasks_over_contract, evidence_missing,
        missing_hours_uneven, identity_missing``. The checks for jobs are ``jobs_without_tasks, jobs_incomplete,
        weeks_over_described, weeks_under_described, headcount_missing, contract_hours_missing, jobs_without_name,
        jobs_without_family, families_without_tasks``. The checks for repeated and shared tasks are ``repeated_tasks,
        repeated_hours, levels_in_conflict, rated_differently, level_agreement, level_alpha``. The checks for the export
        are ``records_left_out, export_complete``.

    Raises
    ------
    SchemaError
        If a required column is missing, a task belongs to a job that is not in `jobs`, or hours are negative or
        infinite.
    ArgumentError
        If an argument is invalid.

    Warns
    -----
    TpAnalyticsWarning
        If tasks with an unrecognised validation state are ignored.

    Notes
    -----
    ``level_alpha`` is Krippendorff's alpha for ordinal data (Krippendorff, 2011), with his suggested thresholds of 0.8
    and 0.667. Both ``level_alpha`` and ``level_agreement`` require 20 tasks rated in at least two jobs. There can be
    good reasons to rate a task differently in different jobs.

    Examples
    --------
    >>> from tpanalytics import load_sample
    >>> report = quality_report(load_sample())
    >>> report.filter(check="hours_missing").item(0, "finding")
    '760 of 5,516 tasks (13.8%) have no hours. Missing hours are excluded, not counted as zero.'
    """
    states = counted_states(states, profiles)
    identified = aggregate_by_identity(profiles, states, same_task=same_task)
    inputs = read_inputs(profiles)
    tasks, columns = inputs.tasks, inputs.columns
    jobs, groups = group_jobs(inputs.jobs, columns)
    sums = sum_tasks(tasks, "job_id", "level", "state").drop("least", "most")
    counts = pl.col("state").is_in(states)
    by_state = sums.group_by("state").agg(pl.col("n").sum()).sort("state")
    cells = of_jobs(sums.filter(counts), jobs).sort("job", "level", "state")
    reduced = TaskCounts(jobs.drop("n_tasks", strict=False), cells, by_state.filter(counts), states, groups)
    look = Look(
        per_job(reduced),
        cells,
        _suspicious(tasks, jobs, counts),
        sources_by_job(tasks, jobs, counts),
        is_table(profiles.manifest),
    )
    checks = [
        *checks_of_tasks(look),
        *checks_of_jobs(look),
        *_states(sums, states, profiles.manifest),
        *checks_of_keys(identified, look, same_task),
        *_export(profiles),
    ]
    result = pl.DataFrame(checks, schema=_COLUMNS, orient="row")
    order = pl.col("severity").replace_strict({"error": 0, "warning": 1, "note": 2, "ok": 3}, return_dtype=pl.Int8)
    result = result.sort(order, pl.col("value").is_null(), -pl.col("share_hours").round(9).fill_null(2.0), "check")
    errors = result.filter(pl.col("severity") == "error").get_column("check").to_list()
    return attach_metadata(
        result,
        meaning_of(
            reduced,
            measure="quality_report",
            value="share of the items checked that are affected, unless the unit differs",
            unit="varies by check",
            basis="task",
            policy=(
                f"Tasks are matched by {same_task}. Similar texts do not match.",
                "Nothing was corrected, and repeated tasks were kept.",
            ),
            warnings=(f"Read first: {', '.join(errors)}.",) if errors else (),
        ),
    )


def _suspicious(tasks: Any, jobs: pl.DataFrame, counts: pl.Expr) -> pl.DataFrame:
    """Count each job's tasks with 0 hours or with more hours than the shortest contract week."""
    hours = nw.col("weekly_hours").cast(nw.Float64)
    is_suspicious = hours == 0
    shortest_week = jobs.get_column("contract_hours").min() if "contract_hours" in jobs.columns else None
    if isinstance(shortest_week, float):
        is_suspicious |= hours > shortest_week
    sums = sum_tasks(tasks.filter(is_suspicious).with_columns(length=hours), "job_id", "length", "state")
    return of_jobs(sums.filter(counts, pl.col("least").is_not_null()), jobs).select("job", "n", length="least")


def _states(sums: pl.DataFrame, states: list[str], manifest: dict[str, Any]) -> Iterator[Check]:
    """Check for rejected tasks and for tasks in unknown states."""
    state, n = pl.col("state"), pl.col("n")
    rejected = sums.filter(state == "rejected")
    reviewed = int(sums.filter(state.is_in(["rejected", "validated"])).select(n.sum()).item())
    requested = "rejected_tasks" in (manifest.get("request", {}).get("include") or ())
    if rejected.is_empty() and not requested:
        reason, advice = "NOT_REQUESTED", "were not loaded. Pass include=['rejected_tasks'] when loading."
        if is_table(manifest):
            reason, advice = "NOT_RECORDED", "are not in the table."
        yield unknown("rejected", reason, f"The share of rejected tasks is unknown, because rejected tasks {advice}")
    else:
        yield found(
            "rejected",
            "{n} that were reviewed {are} rejected",
            int(rejected.get_column("n").sum()),
            reviewed,
            "tasks",
            cap="warning",
            so="; all other figures exclude them",
            share_hours=0.0,
            examples=rejected.get_column("job_id").unique().sort().head(5).to_list(),
        )
    others = sums.filter(~state.is_in([*COUNTED_STATES, "rejected", *states]))
    counts = ", ".join(f"{name!r} {count:,}" for name, count in others.group_by(state).agg(n.sum()).sort(state).rows())
    yield found(
        "states_not_counted",
        "{n} {are} in a state that is neither counted nor rejected",
        int(others.get_column("n").sum()),
        int(sums.filter(state != "rejected").select(n.sum()).item()),
        "tasks",
        floor="warning",
        so=f": {counts}",
        examples=others.get_column("job_id").unique().sort().head(5).to_list(),
    )


def _export(profiles: TaskProfiles) -> Iterator[Check]:
    """Check if any records were skipped and if the export is complete."""
    manifest, rejects = profiles.manifest, profiles.rejects
    example_ids = pl.col("job_id").drop_nulls().unique().sort().head(5)
    jobs = manifest.get("jobs")
    yield Check(
        "records_left_out",
        "error" if rejects.height else "ok",
        f"{rejects.height:,} invalid records were skipped; see profiles.rejects."
        if rejects.height
        else "No records were skipped.",
        float(rejects.height),
        rejects.height,
        rejects.height + jobs if isinstance(jobs, int) else None,
        "records",
        "records",
        None if rejects.height else 0.0,
        examples=rejects.select(example_ids).get_column("job_id").to_list(),
    )
    complete = manifest.get("complete")
    if complete is None:
        yield unknown(
            "export_complete", "NOT_RECORDED", "It is unknown whether the export is complete.", None, "exports"
        )
    else:
        yield Check(
            "export_complete",
            "ok" if complete else "error",
            f"Loaded: {provenance(manifest)}",
            float(complete),
            int(not complete),
            1,
            "exports",
            "1 if complete, else 0",
            0.0 if complete else None,
        )
