"""Output for `tpanalytics summary` and `tpanalytics demo`, and error texts."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import polars as pl

import tpanalytics as tpa
from tpanalytics.formatting import NONE, coverage_percent, percent, plural, total
from tpanalytics.measures._core.cache import with_cache
from tpanalytics.measures._core.groups import BY_FAMILY
from tpanalytics.measures._core.labels import with_labels
from tpanalytics.measures.privacy.group_counts import counts_fte, members
from tpanalytics.measures.privacy.policy import SUPPRESSED, SUPPRESSED_MARK, suppression_note
from tpanalytics.measures.privacy.release import release
from tpanalytics.measures.privacy.suppress_groups import suppressed_families
from tpanalytics.schema import level_order, provenance
from tpanalytics.share.grouping import default_weight, grouping_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tpanalytics.measures.privacy.policy import Privacy
    from tpanalytics.typing import By, Weight

__all__ = ["as_json", "as_shell_text", "findings", "overview", "print_lines", "print_summary", "print_table"]

_MAX_EXAMPLES_WIDTH = 60
#: Checks that name job families.
_FAMILY_CHECKS = ["families_without_tasks", "jobs_without_family", "missing_hours_uneven"]
#: Error message phrases that refer to the Python API, with command-line equivalents.
_SHELL_PHRASES = {
    "`groups`": "--group",
    "`jobs` requires groups": "--with-jobs requires groups",
    "Leave out `jobs`": "Leave out --with-jobs",
    "`rationales`": "--with-rationales",
    "another `by`": "another --by",
    "`keep`": "--prune",
    "Pass each one to connect(), or set the environment": "Set the environment",
    "Run the same call again": "Run the same command again",
    "resume=False": "--no-resume",
    "families='lists' or a list of families": "--family-lists or --families",
    "on_bad_record='collect'": "--on-bad-record collect",
    "assign_families with mapping files, or pass the ids of the job families": (
        "--jobs and --family-names, or --families"
    ),
    "`families`: ": "--families: ",
    "the mapping file of assign_families": "the mapping file",
    "weight='hours'": "--weight hours",
    "`private_key` (TPANALYTICS_PRIVATE_KEY)": "TPANALYTICS_PRIVATE_KEY",
    "`private_key_file` (TPANALYTICS_PRIVATE_KEY_FILE)": "TPANALYTICS_PRIVATE_KEY_FILE",
}


def _results(profiles: tpa.TaskProfiles, weight: Weight | None, privacy: Privacy, by: By) -> dict[str, pl.DataFrame]:
    profiles, grouping = with_cache(profiles), grouping_of(profiles, by)
    weight = weight or default_weight(profiles, grouping)
    return {
        "hours": release(tpa.hours, profiles, privacy=privacy, by=by, weight="hours"),
        "impact": release(tpa.impact, profiles, privacy=privacy, by=by, weight=weight),
        "coverage": release(tpa.coverage, profiles, privacy=privacy, by=by),
    }


def overview(profiles: tpa.TaskProfiles, weight: Weight | None, privacy: Privacy, by: By = BY_FAMILY) -> pl.DataFrame:
    """Return hours, AI impact and coverage per group, sorted by hours with suppressed groups last."""
    results = _results(profiles, weight, privacy, by)
    hours, impact = with_labels(results["hours"]), with_labels(results["impact"])
    table = hours.select("group", "jobs", "jobs_without_tasks", "tasks", "hours", "hours_per_job")
    levels = impact.filter(pl.col("tasks") > 0).get_column("ai_impact_level")
    for level in level_order(levels.to_list()):
        share = impact.filter(pl.col("ai_impact_level") == level).select(
            "group", pl.col("share").alias(f"{level} share")
        )
        table = table.join(share, on="group", how="left", maintain_order="left")
    coverage = impact.group_by("group").agg(pl.col("coverage", "data_grade", "reason").first())
    table = table.join(coverage, on="group", how="left", maintain_order="left")
    # More groups can be suppressed when weighting by headcount than when weighting by hours.
    return table.with_columns(pl.col("reason").fill_null(hours.get_column("reason")))


def print_summary(profiles: tpa.TaskProfiles, weight: Weight | None, privacy: Privacy, by: By = BY_FAMILY) -> None:
    """Print the data source, a table of groups, notes and data quality findings."""
    print(provenance(profiles.manifest))
    grouping = grouping_of(profiles, by)
    table = overview(profiles, weight, privacy, by)
    if table.height == 0:
        print("There are no jobs.")
        return
    levels = [name.removesuffix(" share") for name in table.columns if name.endswith(" share")]
    rows = [[row["group"], *_cells(row, levels)] for row in table.iter_rows(named=True)]
    header = [grouping.name if by is not None else "", "jobs", "no tasks", "tasks", "hours/week", "per job"]
    header += [*levels, "coverage", "grade"]
    print_table(header, rows)
    suppressed = suppressed_families(table)
    if suppressed:
        fte = bool(privacy.min_headcount) and counts_fte(profiles, by)
        note = suppression_note(len(suppressed), table.height, privacy, grouping.noun, fte=fte)
        print(f"{SUPPRESSED_MARK} = suppressed. {note}")
    if len(suppressed) < table.height:  # otherwise totals would reveal suppressed figures
        for line in _notes(profiles, levels, weight or default_weight(profiles, grouping)):
            print(line)
        for line in grouping.overlap_notes(None):
            print(line)
        report = findings(profiles, suppressed, privacy, by)
        _print_findings(report)
        if not suppressed and (report.get_column("reason") == SUPPRESSED).any():
            print(f"{SUPPRESSED_MARK} = suppressed (small group)")


def _cells(row: dict[str, Any], levels: list[str]) -> list[str]:
    none = SUPPRESSED_MARK if row["reason"] == SUPPRESSED else NONE
    counts = (row[name] for name in ("jobs", "jobs_without_tasks", "tasks"))
    return [
        *(none if count is None else f"{count:,}" for count in counts),
        *(none if row[name] is None else f"{row[name]:,.1f}" for name in ("hours", "hours_per_job")),
        *(none if row[f"{level} share"] is None else percent(row[f"{level} share"]) for level in levels),
        none if row["coverage"] is None else coverage_percent(row["coverage"]),
        row["data_grade"] or none,
    ]


#: What the shares by level add up.
_SHARES = {
    "tasks": "tasks",
    "hours": "hours",
    "headcount": "hours of all people",
    "fte": "hours of all full-time equivalents",
}
#: What a task of a job needs for each weight that counts people.
_COUNTS = {"tasks": "", "hours": "", "headcount": "a headcount", "fte": "full-time equivalents"}


def _notes(profiles: tpa.TaskProfiles, levels: list[str], weight: Weight) -> list[str]:
    coverage = tpa.coverage(profiles, by=None)
    tasks, ignored = total(coverage, "tasks"), profiles.tasks.height - total(coverage, "tasks")
    if not tasks:
        return ["There are no tasks to count."]
    with_hours = total(tpa.hours(profiles, by=None), "tasks_with_hours")
    required = {"tasks": "a level", "hours": "hours and a level"}.get(weight, f"hours, a level and {_COUNTS[weight]}")
    notes = [f"{percent(1 - with_hours / tasks)} of {tasks:,} tasks have no hours. Missing hours are excluded."]
    if ignored:
        notes.append(f"Excluded: {plural(ignored, 'task')}, rejected or in another validation state.")
    if repeated := profiles.manifest.get("repeated_tasks"):
        notes.append(f"Repeated within a job and counted each time: {plural(repeated, 'task')}.")
    for level, n in profiles.manifest.get("unknown_levels", {}).items():
        notes.append(f"Unknown level {level!r}: {plural(n, 'task')}, shown in a separate column.")
    requested = profiles.manifest.get("request", {}).get("include")
    notes += [
        f"{name} was not requested in this export, so it is missing for all tasks."
        for name in ("weekly_hours", "ai_impact")
        if requested is not None and name not in requested
    ]
    shares = f"Levels: share of {_SHARES[weight]}. " if levels else ""
    notes.append(f"{shares}Coverage: share of tasks with {required}.")
    notes.append("Grade A: coverage of at least 90%. Grade B: at least 70%. Grade C: do not quote on its own.")
    return notes


def findings(profiles: tpa.TaskProfiles, suppressed: list[str], privacy: Privacy, by: By = BY_FAMILY) -> pl.DataFrame:
    """Return the quality report, omitting passed checks and any figures that would reveal small groups."""
    report = tpa.quality_report(profiles).filter(pl.col("severity") != "ok")
    if by != BY_FAMILY:  # findings by job family could reveal small families
        report = report.filter(~pl.col("check").is_in(_FAMILY_CHECKS))
    jobs = members(profiles, by=by).filter(pl.col("group").is_in(suppressed)).get_column("job_id")
    examples = pl.col("examples").list
    shown = examples.eval(pl.element().filter(~pl.element().is_in([*jobs, *suppressed])))
    # For missing_hours_uneven, the examples are groups of jobs rather than individual jobs.
    small = (examples.len() < min(privacy.min_jobs, 5)) & (pl.col("check") != "missing_hours_uneven")
    small |= (shown.list.len() == 0) | examples.eval(pl.element().is_in(suppressed)).list.any()
    small &= (examples.len() > 0) & pl.col("share_hours").is_not_null()
    employees = (
        profiles.jobs.get_column("job_id") if profiles.manifest.get("source", {}).get("kind") == "employees" else []
    )
    return report.with_columns(
        *(pl.when(~small).then(pl.col(name)).alias(name) for name in ("finding", "share_hours")),
        reason=pl.when(small).then(pl.lit(SUPPRESSED)).otherwise("reason"),
        examples=shown.list.eval(pl.element().filter(~pl.element().is_in([*employees]))),
    )


def _print_findings(report: pl.DataFrame) -> None:
    if not report.height:
        print("\nData quality: no problems found.")
        return
    rows = [
        [
            row["severity"],
            row["check"],
            SUPPRESSED_MARK if row["reason"] == SUPPRESSED else percent(row["share_hours"]),
            ", ".join(_first(row["examples"])) or NONE,
        ]
        for row in report.iter_rows(named=True)
    ]
    print("\nData quality (see quality_report for details):")
    print_table(["severity", "check", "hours affected", "examples"], rows, left=(0, 1, 3))


def _first(examples: list[str]) -> list[str]:
    """Return as many examples as fit on one line, up to three."""
    return [
        example
        for i, example in enumerate(examples[:3])
        if i == 0 or len(", ".join(examples[: i + 1])) <= _MAX_EXAMPLES_WIDTH
    ]


def print_table(header: list[str], rows: list[list[str]], *, left: Sequence[int] = (0,)) -> None:
    """Print a table. Columns listed in `left` are left-aligned, and all others are right-aligned."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    for row in [header, ["-" * width for width in widths], *rows]:
        cells = (
            cell.ljust(width) if i in left else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        print("  ".join(cells).rstrip())


def print_lines(rows: list[list[str]]) -> None:
    """Print left-aligned columns without a header."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print(f"  {'  '.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))}".rstrip())


def as_shell_text(message: str) -> str:
    """Replace references to Python calls in an error message."""
    for python_text, shell_text in _SHELL_PHRASES.items():
        message = message.replace(python_text, shell_text)
    return message


def as_json(
    profiles: tpa.TaskProfiles, privacy: Privacy, by: By = BY_FAMILY, weight: Weight | None = None
) -> dict[str, Any]:
    """Return the summary as JSON-serializable values."""
    results = _results(profiles, weight, privacy, by)
    hours = with_labels(results["hours"])
    suppressed = suppressed_families(hours)
    # If every family is suppressed, the findings would only describe suppressed data.
    any_shown = not suppressed or len(suppressed) < hours.height
    return {
        "manifest": profiles.manifest,
        "privacy": asdict(privacy),
        **{name: result.to_dicts() for name, result in results.items()},
        "quality_report": findings(profiles, suppressed, privacy, by).to_dicts() if any_shown else None,
    }
