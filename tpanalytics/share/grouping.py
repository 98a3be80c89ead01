"""How explorers and reports group jobs, and the words for the groups."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tpanalytics.charts._core import grouping as charts
from tpanalytics.errors import ArgumentError
from tpanalytics.measures._core.groups import ALL_JOBS, BY_FAMILY, SEPARATOR, group_columns, missing_label, noun
from tpanalytics.measures._core.staff import STAFF
from tpanalytics.schema import check_profiles, to_polars

if TYPE_CHECKING:
    from tpanalytics.schema import TaskProfiles
    from tpanalytics.typing import By

__all__ = ["PageGrouping", "default_weight", "grouping_of"]


class PageGrouping(charts.Grouping):
    """The columns that define the groups, and words and code for them."""

    __slots__ = ()

    @property
    def argument(self) -> By:
        """The argument `by` of a measure or chart."""
        return (self.by[0] if len(self.by) == 1 else self.by) or None

    @property
    def by_family(self) -> bool:
        """Whether the groups are job families."""
        return self.by == (BY_FAMILY,)

    @property
    def name(self) -> str:
        """Name of the grouping, such as "job family" or "country and pay grade"."""
        return noun(self.by)

    @property
    def heading(self) -> str:
        """Heading of a column of groups, such as "Job family"."""
        return self.title if self.by else "Group"

    @property
    def missing_label(self) -> str:
        """Label of the jobs without a group, such as "(no job family)". Empty unless there is one column."""
        return missing_label(self.by[0]) if len(self.by) == 1 else ""

    @property
    def label(self) -> str:
        """Python code for the label of each job's group, given the jobs. The columns must be columns of the jobs."""
        texts = [f"pl.col({name!r}).cast(pl.String).fill_null({missing_label(name)!r})" for name in self.columns.jobs]
        if len(texts) < 2:
            return texts[0] if texts else f"pl.lit({ALL_JOBS!r})"
        return f"pl.concat_str({', '.join(texts)}, separator={SEPARATOR!r})"


def default_weight(profiles: TaskProfiles, grouping: PageGrouping) -> Any:
    """Return what to add up: the people if the groups are groups of people and their number is known, else hours."""
    if grouping.columns.people:
        people = to_polars(profiles.people)
        for weight in STAFF:
            if weight in people.columns and people.get_column(weight).count():
                return weight
    return "hours"


def grouping_of(profiles: TaskProfiles, by: By) -> PageGrouping:
    """Check `by` and return the grouping. Raise an error if the groups are single jobs."""
    check_profiles(profiles)
    columns = group_columns(profiles, by)
    if "job_id" in columns.by:
        raise ArgumentError("`by` must name columns that group jobs, not 'job_id'. Leave it out.")
    return PageGrouping(columns)
