"""Write a chart or a frame to a file; the suffix says which kind."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from tpanalytics._atomic import atomic_write, atomic_writes
from tpanalytics._paths import local_path
from tpanalytics.errors import SchemaError, ShareError
from tpanalytics.schema import to_polars
from tpanalytics.share.bundle import beside_chart, beside_frame, evidence_path, write_evidence
from tpanalytics.share.chart_files import chart_writers, spec_of
from tpanalytics.share.frames import finite_frame, write_csv, write_json, write_parquet
from tpanalytics.share.xlsx import write_xlsx

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["path_of", "save", "save_text"]

_FRAME_WRITERS: dict[str, Callable[[pl.DataFrame, Path], None]] = {
    ".csv": write_csv,
    ".xlsx": write_xlsx,
    ".parquet": write_parquet,
    ".json": write_json,
}


def path_of(given: str | Path) -> Path:
    """Give the path of a file to be written; ``~`` is the home folder."""
    if not isinstance(given, str | Path) or not str(given).strip() or "\0" in str(given):
        what = repr(given) if isinstance(given, str) else f"a {type(given).__name__}"
        raise ShareError(f"The path is where to write, like 'chart.svg', not {what}.")
    return local_path(given)


def save_text(text: str, path: Path) -> Path:
    """Write a text to a file, whole or not at all."""
    try:
        with atomic_write(path) as draft:
            draft.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise ShareError(f"{path} cannot be written: {error.strerror or error}.") from None
    return path


def save(what: Any, path: str | Path, *, scale: float = 2.0, bundle: bool = False) -> Path:
    """Write a chart or a frame to a file that can be handed over.

    The file is there whole or not at all. Nulls are empty cells in ``.csv`` and ``.xlsx``, never zeros; what is not a
    number (NaN) becomes null. Nothing in a file tells of the machine or the moment it was made on: the same chart
    gives the same bytes.

    Parameters
    ----------
    what
        An Altair chart, or a data frame: Polars, eager or lazy, pandas or DuckDB.
    path
        Its suffix chooses the kind. Charts: ``.png``, ``.svg``, ``.pdf``, ``.html`` (one file that draws itself
        without network), ``.json`` (Vega-Lite). Frames: ``.csv`` and ``.xlsx`` (text that a spreadsheet program would
        run as a formula is defused), ``.parquet``, ``.json`` (a list of rows). Missing folders are made. The ``.xlsx``
        of a measure's result has a second sheet, *how computed*: units, denominators, coverage, rules, warnings.
    scale
        Pixels of a ``.png`` per pixel of the chart.
    bundle
        Write beside the file what belongs to it, all of it or nothing. Of a chart: its data as ``.csv`` (of several
        tables ``-1.csv``, ``-2.csv``, …), title and description as ``.txt``, Vega-Lite as ``.json``. Of a measure's
        result: its meaning as ``.txt``. Of both: ``.evidence.json`` with rules, source, versions and a hash of each
        file.

    Returns
    -------
    Path
        The file; of a bundle the main one.

    Raises
    ------
    ShareError
        If the suffix does not fit, `what` is neither chart nor frame, a number is infinite, or the file cannot be
        written; what was there is unchanged then.

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
    path = path_of(path)
    if not hasattr(what, "to_dict") or hasattr(what, "columns"):
        with suppress(SchemaError):  # a chart is no frame; anything else is refused below
            what = to_polars(what)
    writers: dict[str, Callable[[Any, Path], None]]
    if isinstance(what, pl.DataFrame):
        kind, writers = "frame", _FRAME_WRITERS
    elif hasattr(what, "to_dict") and hasattr(what, "properties"):
        kind, writers = "chart", chart_writers(scale)
    else:
        raise ShareError(
            f"A {type(what).__name__} is neither a chart nor a data frame. "
            "Pass a chart of plot_…, the result of a measure, or profiles.tasks or profiles.jobs."
        )
    writer = writers.get(path.suffix.lower())
    if writer is None:
        raise ShareError(
            f"{path.name}: a {kind} cannot be written as {path.suffix or 'a file without suffix'}; "
            f"choose from {', '.join(writers)}."
        )
    try:
        _write(what, path, writer, bundle=bundle)
    except ValueError as error:  # the renderer's word for a specification it cannot draw
        if kind == "frame" or isinstance(error, ShareError):
            raise
        raise ShareError(f"{path.name}: the chart cannot be drawn: {str(error).splitlines()[0]}") from None
    except OSError as error:
        raise ShareError(f"{path} cannot be written: {error.strerror or error}.") from None
    return path


def _write(what: Any, path: Path, writer: Callable[[Any, Path], None], *, bundle: bool) -> None:
    """Write the file, or all of its bundle, to drafts that then take their names together."""
    content: Any = finite_frame(what) if isinstance(what, pl.DataFrame) else spec_of(what)
    files: dict[Path, Callable[[Path], object]] = {path: partial(writer, content)}
    if not bundle:
        with atomic_writes([path]) as (draft,):
            files[path](draft)
        return
    files.update(beside_frame(content, path) if isinstance(content, pl.DataFrame) else beside_chart(content, path))
    with atomic_writes([*files, evidence_path(path)]) as drafts:
        written = dict(zip(files, drafts, strict=False))
        for target, write in files.items():
            write(written[target])
        write_evidence(content, written, drafts[-1])
