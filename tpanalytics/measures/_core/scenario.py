"""What a scenario assumes, checked and put into words, and what it makes of one person's week in each job."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import polars as pl

from tpanalytics.errors import SchemaError
from tpanalytics.measures._core.aggregate import known_sum, n_stated
from tpanalytics.measures._core.checks import check_headcount, checked_week, is_number
from tpanalytics.measures._core.metadata import grade_of, meaning_of
from tpanalytics.schema import NO_FAMILY, NOT_ASSESSED, level_order

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tpanalytics.measures._core.aggregate import TaskCounts
    from tpanalytics.measures._core.metadata import Meaning

__all__ = [
    "BY_FAMILY",
    "FULL_TIME_WEEK",
    "NOT_WHO_LEAVES",
    "ONLY_KNOWN",
    "Range",
    "Span",
    "assumed",
    "checked_blocks",
    "checked_freed",
    "checked_share",
    "freed_per_job",
    "needs_headcount",
    "needs_week",
    "of_staff",
    "staffed_meaning",
    "undocumented_hours",
    "why_null",
]

#: How an assumption is given: a number, or the least and the most it may be.
Range = float | tuple[float, float]

#: What must stand beside every figure of this kind.
NOT_WHO_LEAVES = "Exposure says what could change, not who leaves."
#: What the figures do with what is not known.
ONLY_KNOWN = "Tasks without hours or without a level are in no low and no high figure; they are not zero."


#: What to give as the hours of a full-time week.
FULL_TIME_WEEK = (
    "above 0 and up to 168 (hours of a full-time week), or None if every job with a headcount has contract_hours"
)


_FULL_CONTRACT = "above 0 and up to 168 (hours per week of a full contract), or None"


class Span(NamedTuple):
    """The least and the most an assumed share may be; the same where a number was given."""

    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.low:g}" if self.low == self.high else f"{self.low:g} to {self.high:g}"


def checked_share(name: str, given: Any) -> Span:
    """Return an assumed share as its least and its most."""
    pair = given if isinstance(given, tuple | list) else (given, given)
    if len(pair) != 2 or not all(is_number(value) and 0 <= value <= 1 for value in pair) or pair[0] > pair[1]:
        raise SchemaError(f"{name}={given!r}: give a number from 0 to 1, or a pair (least, most) like (0.4, 0.7).")
    return Span(float(pair[0]), float(pair[1]))


def checked_freed(freed: Mapping[str, Range]) -> dict[str, Span]:
    """Return the share of a task's time that is freed, by level."""
    if not hasattr(freed, "items") or not freed:
        raise SchemaError(
            f"freed={freed!r}: give the share of a task's time that is freed by level, like "
            "{'H1': (0.4, 0.7), 'H2': 0.2, 'H3': 0}."
        )
    if NOT_ASSESSED in freed:
        raise SchemaError(f"freed: tasks that are {NOT_ASSESSED!r} free an unknown share; they count in the most.")
    return {level: checked_share(f"freed[{level!r}]", given) for level, given in freed.items()}


def must_name(levels: Iterable[str], freed: Mapping[str, Span]) -> None:
    """Refuse a level of the data that has no share, for then nobody has said what it frees."""
    unnamed = [level for level in level_order(levels) if level not in freed and level != NOT_ASSESSED]
    if unnamed:
        raise SchemaError(
            f"freed says nothing of {', '.join(map(repr, unnamed))}, which tasks have; it names "
            f"{', '.join(map(repr, freed))}. Give each level its share, and 0 if it frees nothing."
        )


def checked_blocks(block_hours: Any) -> list[float]:
    """Return the block sizes in order, each once."""
    blocks = block_hours if isinstance(block_hours, list | tuple) else [block_hours]
    if not blocks or not all(is_number(hours) and hours > 0 for hours in blocks):
        raise SchemaError(
            f"block_hours={block_hours!r}: give hours per person and week above 0, one or several, like [1, 2, 4]."
        )
    return sorted({float(hours) for hours in blocks})


def assumed(levels: Mapping[str, Span]) -> str:
    """Put into words what is assumed of each level, as the beginning of a sentence."""
    return "Assumed, not measured: share of a task's time freed " + ", ".join(
        f"{level} {span}" for level, span in levels.items()
    )


#: The order of every result here: families by name, jobs without one last.
BY_FAMILY: tuple[Any, ...] = (pl.col("job_family") == NO_FAMILY, "job_family")


def needs_headcount(jobs: pl.DataFrame) -> None:
    """Refuse jobs without headcounts."""
    check_headcount(jobs.columns, "capacity without adoption and realisation, which counts one person for each job")


def needs_week(per_job: pl.DataFrame) -> None:
    """Refuse jobs whose full-time week nobody has said."""
    without = per_job.filter(pl.col("week").is_null() & pl.col("headcount").is_not_null())
    if without.height:
        raise SchemaError(
            f"contract_hours=None, but {without.height:,} job(s) with a headcount have no contract_hours, the first is "
            f"{without.item(0, 'job_id')!r}. Give the hours of a full-time week."
        )


def undocumented_hours(reduced: TaskCounts, contract_hours: float | None) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """Compute ``job, rest``, the contract hours that each job does not describe (null where unknown), with warnings."""
    contract_hours = checked_week(contract_hours, _FULL_CONTRACT)
    jobs = reduced.jobs
    own = pl.col("contract_hours") if "contract_hours" in jobs.columns else pl.lit(None, dtype=pl.Float64)
    weeks = jobs.select("job", week=own)
    warnings: tuple[str, ...] = ()
    lacking = weeks.get_column("week").null_count()
    if contract_hours is not None:
        weeks = weeks.with_columns(pl.col("week").fill_null(contract_hours))
        if lacking:
            warnings = (f"{lacking:,} jobs without contract hours were taken to have {contract_hours:g} per week.",)
    described = reduced.cells.group_by("job").agg(described=pl.col("hours").sum())
    rest = (pl.col("week") - pl.col("described").fill_null(0.0)).clip(lower_bound=0.0)
    return weeks.join(described, on="job", how="left", maintain_order="left").select("job", rest=rest), warnings


def freed_per_job(reduced: TaskCounts, freed: Mapping[str, Span], contract_hours: float | None = None) -> pl.DataFrame:
    """Add up, by job, the hours that one person is freed of, and what unknown hours and levels could add to them."""
    jobs, cells = reduced.jobs, reduced.cells
    must_name(cells.get_column("level").unique(), freed)
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
            # A task without hours may take the whole rest of the week, at the share of its level; or of any level.
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
    # Null for a job without tasks: of what it could free nothing is known.
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


def of_staff(frame: pl.DataFrame) -> pl.DataFrame:
    """Count people in the place of one person: hours times headcount, null where that is not known."""
    staff, staffed = pl.col("headcount"), pl.col("headcount").is_not_null()
    counts, hours = (
        ("tasks", "tasks_with_hours", "tasks_known", "tasks_stated"),
        ("hours", "freed_low", "freed_high", "freed_most"),
    )
    return frame.with_columns(
        *(pl.when(staffed).then(name).otherwise(0).cast(pl.UInt32).alias(name) for name in counts),
        *(pl.col(name) * staff for name in hours),
        all_tasks=pl.col("tasks"),
        people=pl.when(pl.col("freed_low").is_not_null()).then(staff),
    )


def why_null() -> pl.Expr:
    """Return why a family has no figure; null where it has one."""
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


def staffed_meaning(reduced: TaskCounts, per_job: pl.DataFrame, **said: Any) -> Meaning:
    """Make the meaning of a figure by headcount, graded by the tasks that have hours, a level and people."""
    staffed = pl.col("headcount").is_not_null()
    known, tasks, unstaffed = per_job.select(
        pl.col("tasks_stated").filter(staffed).sum(), pl.col("tasks").sum(), (~staffed).sum().alias("unstaffed")
    ).row(0)
    covered = known / tasks if tasks else None
    warnings = _over_described(per_job)
    if unstaffed:
        warnings = (f"{unstaffed:,} of {per_job.height:,} jobs have no headcount and are left out.", *warnings)
    meaning = meaning_of(reduced, staffed=True, basis="headcount", warnings=warnings, **said)
    coverage = {**meaning.coverage, "hours, level and headcount": covered}
    return replace(meaning, coverage=coverage, grade=grade_of(covered))


def _over_described(per_job: pl.DataFrame) -> tuple[str, ...]:
    """Warn of jobs whose tasks come to more than their week, so that more may be freed than people work."""
    more = (pl.col("hours") > 1.1 * pl.col("week")) & pl.col("headcount").is_not_null()
    n = per_job.select(more.sum()).item()
    if not n:
        return ()
    return (f"In {n:,} job(s) the tasks come to more than 1.1 times the week; more may be freed there than is worked.",)
