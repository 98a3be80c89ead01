"""Access to the layers and data of Vega-Lite specifications, and small companies to draw."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from tests.helpers.random_profiles import profiles_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    import tpanalytics as tpa

ALL_SUPPRESSED = "All job families are suppressed (too few jobs or people)"
#: Titles of charts with one row per family, and of charts of all jobs together, if nothing is shown.
NOTHING_SHOWN = ALL_SUPPRESSED, ALL_SUPPRESSED.replace("job families", "figures")
#: Hours, level and contract of jobs in suppressed families.
CANARY: dict[str, Any] = {"hours": 77.25, "level": "H3", "contract": 61.5}
#: Figures that would reveal a suppressed family. 80.34 is the end of an axis that includes it.
CANARY_FIGURES = ("77.2", "77.3", ": 77.0", "80.34", "61.5")
#: Names that are reserved in JavaScript or invalid in XML.
RESERVED_NAMES = ["constructor", "__proto__", "toString", "hasOwnProperty", "x\x07", "a\x00b", "line\x0bbreak"]
RESERVED_NAMES += ["\u2028", "\ufffe", "ok"]


def layers(spec: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield every layer, also those of panels, with the data it inherits."""
    parts = [part for key in ("layer", "concat", "hconcat", "vconcat") for part in spec.get(key, [])]
    for part in parts:
        inherited = {"data": spec["data"], **part} if "data" in spec else part
        yield from layers(inherited)
    if not parts:
        yield spec


def layers_of(spec: dict[str, Any], mark: str) -> list[dict[str, Any]]:
    """Return the layers with a mark type."""
    return [layer for layer in layers(spec) if layer["mark"]["type"] == mark]


def rows_of(spec: dict[str, Any], layer: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the data rows of a layer."""
    data = layer["data"]
    rows: list[dict[str, Any]] = data["values"] if "values" in data else spec["datasets"][data["name"]]
    return rows


def rows_encoding(spec: dict[str, Any], mark: str, field: str) -> list[dict[str, Any]]:
    """Return the rows of all layers with a mark type that encode a field."""
    return [
        row for layer in layers_of(spec, mark) if field in fields(layer["encoding"]) for row in rows_of(spec, layer)
    ]


def rows_with(spec: dict[str, Any], *columns: str) -> list[dict[str, Any]]:
    """Return the rows of the first layer whose data have the columns."""
    return next(
        rows
        for rows in (rows_of(spec, layer) for layer in layers(spec) if "data" in layer)
        if rows and set(columns) <= set(rows[0])
    )


def fields(value: Any) -> set[str]:
    """Return the names of the data fields used in a part of a specification."""
    if isinstance(value, dict):
        own = {value["field"]} if isinstance(value.get("field"), str) else set()
        texts = [text for key, text in value.items() if key in {"test", "calculate", "filter", "expr"}]
        tested = set(re.findall(r"datum\.(\w+)", " ".join(map(str, texts)))) - {"label", "value"}
        return own | tested | {field for part in value.values() for field in fields(part)}
    if isinstance(value, list):
        return {field for part in value for field in fields(part)}
    return set()


def title_of(chart: Any) -> str:
    """Return the title of a chart on one line."""
    return " ".join(chart.to_dict()["title"]["text"])


def text_of(spec: dict[str, Any]) -> str:
    """Return a specification as JSON text."""
    return json.dumps(spec, ensure_ascii=False)


def luminance(colour: str) -> float:
    """Return the relative luminance of a colour, as defined by WCAG 2."""
    channels = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def job_in(
    family: str | None, *tasks: tuple[str | None, float | None], headcount: float | None = 1.0
) -> dict[str, Any]:
    """Return a job in a family, with tasks given as (level, hours)."""
    return task_job(family, *((str(i), *task) for i, task in enumerate(tasks)), headcount=headcount)


def task_job(
    family: str | None, *tasks: tuple[Any, ...], headcount: float | None = 4.0, contract_hours: float | None = 40.0
) -> dict[str, Any]:
    """Return a job in a family, with tasks given as (id, level, hours)."""
    rows = [
        {"task_id": key, "validation_state": "validated", "weekly_hours": hours, "ai_impact_level": level}
        for key, level, hours in tasks
    ]
    return {"job_family": family, "headcount": headcount, "contract_hours": contract_hours, "tasks": rows}


def three_jobs_in(family: str, *tasks: tuple[str | None, float | None]) -> tpa.TaskProfiles:
    """Return a company of three equal jobs in a family, which is large enough not to be suppressed."""
    return profiles_of([job_in(family, *tasks, headcount=4.0)] * 3)


def company_with_small_families(*small: str, jobs: int = 3) -> tpa.TaskProfiles:
    """Return a company with the families A and B, and small families of a single job with canary figures."""
    large = [job_in(name, ("H1", 3.0), ("H2", 5.0 + i), headcount=4.0) for name in "AB" for i in range(jobs)]
    single = [job_in(name, (CANARY["level"], CANARY["hours"]), headcount=2.0) for name in small]
    return profiles_of([*large, *({**job, "contract_hours": CANARY["contract"]} for job in single)])
