"""Companion files in a bundle: data, text, specification and evidence."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from dataclasses import asdict
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

import polars as pl

from tpanalytics.errors import SchemaError
from tpanalytics.measures.about import about
from tpanalytics.share.chart_files import title_of
from tpanalytics.share.frames import finite_frame, write_csv

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

__all__ = ["chart_companions", "evidence_path", "frame_companions", "made_with", "write_evidence"]

#: Libraries whose version can affect a file's contents.
_LIBRARIES = ("polars", "altair", "vl-convert-python", "xlsxwriter")
_SOURCE = "Data: "


def chart_companions(spec: dict[str, Any], path: Path) -> dict[Path, Callable[[Path], object]]:
    """Return writers for a chart's companion files, keyed by path."""
    tables = list(_tables(spec))
    names = [""] if len(tables) == 1 else [f"-{n}" for n in range(1, len(tables) + 1)]
    files: dict[Path, Callable[[Path], object]] = {
        _sibling(path, f"{name}.csv"): partial(write_csv, table) for name, table in zip(names, tables, strict=True)
    }
    text = f"{title_of(spec)}\n\n{spec.get('description', '')}".strip() + "\n"
    files[_sibling(path, ".txt")] = partial(_write_text, text)
    specification = json.dumps(spec, indent=2, ensure_ascii=False, allow_nan=False)
    files[_sibling(path, ".json")] = partial(_write_text, specification)
    files.pop(path, None)  # the main file may be the .json itself
    return files


def frame_companions(frame: pl.DataFrame, path: Path) -> dict[Path, Callable[[Path], object]]:
    """Return a writer for the description if the frame is a measure's result, otherwise an empty dict."""
    with suppress(SchemaError):
        return {_sibling(path, ".txt"): partial(_write_text, f"{about(frame)}\n")}
    return {}


def evidence_path(path: Path) -> Path:
    """Return the path of a bundle's evidence file. `path` is the main file."""
    return _sibling(path, ".evidence.json")


def write_evidence(what: Any, drafts: Mapping[Path, Path], path: Path) -> None:
    """Write a description of the bundle, with each file's size and hash."""
    description = _chart_description(what) if isinstance(what, dict) else _frame_description(what)
    files = []
    for target, draft in drafts.items():
        content = draft.read_bytes()
        files.append({"name": target.name, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()})
    evidence = {**description, "made_with": made_with(*_LIBRARIES), "files": files}
    _write_text(json.dumps(evidence, indent=2, ensure_ascii=False) + "\n", path)


def made_with(*libraries: str) -> dict[str, str]:
    """Return the versions of this package and any installed `libraries`."""
    from tpanalytics._version import __version__

    versions = {"tpanalytics": __version__}
    for name in libraries:
        with suppress(PackageNotFoundError):
            versions[name] = version(name)
    return versions


def _sibling(path: Path, ending: str) -> Path:
    return path.with_name(f"{path.stem}{ending}")


def _write_text(text: str, path: Path) -> None:
    path.write_text(text, encoding="utf-8")


def _frame_description(frame: pl.DataFrame) -> dict[str, Any]:
    description: dict[str, Any] = {"rows": frame.height, "columns": frame.columns}
    with suppress(SchemaError):
        description["meaning"] = asdict(about(frame))
    return description


def _chart_description(spec: dict[str, Any]) -> dict[str, Any]:
    title = spec.get("title")
    subtitle = title.get("subtitle") if isinstance(title, dict) else None
    lines = [line for mark in _marks(spec) for line in _footer_lines(mark)]
    return {
        "title": title_of(spec),
        "about": " ".join(subtitle) if isinstance(subtitle, list) else subtitle,
        "policy": [line for line in lines if not line.startswith(_SOURCE)],
        "source": next((line for line in lines if line.startswith(_SOURCE)), None),
    }


def _footer_lines(mark: dict[str, Any]) -> list[str]:
    # Footers are text marks whose y position is an expression.
    style, channel = mark.get("mark"), mark.get("encoding", {}).get("y", {})
    y = channel.get("value") if isinstance(channel, dict) else None
    if not isinstance(style, dict) or style.get("type") != "text" or not isinstance(y, dict) or "expr" not in y:
        return []
    text = style.get("text")
    return text if isinstance(text, list) else [text] if isinstance(text, str) else []


def _marks(spec: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield each mark with its inherited data."""
    parts = [part for key in ("layer", "concat", "hconcat", "vconcat") for part in spec.get(key, [])]
    parts += [spec["spec"]] if isinstance(spec.get("spec"), dict) else []
    for part in parts:
        yield from _marks({"data": spec["data"], **part} if "data" in spec else part)
    if not parts:
        yield spec


def _tables(spec: dict[str, Any]) -> Iterator[pl.DataFrame]:
    """Yield a chart's distinct tables, in mark order."""
    seen: list[Sequence[Any]] = []
    for mark in _marks(spec):
        data = mark.get("data") or {}
        rows = data.get("values", spec.get("datasets", {}).get(data.get("name")))
        if not isinstance(rows, list) or rows in seen or not any(rows):
            continue
        seen.append(rows)
        records = [row if isinstance(row, dict) else {"data": row} for row in rows]
        yield finite_frame(pl.DataFrame(records, infer_schema_length=None, strict=False))
