"""Render charts as PNG images."""

from __future__ import annotations

import struct
import zlib
from typing import Any

#: Image scale. Sharp on most screens, but small enough to store in a notebook.
_DISPLAY_SCALE = 1.5


def png(spec: dict[str, Any], scale: float, *, small: bool = False) -> bytes:
    """Render a Vega-Lite spec as a PNG, and recompress it to less than half the size."""
    import vl_convert

    return _recompress(vl_convert.vegalite_to_png(spec, scale=scale), 6 if small else 3)


def displayed(spec: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a MIME bundle with a chart's image and description, and metadata with the image size."""
    picture = png(spec, _DISPLAY_SCALE, small=True)
    # Without a size, notebooks use one screen pixel per image pixel, and the chart is too large.
    width, height = (round(int.from_bytes(picture[i : i + 4], "big") / _DISPLAY_SCALE) for i in (16, 20))
    bundle = {"image/png": picture, "text/plain": spec.get("description", "chart")}
    return bundle, {"image/png": {"width": width, "height": height}}


def _recompress(image: bytes, level: int) -> bytes:
    """Recompress a PNG's pixel data. The renderer compresses it poorly."""
    pixels, others, at = b"", [], 8
    while at < len(image):
        (length,) = struct.unpack(">I", image[at : at + 4])
        kind, chunk = image[at + 4 : at + 8], image[at : at + 12 + length]
        if kind == b"IDAT":
            pixels += chunk[8:-4]
        else:
            others.append(chunk)
        at += 12 + length
    data = b"IDAT" + zlib.compress(zlib.decompress(pixels), level=level)
    idat = struct.pack(">I", len(data) - 4) + data + struct.pack(">I", zlib.crc32(data))
    return b"".join([image[:8], *others[:-1], idat, others[-1]])
