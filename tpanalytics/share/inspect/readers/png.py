"""Reader for .png images."""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING

from tpanalytics.errors import ShareError
from tpanalytics.share.inspect.findings import MAX_SIZE, Finding, Piece

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["KEPT_CHUNKS", "SIGNATURE", "chunks", "png_pieces"]

SIGNATURE = b"\x89PNG\r\n\x1a\n"
#: Chunks that are part of the image. All others are metadata.
KEPT_CHUNKS = {
    *(b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"sBIT", b"bKGD", b"pHYs", b"iCCP"),
    *(b"cICP", b"acTL", b"fcTL", b"fdAT"),
}
_TEXTS = {b"tEXt", b"zTXt", b"iTXt"}


def chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield each chunk's type and data. Trailing data has an empty type."""
    if not content.startswith(SIGNATURE):
        raise ShareError("not a PNG image.")
    offset, kind = len(SIGNATURE), b""
    while kind != b"IEND":
        if offset + 12 > len(content):
            raise ShareError("the PNG image is truncated.")
        (length,) = struct.unpack(">I", content[offset : offset + 4])
        kind = content[offset + 4 : offset + 8]
        if offset + 12 + length > len(content):
            raise ShareError("the PNG image is truncated.")
        yield kind, content[offset + 8 : offset + 8 + length]
        offset += 12 + length
    if content[offset:]:
        yield b"", content[offset:]


def png_pieces(content: bytes, where: str = "picture") -> Iterator[Piece | Finding]:
    """Yield a PNG image's metadata, but not the pixels."""
    for kind, data in chunks(content):
        if kind == b"IHDR":
            width, height = struct.unpack(">II", data[:8])
            yield Finding(where, "picture", f"{width} × {height} pixels, not read", "note")  # noqa: RUF001
        elif kind in _TEXTS:
            key, text = _text(kind, data)
            yield Finding(where, "metadata", f"{key or 'text'}, {len(text)} characters", "note")
            yield Piece(f"{where}, {key or 'text'}", text=f"{key}={text}", listed=False)
        elif kind == b"eXIf":
            yield Finding(where, "metadata", f"EXIF data, {len(data):,} bytes", "look")
        elif not kind:
            yield Finding(where, "hidden content", f"{len(data):,} bytes after the end of the image", "look")
            yield Piece(f"{where}, after its end", text=data.decode("latin-1"), listed=False)


def _text(kind: bytes, data: bytes) -> tuple[str, str]:
    key, _, rest = data.partition(b"\0")
    compressed = kind == b"zTXt"
    if kind == b"iTXt":
        compressed, parts = rest[:1] == b"\1", rest[2:].split(b"\0", 2)
        rest = parts[-1]
    elif compressed:
        rest = rest[1:]
    if compressed:
        try:
            rest = zlib.decompressobj().decompress(rest, MAX_SIZE)
        except zlib.error:
            raise ShareError("a text chunk of the PNG image cannot be decompressed.") from None
    return key.decode("latin-1"), rest.decode("utf-8", errors="replace")
