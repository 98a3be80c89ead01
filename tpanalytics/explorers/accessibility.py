"""Keyboard and screen reader support missing from ipywidgets."""

from __future__ import annotations

from pathlib import Path

import anywidget

__all__ = ["Accessibility"]


class Accessibility(anywidget.AnyWidget):
    """Invisible widget that keeps key presses inside the explorer and sets ARIA attributes on buttons."""

    _esm = (Path(__file__).parent / "assets" / "accessibility.js").read_text(encoding="utf-8")
