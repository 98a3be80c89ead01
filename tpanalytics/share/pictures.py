"""A chart as a file: picture, page or specification, and nothing in it of the machine or the moment."""

from __future__ import annotations

import html
import json
from functools import partial
from typing import TYPE_CHECKING, Any

from tpanalytics.errors import ShareError
from tpanalytics.share.frames import finite

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["chart_writers", "spec_of", "title_of"]

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


def spec_of(chart: Any) -> dict[str, Any]:
    """Give a chart's Vega-Lite, in which what is not a number is null.

    Raises
    ------
    ShareError
        If its data hold an infinite number, or more rows than Altair draws.
    """
    import altair as alt

    try:
        spec: dict[str, Any] = finite(chart.to_dict(), "The chart")
    except alt.MaxRowsError:
        raise ShareError(
            "The chart holds more rows than Altair draws, 5,000 unless told otherwise; aggregate them first."
        ) from None
    return spec


def title_of(spec: dict[str, Any]) -> str:
    """Give the title of a specification as one line."""
    title = spec.get("title") or ""
    title = title.get("text", "") if isinstance(title, dict) else title
    return " ".join(title) if isinstance(title, list) else str(title)


def chart_writers(scale: float) -> dict[str, Callable[[dict[str, Any], Path], None]]:
    """Give for each suffix what writes a specification so."""
    return {
        ".png": partial(_png, scale=scale),
        ".svg": _svg,
        ".pdf": _pdf,
        ".html": _html,
        ".json": _vega_lite,
    }


def _png(spec: dict[str, Any], path: Path, scale: float) -> None:
    from tpanalytics.charts.picture import png

    path.write_bytes(png(spec, scale))


def _svg(spec: dict[str, Any], path: Path) -> None:
    import vl_convert

    path.write_text(vl_convert.vegalite_to_svg(spec), encoding="utf-8")


def _pdf(spec: dict[str, Any], path: Path) -> None:
    import vl_convert

    path.write_bytes(vl_convert.vegalite_to_pdf(spec))


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
        spec=json.dumps(spec, ensure_ascii=False, allow_nan=False).replace("<", "\\u003c"),  # no name ends the script
    )
    path.write_text(page, encoding="utf-8")
