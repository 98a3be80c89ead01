"""Read tables that users hold: CSV files, workbooks and data frames of any engine."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import polars as pl

from tpanalytics._engines import unknown_engine
from tpanalytics._paths import local_path
from tpanalytics.errors import ConfigError, SchemaError
from tpanalytics.formatting import listed, plural
from tpanalytics.profiles.headings import columns_argument, similar_headings
from tpanalytics.profiles.records import read_bytes
from tpanalytics.schema import require, to_polars

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

__all__ = [
    "Table",
    "as_numbers",
    "check_unique",
    "clean_heading",
    "is_path",
    "missing_columns",
    "missing_of",
    "new_names",
    "raise_for_number",
    "read_table",
]

_SEPARATORS = ",;\t|"
#: First bytes of workbooks: XLSX, XLSB and ODS files are ZIP archives, XLS files and encrypted workbooks are OLE files.
_WORKBOOK = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
#: First bytes of other formats, what they are, and how to read them.
_OTHER_FORMATS = {
    b"PAR1": ("a Parquet file", "Pass pl.scan_parquet({name!r}) instead."),
    b"%PDF": ("a PDF file", "Pass a CSV or XLSX file, or a data frame."),
    b"{": ("JSON", "Use read_records for exports, or pass a data frame."),
    b"[": ("JSON", "Use read_records for exports, or pass a data frame."),
}
_SAVE_AS_UTF8 = "In a spreadsheet program, save it as 'CSV UTF-8'."
#: Larger whole numbers are not exact as floats.
_EXACT = 2**53


@dataclass(frozen=True)
class Table:
    """A table and where it came from."""

    #: The rows that are not blank, in their original order. Columns from files are text.
    frame: pl.DataFrame
    #: The file name, or a description such as "the jobs table".
    name: str
    #: Headings of the source.
    headings: tuple[str, ...]
    _places: Callable[[Sequence[int]], str]
    #: Headings of renamed columns by their new name.
    renamed: Mapping[str, str] = field(default_factory=dict)
    #: Call to show in errors about columns, such as "from_frames(tasks, {columns})".
    call: str | None = None

    def places(self, *rows: int) -> str:
        """Return where rows of `frame` are in the source, such as "line 4" or "lines 2, 4"."""
        return self._places(rows)

    def error(self, row: int, text: str) -> SchemaError:
        """Return an error for a row of `frame`."""
        place = self.places(row)
        return SchemaError(f"{self.name}{place and f', {place}'}: {text}")

    def with_column(self, column: pl.Series) -> Table:
        """Replace a column."""
        return replace(self, frame=self.frame.with_columns(column))


def is_path(source: Any) -> bool:
    """Return `True` for a path, `False` for a data frame or any other object."""
    return isinstance(source, (str, Path))


def read_table(
    source: Any,
    name: str,
    required: Iterable[str | tuple[str, ...]] = (),
    optional: Iterable[str] = (),
    *,
    numbers: Mapping[str, Any] | None = None,
    columns: Mapping[str, str] | None = None,
    call: str | None = None,
    sheet: str | int | None = None,
) -> Table:
    """Read and check a table.

    Parameters
    ----------
    source
        Path of a CSV file or workbook, or a data frame of any engine.
    name
        Name of the argument, for messages.
    required, optional
        Columns to return as text. Of a tuple, one column is required. Other columns are returned as they are, or as
        text from files.
    numbers
        Optional columns with numbers of 0 or more, and their dtypes: Float64, or Int64 for whole numbers.
    columns
        New names of columns. Names that the table doesn't have are ignored.
    call
        Call to show if a column is missing, such as "from_frames(tasks, {columns})". If None, columns can't be renamed.
    sheet
        Name or number (from 1) of a workbook's sheet. If None, the first one.
    """
    required, numbers = list(required), numbers or {}
    texts = dict.fromkeys(
        [*chain.from_iterable((one,) if isinstance(one, str) else one for one in required), *optional]
    )
    wanted = {*texts, *numbers}
    wanted |= {clean_heading(theirs) for theirs, ours in (columns or {}).items() if ours in wanted}
    table = _read_file(source, sheet) if is_path(source) else _read_frame(source, name, wanted)
    table = replace(_renamed(table, columns) if columns else table, call=call)
    missing = missing_of(required, table.frame.columns)
    if missing and call is not None:
        raise missing_columns(table.name, table.headings, missing, [*texts, *numbers], table.renamed, call)
    require(table.frame, *missing, name=table.name)
    for column in texts:
        if column in table.frame.columns and column not in numbers:
            table = table.with_column(as_text(table, column))
    for column, dtype in numbers.items():
        if column in table.frame.columns:
            table = table.with_column(as_numbers(table, column, dtype))
    return table


def missing_of(required: Iterable[str | tuple[str, ...]], present: Iterable[str]) -> list[str]:
    """Return the required columns that are missing. Of a tuple, one column is required."""
    names = [(one,) if isinstance(one, str) else one for one in required]
    return [one[0] for one in names if not set(one) & set(present)]


def missing_columns(
    name: str,
    headings: Collection[str],
    missing: Sequence[str],
    known: Collection[str],
    renamed: Mapping[str, str],
    call: str,
) -> SchemaError:
    """Return an error that shows a call with `columns` that would work. `renamed` maps new names to headings."""
    free = [heading for heading in headings if heading not in renamed.values() and heading not in known]
    absent = [column for column in known if column not in renamed and column not in headings]
    found = similar_headings([*missing, *absent], free)
    unknown = [("...", column) for column in missing if column not in found.values()]
    stated = [(heading, column) for column, heading in renamed.items()]
    has = f"only {listed(map(repr, headings))}" if headings else "or any other"
    return SchemaError(
        f"{name} has no column{'s' if missing[1:] else ''} {listed(map(repr, missing))}, {has}. "
        f"State which they are, like {call.format(columns=columns_argument([*stated, *found.items(), *unknown]))}."
    )


def check_unique(table: Table, key: str) -> None:
    """Raise a `SchemaError` if a key is empty or repeated."""
    keys = table.frame.get_column(key)
    if keys.null_count():
        where = table.places(*keys.is_null().arg_true().head(3))
        raise SchemaError(
            f"{table.name}: `{key}` is empty in {plural(keys.null_count(), 'row')} ({where}). "
            "Fill it in, or remove the rows."
        )
    repeated = keys.filter(keys.is_duplicated()).unique(maintain_order=True)
    if repeated.len():
        where = table.places(*(keys == repeated[0]).arg_true().head(3))
        others = f" ({plural(repeated.len() - 1, 'more repeated id')})" if repeated.len() > 1 else ""
        raise SchemaError(
            f"{table.name}: `{key}` must be unique, but {repeated[0]!r} is in {where}{others}. "
            "Remove the duplicate rows."
        )


def as_text(table: Table, column: str) -> pl.Series:
    """Return a column as text. Floats must be whole numbers if the column contains ids."""
    values = table.frame.get_column(column)
    dtype = values.dtype
    if dtype == pl.String:
        return values
    if dtype.is_nested() or dtype in (pl.Object, pl.Binary):
        raise SchemaError(f"{table.name}: `{column}` must be text, not {dtype}. Convert it to text.")
    if dtype.is_float():
        values = values.fill_nan(None)
        whole = (values == values.floor()) & (values.abs() < _EXACT)
        invalid = (~whole).arg_true()
        if column.endswith("_id") and invalid.len():
            raise table.error(
                invalid[0],
                f"`{column}` must be text or a whole number, not {values[int(invalid[0])]!r}. "
                "Read the column as text, so that ids stay as they are.",
            )
        texts = (
            pl.when(whole).then(values.cast(pl.Int64, strict=False).cast(pl.String)).otherwise(values.cast(pl.String))
        )
        return pl.select(texts.alias(column)).to_series()
    texts_of_values = values.cast(pl.String)
    return texts_of_values.str.replace(r"\.0*$", "") if dtype.is_decimal() else texts_of_values


def as_numbers(table: Table, column: str, dtype: Any) -> pl.Series:
    """Return a column as numbers of 0 or more. Raise a `SchemaError` for any other value."""
    values = table.frame.get_column(column)
    if not (values.dtype.is_numeric() or values.dtype in (pl.String, pl.Categorical, pl.Enum, pl.Null)):
        raise SchemaError(f"{table.name}: `{column}` must be a number, not {values.dtype}. Convert it to numbers.")
    numbers = values.cast(pl.Float64, strict=False)
    if values.dtype.is_float():
        numbers = numbers.fill_nan(None)  # missing values of numpy and pandas
        values = numbers
    invalid = ((numbers.is_null() & values.is_not_null()) | (numbers < 0) | ~numbers.is_finite()).arg_true()
    if invalid.len():
        raise_for_number(table, column, invalid.to_list())
    if not dtype.is_integer():
        return numbers
    fractions = (numbers != numbers.floor()).arg_true()
    if fractions.len():
        row = int(fractions[0])
        of_people, hint = "", "Correct it, or leave the cell empty if the value is unknown"
        if column == "headcount":
            of_people = " of people"
            hint = f"If the column counts full-time equivalents, rename it to `fte`{_renaming(table, column)}"
        raise table.error(
            row,
            f"`{column}`{_of_job(table, row)} must be a whole number{of_people}, not {_shown(values[row])} "
            f"({plural(fractions.len(), 'invalid row')}). {hint}.",
        )
    return numbers.cast(dtype)


def raise_for_number(table: Table, column: str, rows: Sequence[int]) -> NoReturn:
    """Raise an error for rows in which the column is not a number of 0 or more."""
    value = table.frame.get_column(column)[rows[0]]
    raise table.error(
        rows[0],
        f"`{column}`{_of_job(table, rows[0])} must be a number, 0 or more, not {_shown(value)} "
        f"({plural(len(rows), 'invalid row')}). {_number_hint(value)}",
    )


def clean_heading(heading: Any) -> str:
    """Strip a heading, and replace line breaks and repeated spaces in it."""
    return " ".join(str(heading).strip("\ufeff").split())


def new_names(headings: Sequence[str], columns: Mapping[str, str], name: str) -> list[str]:
    """Return the column names after renaming. Raise a `SchemaError` if two are the same."""
    new = {clean_heading(theirs): ours for theirs, ours in columns.items()}
    names = [new.get(heading, heading) for heading in headings]
    for one in names:
        if names.count(one) > 1:
            same = listed(repr(heading) for heading in headings if new.get(heading, heading) == one)
            raise SchemaError(
                f"{name}: {same} would have the same name, {one!r}. Change `columns`, or remove one of them."
            )
    return names


def _renamed(table: Table, columns: Mapping[str, str]) -> Table:
    names = new_names(table.headings, columns, table.name)
    pairs = zip(table.headings, names, strict=True)
    renamed = {ours: theirs for theirs, ours in pairs if theirs != ours}
    return replace(table, frame=table.frame.rename({theirs: ours for ours, theirs in renamed.items()}), renamed=renamed)


def _renaming(table: Table, column: str) -> str:
    if table.call is None:
        return ""
    return f", like {table.call.format(columns=columns_argument([(table.renamed.get(column, column), 'fte')]))}"


def _of_job(table: Table, row: int) -> str:
    ids = table.frame.get_column("job_id", default=None)
    return "" if ids is None or ids[row] is None else f" of job {str(ids[row])!r}"


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 30 else f"{text[:29]}…"


def _number_hint(value: Any) -> str:
    comma = isinstance(value, str) and re.fullmatch(r"[-+]?(\d{1,3}([. ']\d{3})+|\d+),\d+", value)
    if comma:
        point = re.sub(r"[. ']", "", value).replace(",", ".")
        return f"Use a decimal point instead of a comma, like {point!r}."
    return "Use a decimal point, and leave the cell empty if the value is unknown."


def _read_frame(source: Any, name: str, wanted: Collection[str]) -> Table:
    title = f"the {name} table"
    try:
        frame = to_polars(source)
    except SchemaError as error:
        if "must be a Polars" not in str(error):
            raise SchemaError(f"{title}: {error}") from None
        raise unknown_engine(f"`{name}`", source, "a path or a data frame") from None
    headings = [clean_heading(column) for column in frame.columns]
    _check_headings(headings, title)
    frame = frame.rename(dict(zip(frame.columns, headings, strict=True)))
    texts = (column for column, dtype in frame.schema.items() if dtype in (pl.String, pl.Categorical, pl.Enum))
    frame = frame.with_columns(_cleaned(frame.get_column(column)) for column in texts if column in wanted)
    frame, rows = _drop_blank_rows(frame)

    def places(of: Sequence[int]) -> str:
        return f"{_noun('row', of)} {_join(rows[i] for i in of)} (from 0)"

    return Table(frame, title, tuple(headings), places)


def _cleaned(texts: pl.Series) -> pl.Series:
    """Like `_clean`, but faster if there is nothing to unwrap."""
    texts = texts.cast(pl.String)
    unwrap = bool(texts.str.starts_with('="').any())
    return pl.select(_clean(pl.lit(texts), unwrap=unwrap).alias(texts.name)).to_series()


def _read_file(source: str | Path, sheet: str | int | None) -> Table:
    path = local_path(source)
    raw = read_bytes(path)
    if raw.startswith(_WORKBOOK):
        return _read_workbook(raw, path.name, sheet)
    for start, (what, advice) in _OTHER_FORMATS.items():
        if raw.startswith(start):
            raise SchemaError(f"{path.name} contains {what}. {advice.format(name=path.name)}")
    if sheet is not None:
        raise SchemaError(f"{path.name} is not a workbook, so `sheet` must be None, not {sheet!r}.")
    return _read_csv(_decoded(raw, path.name), path.name)


def _decoded(raw: bytes, name: str) -> str:
    encodings = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
    encoding = encodings.get(raw[:2], "utf-8-sig")
    if encoding == "utf-8-sig" and b"\0" in raw[:2]:  # UTF-16 without a byte order mark
        encoding = "utf-16-be" if raw[:1] == b"\0" else "utf-16-le"
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError as error:
        if encoding != "utf-8-sig":
            raise SchemaError(f"{name} is damaged: it is not valid UTF-16. {_SAVE_AS_UTF8}") from None
        line = raw.count(b"\n", 0, error.start) + 1
        raise SchemaError(
            f"{name}, line {line}: the encoding is not UTF-8, probably Latin-1 or Windows-1252. In a spreadsheet "
            "program, save it as 'CSV UTF-8', or pass "
            f"pl.read_csv({name!r}, encoding='cp1252', infer_schema=False)."
        ) from None


def _read_csv(text: str, name: str) -> Table:
    if "\n" not in text:
        text = text.replace("\r", "\n")
    # Blank lines before the heading, and the separator that spreadsheet programs write into the first line.
    blank = r"(?:[ \t]*\r?\n)*"
    before = re.match(rf'{blank}(?:"?sep=([^"\r\n])"?[,;\t| ]*\r?(?:\n|$))?{blank}', text, re.IGNORECASE)
    stated, skipped = before[1], before.end()  # type: ignore[index, union-attr]
    first_line, body = text.count("\n", 0, skipped) + 1, text[skipped:]
    if not body.strip(f"{_SEPARATORS}\r\n "):
        raise SchemaError(f"{name} is empty. Pass a file whose first line contains the headings.")
    separator = stated or _separator(body)
    frame = _parsed(body, separator, name, first_line)
    frame, rows = _drop_blank_rows(
        frame.select(_clean(pl.col(column), unwrap='="' in body) for column in frame.columns)
    )
    headings, frame = _split_headings(frame, name)
    extra = _values_without_heading(headings, frame)
    if extra is not None:
        line = _lines(body, separator, first_line, [rows[extra + 1]])
        raise SchemaError(
            f"{name}, line {line}: there are more cells than headings. Put cells that contain {separator!r} in quotes."
        )
    named = [i for i, heading in enumerate(headings) if heading]
    frame = frame.select(pl.nth(i).alias(headings[i]) for i in named)

    def places(of: Sequence[int]) -> str:
        return f"{_noun('line', of)} {_lines(body, separator, first_line, [rows[i + 1] for i in of])}"

    return Table(frame, name, tuple(frame.columns), places)


def _separator(text: str) -> str:
    """Return the most frequent separator in the heading, outside of quotes."""
    head = re.sub(rf'(?:(?<=[{_SEPARATORS}\n])|^)"(?:[^"]|"")*"', "", text[: 1 << 16]).partition("\n")[0]
    return max(_SEPARATORS, key=head.count)


def _parsed(text: str, separator: str, name: str, first_line: int) -> pl.DataFrame:
    """Return all records of a CSV file including the heading, as text."""
    if _is_well_quoted(text, separator):
        try:
            return pl.read_csv(text.encode(), has_header=False, infer_schema=False, separator=separator)
        except (pl.exceptions.PolarsError, ValueError):
            pass  # the csv module reads more forms, and states the line of an error
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    records, start = [], first_line
    try:
        for record in reader:
            records.append(record)
            start = first_line + reader.line_num
    except csv.Error as error:
        raise SchemaError(
            f"{name}, line {start}: not a valid CSV file ({error}). "
            "Close each quote, and write quotes inside of quoted cells twice."
        ) from None
    width = max(map(len, records))
    return pl.DataFrame(
        [[*record, *[None] * (width - len(record))] for record in records],
        schema={f"column_{i}": pl.String for i in range(width)},
        orient="row",
    )


def _is_well_quoted(text: str, separator: str) -> bool:
    """Return `True` if all quotes enclose full cells. Polars reads some other files wrong without an error."""
    parts = text.replace('""', "").split('"')
    if len(parts) == 1:
        return True
    ends, outside = {separator, "\n", "\r", ""}, parts[::2]
    return (
        len(parts) % 2 == 1
        and outside[0][-1:] in ends
        and outside[-1][:1] in ends
        and all(part and part[0] in ends and part[-1] in ends for part in outside[1:-1])
    )


def _lines(text: str, separator: str, first_line: int, records: Sequence[int]) -> str:
    """Return the line numbers of records. Quoted cells can contain line breaks."""
    reader, start, lines = csv.reader(io.StringIO(text, newline=""), delimiter=separator), first_line, {}
    for number, _ in enumerate(reader):
        if number in records:
            lines[number] = start
        if len(lines) == len(set(records)):
            break
        start = first_line + reader.line_num
    return _join(lines[record] for record in records)


def _read_workbook(raw: bytes, name: str, sheet: str | int | None) -> Table:
    try:
        import fastexcel
    except ImportError:
        raise ConfigError(
            f'{name} is a workbook, which requires an optional package. Run: pip install "tpanalytics[excel]"'
        ) from None
    try:
        sheets = fastexcel.read_excel(raw).sheet_names
        chosen = _sheet(sheet, sheets, name)
        cells = pl.read_excel(
            io.BytesIO(raw),
            sheet_name=chosen,
            engine="calamine",
            has_header=False,
            infer_schema_length=0,
            drop_empty_rows=False,
            drop_empty_cols=False,
            raise_if_empty=False,
            read_options={"skip_rows": 0},  # otherwise, blank rows at the top are not counted
        )
    except (fastexcel.FastExcelError, pl.exceptions.PolarsError) as error:
        reason = str(error).splitlines()[0]
        raise SchemaError(
            f"{name} cannot be read as a workbook: {reason}. Save it as XLSX without a password."
        ) from None
    dates = pl.all().str.replace(r"^(\d{4}-\d\d-\d\d) 00:00:00$", "$1")
    frame = cells.cast(pl.String).with_columns(dates) if cells.width else cells
    frame, rows = _drop_blank_rows(frame.select(_clean(pl.col(column), unwrap=True) for column in frame.columns))
    if not frame.height:
        raise SchemaError(
            f"{name}: the sheet {chosen!r} is empty. Pass the name of another sheet: {listed(map(repr, sheets))}."
        )
    headings, frame = _split_headings(frame, name)
    frame = frame.select(pl.nth(i).alias(heading) for i, heading in enumerate(headings) if heading)
    title = name if len(sheets) == 1 else f"{name} (sheet {chosen!r})"
    return Table(
        frame,
        title,
        tuple(frame.columns),
        lambda places: f"{_noun('row', places)} {_join(rows[i + 1] + 1 for i in places)}",
    )


def _sheet(sheet: str | int | None, sheets: list[str], name: str) -> str:
    if sheet is None:
        return sheets[0]
    if isinstance(sheet, str) and sheet in sheets:
        return sheet
    if isinstance(sheet, int) and not isinstance(sheet, bool) and 1 <= sheet <= len(sheets):
        return sheets[sheet - 1]
    raise SchemaError(f"`sheet` must be a sheet of {name} ({listed(map(repr, sheets))}), not {sheet!r}.")


def _clean(text: pl.Expr, *, unwrap: bool) -> pl.Expr:
    """Strip whitespace, convert empty cells to null, and unwrap ="0101", which keeps zeros in spreadsheets."""
    text = text.str.strip_chars()
    if unwrap:
        text = text.str.replace('^="(.*)"$', "$1").str.strip_chars()
    return pl.when(text != "").then(text)


def _drop_blank_rows(frame: pl.DataFrame) -> tuple[pl.DataFrame, pl.Series]:
    """Drop rows without any value. Also returns the original numbers of the other rows."""
    numbers = pl.int_range(frame.height, eager=True)
    if not frame.width:
        return frame, numbers
    blank = frame.select(pl.all_horizontal(pl.all().is_null())).to_series()
    return (frame.filter(~blank), numbers.filter(~blank)) if blank.any() else (frame, numbers)


def _split_headings(frame: pl.DataFrame, name: str) -> tuple[list[str], pl.DataFrame]:
    headings = ["" if cell is None else clean_heading(cell) for cell in frame.row(0)]
    _check_headings([heading for heading in headings if heading], name)
    return headings, frame.slice(1)


def _check_headings(headings: Sequence[str], name: str) -> None:
    repeated = [heading for heading in dict.fromkeys(headings) if headings.count(heading) > 1]
    if repeated:
        numbers = [i + 1 for i, heading in enumerate(headings) if heading == repeated[0]]
        raise SchemaError(
            f"{name}: the heading {repeated[0]!r} is in columns {_join(numbers)}. Rename or remove all but one of them."
        )


def _values_without_heading(headings: Sequence[str], frame: pl.DataFrame) -> int | None:
    """Return the first row with a value to the right of the last heading."""
    width = max((i + 1 for i, heading in enumerate(headings) if heading), default=0)
    if width == frame.width:
        return None
    rows = frame.select(pl.any_horizontal(pl.nth(range(width, frame.width)).is_not_null())).to_series().arg_true()
    return int(rows[0]) if rows.len() else None


def _noun(word: str, places: Sequence[int]) -> str:
    return word if len(places) == 1 else f"{word}s"


def _join(numbers: Iterable[int]) -> str:
    return ", ".join(map(str, numbers))
