"""Reader for .pdf files."""

from __future__ import annotations

import re
import zlib
from typing import TYPE_CHECKING

from tpanalytics.errors import ShareError
from tpanalytics.formatting import plural
from tpanalytics.share.inspect.findings import MAX_SIZE, Finding, Piece

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["pdf_pieces"]

_OBJECT = re.compile(rb"(\d+)\s+\d+\s+obj\b(.*?)\bendobj", re.DOTALL)
_STREAM = re.compile(rb"(.*?)\bstream\r?\n(.*?)\r?\n?endstream", re.DOTALL)
_PROPERTY = re.compile(rb"/(Author|Creator|Producer|Title|Subject|Keywords|CreationDate|ModDate)\s*(?=[(<])")
_FONT = re.compile(rb"/([\w.+-]+)\s+(\d+)\s+\d+\s+R")
_OPERATOR = re.compile(
    rb"/([\w.+-]+)\s+[\d.]+\s+Tf\b"  # font
    rb"|(-?[\d.]+)\s+(T[dDm])\b"  # vertical move
    rb"|\bcm\b|\bT\*|[(<]"  # transformation, next line, start of a string
)
_ESCAPES = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f"}


def pdf_pieces(content: bytes) -> Iterator[Piece | Finding]:
    """Yield the document properties and each page's text, decoded with the fonts' Unicode tables."""
    if b"%PDF-" not in content[:1024]:
        raise ShareError("not a PDF file.")
    if b"%%EOF" not in content[-2048:]:
        raise ShareError("the PDF file is truncated.")
    if re.search(rb"/Encrypt\s+\d+", content):
        yield Finding("file", "not read", "encrypted file", "look")
        return
    objects = _objects(content)
    fonts = _fonts(objects)
    yield from _properties(objects, content)
    pages = 0
    for head, stream in objects.values():
        if re.search(rb"\bB[TI]\b", stream) and not re.search(
            rb"/Type\s*/(?:CMap|XRef|ObjStm)|/FontFile|/Length1", head
        ):
            pages += 1
            yield Piece(f"text block {pages}", text=_text(stream, fonts))
        elif b"<x:xmpmeta" in stream or b"<rdf:RDF" in stream:
            text = re.sub(r"<[^>]*>", " ", stream.decode("utf-8", errors="replace"))
            yield Piece("metadata", text=" ".join(text.split()))
    yield from _actions_and_attachments(b"\n".join(head for head, _ in objects.values()))


def _actions_and_attachments(heads: bytes) -> Iterator[Finding]:
    if re.search(rb"/S\s*/(?:JavaScript|Launch|SubmitForm|ImportData)\b|/JS\b", heads):
        yield Finding("file", "script", "runs or sends data when opened or clicked", "look")
    if re.search(rb"/EmbeddedFiles?\b|/Type\s*/Filespec", heads):
        yield Finding("file", "hidden content", "embedded file", "look")
    for address in dict.fromkeys(re.findall(rb"/URI\s*\(([^)]{1,300})\)", heads)):
        yield Finding("file", "external request", f"link to {address.decode('latin-1')[:60]}", "note")
    if images := len(re.findall(rb"/Subtype\s*/Image\b", heads)):
        yield Finding("file", "picture", f"{plural(images, 'image')}, not read", "note")


def _objects(content: bytes) -> dict[int, tuple[bytes, bytes]]:
    """Return each object's dictionary and decompressed stream, including objects in object streams."""
    objects: dict[int, tuple[bytes, bytes]] = {}
    remaining = MAX_SIZE
    for number, body in _OBJECT.findall(content):
        parts = _STREAM.match(body)
        head, stream = (parts[1], parts[2]) if parts else (body, b"")
        if b"/FlateDecode" in head:
            try:
                stream = zlib.decompressobj().decompress(stream, remaining)
            except zlib.error:
                stream = b""
            remaining -= len(stream)
            if remaining <= 0:
                raise ShareError(f"larger than {MAX_SIZE // 1_000_000} MB when decompressed.")
        objects[int(number)] = (head, stream)
        if re.search(rb"/Type\s*/ObjStm", head):
            first = int((re.search(rb"/First\s+(\d+)", head) or [b"0", b"0"])[1])
            index = [int(n) for n in stream[:first].split()]
            ends = [*(first + start for start in index[3::2]), len(stream)]
            for inner, start, end in zip(index[::2], index[1::2], ends, strict=False):
                objects[inner] = (stream[first + start : end], b"")
    return objects


def _fonts(objects: dict[int, tuple[bytes, bytes]]) -> dict[bytes, dict[bytes, str]]:
    """Return each font's characters, keyed by the font name used in pages."""
    fonts: dict[bytes, dict[bytes, str]] = {}
    for head, _ in objects.values():
        for name, number in _FONT.findall(head):
            font = objects.get(int(number), (b"", b""))[0]
            table = re.search(rb"/ToUnicode\s+(\d+)", font)
            if table and int(table[1]) in objects:
                fonts.setdefault(name, {}).update(_characters(objects[int(table[1])][1]))
    return fonts


def _characters(table: bytes) -> dict[bytes, str]:
    characters: dict[bytes, str] = {}
    for part in re.findall(rb"beginbfchar(.*?)endbfchar", table, re.DOTALL):
        pairs = re.findall(rb"<\s*([0-9A-Fa-f]+)\s*>\s*<\s*([0-9A-Fa-f ]+)\s*>", part)
        characters.update({_bytes(code): _bytes(text).decode("utf-16-be", "replace") for code, text in pairs})
    for part in re.findall(rb"beginbfrange(.*?)endbfrange", table, re.DOTALL):
        for low, high, text in re.findall(rb"<(\w+)>\s*<(\w+)>\s*(<\w+>|\[[^\]]*\])", part):
            first, width = int(low, 16), len(low) // 2
            texts = [_bytes(code).decode("utf-16-be", "replace") for code in re.findall(rb"<(\w+)>", text)]
            for i in range(min(int(high, 16) - first + 1, 65_536)):
                if text.startswith(b"[") and i < len(texts):
                    characters[(first + i).to_bytes(width, "big")] = texts[i]
                elif texts and texts[0]:
                    characters[(first + i).to_bytes(width, "big")] = texts[0][:-1] + chr(ord(texts[0][-1]) + i)
    return characters


def _text(stream: bytes, fonts: dict[bytes, dict[bytes, str]]) -> str:
    """Return the text on a page, ignoring moves between letters on the same line."""
    font: dict[bytes, str] = {}
    parts: list[str] = []
    position, height = 0, b""
    while match := _OPERATOR.search(stream, position):
        position = match.end()
        if match[1]:
            font = fonts.get(match[1], {})
        elif match[3]:
            moved = float(match[2]) != 0 if match[3] != b"Tm" else match[2] != height
            height = match[2] if match[3] == b"Tm" else height
            parts.append("\n" if moved else "" if match[3] == b"Tm" else " ")
        elif match[0] in {b"cm", b"T*"}:
            parts.append("\n")
        elif match[0] == b"(":
            raw, position = _literal(stream, position)
            parts.append(_decoded(raw, font))
        elif stream[position : position + 1] != b"<":
            end = stream.find(b">", position)
            parts.append(_decoded(_bytes(stream[position:end]), font))
            position = end + 1 if end > 0 else len(stream)
    return re.sub(r"\s*\n\s*", "\n", "".join(parts)).strip()


def _decoded(raw: bytes, font: dict[bytes, str]) -> str:
    if not font:
        return raw.decode("latin-1")
    width = max(map(len, font))
    return "".join(font.get(raw[i : i + width], "") for i in range(0, len(raw), width))


def _literal(stream: bytes, position: int) -> tuple[bytes, int]:
    """Return the bytes of a parenthesized string and the end position."""
    depth, out = 1, bytearray()
    while position < len(stream):
        character = stream[position : position + 1]
        position += 1
        if character == b"\\":
            octal = re.match(rb"[0-7]{1,3}", stream[position : position + 3])
            if octal:
                out.append(int(octal[0], 8) & 255)
                position += len(octal[0])
            else:
                following = stream[position : position + 1]
                out += _ESCAPES.get(following, b"" if following in {b"\n", b"\r"} else following)
                position += 1
            continue
        depth += (character == b"(") - (character == b")")
        if not depth:
            break
        out += character
    return bytes(out), position


def _bytes(code: bytes) -> bytes:
    digits = re.sub(rb"[^0-9A-Fa-f]", b"", code).decode()
    return bytes.fromhex(digits + "0" * (len(digits) % 2))


def _properties(objects: dict[int, tuple[bytes, bytes]], content: bytes) -> Iterator[Piece | Finding]:
    numbers = [int(number) for number in re.findall(rb"/Info\s+(\d+)", content)]
    heads = [head for head, stream in objects.values() if b"/Info" in head and not stream]
    for head in [*(objects[number][0] for number in numbers if number in objects), *heads]:
        for match in _PROPERTY.finditer(head):
            if head[match.end() : match.end() + 1] == b"(":
                raw, _ = _literal(head, match.end() + 1)
            else:
                raw = _bytes(head[match.end() : head.find(b">", match.end())])
            text = raw.decode("utf-16" if raw[:2] in {b"\xfe\xff", b"\xff\xfe"} else "latin-1", "replace")
            name = match[1].decode()
            description, person = f"{name}, {len(text)} characters", name == "Author"
            yield Finding("file", "personal data" if person else "metadata", description, "look" if person else "note")
            yield Piece(f"file, {name}", text=text, listed=False)
