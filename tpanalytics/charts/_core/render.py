"""A finished chart as a PNG."""

from __future__ import annotations

import struct
import zlib
from typing import Any

#: Sharp on most screens, and still small enough to keep in a notebook.
_DISPLAY_SCALE = 1.5


def png(spec: dict[str, Any], scale: float, *, small: bool = False) -> bytes:
    """Render a Vega-Lite specification, in less than half the bytes the renderer would write."""
    import vl_convert

    return _packed(vl_convert.vegalite_to_png(spec, scale=scale), 6 if small else 3)


def displayed(spec: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what a notebook keeps of a chart: a picture and its description, by kind, and the picture's size."""
    picture = png(spec, _DISPLAY_SCALE, small=True)
    # Without its size in points a notebook would show the picture pixel by pixel.
    width, height = (round(int.from_bytes(picture[i : i + 4], "big") / _DISPLAY_SCALE) for i in (16, 20))
    kept = {"image/png": picture, "text/plain": spec.get("description", "chart")}
    return kept, {"image/png": {"width": width, "height": height}}


def _packed(image: bytes, level: int) -> bytes:
    """Compress the pixel data anew: the renderer hardly does, and a notebook or mail keeps every byte."""
    pixels, others, at = b"", [], 8
    while at < len(image):
        (length,) = struct.unpack(">I", image[at : at + 4])
        kind, whole = image[at + 4 : at + 8], image[at : at + 12 + length]
        if kind == b"IDAT":
            pixels += whole[8:-4]
        else:
            others.append(whole)
        at += 12 + length
    packed = b"IDAT" + zlib.compress(zlib.decompress(pixels), level=level)
    block = struct.pack(">I", len(packed) - 4) + packed + struct.pack(">I", zlib.crc32(packed))
    return b"".join([image[:8], *others[:-1], block, others[-1]])
