"""Runs in processes of their own, ratios of paired runs, and the table they are printed in."""

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

__all__ = ["Row", "Target", "agree", "installed", "ratios", "said", "separately", "table"]

_ROOT = Path(__file__).resolve().parents[2]
#: Set in the environment, all runs share one process: whether they run is soon known, and no figure is worth anything.
_TOGETHER = "BENCH_TOGETHER"


@dataclass(frozen=True)
class Target:
    """What a figure is held against."""

    bound: Literal["at most", "at least"]
    value: float
    unit: str = " x"

    def __str__(self) -> str:
        return f"{self.bound} {self.value:g}{self.unit}"

    def met(self, figure: float) -> bool:
        """Say whether `figure` keeps to it."""
        return figure <= self.value if self.bound == "at most" else figure >= self.value


@dataclass(frozen=True)
class Row:
    """A figure of the table.

    Attributes
    ----------
    subject
        What was measured, and against what.
    values
        One per pair of runs; none where it could not be measured, and `why` says why.
    target
        None for a baseline, which stands beside to compare.
    counted
        Rows each side computed, so that nobody wins by leaving some out.
    """

    subject: str
    values: list[float] = field(default_factory=list)
    target: Target | None = None
    counted: dict[str, dict[str, int]] = field(default_factory=dict)
    unit: str = " x"
    why: str = ""

    def cells(self) -> tuple[str, str, str, str]:
        """Give the cells of the printed table."""
        target = "(to compare)" if self.target is None else str(self.target)
        if not self.values:
            return self.subject, self.why, target, "-"
        figure, digits = median(self.values), 0 if self.unit == " MB" else 2
        low, high = (f"{value:.{digits}f}" for value in (min(self.values), max(self.values)))
        shown = f"{figure:.{digits}f}{self.unit} ({low} to {high}, n={len(self.values)})"
        met = "-" if self.target is None else ("yes" if self.target.met(figure) else "**no**")
        return self.subject, shown, target, met


def table(rows: list[Row]) -> str:
    """Write rows as a table in Markdown, its columns aligned for a terminal."""
    cells = [("subject", "ratio: median (min to max, n)", "target", "met"), *(row.cells() for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(4)]
    lines = ["| " + " | ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)) + " |" for row in cells]
    rule = "|" + "|".join("-" * (w + 2) for w in widths) + "|"
    return "\n".join([lines[0], rule, *lines[1:]])


def ratios(ours: list[float], baseline: list[float]) -> list[float]:
    """Divide pair by pair."""
    return [one / other for one, other in zip(ours, baseline, strict=True)]


def agree(counted: Mapping[str, Mapping[str, int]], expected: Mapping[str, int]) -> None:
    """Refuse figures of runs that did not all compute the same rows; a run may not know every count."""
    for name, counts in counted.items():
        wrong = {key: n for key, n in counts.items() if n != expected[key]}
        if wrong or not counts:
            raise SystemExit(f"{name} computed {dict(counts) or 'nothing'}, not {dict(expected)}: no figures.")


def separately(function: str, *, env: Mapping[str, str] | None = None, **arguments: Any) -> Any:
    """Call a function of this folder, like ``"decode:run"``, in a fresh process, and give what it returns.

    The process that calls must stay small: the peak memory a system reports for a child may begin with that of its
    parent.
    """
    if os.environ.get(_TOGETHER):
        return json.loads(_called(function, arguments))
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.measure", function, json.dumps(arguments)],
        cwd=_ROOT,
        env={**os.environ, **(env or {})},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{function} failed with {arguments}; see above.")
    return json.loads(done.stdout.splitlines()[-1])


def _called(function: str, arguments: Mapping[str, Any]) -> str:
    module, _, name = function.partition(":")
    return json.dumps(getattr(import_module(f"tests.bench.{module}"), name)(**arguments))


def installed(name: str) -> bool:
    """Say whether a package of the extra ``bench`` is there."""
    return find_spec(name) is not None


def said(text: str) -> None:
    """Say on the error stream what is being done."""
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    print(_called(sys.argv[1], json.loads(sys.argv[2])))
