"""Tables, texts, scripts and outside addresses in a page or an .svg."""

from __future__ import annotations

import base64
import binascii
import json
import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

from tpanalytics.share.inspect.findings import Finding, Piece, is_external, table_of
from tpanalytics.share.inspect.readers.json import value_pieces
from tpanalytics.share.inspect.readers.png import png_pieces

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["markup_pieces"]

#: Elements that fetch what they name as soon as the page is opened.
_FETCHING = {
    **dict.fromkeys(("script", "img", "iframe", "embed", "audio", "video", "source", "track", "input", "frame"), "src"),
    **dict.fromkeys(("link", "image", "use", "feimage"), "href"),
    "object": "data",
}
_SPOKEN = ("aria-label", "alt", "title", "placeholder", "aria-description")
_IN_STYLE = re.compile(r"""(?i)(?:@import\s+|url\()\s*(?:url\()?["']?\s*((?:https?:)?//[^"')\s]+)""")
_IN_SCRIPT = re.compile(r"(?:https?|wss?)://[^\s\"'`<>\\)]+")
_PICTURE = re.compile(r"data:image/png;base64,([A-Za-z0-9+/=\s]+)")
#: A script with a line this long is a library made small, not something written for this page.
_MADE_SMALL = 20_000
_VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}


class _Page(HTMLParser):
    """Collects what a page is made of."""

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
        self._open: list[list[list[str]]] = []
        self._within: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = {name: value or "" for name, value in attrs}
        known.setdefault("href", known.get("xlink:href", ""))
        if tag == "meta" and known.get("http-equiv", "").lower() == "content-security-policy":
            self.policy = known.get("content", "")
        elif tag == "meta":
            self.texts.append(known.get("content", ""))
        self._note_addresses(tag, known)
        self.texts += [known[name] for name in known if name in _SPOKEN or name.startswith("data-")]
        self.scripts += [value for name, value in known.items() if name.startswith("on")]
        if tag == "table":
            self._open.append([])
            self.tables.append(self._open[-1])
        elif self._open and tag == "tr":
            self._open[-1].append([])
        elif self._open and tag in {"td", "th"}:
            if not self._open[-1]:
                self._open[-1].append([])
            self._open[-1][-1].append("")
        if tag not in _VOID:
            self._within.append(tag)

    def _note_addresses(self, tag: str, known: dict[str, str]) -> None:
        if is_external(address := known.get(_FETCHING.get(tag, ""), "")):
            self.addresses.append(address)
        elif tag == "a" and is_external(known["href"]):
            self.links.append(known["href"])
        elif "/" in known["href"] or not known.get("src", "").startswith("data:"):
            self.texts.append(known["href"] or known.get("src", ""))  # a place on this machine, perhaps
        self.addresses += _IN_STYLE.findall(known.get("style", ""))
        self.pictures += [match for name in ("src", "href") for match in _PICTURE.findall(known.get(name, ""))]

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in _VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag == "table" and self._open:
            self._open.pop()
        if tag in self._within:
            del self._within[len(self._within) - 1 - self._within[::-1].index(tag) :]

    def handle_data(self, data: str) -> None:
        within = self._within[-1] if self._within else ""
        if within == "script":
            self.scripts.append(data)
        elif within == "style":
            self.addresses += _IN_STYLE.findall(data)
        elif self._open and {"td", "th"} & set(self._within):
            if self._open[-1] and self._open[-1][-1]:
                self._open[-1][-1][-1] += data
        elif data.strip():
            self.texts.append(data)

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)


def markup_pieces(text: str, where: str = "") -> Iterator[Piece | Finding]:
    """Take a page apart; where its own policy forbids every request, an outside address is only noted."""
    page = _Page()
    page.feed(text)
    page.close()
    for n, rows in enumerate(page.tables, 1):
        header, *others = [[cell.strip() for cell in row] for row in rows if row] or [[]]
        if _are_types(others):  # a Polars frame says its types below its names
            del others[0]
        yield Piece(f"{where} table {n}".strip(), table=table_of(header, others))
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
    whole = "\n".join(page.scripts)
    if not whole.strip():
        return
    closed = _closed(page.policy)
    said = "it may ask no other host" if closed else "it runs when the page is opened"
    yield Finding(where, "script", f"{len(whole) // 1000:,} kB; {said}", "note" if closed else "look")
    own, values = _without_json(whole)
    for value in values:
        yield from value_pieces(value, where)
    lines = own.split("\n")
    if any(len(line) > _MADE_SMALL for line in lines):
        yield Finding(where, "not read", "a library within a script", "note")
    readable = "\n".join(line for line in lines if len(line) <= _MADE_SMALL)
    page.addresses += [] if closed else _IN_SCRIPT.findall(readable)
    yield Piece(f"{where}, script", text=readable, listed=False)


def _without_json(script: str) -> tuple[str, list[Any]]:
    """Take the JSON out of a script, and give both."""
    decoder, values, rest, at = json.JSONDecoder(), [], [], 0
    for match in re.finditer(r'\{\s*"|\[\s*\{\s*"', script):
        if match.start() < at:
            continue
        try:
            value, end = decoder.raw_decode(script, match.start())
        except ValueError:
            continue
        values.append(value)
        rest.append(script[at : match.start()])
        at = end
    return "".join([*rest, script[at:]]), values


def _addresses(page: _Page, where: str) -> Iterator[Finding]:
    closed = _closed(page.policy)
    for address in dict.fromkeys(page.addresses):
        said = "asked for, but forbidden by the page itself" if closed else "asked for when opened"
        yield Finding(where, "external request", f"{_host(address)}, {said}", "note" if closed else "look")
    if page.links:
        hosts = list(dict.fromkeys(_host(address) for address in page.links))
        yield Finding(where, "external request", f"{len(page.links)} links, to {', '.join(hosts)[:60]}", "note")


def _closed(policy: str) -> bool:
    """Tell a policy under which a page can ask no other host."""
    return "default-src 'none'" in policy and not re.search(r"https?:|\*|wss?:", policy)


def _host(address: str) -> str:
    return re.sub(r"^[^/]*//|[/?#].*$|[^/@]*@", "", address.strip())[:60]
