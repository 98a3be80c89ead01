"""Benchmark loading, measures and charts against baselines that run alternately.

python -m tests.bench            exports of 10k jobs and 200k tasks; measures also on ten times that
python -m tests.bench --full     also 100k jobs and 2M tasks, a gigabyte of JSON; measures also on ten times that
python -m tests.bench --quick    1k jobs and 20k tasks, to check that the benchmarks run
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

from tests.bench import (
    bootstrap,
    charts,
    clicks,
    decode,
    explorers,
    groups,
    history,
    history_groups,
    measures,
    people,
    pull,
    snapshot,
    streaming,
)
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
    "groups",
    "history_groups",
    "people",
    "streaming",
    "history",
    "bootstrap",
    "charts",
    "explorers",
    "clicks",
)
_LIBRARIES = ("polars", "msgspec", "requests", "orjson", "pandas", "pyarrow", "dlt", "duckdb")
_QUICK_JOBS, _JOBS, _FULL_JOBS = 1000, 10_000, 100_000


def main() -> None:
    arguments = _arguments()
    jobs = arguments.jobs or (_QUICK_JOBS if arguments.quick else _JOBS)
    many = _FULL_JOBS if arguments.full else jobs
    pairs = arguments.pairs or (3 if arguments.quick else 5)
    rows = _run(arguments.only.split(","), jobs, many, pairs, arguments.data)
    about = _about()
    print(table(rows))
    print(f"\n{about['machine']}; {about['libraries']}; load average {about['load']}.")
    if jobs != _JOBS:
        print(f"The targets apply to exports of {_JOBS:,} and {_FULL_JOBS:,} jobs. This run had {jobs:,}.")
    elif many != _FULL_JOBS:
        print(f"The targets of memory and open apply to {_FULL_JOBS:,} jobs. Run with --full.")
    if arguments.json is not None:
        result = {"about": about, "jobs": jobs, "many": many, "pairs": pairs, "rows": [_plain(row) for row in rows]}
        arguments.json.write_text(json.dumps(result, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _arguments() -> argparse.Namespace:
    formatter = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__, formatter_class=formatter)
    sizes = parser.add_mutually_exclusive_group()
    sizes.add_argument("--quick", action="store_true", help="1k jobs and 3 pairs, without targets")
    sizes.add_argument(
        "--full", action="store_true", help="also decode, memory and open with 2M tasks, measures with 20M"
    )
    sizes.add_argument("--jobs", type=int, help="even number of jobs, with about 20 tasks each")
    parser.add_argument("--pairs", type=int, help="paired runs per figure (default: 5, with --quick 3)")
    parser.add_argument("--only", default=",".join(_SUBJECTS), help=f"comma-separated, of {','.join(_SUBJECTS)}")
    parser.add_argument("--data", help="folder for generated exports (default: temporary folder)")
    parser.add_argument("--json", type=Path, help="also write all values to this file")
    arguments = parser.parse_args()
    if not set(arguments.only.split(",")) <= set(_SUBJECTS):
        parser.error(f"--only {arguments.only}: choose from {', '.join(_SUBJECTS)}.")
    if arguments.jobs is not None and (arguments.jobs < 2 or arguments.jobs % 2):
        parser.error("--jobs must be an even number.")
    return arguments


def _run(only: list[str], jobs: int, many: int, pairs: int, data: str | None) -> list[Row]:
    benchmarks: dict[str, Callable[[], list[Row]]] = {
        "decode": lambda: [
            *decode.rows(jobs, pairs, data, baselines=True),
            *(decode.rows(many, pairs, data, baselines=False) if many != jobs else []),
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
        "history": lambda: history.rows(pairs, 24 if many >= _JOBS else 1),
        "groups": lambda: groups.rows(10 * jobs, pairs),
        "history_groups": lambda: history_groups.rows(max(1, 24 * jobs // _JOBS), pairs),
        "people": lambda: people.rows(100 * jobs, pairs),
        "measures": lambda: measures.rows(jobs, pairs, data, full=many != jobs),
    }
    return [row for name, run in benchmarks.items() if name in only for row in run()]


def _plain(row: Row) -> dict[str, object]:
    subject, ratio, target, met = row.cells()
    return {**asdict(row), "subject": subject, "shown": ratio, "target": target, "met": met}


def _about() -> dict[str, str]:
    libraries = [f"{name} {version(name)}" for name in _LIBRARIES if find_spec(name) is not None]
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    return {
        "machine": f"Python {platform.python_version()}, {os.cpu_count()} cores, {platform.system()}",
        "libraries": ", ".join(libraries),
        "load": f"{load:.1f}",
    }


if __name__ == "__main__":
    main()
