"""Reader for HTML and SVG."""

from __future__ import annotations

import base64
import binascii
import json
import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

from tpanalytics.formatting import plural
from tpanalytics.share.inspect.findings import Finding, Piece, is_external, table_of
from tpanalytics.share.inspect.readers.json import value_pieces
from tpanalytics.share.inspect.readers.png import png_pieces

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["markup_pieces"]

#: Attributes with a URL that is fetched when the page is opened, by element.
_URL_ATTRIBUTES = {
    **dict.fromkeys(("script", "img", "iframe", "embed", "audio", "video", "source", "track", "input", "frame"), "src"),
    **dict.fromkeys(("link", "image", "use", "feimage"), "href"),
    "object": "data",
}
_TEXT_ATTRIBUTES = ("aria-label", "alt", "title", "placeholder", "aria-description")
_IN_STYLE = re.compile(r"""(?i)(?:@import\s+|url\()\s*(?:url\()?["']?\s*((?:https?:)?//[^"')\s]+)""")
_IN_SCRIPT = re.compile(r"(?:https?|wss?)://[^\s\"'`<>\\)]+")
_PICTURE = re.compile(r"data:image/png;base64,([A-Za-z0-9+/=\s]+)")
#: Longer lines in scripts are treated as a minified library.
_MAX_LINE_LENGTH = 20_000
_VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}


class _Page(HTMLParser):
    """Parser for the tables, texts, scripts and URLs in a page."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tables: list[list[list[str]]] = []
        self.texts: list[str] = []
        self.scripts: list[str] = []
        self.addresses: list[str] = []
        self.links: list[str] = []
        self.pictures: list[str] = []
        self.comments: list[str] = []
        self.policy = ""
        self._open_tables: list[list[list[str]]] = []
        self._open_tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        values.setdefault("href", values.get("xlink:href", ""))
        if tag == "meta" and values.get("http-equiv", "").lower() == "content-security-policy":
            self.policy = values.get("content", "")
        elif tag == "meta":
            self.texts.append(values.get("content", ""))
        self._add_addresses(tag, values)
        self.texts += [values[name] for name in values if name in _TEXT_ATTRIBUTES or name.startswith("data-")]
        self.scripts += [value for name, value in values.items() if name.startswith("on")]
        if tag == "table":
            self._open_tables.append([])
            self.tables.append(self._open_tables[-1])
        elif self._open_tables and tag == "tr":
            self._open_tables[-1].append([])
        elif self._open_tables and tag in {"td", "th"}:
            if not self._open_tables[-1]:
                self._open_tables[-1].append([])
            self._open_tables[-1][-1].append("")
        if tag not in _VOID:
            self._open_tags.append(tag)

    def _add_addresses(self, tag: str, values: dict[str, str]) -> None:
        if is_external(address := values.get(_URL_ATTRIBUTES.get(tag, ""), "")):
            self.addresses.append(address)
        elif tag == "a" and is_external(values["href"]):
            self.links.append(values["href"])
        elif "/" in values["href"] or not values.get("src", "").startswith("data:"):
            self.texts.append(values["href"] or values.get("src", ""))  # may be a local path
        self.addresses += _IN_STYLE.findall(values.get("style", ""))
        self.pictures += [match for name in ("src", "href") for match in _PICTURE.findall(values.get(name, ""))]

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in _VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag == "table" and self._open_tables:
            self._open_tables.pop()
        if tag in self._open_tags:
            del self._open_tags[len(self._open_tags) - 1 - self._open_tags[::-1].index(tag) :]

    def handle_data(self, data: str) -> None:
        tag = self._open_tags[-1] if self._open_tags else ""
        if tag == "script":
            self.scripts.append(data)
        elif tag == "style":
            self.addresses += _IN_STYLE.findall(data)
        elif self._open_tables and {"td", "th"} & set(self._open_tags):
            if self._open_tables[-1] and self._open_tables[-1][-1]:
                self._open_tables[-1][-1][-1] += data
        elif data.strip():
            self.texts.append(data)

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)


def markup_pieces(text: str, where: str = "") -> Iterator[Piece | Finding]:
    """Yield the pieces of a page. If the page's policy blocks requests, external URLs are reported as notes."""
    page = _Page()
    page.feed(text)
    page.close()
    for n, rows in enumerate(page.tables, 1):
        header, *body = [[cell.strip() for cell in row] for row in rows if row] or [[]]
        if _are_types(body):  # Polars prints data types below the column names
            del body[0]
        yield Piece(f"{where} table {n}".strip(), table=table_of(header, body))
    yield Piece(f"{where} text".strip(), text="\n".join(page.texts))
    if page.comments:
        yield Piece(f"{where} comments".strip(), text="\n".join(page.comments))
    for n, encoded in enumerate(page.pictures, 1):
        try:
            yield from png_pieces(base64.b64decode(encoded), f"{where} picture {n}".strip())
        except binascii.Error:
            continue
    yield from _scripts(page, where or "page")
    yield from _addresses(page, where or "page")


def _are_types(rows: list[list[str]]) -> bool:
    types = r"(?:str|cat|enum|bool|[iuf]\d+|date|datetime\[.*|list\[.*|struct\[.*|null)"
    return bool(rows and rows[0]) and all(re.fullmatch(types, cell) for cell in rows[0])


def _scripts(page: _Page, where: str) -> Iterator[Piece | Finding]:
    source = "\n".join(page.scripts)
    if not source.strip():
        return
    offline = _is_offline(page.policy)
    effect = "requests are blocked by the page's policy" if offline else "runs when the page is opened"
    yield Finding(where, "script", f"{len(source) // 1000:,} kB, {effect}", "note" if offline else "look")
    code, values = _without_json(source)
    for value in values:
        yield from value_pieces(value, where)
    lines = code.split("\n")
    if any(len(line) > _MAX_LINE_LENGTH for line in lines):
        yield Finding(where, "not read", "minified library in a script", "note")
    readable = "\n".join(line for line in lines if len(line) <= _MAX_LINE_LENGTH)
    page.addresses += [] if offline else _IN_SCRIPT.findall(readable)
    yield Piece(f"{where}, script", text=readable, listed=False)


def _without_json(script: str) -> tuple[str, list[Any]]:
    """Split a script into code and JSON values."""
    decoder, values, code, position = json.JSONDecoder(), [], [], 0
    for match in re.finditer(r'\{\s*"|\[\s*\{\s*"', script):
        if match.start() < position:
            continue
        try:
            value, end = decoder.raw_decode(script, match.start())
        except ValueError:
            continue
        values.append(value)
        code.append(script[position : match.start()])
        position = end
    return "".join([*code, script[position:]]), values


def _addresses(page: _Page, where: str) -> Iterator[Finding]:
    offline = _is_offline(page.policy)
    effect = "blocked by the page's policy" if offline else "requested when the page is opened"
    for address in dict.fromkeys(page.addresses):
        yield Finding(where, "external request", f"{_host(address)}, {effect}", "note" if offline else "look")
    if page.links:
        hosts = ", ".join(dict.fromkeys(_host(address) for address in page.links))
        yield Finding(where, "external request", f"{plural(len(page.links), 'link')} to {hosts[:60]}", "note")


def _is_offline(policy: str) -> bool:
    """Return whether a content security policy blocks requests to other hosts."""
    return "default-src 'none'" in policy and not re.search(r"https?:|\*|wss?:", policy)


def _host(address: str) -> str:
    return re.sub(r"^[^/]*//|[/?#].*$|[^/@]*@", "", address.strip())[:60]
