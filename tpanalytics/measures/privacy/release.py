"""Results with small groups suppressed, for use in charts, reports and the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tpanalytics.errors import ArgumentError
from tpanalytics.formatting import plural_of
from tpanalytics.measures._core.cache import cached
from tpanalytics.measures._core.checks import checked_groups
from tpanalytics.measures._core.groups import short_noun
from tpanalytics.measures._core.labels import by_of, with_labels
from tpanalytics.measures.privacy.suppress import suppress

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import polars as pl

    from tpanalytics.measures.privacy.policy import Privacy
    from tpanalytics.schema import TaskProfiles

__all__ = ["filter_groups", "release"]


def release(
    measure: Callable[..., pl.DataFrame],
    profiles: TaskProfiles,
    *,
    privacy: Privacy | None,
    before: TaskProfiles | None = None,
    groups: Sequence[str] | None = None,
    **how: Any,
) -> pl.DataFrame:
    """Return a measure's result with small groups suppressed.

    Suppression covers all groups before any are selected, so a selection can't reveal more than the full result.
    """
    return filter_groups(_released(before, profiles, measure=measure, privacy=privacy, how=how), groups)


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


def filter_groups(result: pl.DataFrame, groups: Sequence[str] | None) -> pl.DataFrame:
    """Select the rows for the given groups, or all rows if None."""
    if groups is None:
        return result
    labels = (result if "group" in result.columns else with_labels(result)).get_column("group")
    noun = short_noun(by_of(result))
    if not (names := checked_groups(groups, labels.unique(maintain_order=True), noun, "groups")):
        raise ArgumentError(f"`groups` must be a list of {plural_of(noun)}, or None for all, not [].")
    return result.filter(labels.is_in(names))
