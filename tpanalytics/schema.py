"""Columns, dtypes and constants for task profiles."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

import polars as pl

from tpanalytics._engines import check_engine, unknown_engine, without_arrow
from tpanalytics.errors import ArgumentError, SchemaError
from tpanalytics.formatting import html_lines, html_table, not_profiles, plural

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

__all__ = [
    "AS_OF",
    "COUNTED_STATES",
    "HIERARCHY",
    "IMPUTED",
    "JOBS",
    "LEVELS",
    "NOT_ASSESSED",
    "NO_FAMILY",
    "NO_STATE",
    "OPTIONAL_JOBS",
    "PEOPLE",
    "REJECTS",
    "TASKS",
    "TENANT",
    "History",
    "TaskProfiles",
    "check_profiles",
    "checked_states",
    "counted_states",
    "empty",
    "level_order",
    "provenance",
    "require",
    "to_polars",
]

P = ParamSpec("P")
T = TypeVar("T")

#: Known AI impact levels, from most to least automatable. The data may contain other levels.
LEVELS = ("H1", "H2", "H3", "H4", "H5")
#: Label for a missing level.
NOT_ASSESSED = "not assessed"
#: Label for a missing job family.
NO_FAMILY = "(no job family)"
#: Label for a missing validation state. Tasks without a state are only counted if this label is requested.
NO_STATE = "(no state)"
#: Validation states that measures count by default.
COUNTED_STATES = ("validated", "suggested")
#: Levels of the task taxonomy, from the top.
HIERARCHY = ("domain", "subdomain", "cluster", "canonical_task")
#: Columns of a `History` that tell its snapshots apart.
TENANT, AS_OF = "tenant", "as_of"
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
#: Optional columns in `jobs`: people, full-time equivalents, weekly contract hours, and whether the job is active.
OPTIONAL_JOBS: dict[str, Any] = {
    "headcount": pl.Int64(),
    "fte": pl.Float64(),
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
#: One row per job and combination of the people's attributes, which are columns as well. ``headcount`` counts people,
#: ``fte`` full-time equivalents.
PEOPLE: dict[str, Any] = {"job_id": pl.String(), "headcount": pl.Int64(), "fte": pl.Float64()}
#: One row per record skipped with ``on_bad_record="collect"``. ``raw`` is the original record.
REJECTS: dict[str, Any] = {
    "where": pl.String(),
    "job_id": pl.String(),
    "path": pl.String(),
    "reason": pl.String(),
    "raw": pl.String(),
}


def checked_states(states: Sequence[str]) -> list[str]:
    """Return the validation states as a list. Raise an error if they are invalid, empty or include 'rejected'."""
    is_list = isinstance(states, Sequence) and not isinstance(states, str) and len(states) > 0
    if not is_list or not all(isinstance(state, str) for state in states):
        raise ArgumentError(f"`states` must be a list of validation states like ['validated'], not {states!r}.")
    if "rejected" in states:
        raise ArgumentError("`states` must not contain 'rejected'. Rejected tasks are never counted.")
    return list(states)


def check_profiles(profiles: Any, argument: str = "profiles") -> None:
    """Raise an error if the argument is not a `TaskProfiles` with frames of a supported engine."""
    if not isinstance(profiles, TaskProfiles):
        raise SchemaError(not_profiles(argument, profiles))
    for name in ("jobs", "tasks", "people"):
        if (frame := getattr(profiles, name)) is not None or name != "people":
            check_engine(name, frame)


def counted_states(states: Sequence[str] | None, *profiles: TaskProfiles) -> list[str]:
    """Return the validation states to count: `states`, or the default of the profiles if None."""
    for each in profiles:
        check_profiles(each)
    if states is not None:
        return checked_states(states)
    defaults = [checked_states(each.manifest.get("states") or COUNTED_STATES) for each in profiles]
    different = next((default for default in defaults if set(default) != set(defaults[0])), None)
    if different is not None:
        raise ArgumentError(
            f"`states` must be given, because the snapshots count different states by default, {defaults[0]} and "
            f"{different}."
        )
    return defaults[0]


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


def to_polars(native: Any) -> pl.DataFrame:
    """Convert a small frame from any engine to Polars. Only Spark frames require pyarrow."""
    import narwhals as nw

    native = without_arrow(native)
    if isinstance(native, pl.DataFrame):
        return native
    if isinstance(native, pl.LazyFrame):
        return native.collect(engine="streaming")  # the default since Polars 2; saves memory in older versions
    try:
        frame = nw.from_native(native).lazy()
    except TypeError:
        raise unknown_engine("the table", native) from None
    except nw.exceptions.DuplicateError as error:
        name = str(error).partition("'")[2].partition("'")[0]
        raise SchemaError(
            f"the column {name!r} is in the frame more than once. Rename or remove all but one."
        ) from None
    if frame.implementation.is_duckdb():
        return pl.DataFrame(frame.to_native())
    columns = frame.collect().to_dict(as_series=False)
    return pl.DataFrame([_series(str(name), values) for name, values in columns.items()])


def _series(name: str, values: list[Any]) -> pl.Series:
    """Return a column of any engine. Mixed values become text, and NaN, which pandas uses for missing values, null."""
    try:
        return pl.Series(name, [None if v != v else v for v in values])
    except (TypeError, ValueError, OverflowError):  # pandas.NA, arrays, or values of different types
        plain = [_plain(value) for value in values]
    if any(isinstance(value, str) for value in plain):  # don't write 11 as 11.0
        plain = [int(v) if isinstance(v, float) and v.is_integer() else v for v in plain]
    return pl.Series(name, plain, strict=False)


def _plain(value: Any) -> Any:
    """Return a value without types of numpy and pandas."""
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if hasattr(value, "tolist") and getattr(value, "ndim", None):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    try:
        return None if value != value else value
    except TypeError:  # pandas.NA
        return None


def require(frame: Any, *columns: str, name: str = "frame") -> None:
    """Raise a `SchemaError` if `frame` is missing any of `columns`. No rows are read."""
    import narwhals as nw

    try:
        present = nw.from_native(frame).collect_schema().names()
    except TypeError:
        raise unknown_engine(f"`{name}`", frame) from None
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
        case "frames":
            source = manifest["source"]
            when = f", as of {source['as_of']}" if source.get("as_of") else ""
            return f" from {source.get('name') or 'a data frame'}{when}; unknown whether the data is complete"
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
        ``job_family_group`` and ``n_tasks``. The columns ``headcount`` (people), ``fte`` (full-time equivalents),
        ``contract_hours`` (per week) and ``active`` are optional.
    tasks
        One row per job and task: ``job_id``, ``job_family``, ``task_id``, ``task``, ``validation_state``,
        ``weekly_hours`` (per week, null if unknown) and ``ai_impact_level`` (null if not assessed). Further columns
        contain the rationale, sources, skills and taxonomy path.
    manifest
        Data source and completeness, as JSON-serializable values.
    rejects
        Records skipped with ``on_bad_record="collect"``.
    people
        One row per job and combination of attributes such as a country: ``job_id``, the attributes, ``headcount``
        (people) and ``fte`` (full-time equivalents), null if unknown. None unless added by `assign_people`.

    Notes
    -----
    Tables are loaded as Polars data frames. Measures also accept profiles with Polars lazy frames, or with pandas,
    DuckDB, Spark, Dask or Ibis frames. Arrow tables are converted to Polars.
    """

    jobs: Any
    tasks: Any
    manifest: dict[str, Any] = field(default_factory=dict)
    rejects: pl.DataFrame = field(default_factory=lambda: empty(REJECTS))
    people: Any = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "manifest", self.manifest or {})  # accept None
        for name in ("jobs", "tasks", "people"):
            object.__setattr__(self, name, without_arrow(getattr(self, name)))

    def __repr__(self) -> str:
        if not (isinstance(self.jobs, pl.DataFrame) and isinstance(self.tasks, pl.DataFrame)):
            frame = type(self.tasks)
            text = f"TaskProfiles in a {frame.__module__.split('.')[0]} {frame.__name__}, not counted"
            text = f"{text}. Loaded: {provenance(self.manifest)}" if self.manifest else f"{text}."
            return text + _people_note(self.people, self.manifest)
        counts = {"jobs": self.jobs.height, "tasks": self.tasks.height}
        if counts == {key: self.manifest.get(key, n) for key, n in counts.items()}:
            text = f"TaskProfiles: {provenance({**self.manifest, **counts})}"
        else:
            size = f"{counts['jobs']:,} jobs and {counts['tasks']:,} tasks"
            text = f"TaskProfiles: {size} out of {provenance(self.manifest)}"
        return text + _people_note(self.people, self.manifest)

    def _repr_html_(self) -> str:
        if not (isinstance(self.jobs, pl.DataFrame) and isinstance(self.tasks, pl.DataFrame)):
            return html_lines(repr(self))
        people = {} if self.people is None else {"people": self.people}
        frames = {"jobs": self.jobs, "tasks": self.tasks, **people, "rejects": self.rejects}
        rows = [(name, f"{frame.height:,}", ", ".join(frame.columns)) for name, frame in frames.items() if frame.height]
        return html_lines(repr(self)) + html_table(["table", "rows", "columns"], rows)

    def filter(
        self, *predicates: pl.Expr | pl.Series | bool, states: Sequence[str] | None = None, **values: Any
    ) -> TaskProfiles:
        """Return the matching jobs, with their tasks and people.

        With a column of `people`, only the matching people are kept, and the jobs that have some. The headcount and
        full-time equivalents of a job then count its matching people. Rows are excluded if a predicate is null, as in
        `polars.DataFrame.filter`. Lazy frames remain lazy.

        Parameters
        ----------
        *predicates
            Polars expressions of columns of `jobs` or `people`.
        states
            Validation states that measures count by default, such as ``["validated"]``. No tasks are removed. None
            does not change the default.
        **values
            The value of a column of `jobs` or `people`, or a list of values. A column of both is read from `jobs`.

        Returns
        -------
        TaskProfiles
            The matching jobs, tasks and people. The manifest still describes the full export, while the repr shows the
            size of the selection.

        Raises
        ------
        SchemaError
            If the frames are not Polars frames, or if a column is missing.
        ArgumentError
            If a predicate is not a Polars expression, or `states` is not a list of states.

        Warns
        -----
        TpAnalyticsWarning
            If no row has one of the `values`.

        Examples
        --------
        >>> import polars as pl
        >>> from tpanalytics import hours, load_sample
        >>> large = load_sample().filter(pl.col("headcount") >= 50, job_family_group="Operations")
        >>> hours(large).select("job_family", "jobs").rows()
        [('Manufacturing', 5), ('Quality and Calibration', 2), ('Supply Chain and Logistics', 1)]
        """
        from tpanalytics._filter import filter_tables

        jobs, tasks, people = filter_tables(self.jobs, self.tasks, self.people, predicates, values, self._keys())
        manifest = self.manifest if states is None else {**self.manifest, "states": checked_states(states)}
        return replace(self, jobs=jobs, tasks=tasks, people=people, manifest=manifest)

    def _keys(self) -> tuple[str, ...]:
        """Return the columns that identify a job."""
        return ("job_id",)

    def pipe(self, function: Callable[Concatenate[TaskProfiles, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a function with the task profiles as its first argument, to write calls in the order they run.

        Parameters
        ----------
        function
            A function of task profiles, such as a measure or a chart.
        *args, **kwargs
            Further arguments of the function.

        Returns
        -------
        Any
            The result of the function.

        Examples
        --------
        >>> from tpanalytics import hours, load_sample
        >>> load_sample().filter(job_family="Sales").pipe(hours, by=None)["jobs"].item()
        15
        """
        return function(self, *args, **kwargs)


def _people_note(people: Any, manifest: Mapping[str, Any]) -> str:
    """Return a sentence about the people and the rows of the roster that match no job."""
    if people is None:
        return ""
    if not isinstance(people, pl.DataFrame):
        return " With people, not counted."
    attributes = [name for name in people.columns if name not in PEOPLE]
    unknown = not people.height or people.get_column("headcount").null_count()
    counted = "people" if unknown else f"{people.get_column('headcount').sum():,} people"
    jobs = people.get_column("job_id").n_unique()
    text = f" With {counted} in {jobs:,} job{'' if jobs == 1 else 's'}"
    text += f" by {', '.join(attributes)}" if attributes else ""
    notes = manifest.get("people", {})
    if notes.get("rows_not_matched"):
        text += f"; {notes['rows_not_matched']:,} of {notes['rows']:,} rows of {notes['source']} match no job"
    return f"{text}."


#: Number of snapshots that the repr of a `History` lists.
_LISTED = 12


@dataclass(frozen=True, repr=False, eq=False)
class History(TaskProfiles):
    """Task profiles of one or more companies at several dates, returned by `read_history`.

    A measure refuses a history unless `by` includes ``"as_of"``, and ``"tenant"`` if there are several tenants, so that
    snapshots are never added up by mistake. To build one from frames of another engine, pass frames with the two extra
    columns: ``History(jobs, tasks)``.

    Attributes
    ----------
    jobs, tasks, people
        The tables of all snapshots, as in `TaskProfiles`, with the extra columns ``tenant`` (String, null if unknown)
        and ``as_of`` (Date). A job is identified by tenant, date and ``job_id``.
    manifest
        The manifests of the snapshots, in ``manifest["snapshots"]``.
    rejects
        Records skipped while exporting, with the extra columns.
    """

    @property
    def snapshots(self) -> pl.DataFrame:
        """The snapshots by tenant and date: ``tenant, as_of, jobs, tasks, folder``. Empty if they are not recorded."""
        schema = {TENANT: pl.String, AS_OF: pl.Date, "jobs": pl.Int64, "tasks": pl.Int64, "folder": pl.String}
        rows = [
            {**{name: entry.get(name) for name in schema}, AS_OF: date.fromisoformat(entry[AS_OF])}
            for entry in self.manifest.get("snapshots", ())
        ]
        return pl.DataFrame(rows, schema=schema, orient="row").sort(TENANT, AS_OF, nulls_last=True)

    def at(self, as_of: date | str, tenant: str | None = None) -> TaskProfiles:
        """Return the task profiles of one snapshot.

        Parameters
        ----------
        as_of
            Date of the snapshot, as a `datetime.date` or a text like ``"2026-05-01"``. A month with one date is enough.
        tenant
            Tenant of the snapshot. Only needed if several tenants have a snapshot of this date.

        Returns
        -------
        TaskProfiles
            The snapshot, without the columns ``tenant`` and ``as_of``. Its frames are of the same engine.

        Raises
        ------
        ArgumentError
            If there is no such snapshot, or more than one.

        Examples
        --------
        >>> from tpanalytics import load_sample, read_history, write_profiles
        >>> _ = write_profiles(load_sample(), "snapshots/2026-05")
        >>> read_history("snapshots").at("2026-05-01").tasks.collect().height
        5825
        """
        day = self._day_of(as_of)
        found, snapshots = self._tenants_at(day), self.snapshots
        matching = found if tenant is None else [name for name in found if name == tenant]
        if len(matching) != 1:
            choices = ", ".join(repr(name) for name in found)
            if found:
                raise ArgumentError(
                    f"`tenant` must be one of those with a snapshot of {day} ({choices}), not {tenant!r}."
                )
            days = ", ".join(str(value) for value in snapshots.get_column(AS_OF).unique().sort())
            raise ArgumentError(f"`as_of` must be the date of a snapshot{f' ({days})' if days else ''}, not {as_of!r}.")
        entries = [
            entry
            for entry in self.manifest.get("snapshots", ())
            if entry[AS_OF] == str(day) and entry.get(TENANT) == matching[0]
        ]
        tables = [_rows_of(frame, matching[0], day) for frame in (self.jobs, self.tasks, self.people)]
        manifest = dict(entries[0]["manifest"]) if entries else {}
        return TaskProfiles(tables[0], tables[1], manifest, _rows_of(self.rejects, matching[0], day), people=tables[2])

    def _day_of(self, as_of: Any) -> date:
        days = [day for day in self.snapshots.get_column(AS_OF).unique().sort() if f"{day:%Y-%m}" == as_of]
        if len(days) > 1:
            raise ArgumentError(f"`as_of` must be one date ({', '.join(map(str, days))}), not {as_of!r}.")
        return days[0] if days else _checked_day(as_of)

    def _keys(self) -> tuple[str, ...]:
        return (TENANT, AS_OF, "job_id")

    def _tenants_at(self, day: date) -> list[str | None]:
        """Return the tenants with a snapshot of this date."""
        if self.manifest.get("snapshots"):
            return self.snapshots.filter(pl.col(AS_OF) == day).get_column(TENANT).to_list()
        import narwhals as nw

        require(self.jobs, TENANT, AS_OF, name="jobs")
        frame = nw.from_native(self.jobs).lazy().filter(nw.col(AS_OF) == day)
        return to_polars(frame.select(TENANT).unique().to_native()).get_column(TENANT).to_list()

    def __repr__(self) -> str:
        snapshots = self.snapshots
        if not snapshots.height:
            frame = type(self.tasks)
            return f"History in a {frame.__module__.split('.')[0]} {frame.__name__}, not counted."
        lines = [f"History of {plural(snapshots.height, 'snapshot')}:"]
        for tenant, day, n_jobs, n_tasks, _ in snapshots.head(_LISTED).rows():
            whose = f"{tenant}, " if tenant else ""
            lines.append(f"{whose}{day}: {plural(n_jobs or 0, 'job')}, {plural(n_tasks or 0, 'task')}")
        if snapshots.height > _LISTED:
            lines.append(f"and {plural(snapshots.height - _LISTED, 'more snapshot')}")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        snapshots = self.snapshots
        if not snapshots.height:
            return html_lines(repr(self))
        rows = [
            (tenant or "", str(day), f"{jobs or 0:,}", f"{tasks or 0:,}", folder or "")
            for tenant, day, jobs, tasks, folder in snapshots.rows()
        ]
        return html_lines(repr(self).split("\n")[0]) + html_table(snapshots.columns, rows)


def _checked_day(as_of: Any) -> date:
    if isinstance(as_of, date):
        return date(as_of.year, as_of.month, as_of.day)
    try:
        return date.fromisoformat(as_of)
    except (TypeError, ValueError):
        raise ArgumentError(f"`as_of` must be a date like '2026-05-01', not {as_of!r}.") from None


def _rows_of(frame: Any, tenant: str | None, day: date) -> Any:
    """Return the rows of one snapshot, without the columns that identify it."""
    import narwhals as nw

    if frame is None:
        return None
    native = nw.from_native(frame)
    if TENANT not in native.collect_schema().names():  # a history without rejects
        return frame
    of_tenant = nw.col(TENANT).is_null() if tenant is None else nw.col(TENANT) == tenant
    return native.filter(of_tenant, nw.col(AS_OF) == day).drop(TENANT, AS_OF).to_native()
