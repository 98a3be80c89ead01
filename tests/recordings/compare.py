"""Comparison of two folders of recordings."""

from __future__ import annotations

import json
import math
import re
from difflib import SequenceMatcher
from fnmatch import fnmatch
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

__all__ = ["compare"]

#: A separate number, not the 1 of H1 or part of a hash.
_NUMBER = re.compile(r"(?<![\w.])\d+(?:,\d{3})*(?:\.\d+)?(?!\w)")
#: A field of an expression, like `datum.share` or `datum['share']`.
_FIELD = re.compile(r"(?<=\bdatum\.)\w+|(?<=\bdatum\[['\"])[^'\"]+")
_ABSENT = "(absent)"


def compare(
    folders: Sequence[Path], kinds: Sequence[str], renamed: dict[str, Any], *, texts: bool, relative: float, most: int
) -> int:
    """Print the differences. Returns 1 if there are any, 2 if a folder is empty."""
    recordings = [
        {path.relative_to(folder).as_posix() for kind in kinds for path in (folder / kind).rglob("*.json")}
        for folder in folders
    ]
    if not all(recordings):
        print("One of the folders has no recordings.")
        return 2
    names = {
        name
        for name in set.union(*recordings)
        if not any(fnmatch(name, f"{pattern}.json") for pattern in renamed.get("dropped", ()))
    }
    different = 0
    for name in sorted(names):
        differences = list(_compare_file(name, folders, renamed, texts=texts, relative=relative))
        if differences:
            different += 1
            print(name.removesuffix(".json"), *differences[:most], sep="\n    ")
            if len(differences) > most:
                print(f"    and {len(differences) - most:,} more")
    print(f"{different:,} of {len(names):,} recordings differ.")
    return int(different > 0)


def _compare_file(
    name: str, folders: Sequence[Path], renamed: dict[str, Any], *, texts: bool, relative: float
) -> Iterator[str]:
    contents = {folder: (folder / name).read_bytes() for folder in folders if (folder / name).exists()}
    if len(contents) == 1:
        yield f"only in {next(iter(contents))}"
        return
    old, new = contents.values()
    if old == new and not renamed:
        return
    before, after = _renamed(json.loads(old), renamed), json.loads(new)
    if not texts:
        before, after = _numbers(before), _numbers(after)
    yield from _differences(before, after, "", relative)


def _renamed(recording: Any, renamed: dict[str, Any]) -> Any:
    """Replace old names with new ones. Metadata contain no column names, so only texts are replaced there."""
    columns, texts = renamed.get("columns", {}), renamed.get("texts", {})
    longest_first = sorted(texts, key=len, reverse=True)
    old_text = re.compile("|".join(rf"(?<!\w){re.escape(old)}(?!\w)" for old in longest_first) or "(?!)")

    def as_text(text: str) -> str:
        return old_text.sub(lambda match: str(texts[match[0]]), text)

    def as_any(text: str) -> str:
        if text in columns:
            return str(columns[text])
        return as_text(_FIELD.sub(lambda field: str(columns.get(field[0], field[0])), text))

    def walk(value: Any, rename: Callable[[str], str]) -> Any:
        if isinstance(value, dict):
            return {rename(key): walk(part, as_text if key == "about" else rename) for key, part in value.items()}
        if isinstance(value, list):
            return [walk(part, rename) for part in value]
        return rename(value) if isinstance(value, str) else value

    return walk(recording, as_any)


def _numbers(value: Any) -> Any:
    """Return only the numbers of a recording. Numbers of a text are sorted."""
    if isinstance(value, dict):
        return {key: _numbers(part) for key, part in value.items() if key not in ("appearance", "printed")}
    if isinstance(value, list) and not all(isinstance(part, str) for part in value):
        return [_numbers(part) for part in value]
    if isinstance(value, (str, list)):
        text = value if isinstance(value, str) else "\n".join(value)
        return sorted(float(number.replace(",", "")) for number in _NUMBER.findall(text))
    return value


def _differences(old: Any, new: Any, path: str, relative: float) -> Iterator[str]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted({*old, *new}):
            inner = f"{path}.{key}" if path else key
            yield from _differences(old.get(key, _ABSENT), new.get(key, _ABSENT), inner, relative)
    elif isinstance(old, list) and isinstance(new, list):
        for start, removed, added in _changed(old, new):
            for i, sides in enumerate(zip_longest(removed, added, fillvalue=_ABSENT), start):
                yield from _differences(*sides, f"{path}[{i}]", relative)
    elif not _same(old, new, relative):
        yield f"{path}: {_excerpt(old, new)} -> {_excerpt(new, old)}"


def _changed(old: list[Any], new: list[Any]) -> list[tuple[int, list[Any], list[Any]]]:
    """Return the positions and contents of different parts. Lists of equal length are compared item by item."""
    if len(old) == len(new):
        return [(0, old, new)]
    before, after = ([json.dumps(part, sort_keys=True) for part in side] for side in (old, new))
    blocks = SequenceMatcher(None, before, after, autojunk=False).get_opcodes()
    return [(a, old[a:b], new[c:d]) for kind, a, b, c, d in blocks if kind != "equal"]


def _same(old: Any, new: Any, relative: float) -> bool:
    if isinstance(old, float) and isinstance(new, float) and math.isclose(old, new, rel_tol=relative):
        return relative > 0 or repr(old) == repr(new)
    return repr(old) == repr(new)  # distinguishes 1 from 1.0, and NaN equals NaN


def _excerpt(value: Any, other: Any) -> str:
    """Return the value, or the part around the first difference if it is long."""
    text, reference = (v if isinstance(v, str) else json.dumps(v, ensure_ascii=False) for v in (value, other))
    pairs = enumerate(zip(text, reference, strict=False))
    start = max(0, next((i for i, (a, b) in pairs if a != b), len(reference)) - 40)
    return f"{'…' * (start > 0)}{text[start : start + 120]}{'…' * (start + 120 < len(text))}"
