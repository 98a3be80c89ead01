"""What the tests of reports share: a small company, a quick pen, and eyes for a page."""

from __future__ import annotations

import html
import json
import re
from contextlib import contextmanager
from dataclasses import fields, replace
from functools import cache
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
import vl_convert

import tpanalytics as tpa
from tpanalytics.share.calls import Call, Source
from tpanalytics.share.report import save_report as making

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator
    from pathlib import Path

    from tpanalytics.share.report.scope import ReportScope

#: Two of them are hidden where 14 jobs are asked for: one has 13, and the next smallest protects it.
FAMILIES = ("Finance", "Human Resources", "Product Management", "Research and Development")
FEW = tpa.Privacy(min_jobs=14)


def small(profiles: tpa.TaskProfiles) -> tpa.TaskProfiles:
    """Cut the sample to a few families, so that a report is made in a moment."""
    return tpa.filter_jobs(profiles, pl.col("job_family").is_in(FAMILIES))


@pytest.fixture(scope="module", autouse=True)
def quick_pen() -> Iterator[None]:
    """Draw each picture once: the same specification gives the same picture, and drawing is most of the time."""
    draw = vl_convert.vegalite_to_svg
    drawn = cache(lambda spec: draw(json.loads(spec)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vl_convert, "vegalite_to_svg", lambda spec: drawn(json.dumps(spec)))
        yield


@contextmanager
def one_chart_only() -> Iterator[None]:
    """Leave all charts out but the first, where a test is about figures; drawing would take most of its time."""
    first, *rest = making.SECTIONS
    change = [section for section in making.SECTIONS if section.key == "mix"] or [first]
    with pytest.MonkeyPatch.context() as patch:
        kept = [section if section in change else replace(section, charts=()) for section in (first, *rest)]
        patch.setattr(making, "SECTIONS", tuple(kept))
        yield


@pytest.fixture(scope="module")
def one_chart() -> Iterator[None]:
    """Do so in a whole module."""
    with one_chart_only():
        yield


def asked_for(asked: ReportScope) -> Hashable:
    """Give what tells a report that is asked for from any other of the same frames."""
    sides = [asked.profiles, *([asked.before] if asked.before else [])]
    frames = [(id(side.jobs), id(side.tasks), repr(side.manifest)) for side in sides]
    rest = [repr(getattr(asked, field.name)) for field in fields(asked) if field.name not in ("profiles", "before")]
    return *frames, *rest


@contextmanager
def each_chart_once() -> Iterator[None]:
    """Draw each chart of the same frames and choices once, for reports that differ in their tables only."""
    draw: Callable[..., Any] = Call.of
    drawn: dict[Hashable, tuple[Any, ReportScope]] = {}

    def of(call: Call, source: Source, scope: Any = None) -> Any:
        if not call.name.startswith("plot_"):
            return draw(call, source, scope)
        key = call.text(), asked_for(replace(scope, jobs=False, rationales=False))
        if key not in drawn:
            drawn[key] = draw(call, source, scope), scope  # kept, so that no other frames take their ids
        return drawn[key][0]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Call, "of", of)
        yield


def tables(path: Path) -> dict[str, list[list[str]]]:
    """Give the cells of each table without its heads, read by other means than `verify_report` has."""
    found = {}
    for key, inner in re.findall(r'<table data-figure="([^"]+)">(.*?)</table>', page(path), flags=re.DOTALL):
        body = inner.split("<tbody>")[1]
        rows = re.findall(r"<tr>(.*?)</tr>", body, flags=re.DOTALL)
        found[key] = [[html.unescape(cell) for cell in re.findall(r"<t[dh]\b[^>]*>(.*?)</t[dh]>", row)] for row in rows]
    return found


def page(path: Path) -> str:
    """Give the file without the drawing library, in which any word may occur."""
    text = path.read_text(encoding="utf-8")
    return re.sub(r'(<script[^>]*id="library"[^>]*>).*?</script>', r"\1</script>", text, flags=re.DOTALL)


def evidence(path: Path) -> dict[str, Any]:
    """Give the evidence block."""
    found = re.search(r'<script type="application/json" id="evidence-block">(.*?)</script>', page(path), re.DOTALL)
    assert found
    told: dict[str, Any] = json.loads(found[1])
    return told


def code(path: Path) -> list[str]:
    """Give the Python that the page prints, in order."""
    return [html.unescape(text) for text in re.findall(r"<pre[^>]*><code>(.*?)</code></pre>", page(path), re.DOTALL)]
