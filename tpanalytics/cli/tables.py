"""What the verbs print: the families in one table, and what it leaves out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

import tpanalytics as tpa
from tpanalytics.schema import level_order, provenance
from tpanalytics.words import NONE, covered, percent, plural, total

if TYPE_CHECKING:
    from tpanalytics.measures.exposed.impact import Weight

__all__ = ["as_json", "overview", "print_summary", "print_table"]


def overview(profiles: tpa.TaskProfiles, weight: Weight) -> pl.DataFrame:
    """Put the headline of each measure in one row per family, most hours first."""
    impact = tpa.impact_by_family(profiles, weight=weight)
    hours = tpa.hours_by_family(profiles)
    table = hours.select("job_family", "jobs", "jobs_without_tasks", "tasks", "hours", "hours_per_job")
    for level in level_order(level for level in impact.get_column("level") if level is not None):
        share = impact.filter(pl.col("level") == level).select("job_family", pl.col("share").alias(f"{level} share"))
        table = table.join(share, on="job_family", how="left", maintain_order="left")
    known = impact.group_by("job_family").agg(pl.col("coverage").first(), pl.col("grade").first())
    return table.join(known, on="job_family", how="left", maintain_order="left")


def print_summary(profiles: tpa.TaskProfiles, weight: Weight) -> None:
    """Print where the data come from, the families, and what the table leaves out."""
    print(provenance(profiles.manifest))
    table = overview(profiles, weight)
    if table.height == 0:
        print("There are no jobs.")
        return
    levels = [name.removesuffix(" share") for name in table.columns if name.endswith(" share")]
    rows = [
        [
            family["job_family"],
            *(f"{family[name]:,}" for name in ("jobs", "jobs_without_tasks", "tasks")),
            *(NONE if family[name] is None else f"{family[name]:,.1f}" for name in ("hours", "hours_per_job")),
            *(percent(family[f"{level} share"]) for level in levels),
            covered(family["coverage"]),
            family["grade"] or NONE,
        ]
        for family in table.iter_rows(named=True)
    ]
    print_table(["job family", "jobs", "no tasks", "tasks", "hours/week", "per job", *levels, "known", "grade"], rows)
    for line in _notes(profiles, levels, weight):
        print(line)


def _notes(profiles: tpa.TaskProfiles, levels: list[str], weight: Weight) -> list[str]:
    """Say what the table leaves out and what its columns mean."""
    coverage = tpa.coverage_by_family(profiles)
    tasks, rejected = total(coverage, "tasks"), profiles.tasks.height - total(coverage, "tasks")
    if not tasks:
        return ["No job has a task that counts."]
    with_hours = total(tpa.hours_by_family(profiles), "tasks_with_hours")
    needed = {"tasks": "level", "hours": "hours and level", "headcount": "hours, level and headcount"}[weight]
    notes = [f"{percent(1 - with_hours / tasks)} of {tasks:,} tasks have no hours; they are not zero."]
    if rejected:
        notes.append(f"{rejected:,} further tasks were rejected, or are in a state not counted, and left out.")
    if repeated := profiles.manifest.get("repeated_tasks"):
        notes.append(f"{plural(repeated, 'task')} stand more than once in their job, and count as often.")
    for level, n in profiles.manifest.get("unknown_levels", {}).items():
        notes.append(f"{plural(n, 'task')} have the level {level!r}, which nobody here knows; it is kept apart.")
    asked = profiles.manifest.get("request", {}).get("include")
    notes += [
        f"{name} was not asked for in this export, so all of it is unknown."
        for name in ("weekly_hours", "ai_impact")
        if asked is not None and name not in asked
    ]
    notes.append(f"{levels[0]} … {levels[-1]}: shares by {weight}. known: share of tasks with {needed}.")
    notes.append("grade: A from 90 % known, B from 70 %, C below; quote no C alone.")
    return notes


def print_table(header: list[str], rows: list[list[str]]) -> None:
    """Print cells in columns, the first to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    for row in [header, ["-" * width for width in widths], *rows]:
        first, *others = (
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        print("  ".join([first, *others]))


def as_json(profiles: tpa.TaskProfiles) -> dict[str, Any]:
    """Give what the summary prints as values that JSON can hold."""
    return {
        "manifest": profiles.manifest,
        "hours_by_family": tpa.hours_by_family(profiles).to_dicts(),
        "impact_by_family": tpa.impact_by_family(profiles, weight="hours").to_dicts(),
        "coverage_by_family": tpa.coverage_by_family(profiles).to_dicts(),
    }
