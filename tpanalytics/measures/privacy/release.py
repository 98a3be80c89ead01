"""Results with small groups suppressed, for use in charts, reports and the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from tpanalytics.errors import ArgumentError
from tpanalytics.measures._core.cache import cached
from tpanalytics.measures._core.checks import checked_groups
from tpanalytics.measures.privacy.suppress import suppress

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tpanalytics.measures.privacy.policy import Privacy
    from tpanalytics.schema import TaskProfiles

__all__ = ["filter_families", "release"]


def release(
    measure: Callable[..., pl.DataFrame],
    profiles: TaskProfiles,
    *,
    privacy: Privacy | None,
    before: TaskProfiles | None = None,
    families: Sequence[str] | None = None,
    **how: Any,
) -> pl.DataFrame:
    """Return a measure's result with small groups suppressed.

    Suppression covers all families before any are selected, so a selection can't reveal more than the full result.
    """
    return filter_families(_released(before, profiles, measure=measure, privacy=privacy, how=how), families)


@cached
def _released(
    before: TaskProfiles | None,
    profiles: TaskProfiles,
    *,
    measure: Callable[..., pl.DataFrame],
    privacy: Privacy | None,
    how: Mapping[str, Any],
) -> pl.DataFrame:
    snapshots = (profiles,) if before is None else (before, profiles)
    return suppress(measure(*snapshots, **how), profiles, before, privacy=privacy)


def filter_families(result: pl.DataFrame, families: Sequence[str] | None) -> pl.DataFrame:
    """Select the rows for the given job families, or all rows if None."""
    if families is None:
        return result
    if not (names := checked_groups(families, result.get_column("group").unique(maintain_order=True))):
        raise ArgumentError("`families` must be a list of job families, or None for all, not [].")
    return result.filter(pl.col("group").is_in(names))
