"""What a .png carries beside its pixels."""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING

from tpanalytics.errors import ShareError
from tpanalytics.share.inspect.findings import LARGEST, Finding, Piece

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["KEPT_CHUNKS", "SIGNATURE", "chunks", "png_pieces"]

SIGNATURE = b"\x89PNG\r\n\x1a\n"
#: Chunks that the picture is made of; every other one is said of it.
KEPT_CHUNKS = {
    *(b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"sBIT", b"bKGD", b"pHYs", b"iCCP"),
    *(b"cICP", b"acTL", b"fcTL", b"fdAT"),
}
_TEXTS = {b"tEXt", b"zTXt", b"iTXt"}


def chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Give kind and data of each chunk; what stands behind the last one comes with an empty kind."""
    if not content.startswith(SIGNATURE):
        raise ShareError("it is no .png.")
    at, kind = len(SIGNATURE), b""
    while kind != b"IEND":
        if at + 12 > len(content):
            raise ShareError("the .png is cut off.")
        (length,) = struct.unpack(">I", content[at : at + 4])
        kind = content[at + 4 : at + 8]
        if at + 12 + length > len(content):
            raise ShareError("the .png is cut off.")
        yield kind, content[at + 8 : at + 8 + length]
        at += 12 + length
    if content[at:]:
        yield b"", content[at:]


def png_pieces(content: bytes, where: str = "picture") -> Iterator[Piece | Finding]:
    """Give the texts in a .png; nobody reads its pixels here."""
    for kind, data in chunks(content):
        if kind == b"IHDR":
            width, height = struct.unpack(">II", data[:8])
            yield Finding(where, "picture", f"{width} × {height} pixels, not read", "note")  # noqa: RUF001
        elif kind in _TEXTS:
            key, text = _text(kind, data)
            yield Finding(where, "metadata", f"{key or 'text'}, {len(text)} characters", "note")
            yield Piece(f"{where}, {key or 'text'}", text=f"{key}={text}", listed=False)
        elif kind == b"eXIf":
            yield Finding(where, "metadata", f"camera data, {len(data):,} bytes", "look")
        elif not kind:
            yield Finding(where, "hidden content", f"{len(data):,} bytes behind the picture's end", "look")
            yield Piece(f"{where}, behind its end", text=data.decode("latin-1"), listed=False)


def _text(kind: bytes, data: bytes) -> tuple[str, str]:
    key, _, rest = data.partition(b"\0")
    packed = kind == b"zTXt"
    if kind == b"iTXt":
        packed, parts = rest[:1] == b"\1", rest[2:].split(b"\0", 2)
        rest = parts[-1]
    elif packed:
        rest = rest[1:]
    if packed:
        try:
            rest = zlib.decompressobj().decompress(rest, LARGEST)
        except zlib.error:
            raise ShareError("a text in the .png cannot be unpacked.") from None
    return key.decode("latin-1"), rest.decode("utf-8", errors="replace")
