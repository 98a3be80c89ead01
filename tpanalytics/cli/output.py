"""Output for `tpanalytics summary` and `tpanalytics demo`, and error texts."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import polars as pl

import tpanalytics as tpa
from tpanalytics.formatting import NONE, coverage_percent, percent, plural, total
from tpanalytics.measures._core.cache import with_cache
from tpanalytics.measures.privacy.policy import SUPPRESSED, SUPPRESSED_MARK, suppression_note
from tpanalytics.measures.privacy.release import release
from tpanalytics.measures.privacy.suppress import suppressed_families
from tpanalytics.schema import NO_FAMILY, level_order, provenance

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tpanalytics.measures.privacy.policy import Privacy
    from tpanalytics.typing import Weight

__all__ = ["as_json", "as_shell_text", "findings", "overview", "print_lines", "print_summary", "print_table"]

_MAX_EXAMPLES_WIDTH = 60
#: Error message phrases that refer to the Python API, with command-line equivalents.
_SHELL_PHRASES = {
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


def _results(profiles: tpa.TaskProfiles, weight: Weight, privacy: Privacy) -> dict[str, pl.DataFrame]:
    profiles = with_cache(profiles)
    return {
        "hours": release(tpa.hours, profiles, privacy=privacy),
        "impact": release(tpa.impact, profiles, privacy=privacy, weight=weight),
        "coverage": release(tpa.coverage, profiles, privacy=privacy),
    }


def overview(profiles: tpa.TaskProfiles, weight: Weight, privacy: Privacy) -> pl.DataFrame:
    """Return hours, AI impact and coverage per job family, sorted by hours with suppressed families last."""
    results = _results(profiles, weight, privacy)
    hours, impact = results["hours"], results["impact"]
    table = hours.select("job_family", "jobs", "jobs_without_tasks", "tasks", "hours", "hours_per_job")
    levels = impact.filter(pl.col("tasks") > 0).get_column("level")
    for level in level_order(levels.to_list()):
        share = impact.filter(pl.col("level") == level).select("job_family", pl.col("share").alias(f"{level} share"))
        table = table.join(share, on="job_family", how="left", maintain_order="left")
    coverage = impact.group_by("job_family").agg(pl.col("coverage", "data_grade", "reason").first())
    table = table.join(coverage, on="job_family", how="left", maintain_order="left")
    # More families can be suppressed when weighting by headcount than when weighting by hours.
    return table.with_columns(pl.col("reason").fill_null(hours.get_column("reason")))


def print_summary(profiles: tpa.TaskProfiles, weight: Weight, privacy: Privacy) -> None:
    """Print the data source, a table of job families, notes and data quality findings."""
    print(provenance(profiles.manifest))
    table = overview(profiles, weight, privacy)
    if table.height == 0:
        print("There are no jobs.")
        return
    levels = [name.removesuffix(" share") for name in table.columns if name.endswith(" share")]
    rows = [[family["job_family"], *_cells(family, levels)] for family in table.iter_rows(named=True)]
    header = ["job family", "jobs", "no tasks", "tasks", "hours/week", "per job", *levels, "coverage", "grade"]
    print_table(header, rows)
    suppressed = suppressed_families(table)
    if suppressed:
        print(f"{SUPPRESSED_MARK} = suppressed. {suppression_note(len(suppressed), table.height, privacy)}")
    if len(suppressed) < table.height:  # otherwise totals would reveal suppressed figures
        for line in _notes(profiles, levels, weight):
            print(line)
        report = findings(profiles, suppressed, privacy)
        _print_findings(report)
        if not suppressed and (report.get_column("reason") == SUPPRESSED).any():
            print(f"{SUPPRESSED_MARK} = suppressed (small group)")


def _cells(family: dict[str, Any], levels: list[str]) -> list[str]:
    none = SUPPRESSED_MARK if family["reason"] == SUPPRESSED else NONE
    counts = (family[name] for name in ("jobs", "jobs_without_tasks", "tasks"))
    return [
        *(none if count is None else f"{count:,}" for count in counts),
        *(none if family[name] is None else f"{family[name]:,.1f}" for name in ("hours", "hours_per_job")),
        *(none if family[f"{level} share"] is None else percent(family[f"{level} share"]) for level in levels),
        none if family["coverage"] is None else coverage_percent(family["coverage"]),
        family["data_grade"] or none,
    ]


def _notes(profiles: tpa.TaskProfiles, levels: list[str], weight: Weight) -> list[str]:
    coverage = tpa.coverage(profiles)
    tasks, ignored = total(coverage, "tasks"), profiles.tasks.height - total(coverage, "tasks")
    if not tasks:
        return ["There are no tasks to count."]
    with_hours = total(tpa.hours(profiles), "tasks_with_hours")
    required = {"tasks": "a level", "hours": "hours and a level", "headcount": "hours, a level and a headcount"}[weight]
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
    shares = f"Levels: share of {weight}. " if levels else ""
    notes.append(f"{shares}Coverage: share of tasks with {required}.")
    notes.append("Grade A: coverage of at least 90%. Grade B: at least 70%. Grade C: do not quote on its own.")
    return notes


def findings(profiles: tpa.TaskProfiles, suppressed: list[str], privacy: Privacy) -> pl.DataFrame:
    """Return the quality report, omitting passed checks and any figures that would reveal small groups."""
    report = tpa.quality_report(profiles).filter(pl.col("severity") != "ok")
    jobs = profiles.jobs.filter(pl.col("job_family").fill_null(NO_FAMILY).is_in(suppressed)).get_column("job_id")
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


def as_json(profiles: tpa.TaskProfiles, privacy: Privacy) -> dict[str, Any]:
    """Return the summary as JSON-serializable values."""
    results = _results(profiles, "hours", privacy)
    hours = results["hours"]
    suppressed = suppressed_families(hours)
    # If every family is suppressed, the findings would only describe suppressed data.
    any_shown = not suppressed or len(suppressed) < hours.height
    return {
        "manifest": profiles.manifest,
        "privacy": asdict(privacy),
        **{name: result.to_dicts() for name, result in results.items()},
        "quality_report": findings(profiles, suppressed, privacy).to_dicts() if any_shown else None,
    }
