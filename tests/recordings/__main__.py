"""Record results, charts, files, errors and output of the package, and compare two recordings.

python -m tests.recordings record FOLDER [--only measures,charts] [--real PATH]
python -m tests.recordings compare OLDER NEWER [--only ...] [--renamed FILE.json] [--ignore-texts] [--relative 1e-12]

Each recording is a JSON file named after a stable ID. `--renamed` updates names in the older recordings before the
comparison and skips recordings that were dropped on purpose:
{"columns": {"grade": "data_grade"}, "texts": {"old_function": "new_function"}, "dropped": ["charts/*/heatmap*"]}.
Columns are replaced if the name is a key, a complete value or a field of an expression (`datum.grade`), texts if they
are complete words. `--ignore-texts` compares only numbers, including those within texts.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.conftest import REAL
from tests.recordings.compare import compare
from tests.recordings.record import KINDS, record


def _kinds(text: str) -> list[str]:
    kinds = text.split(",")
    if unknown := set(kinds) - set(KINDS):
        raise argparse.ArgumentTypeError(f"{', '.join(sorted(unknown))}: choose from {', '.join(KINDS)}")
    return kinds


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.recordings", description=__doc__.partition("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    record_parser = commands.add_parser("record", help="record the current code to an empty folder")
    record_parser.add_argument("folder", type=Path)
    record_parser.add_argument("--real", type=Path, default=REAL, help="folder of the real data (default: %(default)s)")
    compare_parser = commands.add_parser("compare", help="list differences; the exit status is 1 if there are any")
    compare_parser.add_argument("older", type=Path)
    compare_parser.add_argument("newer", type=Path)
    compare_parser.add_argument("--renamed", type=Path, help="JSON file with columns, texts and dropped")
    compare_parser.add_argument("--ignore-texts", action="store_true", help="compare numbers only")
    compare_parser.add_argument(
        "--relative", type=float, default=0.0, help="relative tolerance for floats (default: %(default)g)"
    )
    compare_parser.add_argument(
        "--most", type=int, default=20, help="maximum differences to print per recording (default: %(default)s)"
    )
    for command in (record_parser, compare_parser):
        command.add_argument(
            "--only", type=_kinds, default=list(KINDS), metavar="KINDS", help=f"comma-separated, of {','.join(KINDS)}"
        )
    arguments = parser.parse_args()
    if arguments.command == "compare":
        renamed: dict[str, Any] = json.loads(arguments.renamed.read_text(encoding="utf-8")) if arguments.renamed else {}
        return compare(
            [arguments.older, arguments.newer],
            arguments.only,
            renamed,
            texts=not arguments.ignore_texts,
            relative=arguments.relative,
            most=arguments.most,
        )
    if os.environ.get("POLARS_MAX_THREADS") != "1":  # the number of threads changes the order of sums
        command_line = [sys.executable, "-m", "tests.recordings", *sys.argv[1:]]
        return subprocess.run(command_line, env={**os.environ, "POLARS_MAX_THREADS": "1"}, check=False).returncode
    record(arguments.folder.resolve(), arguments.only, arguments.real.resolve())
    return 0


if __name__ == "__main__":
    sys.exit(main())
