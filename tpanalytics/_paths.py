"""Paths as users type them."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["local_path"]


def local_path(given: str | Path) -> Path:
    """Return a path in which a leading ``~`` is the home folder and every other character, like ``*``, is itself."""
    path = Path(given)
    if path.parts[:1] != ("~",):
        return path  # "~$report.xlsx" is a file name
    return Path(os.path.expanduser(path))  # noqa: PTH111  Path's own fails for users without a home
