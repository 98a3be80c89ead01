"""What keyboards and screen readers need from an explorer and its widgets do not provide."""

from __future__ import annotations

from pathlib import Path

import anywidget

__all__ = ["Accessibility"]


class Accessibility(anywidget.AnyWidget):
    """Shows nothing; keeps key presses inside the explorer, and announces which buttons are pressed."""

    _esm = (Path(__file__).parent / "assets" / "accessibility.js").read_text(encoding="utf-8")
