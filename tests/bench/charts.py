"""Charts compared with plain Altair, and a report compared with its charts."""

from __future__ import annotations

import tempfile
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.bench.measure import Row, Target, log, ratios, run_in_process
from tests.helpers.plots import PLOTS

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["rows"]

_BUILT, _SAVED, _REPORT = Target("at most", 1.5), Target("at most", 1.1), Target("at most", 2.0)
_SIZES = {"data": (" kB", 50.0), "png": (" kB", None), "report": (" kB", 1500.0)}


def rows(pairs: int) -> list[Row]:
    """Measure each chart of the sample and a report."""
    result = []
    for name in PLOTS:
        log(f"charts: {name}, {pairs} pairs")
        measured = run_in_process("charts:chart", name=name, pairs=pairs)
        times, sizes = measured["times"], measured["sizes"]
        result += [
            Row(f"charts: {name} built, over plain Altair", ratios(times["built"], times["plain"]), _BUILT),
            Row(f"charts: {name} saved as PNG, over plain Altair", ratios(times["saved"], times["plain png"]), _SAVED),
            Row(f"charts: time to build {name}", [1000 * value for value in times["built"]], unit=" ms"),
            Row(f"charts: time to save {name} as PNG", [1000 * value for value in times["saved"]], unit=" ms"),
            *(_size(f"charts: {kind} of {name}", kind, sizes[kind]) for kind in ("data", "png")),
        ]
    log(f"charts: a report, {pairs} pairs")
    measured = run_in_process("charts:report", pairs=pairs)
    return [
        *result,
        Row("charts: a report of 23 families, over its charts alone", measured["ratios"], _REPORT),
        _size("charts: report of 23 families", "report", measured["size"]),
    ]


def _size(subject: str, kind: str, size: int) -> Row:
    unit, limit = _SIZES[kind]
    return Row(subject, [size / 1000], limit and Target("at most", limit, unit), unit=unit)


def chart(name: str, pairs: int) -> dict[str, Any]:
    """Build and save a chart, alternating with plain Altair, and return seconds and bytes.

    The time includes computing the figures.
    """
    import json

    import tpanalytics as tpa

    profiles, draw = tpa.load_sample(), PLOTS[name]
    ours = draw(profiles)
    spec = ours.to_dict()
    altair_class = next(cls for cls in type(ours).__mro__ if cls.__module__.startswith("altair."))
    times: dict[str, list[float]] = {"built": [], "plain": [], "saved": [], "plain png": []}
    with tempfile.TemporaryDirectory(prefix="tpanalytics-bench-charts-") as root:
        path, plain_path = Path(root) / "ours.png", Path(root) / "plain.png"
        functions: dict[str, Callable[[], Any]] = {
            "built": lambda: draw(profiles).to_dict(),
            "plain": lambda: altair_class.from_dict(spec).to_dict(),
            "saved": lambda: tpa.save(ours, path, scale=2),
            "plain png": lambda: altair_class.from_dict(spec).save(plain_path, scale_factor=2),
        }
        for number in range(pairs + 1):  # the first round only loads modules
            for name_, run in functions.items():
                start = time.perf_counter()
                run()
                if number:
                    times[name_].append(time.perf_counter() - start)
        sizes = {"data": len(json.dumps(spec["datasets"], ensure_ascii=False).encode()), "png": path.stat().st_size}
    return {"times": times, "sizes": sizes}


def report(pairs: int) -> dict[str, Any]:
    """Write a report of 23 families and draw its charts separately."""
    import vl_convert

    import tpanalytics as tpa
    from tests.helpers.companies import many
    from tpanalytics.share.report.sections.catalog import SECTIONS

    profiles, quotients = many(23, jobs=10), []
    calls = [chart for section in SECTIONS for chart in section.charts if not chart.change]
    with tempfile.TemporaryDirectory(prefix="tpanalytics-bench-report-") as root, warnings.catch_warnings():
        warnings.simplefilter("ignore", tpa.TpAnalyticsWarning)
        path = Path(root) / "report.html"
        for number in range(pairs + 1):
            start = time.perf_counter()
            tpa.save_report(profiles, path)
            middle = time.perf_counter()
            for call in calls:
                vl_convert.vegalite_to_svg(getattr(tpa, call.name)(profiles, **call.fixed).to_dict())
            end = time.perf_counter()
            if number:
                quotients.append((middle - start) / (end - middle))
        size = path.stat().st_size
    return {"ratios": quotients, "size": size}
