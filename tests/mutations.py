"""Change one operator, number or argument of the package at a time, and list the changes that no quick test notices.

usage: python -m tests.mutations [--per-area N] [--seed N] [--workers N] [--list]

Exit status 1 if a change survives. Changes that cannot alter a result are listed in `EQUIVALENT`, each with its reason.
"""

from __future__ import annotations

import argparse
import ast
import os
import random
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Queue
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[1]
#: Each area: the files whose code is changed, and the tests to run first.
AREAS = {
    "measures": (["measures/*.py", "measures/_core/*.py"], ["tests/measures", "tests/charts"]),
    "privacy": (["measures/privacy/*.py"], ["tests/measures/privacy", "tests/charts", "tests/share"]),
    "snapshot": (["profiles/snapshot/*.py", "profiles/completeness.py"], ["tests/profiles", "tests/faults"]),
    "wire": (["api/wire.py", "api/export.py", "api/records.py", "api/http/*.py"], ["tests/api", "tests/faults"]),
}
PAIRS = [(ast.Add, ast.Sub), (ast.Mult, ast.Div), (ast.BitAnd, ast.BitOr), (ast.And, ast.Or), (ast.In, ast.NotIn)]
PAIRS += [(ast.Lt, ast.LtE), (ast.Gt, ast.GtE), (ast.Eq, ast.NotEq)]
OPERATORS: dict[type[ast.AST], Any] = {**dict(PAIRS), **{after: before for before, after in PAIRS}}
METHODS = {"min": "max", "max": "min", "min_horizontal": "max_horizontal", "max_horizontal": "min_horizontal"}
METHODS |= {"is_null": "is_not_null", "is_not_null": "is_null", "any": "all", "all": "any", "first": "last"}
#: Changes that give the same results, by file and changed text.
EQUIVALENT: dict[tuple[str, str], str] = {}


class Mutation(NamedTuple):
    """A change of one place in one file."""

    area: str
    kind: str
    path: str
    line: int
    start: int
    end: int
    before: str
    after: str

    def __str__(self) -> str:
        short = [" ".join(text.split())[:70] for text in (self.before, self.after)]
        return f"{self.area:8} {self.kind:17} {self.path}:{self.line}  {short[0]}  ->  {short[1]}"


def _changed(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """Yield the changes of one node."""
    match node:
        case ast.BinOp(left, op, right) if type(op) in OPERATORS:
            kind = "and, or" if isinstance(op, ast.BitAnd | ast.BitOr) else "sign flip"
            yield kind, ast.BinOp(left, OPERATORS[type(op)](), right)
        case ast.BoolOp(op, values):
            yield "and, or", ast.BoolOp(OPERATORS[type(op)](), values)
        case ast.Compare(left, [op], right) if type(op) in OPERATORS:
            boundary = isinstance(op, ast.Lt | ast.LtE | ast.Gt | ast.GtE)
            yield "off by one" if boundary else "sign flip", ast.Compare(left, [OPERATORS[type(op)]()], right)
        case ast.UnaryOp(ast.Not() | ast.Invert() | ast.USub(), operand):
            yield "sign flip", operand
        case ast.Constant(int() as value) if not isinstance(value, bool):
            yield "off by one", ast.Constant(value + 1)
        case ast.Call(ast.Attribute(receiver, "filter" | "drop_nulls"), _, _):
            yield "dropped filter", receiver
        case ast.Call(ast.Attribute(receiver, name), arguments, keywords) if name in METHODS:
            yield "min, max, null", ast.Call(ast.Attribute(receiver, METHODS[name]), arguments, keywords)
        case ast.Call(function, [first, second, *others], keywords) if not isinstance(
            first, ast.Starred | ast.Constant
        ):
            if not isinstance(second, ast.Starred) and ast.unparse(function) != "isinstance":
                yield "swapped arguments", ast.Call(function, [second, first, *others], keywords)


def _code(node: ast.AST) -> Iterator[ast.AST]:
    """Walk the code that decides results: neither messages and annotations nor what runs only for type checkers."""
    for name, value in ast.iter_fields(node):
        if name in {"annotation", "returns", "decorator_list", "exc", "msg"}:
            continue
        for child in value if isinstance(value, list) else [value]:
            if not isinstance(child, ast.AST) or isinstance(child, ast.JoinedStr | ast.Import | ast.ImportFrom):
                continue
            if isinstance(child, ast.Call) and ast.unparse(child.func).split(".")[-1] in {"cast", "warn", "TypeVar"}:
                continue
            yield child
            yield from _code(child)


def mutations(area: str) -> list[Mutation]:
    """Return all changes in the files of an area."""
    found = []
    for path in sorted(path for pattern in AREAS[area][0] for path in (ROOT / "tpanalytics").glob(pattern)):
        source = path.read_bytes()
        starts = [0]
        for line in source.splitlines(keepends=True):
            starts.append(starts[-1] + len(line))
        functions = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef)]
        for node in {id(node): node for function in functions for node in _code(function)}.values():
            for kind, other in _changed(node):
                start = starts[node.lineno - 1] + node.col_offset  # type: ignore[attr-defined]
                end = starts[node.end_lineno - 1] + node.end_col_offset  # type: ignore[attr-defined]
                after = f"({ast.unparse(ast.fix_missing_locations(other))})"
                place = path.relative_to(ROOT).as_posix()
                before = source[start:end].decode()
                found.append(Mutation(area, kind, place, node.lineno, start, end, before, after))  # type: ignore[attr-defined]
    return found


def sample(area: str, count: int, seed: int) -> list[Mutation]:
    """Draw changes of an area, as evenly as possible from its kinds."""
    rng = random.Random(f"{area} {seed}")
    kinds: dict[str, list[Mutation]] = {}
    for mutation in mutations(area):
        if (mutation.path, mutation.before) not in EQUIVALENT:
            kinds.setdefault(mutation.kind, []).append(mutation)
    for changes in kinds.values():
        rng.shuffle(changes)
    turns = max(map(len, kinds.values()))
    in_turn = [changes[turn] for turn in range(turns) for changes in kinds.values() if turn < len(changes)]
    return in_turn[:count]


def caught_by(mutation: Mutation, copy: Path) -> str | None:
    """Run the quick tests on a changed copy of the repository and return the test that fails, or None."""
    path = copy / mutation.path
    source = path.read_bytes()
    path.write_bytes(source[: mutation.start] + mutation.after.encode() + source[mutation.end :])
    topic = f"test_{path.stem}.py"
    named = sorted(str(test.relative_to(copy)) for test in (copy / "tests").rglob(topic))
    quick = ["-m", "not slow", "-x", "-q", "--no-header", "-p", "no:cacheprovider", "--import-mode=importlib"]
    try:
        for tests in filter(None, (named, AREAS[mutation.area][1], ["tests"])):
            command = [sys.executable, "-m", "pytest", *quick, *tests]
            environment = {**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
            done = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True, check=False)
            failed = [line for line in done.stdout.splitlines() if line.startswith(("FAILED ", "ERROR "))]
            if failed:
                return failed[0][:150]
        return None
    finally:
        path.write_bytes(source)


def main() -> int:
    """Run the changes and print each with the test that caught it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--per-area", type=int, default=12)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--list", action="store_true", help="list the changes without running them")
    options = parser.parse_args()
    changes = [change for area in AREAS for change in sample(area, options.per_area, options.seed)]
    if options.list:
        print(*changes, sep="\n")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        copies: Queue[Path] = Queue()
        for worker in range(options.workers):
            copy = Path(folder) / str(worker)
            ignored = shutil.ignore_patterns(".*", "__pycache__")
            shutil.copytree(ROOT, copy, ignore=ignored)
            copies.put(copy)

        def run(change: Mutation) -> bool:
            copy = copies.get()
            try:
                test = caught_by(change, copy)
            finally:
                copies.put(copy)
            print(f"{'caught  ' if test else 'SURVIVED'} {change}\n         {test or ''}", flush=True)
            return test is not None

        with ThreadPoolExecutor(options.workers) as workers:
            caught = list(workers.map(run, changes))
    print(f"{sum(caught)} of {len(caught)} changes caught")
    return 0 if all(caught) else 1


if __name__ == "__main__":
    raise SystemExit(main())
