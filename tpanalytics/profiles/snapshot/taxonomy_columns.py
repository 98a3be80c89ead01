"""Places of tasks in the taxonomy, as columns of the tasks."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import polars as pl

from tpanalytics.errors import warn
from tpanalytics.formatting import plural
from tpanalytics.profiles.snapshot.layout import TAXONOMY
from tpanalytics.profiles.snapshot.taxonomy_file import read_places
from tpanalytics.schema import HIERARCHY, TaskProfiles

if TYPE_CHECKING:
    from pathlib import Path

    from tpanalytics.profiles.snapshot.taxonomy_file import Place

__all__ = ["own_levels", "split_by_place", "with_levels", "with_stored_taxonomy"]


def with_stored_taxonomy(profiles: TaskProfiles, folder: Path) -> TaskProfiles:
    """Add the places that `load_taxonomy` saved in a snapshot folder to its tasks, if there are any."""
    places, tasks = read_places(folder / TAXONOMY), profiles.tasks.lazy()
    present = [name for name in HIERARCHY if name in tasks.collect_schema()]
    if not places or 0 < len(present) < len(HIERARCHY):
        return profiles
    own = own_levels(tasks, resume=True)
    known, missing = split_by_place(tasks, own)
    answers = [places[task_id] for task_id in missing if task_id in places]
    profiles = with_levels(profiles, tasks, own, known, answers)
    if n := len(missing) - len(answers):
        warn(
            f"{folder / TAXONOMY} has no place for {plural(n, 'distinct task')} of {len(known) + len(missing):,}, so "
            "they are listed without one. Call load_taxonomy with this folder as `cache` to request them."
        )
    return profiles


def own_levels(tasks: pl.LazyFrame, *, resume: bool) -> dict[str, pl.Expr]:
    """Return the levels that the tasks already have, in columns or in ``hierarchy``."""
    columns = tasks.collect_schema()
    levels = {name: pl.lit(None, dtype=pl.String) for name in HIERARCHY}
    if HIERARCHY[0] in columns and resume:
        levels = {name: pl.col(name).cast(pl.String) for name in HIERARCHY}
    if isinstance(columns.get("hierarchy"), pl.List):
        path = pl.col("hierarchy")
        complete = path.list.len() == len(HIERARCHY)  # only a complete path says which level is which
        levels = {
            name: pl.when(complete).then(path.list.get(i, null_on_oob=True)).otherwise(level).alias(name)
            for i, (name, level) in enumerate(levels.items())
        }
    return levels


_has_place = pl.any_horizontal(pl.col(name).is_not_null() for name in HIERARCHY)
_task_id = pl.col("task_id").cast(pl.String)


def split_by_place(tasks: pl.LazyFrame, own: dict[str, pl.Expr]) -> tuple[pl.DataFrame, list[str]]:
    """Return the places that the tasks already have, and the ids of tasks without one."""
    rows = tasks.select(_task_id, **own).drop_nulls("task_id").unique(maintain_order=True).collect()
    known = rows.filter(_has_place).unique("task_id", keep="first", maintain_order=True)
    ids = rows.get_column("task_id").unique(maintain_order=True)
    missing = ids.filter(~ids.is_in(known.get_column("task_id").implode()))
    return known, [task_id for task_id in missing if task_id not in {"", ".", ".."}]  # not valid in a path


def with_levels(
    profiles: TaskProfiles, tasks: pl.LazyFrame, own: dict[str, pl.Expr], known: pl.DataFrame, answers: list[Place]
) -> TaskProfiles:
    """Add the columns to the tasks and the counts to the manifest. Lazy tasks remain lazy."""
    placed = [(place.task_id, *place.levels) for place in answers if place.levels]
    loaded = pl.DataFrame(placed, {"task_id": pl.String, **dict.fromkeys(HIERARCHY, pl.String)}, orient="row")
    lookup = pl.concat([known, loaded])
    has_own = pl.any_horizontal(level.is_not_null() for level in own.values())
    ids = lookup.get_column("task_id")
    # Use an expression instead of a join, so that Polars can skip columns that aren't used.
    levels = {
        name: pl.when(has_own)
        .then(level)
        .otherwise(_task_id.replace_strict(ids, lookup.get_column(name), default=None, return_dtype=pl.String))
        for name, level in own.items()
    }
    others = [name for name in tasks.collect_schema().names() if name not in HIERARCHY]
    result: Any = tasks.select(*others, **levels)
    if isinstance(profiles.tasks, pl.DataFrame):
        result = result.collect()
    counts = {
        "distinct_tasks": tasks.select(_task_id.drop_nulls().n_unique()).collect().item(),
        "distinct_tasks_with_place": lookup.height,
        "distinct_tasks_not_found": sum(not place.found for place in answers),
        "tasks_without_place": result.lazy().select((~_has_place).sum()).collect().item(),
    }
    return replace(profiles, tasks=result, manifest={**profiles.manifest, "taxonomy": counts})
