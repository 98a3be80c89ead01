"""Writer for .xlsx workbooks, with a second sheet that documents the figures."""

from __future__ import annotations

import io
import re
from collections import Counter
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any

import polars as pl

from tpanalytics.errors import SchemaError, ShareError
from tpanalytics.formatting import coverage_percent, listed, percent
from tpanalytics.measures._core.metadata import NULL_REASONS, STATES_UNKNOWN, states_unknown
from tpanalytics.measures.about import about
from tpanalytics.schema import NO_STATE
from tpanalytics.share.frames import flat

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from tpanalytics.measures._core.metadata import Meaning

__all__ = ["HOW_COMPUTED", "check_sheet_names", "write_sheets", "write_xlsx"]

#: Name of the sheet that documents the figures.
HOW_COMPUTED = "how computed"
_MAX_ROWS, _MAX_CELL_LENGTH = 1_048_575, 32_767
_SHORTENED = " […shortened]"
#: Workbooks need a creation date. We use a fixed date to keep files reproducible.
_CREATED = datetime(2000, 1, 1)  # noqa: DTZ001  xlsxwriter expects a naive datetime
_PERCENT, _HOURS, _COUNT = "0.0%", "#,##0.0", "#,##0"
_SHARES = re.compile(r"(^|_)(share|coverage|churn|agreement)(_|$)|^described_week$")
_AMOUNTS = re.compile(r"(^|_)(hours|headcount|numerator|denominator|fte|amount)(_|$)")
_INDICES = re.compile(r"(^|_)(exposure|weight|bound)(_|$)")
_GRADES = "A: coverage of at least 90%, B: at least 70%, C: below 70%; do not quote grade C on its own"


def write_xlsx(frame: pl.DataFrame, path: Path) -> None:
    """Write a workbook with one table, and a sheet that documents its figures."""
    write_sheets({"data": frame}, path)


def write_sheets(frames: Mapping[str, pl.DataFrame], path: Path) -> None:
    """Write a workbook with a table per sheet, without converting any text to formulas or links."""
    import xlsxwriter

    for frame in frames.values():
        _check_size(frame)
    documented = {name: (meaning, frame) for name, frame in frames.items() if (meaning := _meaning(frame)) is not None}
    content = io.BytesIO()
    options = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False, "in_memory": True}
    with xlsxwriter.Workbook(content, options) as book:
        book.set_properties({"created": _CREATED})
        for name, frame in frames.items():
            _write_table(book, name, frame, documented[name][0].unit if name in documented else "")
        if documented:
            _add_documentation(book, documented, named=len(frames) > 1)
    path.write_bytes(content.getvalue())


def check_sheet_names(names: Iterable[Any]) -> None:
    """Raise a `ShareError` for names that Excel does not accept as names of sheets."""
    names = list(names)
    for name in names:
        if not isinstance(name, str) or not 0 < len(name) <= 31 or re.search(r"[\[\]:*?/\\]|^'|'$", name):
            raise ShareError(
                f"{name!r} cannot be the name of a sheet. Use 1 to 31 characters other than []:*?/\\, without a quote "
                "at either end."
            )
    lower = Counter(name.lower() for name in [*names, HOW_COMPUTED, "history"])
    if repeated := [name for name in names if lower[name.lower()] > 1]:
        raise ShareError(f"The sheet name {repeated[0]!r} is used twice or reserved. Choose another name.")


def _check_size(frame: pl.DataFrame) -> None:
    if frame.height > _MAX_ROWS:
        raise ShareError(
            f"An .xlsx sheet is limited to {_MAX_ROWS:,} rows, but the data frame has {frame.height:,}. "
            "Use .parquet or .csv."
        )
    duplicates = [name for name, n in Counter(name.lower() for name in frame.columns).items() if n > 1]
    if duplicates:
        raise ShareError(
            f"An .xlsx table cannot have columns that differ only in case: {', '.join(map(repr, duplicates))}. "
            "Rename one of them."
        )


def _meaning(frame: pl.DataFrame) -> Meaning | None:
    with suppress(SchemaError):  # not the result of a measure
        return about(frame)
    return None


def _write_table(book: Any, name: str, frame: pl.DataFrame, unit: str) -> None:
    texts = flat(frame).with_columns(
        pl.when(pl.col(pl.String).str.len_chars() > _MAX_CELL_LENGTH)
        .then(pl.col(pl.String).str.head(_MAX_CELL_LENGTH - len(_SHORTENED)) + pl.lit(_SHORTENED))
        .otherwise(pl.col(pl.String))
        .name.keep()
    )
    formats: dict[Any, str] = {
        column: number_format
        for column, dtype in texts.schema.items()
        if (number_format := _number_format(column, dtype, unit))
    }
    texts.write_excel(
        book,
        worksheet=name,
        autofit=True,
        freeze_panes=(1, 1),
        table_style="Table Style Light 1",
        column_formats=formats,
    )


def _number_format(name: str, dtype: pl.DataType, unit: str) -> str | None:
    if dtype.is_integer():
        return _COUNT
    if not dtype.is_numeric():
        return None
    if _SHARES.search(name):
        return _PERCENT
    if _AMOUNTS.search(name) or unit.startswith("hours"):
        return _HOURS
    if _INDICES.search(name):
        return "#,##0.00"
    return _PERCENT if unit.startswith("share") else "#,##0.00"


def _add_documentation(book: Any, documented: Mapping[str, tuple[Meaning, pl.DataFrame]], *, named: bool) -> None:
    sheet = book.add_worksheet(HOW_COMPUTED)
    sheet.hide_gridlines(2)
    sheet.set_column(0, 0, 24)
    sheet.set_column(1, 1, 92)
    sheet.set_portrait()
    sheet.set_paper(9)
    sheet.fit_to_pages(1, 0)
    top = {"valign": "top"}
    heading = book.add_format({**top, "bold": True, "font_size": 15})
    label = book.add_format({**top, "font_color": "#5A5A60"})
    text = book.add_format({**top, "text_wrap": True})
    section = book.add_format({**top, "bold": True, "top": 1, "top_color": "#BDBDC2"})
    sheet.write_string(0, 0, "How these figures are computed", heading)
    row = 1
    sections = [
        (f"{table}: {name}" if named else name, lines)
        for table, (meaning, frame) in documented.items()
        for name, lines in _sections(meaning, frame)
    ]
    for name, lines in sections:
        row += 1
        sheet.write_string(row, 0, name, section)
        sheet.write_blank(row, 1, None, section)
        for term, description in lines:
            row += 1
            sheet.write_string(row, 0, term, label)
            sheet.write_string(row, 1, description, text)
            if len(description) > 90:  # only Excel adjusts the row height to wrapped text
                sheet.set_row(row, 15 * (1 + len(description) // 90))
        row += 1


def _sections(meaning: Meaning, frame: pl.DataFrame) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Yield the sheet's sections, each with a heading and a list of labels and texts."""
    from tpanalytics._version import __version__

    value = [("Value", meaning.value), ("Unit", meaning.unit)]
    if meaning.denominator:
        value += [("Numerator", meaning.numerator), ("Denominator", meaning.denominator)]
    yield "Figure", [*value, ("Basis", meaning.basis), ("Function", meaning.measure)]
    yield "Population", list(_population(meaning))
    if coverage := [_coverage(name, share) for name, share in meaning.coverage.items()]:
        yield "Coverage", coverage + ([("Grade", f"{meaning.grade} ({_GRADES})")] if meaning.grade else [])
    if rules := list(_rules(meaning)):
        yield "Rules", rules
    if meaning.warnings:
        yield "Warnings", [("Warning", sentence) for sentence in meaning.warnings]
    codes = frame.get_column("reason").drop_nulls().unique().sort().to_list() if "reason" in frame.columns else []
    if reasons := [(code, NULL_REASONS[code]) for code in codes if code in NULL_REASONS]:
        yield "Reasons for empty cells", reasons
    yield "Software", [("Library", f"tpanalytics {__version__}")]


def _population(meaning: Meaning) -> Iterator[tuple[str, str]]:
    yield "Jobs", f"{meaning.jobs:,}"
    yield "Tasks", f"{meaning.tasks:,}"
    if meaning.states and meaning.states != (NO_STATE,):
        yield "Validation states", listed(meaning.states)
    if states_unknown(meaning):
        yield "Validation", STATES_UNKNOWN
    if meaning.share_suggested is not None:
        yield "Not validated", f"{percent(meaning.share_suggested)} of tasks"
    if meaning.share_imputed:
        yield "Imputed", f"{percent(meaning.share_imputed)} of hours"


def _rules(meaning: Meaning) -> Iterator[tuple[str, str]]:
    for sentence in meaning.policy:
        yield "Rule", sentence
    if meaning.level_weights:
        yield "Weights", ", ".join(f"{level} {weight:g}" for level, weight in meaning.level_weights.items())
    if meaning.interval:
        yield "Interval", meaning.interval


def _coverage(name: str, share: float | None) -> tuple[str, str]:
    if name.startswith("jobs"):
        return f"J{name[1:]}", f"{coverage_percent(share)} of jobs"
    return f"Tasks with {'hours and level' if name == 'both' else name}", f"{coverage_percent(share)} of tasks"
