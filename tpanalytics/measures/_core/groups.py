"""Groups of jobs: one or more columns of the jobs, people or tasks."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

import narwhals as nw
import polars as pl

from tpanalytics.errors import ArgumentError, SchemaError, warn
from tpanalytics.formatting import plural_of
from tpanalytics.schema import AS_OF, HIERARCHY, PEOPLE, History, TaskProfiles, check_profiles, require

if TYPE_CHECKING:
    from tpanalytics.typing import By

__all__ = [
    "ALL_JOBS",
    "BY_FAMILY",
    "SEPARATOR",
    "GroupColumns",
    "Groups",
    "check_groups_of_both",
    "group_columns",
    "groups_of_both",
    "label_groups",
    "missing_label",
    "noun",
    "short_noun",
]

#: Default grouping.
BY_FAMILY = "job_family"
#: Group label if all jobs are counted together.
ALL_JOBS = "all jobs"
#: Separator between the values of several group columns in a label.
SEPARATOR = " · "
#: Above this number of groups, results are hard to read and slow to draw.
_MANY = 500
#: Columns that results have in addition to the group, so a group column can't have the same name.
_RESERVED = {
    *("jobs", "jobs_without_tasks", "jobs_with_hours", "jobs_complete", "tasks", "tasks_with_hours", "hours"),
    *(
        "headcount",
        "fte",
        "headcount_hours",
        "fte_hours",
        "hours_per_job",
        "amount",
        "share",
        "share_assessed",
        "share_low",
    ),
    *("share_high", "coverage", "data_grade", "basis", "reason", "exposure", "bound_low", "bound_high", "scope"),
    *("group", "job", "ai_impact_level", "weekly_hours", "n_tasks", "contract_hours"),
    *("skill", "skill_id", "at_least"),
}


#: Names used while tasks are summed, so that a group column of the tasks can't have them.
_RESERVED_FOR_TASKS = {"imputed", "key", "least", "level", "most", "n", "n_imputed", "n_known", "name", "state"}


class GroupColumns(NamedTuple):
    """The columns that define a grouping, by the table they are read from."""

    by: tuple[str, ...]
    jobs: tuple[str, ...]
    people: tuple[str, ...]
    tasks: tuple[str, ...]
    #: Whether the profiles are a `History`, so that a job id is only unique within a snapshot.
    history: bool = False

    @property
    def overlap(self) -> bool:
        """Whether a job can be in several groups."""
        return bool(self.people or self.tasks)

    def overlap_notes(self, *, staffed: bool) -> tuple[str, ...]:
        """Explain which jobs count in several groups, unless the figures are for the people in each group."""
        one, notes = short_noun(self.by), []
        if self.people and not staffed:
            notes.append(f"A job counts in every {one} that has people in it, so {plural_of(one)} overlap.")
        if self.tasks:
            notes.append(f"Jobs are counted in every {one} where they have at least one such task.")
        return tuple(notes)


class Groups(NamedTuple):
    """The groups in the data."""

    columns: GroupColumns
    #: ``group`` (label), followed by the columns in `columns.by`, as text. Sorted, with missing values last.
    table: pl.DataFrame

    @property
    def order(self) -> pl.Expr:
        """Position of each row's group, for sorting."""
        labels = self.table.get_column("group").to_list()
        return pl.col("group").replace_strict(labels, range(len(labels)), default=None, return_dtype=pl.UInt32)

    def largest_first(self, result: pl.DataFrame, figure: pl.Expr) -> pl.DataFrame:
        """Sort a result by a figure, in descending order. If the groups have dates, keep these in order of time."""
        by = self.columns.by
        if AS_OF not in by:
            return result.sort(figure, self.order, descending=[True, False], nulls_last=True)
        until_date = list(by[: by.index(AS_OF) + 1])
        first = self.table.with_row_index("first").select("group", pl.col("first").min().over(until_date))
        placed = result.join(first, on="group", how="left", maintain_order="left")
        keys = ["first", figure, self.order]
        return placed.sort(keys, descending=[False, True, False], nulls_last=True).drop("first")

    @property
    def noun(self) -> str:
        """Singular noun for a group, such as "job family"."""
        return noun(self.columns.by)

    @property
    def a_group(self) -> str:
        """The noun with its article, such as "a job family"."""
        return f"{'an' if self.noun[0] in 'aeiou' else 'a'} {self.noun}" if self.columns.by else "the company"

    def named(self, result: pl.DataFrame) -> pl.DataFrame:
        """Replace the ``group`` column of a result with the columns that define the groups."""
        for table, names in (
            ("jobs", self.columns.jobs),
            ("people", self.columns.people),
            ("tasks", self.columns.tasks),
        ):
            for name in names:
                if name in result.columns and name != "job_id":
                    raise _reserved(name, table, "a column of the result")
        named = result.join(self.table, on="group", how="left", maintain_order="left")
        first = [name for name in self.table.columns if name != "group"]
        return named.select(*first, pl.exclude("group", *first))


def group_columns(profiles: TaskProfiles, by: By, argument: str = "") -> GroupColumns:
    """Return the columns that `by` names, without reading any rows. Raise an error if a column doesn't exist.

    If there are several profiles, the error mentions the `argument` that has these.
    """
    names = (by,) if isinstance(by, str) else tuple(by or ()) if by is None or isinstance(by, Sequence) else None
    if names is None or not all(isinstance(name, str) for name in names) or len(set(names)) < len(names):
        raise ArgumentError(f"`by` must be a column name, a list of different names, or None, not {by!r}.")
    check_profiles(profiles)
    require(profiles.jobs, "job_id", name="jobs")
    tables = {"jobs": _names(profiles.jobs), "people": _names(profiles.people), "tasks": _task_columns(profiles.tasks)}
    found: dict[str, list[str]] = {table: [] for table in tables}
    for name in names:
        table = next((table for table, present in tables.items() if name in present), None)
        if name == "ai_impact_level":
            raise ArgumentError(
                "`by` must not contain 'ai_impact_level', because `impact` returns a row per group and level anyway. "
                "Use impact(profiles, by=None) for all jobs together."
            )
        if name in _RESERVED:
            raise _reserved(name, table, "a column of the result")
        if table is None:
            _raise_for_unknown(name, tables, argument)
        if table == "tasks" and name in _RESERVED_FOR_TASKS:
            raise _reserved(name, table, "a name used while tasks are summed")
        found[table].append(name)
    jobs, people, tasks = (tuple(found[table]) for table in tables)
    return GroupColumns(names, jobs, people, tasks, history=isinstance(profiles, History))


def check_groups_of_both(before: TaskProfiles, after: TaskProfiles, by: By) -> None:
    """Raise an error if a column of `by` doesn't exist in one of two snapshots."""
    for argument, profiles in (("before", before), ("after", after)):
        group_columns(profiles, by, argument)


def _reserved(name: str, table: str | None, what: str) -> ArgumentError:
    """Return an error with the call that renames a group column."""
    function = "assign_people" if table == "people" else "from_frames"
    return ArgumentError(
        f"`by`: {name!r} is also {what}. "
        f"Rename it when loading, like {function}(..., columns={{{name!r}: {name + '_group'!r}}})."
    )


def _names(frame: Any) -> list[str]:
    return [] if frame is None else list(nw.from_native(frame).collect_schema().names())


def _task_columns(tasks: Any) -> list[str]:
    schema = nw.from_native(tasks).collect_schema()
    nested = (nw.List, nw.Struct, nw.Array)
    columns = [name for name, dtype in schema.items() if dtype not in nested]
    return columns + [level for level in HIERARCHY if "hierarchy" in schema and level not in columns]


def _raise_for_unknown(name: str, tables: dict[str, list[str]], argument: str) -> NoReturn:
    usable = [column for present in tables.values() for column in present if column not in _RESERVED]
    folded = {column.casefold(): column for column in usable}
    near = difflib.get_close_matches(name.casefold(), folded, n=3, cutoff=0.6)
    columns = dict.fromkeys(usable)
    hint = (
        f"did you mean {' or '.join(repr(folded[fold]) for fold in near)}?"
        if near
        else f"there are {', '.join(map(repr, columns))}"
    )
    remedy = ""
    if not near:
        attributes = [column for column in tables["people"] if column not in PEOPLE]
        kept = [*attributes, name] if attributes else name
        remedy = f" Attributes of people are added by assign_people(profiles, roster, by={kept!r})."
    of = f" of `{argument}`" if argument else ""
    raise SchemaError(f"`by`: {name!r} is not a column of the jobs, people or tasks{of} ({hint}).{remedy}")


def noun(by: Sequence[str]) -> str:
    """Return a singular noun for groups by these columns, such as "country and pay grade"."""
    words = [{"job_id": "job", "as_of": "snapshot"}.get(name, name.replace("_", " ")) for name in by]
    return " and ".join(words) or ALL_JOBS


def short_noun(by: Sequence[str]) -> str:
    """Return a noun for counting groups: that of a single column, or "group"."""
    return noun(by) if len(by) == 1 else "group"


def missing_label(column: str) -> str:
    """Return the label of a missing value, such as "(no country)"."""
    return f"(no {noun([column])})"


def label_groups(rows: pl.DataFrame, columns: GroupColumns) -> tuple[pl.DataFrame, Groups]:
    """Add a ``group`` label to the rows, based on the columns in `columns.by`, and return the groups as well."""
    by = list(columns.by)
    if not by:
        all_jobs = pl.DataFrame({"group": [ALL_JOBS] * (rows.height > 0)}, schema={"group": pl.String})
        return rows.with_columns(group=pl.lit(ALL_JOBS)), Groups(columns, all_jobs)
    keys = [f"key of {name}" for name in by]
    texts = [_text(key, missing_label(name)).alias(name) for key, name in zip(keys, by, strict=True)]
    add_name = "job_id" in by and "job_name" not in by
    named = pl.coalesce(name for name in ("job_name", "job_id") if name in rows.columns)
    values = rows.select(
        *(pl.col(name).alias(key) for key, name in zip(keys, by, strict=True)),
        *([named.alias("job_name")] * add_name),
    ).unique(keys, keep="first", maintain_order=True)
    table = values.with_columns(texts).with_columns(group=pl.concat_str(by, separator=SEPARATOR))
    table = _sorted(table, by)
    # Different values can have the same label, such as "a · b" in the first column, and "a" and "b" in two.
    repeated = pl.int_range(pl.len()).over("group")
    table = table.with_columns(
        group=pl.when(repeated > 0).then(pl.format("{} ({})", "group", repeated + 1)).otherwise("group")
    )
    if table.height > _MANY and "job_id" not in columns.by:
        warn(
            f"`by` gives {table.height:,} groups ({noun(by)}), and more than {_MANY} are hard to read. "
            "Keep some with profiles.filter, or group by a column with fewer values."
        )
    labels = table.select("group", *(pl.col(key).alias(name) for key, name in zip(keys, by, strict=True)))
    labelled = rows.join(labels, on=by, how="left", nulls_equal=True, maintain_order="left")
    if add_name:
        position = by.index("job_id") + 1
        by = [*by[:position], "job_name", *by[position:]]
    return labelled, Groups(columns, table.select("group", *by))


def _text(key: str, missing: str) -> pl.Expr:
    """Return values as text. A value that looks like a missing one is put in quotes."""
    text = pl.col(key).cast(pl.String)
    return pl.when(text == missing).then(pl.lit(f'"{missing}"')).otherwise(text).fill_null(missing)


def _sorted(table: pl.DataFrame, by: Sequence[str]) -> pl.DataFrame:
    """Sort groups by their columns: by number if all values are numbers, else by text. Missing values come last."""
    keys: list[pl.Expr] = []
    for name in by:
        missing, text = pl.col(name) == missing_label(name), table.get_column(name)
        numbers = text.filter(text != missing_label(name)).cast(pl.Float64, strict=False)
        keys.append(missing)
        if numbers.len() and not numbers.null_count():
            keys.append(pl.col(name).cast(pl.Float64, strict=False))
        keys.append(pl.col(name))
    return table.sort(keys)


def groups_of_both(before: Groups, after: Groups) -> Groups:
    """Return the groups that are in either of two snapshots."""
    table = pl.concat([after.table, before.table], how="diagonal").unique("group", keep="first", maintain_order=True)
    by = list(after.columns.by)
    return Groups(after.columns, _sorted(table, by) if by else table)
