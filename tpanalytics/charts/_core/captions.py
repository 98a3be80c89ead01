"""The words of every chart: population, coverage, grade, footnotes, sources, alt text and tooltips."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

import altair as alt
import polars as pl

from tpanalytics.formatting import MINUS, NONE, covered, hours, listed, percent, plural, printable, total
from tpanalytics.measures._core.change_notes import COVERAGE_MOVED, pull_warnings, state_warnings
from tpanalytics.measures._core.metadata import NONE_BECAUSE
from tpanalytics.measures.privacy.policy import HIDDEN, SUPPRESSED, Privacy, said_of_hidden
from tpanalytics.measures.privacy.release import release
from tpanalytics.measures.privacy.suppress import apply_change_policy, hidden_families
from tpanalytics.schema import NO_FAMILY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from tpanalytics.measures._core.metadata import Meaning
    from tpanalytics.schema import TaskProfiles

#: Width of a footnote in characters.
LINE = 150

# suppression ----------------------------------------------------------------------------------------------------------

#: What a suppressed row says, and the title where every row is suppressed.
WHY_HIDDEN = "hidden to protect small groups of jobs or people"
ALL_HIDDEN = "Every job family is hidden: its figures tell of too few jobs or people"


def released(
    measure: Callable[..., pl.DataFrame], profiles: TaskProfiles, privacy: Privacy | None, **how: Any
) -> pl.DataFrame:
    """Measure by group and suppress small groups."""
    return release(measure, profiles, privacy=privacy, **how)


def released_change(
    result: pl.DataFrame, before: TaskProfiles, after: TaskProfiles, states: Sequence[str], privacy: Privacy | None
) -> pl.DataFrame:
    """Return the rows of groups, with those suppressed that are small in either snapshot."""
    rows = result.filter(pl.col("scope") == "family").drop("scope", "level", strict=False)
    return apply_change_policy(rows, before, after, states=states, privacy=privacy)


def is_hidden() -> pl.Expr:
    """Return whether a row is suppressed."""
    return (pl.col("reason") == SUPPRESSED).fill_null(value=False)


def mask_hidden(*columns: str) -> list[pl.Expr]:
    """Print the sign of suppression in text columns of suppressed rows."""
    return [pl.when(is_hidden()).then(pl.lit(HIDDEN)).otherwise(name).alias(name) for name in columns]


def why_missing(cases: Mapping[str, pl.Expr], *texts: pl.Expr) -> pl.Expr:
    """Explain why a row has no marks: it is suppressed, or the first case that holds, or the first text there is."""
    tests = {WHY_HIDDEN: is_hidden(), **cases}
    return pl.coalesce([*(pl.when(test).then(pl.lit(text)) for text, test in tests.items()), *texts])


def hidden_note(result: pl.DataFrame, privacy: Privacy | None) -> list[str]:
    """Return the footnote on how many groups are suppressed, if any is."""
    hidden = len(hidden_families(result))
    if not hidden or privacy is None:
        return []
    note = said_of_hidden(hidden, result.get_column("job_family").n_unique(), privacy)
    return [note.replace("hidden:", f"hidden ({HIDDEN}):", 1)]


def hidden_names(rows: pl.DataFrame) -> list[str]:
    """Name the suppressed groups in a sentence, if any is."""
    names = rows.filter(is_hidden()).get_column("job_family").to_list()
    return [f"Hidden, to protect small groups of jobs or people: {listed(names)}."] if names else []


def no_figure(rows: pl.DataFrame, column: str) -> list[str]:
    """Name in a sentence the groups without a figure that are not suppressed, if any is."""
    names = rows.filter(pl.col(column).is_null() & ~is_hidden()).get_column("job_family").to_list()
    return [f"No figure can be shown for {listed(names)}."] if names else []


# selection ------------------------------------------------------------------------------------------------------------


def rows_for_totals(counts: pl.DataFrame, shown: pl.DataFrame, families: Sequence[str] | None) -> pl.DataFrame:
    """Keep the rows that totals may count: all, or of a selection those that are not suppressed."""
    if families is None:
        return counts
    return counts.join(shown.filter(~is_hidden()), on="job_family", how="semi", maintain_order="left")


def title_with_selection(finding: str, families: Sequence[str] | None) -> str:
    """State in a title that it is about a selection of families."""
    return finding if families is None or len(families) == 1 else f"{len(families)} chosen families · {finding}"


# population, coverage and grade ---------------------------------------------------------------------------------------

NO_TASK_COUNTS = "No job has a task that counts."
MISSING_HOURS = "Missing hours are excluded, not counted as zero."
JUDGED = "Levels are judgements of tasks, not of people."


def population(families: pl.DataFrame, *, totals: bool = True) -> str:
    """Count families, jobs and tasks, or without `totals` families only; mention jobs without a family."""
    named = families.get_column("job_family").ne(NO_FAMILY).sum()
    groups = f"{plural(named, 'job family')}{' and jobs without one' * (named < families.height)}"
    return f"{groups}, {jobs_and_tasks(total(families, 'jobs'), total(families, 'tasks'))}" if totals else groups


def population_after(families: pl.DataFrame, *, totals: bool = True) -> str:
    """Count families, jobs and tasks of the later snapshot."""
    if not totals:
        return population(families, totals=False)
    return f"{population(families.select('job_family', jobs='jobs_after', tasks='tasks_after'))} after"


def jobs_and_tasks(jobs: int, tasks: int) -> str:
    """Count jobs and tasks."""
    return f"{plural(jobs, 'job')}, {plural(tasks, 'task')}"


def overall(coverage: pl.DataFrame, column: str) -> float | None:
    """Return the share of all tasks from the shares of each group; null without tasks."""
    share: float | None = coverage.select((pl.col(column) * pl.col("tasks")).sum() / pl.col("tasks").sum()).item()
    return share


def known_note(have: Mapping[str, float | None], *validated: float | None, of: str = "tasks") -> str:
    """State of how many tasks (a count, or a share) each part is known, and if given how many are validated."""
    known = [
        f"{_amount(value)}{'' if at else f' of {of} have'} {part}" for at, (part, value) in enumerate(have.items())
    ]
    known += [f"{_amount(value)} are validated" for value in validated]
    return f"{', '.join(known)}; rejected tasks do not count."


def known_of(meaning: Meaning, *parts: str) -> str:
    """State the coverage of a result for the whole company."""
    names = {"hours": "hours", "level": "a level", "hours, level and headcount": "hours, a level and people"}
    validated = None if meaning.share_suggested is None else 1 - meaning.share_suggested
    return known_note({names[part]: meaning.coverage.get(part) for part in parts}, validated)


def _amount(value: float | None) -> str:
    return f"{value:,}" if isinstance(value, int) else covered(value)


def grade_note(have: str, grade: str | None = "", *, of: str = "tasks") -> str:
    """Explain data grades by the share of tasks they are based on; with a `grade` that of the whole chart."""
    scale = f"at least 90% of {of} have {have}; B: at least 70%; C: less, not to be quoted on its own"
    return f"Grade A: {scale}." if grade == "" else f"Data grade: {grade or 'none'} (A: {scale})."


def without_tasks(families: pl.DataFrame) -> str:
    """Count the jobs that have no task."""
    jobs = total(families, "jobs_without_tasks")
    return f"{plural(jobs, 'job')} without any task." if jobs else "Every job has tasks."


# sources, footnotes, alt text and tooltips ----------------------------------------------------------------------------


def source_line(manifest: Mapping[str, Any]) -> list[str]:
    """State which data these are: when they were exported, and the beginning of their hash."""
    source = manifest.get("source") or {}
    finished, content, kind = manifest.get("finished"), manifest.get("content_sha256"), source.get("kind", "")
    if kind == "sample":
        return [f"Data: the sample, an invented company, as of {source.get('state')}."]
    named = {"file": "records from a file", "job": "one job, asked for by itself"}.get(kind, "export")
    when = f" of {finished[:10]}" if finished else ""
    marked = f", content {content[:8]}" if content else ""
    return [f"Data: {named}{when}{marked}."] if when or marked or kind else []


def source_lines(before: TaskProfiles, after: TaskProfiles) -> list[str]:
    """State which data either snapshot is, and what limits comparing them."""
    lines = [
        line.replace("Data:", f"{side}:", 1)
        for side, profiles in (("Before", before), ("After", after))
        for line in source_line(profiles.manifest)
    ]
    return [*pull_warnings(before, after), *lines]


def wrapped(lines: Iterable[str], width: int = LINE) -> list[str]:
    """Break footnotes to a width in characters."""
    return [part for line in lines for part in textwrap.wrap(printable(line) or "", width)]


def alt_text(built: str, extremes: str, shape: str = "") -> str:
    """Join the three tiers of a description: how the chart is built; its extremes and numbers; its shape and groups."""
    return "\n".join(tier for tier in (built, extremes, shape) if tier)


#: Fields of tooltips: their Vega-Lite type, title and format.
_TOOLTIPS = {
    "bound_high": ("Q", "Upper bound", ".2f"),
    "bound_low": ("Q", "Lower bound", ".2f"),
    "col": ("Q", "Column", None),
    "data_grade": ("N", "Grade", None),
    "exposure": ("Q", "Index", ".2f"),
    "families": ("Q", "Job families", ","),
    "hours": ("Q", "Hours a week", ",.1f"),
    "hours_p10": ("Q", "A tenth of jobs below", ".1f"),
    "hours_p50": ("Q", "Median, hours a week", ".1f"),
    "hours_p90": ("Q", "A tenth of jobs above", ".1f"),
    "interval_high": ("Q", "to", ".2f"),
    "interval_low": ("Q", "95% interval, from", ".2f"),
    "job_family": ("N", "Job family", None),
    "jobs": ("Q", "Jobs", None),
    "jobs_weighed": ("Q", "Jobs in it", None),
    "jobs_with_hours": ("Q", "Jobs with hours", None),
    "level": ("N", "AI impact level", None),
    "row": ("Q", "Row", None),
    "share": ("Q", "Share", ".1%"),
    "share_of_hours": ("Q", "Share of hours", ".1%"),
    "share_of_tasks": ("Q", "Share of tasks", ".1%"),
    "shared": ("Q", "Tasks both have", ","),
    "task": ("N", "Task", None),
    "tasks": ("Q", "Tasks", ","),
    "tasks_weighed": ("Q", "Tasks in it", None),
    "tasks_with_hours": ("Q", "Tasks with hours", ","),
    "weight_high": ("Q", "H2 counts in full", ".2f"),
    "weight_low": ("Q", "H2 counts nothing", ".2f"),
}


def tooltips(*fields: str, **others: tuple[str, str, str | None]) -> list[alt.Tooltip]:
    """Return tooltips in order, the usual ones by name and `others` by type, title and format."""
    rows = {**{field: _TOOLTIPS[field] for field in fields}, **others}
    return [
        alt.Tooltip(f"{field}:{kind}", title=title, format=shown or alt.Undefined)
        for field, (kind, title, shown) in rows.items()
    ]


# the exposure index ---------------------------------------------------------------------------------------------------

#: What levels are shares of, by weight.
UNIT = {"tasks": "tasks", "hours": "described weekly hours", "headcount": "the weekly hours of all incumbents"}
WEIGHED = "hours and a level that has a weight"
INDEX_GRADE = grade_note(WEIGHED)
#: What the row of a group without an index says.
NO_INDEX = {
    "NO_TASKS": "no task described",
    "NO_HOURS": "no hours are known, or all are zero",
    "NO_LEVELS": "no task with hours has a level that counts",
    "NO_HEADCOUNT": "no headcount is known",
}


def index_text(index: float | None) -> str:
    """Format an index with two decimals."""
    return NONE if index is None else f"{index:.2f}"


def index_range(low: float | None, high: float | None) -> str:
    """Format a range of the index."""
    if low is None or high is None:
        return NONE
    ends = index_text(low), index_text(high)
    return ends[0] if ends[0] == ends[1] else f"{ends[0]} to {ends[1]}"


def rank_range(row: Mapping[str, int | None]) -> str:
    """Format the interval of a rank; in brackets the rank itself where no interval is known."""
    if row["rank"] is None:
        return NONE
    if row["rank_low"] is None:
        return f"({row['rank']})"
    return f"{row['rank_low']}" if row["rank_low"] == row["rank_high"] else f"{row['rank_low']} to {row['rank_high']}"


def may_headline() -> pl.Expr:
    """Return whether a group may be the headline: it has a name, an index, and a grade of A or B."""
    well = pl.col("data_grade").is_in(["A", "B"]) & pl.col("exposure").is_not_null() & ~is_hidden()
    return well & (pl.col("job_family") != NO_FAMILY)


def headline_scope(families: pl.DataFrame) -> str:
    """State which families a headline is about, if not all."""
    well, shown = families.filter(may_headline()).height, families.filter(~is_hidden()).height
    if well < shown:
        return " of those of which enough is known"
    return " of the families shown" if shown < families.height else ""


def no_headline_reason(families: pl.DataFrame) -> str | None:
    """Explain why no family may be the headline, if none may."""
    shown = families.filter(~is_hidden())
    if not shown.height:
        return ALL_HIDDEN
    of_shown = " of the families shown" if shown.height < families.height else ""
    if not total(shown.fill_null(0), "tasks"):
        return f"No task{of_shown} is described"
    if not shown.get_column("exposure").count():
        whose = f" of {shown.item(0, 'job_family')}" if shown.height == families.height == 1 else of_shown
        return f"The exposure{whose} cannot be worked out: {_why_no_index(shown)}"
    if not shown.select(may_headline().any()).item():
        return "Too little is known to say which job family is most exposed"
    return None


def _why_no_index(shown: pl.DataFrame) -> str:
    reasons = shown.filter(pl.col("reason") != "NO_TASKS").get_column("reason").unique()
    return NONE_BECAUSE[reasons[0]] if len(reasons) == 1 else "no task has hours above 0 and a level that has a weight"


def without_index(families: pl.DataFrame) -> list[str]:
    """Name the families without an index and explain why, in a sentence per reason."""
    rows = families.filter(pl.col("exposure").is_null() & ~is_hidden())
    return [
        f"No index: {listed(some.get_column('job_family').to_list())} ({NONE_BECAUSE[str(reason)]})."
        for (reason,), some in rows.group_by("reason", maintain_order=True)
    ]


def index_coverage(families: pl.DataFrame) -> str:
    """State how many of all tasks the index is based on."""
    tasks = total(families.fill_null(0), "tasks")
    if not tasks:
        return NO_TASK_COUNTS
    known = {WEIGHED: total(families.fill_null(0), "tasks_weighed") / tasks}
    return f"{known_note(known, of=plural(tasks, 'task'))} {MISSING_HOURS}"


def index_definition(level_weights: Mapping[str, float]) -> str:
    """Define the index by the weight of each level."""
    weights = listed(f"{level} {weight:g}" for level, weight in level_weights.items())
    return f"Index: share of weekly hours, by level {weights}. It says what could change, not who leaves."


# two snapshots --------------------------------------------------------------------------------------------------------

NO_TASK_IN_EITHER = "No task is described, before or after"
NO_CHANGE = f"\u00b10{chr(0xA0)}h"
_PARTS = {"both": "hours and a level", "hours": "hours", "level": "a level"}


def coverage_before_after(meaning: Meaning, part: str = "both") -> tuple[float | None, float | None]:
    """Return the coverage of either side."""
    return meaning.coverage.get(f"{part} before"), meaning.coverage.get(f"{part} after")


def coverage_shifted(meaning: Meaning, part: str = "both") -> bool:
    """Return whether coverage moved so far that a difference is partly one of measurement."""
    was, now = coverage_before_after(meaning, part)
    return was is not None and now is not None and abs(now - was) > COVERAGE_MOVED + 1e-12


def coverage_changed() -> pl.Expr:
    """Return for each row whether its coverage moved so far."""
    return ((pl.col("coverage_after") - pl.col("coverage_before")).abs() > COVERAGE_MOVED + 1e-12).fill_null(
        value=False
    )


def coverage_of_both(meaning: Meaning, part: str = "both", *, weighed: bool = False) -> list[str]:
    """State the coverage of either side, and which states count."""
    was, now = coverage_before_after(meaning, part)
    if was is None and now is None:
        return [NO_TASK_COUNTS]
    have = f"{_PARTS[part]}{' that has a weight' * weighed}"
    note = f"{covered(was)} of tasks before and {covered(now)} after have {have}; rejected tasks do not count."
    return [f"{note} {MISSING_HOURS}", *state_warnings(meaning.states)]


def signed(value: float | None) -> str:
    """Format a difference of indices with its sign."""
    if value is None:
        return NONE
    rounded = round(value, 2)
    return f"{_sign(rounded)}{abs(rounded):.2f}"


def signed_hours(value: float | None, digits: int | None = None) -> str:
    """Format a difference of hours with its sign; in a column all with the same decimals."""
    if value is None:
        return NONE
    if round(value, 1) == 0:
        return NO_CHANGE
    size = hours(abs(value)) if digits is None else f"{abs(value):,.{digits}f}\u00a0h"
    return f"{_sign(value)}{size}"


def relative(change: float | None, was: float | None) -> str:
    """Format a difference as a share of the earlier amount, if that was above zero."""
    if change is None or not was or was < 0:
        return NONE
    share = change / was
    return f"{_sign(round(share, 2))}{percent(abs(share))}"


def _sign(value: float) -> str:
    return "+" if value > 0 else MINUS if value < 0 else "\u00b1"
