"""Verify a report against a snapshot."""

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
_MISSING = "(missing)"
#: Placeholder for figures in the page text.
_FIGURE = "\u241f"


def verify_report(path: str | Path, profiles: TaskProfiles, *, before: TaskProfiles | None = None) -> pl.DataFrame:
    """Recompute every figure in a report and compare it with the file.

    Compares the snapshot, the evidence block and all cards, table cells, charts and text, as shown to the reader. This
    detects a different snapshot, edited figures and an edited evidence block.

    Parameters
    ----------
    path
        A file written by `save_report`.
    profiles
        Task profiles to recompute the figures from.
    before
        Earlier snapshot, if the report compares two.

    Returns
    -------
    pl.DataFrame
        One row per figure, in page order.

        ==============  =======  ===========================================================
        ``what``        String   table, row and column of a cell, or another part of the page
        ``in_report``   String   content in the file
        ``recomputed``  String   recomputed content
        ``equal``       Boolean  whether they are equal; null if a chart or text differs but
                                 was created with different library versions
        ==============  =======  ===========================================================

    Raises
    ------
    ShareError
        If the file cannot be read or is not a report, or if it compares two snapshots and `before` is missing.

    Notes
    -----
    The evidence block's hash only detects accidental changes, since anyone can compute a new hash. Recomputing the
    figures from the snapshot also detects deliberate changes.

    Examples
    --------
    >>> import tpanalytics as tpa
    >>> profiles = tpa.load_sample()
    >>> path = tpa.save_report(profiles, "report.html", groups="Finance")
    >>> tpa.verify_report(path, profiles)["equal"].all()
    True
    """
    path = local_path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ShareError(f"{path} cannot be read: {error.strerror or error}.") from None
    except UnicodeDecodeError:
        raise ShareError(f"{path.name} is not a tpanalytics report: it is not a text file.") from None
    page = _parsed(text)
    block = _evidence_block(page, path.name)
    if block.get("before") and before is None:
        raise ShareError(f"{path.name} compares two snapshots. Pass the earlier one as `before`.")
    rows = [_row("hash of the evidence block", str(block.get("sha256")), evidence.digest(block))]
    scope = _scope_of_evidence(block, profiles, before if block.get("before") else None, path.name)
    if isinstance(scope, str):
        rows.append(("arguments of the report", "as in the evidence block", scope, False))
        return pl.DataFrame(rows, schema=_SCHEMA, orient="row")
    snapshots = {"profiles": ("snapshot", scope.profiles), "before": ("earlier snapshot", scope.before)}
    for field, (name, data) in snapshots.items():
        if data is None:
            continue
        stated = block["before" if field == "before" else "snapshot"]
        rows.append(_row(f"{name}: hash of the tables", str(stated["computed_sha256"]), evidence.content_hash(data)))
        reported, actual = stated["content_sha256"], data.manifest.get("content_sha256")
        equal = reported == actual if reported and actual else None  # in-memory profiles have no hash in the manifest
        rows.append((f"{name}: hash in the manifest", reported or _MISSING, actual or _MISSING, equal))
        with_hash: dict[str, Any] = {field: replace(data, manifest={**data.manifest, "content_sha256": reported})}
        scope = replace(scope, **with_hash)
    recomputed = _parsed(render(scope, str(block["made"])))
    # The evidence hash on the page depends on the last digits of sums. We ignore it here and compare the evidence
    # separately, with a tolerance.
    digest = json.loads(recomputed["evidence block"])["sha256"]
    recomputed["text of the page"] = recomputed["text of the page"].replace(digest, str(block.get("sha256")))
    same_versions = block.get("versions") == evidence.versions()
    rows += _compared(page, recomputed, same_versions=same_versions)
    return pl.DataFrame(rows, schema=_SCHEMA, orient="row")


def _evidence_block(page: dict[str, str], name: str) -> dict[str, Any]:
    older = re.match(r'\{"report":\s*(\d+)', page.get("evidence block", ""))
    if older and int(older[1]) < evidence.FORMAT:
        raise ShareError(
            f"{name} has evidence in format {older[1]}, but this version verifies format {evidence.FORMAT}. "
            "Verify it with the version that wrote it, or write the report again."
        )
    try:
        block = json.loads(page.get("evidence block", ""))
        if not isinstance(block, dict) or block.get("report") != evidence.FORMAT or not isinstance(block["made"], str):
            raise ValueError
        datetime.fromisoformat(block["made"])
        _ = block["choices"]["states"]
        for snapshot in filter(None, (block["snapshot"], block["before"])):
            _ = snapshot["computed_sha256"], snapshot["content_sha256"]
    except (ValueError, KeyError, TypeError):
        raise ShareError(f"{name} is not a tpanalytics report: it has no valid evidence block.") from None
    return block


def _scope_of_evidence(
    block: dict[str, Any], profiles: TaskProfiles, before: TaskProfiles | None, name: str
) -> ReportScope | str:
    """Return the scope from the evidence, or an error message if the arguments don't match the profiles."""
    choices = dict(block["choices"])
    try:
        privacy = choices.pop("privacy")
        return resolve_scope(profiles, before=before, privacy=privacy and Privacy(**privacy), **choices)
    except (ShareError, SchemaError) as error:
        return str(error)
    except (KeyError, TypeError):
        raise ShareError(
            f"{name} is not a tpanalytics report: its evidence block contains invalid arguments."
        ) from None


def _row(what: str, reported: str, actual: str) -> tuple[str, str, str, bool | None]:
    return what, reported, actual, reported == actual


def _compared(
    page: dict[str, str], recomputed: dict[str, str], *, same_versions: bool
) -> list[tuple[str, str, str, bool | None]]:
    rows = []
    for what in dict.fromkeys([*recomputed, *page]):
        reported, actual = page.get(what, _MISSING), recomputed.get(what, _MISSING)
        equal: bool | None = reported == actual
        if what == "evidence block":
            reported, actual, equal = _compared_evidence(reported, actual)
        elif what.startswith(("chart ", "text of the ", "script")):
            reported, actual = _hashed(reported), _hashed(actual)
            if not equal and not same_versions and what.startswith(("chart ", "text of the page")):
                equal = None
        rows.append((what, reported, actual, equal))
    return rows


def _compared_evidence(reported: str, actual: str) -> tuple[str, str, bool]:
    """Compare two evidence blocks, ignoring versions and the last digits of floats."""
    left, right = (json.loads(text) for text in (reported, actual))
    differences = [
        name
        for name in dict.fromkeys([*right, *left])
        if name not in ("versions", "sha256") and not _is_close(left.get(name), right.get(name))
    ]
    return (f"different: {', '.join(differences)}", "as recomputed", False) if differences else ("same", "same", True)


def _is_close(left: Any, right: Any) -> bool:
    if isinstance(left, float) and isinstance(right, float):
        return abs(left - right) <= 1e-9 * max(1.0, abs(left), abs(right))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(_is_close(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(_is_close, left, right))
    return bool(left == right) and type(left) is type(right)


def _hashed(text: str) -> str:
    return text if text == _MISSING else f"sha256 {hashlib.sha256(text.encode()).hexdigest()[:16]}"


def _parsed(text: str) -> dict[str, str]:
    """Return the page parts to compare, by name."""
    parser = _Parser()
    parser.feed(text)
    parser.close()
    return parser.result()


class _Parser(HTMLParser):
    """Parser for the marked figures in a page, with everything else as text."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: dict[str, str] = {}
        self.words: list[str] = []
        self.table: str | None = None
        self.rows: list[list[str]] = []
        self.cell: list[str] | None = None
        self.element: tuple[str, str] | None = None
        self.content: list[str] = []

    def result(self) -> dict[str, str]:
        words = re.sub(r"\s+", " ", " ".join(self.words))
        return {**self.parts, "text of the page": words}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        figure = values.get("data-figure")
        if tag == "table" and figure:
            self.table, self.rows = figure, []
        elif self.table and tag == "tr":
            self.rows.append([])
        elif self.table and tag in ("td", "th"):
            self.cell = []
        elif figure:
            self._start(tag, figure.replace("card-", "card ", 1))
        elif tag == "script":
            spec, name = values.get("data-spec"), values.get("id")
            self._start(tag, f"chart {spec}, interactive" if spec else _SCRIPTS.get(name or "", "script"))
        elif tag == "style":
            self._start(tag, "text of the style sheet")
        # Compare all attributes, such as image sources and link targets.
        if tag == "img":
            name = next(f"chart image {n}" for n in count(1) if f"chart image {n}" not in self.parts)
            self.parts[name] = json.dumps(attrs)
        else:
            self.words.append(f"<{tag} {' '.join(f'{name}={value}' for name, value in attrs)}>")

    def _start(self, tag: str, name: str) -> None:
        unused = (
            name
            if name not in self.parts
            else next(f"{name} ({n})" for n in count(2) if f"{name} ({n})" not in self.parts)
        )
        self.element, self.content = (tag, unused), []

    def handle_endtag(self, tag: str) -> None:
        if self.element and tag == self.element[0]:
            text = "".join(self.content)
            self.parts[self.element[1]] = text if tag in ("script", "style") else " ".join(text.split())
            self.element = None
            self.words.append(_FIGURE)
        elif self.table and tag in ("td", "th") and self.cell is not None:
            self.rows[-1].append("".join(self.cell))
            self.cell = None
        elif self.table and tag == "table":
            self._end_table()
        self.words.append(f"</{tag}>")

    def _end_table(self) -> None:
        head, *body = self.rows or [[]]
        self.parts[f"{self.table}: heads"] = " | ".join(head)
        for n, row in enumerate(body, start=1):
            first = row[0] if row else ""
            for i, cell in enumerate(row):
                column = head[i] if i < len(head) else f"column {i + 1}"
                self.parts[f"{self.table}: row {n}, {first}: {i + 1} {column}"] = cell
        self.table = None

    def handle_data(self, data: str) -> None:
        if self.cell is not None:
            self.cell.append(data)
        elif self.element is not None:
            self.content.append(data)
        else:
            self.words.append(data)

    def handle_comment(self, data: str) -> None:
        self.words.append(f"<!--{data}-->")


_SCRIPTS = {"evidence-block": "evidence block", "library": "text of the library"}
