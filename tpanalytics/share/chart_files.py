"""Chart writers."""

from __future__ import annotations

import html
import json
import re
from functools import partial
from typing import TYPE_CHECKING, Any

from tpanalytics.errors import ShareError
from tpanalytics.share.frames import finite

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["chart_writers", "spec_of", "title_of"]

#: Template for an offline page. The content security policy blocks all requests.
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; \
style-src 'unsafe-inline'; img-src data: blob:">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
body {{ margin: 1.5rem; background: #fff; color: #1B1B1F; color-scheme: light; \
font: 14px/1.4 "Liberation Sans", Arial, sans-serif }}
main {{ overflow-x: auto }}
.vega-bindings:empty {{ display: none }}
.vega-bindings {{ padding: .25rem .75rem 1rem }}
.vega-bind label {{ position: sticky; left: .75rem; display: flex; flex-wrap: wrap; align-items: center; \
gap: .25rem .75rem; width: fit-content; max-width: calc(100vw - 5rem) }}
.vega-bind-name {{ margin: 0 }}
.vega-bind input {{ width: 20rem; max-width: calc(100vw - 10rem); margin: 0; accent-color: #21787F }}
.vega-bind input + span {{ min-width: 2.5rem; font-variant-numeric: tabular-nums }}
.vega-bind input:focus-visible {{ outline: 2px solid #21787F; outline-offset: 3px }}
</style>
</head>
<body>
<main><div id="chart" role="figure" aria-label="{description}"></div></main>
<noscript>{svg}</noscript>
<script>(function () {{{library}
vegaEmbed("#chart", {spec}, {{
  renderer: "svg", actions: {{export: true, source: false, compiled: false, editor: false}}
}});
}})();</script>
</body>
</html>
"""

#: Patterns for PDF object references, and for consecutive dictionary lines that only contain references.
_REFERENCE = re.compile(rb"\b(\d+) 0 R\b")
_REFERENCE_LINES = re.compile(rb"(?:^ +/\w+ \d+ 0 R\n)+", re.MULTILINE)


def spec_of(chart: Any) -> dict[str, Any]:
    """Return a chart's Vega-Lite specification, with NaN replaced by null."""
    import altair as alt

    try:
        spec: dict[str, Any] = finite(chart.to_dict(), "The chart")
    except alt.MaxRowsError:
        raise ShareError(
            "The chart has more rows than Altair allows (5,000 by default). Aggregate the data first."
        ) from None
    return spec


def title_of(spec: dict[str, Any]) -> str:
    """Return the chart title on a single line."""
    title = spec.get("title") or ""
    title = title.get("text", "") if isinstance(title, dict) else title
    return " ".join(title) if isinstance(title, list) else str(title)


def chart_writers(scale: float) -> dict[str, Callable[[dict[str, Any], Path], None]]:
    """Return the writers by suffix."""
    return {
        ".png": partial(_png, scale=scale),
        ".svg": _svg,
        ".pdf": _pdf,
        ".html": _html,
        ".json": _vega_lite,
    }


def _png(spec: dict[str, Any], path: Path, scale: float) -> None:
    from tpanalytics.charts._core.render import png

    path.write_bytes(png(spec, scale))


def _svg(spec: dict[str, Any], path: Path) -> None:
    import vl_convert

    path.write_text(vl_convert.vegalite_to_svg(spec), encoding="utf-8")


def _pdf(spec: dict[str, Any], path: Path) -> None:
    import vl_convert

    path.write_bytes(_with_stable_order(vl_convert.vegalite_to_pdf(spec)))


def _with_stable_order(pdf: bytes) -> bytes:
    """Sort the objects in a PDF. The renderer writes them in random order."""
    start = int(pdf[pdf.rindex(b"startxref") + 9 :].split()[0])
    if not pdf.startswith(b"xref\n0 ", start):  # another vl-convert version, with a different layout
        return pdf
    table, trailer = pdf[start:].split(b"trailer", 1)
    offsets = {n: int(line[:10]) for n, line in enumerate(table.split(b"\n")[2:]) if line[17:18] == b"n"}
    ends = sorted([*offsets.values(), start])
    heads, tails = {}, {}
    for n, offset in offsets.items():
        _, _, body = pdf[offset : ends[ends.index(offset) + 1]].partition(b" obj")
        head, mark, stream = body.partition(b"stream\n")
        heads[n] = _REFERENCE_LINES.sub(lambda run: b"".join(sorted(run[0].splitlines(keepends=True))), head)
        tails[n] = mark + stream
    order: list[int] = []
    pending = [int(n) for n in _REFERENCE.findall(trailer)][::-1]
    while pending:
        n = pending.pop()
        if n in heads and n not in order:
            order.append(n)
            pending += [int(other) for other in _REFERENCE.findall(heads[n])][::-1]
    number = {n: b"%d" % i for i, n in enumerate([*order, *sorted(heads.keys() - set(order))], 1)}

    def renumbered(text: bytes) -> bytes:
        return _REFERENCE.sub(lambda match: number.get(int(match[1]), match[1]) + b" 0 R", text)

    output, entries = bytearray(pdf[: ends[0]]), [b"0000000000 65535 f\r\n"]
    for n, new in number.items():
        entries.append(b"%010d 00000 n\r\n" % len(output))
        output += new + b" 0 obj" + renumbered(heads[n]) + tails[n]
    trailer = renumbered(trailer[: trailer.rindex(b"startxref")])
    table = b"xref\n0 %d\n" % len(entries) + b"".join(entries)
    return bytes(output) + table + b"trailer" + trailer + b"startxref\n%d\n%%%%EOF" % len(output)


def _vega_lite(spec: dict[str, Any], path: Path) -> None:
    path.write_text(json.dumps(spec, indent=2, ensure_ascii=False, allow_nan=False), encoding="utf-8")


def _html(spec: dict[str, Any], path: Path) -> None:
    import vl_convert

    title = title_of(spec)
    page = _PAGE.format(
        title=html.escape(title or "Chart"),
        description=html.escape(spec.get("description", title)),
        svg=vl_convert.vegalite_to_svg(spec),
        library=vl_convert.javascript_bundle().replace("</script", "<\\/script"),  # type: ignore[call-arg]  # has a default
        spec=json.dumps(spec, ensure_ascii=False, allow_nan=False).replace("<", "\\u003c"),  # don't close the script
    )
    path.write_text(page, encoding="utf-8")
