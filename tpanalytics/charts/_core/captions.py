"""What stands under and beside every chart: of whom it tells, how much is known, and what is hidden."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

import polars as pl

from tpanalytics.formatting import covered, listed, plural, printable, total
from tpanalytics.measures.privacy.policy import HIDDEN, SUPPRESSED, Privacy, said_of_hidden
from tpanalytics.measures.privacy.release import filter_families as chosen
from tpanalytics.measures.privacy.release import release
from tpanalytics.measures.privacy.suppress import hidden_families
from tpanalytics.schema import NO_FAMILY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from tpanalytics.measures._core.metadata import Meaning
    from tpanalytics.schema import TaskProfiles

__all__ = [
    "ALL_HIDDEN",
    "WHY_HIDDEN",
    "chosen",
    "countable",
    "hidden_names",
    "hidden_note",
    "is_hidden",
    "known_of",
    "overall",
    "population",
    "released",
    "source_line",
    "titled",
    "unless_hidden",
    "without_tasks",
    "wrapped",
]

#: What stands in the row of a family that is hidden for its own sake or for another's, and the title where all are.
WHY_HIDDEN = "hidden to protect small groups of jobs or people"
ALL_HIDDEN = "Every job family is hidden: its figures tell of too few jobs or people"


def population(families: pl.DataFrame, *, totals: bool = True) -> str:
    """Count families, jobs and tasks, or without `totals` families alone; say where there are jobs without a family."""
    named = families.get_column("job_family").ne(NO_FAMILY).sum()
    without = " and jobs without one" if named < families.height else ""
    if not totals:
        return f"{plural(named, 'job family')}{without}"
    jobs, tasks = plural(total(families, "jobs"), "job"), plural(total(families, "tasks"), "task")
    return f"{plural(named, 'job family')}{without}, {jobs}, {tasks}"


def overall(coverage: pl.DataFrame, column: str) -> float | None:
    """Give a share of the tasks of all families from those of each; null where there are none."""
    share: float | None = coverage.select((pl.col(column) * pl.col("tasks")).sum() / pl.col("tasks").sum()).item()
    return share


def without_tasks(families: pl.DataFrame) -> str:
    """Say how many jobs have no task."""
    jobs = total(families, "jobs_without_tasks")
    return f"{plural(jobs, 'job')} without any task." if jobs else "Every job has tasks."


def known_of(meaning: Meaning, known: str) -> str:
    """Say what is known of tasks, and how many of them are settled."""
    validated = covered(None if meaning.share_suggested is None else 1 - meaning.share_suggested)
    return f"{known}, {validated} are validated; rejected ones do not count."


def hidden_note(result: pl.DataFrame, privacy: Privacy | None) -> list[str]:
    """Say in a line of the footer how many families are hidden, if any is."""
    hidden = len(hidden_families(result))
    if not hidden or privacy is None:
        return []
    said = said_of_hidden(hidden, result.get_column("job_family").n_unique(), privacy)
    return [said.replace("hidden:", f"hidden ({HIDDEN}):", 1)]


def released(
    measure: Callable[..., pl.DataFrame], profiles: TaskProfiles, privacy: Privacy | None, **how: Any
) -> pl.DataFrame:
    """Measure by family and suppress small groups."""
    return release(measure, profiles, privacy=privacy, **how)


def is_hidden() -> pl.Expr:
    """Tell the rows of families that are hidden."""
    return (pl.col("reason") == SUPPRESSED).fill_null(value=False)


def unless_hidden(*columns: str) -> list[pl.Expr]:
    """Print the sign of what is hidden in text columns of hidden families."""
    return [pl.when(is_hidden()).then(pl.lit(HIDDEN)).otherwise(name).alias(name) for name in columns]


def countable(counts: pl.DataFrame, shown: pl.DataFrame, families: Sequence[str] | None) -> pl.DataFrame:
    """Keep what totals may count: of all families all, of some only those that are not hidden."""
    if families is None:
        return counts
    return counts.join(shown.filter(~is_hidden()), on="job_family", how="semi", maintain_order="left")


def titled(finding: str, families: Sequence[str] | None) -> str:
    """Say in a title that it speaks of some families alone."""
    return finding if families is None or len(families) == 1 else f"{len(families)} chosen families · {finding}"


def hidden_names(families: pl.DataFrame) -> list[str]:
    """Say in a sentence of the description which families are hidden, if any is."""
    names = families.filter(is_hidden()).get_column("job_family").to_list()
    return [f"Hidden, to protect small groups of jobs or people: {listed(names)}."] if names else []


def source_line(manifest: Mapping[str, Any]) -> list[str]:
    """Say for the footer which data these are: when they were exported, and the beginning of their hash."""
    source = manifest.get("source") or {}
    finished, content, kind = manifest.get("finished"), manifest.get("content_sha256"), source.get("kind", "")
    if kind == "sample":
        return [f"Data: the sample, an invented company, as of {source.get('state')}."]
    named = {"file": "records from a file", "job": "one job, asked for by itself"}.get(kind, "export")
    when = f" of {finished[:10]}" if finished else ""
    marked = f", content {content[:8]}" if content else ""
    return [f"Data: {named}{when}{marked}."] if when or marked or kind else []


def wrapped(lines: Iterable[str], width: int) -> list[str]:
    """Break the lines of a footer to a width in characters; levels of any spelling may be named in them."""
    return [part for line in lines for part in textwrap.wrap(printable(line) or "", width)]
