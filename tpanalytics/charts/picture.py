"""A finished chart as a PNG."""

from __future__ import annotations

import struct
import zlib
from typing import Any

__all__ = ["png"]


def png(spec: dict[str, Any], scale: float) -> bytes:
    """Render a Vega-Lite specification, at about a third of the size the renderer would write.

    Parameters
    ----------
    spec
        Vega-Lite.
    scale
        Pixels of the picture per pixel of the chart.
    """
    import vl_convert

    return _packed(vl_convert.vegalite_to_png(spec, scale=scale))


def _packed(image: bytes) -> bytes:
    """Compress the pixel data anew: the renderer compresses for speed, and a notebook or mail keeps every byte."""
    pixels, others, at = b"", [], 8
    while at < len(image):
        (length,) = struct.unpack(">I", image[at : at + 4])
        kind, whole = image[at + 4 : at + 8], image[at : at + 12 + length]
        if kind == b"IDAT":
            pixels += whole[8:-4]
        else:
            others.append(whole)
        at += 12 + length
    packed = b"IDAT" + zlib.compress(zlib.decompress(pixels), level=9)
    block = struct.pack(">I", len(packed) - 4) + packed + struct.pack(">I", zlib.crc32(packed))
    return b"".join([image[:8], *others[:-1], block, others[-1]])
