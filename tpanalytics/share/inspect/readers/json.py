"""Reader for JSON values, including Vega-Lite specifications."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tpanalytics.share.inspect.findings import Finding, Piece, is_external, table_of

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["is_chart", "value_pieces"]

#: Objects with more keys than this are treated as a mapping of rows, not a record, if all values are nested.
_MAX_KEYS = 30


def is_chart(value: Any) -> bool:
    """Return whether a value is a Vega or Vega-Lite specification."""
    return isinstance(value, dict) and "vega" in str(value.get("$schema", "")) and "://" in str(value["$schema"])


def value_pieces(value: Any, where: str) -> Iterator[Piece | Finding]:
    """Yield a table of objects for each path, then the remaining text and charts."""
    parts = _Parts()
    parts.add(value, "")
    for path, records in parts.groups.items():
        location = f"{where} {path}".removesuffix("[]").strip() or "rows"
        names = list(dict.fromkeys(name for record in records for name in record))
        rows = [[record.get(name) for name in names] for record in records]
        yield Piece(location, table=table_of(names, rows), listed=path.endswith(("[]", "{}", "[columns]")))
    if parts.texts:
        yield Piece(where or "text", text="\n".join(parts.texts))
    for n, chart in enumerate(parts.charts, 1):
        yield from _chart_pieces(chart, f"{where} chart {n if len(parts.charts) > 1 else ''}".strip())


class _Parts:
    """Contents of a JSON value: records grouped by path, texts and charts."""

    def __init__(self) -> None:
        self.groups: dict[str, list[dict[str, Any]]] = {}
        self.texts: list[str] = []
        self.charts: list[Any] = []

    def add(self, value: Any, path: str) -> None:
        if is_chart(value):
            self.charts.append(value)
        elif isinstance(value, dict):
            self._add_object(value, path)
        elif isinstance(value, list) and _is_cell(value):
            self.texts.extend(str(part) for part in value)
        elif isinstance(value, list):
            for part in value:
                self.add(part, f"{path}[]")
        elif isinstance(value, str):
            self.texts.append(value)

    def _add_object(self, value: dict[str, Any], path: str) -> None:
        if columns := _columns(value):
            self.groups.setdefault(f"{path}[columns]", []).extend(columns)
            return
        parts = {key: part for key, part in value.items() if not _is_cell(part)}
        keyed = len(parts) > _MAX_KEYS and len(parts) == len(value)
        if keyed:
            self.texts.extend(value)
        elif cells := {key: part for key, part in value.items() if _is_cell(part)}:
            self.groups.setdefault(path, []).append(cells)
        for key, part in parts.items():
            self.add(part, f"{path}{{}}" if keyed else f"{path}.{key}".lstrip("."))


def _is_cell(value: Any) -> bool:
    if isinstance(value, list):
        return not any(isinstance(part, (dict, list)) for part in value)
    return not isinstance(value, dict)


def _columns(value: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a table's rows if it is stored by column or with separate column names, otherwise an empty list."""
    names, data = value.get("columns"), value.get("data")
    if isinstance(names, list) and isinstance(data, list) and data and all(isinstance(row, list) for row in data):
        return [dict(zip(map(str, names), row, strict=False)) for row in data]
    lists = list(value.values())
    if len(lists) < 2 or not all(isinstance(part, list) and _is_cell(part) for part in lists):
        return []
    if len({len(part) for part in lists}) > 1 or len(lists[0]) < 2:
        return []
    return [dict(zip(map(str, value), row, strict=True)) for row in zip(*lists, strict=True)]


def _chart_pieces(spec: dict[str, Any], where: str) -> Iterator[Piece | Finding]:
    """Yield a chart's data as tables, then the other text."""
    texts, addresses, tables = [], [], 0
    for key, value in _parts_of_chart(spec, ""):
        if isinstance(value, list):
            records = [row if isinstance(row, dict) else {"data": row} for row in value]
            if any(records):
                tables += 1
                yield from value_pieces(records, f"{where}, data {tables}")
        elif key in {"url", "src"} and is_external(value):
            addresses.append(value)
        elif key != "$schema":
            texts.append(value)
    for address in dict.fromkeys(addresses):
        yield Finding(where, "external request", f"data or images from {address[:60]}", "look")
    yield Piece(f"{where}, text", text="\n".join(texts))


def _parts_of_chart(value: Any, key: str) -> Iterator[tuple[str, Any]]:
    """Yield each list of rows and each string with its key."""
    if isinstance(value, dict):
        for name, part in value.items():
            rows = part.values() if name == "datasets" and isinstance(part, dict) else []
            if rows and all(isinstance(table, list) for table in rows):
                yield from ((name, table) for table in rows)
            elif name == "values" and key == "data" and isinstance(part, list):
                yield name, part
            else:
                yield from _parts_of_chart(part, name)
    elif isinstance(value, list):
        for part in value:
            yield from _parts_of_chart(part, key)
    elif isinstance(value, str):
        yield key, value
