"""Print what loading, measuring and drawing cost as ratios against named baselines, measured side by side in one run.

python -m tests.bench            exports of 10k jobs and 200k tasks; measures also on ten times that
python -m tests.bench --full     also 100k jobs and 2M tasks, a gigabyte of JSON; measures also on ten times that
python -m tests.bench --quick    1k jobs and 20k tasks: does it run?
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from dataclasses import asdict
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from tests.bench import bootstrap, charts, clicks, decode, explorers, measures, pull, snapshot, streaming
from tests.bench.measure import table

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.bench.measure import Row

_SUBJECTS = (
    "decode",
    "pull",
    "workers",
    "memory",
    "open",
    "measures",
    "streaming",
    "bootstrap",
    "charts",
    "explorers",
    "clicks",
)
_LIBRARIES = ("polars", "msgspec", "requests", "orjson", "pandas", "pyarrow", "dlt", "duckdb")
_FEW, _JOBS, _MANY = 1000, 10_000, 100_000


def main() -> None:
    chosen = _chosen()
    jobs = chosen.jobs or (_FEW if chosen.quick else _JOBS)
    many = _MANY if chosen.full else jobs
    pairs = chosen.pairs or (3 if chosen.quick else 5)
    rows = _measured(chosen.only.split(","), jobs, many, pairs, chosen.data)
    about = _about()
    print(table(rows))
    print(f"\n{about['machine']}; {about['libraries']}; load average at the end {about['load']}.")
    if jobs != _JOBS:
        print(f"The targets hold for exports of {_JOBS:,} and {_MANY:,} jobs; this run had {jobs:,}.")
    elif many != _MANY:
        print(f"The targets of memory and open hold for {_MANY:,} jobs: run with --full.")
    if chosen.json is not None:
        said = {"about": about, "jobs": jobs, "many": many, "pairs": pairs, "rows": [_plain(row) for row in rows]}
        chosen.json.write_text(json.dumps(said, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _chosen() -> argparse.Namespace:
    about = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__, formatter_class=about)
    sizes = parser.add_mutually_exclusive_group()
    sizes.add_argument("--quick", action="store_true", help="1k jobs, 3 pairs: checks the machinery, not the targets")
    sizes.add_argument(
        "--full", action="store_true", help="also decode, memory and open with 2M tasks, measures with 20M"
    )
    sizes.add_argument("--jobs", type=int, help="an even number of jobs, each with about 20 tasks")
    parser.add_argument("--pairs", type=int, help="paired runs for each figure; by default 5, quick 3")
    parser.add_argument("--only", default=",".join(_SUBJECTS), help=f"some of {','.join(_SUBJECTS)}")
    parser.add_argument("--data", help="folder to keep generated exports in; by default one for temporary files")
    parser.add_argument("--json", type=Path, help="also write every single figure to this file")
    chosen = parser.parse_args()
    if not set(chosen.only.split(",")) <= set(_SUBJECTS):
        parser.error(f"--only {chosen.only}: choose from {', '.join(_SUBJECTS)}.")
    if chosen.jobs is not None and (chosen.jobs < 2 or chosen.jobs % 2):
        parser.error("--jobs: give an even number.")
    return chosen


def _measured(only: list[str], jobs: int, many: int, pairs: int, data: str | None) -> list[Row]:
    ways: dict[str, Callable[[], list[Row]]] = {
        "decode": lambda: [
            *decode.rows(jobs, pairs, data, beside=True),
            *(decode.rows(many, pairs, data, beside=False) if many != jobs else []),
        ],
        "pull": lambda: pull.rows(jobs, pairs, data),
        "workers": lambda: pull.worker_rows(jobs, pairs, data),
        "memory": lambda: snapshot.memory_rows(many, pairs, data),
        "open": lambda: snapshot.open_rows(many, pairs, data),
        "charts": lambda: charts.rows(pairs),
        "clicks": lambda: clicks.rows(pairs),
        "explorers": lambda: explorers.rows(jobs, pairs, data),
        "bootstrap": lambda: bootstrap.rows(many, pairs),
        "streaming": lambda: streaming.rows(many, pairs),
        "measures": lambda: measures.rows(jobs, pairs, data, full=many != jobs),
    }
    return [row for name, way in ways.items() if name in only for row in way()]


def _plain(row: Row) -> dict[str, object]:
    subject, ratio, target, met = row.cells()
    return {**asdict(row), "subject": subject, "shown": ratio, "target": target, "met": met}


def _about() -> dict[str, str]:
    present = [f"{name} {version(name)}" for name in _LIBRARIES if find_spec(name) is not None]
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    return {
        "machine": f"Python {platform.python_version()}, {os.cpu_count()} cores, {platform.system()}",
        "libraries": ", ".join(present),
        "load": f"{load:.1f}",
    }


if __name__ == "__main__":
    main()
