"""Separate processes, ratios of paired runs and the table of results."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Row", "Target", "check_counts", "installed", "log", "ratios", "run_in_process", "table"]

_ROOT = Path(__file__).resolve().parents[2]
#: Environment variable to run all functions in one process. This is fast, but the figures are meaningless.
_TOGETHER = "BENCH_TOGETHER"


@dataclass(frozen=True)
class Target:
    """Target of a figure."""

    bound: Literal["at most", "at least"]
    value: float
    unit: str = " x"

    def __str__(self) -> str:
        return f"{self.bound} {self.value:g}{self.unit}"

    def met(self, figure: float) -> bool:
        """Return whether `figure` meets the target."""
        return figure <= self.value if self.bound == "at most" else figure >= self.value


@dataclass(frozen=True)
class Row:
    """Row of the table of results.

    Attributes
    ----------
    subject
        Description of the figure.
    values
        One value per pair of runs, or empty with the reason in `why`.
    target
        Target, or None for a baseline.
    counted
        Number of rows computed by each side.
    """

    subject: str
    values: list[float] = field(default_factory=list)
    target: Target | None = None
    counted: dict[str, dict[str, int]] = field(default_factory=dict)
    unit: str = " x"
    why: str = ""

    def cells(self) -> tuple[str, str, str, str]:
        """Return the cells of the printed table."""
        target = "(baseline)" if self.target is None else str(self.target)
        if not self.values:
            return self.subject, self.why, target, "-"
        figure, digits = median(self.values), 0 if self.unit == " MB" else 2
        low, high = (f"{value:.{digits}f}" for value in (min(self.values), max(self.values)))
        text = f"{figure:.{digits}f}{self.unit} ({low} to {high}, n={len(self.values)})"
        met = "-" if self.target is None else ("yes" if self.target.met(figure) else "**no**")
        return self.subject, text, target, met


def table(rows: list[Row]) -> str:
    """Format rows as an aligned Markdown table."""
    cells = [("subject", "ratio: median (min to max, n)", "target", "met"), *(row.cells() for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(4)]
    lines = ["| " + " | ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)) + " |" for row in cells]
    rule = "|" + "|".join("-" * (w + 2) for w in widths) + "|"
    return "\n".join([lines[0], rule, *lines[1:]])


def ratios(ours: list[float], baseline: list[float]) -> list[float]:
    """Return the ratio of each pair."""
    return [value / base for value, base in zip(ours, baseline, strict=True)]


def check_counts(counted: Mapping[str, Mapping[str, int]], expected: Mapping[str, int]) -> None:
    """Exit if a side did not compute the expected number of rows. A side can have fewer counts."""
    for name, counts in counted.items():
        wrong = {key: n for key, n in counts.items() if n != expected[key]}
        if wrong or not counts:
            raise SystemExit(f"{name} computed {dict(counts) or 'nothing'}, not {dict(expected)}.")


def run_in_process(function: str, *, env: Mapping[str, str] | None = None, **arguments: Any) -> Any:
    """Call a function of this folder, for example ``"decode:run"``, in a new process and return its result.

    The calling process must use little memory, because the peak memory of a child can start with that of its parent.
    """
    if os.environ.get(_TOGETHER):
        return json.loads(_call(function, arguments))
    process = subprocess.run(
        [sys.executable, "-m", "tests.bench.measure", function, json.dumps(arguments)],
        cwd=_ROOT,
        env={**os.environ, **(env or {})},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if process.returncode:
        raise SystemExit(f"{function} failed with {arguments}, see above.")
    return json.loads(process.stdout.splitlines()[-1])


def _call(function: str, arguments: Mapping[str, Any]) -> str:
    module, _, name = function.partition(":")
    return json.dumps(getattr(import_module(f"tests.bench.{module}"), name)(**arguments))


def installed(name: str) -> bool:
    """Return whether a package is installed."""
    return find_spec(name) is not None


def log(text: str) -> None:
    """Print progress to the error stream."""
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    print(_call(sys.argv[1], json.loads(sys.argv[2])))
