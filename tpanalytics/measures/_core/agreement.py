"""Data quality checks for repeated and shared tasks."""

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

#: Minimum number of tasks rated in two or more jobs to compute an agreement.
_KEYS_FOR_AGREEMENT = 20
#: Krippendorff's thresholds for reliable data and for tentative conclusions.
_RELIABLE, _TENTATIVE = 0.8, 0.667
_ALPHA = "Krippendorff's alpha, at most 1"


class Agreement(NamedTuple):
    """Counts of shared and rated tasks, and of job pairs that agree on the rating."""

    shared: int
    rated: int
    differing: int
    pairs: int
    equal: int


def ratings(unique: pl.DataFrame) -> pl.DataFrame:
    """Count jobs by task and level, ignoring levels that are missing or conflict within a job."""
    # This also drops null levels, since any comparison with null is null.
    rated = unique.filter(pl.col("level") != NOT_ASSESSED)
    # Grouping by an Enum is faster than grouping by strings.
    levels = pl.Enum(rated.get_column("level").unique().sort())
    return (
        rated.select("key", pl.col("level").cast(levels))
        .group_by("key", "level")
        .agg(jobs=pl.len().cast(pl.Int64))
        .sort("key", "level")
        .with_columns(pl.col("level").cast(pl.String))
    )


def agreement(unique: pl.DataFrame, rated: pl.DataFrame) -> Agreement:
    """Compare all pairs of jobs that share a task, using only the number of jobs at each level."""
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
    """Return Krippendorff's alpha for ordinal levels, where 1 is full agreement and 0 is agreement by chance."""
    count = {level: pl.when(pl.col("level") == level).then(pl.col("jobs")).otherwise(0) for level in LEVELS}
    of_key = (
        rated.group_by("key")
        .agg(**{level: each.sum().cast(pl.Float64) for level, each in count.items()})
        .with_columns(m=pl.sum_horizontal(LEVELS))
        .filter(pl.col("m") > 1)
        .sort("key")
    )
    pairs = list(combinations(range(len(LEVELS)), 2))
    coincidences = of_key.select(
        (pl.col(LEVELS[c]) * pl.col(LEVELS[k]) / (pl.col("m") - 1)).sum().alias(f"{c}-{k}") for c, k in pairs
    ).row(0)
    n_of = of_key.select(pl.col(level).sum() for level in LEVELS).row(0)
    distances = [sum(n_of[c : k + 1]) - (n_of[c] + n_of[k]) / 2 for c, k in pairs]
    observed = sum(o * d**2 for o, d in zip(coincidences, distances, strict=True))
    expected = sum(n_of[c] * n_of[k] * d**2 for (c, k), d in zip(pairs, distances, strict=True))
    return 1 - (sum(n_of) - 1) * observed / expected if expected else None


def checks_of_keys(shared: IdentifiedTasks, look: Look, same_task: SameTask) -> Iterator[Check]:
    """Check for tasks that are repeated within a job or shared by several jobs."""
    nameless = shared.keys.filter(has_no_identity()).get_column("key").implode()
    unidentified = shared.rows.filter(pl.col("key").is_in(nameless))
    yield found(
        "identity_missing",
        f"{{n}} {{have}} no {same_task}",
        int(unidentified.get_column("n").sum()),
        look.tasks,
        "tasks",
        so=". They are not compared with other tasks",
        share_hours=look.share_of_hours(unidentified),
        examples=look.ids(unidentified.get_column("job")),
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
    share_hours = look.share_of_hours(kept)
    examples = _names(shared, kept)
    yield found(
        "repeated_tasks",
        "{n} {are} repeated in the same job",
        int(kept.get_column("n").sum()),
        int(unique.get_column("n").sum()),
        "tasks",
        floor="warning",
        share_hours=share_hours,
        examples=examples,
    )
    most, least = (float(each.get_column("hours").sum()) for each in (kept, longest))
    n_unknown = added.get_column("hours").null_count()
    yield found(
        "repeated_hours",
        "{n} {are} repeated",
        kept.height,
        pairs,
        "tasks of jobs",
        so=f". They have {most:,.1f} hours per week if every row counts, {least:,.1f} if only the longest row counts, "
        f"and {added.get_column('hours').sum():,.1f} if the rows are parts of one task"
        f"{f' (unknown for {n_unknown:,} of them)' if n_unknown else ''}",
        value=most - least,
        unit="hours per week: all rows minus the longest row of each task",
        share_hours=share_hours,
        examples=examples,
        floor="warning" if most > least else "note",
    )
    conflicts = kept.filter(pl.col("level").is_null())
    yield found(
        "levels_in_conflict",
        "{n} {have} conflicting levels",
        conflicts.height,
        pairs,
        "tasks of jobs",
        floor="warning",
        so=". They count as not assessed where jobs are compared",
        share_hours=look.share_of_hours(conflicts),
        examples=_names(shared, conflicts),
    )


def _levels(unique: pl.DataFrame, shared: IdentifiedTasks, look: Look, same_task: SameTask) -> Iterator[Check]:
    rated = ratings(unique)
    counts = agreement(unique, rated)
    levels = rated.group_by("key").len().filter(pl.col("len") > 1)
    disputed = unique.filter(pl.col("key").is_in(levels.get_column("key").implode()))
    fields: dict[str, Any] = {
        "share_hours": look.share_of_hours(disputed),
        "examples": _names(shared, disputed),
    }
    if counts.rated:
        yield found(
            "rated_differently",
            "{n} with a level in at least two jobs {have} different levels in different jobs",
            counts.differing,
            counts.rated,
            "keys",
            cap="warning",
            **fields,
        )
    else:
        finding = (
            f"0 of {counts.shared:,} shared tasks have a level in at least two jobs."
            if counts.shared
            else "No two jobs share a task text."
            if same_task == "text"
            else "No two jobs share a task id. If ids differ between jobs, pass same_task='text'."
        )
        yield unknown("rated_differently", "TOO_FEW" if counts.shared else "NO_TASKS", finding, 0, "keys")
    yield from _agreements(rated, counts, fields)


def _agreements(rated: pl.DataFrame, counts: Agreement, fields: dict[str, Any]) -> Iterator[Check]:
    """Check how often jobs agree on the level of a shared task, compared with chance."""
    pairs = (counts.pairs - counts.equal, counts.pairs)
    if counts.rated < _KEYS_FOR_AGREEMENT:
        finding = (
            f"{counts.rated:,} tasks have a level in at least two jobs. Agreement needs at least {_KEYS_FOR_AGREEMENT}."
        )
        yield unknown("level_agreement", "TOO_FEW", finding, pairs[1], "pairs of jobs")
        yield unknown("level_alpha", "TOO_FEW", finding, counts.rated, "keys", unit=_ALPHA)
        return
    share = counts.equal / counts.pairs
    yield Check(
        "level_agreement",
        "ok" if share == 1 else "note" if share >= 0.9 else "warning",
        f"Jobs that share a task give it the same level in {share:.1%} of {counts.pairs:,} pairs.",
        share,
        *pairs,
        "pairs of jobs",
        **fields,
    )
    yield _alpha(rated, counts, fields)


def _alpha(rated: pl.DataFrame, counts: Agreement, fields: dict[str, Any]) -> Check:
    alpha = ordinal_alpha(rated)
    if alpha is None:
        finding = (
            "All shared tasks have the same level, or none in H1 to H5, so agreement cannot be compared with chance."
        )
        return unknown("level_alpha", "NO_VARIATION", finding, counts.rated, "keys", unit=_ALPHA)
    reliable, tentative = alpha >= _RELIABLE, alpha >= _TENTATIVE
    verdict = "reliable" if reliable else "enough for tentative conclusions" if tentative else "not reliable"
    rounded = round(alpha, 2) + 0.0  # avoid "-0.00"
    return Check(
        "level_alpha",
        "ok" if reliable else "warning" if tentative else "error",
        f"Agreement of jobs on the level of shared tasks is alpha = {rounded:.2f} (1 is full agreement, 0 is chance). "
        f"This is {verdict} by the usual thresholds {_RELIABLE} and {_TENTATIVE}.",
        alpha,
        counts.differing,
        counts.rated,
        "keys",
        _ALPHA,
        **fields,
    )


def _names(shared: IdentifiedTasks, unique: pl.DataFrame) -> list[str]:
    """Return the ids or texts of the first few tasks."""
    first = unique.get_column("key").unique().sort().head(5).implode()
    return shared.keys.filter(pl.col("key").is_in(first)).get_column("name").to_list()
