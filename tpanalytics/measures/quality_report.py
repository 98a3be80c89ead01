"""What is wrong, missing or odd in task profiles, in one table to read before anything is quoted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import narwhals as nw
import polars as pl

from tpanalytics.measures._core.aggregate import TaskCounts, of_jobs, per_job, read_inputs, sum_tasks
from tpanalytics.measures._core.agreement import checks_of_keys
from tpanalytics.measures._core.cache import cached
from tpanalytics.measures._core.metadata import attach_metadata, meaning_of
from tpanalytics.measures._core.quality_checks import Check, Look, checks_of_jobs, checks_of_tasks, found, unknown
from tpanalytics.measures._core.task_identity import aggregate_by_identity
from tpanalytics.measures.coverage import evidence_by_job
from tpanalytics.schema import COUNTED_STATES, provenance

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
    "affected": pl.UInt64(),  # pairs of jobs may be more than 32 bits hold
    "of": pl.UInt64(),
    "counted": pl.String(),
    "unit": pl.String(),
    "share_hours": pl.Float64(),
    "examples": pl.List(pl.String()),
    "reason": pl.String(),
}


@cached
def quality_report(
    profiles: TaskProfiles, *, states: Sequence[str] = COUNTED_STATES, same_task: SameTask = "id"
) -> pl.DataFrame:
    """List what is missing, contradictory or odd, worst first, each with how much of the known hours it touches.

    Nothing is corrected: a missing hour stays not known and a repeated task stays there twice. A check that cannot be
    made, because what it needs was not asked for say, has a null figure and a reason, not a clean bill.

    Parameters
    ----------
    profiles
        Reads ``job_id, job_family`` and where present ``job_name``, ``headcount`` (full-time equivalents),
        ``contract_hours`` (hours per week) of `jobs`; ``job_id, task_id, task, ai_impact_level, validation_state,
        weekly_hours`` (hours per week) and where it is a list ``source_data`` of `tasks`; manifest and rejects.
    states
        Validation states that count.
    same_task
        By what two tasks are the same: their ``"id"``, or where every job has ids of its own their ``"text"``, without
        case and spacing. Texts that are only alike are different tasks.

    Returns
    -------
    pl.DataFrame
        One row per check, whatever the data are; by severity, then by ``share_hours`` with those first that touch
        hours nobody knows, ties by name. Checks that could not be made are the last notes.

        ===============  ============  ======================================================================
        ``check``        String        what was looked at
        ``severity``     String        ``error``, ``warning``, ``note`` or ``ok``. A share of those affected of up to
                                       10 % is a note, up to 30 % a warning, above it an error, as grades A, B, C
                                       go; some checks are never as bad as that, or always worse
        ``finding``      String        what was found, in a sentence with its numbers
        ``value``        Float64       the figure; null where it cannot be said
        ``affected``     UInt64        how many it concerns; null with ``value``
        ``of``           UInt64        of how many; null where it cannot be said
        ``counted``      String        what these two count
        ``unit``         String        unit of ``value``
        ``share_hours``  Float64       share of all known hours that lie in what is affected, 0 to 1; null where it is
                                       not known
        ``examples``     List(String)  the first 5 of those affected: ids of jobs, also for tasks; names of families and
                                       groups; ids, or texts, of tasks where tasks are compared across jobs
        ``reason``       String        why ``value`` is null
        ===============  ============  ======================================================================

        The checks of tasks: ``hours_missing, levels_missing, hours_and_levels_missing, levels_unknown, not_validated,
        rejected, states_not_counted, zero_hours, tasks_over_contract, evidence_missing, missing_hours_uneven,
        identity_missing``. Of jobs: ``jobs_without_tasks, jobs_incomplete, weeks_over_described,
        weeks_under_described, headcount_missing, contract_hours_missing, jobs_without_name, jobs_without_family,
        families_without_tasks``. Of tasks in jobs: ``repeated_tasks, repeated_hours, levels_in_conflict,
        rated_differently, level_agreement, level_alpha``. Of the export: ``records_left_out, export_complete``.

    Raises
    ------
    SchemaError
        If a column is missing, the job of a task is not in `jobs`, hours are negative or infinite, or `states` or
        `same_task` cannot be.

    Warns
    -----
    TpAnalyticsWarning
        If tasks are in a state that is neither counted nor ``rejected``.

    Notes
    -----
    ``level_alpha`` is Krippendorff's alpha for ordered levels (Krippendorff 2011), with his marks 0.8 and 0.667; its
    formula stands at `agreement.ordinal_alpha`. Both it and ``level_agreement`` need 20
    tasks that are rated in two jobs. The same task may rightly have another level in another job; these two say how
    often it has.

    Examples
    --------
    >>> from tpanalytics import load_sample
    >>> report = quality_report(load_sample())
    >>> report.filter(check="hours_missing").item(0, "finding")
    '760 of 5,516 tasks (13.8%) have no hours. Missing hours are excluded, not counted as zero.'
    """
    shared = aggregate_by_identity(profiles, states, same_task=same_task)
    jobs, tasks = read_inputs(profiles)
    sums = sum_tasks(tasks, "job_id", "level", "state").drop("least", "most")
    counts = pl.col("state").is_in(list(states))
    by_state = sums.group_by("state").agg(pl.col("n").sum()).sort("state")
    cells = of_jobs(sums.filter(counts), jobs).sort("job", "level", "state")
    reduced = TaskCounts(jobs.drop("n_tasks", strict=False), cells, by_state.filter(counts), list(states))
    look = Look(per_job(reduced), cells, _odd(tasks, jobs, counts), evidence_by_job(tasks, jobs, counts))
    checks = [
        *checks_of_tasks(look),
        *checks_of_jobs(look),
        *_states(sums, list(states), profiles.manifest),
        *checks_of_keys(shared, look, same_task),
        *_export(profiles),
    ]
    result = pl.DataFrame(checks, schema=_COLUMNS, orient="row")
    order = pl.col("severity").replace_strict({"error": 0, "warning": 1, "note": 2, "ok": 3}, return_dtype=pl.Int8)
    result = result.sort(order, pl.col("value").is_null(), -pl.col("share_hours").round(9).fill_null(2.0), "check")
    worst = result.filter(pl.col("severity") == "error").get_column("check").to_list()
    return attach_metadata(
        result,
        meaning_of(
            reduced,
            measure="quality_report",
            value="share of those looked at that are affected, unless the unit says otherwise",
            unit="as each row says",
            basis="task",
            policy=(
                f"Two tasks are the same by their {same_task}; texts that are only alike are different tasks.",
                "Nothing was corrected, and repeated tasks were left where they are.",
            ),
            warnings=(f"Read first: {', '.join(worst)}.",) if worst else (),
        ),
    )


def _odd(tasks: Any, jobs: pl.DataFrame, counts: pl.Expr) -> pl.DataFrame:
    """Count tasks of no hours, and of more hours than the shortest contract, by job and length; on the engine."""
    hours = nw.col("weekly_hours").cast(nw.Float64)
    wanted = hours == 0
    shortest = jobs.get_column("contract_hours").min() if "contract_hours" in jobs.columns else None
    if isinstance(shortest, float):
        wanted |= hours > shortest
    odd = sum_tasks(tasks.filter(wanted).with_columns(length=hours), "job_id", "length", "state")
    return of_jobs(odd.filter(counts, pl.col("least").is_not_null()), jobs).select("job", "n", length="least")


def _states(sums: pl.DataFrame, states: list[str], manifest: dict[str, Any]) -> Iterator[Check]:
    """Look at the tasks that do not count: rejected ones (M7), and those in states nobody asked for."""
    state, n = pl.col("state"), pl.col("n")
    rejected = sums.filter(state == "rejected")
    settled = int(sums.filter(state.is_in(["rejected", "validated"])).select(n.sum()).item())
    asked = "rejected_tasks" in (manifest.get("request", {}).get("include") or ())
    if rejected.is_empty() and not asked:
        yield unknown(
            "rejected",
            "NOT_REQUESTED",
            "How many suggestions were rejected is not known: there is no rejected task; ask for "
            "include=['rejected_tasks'] when loading.",
        )
    else:
        yield found(
            "rejected",
            "{n} that were decided on {are} rejected",
            int(rejected.get_column("n").sum()),
            settled,
            "tasks",
            cap="warning",
            so="; they count nowhere else",
            share_hours=0.0,
            examples=rejected.get_column("job_id").unique().sort().head(5).to_list(),
        )
    others = sums.filter(~state.is_in([*COUNTED_STATES, "rejected", *states]))
    named = ", ".join(f"{name!r} {count:,}" for name, count in others.group_by(state).agg(n.sum()).sort(state).rows())
    yield found(
        "states_not_counted",
        "{n} {are} in a state that is neither counted nor rejected",
        int(others.get_column("n").sum()),
        int(sums.filter(state != "rejected").select(n.sum()).item()),
        "tasks",
        floor="warning",
        so=f": {named}",
        examples=others.get_column("job_id").unique().sort().head(5).to_list(),
    )


def _export(profiles: TaskProfiles) -> Iterator[Check]:
    """Look at what came before the tables: records left out, and whether all is there."""
    manifest, lost = profiles.manifest, profiles.rejects
    kept = pl.col("job_id").drop_nulls().unique().sort().head(5)
    jobs = manifest.get("jobs")
    seen = lost.height + jobs if isinstance(jobs, int) else None
    yield Check(
        "records_left_out",
        "error" if lost.height else "ok",
        f"{lost.height:,} records were left out because they are not as documented; see profiles.rejects."
        if lost.height
        else "No record was left out.",
        float(lost.height),
        lost.height,
        seen,
        "records",
        "records",
        None if lost.height else 0.0,
        examples=lost.select(kept).get_column("job_id").to_list(),
    )
    whole = manifest.get("complete")
    if whole is None:
        yield unknown(
            "export_complete", "NOT_RECORDED", "Whether the export is complete is not recorded.", None, "exports"
        )
    else:
        yield Check(
            "export_complete",
            "ok" if whole else "error",
            f"Loaded: {provenance(manifest)}",
            float(whole),
            int(not whole),
            1,
            "exports",
            "1 if complete, else 0",
            0.0 if whole else None,
        )
