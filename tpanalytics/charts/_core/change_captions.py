"""What stands under a chart of two snapshots: which two they are, how much of each is known, and who is hidden."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from tpanalytics.charts._core import captions, theme
from tpanalytics.formatting import MINUS, NONE, covered, hours, percent
from tpanalytics.measures._core.change_notes import (
    COVERAGE_MOVED,
    pull_warnings,
    state_warnings,
)
from tpanalytics.measures.privacy.suppress import apply_change_policy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tpanalytics.measures._core.metadata import Meaning
    from tpanalytics.measures.privacy.policy import Privacy
    from tpanalytics.schema import TaskProfiles

__all__ = [
    "NOTHING",
    "all_hidden",
    "coverages",
    "coverages_moved",
    "families_of",
    "moved",
    "no_jobs",
    "policy",
    "population",
    "relative",
    "signed",
    "signed_hours",
    "sources",
]

NOTHING = f"\u00b10{chr(0xA0)}h"
_PARTS = {"both": "hours and a level", "hours": "hours", "level": "a level"}


def families_of(
    result: pl.DataFrame,
    before: TaskProfiles,
    after: TaskProfiles,
    states: Sequence[str],
    privacy: Privacy | None,
) -> pl.DataFrame:
    """Give the rows of families, those hidden that either snapshot must not tell of; names as a picture holds them."""
    rows = result.filter(pl.col("scope") == "family").drop("scope", "level", strict=False)
    return apply_change_policy(rows, before, after, states=states, privacy=privacy)


def population(families: pl.DataFrame, *, totals: bool = True) -> str:
    """Count families, jobs and tasks of the later snapshot, as `honest.population` does."""
    if not totals:
        return captions.population(families, totals=False)
    return f"{captions.population(families.select('job_family', jobs='jobs_after', tasks='tasks_after'))} after"


def sources(before: TaskProfiles, after: TaskProfiles) -> list[str]:
    """Say which data either snapshot is, and what tells against comparing them."""
    told = [
        line.replace("Data:", f"{side}:", 1)
        for side, profiles in (("Before", before), ("After", after))
        for line in captions.source_line(profiles.manifest)
    ]
    return [*pull_warnings(before, after), *told]


def coverages(meaning: Meaning, part: str = "both") -> tuple[float | None, float | None]:
    """Give how much is known of either side."""
    return meaning.coverage.get(f"{part} before"), meaning.coverage.get(f"{part} after")


def coverages_moved(meaning: Meaning, part: str = "both") -> bool:
    """Tell whether so much more or less is known that a difference is one of measurement too."""
    was, now = coverages(meaning, part)
    return was is not None and now is not None and abs(now - was) > COVERAGE_MOVED + 1e-12


def moved() -> pl.Expr:
    """Tell the same by row."""
    return ((pl.col("coverage_after") - pl.col("coverage_before")).abs() > COVERAGE_MOVED + 1e-12).fill_null(
        value=False
    )


def policy(meaning: Meaning, part: str = "both", *, weighed: bool = False) -> list[str]:
    """Say how much is known of either side, and what that does to a difference."""
    was, now = coverages(meaning, part)
    if was is None and now is None:
        return ["No job has a task that counts."]
    what = f"{_PARTS[part].capitalize()}{' that has a weight' * weighed} {'is' if part == 'level' else 'are'} known"
    said = (
        f"{what} for {covered(was)} of tasks before and {covered(now)} after; rejected tasks do not count, and a task "
        "without hours is not one of zero hours."
    )
    return [said, *state_warnings(meaning.states)]


def signed(value: float | None) -> str:
    """Write a difference of indices with its sign."""
    if value is None:
        return NONE
    rounded = round(value, 2)
    return f"{_sign(rounded)}{abs(rounded):.2f}"


def signed_hours(value: float | None, digits: int | None = None) -> str:
    """Write a difference of hours with its sign; in a column all with as many decimals."""
    if value is None:
        return NONE
    if round(value, 1) == 0:
        return NOTHING
    size = hours(abs(value)) if digits is None else f"{abs(value):,.{digits}f}\u00a0h"
    return f"{_sign(value)}{size}"


def relative(change: float | None, was: float | None) -> str:
    """Write a difference as a share of what was; from nothing there is none."""
    if change is None or not was or was < 0:
        return NONE
    share = change / was
    return f"{_sign(round(share, 2))}{percent(abs(share))}"


def _sign(value: float) -> str:
    return "+" if value > 0 else MINUS if value < 0 else "\u00b1"


def no_jobs() -> theme.Chart:
    """Make the chart of two snapshots without a job."""
    return theme.empty_chart("No jobs in either of these task profiles", "There is nothing that could have changed.")


def all_hidden(
    shown: pl.DataFrame,
    before: TaskProfiles,
    after: TaskProfiles,
    privacy: Privacy | None,
    *,
    title: str = captions.ALL_HIDDEN,
) -> theme.Chart:
    """Make the chart of two snapshots of which not even a total may be shown."""
    lines = [*captions.hidden_note(shown, privacy), *sources(before, after)]
    return theme.finish(
        [theme.note(lines, x=0, y=8)],
        title=title,
        subtitle=population(shown, totals=False),
        description=" ".join([f"{title}.", *captions.hidden_names(theme.drawable(shown))]),
        width=620,
        height=16 * max(len(lines), 1),
    )
