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
from tpanalytics.formatting import listed, not_profiles, plural
from tpanalytics.profiles.headings import columns_argument, similar_headings
from tpanalytics.profiles.tables import is_path, missing_columns, read_table
from tpanalytics.schema import TaskProfiles, to_polars

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["assign_people"]

_PERSON = (
    "(employees?|emp|persons?|pers|personal|personnel|workers?|staff|staffmember|associates?|users?|badges?|colleagues?|"
    "mitarbeiter(in|innen)?|medewerkers?|matricule|national|socialsecurity|passport|tax)"
)
_ID = "(ids?|no|nr|num|number|nummer|kennung|keys?|codes?|uuid|guid|login|identifier)"
#: Headings with a person's number, without spaces and signs. Two rows with the same number are an error.
_PERSON_ID = re.compile(
    f"{_PERSON}{_ID}|employee|person|worker|badge|mitarbeiter(in)?|medewerker|pernr|ssn|nin|matricule|"
    "(work|business|employee)?e?mail(address)?"
)
#: Other headings that identify people.
_PERSONAL = re.compile(
    f"{_PERSON}(full|first|last)?name|name|(first|last|full|sur|given|display|middle|vor|nach|login)name|staff|"
    "birth(date|day)|dateofbirth|dob|geburtsdatum|(mobile|cell)?phone(number|no)?|iban"
)
#: With this share of different values, an attribute describes people instead of groups. In rosters with fewer rows than
#: `_SHORT`, all values must be different, and short lists such as three countries are allowed.
_DISTINCT, _SHORT, _VERY_SHORT = 0.9, 20, 10
#: With this share of single persons per job and attributes, a long roster describes persons. Such a roster has at least
#: this many people.
_SINGLE, _LONG = 0.9, 50
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
        Task profiles returned by `load_task_profiles`, `read_records`, `read_profiles` or `from_frames`.
    roster
        A CSV or XLSX file (its first sheet), or a data frame, with one row per person: ``job_id``, the columns in `by`
        and optionally ``fte`` (full-time equivalents, 1.0 for a full-time job). Or a table of counts, with
        ``headcount`` (people, whole numbers) in each row, such as the result of `load_headcount`. The case of these
        three headings does not matter. Other columns are ignored.
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

        Measures that count people leave out rows whose count is null, and `about` states how many there are. The
        numbers of rows and jobs without a match are stored in ``manifest["people"]``.

    Raises
    ------
    SchemaError
        If a column is missing, the roster is empty, a number is negative or text, a headcount has fractions, a person
        has two rows, or no row matches a job.
    ArgumentError
        If `by` or `columns` is invalid, or an attribute identifies people or is already a column of the profiles.
    ConfigError
        If the file can't be read.

    Warns
    -----
    TpAnalyticsWarning
        If rows match no job, jobs have no row, most groups of a long roster are single persons, a heading is read in
        another case, or a heading like ``"FTE (%)"`` is not read.

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
        raise ArgumentError(not_profiles("profiles", profiles))
    attributes = _checked_attributes(profiles, by, columns)
    table = _read(roster, attributes, columns)
    _check_persons(table)
    counts = _count(table, attributes)
    jobs = to_polars(profiles.jobs)
    people = counts.join(jobs.select(pl.col("job_id").cast(pl.String)), on="job_id", how="semi")
    people = people.sort("job_id", *attributes, nulls_last=True)
    notes = _match(table, counts, jobs)
    people = people.select("job_id", *attributes, "headcount", "fte")
    _warn_of_single_persons(people, attributes, table.source)
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
    #: The column with a person's number, if there is one.
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
        if _PERSON_ID.fullmatch(_squeezed(name)) or _PERSONAL.fullmatch(_squeezed(name)):
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
    return re.sub(r"[\W_]+", "", name.casefold())


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
    names = _names(present, attributes, columns or {}, source)
    personal = [name for name in names if _PERSON_ID.fullmatch(_squeezed(name))]
    person = min(personal, key=lambda name: not re.search(f"{_ID}$", _squeezed(name)), default=None)
    needed = ["job_id", *attributes, *(name for name in ("headcount", "fte", person) if name and name in names)]
    old_names = dict(zip(names, present, strict=True))
    selected = frame.select(nw.col(old_names[name]).alias(name) for name in needed)
    table = to_polars(selected.to_native())
    if nested := [name for name, dtype in table.schema.items() if dtype.is_nested()]:
        raise SchemaError(f"{source}: `{nested[0]}` must contain text or numbers, not {table.schema[nested[0]]}.")
    return _Roster(table, source, person, places, counted="headcount" in names)


def _names(present: Sequence[str], attributes: Sequence[str], columns: Mapping[str, str], source: str) -> list[str]:
    """Return the column names after renaming. Raise an error if columns are missing."""
    for theirs in columns:
        if theirs not in present:
            near = difflib.get_close_matches(theirs, present, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {listed(map(repr, present)) or 'none'}"
            raise SchemaError(f"`columns`: {theirs!r} is not a column of {source} ({hint}). Correct or remove it.")
    names = [columns.get(name, name) for name in present]
    repeated = [name for name in names if names.count(name) > 1]
    if repeated:
        raise ArgumentError(f"`columns` gives two columns of {source} the name {repeated[0]!r}. Use different names.")
    known = ["job_id", *attributes, "headcount", "fte"]
    other_case: dict[str, str] = {}
    for ours in ("job_id", "headcount", "fte"):
        same = [name for name in names if name.casefold() == ours and name not in attributes]
        if ours not in names and len(same) == 1:
            other_case[same[0]] = ours
    missing = [name for name in known[:-2] if name not in {*names, *other_case.values()}]
    renamed = {columns[theirs]: theirs for theirs in present if theirs in columns}
    renamed |= {ours: theirs for theirs, ours in other_case.items()}
    if missing:
        arguments = f", by={[*attributes]!r}" if attributes else ""
        raise missing_columns(
            source, present, missing, known, renamed, f"assign_people(profiles, roster{arguments}, {{columns}})"
        )
    names = [other_case.get(name, name) for name in names]
    if other_case:
        warn(f"{source}: {listed(f'{theirs!r} is read as `{ours}`' for theirs, ours in other_case.items())}.")
    free = [name for name in names if name not in known]
    unread = similar_headings([name for name in known[-2:] if name not in names], free)
    if unread:
        warn(
            f"{source} has no column {listed(map(repr, unread.values()))}, but {listed(map(repr, unread))}, which may "
            f"be meant. Pass {columns_argument(unread.items())} to read {'them' if len(unread) > 1 else 'it'}."
        )
    return names


def _rows(*rows: int) -> str:
    return f"{'row' if len(rows) == 1 else 'rows'} {', '.join(map(str, rows))} (from 0)"


def _check_persons(table: _Roster) -> None:
    """Raise an error if a person has two rows, without naming the person."""
    if table.person is None:
        return
    ids = table.frame.get_column(table.person)
    if ids.n_unique() == ids.len() or _are_names(ids):
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


def _are_names(values: pl.Series) -> bool:
    """Return whether most values are texts without digits, such as names, which two people can share."""
    if values.dtype not in (pl.String, pl.Categorical, pl.Enum):
        return False
    texts = values.cast(pl.String).drop_nulls()
    return texts.len() > 0 and texts.str.contains(r"^[^\d@]*[\s,][^\d@]*$").sum() > texts.len() / 2


def _warn_of_single_persons(people: pl.DataFrame, attributes: Sequence[str], source: str) -> None:
    """Warn if the attributes split the jobs of a long roster into single persons."""
    total = people.get_column("headcount").sum()
    single = int((people.get_column("headcount") == 1).sum())
    if not attributes or total < _LONG or single <= _SINGLE * people.height:
        return
    of_jobs = people.group_by("job_id").agg(pl.col("headcount").sum()).get_column("headcount")
    if (of_jobs == 1).sum() > of_jobs.len() / 2:  # even without attributes
        return
    warn(
        f"{source}: {single:,} of {people.height:,} combinations of {listed(['job', *attributes])} have a single "
        "person. Use attributes of larger groups, so that the table of people does not describe persons."
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
    _check_attributes(table, attributes, rows)
    known = {name: pl.when(pl.col(f"{name} unknown") == 0).then(name) for name in amounts}
    people = known.get("headcount", pl.col("rows"))
    fte = known.get("fte", pl.lit(None))
    return rows.select("job_id", *attributes, "rows", headcount=people.cast(pl.Int64), fte=fte.cast(pl.Float64))


def _check_attributes(table: _Roster, attributes: Sequence[str], rows: pl.DataFrame) -> None:
    """Raise an error if an attribute has a value of its own for nearly every person."""
    height = table.frame.height
    if table.counted:
        is_one = table.frame.get_column("headcount").cast(pl.Float64, strict=False) == 1
        if is_one.sum() <= _DISTINCT * height:
            return
    for name in attributes:
        values = rows.get_column(name)
        distinct = values.n_unique()
        addresses = values.dtype == pl.String and values.str.contains(r"\S@\S").any()
        enough = distinct > _DISTINCT * height if height >= _SHORT else distinct == height >= _VERY_SHORT
        if enough or addresses:
            raise _identifies(name, f" ({distinct:,} different values in {plural(height, 'row')})")


def _number(table: _Roster, name: str) -> pl.Series:
    """Return a column of amounts as numbers. Raise an error for text, negative amounts and impossible values."""
    values = table.frame.get_column(name)
    if not (values.dtype.is_numeric() or values.dtype in (pl.String, pl.Categorical, pl.Enum, pl.Null)):
        raise SchemaError(f"{table.source}: `{name}` must be a number, not {values.dtype}. Convert it to numbers.")
    numbers = values.cast(pl.Float64, strict=False)
    if values.dtype.is_float():
        values = numbers = numbers.fill_nan(None)
    unreadable = numbers.null_count() > values.null_count()
    least, most = cast("tuple[float | None, float | None]", (numbers.min(), numbers.max()))
    expected = "a whole number, 0 or more" if name == "headcount" else "a number, 0 or more"
    invalid = numbers.is_null() & values.is_not_null() if unreadable else ~numbers.is_finite() | (numbers < 0)
    if unreadable or (least is not None and (least < 0 or not numbers.is_finite().all())):
        remedy = "Use a decimal point, and leave unknown values empty"
        if not unreadable:
            remedy = "Correct it, or leave it empty if it is unknown"
        raise _invalid(table, name, invalid, expected, remedy)
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
    if table.frame.is_empty() and ids.len():
        raise SchemaError(f"{table.source} has no rows. Pass a roster with a row per person, or a table of counts.")
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
