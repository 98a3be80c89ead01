"""Full-text search for tasks.

Dataframe backends lowercase some letters differently. Texts that contain such letters are collected and matched in
Python, all others in the backend.
"""

from __future__ import annotations

import functools
import operator
import unicodedata
from typing import TYPE_CHECKING, Any

import narwhals as nw
import polars as pl

from tpanalytics.errors import ArgumentError, SchemaError
from tpanalytics.formatting import plural_of
from tpanalytics.measures._core.aggregate import (
    TaskCounts,
    aggregate_tasks,
    counts,
    known_sum,
    of_jobs,
    read_inputs,
    share_of,
)
from tpanalytics.measures._core.cache import cached
from tpanalytics.measures._core.checks import check_whole, checked_groups
from tpanalytics.measures._core.groups import BY_FAMILY, short_noun
from tpanalytics.measures._core.metadata import Meaning, attach_metadata, meaning_of
from tpanalytics.schema import check_profiles, require, to_polars

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tpanalytics.schema import TaskProfiles
    from tpanalytics.typing import By

__all__ = ["PLAIN", "find_tasks", "fold_case", "matches_by_group", "search_words"]

#: Task columns to return in addition to the text and the hours.
_COLUMNS = ("task_id", "validation_state", "ai_impact_level")
#: Inclusive ranges of characters that every backend lowercases the same way. They cover punctuation and Latin,
#: Cyrillic, Chinese, Japanese and Korean letters, but not combining marks or letters like ß that have special casing
#: rules.
PLAIN = (
    ("\x00", "\xb4"),
    ("\xb6", "\xde"),
    ("\xe0", "\u012f"),
    ("\u0131", "\u0148"),
    ("\u014a", "\u017e"),
    ("\u0400", "\u0481"),
    ("\u048a", "\u052f"),
    ("\u2010", "\u206f"),
    ("\u3000", "\u3029"),
    ("\u3030", "\u3096"),
    ("\u309b", "\u30ff"),
    ("\u3400", "\u9fff"),
    ("\uac00", "\ud7a3"),
)
_NOT_PLAIN = "[^" + "".join(rf"{low}-{high}" for low, high in PLAIN).replace("\x00", r"\x00") + "]"


@cached
def find_tasks(
    profiles: TaskProfiles,
    text: str,
    *,
    by: By = BY_FAMILY,
    states: Sequence[str] | None = None,
    groups: Sequence[str] | None = None,
    top: int | None = None,
) -> pl.DataFrame:
    """Search for tasks whose text contains all of the given words.

    The search ignores case and word order, and also matches parts of longer words. Wildcards are not supported, so
    ``.`` only matches a full stop. The result lists individual jobs and tasks, but no rationales. Tasks without a text
    never match. Use `about` to see how many there are.

    Parameters
    ----------
    profiles
        Task profiles. Uses ``job_id``, the columns in `by` and, if present, ``job_name`` from `jobs`, and ``job_id,
        task_id, task, ai_impact_level, validation_state, weekly_hours`` (hours per week) from `tasks`.
    text
        One or more words to search for.
    by
        Columns of the jobs, people or tasks to return with each task, or None for none. A task of a job in several
        groups has a row for each.
    states
        Validation states to include. None means ``profiles.manifest["states"]``, or validated and suggested.
    groups
        Groups to search, such as job families. If None, all groups are searched.
    top
        Maximum number of tasks to return. If None, all matches are returned.

    Returns
    -------
    pl.DataFrame
        One row per task, sorted by hours in descending order (nulls last), then by group, job and text. The columns in
        `by` come first.

        ====================  =======  ===========================================
        ``job_id``            String   job id
        ``job_name``          String   job name, or the id if the job has no name
        ``task_id``           String   task id
        ``task``              String   task text
        ``validation_state``  String   validation state; may be null
        ``weekly_hours``      Float64  hours per week; null if missing
        ``ai_impact_level``   String   AI impact level; null if not assessed
        ====================  =======  ===========================================

    Raises
    ------
    SchemaError
        If a required column is missing.
    ArgumentError
        If `text` contains no word or another argument is invalid.

    Warns
    -----
    TpAnalyticsWarning
        If tasks with an unrecognised validation state are ignored.

    Examples
    --------
    >>> from tpanalytics import find_tasks, load_sample
    >>> tasks = find_tasks(load_sample(), "customer QUOTATION", top=1)
    >>> tasks.select("job_family", "job_name", "weekly_hours").row(0)
    ('Sales', 'Sales Operations Analyst', 5.75)
    """
    check_profiles(profiles)
    words = search_words(text)
    if top is not None:
        check_whole("top", top, least=1)
    reduced, no_text = _searched_tasks(profiles, states, by)
    reduced, no_text = _only_groups(reduced, no_text, groups)
    rows = _matches(profiles, words, reduced, *_COLUMNS)
    n, with_hours = rows.height, rows.get_column("weekly_hours").count()
    if top is not None and with_hours > top:  # avoid sorting all matches, which is slower than the search
        rows = rows.filter(pl.col("weekly_hours") >= pl.col("weekly_hours").top_k(top).min() - 1e-9)
    name = "job_name" if "job_name" in reduced.jobs.columns else "job_id"
    jobs = reduced.jobs.select("job", "job_id", pl.coalesce(pl.col(name).cast(pl.String), "job_id").alias("job_name"))
    rows = rows.join(jobs, on="job", how="inner").sort(
        pl.col("weekly_hours").round(9),
        *("group", "job_name", "job_id", "task", "task_id"),
        descending=[True, *[False] * 5],
        nulls_last=True,
    )
    columns = ("group", "job_id", "job_name", "task_id", "task", "validation_state", "weekly_hours")
    result = rows.select(*columns, "ai_impact_level").head(rows.height if top is None else top)
    note = f"Matching tasks: {n:,} ({n - with_hours:,} without hours)"
    note += f". Returned: the first {result.height:,}." if result.height < n else "."
    # The columns of the groups can include the job or a column of the tasks.
    first = [name for name in reduced.groups.table.columns if name != "group"]
    named = reduced.groups.named(result.drop(first, strict=False))
    return attach_metadata(named, _meaning(reduced, "find_tasks", no_text, note))


@cached
def matches_by_group(
    profiles: TaskProfiles, text: str, *, by: By = BY_FAMILY, states: Sequence[str] | None = None
) -> pl.DataFrame:
    """Count the `find_tasks` matches in each group."""
    words = search_words(text)
    reduced, no_text = _searched_tasks(profiles, states, by)
    jobs = reduced.jobs.group_by("group").agg(jobs=pl.len())
    tasks = reduced.cells.group_by("group").agg(tasks=pl.col("n").sum())
    tasks_without_text = no_text.group_by("group").agg(tasks_without_text=pl.col("n").sum())
    matches = (
        _matches(profiles, words, reduced)
        .sort("job", "weekly_hours")  # float sums must not depend on the backend's row order
        .group_by("group")
        .agg(
            jobs_found=pl.col("job").n_unique(),
            found=pl.len(),
            found_with_hours=pl.col("weekly_hours").count(),
            hours=known_sum("weekly_hours"),
        )
    )
    result = reduced.groups.table.select("group")
    for part in (jobs, tasks, tasks_without_text, matches):
        result = result.join(part, on="group", how="left", maintain_order="left")
    counted = ("jobs", "jobs_found", "tasks", "tasks_without_text", "found", "found_with_hours")
    result = result.select(
        "group",
        *(pl.col(name).fill_null(0).cast(pl.UInt32) for name in counted),
        "hours",
    ).with_columns(share=share_of(pl.col("found"), pl.col("tasks")))
    n, with_hours = (int(result.get_column(name).sum()) for name in ("found", "found_with_hours"))
    note = f"Matching tasks: {n:,} ({n - with_hours:,} without hours)."
    return attach_metadata(reduced.groups.named(result), _meaning(reduced, "matches_by_group", no_text, note))


@cached
def _searched_tasks(
    profiles: TaskProfiles, states: Sequence[str] | None, by: By = BY_FAMILY
) -> tuple[TaskCounts, pl.DataFrame]:
    """Count the tasks to search, and each job's tasks without a text."""
    require(profiles.tasks, "task_id", "task", name="tasks")
    reduced = aggregate_tasks(profiles, states, by=by, by_level=False, by_state=True)
    columns = reduced.groups.columns
    keys, tasks = ["job_id", *columns.tasks], _with_texts(read_inputs(profiles, by).tasks)
    no_text = tasks.filter(counts(reduced.counted) & _has_no_text()).group_by(*keys).agg(n=nw.len())
    by_job = to_polars(no_text.to_native()).select(pl.col(*keys).cast(pl.String), pl.col("n").cast(pl.UInt32))
    return reduced, of_jobs(by_job, reduced.jobs, columns).sort("job")


def _only_groups(
    reduced: TaskCounts, no_text: pl.DataFrame, groups: Sequence[str] | None
) -> tuple[TaskCounts, pl.DataFrame]:
    if groups is None:
        return reduced, no_text
    noun = short_noun(reduced.groups.columns.by)
    names = checked_groups(groups, reduced.groups.table.get_column("group"), noun, "groups")
    if not names:
        raise ArgumentError(f"`groups` must be a list of {plural_of(noun)}, or None for all, not [].")
    in_groups = pl.col("group").is_in(names)
    cells = reduced.cells.filter(in_groups)
    states = cells.group_by("state").agg(pl.col("n").sum()).sort("state")
    reduced = reduced._replace(jobs=reduced.jobs.filter(in_groups), cells=cells, states=states)
    return reduced, no_text.filter(in_groups)


def _matches(profiles: TaskProfiles, words: Sequence[str], reduced: TaskCounts, *columns: str) -> pl.DataFrame:
    """Return the tasks that contain all words, with their job, family, text, hours and the given columns."""
    of_tasks = reduced.groups.columns.tasks
    tasks = _with_texts(read_inputs(profiles, reduced.groups.columns.by).tasks)
    hours = nw.col("weekly_hours").cast(nw.Float64)
    texts = list(dict.fromkeys([*columns, *of_tasks]))
    candidates = (
        tasks.filter(counts(reduced.counted) & _may_contain_all(words))
        .select("job_id", "task", *texts, weekly_hours=nw.when(~hours.is_nan()).then(hours))
        .to_native()
    )
    collected = to_polars(candidates).with_columns(
        pl.col("job_id", "task", *texts).cast(pl.String), pl.col("weekly_hours").cast(pl.Float64)
    )
    keys = ["job_id", *of_tasks]
    jobs = reduced.jobs.select(*keys, "job", "group")
    return _contain_all(collected, words).join(jobs, on=keys, how="inner", nulls_equal=True).drop("job_id")


def _meaning(reduced: TaskCounts, measure: str, no_text: pl.DataFrame, note: str) -> Meaning:
    n, n_no_text = (int(frame.get_column("n").sum()) for frame in (reduced.cells, no_text))
    return meaning_of(
        reduced,
        covered="hours",
        measure=measure,
        value="hours of the tasks whose text contains all words",
        unit="hours per week",
        basis="task",
        policy=(
            f"Tasks searched: {n:,} ({n_no_text:,} without text, which cannot match).",
            note,
            "The search ignores case and also matches within longer words.",
            "Tasks that use different words for the same work are not found.",
            "Missing hours are excluded, not counted as zero.",
        ),
    )


def search_words(text: str) -> list[str]:
    """Split a search text into unique case-folded words."""
    words = list(dict.fromkeys(fold_case(text).split())) if isinstance(text, str) else []
    if not words:
        raise ArgumentError(f"`text` must contain at least one word to search for, like 'invoice', not {text!r}.")
    return words


def fold_case(text: str) -> str:
    """Return the case-folded text in Unicode normal form C."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())


def _with_texts(tasks: Any) -> Any:
    text, dtype = nw.col("task"), tasks.collect_schema()["task"]
    if dtype in (nw.String, nw.Categorical, nw.Enum, nw.Object):
        # Some versions of pandas also convert missing values to strings.
        filled = nw.when(~text.is_null()).then(text.cast(nw.String)).otherwise(nw.lit(""))
        return tasks.with_columns(task=filled)
    # An all-null column may have a numeric dtype.
    if to_polars(tasks.select(known=(~text.is_null()).sum()).to_native()).item():
        raise SchemaError(f"`task` of `tasks` must be text, not {dtype}. Cast it first.")
    return tasks.with_columns(task=nw.lit(""))


def _has_no_text() -> Any:
    return nw.col("task").str.strip_chars() == ""


def _may_contain_all(words: Sequence[str]) -> Any:
    """Match tasks that contain all words or still have to be checked in Python."""
    lowercase = nw.col("task").str.to_lowercase()
    contains_all = functools.reduce(operator.and_, (lowercase.str.contains(word, literal=True) for word in words))
    return contains_all | nw.col("task").str.contains(_NOT_PLAIN)


def _contain_all(tasks: pl.DataFrame, words: Sequence[str]) -> pl.DataFrame:
    """Remove tasks that were matched by `_may_contain_all` but don't contain all words."""
    unchecked = pl.col("task").str.contains(_NOT_PLAIN)
    texts = tasks.filter(unchecked).get_column("task").unique().to_list()
    no_match = [text for text in texts if not all(word in lower for lower in [fold_case(text)] for word in words)]
    return tasks.filter(~pl.col("task").is_in(no_match)) if no_match else tasks
