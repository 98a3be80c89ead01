"""What a quality report looks at in tasks, jobs and families; each check says what it found in one sentence."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import polars as pl

from tpanalytics.measures.coverage import GROUPS, uneven_hours
from tpanalytics.measures.hours import OVER_DESCRIBED, UNDER_DESCRIBED, is_over, is_under
from tpanalytics.schema import LEVELS, NO_FAMILY, NOT_ASSESSED, level_order

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["SHARE", "Check", "Look", "checks_of_jobs", "checks_of_tasks", "found", "unknown"]

SHARE = "share, 0 to 1"
#: How many examples a check names, and how many groups a sentence.
_EXAMPLES, _NAMED = 5, 3
_GRADES = ["note", "warning", "error"]
_ONE = {
    "tasks": ("task", "NO_TASKS"),
    "jobs": ("job", "NO_JOBS"),
    "families": ("family", "NO_JOBS"),
    "tasks of jobs": ("task of a job", "NO_TASKS"),
    "keys": ("task that jobs share", "NO_TASKS"),
}


class Check(NamedTuple):
    """One row of the report; see `quality_report` for what the columns mean."""

    check: str
    severity: str
    finding: str
    value: float | None = None
    affected: int | None = None
    of: int | None = None
    counted: str = "tasks"
    unit: str = SHARE
    share_hours: float | None = None
    examples: list[str] = []  # noqa: RUF012  never changed
    reason: str | None = None


class Look(NamedTuple):
    """The small tables that all checks look at.

    Attributes
    ----------
    jobs
        One row per job: ``job, job_id, job_name, job_family, headcount, contract_hours, tasks, tasks_with_hours,
        hours, complete``, as `aggregate.per_job` gives it.
    cells
        ``job, job_family, level, state, n, n_known, hours`` of the tasks that count.
    odd
        ``job, length, n``: tasks of no hours, or of more than the shortest contract, by their length.
    evidence
        ``job, sources, n, hours``: tasks by how many sources they have; None if they were not asked for.
    """

    jobs: pl.DataFrame
    cells: pl.DataFrame
    odd: pl.DataFrame
    evidence: pl.DataFrame | None

    @property
    def tasks(self) -> int:
        """Tasks that count."""
        return int(self.cells.get_column("n").sum())

    def share_of_hours(self, part: pl.DataFrame) -> float | None:
        """Say which part of the known hours is in the column ``hours`` of these rows; None where none is known."""
        hours, known = (float(frame.get_column("hours").sum()) for frame in (part, self.cells))
        return min(hours / known, 1.0) if known > 0 else None

    def ids(self, of_jobs: pl.Series) -> list[str]:
        """Name the first of the jobs by id."""
        first = of_jobs.unique().sort().head(_EXAMPLES).implode()
        return self.jobs.filter(pl.col("job").is_in(first)).get_column("job_id").to_list()


def unknown(check: str, reason: str, finding: str, of: int | None = None, counted: str = "tasks", **said: Any) -> Check:
    """Make a row of what cannot be said, with the reason."""
    return Check(check, "note", finding, of=of, counted=counted, reason=reason, **said)


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
    **said: Any,
) -> Check:
    """Make a row of how many of how many."""
    one, reason = _ONE[counted]
    if not of:
        return unknown(check, reason, f"There is no {one} to look at.", 0, counted, **{**said, "share_hours": None})
    share = affected / of
    by_share = "note" if share <= 0.1 else "warning" if share <= 0.3 else "error"
    severity = sorted([floor, by_share, cap], key=_GRADES.index)[1] if affected else "ok"
    verbs = {"have": "has", "are": "is"} if affected == 1 else {"have": "have", "are": "are"}
    many = "different tasks" if counted == "keys" else counted
    percent = "<0.1%" if 0 < share < 0.0005 else f"{share:.1%}"
    count = f"{affected:,} of {of:,} {one if of == 1 else many} ({percent})"
    if not affected:
        said |= {"share_hours": 0.0}
    figure = share if value is None else value
    sentence = f"{says.format(n=count, **verbs)}{so if affected else ''}."
    return Check(check, severity, sentence, figure, affected, of, counted, **said)


def checks_of_tasks(look: Look) -> Iterator[Check]:
    """Look at hours, levels, validation, evidence and odd lengths of the tasks that count."""
    cells, all_tasks = look.cells, look.tasks
    n, gap, level = pl.col("n"), pl.col("n") - pl.col("n_known"), pl.col("level")

    def check(name: str, says: str, which: pl.Expr, *, count: pl.Expr = n, **said: Any) -> Check:
        part = cells.filter(which & (count > 0))
        return found(
            name,
            says,
            int(part.select(count.sum()).item()),
            all_tasks,
            "tasks",
            # Tasks without hours touch hours that nobody knows.
            share_hours=look.share_of_hours(part) if count is n else None,
            examples=look.ids(part.get_column("job")),
            **said,
        )

    everything = pl.lit(value=True)
    yield check("hours_missing", "{n} {have} no hours", everything, count=gap, so="; they are not known, and not zero")
    yield check("levels_missing", "{n} {have} no AI impact level", level == NOT_ASSESSED)
    yield check("hours_and_levels_missing", "{n} {have} neither hours nor level", level == NOT_ASSESSED, count=gap)
    strange = cells.filter(~level.is_in([*LEVELS, NOT_ASSESSED])).group_by("level").agg(n.sum())
    counts = dict(strange.rows())
    named = ", ".join(f"{name!r} {counts[name]:,}" for name in level_order(counts)[:_EXAMPLES])
    yield check(
        "levels_unknown",
        "{n} {have} a level other than H1 to H5",
        ~level.is_in([*LEVELS, NOT_ASSESSED]),
        floor="warning",
        so=f": {named}{', and others' if len(counts) > _EXAMPLES else ''}; it counts as unknown until it has a weight",
    )
    suggested = pl.col("state") != "validated"
    by_hours = look.share_of_hours(cells.filter(suggested))
    by_tasks = float(cells.filter(suggested).get_column("n").sum()) / max(all_tasks, 1)
    # Two shares of the same that differ by more than 2 points are shown as two (rule R1).
    apart = by_hours is not None and abs(by_tasks - by_hours) > 0.02
    yield check(
        "not_validated",
        "{n} {are} not validated",
        suggested,
        cap="warning",
        so="; of the hours nothing is known"
        if by_hours is None
        else f"; by hours it is {by_hours:.1%}{', so say which is meant' if apart else ''}",
    )
    yield _zero_hours(look)
    yield _too_long(look)
    yield _evidence(look)
    yield _uneven(look)


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
        so="; a stated zero counts as zero, so make it null where it stands for not known",
        share_hours=0.0,
        examples=look.ids(zero.get_column("job")),
    )


def _too_long(look: Look) -> Check:
    contracts = look.jobs.filter(pl.col("contract_hours") > 0)
    long = look.odd.join(contracts.select("job", "contract_hours"), on="job", maintain_order="left").filter(
        pl.col("length") > pl.col("contract_hours")
    )
    of = int(contracts.get_column("tasks_with_hours").sum())
    if not of:
        return unknown(
            "tasks_over_contract",
            "NO_CONTRACT_HOURS",
            "Whether a task is longer than the contract week is not known: no job with hours has contract hours.",
        )
    return found(
        "tasks_over_contract",
        "{n} with hours and contract {are} longer than the whole contract week of the job",
        int(long.get_column("n").sum()),
        of,
        "tasks",
        floor="warning",
        share_hours=look.share_of_hours(long.select(hours=pl.col("n") * pl.col("length"))),
        examples=look.ids(long.get_column("job")),
    )


def _evidence(look: Look) -> Check:
    if look.evidence is None:
        return unknown(
            "evidence_missing",
            "NOT_REQUESTED",
            "What tasks are based on is not known; ask for include=['source_data'] when loading.",
        )
    without = look.evidence.filter(pl.col("sources") == 0)
    sources, n = (pl.col(name).cast(pl.Float64) for name in ("sources", "n"))
    backed = look.evidence.filter(pl.col("sources") > 0).select(mean=(sources * n).sum() / n.sum()).item()
    return found(
        "evidence_missing",
        "{n} {have} no source"
        + (f"; those with one have {backed:.1f} different ones on average" if backed is not None else ""),
        int(without.get_column("n").sum()),
        int(look.evidence.get_column("n").sum()),
        "tasks",
        share_hours=look.share_of_hours(without),
        examples=look.ids(without.get_column("job")),
    )


def _uneven(look: Look) -> Check:
    if not look.tasks:
        return unknown("missing_hours_uneven", "NO_TASKS", "There is no task to look at.", 0)
    out = uneven_hours(look.cells).filter("stands_out")
    groups = {by: out.filter(pl.col("by") == by).get_column("group").implode() for by in GROUPS.values()}
    affected = look.cells.filter(pl.any_horizontal(pl.col(column).is_in(groups[by]) for column, by in GROUPS.items()))
    told = [
        f"{coverage:.0%} where the {by} is {group}, {others:.0%} elsewhere"
        for by, group, coverage, others in out.select("by", "group", "coverage", "others").head(_NAMED).rows()
    ]
    more = f"; and {out.height - _NAMED} more groups differ by over 10 points" if out.height > _NAMED else ""
    return Check(
        "missing_hours_uneven",
        "warning" if told else "ok",
        f"Missing hours are not random. Tasks with hours: {'; '.join(told)}{more}."
        if told
        else "By validation state, level and family, no share of tasks with hours differs from that of all others by "
        "more than 10 points and by more than chance would.",
        max(out.get_column("difference").abs().to_list(), default=0.0),
        int(affected.get_column("n").sum()),
        look.tasks,
        unit="largest such difference of shares, 0 to 1",
        share_hours=look.share_of_hours(affected) if told else 0.0,
        examples=out.get_column("group").head(_EXAMPLES).to_list(),
    )


def checks_of_jobs(look: Look) -> Iterator[Check]:
    """Check jobs and families: tasks, weeks, people, contracts, names."""
    check = partial(_check_jobs, look)
    filled = pl.col("tasks") > 0
    yield check("jobs_without_tasks", "{n} {have} no task that counts", ~filled, so="; they lower no mean")
    yield check(
        "jobs_incomplete",
        "{n} with tasks {have} tasks without hours",
        ~pl.col("complete"),
        filled,
        so=", and so a longer week than their hours add up to",
        cap="warning",
    )
    yield from _weeks(look)
    for name, column, what, so in (
        ("headcount_missing", "headcount", "headcount", "; they are left out of what is weighted by people"),
        (
            "contract_hours_missing",
            "contract_hours",
            "contract hours",
            "; what their missing hours may be has no bound",
        ),
    ):
        yield check(name, f"{{n}} {{have}} no {what}", pl.col(column).is_null(), cap="warning", so=so)
    yield check(
        "jobs_without_name", "{n} {have} no name", pl.col("job_name").is_null(), cap="note", so="; ids are printed"
    )
    yield check(
        "jobs_without_family",
        "{n} {have} no job family",
        pl.col("job_family") == NO_FAMILY,
        so=f"; {NO_FAMILY} is printed",
    )
    # Jobs of no family are no family that lacks tasks.
    families = look.jobs.group_by("job_family").agg(pl.col("tasks").sum()).filter(pl.col("job_family") != NO_FAMILY)
    empty = families.filter(pl.col("tasks") == 0).get_column("job_family").sort()
    yield found(
        "families_without_tasks",
        "{n} {have} no task that counts",
        empty.len(),
        families.height,
        "families",
        so="; results have nulls there, not zeros",
        share_hours=0.0,
        examples=empty.head(_EXAMPLES).to_list(),
    )


def _check_jobs(look: Look, name: str, says: str, which: pl.Expr, among: pl.Expr | None = None, **said: Any) -> Check:
    asked = look.jobs if among is None else look.jobs.filter(among)
    part = asked.filter(which)
    return found(
        name,
        says,
        part.height,
        asked.height,
        "jobs",
        share_hours=look.share_of_hours(part),
        examples=part.get_column("job_id").head(_EXAMPLES).to_list(),
        **said,
    )


def _weeks(look: Look) -> Iterator[Check]:
    """Check the documented hours of jobs against their contract weeks."""
    contract = pl.col("contract_hours") > 0
    over = f"{{n}} with hours and contract {{are}} described by more than {OVER_DESCRIBED:.0%} of the contract week"
    under = f"{{n}} with contract and hours for all tasks {{are}} described by less than {UNDER_DESCRIBED:.0%} of it"
    for name, says, which, among in (
        ("weeks_over_described", over, is_over, contract & pl.col("hours").is_not_null()),
        ("weeks_under_described", under, is_under, contract & pl.col("complete")),
    ):
        if look.jobs.height and look.jobs.filter(contract).is_empty():
            yield unknown(name, "NO_CONTRACT_HOURS", "No job has contract hours to compare its week with.", 0, "jobs")
        elif look.jobs.height and look.jobs.filter(among).is_empty():
            yield unknown(name, "NO_HOURS", "No job with contract hours has the hours to compare.", 0, "jobs")
        else:
            yield _check_jobs(look, name, says, which, among, floor="warning")
