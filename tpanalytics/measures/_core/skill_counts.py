"""Tasks and hours by skill."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

import narwhals as nw
import polars as pl

from tpanalytics.errors import SchemaError
from tpanalytics.measures._core.aggregate import (
    TaskCounts,
    check_hours,
    check_states,
    group_jobs,
    known_sum,
    of_jobs,
    read_inputs,
    states_of_others,
    sum_tasks,
)
from tpanalytics.measures._core.cache import cached
from tpanalytics.measures._core.snapshots import SNAPSHOT
from tpanalytics.measures._core.staff import with_listed_jobs
from tpanalytics.schema import IMPUTED, TASKS, to_polars

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tpanalytics.schema import TaskProfiles
    from tpanalytics.typing import By

__all__ = ["SkillCounts", "count_by_skill", "has_skills", "of_listed_jobs", "sum_cells"]

_SKILLS = "linked_skills"
#: Engines that can group by a list of structs.
_GROUPS_LISTS = {
    nw.Implementation.POLARS,
    nw.Implementation.DUCKDB,
    nw.Implementation.PYSPARK,
    nw.Implementation.PYSPARK_CONNECT,
    nw.Implementation.IBIS,
}
_EXPECTED = "`linked_skills` of `tasks` must be lists of structs with `skill_id` and `skill`"


class SkillCounts(NamedTuple):
    """Tasks by job, level and set of skills."""

    #: Counts of the tasks by ``job, group, level``, as in `aggregate_tasks`.
    reduced: TaskCounts
    #: One row per job, level and set of skills: ``row, job, group, level`` and the counts in `TaskCounts.cells`.
    rows: pl.DataFrame
    #: ``row, key``: the skills of each row, without repetitions.
    links: pl.DataFrame
    #: ``key, skill_id, skill``, sorted by name.
    skills: pl.DataFrame
    #: Whether any task of the profiles has a list of skills, even an empty one.
    requested: bool


@cached
def count_by_skill(profiles: TaskProfiles, states: list[str], by: By) -> SkillCounts:
    """Count the tasks by job, level and set of skills in the engine, and list the skills of each set."""
    inputs = read_inputs(profiles, by)
    columns, tasks = inputs.columns, inputs.tasks
    has_skills = _SKILLS in tasks.collect_schema().names()
    if has_skills:
        tasks = _with_skill_lists(tasks, columns.tasks)
    sums = sum_tasks(tasks, "job_id", *columns.tasks, "level", "state", *[_SKILLS] * has_skills)
    check_hours(tasks, sums)
    check_states(sums, states)
    sums = sums.with_columns(_lists(sums.schema.get(_SKILLS)))
    counted = sums.filter(pl.col("state").is_in(states))
    jobs, groups = group_jobs(inputs.jobs, columns, counted)
    # Engines return rows in different orders, and the sum of floats depends on the order.
    rows = of_jobs(counted, jobs, columns).sort("job", "level", "state", _SKILLS).with_row_index("row")
    n_states = counted.group_by("state").agg(pl.col("n").sum()).sort("state")
    people = inputs.people and inputs.people._replace(states=states_of_others(counted, inputs.people.unlisted))
    requested = sums.get_column(_SKILLS).null_count() < sums.height
    links, skills = _links(rows)
    return SkillCounts(
        TaskCounts(
            jobs.drop("n_tasks", strict=False),
            sum_cells(rows, "job", "group", "level"),
            n_states,
            states,
            groups,
            people=people,
        ),
        rows.drop(_SKILLS, "state", "least", "most"),
        links,
        skills,
        requested,
    )


def of_listed_jobs(counts: SkillCounts) -> SkillCounts:
    """Leave out jobs that have no row in the table of people, if groups are by one of its columns."""
    reduced = with_listed_jobs(counts.reduced)
    rows = counts.rows.join(reduced.jobs, on="job", how="semi", maintain_order="left")
    return counts._replace(
        reduced=reduced, rows=rows, links=counts.links.join(rows, on="row", how="semi", maintain_order="left")
    )


@cached
def has_skills(profiles: TaskProfiles) -> bool:
    """Return whether any task has a list of skills that `count_by_skill` can read and that isn't empty."""
    tasks = nw.from_native(profiles.tasks).lazy()
    schema = tasks.collect_schema()
    if _SKILLS not in schema.names():
        return False
    if tasks.implementation.value in _GROUPS_LISTS:
        if not _is_list_of_skills(schema[_SKILLS]):
            return False
        longest = to_polars(tasks.select(longest=nw.col(_SKILLS).list.len().max()).to_native()).item()
        return bool(longest)
    values = tasks.select(_SKILLS).collect().get_column(_SKILLS).to_list()
    return any(not isinstance(value, str | float | None) and len(value) > 0 for value in values)


def sum_cells(rows: pl.DataFrame, *keys: str) -> pl.DataFrame:
    """Sum the counts and hours by `keys`."""
    counts = (pl.col(name).sum() for name in ("n", "n_known", "n_imputed"))
    sums = rows.group_by(keys, maintain_order=True).agg(*counts, hours=known_sum("hours"), imputed=known_sum("imputed"))
    return sums.select(*keys, "n", "n_known", "hours", "imputed", "n_imputed")


def _with_skill_lists(tasks: Any, task_columns: Sequence[str]) -> Any:
    """Return the tasks with lists of skills that can be grouped by, in Polars if the engine can't do it."""
    schema = tasks.collect_schema()
    if tasks.implementation in _GROUPS_LISTS:
        if not _is_list_of_skills(schema[_SKILLS]):
            raise SchemaError(f"{_EXPECTED}, not {schema[_SKILLS]}.")
        return tasks
    flat = ["job_id", "ai_impact_level", "validation_state", "weekly_hours", *task_columns]
    optional = [name for name in (IMPUTED, *SNAPSHOT) if name in schema.names()]
    frame = tasks.select(*dict.fromkeys([*flat, *optional, _SKILLS])).collect()
    column = frame.get_column(_SKILLS)
    values = zip(column.to_list(), column.is_null().to_list(), strict=True)
    lists = [None if is_null else _as_list(value) for value, is_null in values]
    flat_frame = to_polars(frame.drop(_SKILLS).to_native())
    return nw.from_native(flat_frame.with_columns(pl.Series(_SKILLS, lists, dtype=TASKS[_SKILLS])).lazy())


def _lists(dtype: Any) -> pl.Expr:
    """Return the lists with the expected type, whichever fields the engine added or reordered."""
    if dtype is None:
        return pl.lit(None, dtype=TASKS[_SKILLS]).alias(_SKILLS)
    if dtype == TASKS[_SKILLS] or not _is_list_of_skills(dtype):  # null lists can have any type
        return pl.col(_SKILLS).cast(TASKS[_SKILLS])
    fields = (pl.element().struct.field(name).cast(pl.String) for name in ("skill_id", "skill"))
    return pl.col(_SKILLS).list.eval(pl.struct(fields))


def _is_list_of_skills(dtype: Any) -> bool:
    fields = getattr(getattr(dtype, "inner", None), "fields", ())
    return dtype == nw.List and {"skill_id", "skill"} <= {field.name for field in fields}


def _as_list(value: Any) -> list[dict[str, Any]]:
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise SchemaError(f"{_EXPECTED}, not {type(value).__name__}.")
    entries = list(value)
    wrong = [entry for entry in entries if not (entry is None or isinstance(entry, dict))]
    if wrong:
        raise SchemaError(f"{_EXPECTED}, not lists of {type(wrong[0]).__name__}.")
    return [{name: (entry or {}).get(name) for name in ("skill_id", "skill")} for entry in entries]


def _links(rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the skills of each row, and the distinct skills. Skills match by id, or by name if they have no id."""
    entries = rows.select("row", _SKILLS).filter(pl.col(_SKILLS).list.len() > 0).explode(_SKILLS).unnest(_SKILLS)
    entries = entries.with_columns(_text("skill_id"), _text("skill"))
    entries = entries.filter(pl.any_horizontal(pl.col("skill_id", "skill").is_not_null()))
    entries = entries.with_columns(identity=pl.when(pl.col("skill_id").is_null()).then("skill"))
    keys = ["skill_id", "identity"]
    # A skill can have several names, for example if snapshots are combined.
    names = pl.coalesce(pl.col("skill").min(), pl.col("skill_id").first())
    skills = entries.group_by(keys).agg(skill=names).sort("skill", *keys).with_row_index("key")
    links = entries.join(skills.select("key", *keys), on=keys, nulls_equal=True)
    return links.select("row", "key").unique().sort("row", "key"), skills.select("key", "skill_id", "skill")


def _text(column: str) -> pl.Expr:
    text = pl.col(column).str.strip_chars()
    return pl.when(text != "").then(text).alias(column)
