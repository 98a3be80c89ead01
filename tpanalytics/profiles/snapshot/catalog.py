"""Which snapshots there are, and which may go."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from tpanalytics._paths import local_path
from tpanalytics.errors import ConfigError, SchemaError, SnapshotError
from tpanalytics.profiles.snapshot.layout import LOCK, MANIFEST, STATE, clear, is_part, locked, read_manifest, verify

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["list_snapshots", "prune_snapshots"]

_COLUMNS: dict[str, Any] = {
    "folder": pl.String(),
    "state": pl.String(),
    "tenant": pl.String(),
    "started": pl.String(),
    "finished": pl.String(),
    "jobs": pl.Int64(),
    "tasks": pl.Int64(),
    "pages": pl.Int64(),
    "duplicates": pl.Int64(),
    "rejects": pl.Int64(),
    "bytes": pl.Int64(),
    "pending": pl.Boolean(),
}


def list_snapshots(root: str | Path = "data") -> pl.DataFrame:
    """List the snapshots in a folder and in the folders below it, finished exports first, newest first.

    Every part is read to prove that it is the one that was written. What a manifest does not say is null: a sample or
    file has neither tenant nor times.

    Parameters
    ----------
    root
        Where to look.

    Returns
    -------
    pl.DataFrame
        One row per snapshot; no row where there is none.

        ==============  ======  =================================================================
        ``folder``      String  path, beginning with `root`
        ``state``       String  ``sealed``, ``unfinished`` (an export to go on with) or ``damaged``
        ``tenant``      String  the tenant's name
        ``started``     String  when its first page was asked for, UTC
        ``finished``    String  when its last page had come
        ``jobs``        Int64   jobs
        ``tasks``       Int64   tasks
        ``pages``       Int64   pages
        ``duplicates``  Int64   jobs that came more than once
        ``rejects``     Int64   records left out
        ``bytes``       Int64   size on disk
        ``pending``     Boolean  an unfinished export lies in the folder, alone or beside a sealed one
        ==============  ======  =================================================================

    Raises
    ------
    ConfigError
        If `root` is no folder.

    Examples
    --------
    >>> from tpanalytics import load_sample, write_profiles
    >>> _ = write_profiles(load_sample(), "kept/2026-05")
    >>> list_snapshots("kept").select("state", "jobs", "tasks").rows()
    [('sealed', 240, 5825)]
    """
    root = local_path(root)
    if not root.is_dir():
        raise ConfigError(f"{root} is no folder; snapshots lie in folders below the one to list.")
    folders = {path.parent for name in (MANIFEST, STATE) for path in root.rglob(name)}
    rows = [row for folder in folders if (row := _row(folder)) is not None]
    return pl.DataFrame(rows, schema=_COLUMNS, orient="row").sort(
        pl.col("state") != "sealed",
        "finished",
        "started",
        "folder",
        descending=[False, True, True, False],
        nulls_last=True,
    )


def prune_snapshots(root: str | Path = "data", *, keep: int = 3, dry_run: bool = False) -> pl.DataFrame:
    """Remove old snapshots of each tenant: all but the newest `keep`, and unfinished exports older than those.

    Samples, files of records and damaged snapshots stay: nothing says which is newer. So does a folder into which an
    export is under way. Only what the toolkit wrote is removed; a file of your own keeps its folder.

    Parameters
    ----------
    root
        Where to look.
    keep
        Sealed snapshots to keep per tenant, 1 or more.
    dry_run
        Only say what would be removed.

    Returns
    -------
    pl.DataFrame
        What was removed, columns as in `list_snapshots`.

    Raises
    ------
    ConfigError
        If `root` is no folder, or `keep` is less than 1.
    SnapshotError
        If another process is writing to a snapshot that is to go.

    Examples
    --------
    >>> from pathlib import Path
    >>> Path("kept").mkdir()
    >>> prune_snapshots("kept").height
    0
    """
    if keep < 1:
        raise ConfigError(f"keep={keep!r}: keep at least 1; to remove a snapshot altogether delete its folder.")
    listed = list_snapshots(root).filter(pl.col("tenant").is_not_null(), pl.col("started").is_not_null())
    sealed = listed.filter(state="sealed")
    place = pl.col("finished").rank("ordinal", descending=True).over("tenant")
    newest = sealed.group_by("tenant").agg(pl.col("finished").max().alias("newest"))
    unfinished = (
        listed.filter(state="unfinished").join(newest, on="tenant").filter(pl.col("started") < pl.col("newest"))
    )
    gone = pl.concat([sealed.filter(place > keep), unfinished.drop("newest")])
    gone = gone.filter((pl.col("state") != "sealed") | ~pl.col("pending"))
    if not dry_run:
        for row in gone.iter_rows(named=True):
            _remove(Path(row["folder"]), row)
    return gone


def _row(folder: Path) -> dict[str, Any] | None:
    manifest: dict[str, Any] = {}
    state = "damaged"
    if (folder / MANIFEST).is_file():
        with suppress(SnapshotError, SchemaError):
            manifest, parts = read_manifest(folder)
            verify(folder, parts)
            state = "sealed"
    else:
        with suppress(OSError, ValueError, TypeError, AttributeError, KeyError):
            unfinished = json.loads((folder / STATE).read_text(encoding="utf-8"))
            manifest = {"source": unfinished["asked"]["source"], "started": unfinished["started"]}
            state = "unfinished"
    sizes = dict(_sizes(folder))
    if state == "damaged" and not any(is_part(path) for path in sizes):
        return None  # a manifest of something else
    source = manifest.get("source")
    given = {name: manifest.get(name) for name in _COLUMNS}
    texts = {name: value if isinstance(value, str) else None for name, value in given.items()}
    numbers = {name: value if isinstance(value, int) else None for name, value in given.items()}
    row = {name: texts[name] if dtype == pl.String else numbers[name] for name, dtype in _COLUMNS.items()}
    tenant = source.get("tenant") if isinstance(source, dict) else None
    return {
        **row,
        "folder": str(folder),
        "state": state,
        "tenant": tenant,
        "bytes": sum(sizes.values()),
        "pending": (folder / STATE).exists(),
    }


def _sizes(folder: Path) -> Iterator[tuple[Path, int]]:
    """Yield the files that were written here; an export into the folder may remove some meanwhile."""
    with suppress(OSError):
        for entry in folder.iterdir():
            if is_part(entry) or entry.name in {MANIFEST, STATE}:
                with suppress(OSError):
                    yield entry, entry.stat().st_size


def _remove(folder: Path, listed: dict[str, Any]) -> None:
    with locked(folder):
        if _row(folder) != listed:  # an export has come in between
            return
        # The manifest first: a snapshot half removed must not look like a whole one.
        (folder / MANIFEST).unlink(missing_ok=True)
        (folder / STATE).unlink(missing_ok=True)
        clear(folder, ())
        with suppress(OSError):  # a system that does not remove what is in use
            (folder / LOCK).unlink()
    with suppress(OSError):  # a file of the user is in it
        folder.rmdir()
