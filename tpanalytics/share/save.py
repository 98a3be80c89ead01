"""Write a chart or a frame to a file; the suffix says which kind."""

from __future__ import annotations

import html
import io
import json
from collections import Counter
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from tpanalytics._files import whole_file
from tpanalytics.errors import SchemaError, ShareError
from tpanalytics.schema import to_polars

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["save"]

#: A cell that begins so is run as a formula by spreadsheet programs.
_FORMULA = r"^[=+\-@\t\r]"
_XLSX_ROWS, _XLSX_CELL = 1_048_575, 32_767
_SHORTENED = " […shortened]"


def save(what: Any, path: str | Path, *, scale: float = 2.0) -> Path:
    """Write a chart or a frame to a file that can be handed over.

    The file is there whole or not at all. Nulls are empty cells in ``.csv`` and ``.xlsx``, never zeros.

    Parameters
    ----------
    what
        An Altair chart, or a data frame: Polars, eager or lazy, pandas or DuckDB.
    path
        Its suffix chooses the kind. Charts: ``.png``, ``.svg``, ``.pdf``, ``.html`` (one file that draws itself
        without network), ``.json`` (Vega-Lite). Frames: ``.csv`` and ``.xlsx`` (text that a spreadsheet program would
        run as a formula is defused), ``.parquet``, ``.json`` (a list of rows). Missing folders are made.
    scale
        Pixels of a ``.png`` per pixel of the chart.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    ShareError
        If the suffix does not fit, `what` is neither chart nor frame, or the file cannot be written; what was there
        is unchanged then.

    Examples
    --------
    >>> import tpanalytics as tpa
    >>> profiles = tpa.load_sample()
    >>> tpa.save(tpa.hours_by_family(profiles), "hours.csv").read_text().splitlines()[0][:19]
    '"job_family","jobs"'
    >>> tpa.save(tpa.plot_impact_by_family(profiles), "impact.svg").name
    'impact.svg'
    """
    if not isinstance(path, (str, Path)):
        raise ShareError(
            f"The second argument is where to write, not a {type(path).__name__}: save(chart, 'chart.svg')."
        )
    path = Path(path)
    if not hasattr(what, "to_dict") or hasattr(what, "columns"):
        with suppress(SchemaError):  # a chart is no frame; anything else is refused below
            what = to_polars(what)
    if isinstance(what, pl.DataFrame):
        kind, writers = "frame", _FRAME_WRITERS
    elif hasattr(what, "to_dict") and hasattr(what, "properties"):
        kind, writers = "chart", {**_CHART_WRITERS, ".png": partial(_write_png, scale=scale)}
    else:
        raise ShareError(
            f"A {type(what).__name__} is neither a chart nor a data frame. "
            "Pass a chart of plot_…, a table of …_by_family, or profiles.tasks or profiles.jobs."
        )
    writer = writers.get(path.suffix.lower())
    if writer is None:
        raise ShareError(
            f"{path.name}: a {kind} cannot be written as {path.suffix or 'a file without suffix'}; "
            f"choose from {', '.join(writers)}."
        )
    try:
        with whole_file(path) as draft:
            writer(what, draft)
    except ValueError as error:  # the renderer's word for a specification it cannot draw
        if kind == "frame" or isinstance(error, ShareError):
            raise
        raise ShareError(f"{path.name}: the chart cannot be drawn: {str(error).splitlines()[0]}") from None
    except OSError as error:
        raise ShareError(f"{path} cannot be written: {error.strerror or error}.") from None
    return path


def _write_png(chart: Any, path: Path, scale: float = 2.0) -> None:
    from tpanalytics.charts.picture import png

    path.write_bytes(png(chart.to_dict(), scale))


def _write_svg(chart: Any, path: Path) -> None:
    import vl_convert

    path.write_text(vl_convert.vegalite_to_svg(chart.to_dict()), encoding="utf-8")


def _write_pdf(chart: Any, path: Path) -> None:
    import vl_convert

    path.write_bytes(vl_convert.vegalite_to_pdf(chart.to_dict()))


def _write_vega_lite(chart: Any, path: Path) -> None:
    path.write_text(json.dumps(chart.to_dict(), indent=2, ensure_ascii=False), encoding="utf-8")


#: Nothing is fetched from anywhere: the policy forbids it to the page itself.
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; \
style-src 'unsafe-inline'; img-src data: blob:">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>body {{ margin: 1.5rem; background: #fff }} #chart {{ overflow-x: auto }}</style>
</head>
<body>
<div id="chart" role="figure" aria-label="{description}"></div>
<noscript>{svg}</noscript>
<script>(function () {{{library}
vegaEmbed("#chart", {spec}, {{
  renderer: "svg", actions: {{export: true, source: false, compiled: false, editor: false}}
}});
}})();</script>
</body>
</html>
"""


def _write_html(chart: Any, path: Path) -> None:
    import vl_convert

    spec = chart.to_dict()
    title = spec.get("title", "")
    title = title.get("text", "") if isinstance(title, dict) else title
    title = " ".join(title) if isinstance(title, list) else str(title)
    page = _PAGE.format(
        title=html.escape(title or "Chart"),
        description=html.escape(spec.get("description", title)),
        svg=vl_convert.vegalite_to_svg(spec),
        library=vl_convert.javascript_bundle().replace("</script", "<\\/script"),  # type: ignore[call-arg]  # has a default
        spec=json.dumps(spec, ensure_ascii=False).replace("<", "\\u003c"),  # no name can end the script
    )
    path.write_text(page, encoding="utf-8")


def _write_csv(frame: pl.DataFrame, path: Path) -> None:
    flat = _defused(_flat(frame))
    headers = {name: f"'{name}" for name in flat.columns if name[:1] in "=+-@\t\r"}
    # Quoted, because a spreadsheet may take another character than the comma for the end of a cell.
    flat.rename(headers).write_csv(path, quote_style="non_numeric")


def _write_parquet(frame: pl.DataFrame, path: Path) -> None:
    with path.open("wb") as file:  # a full disk is then an OSError, as for every other kind
        frame.write_parquet(file)


def _write_json(frame: pl.DataFrame, path: Path) -> None:
    frame.write_json(path)


def _write_xlsx(frame: pl.DataFrame, path: Path) -> None:
    import xlsxwriter

    if frame.height > _XLSX_ROWS:
        raise ShareError(f"A sheet holds {_XLSX_ROWS:,} rows, the frame has {frame.height:,}; use .parquet or .csv.")
    alike = [name for name, n in Counter(name.lower() for name in frame.columns).items() if n > 1]
    if alike:
        raise ShareError(f"A table in a sheet cannot have columns that differ in case only: {', '.join(alike)}.")
    flat = _flat(frame).with_columns(
        pl.when(pl.col(pl.String).str.len_chars() > _XLSX_CELL)
        .then(pl.col(pl.String).str.head(_XLSX_CELL - len(_SHORTENED)) + pl.lit(_SHORTENED))
        .otherwise(pl.col(pl.String))
        .name.keep()
    )
    # Text stays text: neither a formula nor a link is made of it.
    options = {"strings_to_formulas": False, "strings_to_urls": False, "nan_inf_to_errors": True}
    shares = [name for name in flat.columns if "share" in name or "coverage" in name or name == "described_week"]
    content = io.BytesIO()
    with xlsxwriter.Workbook(content, {**options, "in_memory": True}) as book:
        flat.write_excel(
            book,
            worksheet="data",
            autofit=True,
            freeze_panes=(1, 1),
            table_style="Table Style Light 1",
            column_formats=dict.fromkeys(shares, "0.0%"),
            float_precision=2,
        )
    path.write_bytes(content.getvalue())


def _flat(frame: pl.DataFrame) -> pl.DataFrame:
    """Write nested and categorical columns out as text, which is all that a cell can hold."""
    texts = [name for name, dtype in frame.schema.items() if dtype in (pl.Categorical, pl.Enum)]
    return frame.with_columns(pl.col(texts).cast(pl.String)).with_columns(
        pl.col(name).map_elements(
            lambda value: json.dumps(value.to_list() if isinstance(value, pl.Series) else value, ensure_ascii=False),
            return_dtype=pl.String,
        )
        for name, dtype in frame.schema.items()
        if dtype.is_nested()
    )


def _defused(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(pl.col(pl.String).str.replace(_FORMULA, "'${0}"))


_CHART_WRITERS: dict[str, Callable[[Any, Path], None]] = {
    ".png": _write_png,
    ".svg": _write_svg,
    ".pdf": _write_pdf,
    ".html": _write_html,
    ".json": _write_vega_lite,
}
_FRAME_WRITERS: dict[str, Callable[[Any, Path], None]] = {
    ".csv": _write_csv,
    ".xlsx": _write_xlsx,
    ".parquet": _write_parquet,
    ".json": _write_json,
}
