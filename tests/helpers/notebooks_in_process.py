"""Notebooks that run in the process of the tests."""

from __future__ import annotations

from contextlib import redirect_stdout
from io import StringIO
from typing import TYPE_CHECKING, Any

import pytest
from nbformat import v4

from tpanalytics.share import run_notebook

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["in_process"]


@pytest.fixture
def in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run notebooks that only print in this process, without starting a kernel."""

    def execute(_: Path, notebook: Any, __: float) -> None:
        names: dict[str, object] = {}
        for cell in notebook.cells:
            if cell.cell_type == "code":
                with redirect_stdout(StringIO()) as printed:
                    exec(cell.source, names)
                cell.outputs = [v4.new_output("stream", text=printed.getvalue())] if printed.getvalue() else []

    monkeypatch.setattr(run_notebook, "_execute", execute)
