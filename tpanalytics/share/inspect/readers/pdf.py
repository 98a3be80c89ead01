"""What can be read of a .pdf: its texts by the fonts' own tables, its properties, and what it would ask others for."""

from __future__ import annotations

import re
import zlib
from typing import TYPE_CHECKING

from tpanalytics.errors import ShareError
from tpanalytics.share.inspect.findings import LARGEST, Finding, Piece

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["pdf_pieces"]

_OBJECT = re.compile(rb"(\d+)\s+\d+\s+obj\b(.*?)\bendobj", re.DOTALL)
_STREAM = re.compile(rb"(.*?)\bstream\r?\n(.*?)\r?\n?endstream", re.DOTALL)
_PROPERTY = re.compile(rb"/(Author|Creator|Producer|Title|Subject|Keywords|CreationDate|ModDate)\s*(?=[(<])")
_FONT = re.compile(rb"/([\w.+-]+)\s+(\d+)\s+\d+\s+R")
_OPERATOR = re.compile(
    rb"/([\w.+-]+)\s+[\d.]+\s+Tf\b"  # the font
    rb"|(-?[\d.]+)\s+(T[dDm])\b"  # how far down, and in what sense
    rb"|\bcm\b|\bT\*|[(<]"  # another place, the next line, a string
)
_ESCAPES = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f"}


def pdf_pieces(content: bytes) -> Iterator[Piece | Finding]:
    """Give the texts of a .pdf page by page, as far as its fonts say what their signs mean."""
    if b"%PDF-" not in content[:1024]:
        raise ShareError("it is no .pdf.")
    if b"%%EOF" not in content[-2048:]:
        raise ShareError("the .pdf is cut off.")
    if re.search(rb"/Encrypt\s+\d+", content):
        yield Finding("file", "not read", "it is encrypted", "look")
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
            yield Piece(f"drawn text {pages}", text=_drawn(stream, fonts))
        elif b"<x:xmpmeta" in stream or b"<rdf:RDF" in stream:
            text = re.sub(r"<[^>]*>", " ", stream.decode("utf-8", errors="replace"))
            yield Piece("metadata", text=" ".join(text.split()))
    yield from _besides(b"\n".join(head for head, _ in objects.values()))


def _besides(described: bytes) -> Iterator[Finding]:
    """Find what the file does or holds besides its pages, in what describes its objects."""
    if re.search(rb"/S\s*/(?:JavaScript|Launch|SubmitForm|ImportData)\b|/JS\b", described):
        yield Finding("file", "script", "it runs or sends something when opened or clicked", "look")
    if re.search(rb"/EmbeddedFiles?\b|/Type\s*/Filespec", described):
        yield Finding("file", "hidden content", "a file inside the file", "look")
    for address in dict.fromkeys(re.findall(rb"/URI\s*\(([^)]{1,300})\)", described)):
        yield Finding("file", "external request", f"a link to {address.decode('latin-1')[:60]}", "note")
    if pictures := len(re.findall(rb"/Subtype\s*/Image\b", described)):
        yield Finding("file", "picture", f"{pictures} with pixels, not read", "note")


def _objects(content: bytes) -> dict[int, tuple[bytes, bytes]]:
    """Give of each object what describes it, and its stream unpacked; of a packed group each by itself."""
    found: dict[int, tuple[bytes, bytes]] = {}
    room = LARGEST
    for number, body in _OBJECT.findall(content):
        parts = _STREAM.match(body)
        head, stream = (parts[1], parts[2]) if parts else (body, b"")
        if b"/FlateDecode" in head:
            try:
                stream = zlib.decompressobj().decompress(stream, room)
            except zlib.error:
                stream = b""
            room -= len(stream)
            if room <= 0:
                raise ShareError(f"unpacked it would be larger than {LARGEST // 1_000_000} MB.")
        found[int(number)] = (head, stream)
        if re.search(rb"/Type\s*/ObjStm", head):
            first = int((re.search(rb"/First\s+(\d+)", head) or [b"0", b"0"])[1])
            places = [int(n) for n in stream[:first].split()]
            ends = [*(first + at for at in places[3::2]), len(stream)]
            for inner, at, end in zip(places[::2], places[1::2], ends, strict=False):
                found[inner] = (stream[first + at : end], b"")
    return found


def _fonts(objects: dict[int, tuple[bytes, bytes]]) -> dict[bytes, dict[bytes, str]]:
    """Give by each name that pages call a font by what its signs mean."""
    named: dict[bytes, dict[bytes, str]] = {}
    for head, _ in objects.values():
        for name, number in _FONT.findall(head):
            font = objects.get(int(number), (b"", b""))[0]
            said = re.search(rb"/ToUnicode\s+(\d+)", font)
            if said and int(said[1]) in objects:
                named.setdefault(name, {}).update(_signs(objects[int(said[1])][1]))
    return named


def _signs(table: bytes) -> dict[bytes, str]:
    signs: dict[bytes, str] = {}
    for part in re.findall(rb"beginbfchar(.*?)endbfchar", table, re.DOTALL):
        pairs = re.findall(rb"<\s*([0-9A-Fa-f]+)\s*>\s*<\s*([0-9A-Fa-f ]+)\s*>", part)
        signs.update({_bytes(code): _bytes(text).decode("utf-16-be", "replace") for code, text in pairs})
    for part in re.findall(rb"beginbfrange(.*?)endbfrange", table, re.DOTALL):
        for low, high, text in re.findall(rb"<(\w+)>\s*<(\w+)>\s*(<\w+>|\[[^\]]*\])", part):
            first, width = int(low, 16), len(low) // 2
            texts = [_bytes(found).decode("utf-16-be", "replace") for found in re.findall(rb"<(\w+)>", text)]
            for i in range(min(int(high, 16) - first + 1, 65_536)):
                if text.startswith(b"[") and i < len(texts):
                    signs[(first + i).to_bytes(width, "big")] = texts[i]
                elif texts and texts[0]:
                    signs[(first + i).to_bytes(width, "big")] = texts[0][:-1] + chr(ord(texts[0][-1]) + i)
    return signs


def _drawn(stream: bytes, fonts: dict[bytes, dict[bytes, str]]) -> str:
    """Give what a page draws, line by line; letters may be placed one by one."""
    font: dict[bytes, str] = {}
    drawn: list[str] = []
    at, height = 0, b""
    while match := _OPERATOR.search(stream, at):
        at = match.end()
        if match[1]:
            font = fonts.get(match[1], {})
        elif match[3]:
            moved = float(match[2]) != 0 if match[3] != b"Tm" else match[2] != height
            height = match[2] if match[3] == b"Tm" else height
            drawn.append("\n" if moved else "" if match[3] == b"Tm" else " ")
        elif match[0] in {b"cm", b"T*"}:
            drawn.append("\n")
        elif match[0] == b"(":
            raw, at = _literal(stream, at)
            drawn.append(_meant(raw, font))
        elif stream[at : at + 1] != b"<":
            end = stream.find(b">", at)
            drawn.append(_meant(_bytes(stream[at:end]), font))
            at = end + 1 if end > 0 else len(stream)
    return re.sub(r"\s*\n\s*", "\n", "".join(drawn)).strip()


def _meant(raw: bytes, font: dict[bytes, str]) -> str:
    if not font:
        return raw.decode("latin-1")
    width = max(map(len, font))
    return "".join(font.get(raw[i : i + width], "") for i in range(0, len(raw), width))


def _literal(stream: bytes, at: int) -> tuple[bytes, int]:
    """Read a string in brackets, which may stand within it in pairs or behind a backslash."""
    depth, out = 1, bytearray()
    while at < len(stream):
        sign = stream[at : at + 1]
        at += 1
        if sign == b"\\":
            octal = re.match(rb"[0-7]{1,3}", stream[at : at + 3])
            if octal:
                out.append(int(octal[0], 8) & 255)
                at += len(octal[0])
            else:
                following = stream[at : at + 1]
                out += _ESCAPES.get(following, b"" if following in {b"\n", b"\r"} else following)
                at += 1
            continue
        depth += (sign == b"(") - (sign == b")")
        if not depth:
            break
        out += sign
    return bytes(out), at


def _bytes(code: bytes) -> bytes:
    digits = re.sub(rb"[^0-9A-Fa-f]", b"", code).decode()
    return bytes.fromhex(digits + "0" * (len(digits) % 2))


def _properties(objects: dict[int, tuple[bytes, bytes]], content: bytes) -> Iterator[Piece | Finding]:
    described = [int(number) for number in re.findall(rb"/Info\s+(\d+)", content)]
    heads = [head for head, stream in objects.values() if b"/Info" in head and not stream]
    for head in [*(objects[number][0] for number in described if number in objects), *heads]:
        for match in _PROPERTY.finditer(head):
            if head[match.end() : match.end() + 1] == b"(":
                raw, _ = _literal(head, match.end() + 1)
            else:
                raw = _bytes(head[match.end() : head.find(b">", match.end())])
            text = raw.decode("utf-16" if raw[:2] in {b"\xfe\xff", b"\xff\xfe"} else "latin-1", "replace")
            name = match[1].decode()
            person = name == "Author"
            said = f"{name}, {len(text)} characters"
            yield Finding("file", "personal data" if person else "metadata", said, "look" if person else "note")
            yield Piece(f"file, {name}", text=text, listed=False)
