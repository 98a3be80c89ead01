"""Helpers for the tests of reports."""

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
from tpanalytics.measures import automation_candidates
from tpanalytics.share.calls import Call, Source
from tpanalytics.share.report import save_report

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator
    from pathlib import Path

    from tpanalytics.share.report.scope import ReportScope

#: With at least 14 jobs per family, two families are suppressed: one with 13 jobs, and one to protect it.
FAMILIES = ("Finance", "Human Resources", "Product Management", "Research and Development")
FEW = tpa.Privacy(min_jobs=14)


def small(profiles: tpa.TaskProfiles) -> tpa.TaskProfiles:
    """Return the profiles of a few families, for which a report is fast."""
    return profiles.filter(pl.col("job_family").is_in(FAMILIES))


@pytest.fixture(scope="module", autouse=True)
def cached_images() -> Iterator[None]:
    """Render each specification once, because rendering takes most of the time."""
    render = vl_convert.vegalite_to_svg
    cached = cache(lambda spec: render(json.loads(spec)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vl_convert, "vegalite_to_svg", lambda spec: cached(json.dumps(spec)))
        yield


@contextmanager
def one_chart_only() -> Iterator[None]:
    """Include only one chart in reports, for tests of figures."""
    sections = [section if section.key == "mix" else replace(section, charts=()) for section in save_report.SECTIONS]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(save_report, "SECTIONS", tuple(sections))
        yield


@pytest.fixture(scope="module")
def one_chart() -> Iterator[None]:
    """Include only one chart in the reports of a module."""
    with one_chart_only():
        yield


@pytest.fixture(scope="module")
def few_resamples() -> Iterator[None]:
    """Compute rank intervals from few resamples, for tests of other figures."""
    original = automation_candidates._rank_intervals

    def rank_intervals(candidates: Any, n_jobs: int, _: int, seed: int) -> pl.DataFrame:
        return original(candidates, n_jobs, 40, seed)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(automation_candidates, "_rank_intervals", rank_intervals)
        yield


def scope_key(scope: ReportScope) -> Hashable:
    """Return a key that identifies a scope by its arguments and the ids of its frames."""
    sides = [scope.profiles, *([scope.before] if scope.before else [])]
    frames = [(id(side.jobs), id(side.tasks), repr(side.manifest)) for side in sides]
    rest = [repr(getattr(scope, field.name)) for field in fields(scope) if field.name not in ("profiles", "before")]
    return *frames, *rest


@contextmanager
def cached_charts() -> Iterator[None]:
    """Draw each chart once for reports that differ only in their tables."""
    draw: Callable[..., Any] = Call.of
    cached: dict[Hashable, tuple[Any, ReportScope]] = {}

    def of(call: Call, source: Source, scope: Any = None) -> Any:
        if not call.name.startswith("plot_"):
            return draw(call, source, scope)
        key = call.text(), scope_key(replace(scope, jobs=False, rationales=False))
        if key not in cached:
            cached[key] = draw(call, source, scope), scope  # keep a reference, so that ids are not reused
        return cached[key][0]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Call, "of", of)
        yield


def tables(path: Path) -> dict[str, list[list[str]]]:
    """Return the body cells of each table, parsed independently of `verify_report`."""
    result = {}
    for key, inner in re.findall(r'<table data-figure="([^"]+)">(.*?)</table>', page(path), flags=re.DOTALL):
        body = inner.split("<tbody>")[1]
        rows = re.findall(r"<tr>(.*?)</tr>", body, flags=re.DOTALL)
        cells = [re.findall(r"<t[dh]\b[^>]*>(.*?)</t[dh]>", row) for row in rows]
        result[key] = [[html.unescape(cell) for cell in row] for row in cells]
    return result


def page(path: Path) -> str:
    """Return the page without the JavaScript library."""
    text = path.read_text(encoding="utf-8")
    return re.sub(r'(<script[^>]*id="library"[^>]*>).*?</script>', r"\1</script>", text, flags=re.DOTALL)


def evidence(path: Path) -> dict[str, Any]:
    """Return the evidence block."""
    match = re.search(r'<script type="application/json" id="evidence-block">(.*?)</script>', page(path), re.DOTALL)
    assert match
    block: dict[str, Any] = json.loads(match[1])
    return block


def code(path: Path) -> list[str]:
    """Return the Python code blocks of the page, in order."""
    return [html.unescape(text) for text in re.findall(r"<pre[^>]*><code>(.*?)</code></pre>", page(path), re.DOTALL)]
