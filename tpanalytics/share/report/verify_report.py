"""Work every figure of a report out again from the snapshot, and say where the file says something else."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import replace
from datetime import datetime
from html.parser import HTMLParser
from itertools import count
from typing import TYPE_CHECKING, Any

import polars as pl

from tpanalytics._paths import local_path
from tpanalytics.errors import SchemaError, ShareError
from tpanalytics.measures.privacy.policy import Privacy
from tpanalytics.share.report import evidence
from tpanalytics.share.report.save_report import render
from tpanalytics.share.report.scope import resolve_scope

if TYPE_CHECKING:
    from pathlib import Path

    from tpanalytics.schema import TaskProfiles
    from tpanalytics.share.report.scope import ReportScope

__all__ = ["verify_report"]

_SCHEMA = {"what": pl.String(), "in_report": pl.String(), "recomputed": pl.String(), "equal": pl.Boolean()}
_NOT_THERE = "(not there)"
#: What stands in place of a figure in the text of a page.
_FIGURE = "\u241f"


def verify_report(path: str | Path, profiles: TaskProfiles, *, before: TaskProfiles | None = None) -> pl.DataFrame:
    """Work every figure of a report out again and hold it against what the file says.

    Compared are the snapshot, the evidence block, every number on a card, every cell of every table, every chart, and
    the text around them. A report of another snapshot, an edited number and an edited evidence block are found. What
    is compared is what a reader sees, not what the file says of itself.

    Parameters
    ----------
    path
        A file that `save_report` has written.
    profiles
        What it is said to be made of.
    before
        The earlier snapshot, for a report of two.

    Returns
    -------
    pl.DataFrame
        A row per figure, in the order of the page.

        ==============  =======  ============================================================
        ``what``        String   table, row and column; or what else is compared
        ``in_report``   String   what the file says
        ``recomputed``  String   what comes out now
        ``equal``       Boolean  whether both are the same; null for a chart or text that differs, but was made with
                                 other versions of the libraries
        ==============  =======  ============================================================

    Raises
    ------
    ShareError
        If the file cannot be read, is no report, or was made of two snapshots and `before` is missing.

    Notes
    -----
    The hash in the evidence block shows careless changes; whoever changes a file on purpose can work it out anew. The
    proof is the recomputation, and for it one needs the snapshot.

    Examples
    --------
    >>> import tpanalytics as tpa
    >>> profiles = tpa.load_sample()
    >>> path = tpa.save_report(profiles, "report.html", families="Finance")
    >>> tpa.verify_report(path, profiles)["equal"].all()
    True
    """
    path = local_path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ShareError(f"{path} cannot be read: {error.strerror or error}.") from None
    except UnicodeDecodeError:
        raise ShareError(f"{path.name} is no report: it is no text.") from None
    seen = _read(text)
    told = _evidence(seen, path.name)
    if told.get("before") and before is None:
        raise ShareError(f"{path.name} was made of two snapshots; pass before= as well.")
    rows = [_row("hash of the evidence block", str(told.get("sha256")), evidence.digest(told))]
    scope = _scope_of_evidence(told, profiles, before if told.get("before") else None, path.name)
    if isinstance(scope, str):
        rows.append(("choices of the report", "as in the evidence block", scope, False))
        return pl.DataFrame(rows, schema=_SCHEMA, orient="row")
    sides = {"profiles": ("snapshot", scope.profiles), "before": ("snapshot before", scope.before)}
    for field, (name, of) in sides.items():
        if of is None:
            continue
        stated = told["before" if field == "before" else "snapshot"]
        rows.append(_row(f"{name}: hash of both tables", str(stated["computed_sha256"]), evidence.content_hash(of)))
        said, now = stated["content_sha256"], of.manifest.get("content_sha256")
        # Data in memory have no such hash; whether they are the same the other one tells.
        rows.append(
            (
                f"{name}: hash in its manifest",
                said or _NOT_THERE,
                now or _NOT_THERE,
                said == now if said and now else None,
            )
        )
        stamped: dict[str, Any] = {field: replace(of, manifest={**of.manifest, "content_sha256": said})}
        scope = replace(scope, **stamped)
    again = _read(render(scope, str(told["made"])))
    # The page prints the hash of its evidence; last digits of sums may differ, and the evidence is compared for itself.
    own = json.loads(again["evidence block"])["sha256"]
    again["text of the page"] = again["text of the page"].replace(own, str(told.get("sha256")))
    same_versions = told.get("versions") == evidence.versions()
    rows += _compared(seen, again, same_versions=same_versions)
    return pl.DataFrame(rows, schema=_SCHEMA, orient="row")


def _evidence(seen: dict[str, str], name: str) -> dict[str, Any]:
    try:
        told = json.loads(seen.get("evidence block", ""))
        if not isinstance(told, dict) or told.get("report") != 1 or not isinstance(told["made"], str):
            raise ValueError
        datetime.fromisoformat(told["made"])
        _ = told["choices"]["states"]
        for side in filter(None, (told["snapshot"], told["before"])):
            _ = side["computed_sha256"], side["content_sha256"]
    except (ValueError, KeyError, TypeError):
        raise ShareError(f"{name} is no report of tpanalytics: it has no evidence block that can be read.") from None
    return told


def _scope_of_evidence(
    told: dict[str, Any], profiles: TaskProfiles, before: TaskProfiles | None, name: str
) -> ReportScope | str:
    """Ask for the same report of these data; a sentence where that cannot be."""
    chosen = dict(told["choices"])
    try:
        privacy = chosen.pop("privacy")
        return resolve_scope(profiles, before=before, privacy=privacy and Privacy(**privacy), **chosen)
    except (ShareError, SchemaError) as error:
        return str(error)
    except (KeyError, TypeError):
        raise ShareError(f"{name}: the choices in its evidence block are not those of a report.") from None


def _row(what: str, said: str, now: str) -> tuple[str, str, str, bool | None]:
    return what, said, now, said == now


def _compared(
    seen: dict[str, str], again: dict[str, str], *, same_versions: bool
) -> list[tuple[str, str, str, bool | None]]:
    rows = []
    for what in dict.fromkeys([*again, *seen]):
        said, now = seen.get(what, _NOT_THERE), again.get(what, _NOT_THERE)
        equal: bool | None = said == now
        if what == "evidence block":
            said, now, equal = _same_evidence(said, now)
        elif what.startswith(("chart ", "text of the ", "script")):
            said, now = _short(said), _short(now)
            if not equal and not same_versions and what.startswith(("chart ", "text of the page")):
                equal = None
        rows.append((what, said, now, equal))
    return rows


def _same_evidence(said: str, now: str) -> tuple[str, str, bool]:
    """Compare evidence but for versions, and floats but for their last digits."""
    one, other = (json.loads(text) for text in (said, now))
    differing = [
        name
        for name in dict.fromkeys([*other, *one])
        if name not in ("versions", "sha256") and not _near(one.get(name), other.get(name))
    ]
    return (f"other: {', '.join(differing)}", "as worked out", False) if differing else ("the same", "the same", True)


def _near(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return abs(one - other) <= 1e-9 * max(1.0, abs(one), abs(other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_near(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_near, one, other))
    return bool(one == other) and type(one) is type(other)


def _short(text: str) -> str:
    return text if text == _NOT_THERE else f"sha256 {hashlib.sha256(text.encode()).hexdigest()[:16]}"


def _read(text: str) -> dict[str, str]:
    """Take a page apart into what is compared, by what it is called."""
    reader = _Reader()
    reader.feed(text)
    reader.close()
    return reader.found()


class _Reader(HTMLParser):
    """Reads figures by their marks, and everything else as text."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: dict[str, str] = {}
        self.words: list[str] = []
        self.table: str | None = None
        self.rows: list[list[str]] = []
        self.cell: list[str] | None = None
        self.holder: tuple[str, str] | None = None
        self.held: list[str] = []

    def found(self) -> dict[str, str]:
        words = re.sub(r"\s+", " ", " ".join(self.words))
        return {**self.parts, "text of the page": words}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        figure = given.get("data-figure")
        if tag == "table" and figure:
            self.table, self.rows = figure, []
        elif self.table and tag == "tr":
            self.rows.append([])
        elif self.table and tag in ("td", "th"):
            self.cell = []
        elif figure:
            self._hold(tag, figure.replace("card-", "card ", 1))
        elif tag == "script":
            spec, name = given.get("data-spec"), given.get("id")
            self._hold(tag, f"chart {spec}, drawn by scripts" if spec else _SCRIPTS.get(name or "", "script"))
        elif tag == "style":
            self._hold(tag, "text of the style sheet")
        # Whatever else an element carries is part of the page: a picture's address, its text, where a link leads.
        if tag == "img":
            name = next(f"chart picture {n}" for n in count(1) if f"chart picture {n}" not in self.parts)
            self.parts[name] = json.dumps(attrs)
        else:
            self.words.append(f"<{tag} {' '.join(f'{name}={value}' for name, value in attrs)}>")

    def _hold(self, tag: str, name: str) -> None:
        unused = (
            name
            if name not in self.parts
            else next(f"{name} ({n})" for n in count(2) if f"{name} ({n})" not in self.parts)
        )
        self.holder, self.held = (tag, unused), []

    def handle_endtag(self, tag: str) -> None:
        if self.holder and tag == self.holder[0]:
            text = "".join(self.held)
            self.parts[self.holder[1]] = text if tag in ("script", "style") else " ".join(text.split())
            self.holder = None
            self.words.append(_FIGURE)
        elif self.table and tag in ("td", "th") and self.cell is not None:
            self.rows[-1].append("".join(self.cell))
            self.cell = None
        elif self.table and tag == "table":
            self._table()
        self.words.append(f"</{tag}>")

    def _table(self) -> None:
        """Name each cell by its table, the words that head its row, and its column."""
        head, *body = self.rows or [[]]
        self.parts[f"{self.table}: heads"] = " | ".join(head)
        for place, row in enumerate(body, start=1):
            first = row[0] if row else ""
            for number, cell in enumerate(row):
                column = head[number] if number < len(head) else f"column {number + 1}"
                self.parts[f"{self.table}: row {place}, {first}: {number + 1} {column}"] = cell
        self.table = None

    def handle_data(self, data: str) -> None:
        if self.cell is not None:
            self.cell.append(data)
        elif self.holder is not None:
            self.held.append(data)
        else:
            self.words.append(data)

    def handle_comment(self, data: str) -> None:
        self.words.append(f"<!--{data}-->")


_SCRIPTS = {"evidence-block": "evidence block", "library": "text of the library"}
