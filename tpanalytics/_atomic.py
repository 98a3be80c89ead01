"""Atomic writes for single files and groups of files."""

from __future__ import annotations

import os
import secrets
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

__all__ = ["atomic_write", "atomic_writes"]


@contextmanager
def atomic_write(target: Path) -> Iterator[Path]:
    """Yield a draft path that replaces `target` on success and is removed on failure."""
    with atomic_writes([target]) as (draft,):
        yield draft


@contextmanager
def atomic_writes(targets: Sequence[Path]) -> Iterator[list[Path]]:
    """Yield draft paths for several files in a folder, then replace either all of the files or none."""
    folder = targets[0].parent
    folder.mkdir(parents=True, exist_ok=True)
    token = secrets.token_hex(4)
    drafts = [_draft(target, token) for target in targets]
    try:
        yield drafts
        for draft in drafts:
            with draft.open("rb+") as file:
                os.fsync(file.fileno())
        with ExitStack() as rollback:
            for draft, target in zip(drafts, targets, strict=True):
                if len(targets) > 1:
                    rollback.callback(_back_up(target, token))
                draft.replace(target)
            rollback.pop_all()
        _sync_folder(folder)
    finally:
        for draft in drafts:
            draft.unlink(missing_ok=True)
            _backup(draft).unlink(missing_ok=True)


def _draft(target: Path, token: str) -> Path:
    return target.with_name(f".{target.stem}-{token}{target.suffix}")


def _backup(draft: Path) -> Path:
    return draft.with_name(f"{draft.name}.before")


def _back_up(target: Path, token: str) -> Callable[[], object]:
    """Back up `target` and return a function that restores it."""
    backup = _backup(_draft(target, token))
    try:
        os.link(target, backup)
    except FileNotFoundError:
        return partial(target.unlink, missing_ok=True)
    except OSError:  # the file system does not support hard links
        backup.write_bytes(target.read_bytes())
    return partial(backup.replace, target)


def _sync_folder(folder: Path) -> None:
    with suppress(OSError):  # Windows can't open folders and doesn't need this
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
