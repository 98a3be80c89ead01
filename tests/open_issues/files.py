"""Files for the tests of open issues."""

from __future__ import annotations

from pathlib import Path

__all__ = ["write_file"]


def write_file(name: str, content: str | bytes) -> Path:
    """Write a file in the working directory and return its absolute path."""
    path = Path(name).resolve()
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path
