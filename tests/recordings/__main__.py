"""Record what the package computes, draws, writes, prints and refuses, and compare two such recordings.

python -m tests.recordings record FOLDER [--only measures,charts] [--real PATH]
python -m tests.recordings compare OLDER NEWER [--only ...] [--renamed FILE.json] [--ignore-texts] [--relative 1e-12]

Each recording is a JSON file named after a stable id. `--renamed` brings the names in the older recordings up to date
before they are compared, and leaves out what was dropped on purpose:
{"columns": {"grade": "data_grade"}, "texts": {"old_function": "new_function"}, "dropped": ["charts/*/heatmap*"]}.
A column is renamed where its name is a key, a whole value or a field of an expression (`datum.grade`); a text wherever
it is a whole word. `--ignore-texts` compares numbers, also those within texts, and ignores words, pictures and style.
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
    """Record or compare, as the command line asks."""
    parser = argparse.ArgumentParser(prog="python -m tests.recordings", description=__doc__.partition("\n")[0])
    verbs = parser.add_subparsers(dest="verb", required=True)
    one = verbs.add_parser("record", help="record the code as it is, into an empty folder")
    one.add_argument("folder", type=Path)
    one.add_argument("--real", type=Path, default=REAL, help="folder of the real data (%(default)s)")
    two = verbs.add_parser("compare", help="list what differs; exit 1 if anything does")
    two.add_argument("older", type=Path)
    two.add_argument("newer", type=Path)
    two.add_argument("--renamed", type=Path, help="JSON file with columns, texts and dropped")
    two.add_argument("--ignore-texts", action="store_true", help="compare numbers only")
    two.add_argument(
        "--relative", type=float, default=0.0, help="relative difference that floats may have (%(default)g)"
    )
    two.add_argument("--most", type=int, default=20, help="differences printed per recording (%(default)s)")
    for verb in (one, two):
        verb.add_argument("--only", type=_kinds, default=list(KINDS), metavar="KINDS", help=f"of {','.join(KINDS)}")
    asked = parser.parse_args()
    if asked.verb == "compare":
        renamed: dict[str, Any] = json.loads(asked.renamed.read_text(encoding="utf-8")) if asked.renamed else {}
        return compare(
            [asked.older, asked.newer],
            asked.only,
            renamed,
            texts=not asked.ignore_texts,
            relative=asked.relative,
            most=asked.most,
        )
    if os.environ.get("POLARS_MAX_THREADS") != "1":  # the order of a sum, and so its last digit, depends on it
        again = [sys.executable, "-m", "tests.recordings", *sys.argv[1:]]
        return subprocess.run(again, env={**os.environ, "POLARS_MAX_THREADS": "1"}, check=False).returncode
    record(asked.folder.resolve(), asked.only, asked.real.resolve())
    return 0


if __name__ == "__main__":
    sys.exit(main())
