"""Which tasks hold the words somebody looks for, and how many they are in each job family.

Engines differ in how they write letters small. Of plain letters none differs, so tasks of these are decided where they
lie; texts with any other letter come home and are decided here.
"""

from __future__ import annotations

import functools
import operator
import unicodedata
from typing import TYPE_CHECKING, Any

import narwhals as nw
import polars as pl

from tpanalytics.errors import ArgumentError, SchemaError
from tpanalytics.measures._core.aggregate import (
    TaskCounts,
    aggregate_tasks,
    counts,
    families_in_order,
    known_sum,
    of_jobs,
    share_of,
)
from tpanalytics.measures._core.cache import cached, check_profiles
from tpanalytics.measures._core.checks import check_whole, checked_families
from tpanalytics.measures._core.metadata import Meaning, attach_metadata, meaning_of
from tpanalytics.schema import COUNTED_STATES, require, to_polars

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tpanalytics.schema import TaskProfiles

__all__ = ["PLAIN", "find_tasks", "folded", "found_by_family", "read_words"]

#: What is told of a task that is found, besides its text and hours.
_TOLD = ("task_id", "validation_state", "ai_impact_level")
#: Letters that every engine writes small alike, and that stand for themselves: Latin, Cyrillic, Chinese, Japanese and
#: Korean ones, and punctuation; ends of ranges. Left out are those with a rule of their own, like ß, and marks that
#: join with the letter before them.
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
    states: Sequence[str] = COUNTED_STATES,
    families: Sequence[str] | None = None,
    top: int | None = None,
) -> pl.DataFrame:
    """Find the tasks whose text holds all words of a text, in any order and without regard to case.

    A word is found within longer words too, and every sign stands for itself: ``.`` is a full stop. The result tells of
    single jobs and names tasks, because that is what is asked; no rationale is in it. The meaning says how many tasks
    were looked through, and how many of them have no text to be found by.

    Parameters
    ----------
    profiles
        Reads ``job_id, job_family`` and where present ``job_name`` of `jobs`, and ``job_id, task_id, task,
        ai_impact_level, validation_state, weekly_hours`` (hours per week) of `tasks`.
    text
        A word or several.
    states
        Validation states that count.
    families
        Look in these alone; None looks in every family.
    top
        Give so many at most; the meaning says how many there are.

    Returns
    -------
    pl.DataFrame
        One row per task, most hours first, those whose hours are not known last, ties by family, job and text.

        ====================  =======  ===========================================
        ``job_family``        String   family of its job
        ``job_id``            String   its job
        ``job_name``          String   name of the job, or its id where it has none
        ``task_id``           String   the task
        ``task``              String   its text
        ``validation_state``  String   its state; null where it has none
        ``weekly_hours``      Float64  its hours per week; null where not known
        ``ai_impact_level``   String   its level; null where it has none
        ====================  =======  ===========================================

    Raises
    ------
    SchemaError
        If a column is missing, `text` holds no word, a family is not there, or `top` is no whole number from 1 up.

    Warns
    -----
    TpAnalyticsWarning
        If tasks are in a state that is neither counted nor ``rejected``.

    Examples
    --------
    >>> from tpanalytics import find_tasks, load_sample
    >>> found = find_tasks(load_sample(), "customer QUOTATION", top=1)
    >>> found.select("job_family", "job_name", "weekly_hours").row(0)
    ('Sales', 'Sales Operations Analyst', 5.75)
    """
    check_profiles(profiles)
    words = read_words(text)
    if top is not None:
        check_whole("top", top, least=1)
    reduced, silent = _looked_through(profiles, states)
    reduced, silent = _of_families(reduced, silent, families)
    rows = _matches(profiles, words, reduced, *_TOLD)
    n, timed = rows.height, rows.get_column("weekly_hours").count()
    if top is not None and timed > top:  # to sort all of them would take longer than to find them
        rows = rows.filter(pl.col("weekly_hours") >= pl.col("weekly_hours").top_k(top).min() - 1e-9)
    name = "job_name" if "job_name" in reduced.jobs.columns else "job_id"
    jobs = reduced.jobs.select("job", "job_id", pl.coalesce(pl.col(name).cast(pl.String), "job_id").alias("job_name"))
    found = rows.join(jobs, on="job", how="inner").sort(
        pl.col("weekly_hours").round(9),
        *("job_family", "job_name", "job_id", "task", "task_id"),
        descending=[True, *[False] * 5],
        nulls_last=True,
    )
    columns = ("job_family", "job_id", "job_name", "task_id", "task", "validation_state", "weekly_hours")
    result = found.select(*columns, "ai_impact_level").head(found.height if top is None else top)
    said = f"{n:,} tasks are found, {n - timed:,} of them without hours"
    said += f"; the first {result.height:,} are given." if result.height < n else "."
    return attach_metadata(result, _meaning(reduced, "find_tasks", silent, said))


@cached
def found_by_family(profiles: TaskProfiles, text: str, *, states: Sequence[str] = COUNTED_STATES) -> pl.DataFrame:
    """Count by family the tasks that `find_tasks` finds."""
    words = read_words(text)
    reduced, silent = _looked_through(profiles, states)
    of_family = reduced.jobs.group_by("job_family").agg(jobs=pl.len())
    tasks = reduced.cells.group_by("job_family").agg(tasks=pl.col("n").sum())
    without = silent.group_by("job_family").agg(tasks_without_text=pl.col("n").sum())
    found = (
        _matches(profiles, words, reduced)
        .sort("job", "weekly_hours")  # floats add up alike however the engine handed the rows over
        .group_by("job_family")
        .agg(
            jobs_found=pl.col("job").n_unique(),
            found=pl.len(),
            found_with_hours=pl.col("weekly_hours").count(),
            hours=known_sum("weekly_hours"),
        )
    )
    result = families_in_order(reduced.jobs)
    for part in (of_family, tasks, without, found):
        result = result.join(part, on="job_family", how="left", maintain_order="left")
    whole = ("jobs", "jobs_found", "tasks", "tasks_without_text", "found", "found_with_hours")
    result = result.select(
        "job_family",
        *(pl.col(name).fill_null(0).cast(pl.UInt32) for name in whole),
        "hours",
    ).with_columns(share=share_of(pl.col("found"), pl.col("tasks")))
    n, timed = (int(result.get_column(name).sum()) for name in ("found", "found_with_hours"))
    said = f"{n:,} tasks are found, {n - timed:,} of them without hours."
    return attach_metadata(result, _meaning(reduced, "found_by_family", silent, said))


@cached
def _looked_through(profiles: TaskProfiles, states: Sequence[str]) -> tuple[TaskCounts, pl.DataFrame]:
    """Count the tasks that are looked through, and by job those among them that have no text."""
    require(profiles.tasks, "task_id", "task", name="tasks")
    reduced = aggregate_tasks(profiles, states, by_level=False, by_state=True)
    tasks = _with_texts(nw.from_native(profiles.tasks).lazy())
    silent = tasks.filter(counts(reduced.counted) & _has_no_text()).group_by("job_id").agg(n=nw.len())
    by_job = to_polars(silent.to_native()).select(pl.col("job_id").cast(pl.String), pl.col("n").cast(pl.UInt32))
    return reduced, of_jobs(by_job, reduced.jobs).sort("job")


def _of_families(
    reduced: TaskCounts, silent: pl.DataFrame, families: Sequence[str] | None
) -> tuple[TaskCounts, pl.DataFrame]:
    """Keep what is of some families, all of which must be there."""
    if families is None:
        return reduced, silent
    names = checked_families(families, families_in_order(reduced.jobs).get_column("job_family"))
    if not names:
        raise ArgumentError("`families` must be a list of job families, or None for all, not [].")
    own = pl.col("job_family").is_in(names)
    cells = reduced.cells.filter(own)
    seen = cells.group_by("state").agg(pl.col("n").sum()).sort("state")
    return reduced._replace(jobs=reduced.jobs.filter(own), cells=cells, states=seen), silent.filter(own)


def _matches(profiles: TaskProfiles, words: Sequence[str], reduced: TaskCounts, *told: str) -> pl.DataFrame:
    """Give the tasks that hold the words: ``job, job_family, task, weekly_hours`` and what else is told of them."""
    tasks = _with_texts(nw.from_native(profiles.tasks).lazy())
    hours = nw.col("weekly_hours").cast(nw.Float64)
    found = (
        tasks.filter(counts(reduced.counted) & _may_hold_all(words))
        .select("job_id", "task", *told, weekly_hours=nw.when(~hours.is_nan()).then(hours))
        .to_native()
    )
    home = to_polars(found).with_columns(
        pl.col("job_id", "task", *told).cast(pl.String), pl.col("weekly_hours").cast(pl.Float64)
    )
    jobs = reduced.jobs.select("job_id", "job", "job_family")
    return _hold_all(home, words).join(jobs, on="job_id", how="inner").drop("job_id")


def _meaning(reduced: TaskCounts, measure: str, silent: pl.DataFrame, said: str) -> Meaning:
    n, without = (int(frame.get_column("n").sum()) for frame in (reduced.cells, silent))
    return meaning_of(
        reduced,
        covered="hours",
        measure=measure,
        value="hours of the tasks whose text holds all the words",
        unit="hours per week",
        basis="task",
        policy=(
            f"{n:,} tasks were looked through; {without:,} of them have no text, and so cannot be found.",
            said,
            "Words are looked for without regard to case, within longer words too.",
            "Work that is told in other words is not found.",
            "Tasks without hours add nothing to hours; they are not zero.",
        ),
    )


def read_words(text: str) -> list[str]:
    """Part a text into the words that are looked for, each once, without case."""
    words = list(dict.fromkeys(folded(text).split())) if isinstance(text, str) else []
    if not words:
        raise SchemaError(
            f"text={text!r}: give a word that the tasks hold, or several, like 'invoice' or 'check invoices'."
        )
    return words


def folded(text: str) -> str:
    """Take case away, and put letters and their marks together."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())


def _with_texts(tasks: Any) -> Any:
    """Make ``task`` of the tasks a text wherever they lie, empty where there is none."""
    text, dtype = nw.col("task"), tasks.collect_schema()["task"]
    if dtype in (nw.String, nw.Categorical, nw.Enum, nw.Object):
        # Some pandas make text of what is missing, too, when it is cast.
        known = nw.when(~text.is_null()).then(text.cast(nw.String)).otherwise(nw.lit(""))
        return tasks.with_columns(task=known)
    # An engine may call a column without any value a number.
    if to_polars(tasks.select(known=(~text.is_null()).sum()).to_native()).item():
        raise SchemaError(f"tasks: task must be text, and is {dtype}. Cast it first.")
    return tasks.with_columns(task=nw.lit(""))


def _has_no_text() -> Any:
    """Match the tasks that have no text."""
    return nw.col("task").str.strip_chars() == ""


def _may_hold_all(words: Sequence[str]) -> Any:
    """Match on the engine the tasks that hold all words, and those that can only be checked locally."""
    small = nw.col("task").str.to_lowercase()
    plainly = functools.reduce(operator.and_, (small.str.contains(word, literal=True) for word in words))
    return plainly | nw.col("task").str.contains(_NOT_PLAIN)


def _hold_all(tasks: pl.DataFrame, words: Sequence[str]) -> pl.DataFrame:
    """Keep of the tasks that `_may_hold_all` those that do."""
    unsure = pl.col("task").str.contains(_NOT_PLAIN)
    texts = tasks.filter(unsure).get_column("task").unique().to_list()
    without = [text for text in texts if not all(word in small for small in [folded(text)] for word in words)]
    return tasks.filter(~pl.col("task").is_in(without)) if without else tasks
