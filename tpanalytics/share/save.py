"""Save charts and data frames to files."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from tpanalytics._atomic import atomic_write, atomic_writes
from tpanalytics._paths import local_path
from tpanalytics.errors import ArgumentError, SchemaError, ShareError
from tpanalytics.schema import to_polars
from tpanalytics.share.bundle import chart_companions, evidence_path, frame_companions, write_evidence
from tpanalytics.share.chart_files import chart_writers, spec_of
from tpanalytics.share.frames import finite_frame, write_csv, write_json, write_parquet
from tpanalytics.share.xlsx import check_sheet_names, write_sheets, write_xlsx

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["output_path", "save", "save_text"]

_FRAME_WRITERS: dict[str, Callable[[pl.DataFrame, Path], None]] = {
    ".csv": write_csv,
    ".xlsx": write_xlsx,
    ".parquet": write_parquet,
    ".json": write_json,
}


def output_path(path: str | Path) -> Path:
    """Return the output path, with ``~`` expanded."""
    if not isinstance(path, str | Path) or not str(path).strip() or "\0" in str(path):
        value = repr(path) if isinstance(path, str) else type(path).__name__
        raise ShareError(f"`path` must be a file path like 'chart.svg', not {value}.")
    return local_path(path)


def save_text(text: str, path: Path) -> Path:
    """Write text to a file atomically."""
    try:
        with atomic_write(path) as draft:
            draft.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise ShareError(f"{path} cannot be written: {error.strerror or error}.") from None
    return path


def save(what: Any, path: str | Path, *, scale: float = 2.0, bundle: bool = False) -> Path:
    """Write a chart or a data frame to a file.

    Nulls become empty cells in ``.csv`` and ``.xlsx``, never zeros. NaN is written as null. Files contain no timestamps
    or machine details, so saving the same chart twice produces identical files.

    Parameters
    ----------
    what
        An Altair chart, a data frame from Polars (eager or lazy), pandas or DuckDB, or for ``.xlsx`` a dict of data
        frames by the name of their sheet, such as ``{"Impact": impact, "Hours": hours}``.
    path
        Output file. The suffix determines the format. Charts can be saved as ``.png``, ``.svg``, ``.pdf``,
        ``.html`` (works offline) or ``.json`` (Vega-Lite), and data frames as ``.csv``, ``.xlsx``, ``.parquet`` or
        ``.json`` (a list of rows). Text that a spreadsheet would run as a formula is escaped. Missing folders are
        created. For a measure's result, the ``.xlsx`` file has a second sheet, *how computed*, with units,
        denominators, coverage, rules and warnings.
    scale
        Image pixels per chart pixel in ``.png`` files.
    bundle
        If `True`, also write companion files next to `path`. For charts, these are the data as ``.csv`` (``-1.csv``,
        ``-2.csv``, … for several tables), the title and description as ``.txt`` and the Vega-Lite specification as
        ``.json``. For a measure's result, it's the description as ``.txt``. Both get an ``.evidence.json`` file with
        the rules, source, library versions and file hashes.

    Returns
    -------
    Path
        The file that was written. For a bundle, the main file.

    Raises
    ------
    ShareError
        If the suffix is not supported, `what` is not a chart or data frame, a number is infinite, or a file cannot be
        written. Existing files are left unchanged, even in a bundle.

    Examples
    --------
    >>> import tpanalytics as tpa
    >>> profiles = tpa.load_sample()
    >>> tpa.save(tpa.hours(profiles), "hours.csv").read_text().splitlines()[0][:19]
    '"job_family","jobs"'
    >>> main = tpa.save(tpa.plot_impact(profiles), "impact.svg", bundle=True)
    >>> sorted(file.name for file in main.parent.glob("impact*"))[-4:]
    ['impact.evidence.json', 'impact.json', 'impact.svg', 'impact.txt']
    """
    path = output_path(path)
    if isinstance(what, Mapping):
        return _save_sheets(what, path, bundle=bundle)
    if not hasattr(what, "to_dict") or hasattr(what, "columns"):
        with suppress(SchemaError):  # other objects are rejected below
            what = to_polars(what)
    writers: dict[str, Callable[[Any, Path], None]]
    if isinstance(what, pl.DataFrame):
        kind, writers = "data frame", _FRAME_WRITERS
    elif hasattr(what, "to_dict") and hasattr(what, "properties"):
        kind, writers = "chart", chart_writers(scale)
    else:
        raise ShareError(
            f"`what` must be a chart or a data frame, not {type(what).__name__}. "
            "Pass a chart from a plot_ function, the result of a measure, profiles.jobs or profiles.tasks."
        )
    writer = writers.get(path.suffix.lower())
    if writer is None:
        raise ShareError(
            f"{path.name}: a {kind} cannot be saved {f'as {path.suffix}' if path.suffix else 'without a suffix'}. "
            f"Use one of {', '.join(writers)}."
        )
    try:
        _write(what, path, writer, bundle=bundle)
    except ValueError as error:  # raised by the renderer for an invalid specification
        if kind == "data frame" or isinstance(error, ShareError):
            raise
        raise ShareError(f"{path.name}: the chart could not be rendered: {str(error).splitlines()[0]}") from None
    except OSError as error:
        raise ShareError(f"{path} cannot be written: {error.strerror or error}.") from None
    return path


def _save_sheets(frames: Mapping[Any, Any], path: Path, *, bundle: bool) -> Path:
    """Write a workbook with a sheet per data frame."""
    if path.suffix.lower() != ".xlsx" or bundle:
        reason = "without a bundle" if bundle else f"as .xlsx, not {path.suffix or 'without a suffix'}"
        raise ShareError(f"{path.name}: several data frames can only be saved {reason}. Save them one by one.")
    if not frames:
        raise ShareError("`what` contains no data frame. Pass at least one, like {'Hours': hours}.")
    check_sheet_names(frames)
    sheets = {}
    for name, frame in frames.items():
        try:
            sheets[name] = finite_frame(to_polars(frame))
        except ArgumentError:
            raise
        except SchemaError:
            raise ShareError(f"`what`: {name!r} must be a data frame, not {type(frame).__name__}.") from None
    try:
        with atomic_writes([path]) as (draft,):
            write_sheets(sheets, draft)
    except OSError as error:
        raise ShareError(f"{path} cannot be written: {error.strerror or error}.") from None
    return path


def _write(what: Any, path: Path, writer: Callable[[Any, Path], None], *, bundle: bool) -> None:
    content: Any = finite_frame(what) if isinstance(what, pl.DataFrame) else spec_of(what)
    files: dict[Path, Callable[[Path], object]] = {path: partial(writer, content)}
    if not bundle:
        with atomic_writes([path]) as (draft,):
            files[path](draft)
        return
    companions = frame_companions if isinstance(content, pl.DataFrame) else chart_companions
    files.update(companions(content, path))
    with atomic_writes([*files, evidence_path(path)]) as drafts:
        draft_of = dict(zip(files, drafts, strict=False))
        for target, write in files.items():
            write(draft_of[target])
        write_evidence(content, draft_of, drafts[-1])
