"""Charts in a report, as images and interactive specifications."""

from __future__ import annotations

import base64
import gzip
import json
import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from tpanalytics.share.chart_files import title_of

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Picture", "library", "picture", "script_safe"]

#: Characters that must be escaped in a single-quoted data URL.
_ESCAPES = str.maketrans({letter: f"%{ord(letter):02X}" for letter in "%#&'<>\r\n\t"})
_SIZE = re.compile(r'<svg[^>]* width="([\d.]+)" height="([\d.]+)"')


@dataclass(frozen=True)
class Picture:
    """A chart rendered for a page."""

    key: str
    title: str
    description: str
    width: int
    height: int
    source: str
    spec: str


def picture(chart: Any, key: str) -> Picture:
    """Render a chart."""
    import vl_convert

    spec = _with_stable_text(chart.to_dict())
    # Screen readers see a single image, so labels on marks would only make the file larger.
    svg = vl_convert.vegalite_to_svg({**spec, "config": {**spec.get("config", {}), "aria": False}})
    size = _SIZE.search(svg)
    width, height = (round(float(number)) for number in size.groups()) if size else (0, 0)
    title = title_of(spec)
    return Picture(
        key=key,
        title=title,
        description=spec.get("description") or title,
        width=width,
        height=height,
        source="data:image/svg+xml;charset=utf-8," + svg.translate(_ESCAPES),
        spec=script_safe(spec),
    )


def script_safe(value: Any) -> str:
    """Serialize a value as JSON that can be embedded in a script element without closing it."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


@cache
def library() -> str:
    """Return the JavaScript chart library as base64-encoded gzip."""
    import vl_convert

    source: str = vl_convert.javascript_bundle()  # type: ignore[call-arg]  # has a default
    return base64.b64encode(gzip.compress(source.encode(), 9, mtime=0)).decode()


def _with_stable_text(spec: dict[str, Any]) -> dict[str, Any]:
    """Round floats and replace the hashes used as dataset names, so the text is reproducible."""
    datasets = spec.get("datasets", {})
    names = {name: f"data-{number}" for number, name in enumerate(datasets, 1)}
    stable: dict[str, Any] = _renamed(_rounded({**spec, "datasets": {}}), names)
    return {**stable, "datasets": {names[name]: _rounded(rows) for name, rows in datasets.items()}}


def _renamed(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        if value.get("name") in names and len(value) == 1:
            return {"name": names[value["name"]]}
        return {name: _renamed(inner, names) for name, inner in value.items()}
    return [_renamed(inner, names) for inner in value] if isinstance(value, list) else value


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.7g}")
    if isinstance(value, dict):
        return {name: _rounded(inner) for name, inner in value.items()}
    return [_rounded(inner) for inner in value] if isinstance(value, list) else value
