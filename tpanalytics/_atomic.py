"""A file is there whole or not at all, and so are several that belong together."""

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
    """Yield a path next to `target` to write to; it replaces `target` on success, and nothing changes on failure."""
    with atomic_writes([target]) as (draft,):
        yield draft


@contextmanager
def atomic_writes(targets: Sequence[Path]) -> Iterator[list[Path]]:
    """Do as `atomic_write` for several files of one folder: all of them are replaced, or none."""
    folder = targets[0].parent
    folder.mkdir(parents=True, exist_ok=True)
    mark = secrets.token_hex(4)
    drafts = [target.with_name(f".{target.stem}-{mark}{target.suffix}") for target in targets]
    try:
        yield drafts
        for draft in drafts:
            with draft.open("rb+") as file:
                os.fsync(file.fileno())
        with ExitStack() as undo:
            for draft, target in zip(drafts, targets, strict=True):
                if len(targets) > 1:
                    undo.callback(_put_back(target, mark))
                draft.replace(target)
            undo.pop_all()
        _flush_names(folder)
    finally:
        for draft in drafts:
            draft.unlink(missing_ok=True)
            _kept(draft).unlink(missing_ok=True)


def _kept(draft: Path) -> Path:
    return draft.with_name(f"{draft.name}.before")


def _put_back(target: Path, mark: str) -> Callable[[], object]:
    """Keep what is there under another name, and return what brings it back."""
    kept = _kept(target.with_name(f".{target.stem}-{mark}{target.suffix}"))
    try:
        os.link(target, kept)
    except FileNotFoundError:
        return partial(target.unlink, missing_ok=True)
    except OSError:  # not every system links files
        kept.write_bytes(target.read_bytes())
    return partial(kept.replace, target)


def _flush_names(folder: Path) -> None:
    with suppress(OSError):  # not every system lets a folder be opened; those that do not keep names by themselves
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
