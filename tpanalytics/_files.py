"""A file is there whole or not at all."""

from __future__ import annotations

import os
import secrets
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["whole_file"]


@contextmanager
def whole_file(target: Path) -> Iterator[Path]:
    """Give a path beside `target` to write to; on success it replaces `target`, on failure nothing has changed.

    The folder is made if it is missing. The file is flushed to disk before it takes its name, and the name after it, so
    that a crash leaves the old file or the new one.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{target.stem}-{secrets.token_hex(4)}{target.suffix}")
    try:
        yield draft
        with draft.open("rb+") as file:
            os.fsync(file.fileno())
        draft.replace(target)
        _flush_names(target.parent)
    finally:
        draft.unlink(missing_ok=True)


def _flush_names(folder: Path) -> None:
    with suppress(OSError):  # not every system lets a folder be opened; those that do not keep names by themselves
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
