"""Work per skill and AI impact level."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import polars as pl

from tpanalytics.formatting import is_table, percent
from tpanalytics.measures._core.aggregate import known_sum, n_stated, share_of
from tpanalytics.measures._core.cache import cached
from tpanalytics.measures._core.groups import BY_FAMILY
from tpanalytics.measures._core.metadata import attach_metadata, grade, meaning_of
from tpanalytics.measures._core.skill_counts import count_by_skill, of_listed_jobs
from tpanalytics.measures._core.staff import (
    STAFF,
    check_staff,
    checked_weight,
    unknown_not_zero,
    without_staff_note,
)
from tpanalytics.measures._core.task_identity import DIGITS
from tpanalytics.schema import NOT_ASSESSED, check_profiles, counted_states, level_order
from tpanalytics.typing import Weight

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tpanalytics.measures._core.metadata import Meaning
    from tpanalytics.measures._core.skill_counts import SkillCounts
    from tpanalytics.schema import TaskProfiles
    from tpanalytics.typing import By

__all__ = ["ALL_TASKS", "NO_SKILL", "skills"]

#: Label of the rows that count each task once, and of the rows for tasks without skills.
ALL_TASKS, NO_SKILL = "(all tasks)", "(no skill)"
#: Keys of these rows. Skills have keys from 0.
_ALL, _NONE = -1, -2
_NOT_IN_TABLE = "Skills are not in the table. Add a column 'linked_skills'."
_NOT_REQUESTED = "Skills were not requested when loading. Load the profiles with include=[..., 'linked_skills']."


@cached
def skills(
    profiles: TaskProfiles,
    *,
    by: By = BY_FAMILY,
    weight: Weight | None = None,
    states: Sequence[str] | None = None,
) -> pl.DataFrame:
    """Compute the tasks, hours and people per skill and AI impact level.

    A task with several skills counts for each of them, so the figures of the skills add up to more than the total. The
    rows ``(all tasks)`` count each task once, and the rows ``(no skill)`` count the tasks without skills. A skill that
    a task lists twice counts once. Missing hours are excluded, not counted as zero. Tasks that a job lists twice are
    counted twice.

    Parameters
    ----------
    profiles
        Task profiles. Uses ``job_id``, the columns in `by` and, if present, ``headcount`` and ``fte`` from `jobs`, and
        ``job_id, ai_impact_level, validation_state, weekly_hours`` (hours per week) and ``linked_skills`` (lists of
        structs with ``skill_id`` and ``skill``) from `tasks`. Skills are matched by id, or by name if they have no id.
        Frames of an engine that can't group by a list, such as pandas, are read into memory.
    by
        Columns of the jobs, people or tasks to group by, or None for all jobs together. Groups by a column of the
        people or tasks overlap: a job counts once in each of its groups. If people or full-time equivalents are
        counted, which is the default with a column of the people, jobs without people are in no group of people.
    weight
        What ``amount`` adds up: ``"tasks"``, ``"hours"`` (per week), or hours times people (``"headcount"``) or times
        full-time equivalents (``"fte"``). The default is ``"headcount"`` if `by` contains a column of the people, and
        ``"hours"`` otherwise.
    states
        Validation states to include. None means ``profiles.manifest["states"]``, or validated and suggested.

    Returns
    -------
    pl.DataFrame
        One row per group, skill and level. In each group, ``(all tasks)`` comes first, followed by the skills with the
        largest ``amount``, and ``(no skill)`` comes last. Levels are sorted from H1 to H5, followed by unknown levels
        and ``not assessed``. The columns in `by` come first.

        ======================  =======  ==============================================================
        ``skill_id``            String   skill id; null for ``(all tasks)`` and ``(no skill)``
        ``skill``               String   name of the skill, ``(all tasks)`` or ``(no skill)``
        ``ai_impact_level``     String   AI impact level; null if the group has no tasks
        ``jobs``                UInt32   jobs with a task that has the skill, at any level
        ``jobs_at_level``       UInt32   jobs with such a task at the level
        ``tasks``               UInt32   tasks that have the skill, at the level
        ``tasks_with_hours``    UInt32   of these, tasks with hours
        ``hours``               Float64  hours per week at the level; null if no task has hours
        ``amount``              Float64  what `weight` adds up, at the level; null if nothing is known
        ``share``               Float64  share of the skill's ``amount`` at the level, 0 to 1
        ``share_assessed``      Float64  share among tasks with a level; null for ``not assessed``
        ``skill_share``         Float64  the skill's ``amount`` as a share of ``(all tasks)``, 0 to 1; the skills of
                                         a group add up to more than 1
        ``coverage``            Float64  share of the skill's tasks with a level and, unless tasks are counted,
                                         stated hours (and people), 0 to 1
        ``data_grade``          String   A (coverage of at least 0.9), B (at least 0.7) or C: do not quote on its own
        ``basis``               String   the `weight`
        ``reason``              String   why shares are null: ``NO_TASKS``, ``NO_HOURS`` (none known, or all 0),
                                         ``NO_HEADCOUNT``, or ``NOT_REQUESTED``
        ======================  =======  ==============================================================

        If `jobs` has ``headcount`` (people) or ``fte`` (full-time equivalents), there are also the Float64 columns
        ``headcount, headcount_at_level, fte, fte_at_level``: the people in ``jobs`` and in ``jobs_at_level``. Jobs
        without people are excluded.

        If skills were not requested when loading, a group has the rows ``(all tasks)`` and one row without a skill and
        with the reason ``NOT_REQUESTED``.

    Raises
    ------
    SchemaError
        If a required column is missing, or ``linked_skills`` has another type.
    ArgumentError
        If an argument is invalid.

    Warns
    -----
    TpAnalyticsWarning
        If tasks with an unrecognised validation state are ignored.

    Examples
    --------
    >>> from tpanalytics import load_sample
    >>> table = skills(load_sample(), by=None).filter(ai_impact_level="H1")
    >>> table.select("skill", "jobs", "tasks", "hours", pl.col("share").round(3)).head(2).rows()
    [('(all tasks)', 232, 1428, 1797.25, 0.258), ('ERP systems', 69, 128, 271.25, 0.758)]
    """
    check_profiles(profiles)
    weight = checked_weight(profiles, by, weight, Weight)
    counts = count_by_skill(profiles, counted_states(states, profiles), by)
    if weight in STAFF:
        counts = _of_people(counts, weight)
    groups = counts.reduced.groups
    result = _figures(counts, weight)
    if not counts.requested and counts.rows.height:
        result = _without_skills(result)
    not_requested = _NOT_IN_TABLE if is_table(profiles.manifest) else _NOT_REQUESTED
    return attach_metadata(groups.named(result), _meaning(counts, weight, not_requested))


def _of_people(counts: SkillCounts, weight: Weight) -> SkillCounts:
    """Leave out jobs that are not in the table of people, and note the weight."""
    check_staff(counts.reduced, weight)
    counts = of_listed_jobs(counts)
    reduced = counts.reduced
    for name in STAFF:
        if name in reduced.jobs.columns:
            reduced = reduced._replace(jobs=unknown_not_zero(reduced, name))
    return counts._replace(reduced=reduced._replace(weight=weight))


def _figures(counts: SkillCounts, weight: Weight) -> pl.DataFrame:
    cells = _cells(counts, weight)
    levels = level_order(counts.reduced.cells.get_column("level").to_list())
    of_skills = _of_skills(cells, counts)
    grid = of_skills.join(pl.DataFrame({"level": pl.Series(levels or [None], dtype=pl.String)}), how="cross")
    keys = ["group", "key", "level"]
    position = pl.when(pl.col("key") == _ALL).then(-1).when(pl.col("key") == _NONE).then(1).otherwise(0)
    staff = [name for name in STAFF if name in counts.reduced.jobs.columns]
    return (
        grid.join(_of_levels(cells, counts), on=keys, how="left")
        .with_columns(pl.col("^(tasks.*|jobs.*)$").fill_null(0).cast(pl.UInt32))
        # People are unknown only if there are jobs.
        .with_columns(_people_at_level(name) for name in staff)
        .with_columns(**_shares(), basis=pl.lit(weight))
        .with_columns(data_grade=grade(pl.col("coverage")), reason=_reason(weight))
        .join(counts.skills.cast({"key": pl.Int64}), on="key", how="left")
        .with_columns(skill=_label())
        .sort(
            counts.reduced.groups.order,
            position,
            pl.col("of_skill").round(DIGITS),
            *("skill", "key"),
            pl.col("level").replace_strict(levels, list(range(len(levels))), default=None, return_dtype=pl.Int64),
            descending=[False, False, True, False, False, False],
            nulls_last=True,
        )
        .select(
            *("group", "skill_id", "skill"),
            pl.col("level").alias("ai_impact_level"),
            *("jobs", "jobs_at_level", *staff, *(f"{name}_at_level" for name in staff)),
            *("tasks", "tasks_with_hours", "hours", "amount", "share", "share_assessed", "skill_share"),
            *("coverage", "data_grade", "basis", "reason"),
        )
    )


def _people_at_level(name: str) -> pl.Expr:
    people = pl.col(f"{name}_at_level")
    return pl.when(pl.col("jobs_at_level") > 0).then(people).otherwise(0.0).alias(f"{name}_at_level")


def _label() -> pl.Expr:
    key = pl.col("key")
    return pl.when(key == _ALL).then(pl.lit(ALL_TASKS)).when(key == _NONE).then(pl.lit(NO_SKILL)).otherwise("skill")


def _cells(counts: SkillCounts, weight: Weight) -> pl.DataFrame:
    """Return a row per job, level and skill, plus rows for all tasks and for tasks without skills."""
    rows, jobs = counts.rows, counts.reduced.jobs
    amount = {"tasks": pl.col("n").cast(pl.Float64), "hours": pl.col("hours")}
    if weight in STAFF:
        rows = rows.join(jobs.select("job", staff=weight), on="job", how="left", maintain_order="left")
        amount[weight] = pl.col("hours") * pl.col("staff")
    covered = pl.col("n") if weight == "tasks" else n_stated
    is_covered = pl.col("amount").is_not_null() & (pl.col("level") != NOT_ASSESSED)
    rows = rows.with_columns(amount=amount[weight]).with_columns(covered=pl.when(is_covered).then(covered).otherwise(0))
    links = counts.links.with_columns(pl.col("key").cast(pl.Int64))
    everything = rows.select("row", key=pl.lit(_ALL, dtype=pl.Int64))
    without = rows.join(links, on="row", how="anti").select("row", key=pl.lit(_NONE, dtype=pl.Int64))
    return pl.concat([everything, links, without]).join(rows, on="row").sort("group", "key", "row")


def _of_levels(cells: pl.DataFrame, counts: SkillCounts) -> pl.DataFrame:
    keys = ["group", "key", "level"]
    sums = cells.group_by(keys, maintain_order=True).agg(
        tasks=pl.col("n").sum(),
        tasks_with_hours=pl.col("n_known").sum(),
        tasks_covered=pl.col("covered").sum(),
        hours=known_sum("hours"),
        amount=known_sum("amount"),
    )
    return sums.join(_people(cells, counts, keys, suffix="_at_level"), on=keys)


def _of_skills(cells: pl.DataFrame, counts: SkillCounts) -> pl.DataFrame:
    """Return the jobs and people of each skill, and a row for all tasks of groups that have none."""
    groups = counts.reduced.groups.table.select("group", key=pl.lit(_ALL, dtype=pl.Int64))
    people = _people(cells, counts, ["group", "key"])
    return groups.join(people, on=["group", "key"], how="full", coalesce=True)


def _people(cells: pl.DataFrame, counts: SkillCounts, keys: list[str], suffix: str = "") -> pl.DataFrame:
    jobs = counts.reduced.jobs
    staff = [name for name in STAFF if name in jobs.columns]
    distinct = cells.select(*keys, "job").unique().join(jobs.select("job", *staff), on="job").sort(*keys, "job")
    sums = {f"{name}{suffix}": known_sum(name) for name in staff}
    return distinct.group_by(keys, maintain_order=True).agg(pl.len().alias(f"jobs{suffix}"), **sums)


def _shares() -> dict[str, pl.Expr]:
    """Return expressions for the columns that relate a level to its skill, and a skill to its group."""
    amount, assessed, skill = pl.col("amount").fill_null(0.0), pl.col("level") != NOT_ASSESSED, ["group", "key"]
    total = amount.filter(pl.col("key") == _ALL).sum().over("group")
    return {
        "share": share_of(amount, amount.sum().over(skill)),
        "share_assessed": pl.when(assessed).then(share_of(amount, amount.filter(assessed).sum().over(skill))),
        "of_skill": amount.sum().over(skill),
        "skill_share": share_of(amount.sum().over(skill), total),
        "coverage": share_of(pl.col("tasks_covered").sum().over(skill), pl.col("tasks").sum().over(skill)),
        "all_tasks": pl.col("tasks").sum().over(skill),
        "all_with_hours": pl.col("tasks_with_hours").sum().over(skill),
        "known_amounts": pl.col("amount").count().over(skill),
    }


def _reason(weight: Weight) -> pl.Expr:
    no_people = (weight in STAFF) & (pl.col("known_amounts") == 0) & (pl.col("all_with_hours") > 0)
    return (
        pl.when(pl.col("all_tasks") == 0)
        .then(pl.lit("NO_TASKS"))
        .when(no_people)
        .then(pl.lit("NO_HEADCOUNT"))
        .when(pl.col("of_skill") == 0)
        .then(pl.lit("NO_HOURS"))
    )


def _without_skills(result: pl.DataFrame) -> pl.DataFrame:
    """Replace the rows without a skill, because it is unknown which skills the tasks have."""
    totals = result.filter(pl.col("skill") == ALL_TASKS)
    unknown = totals.select("group", "basis").unique(maintain_order=True).with_columns(reason=pl.lit("NOT_REQUESTED"))
    rows = pl.concat([totals, unknown], how="diagonal").with_row_index("row")
    order = totals.select("group").unique(maintain_order=True).with_row_index("place")
    return rows.join(order, on="group").sort("place", "row").drop("place", "row").select(result.columns)


def _meaning(counts: SkillCounts, weight: Weight, not_requested: str) -> Meaning:
    reduced = counts.reduced
    tasks = int(counts.rows.get_column("n").sum())
    with_skill = int(counts.rows.join(counts.links, on="row", how="semi").get_column("n").sum())
    share = with_skill / tasks if tasks and counts.requested else None
    meaning = meaning_of(
        reduced,
        staffed=weight in STAFF,
        covered="level" if weight == "tasks" else "both",
        measure="skills",
        value=f"{_AMOUNT[weight]} of the tasks that have a skill, by AI impact level",
        unit=_UNIT[weight],
        basis={"tasks": "task"}.get(weight, weight),
        policy=(
            "A task with several skills counts for each of them. '(all tasks)' counts each task once.",
            *(() if share is None else (f"{percent(share)} of the tasks have a skill.",)),
            "Tasks without a level are grouped as 'not assessed'.",
            *(() if weight == "tasks" else ("Missing hours are excluded, not counted as zero.",)),
            *without_staff_note(weight),
        ),
        warnings=(not_requested,) * (tasks > 0 and not counts.requested),
    )
    return replace(meaning, coverage={**meaning.coverage, "skill": share})


_AMOUNT = {
    "tasks": "tasks",
    "hours": "weekly hours",
    "headcount": "weekly hours times people",
    "fte": "weekly hours times full-time equivalents",
}
_UNIT = {**dict.fromkeys(_AMOUNT, "hours per week"), "tasks": "tasks"}
