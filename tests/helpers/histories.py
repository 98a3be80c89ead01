"""Histories of several snapshots, in memory and on disk."""

from __future__ import annotations

import inspect
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any, get_args

import polars as pl
from hypothesis import strategies as st

import tpanalytics as tpa
from tests.helpers.builders import job, task
from tests.helpers.engines import READERS, read_tables, write_tables
from tests.helpers.public_measures import FREED, odd, public
from tests.helpers.public_names import public_functions
from tests.helpers.random_profiles import companies, profiles_of
from tpanalytics.typing import TrendMeasure

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

__all__ = [
    "DAYS",
    "ENGINES",
    "HISTORY_CALLS",
    "ODD",
    "Snapshots",
    "histories",
    "history_of",
    "lazily",
    "on_duckdb",
    "write_export",
]

#: Snapshots by tenant and date.
Snapshots = dict[tuple[str | None, date], tpa.TaskProfiles]
DAYS = [date(2026, 5, 1), date(2026, 6, 1), date(2026, 8, 31)]
#: Snapshots with missing, repeated and unusual values, one of them without a tenant.
ODD: Snapshots = {
    ("acme", DAYS[0]): odd(),
    ("acme", DAYS[1]): odd(later=True),
    (None, DAYS[1]): profiles_of([job(task("H1", 3.0), task("H4", None, key="u"), family="Finance"), job(family=None)]),
}


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
    write_tables(history, folder)
    return read_tables(tpa.History, folder, READERS["duckdb"])


ENGINES: dict[str, Callable[[tpa.History, Path], tpa.History]] = {"polars lazy": lazily, "duckdb": on_duckdb}

_BY = ["tenant", "as_of", "job_family"]
#: Arguments of measures that require more than a history.
_ARGUMENTS: dict[str, dict[str, Any]] = {
    "capacity": {"freed": FREED},
    "exposure_ranking": {"rounds": 100},
    "find_tasks": {"text": "re"},
    "fragmentation": {"freed": FREED, "realisation": 0.7},
}
#: Measures that need a group of one snapshot. The others that take `by` are called below.
NEED_ONE_SNAPSHOT = {"automation_candidates", "check_claim", "compare_groups"}


def _names() -> list[str]:
    functions = public_functions("measures")
    return sorted(
        name for name in public() - NEED_ONE_SNAPSHOT if "by" in inspect.signature(functions[name]).parameters
    )


def _two(history: tpa.History, measure: str) -> pl.DataFrame:
    return getattr(tpa, measure)(history.at(DAYS[0], "acme"), history.at(DAYS[1], "acme"))


def _call(name: str) -> Callable[[tpa.History], pl.DataFrame]:
    if "after" in inspect.signature(getattr(tpa, name)).parameters:
        return lambda history: _two(history, name)
    return lambda history: getattr(tpa, name)(history, by=_BY, **_ARGUMENTS.get(name, {}))


#: Every measure with `by`, on a history with two snapshots of the tenant "acme". Comparisons take these two.
HISTORY_CALLS: dict[str, Callable[[tpa.History], pl.DataFrame]] = {
    **{name: _call(name) for name in _names()},
    "hours, by headcount": lambda history: tpa.hours(history, by=_BY, weight="headcount"),
    "impact, by job": lambda history: tpa.impact(history, by=["tenant", "as_of", "job_id"], weight="fte"),
    **{
        f"trend of {measure}": lambda history, measure=measure: tpa.trend(history, measure=measure)
        for measure in get_args(TrendMeasure)
    },
}


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
