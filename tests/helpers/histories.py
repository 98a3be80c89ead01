"""Histories of several snapshots, in memory and on disk."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any

import duckdb
import polars as pl
from hypothesis import strategies as st

import tpanalytics as tpa
from tests.helpers.random_profiles import companies

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

__all__ = ["DAYS", "ENGINES", "Snapshots", "histories", "history_of", "lazily", "on_duckdb", "write_export"]

#: Snapshots by tenant and date.
Snapshots = dict[tuple[str | None, date], tpa.TaskProfiles]
DAYS = [date(2026, 5, 1), date(2026, 6, 1), date(2026, 8, 31)]


def _with_keys(frame: pl.DataFrame, tenant: str | None, day: date) -> pl.DataFrame:
    return frame.with_columns(tenant=pl.lit(tenant, dtype=pl.String), as_of=pl.lit(day))


def history_of(snapshots: Mapping[tuple[str | None, date], tpa.TaskProfiles]) -> tpa.History:
    """Concatenate the tables of the snapshots."""
    tables = {
        name: pl.concat(
            [_with_keys(getattr(profiles, name), *key) for key, profiles in snapshots.items()], how="diagonal"
        )
        for name in ("jobs", "tasks")
    }
    people = [_with_keys(one.people, *key) for key, one in snapshots.items() if one.people is not None]
    return tpa.History(**tables, people=pl.concat(people) if people else None)


#: One to three snapshots each of one or two tenants. The same job ids occur in all of them.
histories = st.dictionaries(
    st.tuples(st.sampled_from([None, "acme"]), st.sampled_from(DAYS)), companies, min_size=1, max_size=3
)


def lazily(history: tpa.History, _: Path) -> tpa.History:
    return replace(history, jobs=history.jobs.lazy(), tasks=history.tasks.lazy())


def on_duckdb(history: tpa.History, folder: Path) -> tpa.History:
    tables: dict[str, Any] = {}
    for name in ("jobs", "tasks"):
        path = folder / f"{name}.parquet"
        getattr(history, name).write_parquet(path)
        tables[name] = duckdb.read_parquet(str(path))
    return replace(history, **tables)


ENGINES: dict[str, Callable[[tpa.History, Path], tpa.History]] = {"polars lazy": lazily, "duckdb": on_duckdb}


def write_export(
    profiles: tpa.TaskProfiles,
    folder: str,
    tenant: str = "acme",
    started: str | None = "2026-05-01T08:00:00+00:00",
    finished: str | None = "2026-05-01T09:00:00+00:00",
    kind: str = "export",
) -> Path:
    """Write a snapshot that looks like a sealed export."""
    times = {"started": started, "finished": finished}
    manifest = {
        "source": {"kind": kind, "tenant": tenant},
        "complete": True,
        "jobs": profiles.jobs.height,
        "tasks": profiles.tasks.height,
        **{name: time for name, time in times.items() if time},
    }
    return tpa.write_profiles(replace(profiles, manifest=manifest), folder)
