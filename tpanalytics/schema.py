"""The two tables of a task-profile export: columns, dtypes, units, order of levels.

Everything above this module agrees on these names; a frame from elsewhere is checked against them with `require`.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import polars as pl

from tpanalytics.errors import SchemaError
from tpanalytics.formatting import html_lines, html_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = [
    "COUNTED_STATES",
    "IMPUTED",
    "JOBS",
    "LEVELS",
    "NOT_ASSESSED",
    "NO_FAMILY",
    "OPTIONAL_JOBS",
    "REJECTS",
    "TASKS",
    "TaskProfiles",
    "empty",
    "level_order",
    "provenance",
    "require",
    "to_polars",
]

#: AI impact levels in order, most automatable first. Others are kept as they came.
LEVELS = ("H1", "H2", "H3", "H4", "H5")
#: How a missing level is printed; it is never counted as any level.
NOT_ASSESSED = "not assessed"
#: How a missing job family is printed.
NO_FAMILY = "(no family)"
#: The validation states every measure counts unless told otherwise (rule R1).
COUNTED_STATES = ("validated", "suggested")
#: The column of `tasks` that marks hours which were not stated but put in by `impute_hours`.
IMPUTED = "hours_imputed"

#: One row per job of the export, with or without tasks, in the service's order.
JOBS: dict[str, Any] = {
    "job_id": pl.String(),
    "job_name": pl.String(),
    "job_family_id": pl.String(),
    "job_family": pl.String(),
    "job_family_group": pl.String(),
    "n_tasks": pl.UInt32(),
}
#: Columns `jobs` may have: full-time equivalents, hours per week, whether the job is in use.
OPTIONAL_JOBS: dict[str, Any] = {
    "headcount": pl.Float64(),
    "contract_hours": pl.Float64(),
    "active": pl.Boolean(),
}
#: One row per task of a job, in the service's order; ``weekly_hours`` in hours per week.
TASKS: dict[str, Any] = {
    "job_id": pl.String(),
    "job_family": pl.String(),
    "task_id": pl.String(),
    "task": pl.String(),
    "validation_state": pl.String(),
    "weekly_hours": pl.Float64(),
    "ai_impact_level": pl.String(),
    "ai_impact_rationale": pl.String(),
    "source_data": pl.List(pl.String()),
    "linked_skills": pl.List(pl.Struct({"skill_id": pl.String(), "skill": pl.String()})),
    "hierarchy": pl.List(pl.String()),
}
#: One row per record left out with ``on_bad_record="collect"``; ``raw`` is the record as it came.
REJECTS: dict[str, Any] = {
    "where": pl.String(),
    "job_id": pl.String(),
    "path": pl.String(),
    "reason": pl.String(),
    "raw": pl.String(),
}


def empty(schema: Mapping[str, Any]) -> pl.DataFrame:
    """Give a frame without rows that has every column of `schema`."""
    return pl.DataFrame(schema=dict(schema))


def level_order(levels: Iterable[str | None]) -> list[str]:
    """Sort AI impact levels: H1 to H5, unknown ones by name, *not assessed* last; each once.

    Parameters
    ----------
    levels
        Levels as they came; None stands for *not assessed*.

    Returns
    -------
    list[str]
        The levels present, as they are printed.

    Examples
    --------
    >>> level_order(["H9", None, "H3", "H1", "H3"])
    ['H1', 'H3', 'H9', 'not assessed']
    """
    present = {NOT_ASSESSED if level is None else level for level in levels}
    rank = {**{level: i for i, level in enumerate(LEVELS)}, NOT_ASSESSED: 99}
    return sorted(present, key=lambda level: (rank.get(level, 50), level))


def to_polars(native: Any) -> pl.DataFrame:
    """Bring a small frame of any engine home as Polars; only Spark needs pyarrow for it."""
    import narwhals as nw

    if isinstance(native, pl.DataFrame):
        return native
    if isinstance(native, pl.LazyFrame):
        return native.collect(engine="streaming")  # the usual way since Polars 2; before, all would be held in memory
    try:
        frame = nw.from_native(native).lazy()
    except TypeError:
        raise SchemaError(f"A {type(native).__name__} is no data frame; pass a Polars, pandas or DuckDB one.") from None
    if frame.implementation.is_duckdb():
        return pl.DataFrame(frame.to_native())
    columns = frame.collect().to_dict(as_series=False)
    # pandas says NaN where it means null, in text columns too.
    cleaned = {name: [None if v != v else v for v in column] for name, column in columns.items()}
    return pl.DataFrame(cleaned, infer_schema_length=None)


def require(frame: Any, *columns: str, name: str = "frame") -> None:
    """Check that `frame` has `columns`, on any engine, without reading a row."""
    import narwhals as nw

    try:
        present = nw.from_native(frame).collect_schema().names()
    except TypeError:
        raise SchemaError(
            f"{name} is a {type(frame).__name__}, not a data frame; pass a Polars, pandas, DuckDB or Spark frame."
        ) from None
    missing = [column for column in columns if column not in present]
    if not missing:
        return
    hints = {column: difflib.get_close_matches(column, present, n=1) for column in missing}
    near = "; ".join(f"did you mean {hint[0]!r} for {column!r}?" for column, hint in hints.items() if hint)
    raise SchemaError(
        f"{name} lacks {', '.join(map(repr, missing))}; it has {', '.join(map(repr, present)) or 'no column'}."
        + (f" Perhaps {near}" if near else "")
    )


def provenance(manifest: Mapping[str, Any]) -> str:
    """Say in one sentence what a manifest proves about the data, and what it cannot.

    Parameters
    ----------
    manifest
        As in `TaskProfiles.manifest`; parts that are missing are left out of the sentence.

    Returns
    -------
    str
        One sentence.

    Examples
    --------
    >>> provenance({"jobs": 1016, "tasks": 18796, "pages": 11, "duplicates": 0, "complete": True})
    '1,016 jobs and 18,796 tasks in 11 pages, 0 duplicates, complete; may be a subset of the tenant.'
    """

    def count(key: str, word: str) -> str:
        n = manifest.get(key, 0)
        return f"{n:,} {word}{'' if n == 1 else 's'}"

    source = manifest.get("source", {})
    kind = source.get("kind", "export" if "complete" in manifest else None)
    said = f"{count('jobs', 'employee' if kind == 'employees' else 'job')} and {count('tasks', 'task')}"
    if manifest.get("pages"):
        said += f" in {count('pages', 'page')}, {count('duplicates', 'duplicate')}"
    elif manifest.get("duplicates"):
        said += f", {count('duplicates', 'duplicate')} left out"
    if manifest.get("rejects"):
        said += f", {count('rejects', 'bad record')} left out"
    families = manifest.get("families", {})
    if families.get("jobs_not_listed"):
        said += f", {families['jobs_not_listed']:,} of them not in {families['source']}"
    return f"{said}{_origin(manifest, kind)}{_put_in(manifest.get('imputation'))}."


def _put_in(imputation: Mapping[str, Any] | None) -> str:
    """Say which hours are not as stated, the earliest round first; see `tpanalytics.impute_hours`."""
    rounds: list[str] = []
    while imputation:
        n = imputation["rows"]
        rounds.insert(0, f"those of {n:,} task{'' if n == 1 else 's'} by {imputation['method']}")
        imputation = imputation.get("before")
    return f"; hours that were not stated were put in or changed: {', then '.join(rounds)}" if rounds else ""


def _origin(manifest: Mapping[str, Any], kind: str | None) -> str:
    """Say where data came from, as the end of a sentence."""
    complete = ", complete" if manifest.get("complete") else ", NOT complete"
    match kind:
        case None:
            return "; where they came from is not recorded"
        case "sample":
            state = manifest.get("source", {}).get("state")
            return f"; invented data of a company that does not exist, as of {state}"
        case "file":
            return " from a file; whether the export behind it was complete is not known"
        case "job":
            return ", asked for by itself"
        case "employees":
            named = manifest.get("request", {}).get("pseudonyms")
            return f"{complete}; personal data {'under pseudonyms' if named else 'with ids'}"
    listed = manifest.get("jobs_in_tenant_list")
    if listed is not None and listed != manifest.get("jobs"):
        complete += f", but the tenant's list of jobs has {listed:,}"
    return f"{complete}; may be a subset of the tenant"


@dataclass(frozen=True, repr=False, eq=False)
class TaskProfiles:
    """A company's task profiles: two tables, where they came from, and what was left out.

    Attributes
    ----------
    jobs
        One row per job, columns as in `JOBS` and perhaps `OPTIONAL_JOBS`. Jobs without tasks are rows too.
    tasks
        One row per task of a job, columns as in `TASKS`. ``weekly_hours`` is in hours per week, null where unknown.
    manifest
        Where the data came from and whether they are complete; plain values that JSON can hold.
    rejects
        Records that were left out, columns as in `REJECTS`; empty unless ``on_bad_record="collect"``.

    Notes
    -----
    The frames are Polars frames as loaded. The measures also take a `TaskProfiles` built by hand whose frames are
    lazy, or pandas, DuckDB or Spark frames.
    """

    jobs: Any
    tasks: Any
    manifest: dict[str, Any] = field(default_factory=dict)
    rejects: pl.DataFrame = field(default_factory=lambda: empty(REJECTS))

    def __post_init__(self) -> None:
        object.__setattr__(self, "manifest", self.manifest or {})  # None, where profiles are built by hand

    def __repr__(self) -> str:
        if not (isinstance(self.jobs, pl.DataFrame) and isinstance(self.tasks, pl.DataFrame)):
            held = type(self.tasks)
            said = f"TaskProfiles in a {held.__module__.split('.')[0]} {held.__name__}, not counted"
            return f"{said}. Loaded: {provenance(self.manifest)}" if self.manifest else f"{said}."
        here = {"jobs": self.jobs.height, "tasks": self.tasks.height}
        loaded = {key: self.manifest.get(key, n) for key, n in here.items()}
        if here == loaded:
            return f"TaskProfiles: {provenance({**self.manifest, **here})}"
        return f"TaskProfiles: {here['jobs']:,} jobs and {here['tasks']:,} tasks out of {provenance(self.manifest)}"

    def _repr_html_(self) -> str:
        if not (isinstance(self.jobs, pl.DataFrame) and isinstance(self.tasks, pl.DataFrame)):
            return html_lines(repr(self))
        frames = {"jobs": self.jobs, "tasks": self.tasks, "rejects": self.rejects}
        rows = [(name, f"{frame.height:,}", ", ".join(frame.columns)) for name, frame in frames.items() if frame.height]
        return html_lines(repr(self)) + html_table(["table", "rows", "columns"], rows)
