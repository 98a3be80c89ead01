"""What a chart costs beside plain Altair with the same finished specification, and a report beside its charts."""

from __future__ import annotations

import tempfile
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.bench.measure import Row, Target, ratios, said, separately
from tests.helpers.plots import PLOTS

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["rows"]

_BUILT, _SAVED, _REPORT = Target("at most", 1.5), Target("at most", 1.1), Target("at most", 2.0)
_SIZES = {"data": (" kB", 50.0), "png": (" kB", None), "report": (" kB", 1500.0)}


def rows(pairs: int) -> list[Row]:
    """Measure each chart of the sample; and a report of it."""
    found = []
    for name in PLOTS:
        said(f"charts: {name}, {pairs} pairs")
        done = separately("charts:chart", name=name, pairs=pairs)
        times, sizes = done["times"], done["sizes"]
        found += [
            Row(f"charts: {name} built, over plain Altair", ratios(times["built"], times["plain"]), _BUILT),
            Row(f"charts: {name} saved as PNG, over plain Altair", ratios(times["saved"], times["plain png"]), _SAVED),
            Row(f"charts: time to build {name}", [1000 * value for value in times["built"]], unit=" ms"),
            Row(f"charts: time to save {name} as PNG", [1000 * value for value in times["saved"]], unit=" ms"),
            *(_size(f"charts: {kind} of {name}", kind, sizes[kind]) for kind in ("data", "png")),
        ]
    said(f"charts: a report, {pairs} pairs")
    done = separately("charts:report", pairs=pairs)
    return [
        *found,
        Row("charts: a report of 23 families, over its charts alone", done["ratios"], _REPORT),
        _size("charts: report of 23 families", "report", done["size"]),
    ]


def _size(subject: str, kind: str, size: int) -> Row:
    unit, limit = _SIZES[kind]
    return Row(subject, [size / 1000], limit and Target("at most", limit, unit), unit=unit)


def chart(name: str, pairs: int) -> dict[str, Any]:
    """Build and save a chart in turn with plain Altair; gives seconds and bytes.

    The figures are computed anew for each chart: a user waits for them too.
    """
    import json

    import tpanalytics as tpa

    profiles, draw = tpa.load_sample(), PLOTS[name]
    made = draw(profiles)
    spec = made.to_dict()
    kind = next(one for one in type(made).__mro__ if one.__module__.startswith("altair."))  # what ours is in Altair
    times: dict[str, list[float]] = {"built": [], "plain": [], "saved": [], "plain png": []}
    with tempfile.TemporaryDirectory(prefix="tpanalytics-bench-charts-") as root:
        ours, plain = Path(root) / "ours.png", Path(root) / "plain.png"
        ways: dict[str, Callable[[], Any]] = {
            "built": lambda: draw(profiles).to_dict(),
            "plain": lambda: kind.from_dict(spec).to_dict(),
            "saved": lambda: tpa.save(made, ours, scale=2),
            "plain png": lambda: kind.from_dict(spec).save(plain, scale_factor=2),
        }
        for number in range(pairs + 1):  # in the first round everything loads what it needs
            for way, run in ways.items():
                start = time.perf_counter()
                run()
                if number:
                    times[way].append(time.perf_counter() - start)
        sizes = {"data": len(json.dumps(spec["datasets"], ensure_ascii=False).encode()), "png": ours.stat().st_size}
    return {"times": times, "sizes": sizes}


def report(pairs: int) -> dict[str, Any]:
    """Write a report of 23 families, and beside it draw the charts it holds once more."""
    import vl_convert

    import tpanalytics as tpa
    from tests.helpers.companies import many
    from tpanalytics.share.report.sections.catalog import SECTIONS

    profiles, found = many(23, jobs=10), []
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
                found.append((middle - start) / (end - middle))
        size = path.stat().st_size
    return {"ratios": found, "size": size}
