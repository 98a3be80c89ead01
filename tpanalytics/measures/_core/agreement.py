"""What is said of the same task more than once: in one job, and whether all jobs that have it rate it alike."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any, NamedTuple

import polars as pl

from tpanalytics.measures._core.quality_checks import Check, Look, found, unknown
from tpanalytics.measures._core.task_identity import has_no_identity, one_row_per_task
from tpanalytics.schema import LEVELS, NOT_ASSESSED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tpanalytics.measures._core.task_identity import IdentifiedTasks
    from tpanalytics.typing import SameTask

__all__ = ["Agreement", "agreement", "checks_of_keys", "ordinal_alpha", "ratings"]

#: Below this many tasks rated in two jobs, agreement is chance.
_KEYS_FOR_AGREEMENT = 20
#: Krippendorff's own marks: rely on levels from the first, with caution from the second, not below.
_RELIABLE, _TENTATIVE = 0.8, 0.667
_ALPHA = "Krippendorff's alpha, at most 1"


class Agreement(NamedTuple):
    """How many tasks several jobs share and rate, and how many pairs of jobs rate them the same."""

    shared: int
    rated: int
    differing: int
    pairs: int
    equal: int


def ratings(unique: pl.DataFrame) -> pl.DataFrame:
    """Count how many jobs gave each task each level; a level in conflict within a job is none."""
    # A null level compares as null, and is left out as well.
    rated = unique.filter(pl.col("level") != NOT_ASSESSED)
    # Grouping by numbers is quicker than by texts.
    levels = pl.Enum(rated.get_column("level").unique().sort())
    return (
        rated.select("key", pl.col("level").cast(levels))
        .group_by("key", "level")
        .agg(jobs=pl.len().cast(pl.Int64))
        .sort("key", "level")
        .with_columns(pl.col("level").cast(pl.String))
    )


def agreement(unique: pl.DataFrame, rated: pl.DataFrame) -> Agreement:
    """Compare every two jobs that have the same task, by counting levels and not by looking at pairs."""
    jobs = pl.col("jobs")
    of_key = (
        rated.group_by("key")
        .agg(jobs.sum(), levels=pl.len(), equal=(jobs * (jobs - 1) // 2).sum())
        .filter(jobs > 1)
        .select(
            rated=pl.len(),
            differing=(pl.col("levels") > 1).sum(),
            pairs=(jobs * (jobs - 1) // 2).sum(),
            equal=pl.col("equal").sum(),
        )
    )
    shared = unique.group_by("key").len().filter(pl.col("len") > 1).height
    return Agreement(shared, *map(int, of_key.row(0)))


def ordinal_alpha(rated: pl.DataFrame) -> float | None:
    """Compute Krippendorff's alpha of levels as an order: 1 is full agreement, 0 what chance would give."""
    count = {level: pl.when(pl.col("level") == level).then(pl.col("jobs")).otherwise(0) for level in LEVELS}
    of_key = (
        rated.group_by("key")
        .agg(**{level: each.sum().cast(pl.Float64) for level, each in count.items()})
        .with_columns(m=pl.sum_horizontal(LEVELS))
        .filter(pl.col("m") > 1)
        .sort("key")
    )
    pairs = list(combinations(range(len(LEVELS)), 2))
    together = of_key.select(
        (pl.col(LEVELS[c]) * pl.col(LEVELS[k]) / (pl.col("m") - 1)).sum().alias(f"{c}-{k}") for c, k in pairs
    ).row(0)
    n_of = of_key.select(pl.col(level).sum() for level in LEVELS).row(0)
    distances = [sum(n_of[c : k + 1]) - (n_of[c] + n_of[k]) / 2 for c, k in pairs]
    observed = sum(o * d**2 for o, d in zip(together, distances, strict=True))
    expected = sum(n_of[c] * n_of[k] * d**2 for (c, k), d in zip(pairs, distances, strict=True))
    return 1 - (sum(n_of) - 1) * observed / expected if expected else None


def checks_of_keys(shared: IdentifiedTasks, look: Look, same_task: SameTask) -> Iterator[Check]:
    """Look at tasks that stand in one job more than once (R5), and at those of several jobs (M9, M10)."""
    nameless = shared.keys.filter(has_no_identity()).get_column("key").implode()
    lost = shared.rows.filter(pl.col("key").is_in(nameless))
    yield found(
        "identity_missing",
        "{n} {have} nothing to be told apart by",
        int(lost.get_column("n").sum()),
        look.tasks,
        "tasks",
        so="; they are compared with no other",
        share_hours=look.share_of_hours(lost),
        examples=look.ids(lost.get_column("job")),
    )
    rows = shared.rows.filter(~pl.col("key").is_in(nameless))
    unique = one_row_per_task(rows, hours="keep")
    yield from _repeats(rows, unique, shared, look)
    yield from _levels(unique, shared, look, same_task)


def _repeats(rows: pl.DataFrame, unique: pl.DataFrame, shared: IdentifiedTasks, look: Look) -> Iterator[Check]:
    n = pl.col("n")
    pairs, repeated = unique.height, unique.filter(n > 1)
    rows = rows.join(repeated.select("key", "job"), on=["key", "job"], how="semi").sort("key", "job", "level")
    kept, longest, added = (one_row_per_task(rows, hours=how) for how in ("keep", "max", "sum"))
    touched = look.share_of_hours(kept)
    examples = _names(shared, kept)
    yield found(
        "repeated_tasks",
        "{n} {are} in their job more than once",
        int(kept.get_column("n").sum()),
        int(unique.get_column("n").sum()),
        "tasks",
        floor="warning",
        share_hours=touched,
        examples=examples,
    )
    most, least = (float(each.get_column("hours").sum()) for each in (kept, longest))
    unsure = added.get_column("hours").null_count()
    yield found(
        "repeated_hours",
        "{n} {are} repeated",
        kept.height,
        pairs,
        "tasks of jobs",
        so=f". If every row counts they hold {most:,.1f} hours per week, if only the longest of each counts "
        f"{least:,.1f}; if rows are parts of one task {added.get_column('hours').sum():,.1f}"
        f"{f', and not known for {unsure:,} of them' if unsure else ''}",
        value=most - least,
        unit="hours per week between counting all and the longest",
        share_hours=touched,
        examples=examples,
        floor="warning" if most > least else "note",
    )
    torn = kept.filter(pl.col("level").is_null())
    yield found(
        "levels_in_conflict",
        "{n} {have} levels that contradict each other",
        torn.height,
        pairs,
        "tasks of jobs",
        floor="warning",
        so="; where jobs are compared they have none",
        share_hours=look.share_of_hours(torn),
        examples=_names(shared, torn),
    )


def _levels(unique: pl.DataFrame, shared: IdentifiedTasks, look: Look, same_task: SameTask) -> Iterator[Check]:
    rated = ratings(unique)
    alike = agreement(unique, rated)
    levels = rated.group_by("key").len().filter(pl.col("len") > 1)
    torn = unique.filter(pl.col("key").is_in(levels.get_column("key").implode()))
    said: dict[str, Any] = {
        "share_hours": look.share_of_hours(torn),
        "examples": _names(shared, torn),
    }
    if alike.rated:
        yield found(
            "rated_differently",
            "{n} with a level in two jobs or more {are} rated differently from job to job",
            alike.differing,
            alike.rated,
            "keys",
            cap="warning",
            **said,
        )
    else:
        lone = (
            f"No task has a level in two jobs or more, of {alike.shared:,} that two jobs have."
            if alike.shared
            else f"No two jobs have the same task by its {same_task}"
            f"{', so if every job has ids of its own, pass same_task=text' if same_task == 'id' else ''}."
        )
        yield unknown("rated_differently", "TOO_FEW" if alike.shared else "NO_TASKS", lone, 0, "keys")
    yield from _agreements(rated, alike, said)


def _agreements(rated: pl.DataFrame, alike: Agreement, said: dict[str, Any]) -> Iterator[Check]:
    """Check how often, and how far beyond chance, jobs give the same task the same level."""
    pairs = (alike.pairs - alike.equal, alike.pairs)
    if alike.rated < _KEYS_FOR_AGREEMENT:
        few = (
            f"{alike.rated:,} tasks have a level in two jobs or more; agreement is said from {_KEYS_FOR_AGREEMENT} on."
        )
        yield unknown("level_agreement", "TOO_FEW", few, pairs[1], "pairs of jobs")
        yield unknown("level_alpha", "TOO_FEW", few, alike.rated, "keys", unit=_ALPHA)
        return
    share = alike.equal / alike.pairs
    yield Check(
        "level_agreement",
        "ok" if share == 1 else "note" if share >= 0.9 else "warning",
        f"Two jobs with the same task give it the same level in {share:.1%} of {alike.pairs:,} pairs.",
        share,
        *pairs,
        "pairs of jobs",
        **said,
    )
    yield _alpha(rated, alike, said)


def _alpha(rated: pl.DataFrame, alike: Agreement, said: dict[str, Any]) -> Check:
    alpha = ordinal_alpha(rated)
    if alpha is None:
        same = "All tasks that jobs share have the same level, or none of H1 to H5; that says nothing of agreement."
        return unknown("level_alpha", "NO_VARIATION", same, alike.rated, "keys", unit=_ALPHA)
    reliable, tentative = alpha >= _RELIABLE, alpha >= _TENTATIVE
    judged = "reliable" if reliable else "good for tentative conclusions" if tentative else "not reliable"
    printed = round(alpha, 2) + 0.0  # no minus before a zero
    return Check(
        "level_alpha",
        "ok" if reliable else "warning" if tentative else "error",
        f"Beyond what chance would give, levels of the same task agree with alpha {printed:.2f} (1 is full agreement, "
        f"0 chance); {judged} by the usual marks {_RELIABLE} and {_TENTATIVE}.",
        alpha,
        alike.differing,
        alike.rated,
        "keys",
        _ALPHA,
        **said,
    )


def _names(shared: IdentifiedTasks, unique: pl.DataFrame) -> list[str]:
    """Name the first of the tasks by their identity."""
    first = unique.get_column("key").unique().sort().head(5).implode()
    return shared.keys.filter(pl.col("key").is_in(first)).get_column("name").to_list()
