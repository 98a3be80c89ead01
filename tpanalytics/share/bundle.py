"""What travels with a file: the data a chart draws, its text and specification, and evidence of all of it."""

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

__all__ = ["beside_chart", "beside_frame", "evidence_path", "made_with", "write_evidence"]

#: Libraries whose version can change what a file looks like.
_LIBRARIES = ("polars", "altair", "vl-convert-python", "xlsxwriter")
_SOURCE = "Data: "


def beside_chart(spec: dict[str, Any], path: Path) -> dict[Path, Callable[[Path], object]]:
    """Give for each file that travels with a chart at `path` what writes it."""
    tables = list(_tables(spec))
    names = [""] if len(tables) == 1 else [f"-{n}" for n in range(1, len(tables) + 1)]
    files: dict[Path, Callable[[Path], object]] = {
        _beside(path, f"{name}.csv"): partial(write_csv, table) for name, table in zip(names, tables, strict=True)
    }
    text = f"{title_of(spec)}\n\n{spec.get('description', '')}".strip() + "\n"
    files[_beside(path, ".txt")] = partial(_write_text, text)
    specification = json.dumps(spec, indent=2, ensure_ascii=False, allow_nan=False)
    files[_beside(path, ".json")] = partial(_write_text, specification)
    files.pop(path, None)  # the file itself may be one of them
    return files


def beside_frame(frame: pl.DataFrame, path: Path) -> dict[Path, Callable[[Path], object]]:
    """Give what travels with a frame at `path`: in words what it means, where it is known."""
    with suppress(SchemaError):
        return {_beside(path, ".txt"): partial(_write_text, f"{about(frame)}\n")}
    return {}


def evidence_path(path: Path) -> Path:
    """Name the file that says of a bundle, whose main file is at `path`, what it is."""
    return _beside(path, ".evidence.json")


def write_evidence(what: Any, written: Mapping[Path, Path], path: Path) -> None:
    """Write what the files of a bundle are, how they were made and how to tell that they are unchanged."""
    said = _of_chart(what) if isinstance(what, dict) else _of_frame(what)
    files = []
    for target, draft in written.items():
        content = draft.read_bytes()
        files.append({"name": target.name, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()})
    whole = {**said, "made_with": made_with(*_LIBRARIES), "files": files}
    _write_text(json.dumps(whole, indent=2, ensure_ascii=False) + "\n", path)


def made_with(*libraries: str) -> dict[str, str]:
    """Give the version of this package, and of each of the libraries that is there."""
    from tpanalytics._version import __version__

    found = {"tpanalytics": __version__}
    for name in libraries:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def _beside(path: Path, ending: str) -> Path:
    return path.with_name(f"{path.stem}{ending}")


def _write_text(text: str, path: Path) -> None:
    path.write_text(text, encoding="utf-8")


def _of_frame(frame: pl.DataFrame) -> dict[str, Any]:
    said: dict[str, Any] = {"rows": frame.height, "columns": frame.columns}
    with suppress(SchemaError):
        said["meaning"] = asdict(about(frame))
    return said


def _of_chart(spec: dict[str, Any]) -> dict[str, Any]:
    """Tell what a chart says of itself: its title, what it is about, by which rules, from which data."""
    title = spec.get("title")
    subtitle = title.get("subtitle") if isinstance(title, dict) else None
    lines = [line for mark in _marks(spec) for line in _below(mark)]
    return {
        "title": title_of(spec),
        "about": " ".join(subtitle) if isinstance(subtitle, list) else subtitle,
        "policy": [line for line in lines if not line.startswith(_SOURCE)],
        "source": next((line for line in lines if line.startswith(_SOURCE)), None),
    }


def _below(mark: dict[str, Any]) -> list[str]:
    """Give the lines of a footer: text that no datum stands behind, below the plot."""
    look, place = mark.get("mark"), mark.get("encoding", {}).get("y", {})
    y = place.get("value") if isinstance(place, dict) else None
    if not isinstance(look, dict) or look.get("type") != "text" or not isinstance(y, dict) or "expr" not in y:
        return []
    text = look.get("text")
    return text if isinstance(text, list) else [text] if isinstance(text, str) else []


def _marks(spec: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Give every single mark, with the data it inherits."""
    parts = [part for key in ("layer", "concat", "hconcat", "vconcat") for part in spec.get(key, [])]
    parts += [spec["spec"]] if isinstance(spec.get("spec"), dict) else []
    for part in parts:
        yield from _marks({"data": spec["data"], **part} if "data" in spec else part)
    if not parts:
        yield spec


def _tables(spec: dict[str, Any]) -> Iterator[pl.DataFrame]:
    """Give each table that a chart draws once, in the order of the marks."""
    seen: list[Sequence[Any]] = []
    for mark in _marks(spec):
        data = mark.get("data") or {}
        rows = data.get("values", spec.get("datasets", {}).get(data.get("name")))
        if not isinstance(rows, list) or rows in seen or not any(rows):
            continue
        seen.append(rows)
        records = [row if isinstance(row, dict) else {"data": row} for row in rows]
        yield finite_frame(pl.DataFrame(records, infer_schema_length=None, strict=False))
