"""Build task profiles from tables that were not exported from the service."""

from __future__ import annotations

import difflib
import functools
import operator
from collections.abc import Mapping
from contextlib import contextmanager, suppress
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import msgspec
import narwhals as nw
import polars as pl

from tpanalytics import schema
from tpanalytics._version import __version__
from tpanalytics.errors import ArgumentError, SchemaError, TpAnalyticsError, warn
from tpanalytics.formatting import clean_text, listed, plural
from tpanalytics.profiles.completeness import warn_of_levels
from tpanalytics.profiles.headings import columns_argument, similar_headings
from tpanalytics.profiles.tables import (
    Table,
    as_numbers,
    check_unique,
    clean_heading,
    is_path,
    missing_columns,
    missing_of,
    new_names,
    raise_for_number,
    read_table,
)
from tpanalytics.schema import TaskProfiles, to_polars

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

__all__ = ["from_frames"]

_CALL = "from_frames(tasks, {columns})"
_REQUIRED: list[str | tuple[str, ...]] = ["job_id", ("task", "task_id")]
_TEXTS = [name for name, dtype in schema.TASKS.items() if dtype == pl.String]
_NESTED = [name for name, dtype in schema.TASKS.items() if isinstance(dtype, pl.List)]
_JOB_TEXTS = [name for name, dtype in schema.JOBS.items() if dtype == pl.String]
_JOB_NUMBERS = {name: dtype for name, dtype in schema.OPTIONAL_JOBS.items() if dtype.is_numeric()}
#: Columns of a job, which are constant for its tasks.
_OF_JOBS = [*_JOB_TEXTS[1:], *schema.OPTIONAL_JOBS]
_KNOWN = [*schema.TASKS, *_OF_JOBS]
#: Columns without which most measures return nothing.
_EXPECTED = ("weekly_hours", "ai_impact_level", "validation_state")
_TRUE, _FALSE = ("true", "1", "1.0", "yes"), ("false", "0", "0.0", "no")
#: Columns of counts while jobs are built.
_N_ROWS, _N_STATES = "number of rows", "number of states"
_FILL_IN = "Fill it in, or remove the rows."
_LISTS: dict[str, Any] = {
    "source_data": list[str | None],
    "linked_skills": list[dict[Literal["skill_id", "skill"], str | None]],
    "hierarchy": list[str | None],
}


def from_frames(
    tasks: str | Path | Any,
    jobs: str | Path | Any | None = None,
    *,
    columns: Mapping[str, str] | None = None,
    source: str | None = None,
    as_of: str | date | None = None,
    sheet: str | int | None = None,
) -> TaskProfiles:
    """Build task profiles from a table of tasks, such as a colleague's CSV file or data frame.

    Only ``job_id`` and ``task`` or ``task_id`` are required. Other documented columns are null if they are missing.
    Further columns are kept, so that measures can use them as `by`. Ids stay text, including leading zeros. If the
    tasks have no validation state, measures count all of them unless you pass `states`.

    Parameters
    ----------
    tasks
        One row per job and task: the path of a CSV or XLSX file, or a Polars, pandas, DuckDB, Spark or Ibis frame. A
        row with neither ``task`` nor ``task_id`` represents a job without tasks. Documented columns:

        =======================  ======================================================================
        ``job_id``               job id, text or whole numbers
        ``task_id``              task id; the same task has the same id in every job
        ``task``                 text of the task
        ``validation_state``     ``validated``, ``suggested`` or ``rejected``
        ``weekly_hours``         hours per week, 0 or more
        ``ai_impact_level``      ``H1`` to ``H5``, in capital or small letters
        ``ai_impact_rationale``  reason for the level
        ``source_data``          list of sources
        ``linked_skills``        list of skills, each with ``skill_id`` and ``skill``
        ``hierarchy``            list with the path in the taxonomy: domain, subdomain, cluster, canonical task
        =======================  ======================================================================
    jobs
        One row per job, as a path or a frame. Documented columns: ``job_id``, ``job_name``, ``job_family_id``,
        ``job_family`` (the id, if it is missing), ``job_family_group``, ``headcount`` (people), ``fte`` (full-time
        equivalents), ``contract_hours`` (hours per week) and ``active``. Jobs of `tasks` that are missing here are
        added, with a warning. If None, the jobs are those of `tasks`, with these columns and all other columns that
        have one value per job.
    columns
        New names of columns, as ``{theirs: ours}``. Names apply to both tables.
    source
        Where the data came from, for captions and reports. By default, the file name.
    as_of
        Date of the data, such as ``"2026-11-30"`` or ``"2026-11"``.
    sheet
        Name or number (from 1) of the sheet with the tasks, if they are in a workbook. By default, the first one. For
        jobs on another sheet, pass ``pl.read_excel(path, sheet_name=...)``.

    Returns
    -------
    TaskProfiles
        Jobs and tasks as Polars frames. Tasks in lazy Polars, DuckDB, Spark and Ibis frames stay on their engine; their
        jobs are counted at once.

    Raises
    ------
    SchemaError
        If a column is missing, a value is invalid or can't be converted without loss, a job id is empty or repeated in
        `jobs`, a job has two values of a documented column, or no job of `tasks` is in `jobs`.
    ArgumentError
        If `columns`, `source` or `as_of` is invalid.
    ConfigError
        If a file can't be read, or a workbook is passed without the extra ``excel``.

    Warns
    -----
    TpAnalyticsWarning
        If jobs of `tasks` are missing from `jobs`, a column with another name seems to contain the hours, AI impact
        level or validation state, or there are AI impact levels other than H1 to H5.

    Examples
    --------
    >>> import polars as pl
    >>> from tpanalytics import hours
    >>> tasks = pl.DataFrame({"Job": ["0101", "0101"], "task": ["Plan", "Report"], "h": [3.5, 2.0], "site": ["A", "A"]})
    >>> profiles = from_frames(tasks, columns={"Job": "job_id", "h": "weekly_hours"}, as_of="2026-11")
    >>> profiles
    TaskProfiles: 1 job and 2 tasks from a data frame, as of 2026-11; unknown whether the data is complete.
    >>> hours(profiles, by="site").select("site", "hours").rows()
    [('A', 5.5)]
    """
    _check_columns(columns)
    described = _described(tasks, source, as_of)
    read = _read_lazy(tasks, columns or {}) if _is_lazy(tasks) else _read_tasks(tasks, columns, sheet)
    read = read._replace(frame=_with_levels_in_capitals(read.frame))
    listed_jobs = None if jobs is None else _read_jobs(jobs, columns)
    _check_renamed(columns, read, listed_jobs)
    _warn_of_similar(read)
    of_tasks = _jobs_of_tasks(read, None if listed_jobs is None else listed_jobs.frame.columns)
    all_jobs, notes = (of_tasks, {}) if listed_jobs is None else _joined(listed_jobs, of_tasks, read.name)
    counts = {"jobs": all_jobs.height, "tasks": int(of_tasks.get_column("n_tasks").sum())}
    manifest = {"tpanalytics": __version__, "source": described, **counts, **notes}
    if counts["tasks"] and not of_tasks.get_column(_N_STATES).sum():
        manifest["states"] = [schema.NO_STATE]
    if levels := _unknown_levels(read):
        manifest["unknown_levels"] = levels
        warn_of_levels(levels, read.name)
    complete = _with_documented_columns(all_jobs)
    all_described = of_tasks.get_column(_N_ROWS).sum() == counts["tasks"]
    return TaskProfiles(complete, _finished(read, complete, all_described=all_described), manifest)


class _Tasks(NamedTuple):
    """Tasks with documented names and dtypes, on their engine."""

    frame: Any
    name: str
    headings: tuple[str, ...]
    renamed: Mapping[str, str]


def _check_columns(columns: Any) -> None:
    if columns is not None and not (
        isinstance(columns, Mapping)
        and all(isinstance(name, str) and name for pair in columns.items() for name in pair)
    ):
        raise ArgumentError(f'`columns` must be a dict like {{"Hours / week": "weekly_hours"}}, not {columns!r}.')


def _described(tasks: Any, source: Any, as_of: Any) -> dict[str, Any]:
    """Return the source of the data for the manifest."""
    if source is not None and not (isinstance(source, str) and source.strip()):
        raise ArgumentError(f"`source` must be a text like 'HR, November', or None, not {source!r}.")
    name = clean_text(source.strip()) if source else Path(tasks).name if is_path(tasks) else None
    return {"kind": "frames", "name": name, "as_of": None if as_of is None else _checked_date(as_of)}


def _checked_date(as_of: Any) -> str:
    if isinstance(as_of, date):
        return f"{as_of:%Y-%m-%d}"
    with suppress(TypeError, ValueError):
        date.fromisoformat(f"{as_of}-01" if len(as_of) == 7 else as_of)
        return str(as_of)
    raise ArgumentError(f"`as_of` must be a date like '2026-11-30' or '2026-11', or None, not {as_of!r}.")


def _is_lazy(tasks: Any) -> bool:
    if is_path(tasks):
        return False
    try:
        return isinstance(nw.from_native(tasks, pass_through=True), nw.LazyFrame)
    except nw.exceptions.NarwhalsError:  # reported by `read_table`
        return False


def _read_tasks(tasks: Any, columns: Mapping[str, str] | None, sheet: str | int | None) -> _Tasks:
    numbers = {"weekly_hours": pl.Float64(), **_JOB_NUMBERS}
    table = read_table(
        tasks, "tasks", _REQUIRED, [*_TEXTS, *_JOB_TEXTS], numbers=numbers, columns=columns, call=_CALL, sheet=sheet
    )
    empty_ids = table.frame.get_column("job_id").is_null().arg_true()
    if empty_ids.len():
        raise table.error(int(empty_ids[0]), f"`job_id` is empty ({plural(empty_ids.len(), 'row')}). {_FILL_IN}")
    for name in _NESTED:
        if name in table.frame.columns:
            table = table.with_column(_lists(table, name))
    if "active" in table.frame.columns:
        table = table.with_column(_flags(table, "active"))
    return _Tasks(table.frame, table.name, table.headings, table.renamed)


def _lists(table: Table, column: str) -> pl.Series:
    """Return a column of lists. Text is decoded as JSON, which is how tables with lists are saved as CSV files."""
    values, dtype = table.frame.get_column(column), schema.TASKS[column]
    if values.dtype == pl.String:
        decoded: list[Any] = []
        for row, text in enumerate(values):
            try:
                decoded.append(None if text is None else msgspec.json.decode(text, type=_LISTS[column]))
            except (msgspec.DecodeError, msgspec.ValidationError):
                raise table.error(row, f"`{column}` must be a list in JSON. Convert it, or leave it out.") from None
        return pl.Series(column, [rows and msgspec.to_builtins(rows) for rows in decoded], dtype)
    inner = getattr(values.dtype, "inner", None)
    fields = {field.name for field in getattr(inner, "fields", ())}
    if fields <= {"skill_id", "skill"} and (values.dtype == pl.Null or inner is not None):
        with suppress(pl.exceptions.PolarsError):
            return values.cast(dtype)
    raise SchemaError(f"{table.name}: `{column}` must be {dtype}, not {values.dtype}. Convert it, or leave it out.")


def _flags(table: Table, column: str) -> pl.Series:
    values = table.frame.get_column(column)
    if values.dtype == pl.Boolean:
        return values
    text = values.cast(pl.String).str.to_lowercase()
    flags = text.replace_strict(
        dict.fromkeys(_TRUE, True) | dict.fromkeys(_FALSE, False), default=None, return_dtype=pl.Boolean
    )
    invalid = (flags.is_null() & text.is_not_null()).arg_true()
    if invalid.len():
        row = int(invalid[0])
        raise table.error(row, f"`{column}` must be true or false, not {values[row]!r}. Correct it, or leave it empty.")
    return flags


def _read_jobs(jobs: Any, columns: Mapping[str, str] | None) -> Table:
    table = read_table(
        jobs,
        "jobs",
        ["job_id"],
        _JOB_TEXTS,
        numbers=_JOB_NUMBERS,
        columns=columns,
        call="from_frames(tasks, jobs, {columns})",
    )
    check_unique(table, "job_id")
    return table.with_column(_flags(table, "active")) if "active" in table.frame.columns else table


def _check_renamed(columns: Mapping[str, str] | None, tasks: _Tasks, jobs: Table | None) -> None:
    headings = [*tasks.headings, *(() if jobs is None else jobs.headings)]
    for theirs in columns or ():
        if clean_heading(theirs) not in headings:
            near = difflib.get_close_matches(theirs, headings, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {listed(map(repr, headings))}"
            raise SchemaError(f"`columns`: {theirs!r} is not a column of the tables ({hint}). Correct or remove it.")


def _warn_of_similar(tasks: _Tasks) -> None:
    present = set(tasks.headings) - set(tasks.renamed.values()) | set(tasks.renamed)
    free = [heading for heading in tasks.headings if heading in present and heading not in _KNOWN]
    found = similar_headings([name for name in _EXPECTED if name not in present], free)
    if found:
        warn(
            f"{tasks.name} has no column {listed(map(repr, found.values()))}, but {listed(map(repr, found))}, which "
            f"may be meant. Pass {columns_argument(found.items())}, or rename {'them' if len(found) > 1 else 'it'}."
        )


def _read_lazy(tasks: Any, columns: Mapping[str, str]) -> _Tasks:
    """Rename and cast columns of a lazy frame. Only hours stored as text require reading rows."""
    name = "the tasks table"
    frame = nw.from_native(tasks)
    with _engine_errors(tasks):
        original = frame.collect_schema().names()
        headings = [clean_heading(heading) for heading in original]
        names = new_names(headings, columns, name)
        renamed = {ours: theirs for theirs, ours in zip(headings, names, strict=True) if theirs != ours}
        missing = missing_of(_REQUIRED, names)
        if missing:
            raise missing_columns(name, headings, missing, _KNOWN, renamed, _CALL)
        frame = frame.rename({old: new for old, new in zip(original, names, strict=True) if old != new})
        dtypes = frame.collect_schema()
        casts = [_text_of(column, dtypes[column], name) for column in (*_TEXTS, *_JOB_TEXTS[1:]) if column in dtypes]
        if "weekly_hours" in dtypes:
            casts.append(_hours_of(frame, dtypes["weekly_hours"], name))
        if casts := [cast for cast in casts if cast is not None]:
            frame = frame.with_columns(*casts)
    return _Tasks(frame.to_native(), name, tuple(headings), renamed)


def _with_levels_in_capitals(tasks: Any) -> Any:
    """Replace levels such as "h1" by "H1"."""
    frame, column = nw.from_native(tasks), "ai_impact_level"
    if frame.collect_schema().get(column) != nw.String:
        return tasks
    capitals = nw.col(column).str.strip_chars().str.to_uppercase()
    level = nw.when(capitals.is_in(schema.LEVELS)).then(capitals).otherwise(nw.col(column))
    return frame.with_columns(level.alias(column)).to_native()


@contextmanager
def _engine_errors(tasks: Any) -> Iterator[None]:
    try:
        yield
    except TpAnalyticsError:
        raise
    except Exception as error:  # each engine has exceptions of its own
        engine = type(tasks).__module__.split(".")[0]
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise SchemaError(
            f"`tasks` cannot be read by {engine}: {reason[:200]}. Check the query or its files."
        ) from error


def _text_of(column: str, dtype: Any, name: str) -> Any:
    if dtype == nw.String:
        return None
    if dtype.is_nested() or dtype in (nw.Object, nw.Binary) or (column.endswith("_id") and not _is_exact_id(dtype)):
        expected = "text or whole numbers" if column.endswith("_id") else "text"
        raise SchemaError(f"{name}: `{column}` must be {expected}, not {dtype}. Convert it first.")
    return nw.col(column).cast(nw.String)


def _is_exact_id(dtype: Any) -> bool:
    return bool(dtype.is_integer()) or dtype in (nw.Categorical, nw.Enum, nw.Unknown)


def _hours_of(frame: Any, dtype: Any, name: str) -> Any:
    column = "weekly_hours"
    if dtype.is_numeric():
        return None if dtype == nw.Float64 else nw.col(column).cast(nw.Float64)
    if dtype != nw.String:
        raise SchemaError(f"{name}: `{column}` must be a number, not {dtype}. Convert it first.")
    is_number = nw.col(column).str.contains(r"^\s*[0-9]+([.][0-9]*)?\s*$")
    invalid = to_polars(
        frame.filter(~nw.col(column).is_null(), ~is_number).select("job_id", column).head(1).to_native()
    )
    if invalid.height:
        raise_for_number(_of_engine(invalid, name), column, [0])
    return nw.col(column).str.strip_chars().cast(nw.Float64)


def _of_engine(
    frame: pl.DataFrame, name: str, headings: Sequence[str] = (), renamed: Mapping[str, str] | None = None
) -> Table:
    """Return a small table read from an engine, whose rows have no fixed order."""
    return Table(frame, name, tuple(headings), lambda _: "", renamed or {}, _CALL)


def _jobs_of_tasks(tasks: _Tasks, listed: Sequence[str] | None) -> pl.DataFrame:
    """Count the tasks of each job, and return the columns that have one value per job."""
    frame = nw.from_native(tasks.frame).lazy()
    with _engine_errors(tasks.frame):
        dtypes = frame.collect_schema()
        columns = {
            name: f"value {i}"
            for i, (name, dtype) in enumerate(dtypes.items())
            if name not in (listed or ())
            and (name in _OF_JOBS or (listed is None and name not in schema.TASKS and _is_scalar(dtype)))
        }
        summed = _summed(frame, dtypes, columns)
    empty_ids = summed.filter(pl.col("job_id").is_null())
    if empty_ids.height:
        raise SchemaError(f"{tasks.name}: `job_id` is empty ({plural(empty_ids[_N_ROWS].item(), 'row')}). {_FILL_IN}")
    undescribed = summed.filter(pl.col("undescribed") > 0)
    if undescribed.height:
        raise SchemaError(
            f"{tasks.name}: a row of job {undescribed['job_id'][0]!r} has hours or an AI impact level but no task "
            f"({plural(undescribed['undescribed'].sum(), 'row')}). Fill in the task, or remove the row."
        )
    if isinstance(tasks.frame, pl.DataFrame):
        order = tasks.frame.select("job_id").unique(maintain_order=True)
        summed = order.join(summed, on="job_id", how="left", maintain_order="left")
    else:
        summed = summed.sort("job_id")
    kept = [_one_value(summed, name, alias, dtypes[name], tasks.name) for name, alias in columns.items()]
    jobs = summed.select("job_id", "n_tasks", _N_ROWS, _N_STATES).with_columns(
        *(one for one in kept if one is not None)
    )
    return _converted(_of_engine(jobs, tasks.name, tasks.headings, tasks.renamed))


def _is_scalar(dtype: Any) -> bool:
    return dtype.is_numeric() or dtype in (nw.String, nw.Categorical, nw.Enum, nw.Boolean, nw.Date, nw.Datetime)


def _summed(frame: Any, dtypes: Any, columns: Mapping[str, str]) -> pl.DataFrame:
    """Aggregate the tasks by job on their engine."""
    known = [name for name in ("weekly_hours", "ai_impact_level") if name in dtypes]
    described = _any_known(name for name in ("task", "task_id") if name in dtypes)
    undescribed = ~described & _any_known(known) if known else nw.lit(value=False)
    state = nw.col("validation_state") if "validation_state" in dtypes else nw.lit(None, dtype=nw.String)
    values = {alias: _ordered(name, dtypes[name]) for name, alias in columns.items()}
    rows = frame.select(
        "job_id", n_tasks=described.cast(nw.Int64), undescribed=undescribed.cast(nw.Int64), state=state, **values
    )
    parts = {
        f"{part} of {alias}": getattr(nw.col(alias), part)() for alias in values for part in ("min", "max", "count")
    }
    summed = rows.group_by("job_id").agg(
        nw.len().alias(_N_ROWS),
        nw.col("n_tasks", "undescribed").sum(),
        nw.col("state").count().alias(_N_STATES),
        **parts,
    )
    return to_polars(summed.to_native())


def _unknown_levels(tasks: _Tasks) -> dict[str, int]:
    """Count the tasks with levels other than H1 to H5, by level."""
    frame = nw.from_native(tasks.frame).lazy()
    if "ai_impact_level" not in frame.collect_schema():
        return {}
    with _engine_errors(tasks.frame):
        counts = to_polars(frame.group_by("ai_impact_level").agg(nw.len().alias("n")).to_native())
    counts = counts.drop_nulls().filter(~pl.col("ai_impact_level").is_in(schema.LEVELS)).sort("ai_impact_level")
    return dict(counts.select("ai_impact_level", "n").rows())


def _any_known(names: Iterable[str]) -> Any:
    return functools.reduce(operator.or_, (~nw.col(name).is_null() for name in names))


def _ordered(name: str, dtype: Any) -> Any:
    """Return the column with a dtype that all engines can compare."""
    if dtype == nw.Boolean:
        return nw.col(name).cast(nw.Int8)
    return nw.col(name).cast(nw.String) if dtype in (nw.Categorical, nw.Enum) else nw.col(name)


def _one_value(summed: pl.DataFrame, name: str, alias: str, dtype: Any, source: str) -> pl.Series | None:
    """Return the value per job, or None if a column of the user has several."""
    low, high, known = (summed.get_column(f"{part} of {alias}") for part in ("min", "max", "count"))
    differing = (low != high).arg_true()
    if name in _OF_JOBS and differing.len():
        row = int(differing[0])
        raise SchemaError(
            f"{source}: `{name}` must have one value per job, but job {summed['job_id'][row]!r} has {low[row]!r} and "
            f"{high[row]!r}. Correct it, or pass `jobs` with one row per job."
        )
    complete = (known == summed.get_column(_N_ROWS)) | (known == 0)
    if name not in _OF_JOBS and (differing.len() or not known.sum() or not complete.all()):
        return None
    return (low.cast(pl.Boolean) if dtype == nw.Boolean else low).alias(name)


def _converted(table: Table) -> pl.DataFrame:
    """Convert the numbers and flags of jobs that were read from an engine."""
    for name, dtype in _JOB_NUMBERS.items():
        if name in table.frame.columns:
            table = table.with_column(as_numbers(table, name, dtype))
    return (table.with_column(_flags(table, "active")) if "active" in table.frame.columns else table).frame


def _joined(jobs: Table, of_tasks: pl.DataFrame, source: str) -> tuple[pl.DataFrame, dict[str, Any]]:
    """Add the jobs of the tasks to those listed. Also returns counts to store in the manifest."""
    ids = jobs.frame.select("job_id")
    missing = of_tasks.join(ids, on="job_id", how="anti", maintain_order="left").select("job_id")
    if missing.height:
        first = missing.item(0, "job_id")
        if missing.height == of_tasks.height:
            in_jobs = repr(ids.item(0, 0)) if ids.height else "none"
            raise SchemaError(
                f"{jobs.name}: none of the {missing.height:,} jobs in {source} is listed (first id in {source}: "
                f"{first!r}, in {jobs.name}: {in_jobs}). Ids must match exactly, including leading zeros."
            )
        warn(
            f"{missing.height:,} of {plural(of_tasks.height, 'job')} in {source} are not in {jobs.name}, such as "
            f"{first!r}. They are kept without a name or job family."
        )
    merged = (
        pl.concat([ids, missing])
        .join(jobs.frame.drop("n_tasks", strict=False), on="job_id", how="left", maintain_order="left")
        .join(of_tasks, on="job_id", how="left", maintain_order="left")
        .with_columns(pl.col("n_tasks").fill_null(0))
    )
    counts = {"source": jobs.name, "jobs_listed": ids.height, "jobs_not_listed": missing.height}
    return merged, {"families": counts}


def _with_documented_columns(jobs: pl.DataFrame) -> pl.DataFrame:
    """Add missing columns, and use the family ids as names if there are none."""
    dtypes = {**schema.JOBS, **{name: dtype for name, dtype in schema.OPTIONAL_JOBS.items() if name in jobs.columns}}
    jobs = jobs.with_columns(
        pl.lit(None, dtype=dtypes[name]).alias(name) for name in dtypes if name not in jobs.columns
    )
    extra = [name for name in jobs.columns if name not in dtypes and name not in (_N_ROWS, _N_STATES)]
    family = pl.coalesce("job_family", "job_family_id").alias("job_family")
    return jobs.with_columns(family).select(*(pl.col(name).cast(dtype) for name, dtype in dtypes.items()), *extra)


def _finished(tasks: _Tasks, jobs: pl.DataFrame, *, all_described: bool) -> Any:
    """Return the tasks with all documented columns, on their engine."""
    frame = nw.from_native(tasks.frame).lazy()
    dtypes = frame.collect_schema()
    if not all_described:
        frame = frame.filter(_any_known(name for name in ("task", "task_id") if name in dtypes))
    extra = [name for name in dtypes.names() if name not in (*schema.TASKS, *_OF_JOBS)]
    native = frame.to_native()
    if not isinstance(native, pl.LazyFrame):
        # Lists can't be added on all engines, and measures read the family from the jobs.
        added = {
            name: nw.lit(None, dtype=nw.String if dtype == pl.String else nw.Float64)
            for name, dtype in schema.TASKS.items()
            if name not in dtypes and name not in (*_NESTED, "job_family")
        }
        order = [name for name in schema.TASKS if name != "job_family" and (name in dtypes or name in added)]
        return frame.select(*(added.get(name, nw.col(name)).alias(name) for name in [*order, *extra])).to_native()
    family = pl.col("job_id").replace_strict(
        jobs.get_column("job_id"), jobs.get_column("job_family"), default=None, return_dtype=pl.String
    )
    documented = [
        (pl.col(name).cast(dtype) if name in dtypes else pl.lit(None, dtype=dtype)).alias(name)
        for name, dtype in schema.TASKS.items()
        if name != "job_family"
    ]
    result = native.with_columns(family.alias("job_family"), *documented).select(*schema.TASKS, *extra)
    return result.collect() if isinstance(tasks.frame, pl.DataFrame) else result
