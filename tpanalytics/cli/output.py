"""What the verbs print: the families in one table, and what it leaves out."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import polars as pl

import tpanalytics as tpa
from tpanalytics.formatting import NONE, covered, percent, plural, total
from tpanalytics.measures._core.cache import with_cache
from tpanalytics.measures.privacy.policy import HIDDEN, SUPPRESSED, said_of_hidden
from tpanalytics.measures.privacy.release import release
from tpanalytics.measures.privacy.suppress import hidden_families
from tpanalytics.schema import NO_FAMILY, level_order, provenance

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tpanalytics.measures.privacy.policy import Privacy
    from tpanalytics.typing import Weight

__all__ = ["as_json", "findings", "overview", "print_lines", "print_summary", "print_table"]

#: How wide the examples of a finding may be.
_EXAMPLES = 60


def _measured(profiles: tpa.TaskProfiles, weight: Weight, privacy: Privacy) -> dict[str, pl.DataFrame]:
    """Give what each measure says of families that are not hidden; what is printed in a shell is soon handed on."""
    profiles = with_cache(profiles)
    return {
        "hours": release(tpa.hours, profiles, privacy=privacy),
        "impact": release(tpa.impact, profiles, privacy=privacy, weight=weight),
        "coverage": release(tpa.coverage, profiles, privacy=privacy),
    }


def overview(profiles: tpa.TaskProfiles, weight: Weight, privacy: Privacy) -> pl.DataFrame:
    """Put the headline of each measure in one row per family, most hours first, hidden ones last."""
    measured = _measured(profiles, weight, privacy)
    hours, impact = measured["hours"], measured["impact"]
    table = hours.select("job_family", "jobs", "jobs_without_tasks", "tasks", "hours", "hours_per_job")
    shown = impact.filter(pl.col("tasks") > 0).get_column("level")
    for level in level_order(shown.to_list()):
        share = impact.filter(pl.col("level") == level).select("job_family", pl.col("share").alias(f"{level} share"))
        table = table.join(share, on="job_family", how="left", maintain_order="left")
    known = impact.group_by("job_family").agg(pl.col("coverage", "data_grade", "reason").first())
    table = table.join(known, on="job_family", how="left", maintain_order="left")
    # By headcount more may be hidden than by hours; a row that has a figure hidden says so.
    return table.with_columns(pl.col("reason").fill_null(hours.get_column("reason")))


def print_summary(profiles: tpa.TaskProfiles, weight: Weight, privacy: Privacy) -> None:
    """Print where the data come from, the families, and what the table leaves out."""
    print(provenance(profiles.manifest))
    table = overview(profiles, weight, privacy)
    if table.height == 0:
        print("There are no jobs.")
        return
    levels = [name.removesuffix(" share") for name in table.columns if name.endswith(" share")]
    rows = [[family["job_family"], *_cells(family, levels)] for family in table.iter_rows(named=True)]
    print_table(["job family", "jobs", "no tasks", "tasks", "hours/week", "per job", *levels, "known", "grade"], rows)
    hidden = hidden_families(table)
    if hidden:
        said = said_of_hidden(len(hidden), table.height, privacy)
        print(said.replace("hidden:", f"hidden ({HIDDEN}):", 1))
    if len(hidden) < table.height:  # where all is hidden, totals would tell it
        for line in _notes(profiles, levels, weight):
            print(line)
        _print_findings(findings(profiles, hidden, privacy))


def _cells(family: dict[str, Any], levels: list[str]) -> list[str]:
    none = HIDDEN if family["reason"] == SUPPRESSED else NONE
    counts = (family[name] for name in ("jobs", "jobs_without_tasks", "tasks"))
    return [
        *(none if count is None else f"{count:,}" for count in counts),
        *(none if family[name] is None else f"{family[name]:,.1f}" for name in ("hours", "hours_per_job")),
        *(none if family[f"{level} share"] is None else percent(family[f"{level} share"]) for level in levels),
        none if family["coverage"] is None else covered(family["coverage"]),
        family["data_grade"] or none,
    ]


def _notes(profiles: tpa.TaskProfiles, levels: list[str], weight: Weight) -> list[str]:
    """Say what the table leaves out and what its columns mean."""
    coverage = tpa.coverage(profiles)
    tasks, rejected = total(coverage, "tasks"), profiles.tasks.height - total(coverage, "tasks")
    if not tasks:
        return ["No job has a task that counts."]
    with_hours = total(tpa.hours(profiles), "tasks_with_hours")
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
    which = f"{levels[0]} … {levels[-1]}: shares by {weight}. " if levels else ""
    notes.append(f"{which}known: share of tasks with {needed}.")
    notes.append("grade: A from 90 % known, B from 70 %, C below; quote no C alone.")
    return notes


def findings(profiles: tpa.TaskProfiles, hidden: list[str], privacy: Privacy) -> pl.DataFrame:
    """Give what the quality report found and what it could not look at, worst first, without what tells of few jobs."""
    report = tpa.quality_report(profiles).filter(pl.col("severity") != "ok")
    of_hidden = profiles.jobs.filter(pl.col("job_family").fill_null(NO_FAMILY).is_in(hidden)).get_column("job_id")
    examples = pl.col("examples").list
    told = examples.eval(pl.element().filter(~pl.element().is_in([*of_hidden, *hidden])))
    few = (examples.len() < min(privacy.min_jobs, 5)) & (pl.col("check") != "missing_hours_uneven")  # those are groups
    few |= (told.list.len() == 0) | examples.eval(pl.element().is_in(hidden)).list.any()
    few &= (examples.len() > 0) & pl.col("share_hours").is_not_null()
    people = (
        profiles.jobs.get_column("job_id") if profiles.manifest.get("source", {}).get("kind") == "employees" else []
    )
    return report.with_columns(
        *(pl.when(~few).then(pl.col(name)).alias(name) for name in ("finding", "share_hours")),
        reason=pl.when(few).then(pl.lit(SUPPRESSED)).otherwise("reason"),
        examples=told.list.eval(pl.element().filter(~pl.element().is_in([*people]))),
    )


def _print_findings(found: pl.DataFrame) -> None:
    """Print what is wrong, missing or odd, and which of it could not be looked at."""
    if not found.height:
        print("\nNothing was found that is missing, contradictory or odd.")
        return
    rows = [
        [
            row["severity"],
            row["check"],
            HIDDEN if row["reason"] == SUPPRESSED else percent(row["share_hours"]),
            ", ".join(_first(row["examples"])) or NONE,
        ]
        for row in found.iter_rows(named=True)
    ]
    print("\nRead first what is missing, contradictory or odd; quality_report says each in a sentence.")
    print_table(["severity", "check", "hours touched", "for example"], rows, left=(0, 1, 3))


def _first(examples: list[str]) -> list[str]:
    """Take the first few, and as many of them as a line holds."""
    return [one for i, one in enumerate(examples[:3]) if i == 0 or len(", ".join(examples[: i + 1])) <= _EXAMPLES]


def print_table(header: list[str], rows: list[list[str]], *, left: Sequence[int] = (0,)) -> None:
    """Print cells in columns, those of text to the `left`, the others to the right."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    for row in [header, ["-" * width for width in widths], *rows]:
        cells = (
            cell.ljust(width) if i in left else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        print("  ".join(cells).rstrip())


def print_lines(rows: list[list[str]]) -> None:
    """Print cells in columns, all to the left."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print(f"  {'  '.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))}".rstrip())


def as_json(profiles: tpa.TaskProfiles, privacy: Privacy) -> dict[str, Any]:
    """Give what the summary prints as values that JSON can hold."""
    measured = _measured(profiles, "hours", privacy)
    hours = measured["hours"]
    hidden = hidden_families(hours)
    # Where all is hidden, what was found in all of it would tell it.
    told = not hidden or len(hidden) < hours.height
    return {
        "manifest": profiles.manifest,
        "privacy": asdict(privacy),
        **{name: result.to_dicts() for name, result in measured.items()},
        "quality_report": findings(profiles, hidden, privacy).to_dicts() if told else None,
    }
