"""Expand paths passed by users."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["local_path"]


def local_path(path: str | os.PathLike[str]) -> Path:
    """Expand a leading ``~`` in `path`. All other characters, including wildcards, are left as they are."""
    path = Path(path)
    if path.parts[:1] != ("~",):
        return path  # "~$report.xlsx" is a file name
    return Path(os.path.expanduser(path))  # noqa: PTH111  Path.expanduser fails for users without a home folder
