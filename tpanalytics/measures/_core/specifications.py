"""Multiverse analysis: a figure for two families under every defensible specification.

Steegen, S., Tuerlinckx, F., Gelman, A. and Vanpaemel, W. (2016), Increasing transparency through a multiverse
analysis, Perspectives on Psychological Science 11.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from tpanalytics.measures._core.aggregate import known_sum, share_of

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["MEASURES", "SAME", "agrees", "figures_of", "job_parts", "specifications"]

#: Label and unit of each measure allowed in a claim.
MEASURES = {
    "exposure": ("exposure index", "share, 0 to 1"),
    "hours": ("documented hours", "hours per week"),
    "hours_per_job": ("documented hours per job", "hours per week"),
    "h1_share": ("share of hours at H1", "share, 0 to 1"),
}
#: Treat figures that differ by less than this as equal.
SAME = 1e-9
_WEIGHTS_OF_H2 = (0.0, 0.25, 0.5, 0.75, 1.0)
_STATES = {"validated and suggested": ("validated", "suggested"), "validated": ("validated",)}


def job_parts(
    jobs: pl.DataFrame, cells: pl.DataFrame, measure: str, basis: str, level_weights: Mapping[str, float]
) -> pl.DataFrame:
    """Return each job's terms in a figure of the form ``(part + b * part_h2) / whole``, where b is the H2 weight."""
    staff = pl.col("headcount") if basis == "headcount" else pl.lit(1.0)
    amount = pl.col("n").cast(pl.Float64) if basis == "tasks" else pl.col("hours")
    cells = (
        cells.join(jobs.select("job", staff=staff), on="job", how="left", maintain_order="left")
        .filter(pl.col("staff").is_not_null())
        .with_columns(amount=amount * pl.col("staff"))
    )
    level, amount, zero = pl.col("level"), pl.col("amount"), pl.lit(0.0)
    if measure == "exposure":
        fixed = {name: weight for name, weight in level_weights.items() if name != "H2"}
        weight = level.replace_strict(fixed, default=0.0, return_dtype=pl.Float64) if fixed else zero
        whole = pl.when(level.is_in(list(level_weights))).then(amount)
        h2 = pl.when((level == "H2") & pl.lit("H2" in level_weights)).then(amount).otherwise(zero)
        parts = {"part": pl.when(whole.is_not_null()).then(amount * weight), "part_h2": h2, "whole": whole}
    elif measure == "h1_share":
        parts = {"part": pl.when(level == "H1").then(amount).otherwise(zero), "part_h2": zero, "whole": amount}
    else:
        parts = {"part": amount, "part_h2": zero, "whole": amount}
    sums = (
        cells.with_columns(**parts)
        .group_by("job", "group", maintain_order=True)
        .agg(pl.col("part", "part_h2").sum(), whole=known_sum("whole"), staff=pl.col("staff").first())
        .filter(pl.col("whole").is_not_null())
    )
    if measure in ("hours", "hours_per_job"):
        sums = sums.with_columns(whole=pl.lit(1.0) if measure == "hours" else pl.col("staff"))
    return sums.select("job", "group", "part", "part_h2", "whole")


def figures_of(parts: pl.DataFrame, measure: str, b: float | None) -> dict[str, float]:
    """Return the figure for each family, omitting families for which it is undefined."""
    sums = parts.group_by("group", maintain_order=True).agg(pl.col("part", "part_h2", "whole").sum())
    part = pl.col("part") + pl.col("part_h2") * (b or 0.0)
    figure = part if measure == "hours" else share_of(part, pl.col("whole"))
    return dict(sums.select("group", figure.alias("figure")).drop_nulls().rows())


def specifications(
    jobs: pl.DataFrame,
    cells: pl.DataFrame,
    measure: str,
    level_weights: Mapping[str, float],
    claim: tuple[str, str, str],
) -> pl.DataFrame:
    """Return both families' figures under every specification, computed from cells by level and state."""
    left, sign, right = claim
    bases = ["hours", *(["tasks"] if measure in ("exposure", "h1_share") else [])]
    if "headcount" in jobs.columns and jobs.get_column("headcount").count():
        bases.append("headcount")
    uses_h2 = measure == "exposure" and "H2" in level_weights
    rows = []
    for states, counted in _STATES.items():
        in_state = cells.filter(pl.col("state").is_in(counted))
        whole_job = (pl.col("n") == pl.col("n_known")).all().over("job")
        for which, selected in (("all", in_state), ("complete", in_state.filter(whole_job))):
            for basis in bases:
                parts = job_parts(jobs, selected, measure, basis, level_weights)
                for b in _WEIGHTS_OF_H2 if uses_h2 else (None,):
                    figures = figures_of(parts, measure, b)
                    first, second = figures.get(left), figures.get(right)
                    rows.append((basis, states, which, b, first, second, agrees(first, sign, second)))
    schema = {
        **dict.fromkeys(("basis", "states", "jobs"), pl.String),
        **dict.fromkeys(("h2_weight", "figure_left", "figure_right"), pl.Float64),
        "agrees": pl.Boolean,
    }
    return pl.DataFrame(rows, schema=schema, orient="row")


def agrees(left: float | None, sign: str, right: float | None) -> bool | None:
    """Return `True` if the figures support the claim, `False` if not (or if equal), and None if either is missing."""
    if left is None or right is None:
        return None
    return left - right > SAME if sign == ">" else right - left > SAME
