"""Scenario assumptions and the resulting hours freed per person in each job."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import polars as pl

from tpanalytics.errors import ArgumentError, SchemaError
from tpanalytics.measures._core.aggregate import known_sum, n_stated
from tpanalytics.measures._core.checks import checked_week, is_number
from tpanalytics.measures._core.metadata import grade_of, meaning_of
from tpanalytics.measures._core.staff import STAFF
from tpanalytics.schema import NOT_ASSESSED, level_order

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tpanalytics.measures._core.aggregate import TaskCounts
    from tpanalytics.measures._core.metadata import Meaning
    from tpanalytics.typing import StaffCount

__all__ = [
    "CAPACITY_NOTE",
    "FULL_TIME_WEEK",
    "MISSING_DATA_NOTE",
    "Range",
    "Span",
    "assumed",
    "checked_blocks",
    "checked_freed",
    "checked_share",
    "freed_per_job",
    "needs_week",
    "staffed_meaning",
    "times_headcount",
    "undocumented_hours",
    "why_null",
]

#: An assumed share, either a number or a (lower, upper) pair.
Range = float | tuple[float, float]

#: Text printed with every scenario figure.
CAPACITY_NOTE = "Freed hours are capacity, not a headcount reduction."
#: Text describing how missing data are treated in the low and high figures.
MISSING_DATA_NOTE = "Tasks without hours or a level are excluded from the low and high figures, not counted as zero."


#: Valid values of `contract_hours` for scenarios based on headcounts. Passed to `checked_week`.
FULL_TIME_WEEK = (
    "above 0 and up to 168 (hours of a full-time week), or None if every job with a headcount has contract_hours"
)


_FULL_CONTRACT = "above 0 and up to 168 (hours per week of a full contract), or None"


class Span(NamedTuple):
    """Lower and upper value of an assumed share, 0 to 1."""

    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.low:g}" if self.low == self.high else f"{self.low:g} to {self.high:g}"


def checked_share(name: str, share: Any) -> Span:
    """Convert a share given as a number or a pair to a lower and upper value."""
    pair = share if isinstance(share, tuple | list) else (share, share)
    if len(pair) != 2 or not all(is_number(value) and 0 <= value <= 1 for value in pair) or pair[0] > pair[1]:
        raise ArgumentError(f"`{name}` must be a number from 0 to 1 or a pair like (0.4, 0.7), not {share!r}.")
    return Span(float(pair[0]), float(pair[1]))


def checked_freed(freed: Mapping[str, Range]) -> dict[str, Span]:
    """Return the share of task time freed at each level."""
    if not hasattr(freed, "items") or not freed:
        raise ArgumentError(
            "`freed` must be a dict of level and share of task time, like {'H1': (0.4, 0.7), 'H2': 0.2, 'H3': 0}, "
            f"not {freed!r}."
        )
    if NOT_ASSESSED in freed:
        raise ArgumentError(
            f"`freed` must not contain {NOT_ASSESSED!r}. Tasks without a level only raise the upper bound."
        )
    return {level: checked_share(f"freed[{level!r}]", share) for level, share in freed.items()}


def check_levels(levels: Iterable[str], freed: Mapping[str, Span]) -> None:
    """Raise an error if tasks have a level that is missing from `freed`."""
    missing = [level for level in level_order(levels) if level not in freed and level != NOT_ASSESSED]
    if missing:
        raise ArgumentError(
            f"`freed` has no share for {', '.join(map(repr, missing))}, only for {', '.join(map(repr, freed))}. "
            "Add every level of the tasks, with 0 if it frees no time."
        )


def checked_blocks(block_hours: Any) -> list[float]:
    """Return the unique block sizes in ascending order, in hours per person and week."""
    blocks = block_hours if isinstance(block_hours, list | tuple) else [block_hours]
    if not blocks or not all(is_number(hours) and hours > 0 for hours in blocks):
        raise ArgumentError(
            "`block_hours` must be above 0 and finite (hours per person and week), like 4 or [1, 2, 4], "
            f"not {block_hours!r}."
        )
    return sorted({float(hours) for hours in blocks})


def assumed(levels: Mapping[str, Span]) -> str:
    """Format the assumed shares by level, for use at the start of a sentence."""
    return "Assumed, not measured: share of task time freed " + ", ".join(
        f"{level} {span}" for level, span in levels.items()
    )


def needs_week(per_job: pl.DataFrame) -> None:
    """Raise an error if a job with a headcount has no contract hours."""
    without = per_job.filter(pl.col("week").is_null() & pl.col("headcount").is_not_null())
    if without.height:
        raise SchemaError(
            f"Jobs with a headcount have no 'contract_hours', for example {without.item(0, 'job_id')!r} "
            f"({without.height:,} in total). Pass the hours of a full-time week as `contract_hours`."
        )


def undocumented_hours(reduced: TaskCounts, contract_hours: float | None) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """Return ``job, rest`` and warnings. ``rest`` is the job's undocumented contract hours, or null if unknown."""
    contract_hours = checked_week(contract_hours, _FULL_CONTRACT)
    jobs = reduced.jobs
    own = pl.col("contract_hours") if "contract_hours" in jobs.columns else pl.lit(None, dtype=pl.Float64)
    weeks = jobs.select("job", "job_id", week=own)
    warnings: tuple[str, ...] = ()
    each_job = weeks.unique("job_id")
    n_missing = each_job.get_column("week").null_count()
    if contract_hours is not None:
        weeks = weeks.with_columns(pl.col("week").fill_null(contract_hours))
        if n_missing:
            count = f"{n_missing:,} of {each_job.height:,}"
            warnings = (f"The figures assume {contract_hours:g} h per week for jobs without contract hours ({count}).",)
    documented = reduced.cells.group_by("job").agg(documented=pl.col("hours").sum())
    rest = (pl.col("week") - pl.col("documented").fill_null(0.0)).clip(lower_bound=0.0)
    return weeks.join(documented, on="job", how="left", maintain_order="left").select("job", rest=rest), warnings


def freed_per_job(reduced: TaskCounts, freed: Mapping[str, Span], contract_hours: float | None = None) -> pl.DataFrame:
    """Return the hours freed per person in each job, plus an upper bound allowing for missing hours and levels."""
    jobs, cells = reduced.jobs, reduced.cells
    check_levels(cells.get_column("level").unique(), freed)
    share = {
        end: pl.col("level").replace_strict(
            {level: getattr(span, end) for level, span in freed.items()}, default=None, return_dtype=pl.Float64
        )
        for end in ("low", "high")
    }
    most = max(span.high for span in freed.values())
    unrated = pl.col("level") == NOT_ASSESSED
    rated = pl.col("hours").filter(~unrated)
    sums = (
        cells.with_columns(
            freed_low=pl.col("hours") * share["low"],
            freed_high=pl.col("hours") * share["high"],
            # A task without hours could take up all undocumented hours, at any level if its level is also missing.
            open_share=pl.when(pl.col("n_known") < pl.col("n")).then(share["high"].fill_null(most)),
        )
        .group_by("job", maintain_order=True)
        .agg(
            tasks=pl.col("n").sum(),
            tasks_with_hours=pl.col("n_known").sum(),
            tasks_known=pl.col("n_known").filter(~unrated).sum(),
            tasks_stated=n_stated.filter(~unrated).sum(),
            hours=known_sum("hours"),
            freed_low=known_sum("freed_low"),
            freed_high=known_sum("freed_high"),
            hours_known=pl.when(rated.count() > 0).then(rated.sum()),
            unrated=pl.col("hours").filter(unrated).sum(),
            open_share=pl.col("open_share").max(),
        )
    )
    week = pl.lit(contract_hours, dtype=pl.Float64)
    if "contract_hours" in jobs.columns:
        week = pl.coalesce("contract_hours", week)
    rest = (pl.col("week") - pl.col("hours").fill_null(0.0)).clip(lower_bound=0.0)
    # This is null for jobs without tasks.
    unknown = pl.col("unrated") * most + pl.when(pl.col("open_share").is_null()).then(0.0).otherwise(
        rest * pl.col("open_share")
    )
    counts = ("tasks", "tasks_with_hours", "tasks_known", "tasks_stated")
    return (
        jobs.with_columns(week=week)
        .join(sums, on="job", how="left", maintain_order="left")
        .with_columns(
            *(pl.col(name).fill_null(0).cast(pl.UInt32) for name in counts),
            freed_most=pl.col("freed_high").fill_null(0.0) + unknown,
        )
        .drop("open_share", "unrated")
    )


def times_headcount(frame: pl.DataFrame) -> pl.DataFrame:
    """Multiply one person's hours by the headcount, or return null if the headcount is missing."""
    staff, staffed = pl.col("headcount"), pl.col("headcount").is_not_null()
    counts = ("tasks", "tasks_with_hours", "tasks_known", "tasks_stated")
    hours = ("hours", "freed_low", "freed_high", "freed_most")
    return frame.with_columns(
        *(pl.when(staffed).then(name).otherwise(0).cast(pl.UInt32).alias(name) for name in counts),
        *(pl.col(name) * staff for name in hours),
        all_tasks=pl.col("tasks"),
        people=pl.when(pl.col("freed_low").is_not_null()).then(staff),
    )


def why_null() -> pl.Expr:
    """Return why a family has no figure, or null if it has one."""
    return (
        pl.when(pl.col("all_tasks") == 0)
        .then(pl.lit("NO_TASKS"))
        .when(pl.col("jobs_with_headcount") == 0)
        .then(pl.lit("NO_HEADCOUNT"))
        .when(pl.col("tasks") == 0)
        .then(pl.lit("NO_TASKS"))
        .when(pl.col("tasks_with_hours") == 0)
        .then(pl.lit("NO_HOURS"))
        .when(pl.col("tasks_known") == 0)
        .then(pl.lit("NO_LEVELS"))
    )


def staffed_meaning(reduced: TaskCounts, per_job: pl.DataFrame, weight: StaffCount, **facts: Any) -> Meaning:
    """Return metadata for a figure over all people, graded by the share of tasks with hours, a level and people."""
    staffed = pl.col("headcount").is_not_null()
    known, tasks, unstaffed = per_job.select(
        pl.col("tasks_stated").filter(staffed).sum(), pl.col("tasks").sum(), (~staffed).sum().alias("unstaffed")
    ).row(0)
    share = known / tasks if tasks else None
    warnings = _long_week_warning(per_job)
    if unstaffed:
        without = "a headcount" if weight == "headcount" else STAFF[weight]
        warnings = (f"Jobs without {without} are excluded ({unstaffed:,} of {per_job.height:,}).", *warnings)
    meaning = meaning_of(reduced, staffed=True, basis=weight, warnings=warnings, **facts)
    coverage = {**meaning.coverage, f"hours, level and {STAFF[weight]}": share}
    return replace(meaning, coverage=coverage, grade=grade_of(share))


def _long_week_warning(per_job: pl.DataFrame) -> tuple[str, ...]:
    """Return a warning if documented hours exceed the contract hours."""
    more = (pl.col("hours") > 1.1 * pl.col("week")) & pl.col("headcount").is_not_null()
    n = per_job.select(more.sum()).item()
    if not n:
        return ()
    jobs_have = "job has" if n == 1 else "jobs have"
    over = "documented hours above 110% of contract hours"
    return (f"{n:,} {jobs_have} {over}, so the freed hours may exceed the hours worked.",)
