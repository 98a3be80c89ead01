"""Nouns and notes for the groups in a chart."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

import polars as pl

from tpanalytics.formatting import plural, plural_of
from tpanalytics.measures._core.groups import (
    BY_FAMILY,
    SEPARATOR,
    GroupColumns,
    group_columns,
    missing_label,
    noun,
    short_noun,
)
from tpanalytics.measures._core.staff import STAFF, people_notes_of

if TYPE_CHECKING:
    from tpanalytics.measures._core.metadata import Meaning
    from tpanalytics.schema import TaskProfiles
    from tpanalytics.typing import By

__all__ = ["FAMILIES", "Grouping", "capitalized", "grouping"]


class Grouping(NamedTuple):
    """The columns that define the groups of a chart, and words for them."""

    columns: GroupColumns

    @property
    def by(self) -> tuple[str, ...]:
        return self.columns.by

    @property
    def overlap(self) -> bool:
        """Whether a job can be in several groups."""
        return self.columns.overlap

    @property
    def noun(self) -> str:
        """Singular noun, such as "job family"."""
        return short_noun(self.by)

    @property
    def nouns(self) -> str:
        return plural_of(self.noun)

    @property
    def one(self) -> str:
        """Like `noun`, but short: "family"."""
        return "family" if self.by == (BY_FAMILY,) else self.noun

    @property
    def many(self) -> str:
        return plural_of(self.one)

    @property
    def title(self) -> str:
        """Title of the groups in a tooltip."""
        return capitalized(noun(self.by))

    @property
    def all_suppressed(self) -> str:
        """Chart title if every group is suppressed."""
        return f"All {self.nouns if self.by else 'figures'} are suppressed (too few jobs or people)"

    def counted(self, n: int) -> str:
        """Format a number of groups, such as "16 job families"."""
        return f"{plural(n, self.noun)} by {noun(self.by)}" if len(self.by) > 1 else plural(n, self.noun)

    def sorted_by(self, order: str) -> str:
        """Describe the order of the groups. The result is empty for a single group of all jobs."""
        return f" {capitalized(self.many)} sorted by {order}." if self.by else ""

    def spoken(self, groups: pl.DataFrame) -> pl.DataFrame:
        """Replace labels that are bare numbers, or true and false, with ones to use in a sentence: "pay grade 2"."""
        labels = {label: self._spoken(label) for label in groups.get_column("group").unique().drop_nulls()}
        return groups.with_columns(pl.col("group").replace(labels))

    def _spoken(self, label: str) -> str:
        parts = [label] if len(self.by) == 1 else label.split(SEPARATOR)
        if len(parts) != len(self.by):
            return label
        return SEPARATOR.join(_with_noun(part, noun([name])) for part, name in zip(parts, self.by, strict=True))

    def headline(self, group: str, text: str) -> str:
        """Return a headline about one group, which starts with its name unless it is all jobs."""
        return f"{group}: {text}" if self.by else capitalized(text)

    def article(self, word: str) -> str:
        """Return a noun with its article."""
        return f"{'an' if word[:1].lower() in {*'aeiou'} else 'a'} {word}"

    @property
    def missing(self) -> str:
        """Describe the jobs or tasks without a group."""
        if len(self.by) > 1:
            return "groups with missing values"
        return f"{'tasks' if self.columns.tasks else 'jobs'} without {self.article(self.one)}"

    def is_named(self, column: str = "group") -> pl.Expr:
        """Select the groups without a missing value in their columns."""
        if len(self.by) == 1:
            return pl.col(column) != missing_label(self.by[0])
        padded = pl.format(f"{SEPARATOR}{{}}{SEPARATOR}", column)
        missing = [f"{SEPARATOR}{missing_label(name)}{SEPARATOR}" for name in self.by]
        return ~pl.any_horizontal(pl.lit(value=False), *(padded.str.contains(text, literal=True) for text in missing))

    def overlap_notes(self, weight: str | None, meaning: Meaning | None = None) -> list[str]:
        """Explain which jobs count in several groups or, if figures are for the people in each group, in none."""
        people = [] if meaning is None else people_notes_of(meaning)
        return [*people, *self.columns.overlap_notes(staffed=weight in STAFF)]


def grouping(profiles: TaskProfiles, by: By) -> Grouping:
    """Return the grouping of a chart. Raise an error if a column does not exist."""
    return Grouping(group_columns(profiles, by))


def _with_noun(value: str, word: str) -> str:
    if _NUMBER.fullmatch(value):
        return f"{word} {value}"
    return f"{word} = {value}" if value in ("true", "false") else value


#: A number that says nothing without a noun.
_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")
#: The default grouping.
FAMILIES = Grouping(GroupColumns((BY_FAMILY,), (BY_FAMILY,), (), ()))


def capitalized(text: str) -> str:
    """Return the text with a capital first letter."""
    return f"{text[:1].upper()}{text[1:]}"
