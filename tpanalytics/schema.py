"""Columns, dtypes and constants for task profiles."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import polars as pl

from tpanalytics.errors import ArgumentError, SchemaError
from tpanalytics.formatting import html_lines, html_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = [
    "COUNTED_STATES",
    "HIERARCHY",
    "IMPUTED",
    "JOBS",
    "LEVELS",
    "NOT_ASSESSED",
    "NO_FAMILY",
    "OPTIONAL_JOBS",
    "REJECTS",
    "TASKS",
    "TaskProfiles",
    "checked_states",
    "empty",
    "level_order",
    "provenance",
    "require",
    "to_polars",
]

#: Known AI impact levels, from most to least automatable. The data may contain other levels.
LEVELS = ("H1", "H2", "H3", "H4", "H5")
#: Label for a missing level.
NOT_ASSESSED = "not assessed"
#: Label for a missing job family.
NO_FAMILY = "(no job family)"
#: Validation states that measures count by default.
COUNTED_STATES = ("validated", "suggested")
#: Levels of the task taxonomy, from the top.
HIERARCHY = ("domain", "subdomain", "cluster", "canonical_task")
#: Column in `tasks` that flags hours imputed by `impute_hours`.
IMPUTED = "hours_imputed"

#: One row per job in export order, including jobs without tasks.
JOBS: dict[str, Any] = {
    "job_id": pl.String(),
    "job_name": pl.String(),
    "job_family_id": pl.String(),
    "job_family": pl.String(),
    "job_family_group": pl.String(),
    "n_tasks": pl.UInt32(),
}
#: Optional columns in `jobs`: headcount (full-time equivalents), weekly contract hours, and whether the job is active.
OPTIONAL_JOBS: dict[str, Any] = {
    "headcount": pl.Float64(),
    "contract_hours": pl.Float64(),
    "active": pl.Boolean(),
}
#: One row per job and task, in export order. ``weekly_hours`` is in hours per week.
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
#: One row per record skipped with ``on_bad_record="collect"``. ``raw`` is the original record.
REJECTS: dict[str, Any] = {
    "where": pl.String(),
    "job_id": pl.String(),
    "path": pl.String(),
    "reason": pl.String(),
    "raw": pl.String(),
}


def empty(schema: Mapping[str, Any]) -> pl.DataFrame:
    """Return an empty frame with the given schema."""
    return pl.DataFrame(schema=dict(schema))


def level_order(levels: Iterable[str | None]) -> list[str]:
    """Return the distinct levels in order: H1 to H5, then unknown levels by name, and *not assessed* (None) last.

    Examples
    --------
    >>> level_order(["H9", None, "H3", "H1", "H3"])
    ['H1', 'H3', 'H9', 'not assessed']
    """
    present = {NOT_ASSESSED if level is None else level for level in levels}
    rank = {**{level: i for i, level in enumerate(LEVELS)}, NOT_ASSESSED: 99}
    return sorted(present, key=lambda level: (rank.get(level, 50), level))


def checked_states(states: Sequence[str]) -> list[str]:
    """Return the validation states as a list. Raise an error if they are invalid, empty or include 'rejected'."""
    is_list = isinstance(states, Sequence) and not isinstance(states, str) and len(states) > 0
    if not is_list or not all(isinstance(state, str) for state in states):
        raise ArgumentError(f"`states` must be a list of validation states like ['validated'], not {states!r}.")
    if "rejected" in states:
        raise ArgumentError("`states` must not contain 'rejected'. Rejected tasks are never counted.")
    return list(states)


def to_polars(native: Any) -> pl.DataFrame:
    """Convert a small frame from any engine to Polars. Only Spark frames require pyarrow."""
    import narwhals as nw

    if isinstance(native, pl.DataFrame):
        return native
    if isinstance(native, pl.LazyFrame):
        return native.collect(engine="streaming")  # the default since Polars 2; saves memory in older versions
    try:
        frame = nw.from_native(native).lazy()
    except TypeError:
        raise SchemaError(
            f"{type(native).__name__} is not a data frame. Pass a Polars, pandas or DuckDB frame."
        ) from None
    if frame.implementation.is_duckdb():
        return pl.DataFrame(frame.to_native())
    columns = frame.collect().to_dict(as_series=False)
    # pandas uses NaN for null, even in text columns.
    cleaned = {name: [None if v != v else v for v in column] for name, column in columns.items()}
    return pl.DataFrame(cleaned, infer_schema_length=None)


def require(frame: Any, *columns: str, name: str = "frame") -> None:
    """Raise a `SchemaError` if `frame` is missing any of `columns`. No rows are read."""
    import narwhals as nw

    try:
        present = nw.from_native(frame).collect_schema().names()
    except TypeError:
        raise SchemaError(
            f"`{name}` must be a Polars, pandas, DuckDB or Spark frame, not {type(frame).__name__}."
        ) from None
    missing = [column for column in columns if column not in present]
    if not missing:
        return
    hints = {column: difflib.get_close_matches(column, present, n=1) for column in missing}
    listed = ", ".join(
        f"{column!r} (did you mean {hint[0]!r}?)" if hint else repr(column) for column, hint in hints.items()
    )
    quoted = f"`{name}`" if name.isidentifier() else name  # file names are not quoted
    raise SchemaError(
        f"{quoted} has no column{'s' if missing[1:] else ''} {listed}. "
        f"It has: {', '.join(map(repr, present)) or 'no columns'}."
    )


def provenance(manifest: Mapping[str, Any]) -> str:
    """Describe the data's size, source and completeness in a sentence.

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
    text = f"{count('jobs', 'employee' if kind == 'employees' else 'job')} and {count('tasks', 'task')}"
    if manifest.get("pages"):
        text += f" in {count('pages', 'page')}, {count('duplicates', 'duplicate')}"
    elif manifest.get("duplicates"):
        text += f", {count('duplicates', 'duplicate')} skipped"
    if manifest.get("rejects"):
        text += f", {count('rejects', 'invalid record')} skipped"
    families = manifest.get("families", {})
    if families.get("jobs_not_listed"):
        text += f", {families['jobs_not_listed']:,} of them not in {families['source']}"
    if unplaced := manifest.get("taxonomy", {}).get("tasks_without_place"):
        text += f", {unplaced:,} task{'' if unplaced == 1 else 's'} without a place in the taxonomy"
    return f"{text}{_source_note(manifest, kind)}{_imputation_note(manifest.get('imputation'))}."


def _imputation_note(imputation: Mapping[str, Any] | None) -> str:
    rounds: list[str] = []
    while imputation:  # start with the last round
        n = imputation["rows"]
        rounds.insert(0, f"{n:,} task{'' if n == 1 else 's'} by {imputation['method']}")
        imputation = imputation.get("before")
    return f"; hours imputed or adjusted: {', then '.join(rounds)}" if rounds else ""


def _source_note(manifest: Mapping[str, Any], kind: str | None) -> str:
    complete = ", complete" if manifest.get("complete") else ", NOT complete"
    if (manifest.get("request") or {}).get("other_jobs") == "drop":
        complete += " for the requested job families"
    match kind:
        case None:
            return "; source not recorded"
        case "sample":
            state = manifest.get("source", {}).get("state")
            return f"; sample data for a fictional company, as of {state}"
        case "file":
            return " from a file; unknown whether the export was complete"
        case "job":
            return ", loaded individually"
        case "employees":
            pseudonyms = manifest.get("request", {}).get("pseudonyms")
            return f"{complete}; personal data with {'pseudonyms' if pseudonyms else 'employee IDs'}"
    n_listed = manifest.get("jobs_in_tenant_list")
    if n_listed is not None and n_listed != manifest.get("jobs"):
        complete += f", but the tenant's list of jobs has {n_listed:,}"
    return f"{complete}; may be a subset of the tenant"


@dataclass(frozen=True, repr=False, eq=False)
class TaskProfiles:
    """A company's task profiles.

    Attributes
    ----------
    jobs
        One row per job, including jobs without tasks: ``job_id``, ``job_name``, ``job_family_id``, ``job_family``,
        ``job_family_group`` and ``n_tasks``. The columns ``headcount`` (full-time equivalents), ``contract_hours``
        (per week) and ``active`` are optional.
    tasks
        One row per job and task: ``job_id``, ``job_family``, ``task_id``, ``task``, ``validation_state``,
        ``weekly_hours`` (per week, null if unknown) and ``ai_impact_level`` (null if not assessed). Further columns
        contain the rationale, sources, skills and taxonomy path.
    manifest
        Data source and completeness, as JSON-serializable values.
    rejects
        Records skipped with ``on_bad_record="collect"``.

    Notes
    -----
    Tables are loaded as Polars data frames. Measures also accept profiles with Polars lazy frames, or with pandas,
    DuckDB or Spark frames.
    """

    jobs: Any
    tasks: Any
    manifest: dict[str, Any] = field(default_factory=dict)
    rejects: pl.DataFrame = field(default_factory=lambda: empty(REJECTS))
    people: Any = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "manifest", self.manifest or {})  # accept None

    def __repr__(self) -> str:
        if not (isinstance(self.jobs, pl.DataFrame) and isinstance(self.tasks, pl.DataFrame)):
            frame = type(self.tasks)
            text = f"TaskProfiles in a {frame.__module__.split('.')[0]} {frame.__name__}, not counted"
            return f"{text}. Loaded: {provenance(self.manifest)}" if self.manifest else f"{text}."
        counts = {"jobs": self.jobs.height, "tasks": self.tasks.height}
        if counts == {key: self.manifest.get(key, n) for key, n in counts.items()}:
            return f"TaskProfiles: {provenance({**self.manifest, **counts})}"
        return f"TaskProfiles: {counts['jobs']:,} jobs and {counts['tasks']:,} tasks out of {provenance(self.manifest)}"

    def _repr_html_(self) -> str:
        if not (isinstance(self.jobs, pl.DataFrame) and isinstance(self.tasks, pl.DataFrame)):
            return html_lines(repr(self))
        frames = {"jobs": self.jobs, "tasks": self.tasks, "rejects": self.rejects}
        rows = [(name, f"{frame.height:,}", ", ".join(frame.columns)) for name, frame in frames.items() if frame.height]
        return html_lines(repr(self)) + html_table(["table", "rows", "columns"], rows)
