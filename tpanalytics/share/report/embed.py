"""The charts of a report: a still picture that everybody sees, and the specification that scripts draw anew."""

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

#: What a data address, in an attribute between single quotes, cannot hold as it is.
_ENCODED = str.maketrans({letter: f"%{ord(letter):02X}" for letter in "%#&'<>\r\n\t"})
_SIZE = re.compile(r'<svg[^>]* width="([\d.]+)" height="([\d.]+)"')


@dataclass(frozen=True)
class Picture:
    """A chart as a page holds it."""

    key: str
    title: str
    description: str
    width: int
    height: int
    source: str
    spec: str


def picture(chart: Any, key: str) -> Picture:
    """Draw a chart."""
    import vl_convert

    spec = _settled(chart.to_dict())
    # A picture is one thing to a reader's software, so names of its marks would only make the file larger.
    still = {**spec, "config": {**spec.get("config", {}), "aria": False}}
    drawn = vl_convert.vegalite_to_svg(still)
    size = _SIZE.search(drawn)
    width, height = (round(float(number)) for number in size.groups()) if size else (0, 0)
    title = title_of(spec)
    return Picture(
        key=key,
        title=title,
        description=spec.get("description") or title,
        width=width,
        height=height,
        source="data:image/svg+xml;charset=utf-8," + drawn.translate(_ENCODED),
        spec=script_safe(spec),
    )


def script_safe(value: Any) -> str:
    """Write JSON that no text in it can end the script element of."""
    written = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return written.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


@cache
def library() -> str:
    """Give the drawing library, compressed: it is most of a page, and so less than half of it."""
    import vl_convert

    source: str = vl_convert.javascript_bundle()  # type: ignore[call-arg]  # has a default
    return base64.b64encode(gzip.compress(source.encode(), 9, mtime=0)).decode()


def _settled(spec: dict[str, Any]) -> dict[str, Any]:
    """Make the same chart the same text each time: sums may differ in their last digit, and tables are named by it."""
    names = {name: f"data-{number}" for number, name in enumerate(spec.get("datasets", {}), 1)}
    settled: dict[str, Any] = _renamed(_shortened({**spec, "datasets": {}}), names)
    return {**settled, "datasets": {names[name]: _shortened(rows) for name, rows in spec.get("datasets", {}).items()}}


def _renamed(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        if value.get("name") in names and len(value) == 1:
            return {"name": names[value["name"]]}
        return {name: _renamed(inner, names) for name, inner in value.items()}
    return [_renamed(inner, names) for inner in value] if isinstance(value, list) else value


def _shortened(value: Any) -> Any:
    """Cut numbers to what can be seen."""
    if isinstance(value, float):
        return float(f"{value:.7g}")
    if isinstance(value, dict):
        return {name: _shortened(inner) for name, inner in value.items()}
    return [_shortened(inner) for inner in value] if isinstance(value, list) else value
