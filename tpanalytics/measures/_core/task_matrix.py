"""What the measures of this room start from: which job does which task, with one level or none."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import polars as pl

from tpanalytics.measures._core.aggregate import TaskCounts, known_sum
from tpanalytics.measures._core.checks import checked_week
from tpanalytics.measures._core.task_identity import reduce_keys
from tpanalytics.schema import KNOWN_LEVELS, NO_FAMILY, NOT_ASSESSED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tpanalytics.measures._core.task_identity import SameTask
    from tpanalytics.schema import TaskProfiles

__all__ = ["DIGITS", "Work", "agreement", "families_in_order", "of_keys", "rest_of_week", "work_of"]

#: Hours that differ by less are a tie: sums of the same numbers in another order may.
DIGITS = 9


class Work(NamedTuple):
    """Tasks by identity and job.

    Attributes
    ----------
    reduced
        All that was counted, for `metadata.meaning_of`.
    keys
        ``key, name, task`` as in `task_identity.Shared`, without those that have no identity.
    rows
        ``key, job, level, n, n_known, hours, n_validated`` as there; at most one row of a key and a job has a level.
    levels
        ``key, level``: the levels as they came, each once.
    warnings
        What is odd about identities and repetitions, in sentences.
    """

    reduced: TaskCounts
    keys: pl.DataFrame
    rows: pl.DataFrame
    levels: pl.DataFrame
    warnings: tuple[str, ...]


def work_of(profiles: TaskProfiles, states: Sequence[str], same_task: SameTask) -> Work:
    """Reduce tasks by identity, leave out those without one, and settle levels that contradict each other in a job.

    Parameters
    ----------
    profiles, states, same_task
        As `task_identity.reduce_keys` takes them.

    Raises
    ------
    SchemaError
        As `reduce_keys`.

    Warns
    -----
    TpAnalyticsWarning
        As `reduce_keys`.
    """
    shared = reduce_keys(profiles, states, same_task=same_task)
    counted = shared.rows
    if "imputed" not in counted.columns:
        counted = counted.with_columns(imputed=pl.lit(0.0))
    n, validated = (int(counted.get_column(name).sum()) for name in ("n", "n_validated"))
    by_state = pl.DataFrame({"state": ["suggested", "validated"], "n": [n - validated, validated]})
    reduced = TaskCounts(shared.jobs, counted, by_state, list(states))
    # Tasks without identity are not the same task; together they would look like the most shared one of all.
    blank = pl.col("name").str.strip_chars().fill_null("") == ""
    keys = shared.keys.filter(~blank)
    rows = counted
    if keys.height < shared.keys.height:
        rows = counted.join(keys.select("key"), on="key", how="semi", maintain_order="left")
    unnamed = n - int(rows.get_column("n").sum())
    rows, conflicts = _settled(rows.select("key", "job", "level", "n", "n_known", "hours", "n_validated"))
    levels = counted.join(keys.select("key"), on="key", how="semi").select("key", "level").unique().sort("key", "level")
    repeated = rows.group_by("key", "job").agg(pl.col("n").sum()).filter(pl.col("n") > 1)
    warnings = (
        *_say(unnamed, f"{unnamed:,} tasks have no {same_task} to be told apart by, and are left out."),
        *_say(
            repeated.height,
            f"{repeated.height:,} times a job has the same task more than once; their hours add up, as work apart.",
        ),
        *_say(conflicts, f"{conflicts:,} times a job rates the same task in contradiction; its level is not known."),
        *(_same_texts(keys) if same_task == "id" else ()),
        *_strange_levels(levels),
    )
    return Work(reduced, keys, rows, levels, warnings)


def _say(n: int, sentence: str) -> tuple[str, ...]:
    return (sentence,) if n else ()


def _settled(rows: pl.DataFrame) -> tuple[pl.DataFrame, int]:
    """Let the level of the validated rows hold where levels contradict each other in a job, else none (rule R5).

    Hours of a row without level stay without one: a missing level is never a level.
    """
    assessed = pl.col("level") != NOT_ASSESSED
    odd = (
        rows.filter(assessed)
        .group_by("key", "job")
        .agg(
            levels=pl.len(),
            settled=pl.when((pl.col("n_validated") > 0).sum() == 1).then(
                pl.col("level").filter(pl.col("n_validated") > 0).first()
            ),
        )
        .filter(pl.col("levels") > 1)
    )
    if not odd.height:
        return rows, 0
    found = rows.join(odd, on=["key", "job"], how="left", maintain_order="left")
    level = (
        pl.when(assessed & pl.col("levels").is_not_null())
        .then(pl.col("settled").fill_null(NOT_ASSESSED))
        .otherwise("level")
    )
    settled = (
        found.with_columns(level=level)
        .group_by("key", "job", "level", maintain_order=True)
        .agg(pl.col("n").sum(), pl.col("n_known").sum(), hours=known_sum("hours"), n_validated=pl.sum("n_validated"))
        .sort("key", "job", "level")
    )
    return settled, odd.get_column("settled").null_count()


def _same_texts(keys: pl.DataFrame) -> tuple[str, ...]:
    text = pl.col("task").str.to_lowercase().str.replace_all(r"\s+", " ").str.strip_chars()
    same = keys.select(text=text).drop_nulls().filter(pl.col("text") != "").filter(pl.col("text").is_duplicated())
    return _say(
        same.height,
        f"{same.height:,} task ids have the text of another id and count apart; same_task='text' takes them together.",
    )


def _strange_levels(levels: pl.DataFrame) -> tuple[str, ...]:
    known = {*KNOWN_LEVELS, NOT_ASSESSED}
    strange = [level for level in levels.get_column("level").unique().sort().to_list() if level not in known]
    return _say(len(strange), f"Levels that are none of H1 to H5 count as they came: {', '.join(strange)}.")


def of_keys(work: Work) -> pl.DataFrame:
    """Count what each task has: ``key, jobs, families, tasks, tasks_with_hours, hours, n_validated``; by key."""
    family = pl.col("job_family").rank("dense").alias("family")
    return (
        work.rows.join(work.reduced.jobs.select("job", family), on="job", how="left", maintain_order="left")
        .group_by("key")
        .agg(
            jobs=pl.col("job").n_unique(),
            families=pl.col("family").n_unique(),
            tasks=pl.col("n").sum(),
            tasks_with_hours=pl.col("n_known").sum(),
            hours=known_sum("hours"),
            n_validated=pl.col("n_validated").sum(),
        )
        .sort("key")
        .with_columns(
            pl.col(name).cast(pl.UInt32) for name in ("jobs", "families", "tasks", "tasks_with_hours", "n_validated")
        )
    )


def agreement(work: Work) -> pl.DataFrame:
    """Give ``key, level_agreement``: the share of pairs of jobs with a level for the task that gave it the same one.

    Keys that fewer than two jobs have rated have no row. Pairs are counted by level, never listed.
    """
    jobs = pl.col("jobs")
    return (
        work.rows.filter(pl.col("level") != NOT_ASSESSED)
        .group_by("key", "level")
        .agg(jobs=pl.len().cast(pl.Float64))
        .group_by("key")
        .agg(rated=jobs.sum(), equal=(jobs * (jobs - 1)).sum())
        .filter(pl.col("rated") > 1)
        .select("key", level_agreement=pl.col("equal") / (pl.col("rated") * (pl.col("rated") - 1)))
        .sort("key")
    )


def rest_of_week(reduced: TaskCounts, contract_hours: float | None) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """Give the contract hours that each job does not describe.

    Parameters
    ----------
    reduced
        As in `Work`.
    contract_hours
        Hours per week of jobs without contract hours of their own; None takes none.

    Returns
    -------
    tuple
        ``job, rest`` (hours per week, 0 or more, null where contract hours are not known), and what to say of it.

    Raises
    ------
    SchemaError
        If `contract_hours` is no number of hours of a week.
    """
    advice = "give the hours per week of a full contract, above 0 and up to 168, or None to take none."
    contract_hours = checked_week(contract_hours, advice)
    jobs = reduced.jobs
    stated = pl.col("contract_hours") if "contract_hours" in jobs.columns else pl.lit(None, dtype=pl.Float64)
    weeks = jobs.select("job", week=stated)
    said: tuple[str, ...] = ()
    if contract_hours is not None:
        lacking = weeks.get_column("week").null_count()
        weeks = weeks.with_columns(pl.col("week").fill_null(float(contract_hours)))
        said = _say(lacking, f"{lacking:,} jobs without contract hours were taken to have {contract_hours:g} per week.")
    described = reduced.cells.group_by("job").agg(described=pl.col("hours").sum())
    rest = (pl.col("week") - pl.col("described").fill_null(0.0)).clip(lower_bound=0.0)
    return weeks.join(described, on="job", how="left", maintain_order="left").select("job", rest=rest), said


def families_in_order(jobs: pl.DataFrame) -> pl.DataFrame:
    """Give the families of the jobs once each, by name, ``(no family)`` last."""
    return jobs.select(pl.col("job_family").unique()).sort(pl.col("job_family") == NO_FAMILY, "job_family")
