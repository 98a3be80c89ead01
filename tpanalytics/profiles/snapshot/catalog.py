"""List and delete snapshots."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from tpanalytics._paths import local_path
from tpanalytics.errors import ConfigError, SchemaError, SnapshotError
from tpanalytics.profiles.snapshot.layout import (
    LOCK,
    MANIFEST,
    STATE,
    TAXONOMY,
    clear,
    is_part,
    locked,
    read_manifest,
    verify,
)

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
    """List all snapshots in a folder and its subfolders.

    Complete (sealed) snapshots come first, with the most recent at the top. All files are read to verify the hashes.
    Values missing from a manifest are null. For example, samples and files have no tenant or times.

    Parameters
    ----------
    root
        The folder to search.

    Returns
    -------
    pl.DataFrame
        A table with one row per snapshot.

        ==============  =======  ================================================================
        ``folder``      String   path, starting with `root`
        ``state``       String   ``sealed`` (complete), ``unfinished`` (can be resumed) or ``damaged``
        ``tenant``      String   name of the tenant
        ``started``     String   time of the first request, UTC
        ``finished``    String   time of the last response, UTC
        ``jobs``        Int64    number of jobs
        ``tasks``       Int64    number of tasks
        ``pages``       Int64    number of pages
        ``duplicates``  Int64    number of repeated jobs that were dropped
        ``rejects``     Int64    number of invalid records that were skipped
        ``bytes``       Int64    size on disk
        ``pending``     Boolean  whether the folder contains an unfinished export
        ==============  =======  ================================================================

    Raises
    ------
    ConfigError
        If `root` is not a folder.

    Examples
    --------
    >>> from tpanalytics import load_sample, write_profiles
    >>> _ = write_profiles(load_sample(), "snapshots/2026-05")
    >>> list_snapshots("snapshots").select("state", "jobs", "tasks").rows()
    [('sealed', 240, 5825)]
    """
    root = local_path(root)
    if not root.is_dir():
        raise ConfigError(f"{root} is not a folder. Pass the folder that contains the snapshots.")
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
    """Delete old snapshots, keeping the most recent ones for each tenant.

    Unfinished exports are deleted if there is a more recent complete (sealed) snapshot. Snapshots without a tenant or
    time (samples, files and damaged snapshots) and sealed snapshots with a pending export are never deleted. A folder
    is only removed if it contains no other files.

    Parameters
    ----------
    root
        The folder to search.
    keep
        The number of complete (sealed) snapshots to keep per tenant. Must be 1 or more.
    dry_run
        If True, no files are deleted.

    Returns
    -------
    pl.DataFrame
        The deleted snapshots, with the same columns as `list_snapshots`.

    Raises
    ------
    ConfigError
        If `root` is not a folder, or if `keep` is less than 1.
    SnapshotError
        If another process is writing to a snapshot that would be deleted.

    Examples
    --------
    >>> from pathlib import Path
    >>> Path("snapshots").mkdir()
    >>> prune_snapshots("snapshots").height
    0
    """
    if keep < 1:
        raise ConfigError(f"`keep` must be 1 or more, not {keep!r}. To delete the last snapshot, delete its folder.")
    listed = list_snapshots(root).filter(pl.col("tenant").is_not_null(), pl.col("started").is_not_null())
    sealed = listed.filter(state="sealed")
    rank = pl.col("finished").rank("ordinal", descending=True).over("tenant")
    newest = sealed.group_by("tenant").agg(pl.col("finished").max().alias("newest"))
    unfinished = (
        listed.filter(state="unfinished").join(newest, on="tenant").filter(pl.col("started") < pl.col("newest"))
    )
    outdated = pl.concat([sealed.filter(rank > keep), unfinished.drop("newest")])
    outdated = outdated.filter((pl.col("state") != "sealed") | ~pl.col("pending"))
    if not dry_run:
        for row in outdated.iter_rows(named=True):
            _remove(Path(row["folder"]), row)
    return outdated


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
        return None  # an unrelated file that happens to have the same name
    source = manifest.get("source")
    values = {name: manifest.get(name) for name in _COLUMNS}
    texts = {name: value if isinstance(value, str) else None for name, value in values.items()}
    numbers = {name: value if isinstance(value, int) else None for name, value in values.items()}
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
    """Yield a snapshot's files and file sizes. Files deleted in the meantime are skipped."""
    with suppress(OSError):
        for entry in folder.iterdir():
            if is_part(entry) or entry.name in {MANIFEST, STATE}:
                with suppress(OSError):
                    yield entry, entry.stat().st_size


def _remove(folder: Path, listed: dict[str, Any]) -> None:
    with locked(folder):
        if _row(folder) != listed:  # another export has changed it
            return
        # Delete the manifest first, so that a partially deleted snapshot isn't mistaken for a complete one.
        (folder / MANIFEST).unlink(missing_ok=True)
        (folder / STATE).unlink(missing_ok=True)
        (folder / TAXONOMY).unlink(missing_ok=True)
        clear(folder, ())
        with suppress(OSError):  # Windows doesn't delete open files
            (folder / LOCK).unlink()
    with suppress(OSError):  # the folder contains other files
        folder.rmdir()
