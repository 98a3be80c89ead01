"""Count the people in each job, from an HR roster or a table of counts. No person is kept."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import narwhals as nw
import polars as pl

from tpanalytics._engines import unknown_engine, without_arrow
from tpanalytics.errors import ArgumentError, SchemaError, warn
from tpanalytics.formatting import plural
from tpanalytics.profiles.tables import is_path, read_table
from tpanalytics.schema import TaskProfiles, to_polars

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

__all__ = ["assign_people"]

#: Columns with a person's number, without underscores. Two rows with the same number are an error.
_PERSON_IDS = {
    *("employeeid", "employeenumber", "employeeno", "empid", "personid", "personnumber", "personnelnumber", "pernr"),
    *("personnelno", "workerid", "workernumber", "staffid", "associateid", "userid"),
}
#: Other columns that identify people, without underscores.
_PERSONAL = {
    *_PERSON_IDS,
    *("name", "firstname", "lastname", "fullname", "surname", "givenname", "displayname", "employeename", "email"),
    *("emailaddress", "employee", "person", "worker", "birthdate", "dateofbirth", "phone"),
}
#: With this share of different values, an attribute describes people instead of groups. Not applied to short rosters.
_DISTINCT, _SHORT = 0.9, 20
#: A row with more full-time equivalents than this is not one person.
_MOST_FTE = 2.0


def assign_people(
    profiles: TaskProfiles,
    roster: str | Path | Any,
    *,
    by: str | Sequence[str] = (),
    columns: Mapping[str, str] | None = None,
) -> TaskProfiles:
    """Count the people in each job by attributes such as country or pay grade.

    The result contains counts, never a person: employee ids are only used to check that no one has two rows. Job ids
    are compared as strings. Rows that match no job are not counted, and jobs without a row have an unknown headcount; a
    warning states how many there are. The counts replace ``headcount`` and ``fte`` in ``jobs``.

    Parameters
    ----------
    profiles
        Task profiles returned by `load_task_profiles`, `read_records` or `read_profiles`.
    roster
        A CSV file or data frame with one row per person: ``job_id``, the columns in `by` and optionally ``fte``
        (full-time equivalents, 1.0 for a full-time job). Or a table of counts, with ``headcount`` (people, whole
        numbers) in each row, such as the result of `load_headcount`. Other columns are ignored.
    by
        The attributes to keep: a column of the roster, or several. Measures accept them as `by`. A missing value is
        displayed as ``(no country)``.
    columns
        New names for columns of the roster, such as ``{"Job code": "job_id"}``.

    Returns
    -------
    TaskProfiles
        Task profiles with the table ``people``, sorted by job and attributes:

        =============  =======  ==============================================================
        ``job_id``     String   job id
        one per `by`   any      attribute, null if missing
        ``headcount``  Int64    people; null if a row of a table of counts has none
        ``fte``        Float64  full-time equivalents; null if unknown for one of the people
        =============  =======  ==============================================================

        The numbers of rows and jobs without a match are stored in ``manifest["people"]``.

    Raises
    ------
    SchemaError
        If a column is missing, a number is negative or text, a headcount has fractions, a person has two rows, or no
        row matches a job.
    ArgumentError
        If `by` or `columns` is invalid, or an attribute identifies people or is already a column of the profiles.
    ConfigError
        If the file can't be read.

    Warns
    -----
    TpAnalyticsWarning
        If rows match no job, or jobs have no row.

    Examples
    --------
    >>> import polars as pl
    >>> from tpanalytics import load_sample
    >>> profiles = load_sample().filter(job_id="job-0002")
    >>> roster = pl.DataFrame({"job_id": ["job-0002"] * 3, "country": ["BE", "NL", "BE"], "fte": [1.0, 0.5, 0.8]})
    >>> assign_people(profiles, roster, by="country").people.rows()
    [('job-0002', 'BE', 2, 1.8), ('job-0002', 'NL', 1, 0.5)]
    """
    if not isinstance(profiles, TaskProfiles):
        raise ArgumentError(f"`profiles` must be TaskProfiles, not {type(profiles).__name__}.")
    attributes = _checked_attributes(profiles, by, columns)
    table = _read(roster, attributes, columns)
    if table.person is not None:
        _check_persons(table)
    counts = _count(table, attributes)
    jobs = to_polars(profiles.jobs)
    people = counts.join(jobs.select(pl.col("job_id").cast(pl.String)), on="job_id", how="semi")
    people = people.sort("job_id", *attributes, nulls_last=True)
    notes = _match(table, counts, jobs)
    people = people.select("job_id", *attributes, "headcount", "fte")
    return replace(
        profiles,
        jobs=_with_counts(jobs, people),
        people=people,
        manifest={**profiles.manifest, "people": {**notes, "by": attributes}},
    )


class _Roster(NamedTuple):
    """The columns of the roster that are needed, as text or as they were."""

    frame: pl.DataFrame
    source: str
    person: str | None
    #: Describes where rows of the frame are in the source.
    places: Callable[..., str]
    #: Whether each row states a headcount, instead of describing one person.
    counted: bool


def _checked_attributes(
    profiles: TaskProfiles, by: str | Sequence[str], columns: Mapping[str, str] | None
) -> list[str]:
    """Return the attributes as a list. Raise an error if they can't be added to the profiles."""
    if columns is not None and not (
        isinstance(columns, Mapping) and all(isinstance(name, str) for pair in columns.items() for name in pair)
    ):
        raise ArgumentError(f"`columns` must be a dict like {{'Job code': 'job_id'}}, not {columns!r}.")
    attributes: list[Any] = [by] if isinstance(by, str) else list(by) if isinstance(by, Sequence) else [None]
    if not all(isinstance(name, str) for name in attributes) or len(set(attributes)) < len(attributes):
        raise ArgumentError(f"`by` must be a column of the roster or a list of different columns, not {by!r}.")
    for name in attributes:
        if name in {"job_id", "headcount", "fte"}:
            raise ArgumentError(f"`by` must not contain {name!r}, which is part of the result anyway. Leave it out.")
        if _squeezed(name) in _PERSONAL:
            raise _identifies(name)
        for table, frame in (("jobs", profiles.jobs), ("tasks", profiles.tasks)):
            if name in nw.from_native(frame).collect_schema().names():
                new = f"people_{name}"
                raise ArgumentError(
                    f"`by`: {name!r} is already a column of the {table}. "
                    f"Rename it: assign_people(..., by=[{new!r}], columns={{{name!r}: {new!r}}})."
                )
    return attributes


def _identifies(name: str, reason: str = "") -> ArgumentError:
    return ArgumentError(
        f"`by`: {name!r} identifies people{reason}, and no person is kept. Use attributes of groups, such as a country."
    )


def _squeezed(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.casefold())


def _read(roster: Any, attributes: Sequence[str], columns: Mapping[str, str] | None) -> _Roster:
    """Read the columns that are needed. Nothing else of the roster is kept."""
    source, places = "the roster table", _rows
    if is_path(roster):
        table_of_file = read_table(roster, "roster")
        roster, source, places = table_of_file.frame, table_of_file.name, table_of_file.places
    try:
        frame = nw.from_native(without_arrow(roster))
        present = frame.collect_schema().names()
    except TypeError:
        raise unknown_engine("`roster`", roster, "a path or a data frame") from None
    new_names = columns or {}
    _check_present(present, new_names, source, "columns={{{}: ...}}")
    names = [new_names.get(name, name) for name in present]
    repeated = [name for name in names if names.count(name) > 1]
    if repeated:
        raise ArgumentError(f"`columns` gives two columns of {source} the name {repeated[0]!r}. Use different names.")
    _check_present(names, ["job_id", *attributes], source, "columns={{{}: {}}}")
    person = next((name for name in names if _squeezed(name) in _PERSON_IDS and name != "job_id"), None)
    needed = ["job_id", *attributes, *(name for name in ("headcount", "fte", person) if name and name in names)]
    old_names = dict(zip(names, present, strict=True))
    selected = frame.select(nw.col(old_names[name]).alias(name) for name in needed)
    table = to_polars(selected.to_native())
    if nested := [name for name, dtype in table.schema.items() if dtype.is_nested()]:
        raise SchemaError(f"{source}: `{nested[0]}` must contain text or numbers, not {table.schema[nested[0]]}.")
    return _Roster(table, source, person, places, counted="headcount" in names)


def _rows(*rows: int) -> str:
    return f"{'row' if len(rows) == 1 else 'rows'} {', '.join(map(str, rows))} (from 0)"


def _check_present(present: Sequence[str], required: Iterable[str], source: str, call: str) -> None:
    for name in required:
        if name in present:
            continue
        squeezed = {_squeezed(column): column for column in present}
        near = difflib.get_close_matches(_squeezed(name), squeezed, n=1, cutoff=0.5)
        theirs = squeezed[near[0]] if near else "their name"
        hint = f" (did you mean {theirs!r}?)" if near else f". It has: {', '.join(map(repr, present)) or 'no columns'}"
        remedy = f"Rename a column with {call.format(repr(theirs), repr(name))}."
        raise SchemaError(f"{source} has no column {name!r}{hint}. {remedy}")


def _check_persons(table: _Roster) -> None:
    """Raise an error if a person has two rows, without naming the person."""
    ids = table.frame.get_column(table.person or "")
    if ids.n_unique() == ids.len():
        return
    repeated = ids.is_duplicated() & ids.is_not_null()
    if repeated.any():
        first = ids.filter(repeated)[0]
        where = table.places(*(ids == first).arg_true().head(3))
        more = ids.filter(repeated).n_unique() - 1
        others = f" ({plural(more, 'more repeated id')})" if more else ""
        raise SchemaError(
            f"{table.source}: `{table.person}` must be unique, but {where} have the same "
            f"id{others}. Keep one row per person, or pass a table of counts with `headcount`."
        )


def _count(table: _Roster, attributes: Sequence[str]) -> pl.DataFrame:
    """Return ``headcount`` and ``fte`` by job and attributes, with the number of ``rows`` they are from."""
    amounts = {name: _number(table, name) for name in ("headcount", "fte") if name in table.frame.columns}
    frame = table.frame.select("job_id", *attributes).with_columns(amounts.values())
    sums = [
        *(pl.col(name).sum() for name in amounts),
        *(pl.col(name).null_count().alias(f"{name} unknown") for name in amounts),
    ]
    rows = frame.group_by("job_id", *attributes).agg(pl.len().cast(pl.Int64).alias("rows"), *sums)
    # Clean the distinct values only, which are far fewer than the rows.
    rows = rows.with_columns(_clean(rows, name, text=name == "job_id") for name in ("job_id", *attributes))
    rows = rows.group_by("job_id", *attributes).agg(pl.exclude("job_id", *attributes).sum())
    if not table.counted:
        for name in attributes:
            distinct = rows.get_column(name).n_unique()
            if table.frame.height >= _SHORT and distinct > _DISTINCT * table.frame.height:
                raise _identifies(name, f" ({distinct:,} different values in {table.frame.height:,} rows)")
    known = {name: pl.when(pl.col(f"{name} unknown") == 0).then(name) for name in amounts}
    people = known.get("headcount", pl.col("rows"))
    fte = known.get("fte", pl.lit(None))
    return rows.select("job_id", *attributes, "rows", headcount=people.cast(pl.Int64), fte=fte.cast(pl.Float64))


def _number(table: _Roster, name: str) -> pl.Series:
    """Return a column of amounts as numbers. Raise an error for text, negative amounts and impossible values."""
    values = table.frame.get_column(name)
    numbers = values.cast(pl.Float64, strict=False)
    if values.dtype.is_float():
        values = numbers = numbers.fill_nan(None)
    unreadable = numbers.null_count() > values.null_count()
    least, most = cast("tuple[float | None, float | None]", (numbers.min(), numbers.max()))
    expected = "a whole number, 0 or more" if name == "headcount" else "a number, 0 or more"
    invalid = numbers.is_null() & values.is_not_null() if unreadable else ~numbers.is_finite() | (numbers < 0)
    if unreadable or (least is not None and (least < 0 or not numbers.is_finite().all())):
        raise _invalid(table, name, invalid, expected, "Use a decimal point, and leave unknown values empty")
    fractional = numbers != numbers.floor()
    if name == "headcount" and fractional.any():
        remedy = "If the column counts full-time equivalents, rename it: columns={'headcount': 'fte'}"
        raise _invalid(table, name, fractional, "a whole number of people", remedy)
    if name == "fte" and not table.counted and most is not None and most > _MOST_FTE:
        remedy = "If rows count several people, add a column `headcount`, which is null where it is unknown"
        raise _invalid(table, name, numbers > _MOST_FTE, f"up to {_MOST_FTE:g} in a row for one person", remedy)
    return numbers.alias(name)


def _invalid(table: _Roster, name: str, rows: pl.Series, expected: str, remedy: str) -> SchemaError:
    row = int(rows.fill_null(value=False).arg_true()[0])
    return SchemaError(
        f"{table.source}: `{name}` in {table.places(row)} must be {expected}, not {table.frame.item(row, name)!r} "
        f"({plural(rows.sum(), 'invalid row')}). {remedy}."
    )


def _clean(frame: pl.DataFrame, name: str, *, text: bool) -> pl.Expr:
    """Strip text, and convert whole numbers that are stored as floats to integers. Empty text is null."""
    column, dtype = pl.col(name), frame.schema[name]
    if dtype.is_float():
        column = column.fill_nan(None)
        values = frame.select(column).to_series().drop_nulls()
        if values.is_finite().all() and (values == values.floor()).all():
            column = column.cast(pl.Int64)
        return column.cast(pl.String) if text else column
    if text or dtype in (pl.String, pl.Categorical, pl.Enum):
        stripped = column.cast(pl.String).str.strip_chars()
        return pl.when(stripped != "").then(stripped).alias(name)
    return column


def _with_counts(jobs: pl.DataFrame, people: pl.DataFrame) -> pl.DataFrame:
    """Replace the counts of the jobs with those of their people, if they are known for any job."""
    counts = [name for name in ("headcount", "fte") if people.get_column(name).count() or not people.height]
    # A sum with an unknown part is unknown.
    sums = {name: pl.when(pl.col(name).null_count() == 0).then(pl.col(name).sum()) for name in counts}
    totals = people.group_by("job_id").agg(**sums).rename({name: f"new {name}" for name in counts})
    joined = jobs.with_columns(pl.col("job_id").cast(pl.String)).join(
        totals, on="job_id", how="left", maintain_order="left"
    )
    names = [*jobs.columns, *(name for name in counts if name not in jobs.columns)]
    return joined.select(pl.col(f"new {name}").alias(name) if name in counts else name for name in names)


def _match(table: _Roster, counts: pl.DataFrame, jobs: pl.DataFrame) -> dict[str, Any]:
    """Compare the job ids of the roster and the profiles. Warn of those without a match, or raise if none matches."""
    ids = jobs.get_column("job_id").cast(pl.String)
    listed = counts.get_column("job_id").unique()
    unmatched = counts.filter(pl.col("job_id").is_null() | ~pl.col("job_id").is_in(ids.implode()))
    unlisted = ids.filter(~ids.is_in(listed.drop_nulls().implode()))
    other_ids = unmatched.get_column("job_id").drop_nulls().unique().sort()
    rows, no_match = table.frame.height, int(unmatched.get_column("rows").sum())
    pair = _near_pair(other_ids.to_list(), [*unlisted, *ids])
    if rows and ids.len() and unlisted.len() == ids.len():
        example = pair or f"first id in the roster: {_first(other_ids)}, in the profiles: {_first(ids)}"
        raise SchemaError(
            f"{table.source}: none of the {rows:,} rows matches one of the {plural(ids.len(), 'job')} ({example}). "
            "Ids must match exactly, including leading zeros."
        )
    texts = []
    if no_match:
        empty = unmatched.filter(pl.col("job_id").is_null()).get_column("rows").sum()
        details = [f"{plural(other_ids.len(), 'job id')}, {pair or f'such as {_first(other_ids)}'}"] * bool(
            other_ids.len()
        )
        details += [f"{empty:,} without a job id"] * bool(empty)
        people = f" ({unmatched.get_column('headcount').sum():,} people)" if table.counted else ""
        texts.append(f"{no_match:,} of {rows:,} rows{people} match no job and are not counted ({'; '.join(details)}).")
    if unlisted.len():
        texts.append(
            f"{unlisted.len():,} of {plural(ids.len(), 'job')} have no row, so their headcount is unknown "
            f"(such as {_first(unlisted)})."
        )
    if texts:
        warn(f"{table.source}: {' '.join(texts)}")
    return {
        "source": table.source,
        "rows": rows,
        "rows_not_matched": no_match,
        "ids_not_matched": other_ids.len(),
        "jobs_listed": ids.len() - unlisted.len(),
        "jobs_not_listed": unlisted.len(),
    }


def _first(ids: pl.Series) -> str:
    return repr(ids[0]) if ids.len() else "none"


def _near_pair(theirs: Sequence[str], ours: Sequence[str]) -> str:
    """Return two ids that only differ in zeros, case, spaces or signs, as text."""
    by_core: dict[str, str] = {}
    for job_id in ours:
        by_core.setdefault(_core(job_id), job_id)
    for job_id in theirs:
        if _core(job_id) in by_core:
            return f"{job_id!r} is close to {by_core[_core(job_id)]!r} in the profiles"
    return ""


def _core(job_id: str) -> str:
    """Return the id without a decimal part of zeros, signs, case and leading zeros."""
    letters = re.sub(r"[\W_]+", "", re.sub(r"\.0+$", "", job_id.strip()).casefold())
    return re.sub(r"(?<!\d)0+(?=\d)", "", letters)
