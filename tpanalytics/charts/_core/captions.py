"""Footnotes, sources, alt text and tooltips shared by the charts."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

import altair as alt
import polars as pl

from tpanalytics.formatting import MINUS, NONE, clean_text, coverage_percent, hours, listed, percent, plural, total
from tpanalytics.measures._core.change_notes import COVERAGE_CHANGE_LIMIT, pull_warnings, state_warnings
from tpanalytics.measures._core.checks import share_of
from tpanalytics.measures._core.groups import SEPARATOR
from tpanalytics.measures._core.labels import by_of, with_labels
from tpanalytics.measures._core.metadata import (
    NULL_REASONS,
    STATES_UNKNOWN,
    attach_metadata,
    get_metadata,
    states_unknown,
)
from tpanalytics.measures._core.staff import STAFF
from tpanalytics.measures.privacy.group_counts import counts_fte, members
from tpanalytics.measures.privacy.policy import SUPPRESSED, SUPPRESSED_MARK, Privacy, suppression_note
from tpanalytics.measures.privacy.release import release
from tpanalytics.measures.privacy.suppress import apply_change_policy
from tpanalytics.measures.privacy.suppress_groups import suppressed_families

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from tpanalytics.charts._core.grouping import Grouping
    from tpanalytics.measures._core.metadata import Meaning
    from tpanalytics.schema import TaskProfiles
    from tpanalytics.typing import By

#: Maximum width of a footnote, in characters.
LINE = 150

# suppression ----------------------------------------------------------------------------------------------------------

#: Label for a suppressed row.
SUPPRESSED_LABEL = "suppressed (small group)"
#: Maximum number of suppressed groups to list by name.
_MOST_NAMES = 40


def labelled(result: pl.DataFrame) -> pl.DataFrame:
    """Replace the columns that define the groups of a result with a ``group`` label. A job is labelled with its id."""
    by = by_of(result)
    if "job_id" not in by or not set(by) <= set(result.columns):
        return with_labels(result)
    table = pl.DataFrame(result).select(pl.concat_str(by, separator=SEPARATOR).alias("group"), pl.exclude(by))
    meaning = get_metadata(result)
    return table if meaning is None else attach_metadata(table, meaning)


def released(
    measure: Callable[..., pl.DataFrame], profiles: TaskProfiles, privacy: Privacy | None, **how: Any
) -> pl.DataFrame:
    """Compute a measure, suppress small groups, and return the groups with a ``group`` label."""
    result = release(measure, profiles, privacy=privacy, **how)
    if "job_id" in by_of(result):
        result = with_suppressed_jobs(result, measure(profiles, **how))
    result = labelled(result)
    return result if "reason" in result.columns else result.with_columns(reason=pl.lit(None, dtype=pl.String))


def with_suppressed_jobs(shown: pl.DataFrame, result: pl.DataFrame) -> pl.DataFrame:
    """Add a row without figures for each suppressed job. `suppress` removes such rows from results by job."""
    by = by_of(result)
    removed = result.join(shown, on=by, how="anti", maintain_order="left").unique(by, maintain_order=True)
    kept = [name for name in (*by, "job_name", "jobs") if name in removed.columns]
    rows = removed.select(*kept, reason=pl.lit(SUPPRESSED))
    meaning = get_metadata(shown)
    both = pl.concat([pl.DataFrame(shown), pl.DataFrame(rows)], how="diagonal")
    return both if meaning is None else attach_metadata(both, meaning)


def released_change(
    rows: pl.DataFrame,
    before: TaskProfiles,
    after: TaskProfiles,
    *,
    by: By,
    states: Sequence[str] | None,
    privacy: Privacy | None,
) -> pl.DataFrame:
    """Return one row per group, suppressing groups that are small in either snapshot."""
    rows = rows.drop("scope", "ai_impact_level", strict=False)
    return apply_change_policy(rows, before, after, by=by, states=states, privacy=privacy)


def is_suppressed() -> pl.Expr:
    """Return an expression that selects suppressed rows."""
    return (pl.col("reason") == SUPPRESSED).fill_null(value=False)


def mask_suppressed(*columns: str) -> list[pl.Expr]:
    """Replace the text in suppressed rows with the suppression symbol."""
    return [pl.when(is_suppressed()).then(pl.lit(SUPPRESSED_MARK)).otherwise(name).alias(name) for name in columns]


def missing_figure_reason(cases: Mapping[str, pl.Expr], *texts: pl.Expr) -> pl.Expr:
    """Explain why a row has no marks: suppression first, then `cases` in order, then `texts`."""
    tests = {SUPPRESSED_LABEL: is_suppressed(), **cases}
    return pl.coalesce([*(pl.when(test).then(pl.lit(text)) for text, test in tests.items()), *texts])


def suppression_footnote(
    result: pl.DataFrame, privacy: Privacy | None, words: Grouping, profiles: Iterable[TaskProfiles]
) -> list[str]:
    """Return a footnote with the number of suppressed groups, if any, and whether FTE count as people."""
    suppressed = len(suppressed_families(result))
    if not suppressed or privacy is None:
        return []
    fte = bool(privacy.min_headcount) and any(counts_fte(each, words.by) for each in profiles)
    note = suppression_note(suppressed, result.get_column("group").n_unique(), privacy, words.noun, fte=fte)
    return [f"{SUPPRESSED_MARK} = suppressed. {note}"]


def suppressed_names(rows: pl.DataFrame) -> list[str]:
    """Return a sentence listing the suppressed groups, if any."""
    names = rows.filter(is_suppressed()).get_column("group").to_list()
    if len(names) > _MOST_NAMES:
        names = [*names[:_MOST_NAMES], f"{len(names) - _MOST_NAMES:,} more"]
    return [f"Suppressed (small group): {listed(names)}."] if names else []


def missing_figure_note(rows: pl.DataFrame, column: str) -> list[str]:
    """List the groups that have no figure but aren't suppressed, if any."""
    names = rows.filter(pl.col(column).is_null() & ~is_suppressed()).get_column("group").to_list()
    return [f"No figure is available for {listed(names)}."] if names else []


# selection ------------------------------------------------------------------------------------------------------------


def rows_for_totals(
    measure: Callable[..., pl.DataFrame],
    profiles: TaskProfiles,
    words: Grouping,
    shown: pl.DataFrame,
    selected: Sequence[str] | None,
    **how: Any,
) -> pl.DataFrame:
    """Return the rows to total, without suppressed ones if groups are selected. No job is in more than one row."""
    if words.overlap and selected is None:
        return labelled(measure(profiles, by=None, **how))
    visible = shown.filter(~is_suppressed())
    if words.columns.people and selected is not None:
        jobs = members(profiles, how["states"], words.by).join(visible, on="group", how="semi")
        return labelled(measure(profiles, by="job_id", **how)).filter(pl.col("group").is_in(jobs["job_id"].to_list()))
    counts = labelled(measure(profiles, by=words.by, **how))
    return counts if selected is None else counts.join(visible, on="group", how="semi", maintain_order="left")


def title_with_selection(finding: str, selected: Sequence[str] | None, words: Grouping) -> str:
    """Prefix the title with the number of groups if several are selected."""
    return finding if selected is None or len(selected) == 1 else f"{len(selected)} selected {words.many} · {finding}"


# population, coverage and grade ---------------------------------------------------------------------------------------

NO_TASKS_NOTE = "No tasks to count."
MISSING_HOURS = "Missing hours are excluded, not counted as zero."
LEVELS_NOTE = "Levels rate tasks, not people."


def population(words: Grouping, groups: pl.DataFrame, counts: pl.DataFrame | None = None, when: str = "") -> str:
    """Format the number of groups, plus the number of jobs and tasks if there are `counts` to total."""
    labels = groups.select(pl.col("group").unique())
    if len(words.by) > 1:
        texts = [words.counted(labels.height)]
    else:
        named = labels.filter(words.is_named()).height
        texts = [f"{words.counted(named)}{f', plus {words.missing}' * (named < labels.height)}"]
    if words.by in ((), ("job_id",)):
        texts = [] if counts is not None else ["all jobs"]
    if counts is not None:
        texts.append(f"{jobs_and_tasks(total(counts, 'jobs'), total(counts, 'tasks'))}{when}")
    return ", ".join(texts)


def jobs_and_tasks(jobs: int, tasks: int) -> str:
    """Format the number of jobs and tasks."""
    return f"{plural(jobs, 'job')}, {plural(tasks, 'task')}"


def overall(coverage: pl.DataFrame, column: str) -> float | None:
    """Average a share across groups, weighted by tasks. Groups without the share are ignored."""
    tasks = pl.col("tasks").filter(pl.col(column).is_not_null()).sum()
    share: float | None = coverage.select(share_of((pl.col(column) * pl.col("tasks")).sum(), tasks)).item()
    return share


def coverage_note(
    have: Mapping[str, float | None], *validated: float | None, meaning: Meaning | None, of: str = "tasks"
) -> str:
    """Summarize how many tasks have each part and, optionally, how many are validated."""
    known_states = meaning is None or not states_unknown(meaning)
    parts = [f"{_amount(value)} have {part}" for part, value in have.items()]
    parts += [f"{_amount(value)} are validated" for value in validated if known_states]
    parts[0] = parts[0].replace(" have", f" of {of} have", 1)
    return f"{listed(parts)}. {rejected_note(meaning)}"


def rejected_note(meaning: Meaning | None) -> str:
    """State that rejected tasks are excluded, or that the validation states are unknown."""
    return STATES_UNKNOWN if meaning is not None and states_unknown(meaning) else "Rejected tasks are excluded."


def coverage_of(meaning: Meaning, *parts: str, needed: str = "") -> str:
    """Describe a result's company-wide coverage. `needed` names the fields of `staffed_part`."""
    names = {"hours": "hours", "level": "a level", staffed_part(meaning): needed}
    validated = None if meaning.share_suggested is None else 1 - meaning.share_suggested
    return coverage_note({names[part]: meaning.coverage.get(part) for part in parts}, validated, meaning=meaning)


def staffed_part(meaning: Meaning) -> str:
    """Return the part of the coverage that counts tasks with hours, a level and people."""
    return f"hours, level and {STAFF.get(meaning.basis, '')}"


def _amount(value: float | None) -> str:
    return f"{value:,}" if isinstance(value, int) else coverage_percent(value)


def grade_note(have: str, grade: str | None = "", *, of: str = "tasks") -> str:
    """Define the data grades, preceded by the chart's grade if `grade` is passed."""
    scale = f"Grade A: at least 90% of {of} have {have}. Grade B: at least 70%. Grade C: do not quote on its own."
    return scale if grade == "" else f"Data grade: {grade or 'none'}. {scale}"


def without_tasks(groups: pl.DataFrame) -> str:
    """Report how many jobs have no tasks."""
    jobs = total(groups, "jobs_without_tasks")
    return f"{plural(jobs, 'job')} {'has' if jobs == 1 else 'have'} no tasks." if jobs else "Every job has tasks."


# sources, footnotes, alt text and tooltips ----------------------------------------------------------------------------


def source_line(manifest: Mapping[str, Any]) -> list[str]:
    """Describe the data source, with the export date and a short content hash."""
    source = manifest.get("source") or {}
    finished, content, kind = manifest.get("finished"), manifest.get("content_sha256"), source.get("kind", "")
    if kind == "sample":
        return [f"Data: sample of a fictional company, as of {source.get('state')}."]
    if kind == "frames":
        as_of = f", as of {source['as_of']}" if source.get("as_of") else ""
        return [f"Data: {source.get('name') or 'a data frame'}{as_of}."]
    origin = {"file": "records from a file", "job": "single job"}.get(kind, "export")
    date = f" of {finished[:10]}" if finished else ""
    digest = f", content hash {content[:8]}" if content else ""
    return [f"Data: {origin}{date}{digest}."] if date or digest or kind else []


def source_lines(before: TaskProfiles, after: TaskProfiles) -> list[str]:
    """Describe both data sources, after any warnings about comparing them."""
    lines = [
        line.replace("Data:", f"{side}:", 1)
        for side, profiles in (("Before", before), ("After", after))
        for line in source_line(profiles.manifest)
    ]
    return [*pull_warnings(before, after), *lines]


def wrapped(lines: Iterable[str], width: int = LINE) -> list[str]:
    """Wrap footnotes to `width` characters per line."""
    return [part for line in lines for part in textwrap.wrap(clean_text(line) or "", width)]


def alt_text(built: str, extremes: str, shape: str = "") -> str:
    """Join the parts of an alt text, omitting empty ones."""
    return "\n".join(tier for tier in (built, extremes, shape) if tier)


#: Vega-Lite type, title and number format for each tooltip field.
_TOOLTIPS = {
    "bound_high": ("Q", "Upper bound", ".2f"),
    "bound_low": ("Q", "Lower bound", ".2f"),
    "col": ("Q", "Column", None),
    "data_grade": ("N", "Grade", None),
    "exposure": ("Q", "Index", ".2f"),
    "hours": ("Q", "Weekly hours", ",.1f"),
    "hours_p10": ("Q", "Weekly hours, 10th percentile", ".1f"),
    "hours_p50": ("Q", "Weekly hours, median", ".1f"),
    "hours_p90": ("Q", "Weekly hours, 90th percentile", ".1f"),
    "interval_high": ("Q", "95% interval, upper end", ".2f"),
    "interval_low": ("Q", "95% interval, lower end", ".2f"),
    "jobs": ("Q", "Jobs", None),
    "jobs_in_index": ("Q", "Jobs included", None),
    "jobs_with_hours": ("Q", "Jobs with hours", None),
    "level": ("N", "AI impact level", None),
    "row": ("Q", "Row", None),
    "share": ("Q", "Share", ".1%"),
    "share_of_hours": ("Q", "Share of hours", ".1%"),
    "share_of_tasks": ("Q", "Share of tasks", ".1%"),
    "shared": ("Q", "Shared tasks", ","),
    "task": ("N", "Task", None),
    "tasks": ("Q", "Tasks", ","),
    "tasks_in_index": ("Q", "Tasks included", None),
    "tasks_with_hours": ("Q", "Tasks with hours", ","),
    "weight_high": ("Q", "Index at H2 = 1", ".2f"),
    "weight_low": ("Q", "Index at H2 = 0", ".2f"),
}


def tooltips(*fields: str, words: Grouping | None = None, **others: tuple[str, str, str | None]) -> list[alt.Tooltip]:
    """Return tooltips for the group and predefined fields, followed by `others` as (type, title, format) tuples."""
    group: dict[str, tuple[str, str, str | None]] = {"group": ("N", words.title, None)} if words else {}
    rows = {**group, **{field: _TOOLTIPS[field] for field in fields}, **others}
    return [
        alt.Tooltip(f"{field}:{kind}", title=title, format=shown or alt.Undefined)
        for field, (kind, title, shown) in rows.items()
    ]


# the exposure index ---------------------------------------------------------------------------------------------------

#: Denominator of the level shares, by `weight`.
UNIT = {
    "tasks": "tasks",
    "hours": "documented weekly hours",
    "headcount": "weekly hours of all people",
    "fte": "weekly hours of all full-time equivalents",
}
WEIGHTED = "hours and a weighted level"
INDEX_GRADE = grade_note(WEIGHTED)
#: Labels for groups without an index, by reason.
NO_INDEX = {
    "NO_TASKS": "no tasks",
    "NO_HOURS": "no hours, or all hours are zero",
    "NO_LEVELS": "no task with hours has a weighted level",
    "NO_HEADCOUNT": "no headcount",
}


def index_text(index: float | None) -> str:
    """Format an index value with two decimals."""
    return NONE if index is None else f"{index:.2f}"


def index_range(low: float | None, high: float | None) -> str:
    """Format a range of index values."""
    if low is None or high is None:
        return NONE
    ends = index_text(low), index_text(high)
    return ends[0] if ends[0] == ends[1] else f"{ends[0]} to {ends[1]}"


def rank_range(row: Mapping[str, int | None]) -> str:
    """Format a rank interval, or the rank in parentheses if there is none."""
    if row["rank"] is None:
        return NONE
    if row["rank_low"] is None:
        return f"({row['rank']})"
    return f"{row['rank_low']}" if row["rank_low"] == row["rank_high"] else f"{row['rank_low']} to {row['rank_high']}"


def has_enough_data(words: Grouping) -> pl.Expr:
    """Select the groups that headlines can quote: grade A or B, with an index."""
    quotable = pl.col("data_grade").is_in(["A", "B"]) & pl.col("exposure").is_not_null() & ~is_suppressed()
    return quotable & words.is_named()


def headline_scope(groups: pl.DataFrame, words: Grouping) -> str:
    """Return a qualifier for headlines that don't cover every group."""
    quotable, shown = groups.filter(has_enough_data(words)).height, groups.filter(~is_suppressed()).height
    if quotable < shown:
        return f" among {words.many} with enough data"
    return f" of the {words.many} shown" if shown < groups.height else ""


def no_headline_reason(groups: pl.DataFrame, words: Grouping) -> str | None:
    """Explain why no group can be quoted, or return None if at least one can."""
    shown = groups.filter(~is_suppressed())
    if not shown.height:
        return words.all_suppressed
    of_shown = f" of the {words.many} shown" if shown.height < groups.height else ""
    if not total(shown.fill_null(0), "tasks"):
        return f"No tasks in the {words.many} shown" if of_shown else "No tasks in these task profiles"
    if not shown.get_column("exposure").count():
        whose = f" of {shown.item(0, 'group')}" if shown.height == groups.height == 1 else of_shown
        return f"Exposure{whose} cannot be computed: {_why_no_index(shown)}"
    if not shown.select(has_enough_data(words).any()).item():
        which = f"which {words.noun} is most exposed" if words.by else "how exposed the jobs are"
        return f"There is not enough data to say {which}"
    return None


def _why_no_index(shown: pl.DataFrame) -> str:
    reasons = shown.filter(pl.col("reason") != "NO_TASKS").get_column("reason").unique()
    return NULL_REASONS[reasons[0]] if len(reasons) == 1 else "no task has hours above 0 and a weighted level"


def without_index(groups: pl.DataFrame) -> list[str]:
    """List the groups without an index, with a sentence for each reason."""
    rows = groups.filter(pl.col("exposure").is_null() & ~is_suppressed())
    return [
        f"No index for {listed(group.get_column('group').to_list())} ({NULL_REASONS[str(reason)]})."
        for (reason,), group in rows.group_by("reason", maintain_order=True)
    ]


def index_coverage(groups: pl.DataFrame) -> str:
    """Report the share of tasks used for the index."""
    tasks = total(groups.fill_null(0), "tasks")
    if not tasks:
        return NO_TASKS_NOTE
    known = {WEIGHTED: total(groups.fill_null(0), "tasks_in_index") / tasks}
    note = coverage_note(known, of=plural(tasks, "task"), meaning=get_metadata(groups))
    return f"{note} {MISSING_HOURS}"


def index_definition(level_weights: Mapping[str, float]) -> str:
    """Define the index, including the level weights."""
    weights = listed(f"{level} = {weight:g}" for level, weight in level_weights.items())
    return f"Index: share of weekly hours, with level weights {weights}. It estimates potential change, not job losses."


# two snapshots --------------------------------------------------------------------------------------------------------

NO_TASK_IN_EITHER = "No tasks in either snapshot"
NO_CHANGE = f"\u00b10{chr(0xA0)}h"
_PARTS = {"both": "hours and a level", "hours": "hours", "level": "a level"}


def coverage_before_after(meaning: Meaning, part: str = "both") -> tuple[float | None, float | None]:
    """Return the coverage before and after."""
    return meaning.coverage.get(f"{part} before"), meaning.coverage.get(f"{part} after")


def coverage_shifted(meaning: Meaning, part: str = "both") -> bool:
    """Return True if coverage changed so much that a difference may be partly due to measurement."""
    was, now = coverage_before_after(meaning, part)
    return was is not None and now is not None and abs(now - was) > COVERAGE_CHANGE_LIMIT + 1e-12


def coverage_changed() -> pl.Expr:
    """Select rows whose coverage changed by more than the limit."""
    return ((pl.col("coverage_after") - pl.col("coverage_before")).abs() > COVERAGE_CHANGE_LIMIT + 1e-12).fill_null(
        value=False
    )


def coverage_of_both(meaning: Meaning, part: str = "both", *, weighted: bool = False) -> list[str]:
    """Describe the coverage of both snapshots, and warn if some validation states are excluded."""
    was, now = coverage_before_after(meaning, part)
    if was is None and now is None:
        return [NO_TASKS_NOTE]
    have = WEIGHTED if weighted else _PARTS[part]
    note = f"{coverage_percent(was)} of tasks before and {coverage_percent(now)} after have {have}."
    return [f"{note} {rejected_note(meaning)} {MISSING_HOURS}", *state_warnings(meaning.states)]


def signed(value: float | None) -> str:
    """Format a signed difference in the index."""
    if value is None:
        return NONE
    rounded = round(value, 2)
    return f"{_sign(rounded)}{abs(rounded):.2f}"


def signed_hours(value: float | None, digits: int | None = None) -> str:
    """Format a signed difference in hours, with `digits` decimals if specified."""
    if value is None:
        return NONE
    if round(value, 1) == 0:
        return NO_CHANGE
    size = hours(abs(value)) if digits is None else f"{abs(value):,.{digits}f}\u00a0h"
    return f"{_sign(value)}{size}"


def relative(change: float | None, was: float | None) -> str:
    """Format a change as a percentage of `was`, if positive."""
    if change is None or not was or was < 0:
        return NONE
    share = change / was
    return f"{_sign(round(share, 2))}{percent(abs(share))}"


def _sign(value: float) -> str:
    return "+" if value > 0 else MINUS if value < 0 else "\u00b1"
