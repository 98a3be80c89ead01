"""Data quality checks for tasks, jobs and job families."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import polars as pl

from tpanalytics.measures._core.metadata import STATES_UNKNOWN
from tpanalytics.measures.coverage import GROUPS, compare_hours_coverage
from tpanalytics.measures.hours import OVER_DESCRIBED, UNDER_DESCRIBED, is_over, is_under
from tpanalytics.schema import LEVELS, NO_FAMILY, NO_STATE, NOT_ASSESSED, level_order

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["SHARE", "Check", "Look", "checks_of_jobs", "checks_of_tasks", "found", "unknown"]

SHARE = "share, 0 to 1"
#: Maximum number of examples per check, and of groups per sentence.
_EXAMPLES, _GROUPS_LISTED = 5, 3
_GRADES = ["note", "warning", "error"]
#: Singular and plural for each type of item, and the reason code if there are none.
_NOUNS = {
    "tasks": ("task", "tasks", "NO_TASKS"),
    "jobs": ("job", "jobs", "NO_JOBS"),
    "families": ("job family", "job families", "NO_JOBS"),
    "tasks of jobs": ("task of a job", "tasks of jobs", "NO_TASKS"),
    "keys": ("shared task", "different tasks", "NO_TASKS"),
}


class Check(NamedTuple):
    """A row in the data quality report."""

    check: str
    severity: str
    finding: str
    value: float | None = None
    affected: int | None = None
    of: int | None = None
    counted: str = "tasks"
    unit: str = SHARE
    share_hours: float | None = None
    examples: list[str] = []  # noqa: RUF012  never mutated
    reason: str | None = None


class Look(NamedTuple):
    """Tables used by the checks."""

    #: Result of `aggregate.per_job`, with one row per job.
    jobs: pl.DataFrame
    #: ``job, job_family, level, state, n, n_known, hours`` for the counted tasks.
    cells: pl.DataFrame
    #: ``job, length, n``: number of tasks with 0 hours or with more hours than the shortest contract, for each length.
    odd: pl.DataFrame
    #: ``job, sources, n, hours``: tasks grouped by their number of sources. None if sources were not requested.
    evidence: pl.DataFrame | None
    #: Whether the tasks are from a table of the user's.
    is_table: bool = False

    @property
    def tasks(self) -> int:
        """Number of counted tasks."""
        return int(self.cells.get_column("n").sum())

    def share_of_hours(self, part: pl.DataFrame) -> float | None:
        """Return these rows' share of all documented hours, or None if there are none."""
        hours, total = (float(frame.get_column("hours").sum()) for frame in (part, self.cells))
        return min(hours / total, 1.0) if total > 0 else None

    def ids(self, of_jobs: pl.Series) -> list[str]:
        """Return the first few job ids."""
        first = of_jobs.unique().sort().head(_EXAMPLES).implode()
        return self.jobs.filter(pl.col("job").is_in(first)).get_column("job_id").to_list()


def unknown(
    check: str, reason: str, finding: str, of: int | None = None, counted: str = "tasks", **fields: Any
) -> Check:
    """Return a row for a check that can't be performed, including the reason."""
    return Check(check, "note", finding, of=of, counted=counted, reason=reason, **fields)


def found(
    check: str,
    says: str,
    affected: int,
    of: int,
    counted: str,
    *,
    floor: str = "note",
    cap: str = "error",
    so: str = "",
    value: float | None = None,
    **fields: Any,
) -> Check:
    """Return a row with the number of affected items and a severity based on the affected share."""
    singular, plural, reason = _NOUNS[counted]
    if not of:
        return unknown(
            check, reason, f"There is no {singular} to check.", 0, counted, **{**fields, "share_hours": None}
        )
    share = affected / of
    by_share = "note" if share <= 0.1 else "warning" if share <= 0.3 else "error"
    severity = sorted([floor, by_share, cap], key=_GRADES.index)[1] if affected else "ok"
    verbs = {"have": "has", "are": "is"} if affected == 1 else {"have": "have", "are": "are"}
    percent = "<0.1%" if 0 < share < 0.0005 else f"{share:.1%}"
    count = f"{affected:,} of {of:,} {singular if of == 1 else plural} ({percent})"
    total = f"{of:,} {singular if of == 1 else plural}"
    if not affected:
        fields |= {"share_hours": 0.0}
    figure = share if value is None else value
    sentence = (
        f"{says.format(n=count, total=total, part=f'{affected:,} ({percent})', **verbs)}{so if affected else ''}."
    )
    return Check(check, severity, sentence, figure, affected, of, counted, **fields)


def checks_of_tasks(look: Look) -> Iterator[Check]:
    """Check the hours, levels, validation states, sources and lengths of the counted tasks."""
    cells, all_tasks = look.cells, look.tasks
    n, gap, level = pl.col("n"), pl.col("n") - pl.col("n_known"), pl.col("level")

    def check(name: str, says: str, which: pl.Expr, *, count: pl.Expr = n, **fields: Any) -> Check:
        part = cells.filter(which & (count > 0))
        return found(
            name,
            says,
            int(part.select(count.sum()).item()),
            all_tasks,
            "tasks",
            # The share of hours is unknown when counting tasks without hours.
            share_hours=look.share_of_hours(part) if count is n else None,
            examples=look.ids(part.get_column("job")),
            **fields,
        )

    everything = pl.lit(value=True)
    yield check(
        "hours_missing",
        "{n} {have} no hours",
        everything,
        count=gap,
        so=". Missing hours are excluded, not counted as zero",
    )
    yield check("levels_missing", "{n} {have} no AI impact level", level == NOT_ASSESSED)
    yield check("hours_and_levels_missing", "{n} {have} neither hours nor a level", level == NOT_ASSESSED, count=gap)
    other_levels = cells.filter(~level.is_in([*LEVELS, NOT_ASSESSED])).group_by("level").agg(n.sum())
    counts = dict(other_levels.rows())
    listed = ", ".join(f"{name!r} {counts[name]:,}" for name in level_order(counts)[:_EXAMPLES])
    yield check(
        "levels_unknown",
        "{n} {have} a level other than H1 to H5",
        ~level.is_in([*LEVELS, NOT_ASSESSED]),
        floor="warning",
        so=f": {listed}{', and others' * (len(counts) > _EXAMPLES)}. Without a weight they count as not assessed",
    )
    yield _validated(look)
    yield _zero_hours(look)
    yield _too_long(look)
    yield _evidence(look)
    yield _uneven(look)


def _validated(look: Look) -> Check:
    cells = look.cells.filter(pl.col("state") != NO_STATE)
    of = int(cells.get_column("n").sum())
    if look.tasks and not of:
        return unknown("not_validated", "NO_STATES", STATES_UNKNOWN, 0)
    suggested = cells.filter(pl.col("state") != "validated")
    n_suggested = int(suggested.get_column("n").sum())
    total = float(cells.get_column("hours").sum())
    by_hours = float(suggested.get_column("hours").sum()) / total if total > 0 else None
    differs = by_hours is not None and abs(n_suggested / max(of, 1) - by_hours) > 0.02
    return found(
        "not_validated",
        "{n} {are} not validated",
        n_suggested,
        of,
        "tasks",
        cap="warning",
        so=". No task has hours"
        if by_hours is None
        else f", with {by_hours:.1%} of the hours{'. State which of the two shares you quote' if differs else ''}",
        share_hours=look.share_of_hours(suggested),
        examples=look.ids(suggested.filter(pl.col("n") > 0).get_column("job")),
    )


def _zero_hours(look: Look) -> Check:
    zero = look.odd.filter(pl.col("length") == 0)
    if look.tasks and not look.cells.get_column("n_known").sum():
        return unknown("zero_hours", "NO_HOURS", "No task has hours.", 0)
    return found(
        "zero_hours",
        "{n} with hours {have} 0 hours",
        int(zero.get_column("n").sum()),
        int(look.cells.get_column("n_known").sum()),
        "tasks",
        cap="warning",
        so=". They count as zero hours, so set them to null if the hours are unknown",
        share_hours=0.0,
        examples=look.ids(zero.get_column("job")),
    )


def _too_long(look: Look) -> Check:
    contracts = look.jobs.filter(pl.col("contract_hours") > 0)
    too_long = look.odd.join(contracts.select("job", "contract_hours"), on="job", maintain_order="left").filter(
        pl.col("length") > pl.col("contract_hours")
    )
    of = int(contracts.get_column("tasks_with_hours").sum())
    if not of:
        return unknown(
            "tasks_over_contract",
            "NO_CONTRACT_HOURS",
            "Tasks cannot be compared with contract hours: no job with hours has contract hours.",
        )
    return found(
        "tasks_over_contract",
        "{n} with hours and contract hours {are} longer than the contract week of the job",
        int(too_long.get_column("n").sum()),
        of,
        "tasks",
        floor="warning",
        share_hours=look.share_of_hours(too_long.select(hours=pl.col("n") * pl.col("length"))),
        examples=look.ids(too_long.get_column("job")),
    )


def _evidence(look: Look) -> Check:
    if look.evidence is None:
        finding = "Sources were not requested. Pass include=['source_data'] when loading."
        if look.is_table:
            finding = "Sources are unknown, because the table has no column 'source_data'."
        return unknown("evidence_missing", "NOT_RECORDED" if look.is_table else "NOT_REQUESTED", finding)
    without = look.evidence.filter(pl.col("sources") == 0)
    sources, n = (pl.col(name).cast(pl.Float64) for name in ("sources", "n"))
    mean_sources = look.evidence.filter(pl.col("sources") > 0).select(mean=(sources * n).sum() / n.sum()).item()
    return found(
        "evidence_missing",
        "{n} {have} no source"
        + (
            f". Tasks with sources have {mean_sources:.1f} different ones on average"
            if mean_sources is not None
            else ""
        ),
        int(without.get_column("n").sum()),
        int(look.evidence.get_column("n").sum()),
        "tasks",
        share_hours=look.share_of_hours(without),
        examples=look.ids(without.get_column("job")),
    )


def _uneven(look: Look) -> Check:
    if not look.tasks:
        return unknown("missing_hours_uneven", "NO_TASKS", "There is no task to check.", 0)
    out = compare_hours_coverage(look.cells).filter("stands_out")
    groups = {by: out.filter(pl.col("by") == by).get_column("group").implode() for by in GROUPS.values()}
    affected = look.cells.filter(pl.any_horizontal(pl.col(column).is_in(groups[by]) for column, by in GROUPS.items()))
    listed = [
        f"{coverage:.0%} for {by} {group}, {others:.0%} for all others"
        for by, group, coverage, others in out.select("by", "group", "coverage", "others").head(_GROUPS_LISTED).rows()
    ]
    n_more = out.height - _GROUPS_LISTED
    groups_differ = "group differs" if n_more == 1 else "groups differ"
    more = f"; {n_more} more {groups_differ} by more than 10 percentage points" if n_more > 0 else ""
    return Check(
        "missing_hours_uneven",
        "warning" if listed else "ok",
        f"Missing hours are not random. Share of tasks with hours: {'; '.join(listed)}{more}."
        if listed
        else "The share of tasks with hours does not differ by validation state, level or job family by more than 10 "
        "percentage points and more than chance.",
        max(out.get_column("difference").abs().to_list(), default=0.0),
        int(affected.get_column("n").sum()),
        look.tasks,
        unit="largest difference of shares, 0 to 1",
        share_hours=look.share_of_hours(affected) if listed else 0.0,
        examples=out.get_column("group").head(_EXAMPLES).to_list(),
    )


def checks_of_jobs(look: Look) -> Iterator[Check]:
    """Check the tasks, hours, headcounts, contract hours and names of jobs and job families."""
    check = partial(_check_jobs, look)
    has_tasks = pl.col("tasks") > 0
    yield check("jobs_without_tasks", "{n} {have} no tasks", ~has_tasks, so=". They are not included in averages")
    yield check(
        "jobs_incomplete",
        "Of {total} with tasks, {part} {have} some without hours",
        ~pl.col("complete"),
        has_tasks,
        so=", so their documented hours are too low",
        cap="warning",
    )
    yield from _weeks(look)
    for name, column, what, so in (
        ("headcount_missing", "headcount", "headcount", ". They are excluded from figures by headcount"),
        (
            "contract_hours_missing",
            "contract_hours",
            "contract hours",
            ", so their missing hours have no upper bound",
        ),
    ):
        yield check(name, f"{{n}} {{have}} no {what}", pl.col(column).is_null(), cap="warning", so=so)
    yield check(
        "jobs_without_name",
        "{n} {have} no name",
        pl.col("job_name").is_null(),
        cap="note",
        so=". Their ids are shown instead",
    )
    yield check(
        "jobs_without_family",
        "{n} {have} no job family",
        pl.col("group") == NO_FAMILY,
        so=f". They are listed under {NO_FAMILY}",
    )
    # Jobs without a family must not be reported as a family without tasks.
    families = look.jobs.group_by("group").agg(pl.col("tasks").sum()).filter(pl.col("group") != NO_FAMILY)
    empty = families.filter(pl.col("tasks") == 0).get_column("group").sort()
    yield found(
        "families_without_tasks",
        "{n} {have} no tasks",
        empty.len(),
        families.height,
        "families",
        so=". Their figures are null, not zero",
        share_hours=0.0,
        examples=empty.head(_EXAMPLES).to_list(),
    )


def _check_jobs(look: Look, name: str, says: str, which: pl.Expr, among: pl.Expr | None = None, **fields: Any) -> Check:
    checked = look.jobs if among is None else look.jobs.filter(among)
    part = checked.filter(which)
    return found(
        name,
        says,
        part.height,
        checked.height,
        "jobs",
        share_hours=look.share_of_hours(part),
        examples=part.get_column("job_id").head(_EXAMPLES).to_list(),
        **fields,
    )


def _weeks(look: Look) -> Iterator[Check]:
    """Compare each job's documented hours with its contract hours."""
    contract = pl.col("contract_hours") > 0
    over = f"{{n}} with hours and contract hours {{have}} documented hours above {OVER_DESCRIBED:.0%} of the contract"
    under = (
        "{n} with contract hours and hours for all tasks {have} documented hours below "
        f"{UNDER_DESCRIBED:.0%} of the contract"
    )
    for name, says, which, among in (
        ("weeks_over_described", over, is_over, contract & pl.col("hours").is_not_null()),
        ("weeks_under_described", under, is_under, contract & pl.col("complete")),
    ):
        if look.jobs.height and look.jobs.filter(contract).is_empty():
            yield unknown(name, "NO_CONTRACT_HOURS", "No job has contract hours.", 0, "jobs")
        elif look.jobs.height and look.jobs.filter(among).is_empty():
            yield unknown(
                name, "NO_HOURS", "No job with contract hours has the documented hours to compare.", 0, "jobs"
            )
        else:
            yield _check_jobs(look, name, says, which, among, floor="warning")
