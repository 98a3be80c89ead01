"""A section of a report as data: its question, the call that answers it, the table and the charts of the answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tpanalytics.schema import TaskProfiles
    from tpanalytics.share.report.scope import Asked
    from tpanalytics.share.report.tables import Figures

__all__ = ["Call", "Section", "call"]


@dataclass(frozen=True)
class Call:
    """A call of a public function: it can be made, and it can be printed.

    Attributes
    ----------
    name
        A measure, or a chart: ``plot_…``.
    options
        Choices of the report that are passed on: ``states``, ``level_weights``, ``contract_hours``, ``privacy``.
    fixed
        Other arguments.
    change
        Takes two snapshots, the earlier first.
    """

    name: str
    options: tuple[str, ...] = ()
    fixed: Mapping[str, Any] = field(default_factory=dict)
    change: bool = False

    def of(self, asked: Asked, profiles: TaskProfiles, before: TaskProfiles | None = None) -> Any:
        """Make the call with the choices of a report."""
        given: list[Any] = [before, profiles] if self.change else [profiles]
        how = {**self.fixed, **{name: getattr(asked, name) for name in self.options}}
        function = getattr(import_module("tpanalytics"), self.name)
        return function(*given, **how)

    def text(self, profiles: str = "profiles", before: str = "before") -> str:
        """Write the call as it is typed."""
        given = [before, profiles] if self.change else [profiles]
        given += [f"{name}={value!r}" for name, value in self.fixed.items()]
        given += [f"{name}={name}" for name in self.options]
        return f"tpa.{self.name}({', '.join(given)})"


def call(name: str, *options: str, change: bool = False, **fixed: Any) -> Call:
    """Write a `Call` like one."""
    return Call(name, options, fixed, change)


def _always(_: Asked) -> bool:
    return True


@dataclass(frozen=True, kw_only=True)
class Section:
    """What a report says to one question.

    Attributes
    ----------
    key
        Anchor in the page; letters and hyphens.
    question, lead
        The heading, and what to know before one looks.
    measure
        The call whose result the table prints.
    table
        Makes the table, with what must not be told already hidden.
    charts
        The calls that draw the answer, the most important first; each takes what the report is about.
    when
        Whether a report has this section.
    cut
        How the rows of one family come about: ``family``, all families are measured and those of few hidden;
        ``rows``, all are measured; ``part``, the measure is given the jobs of the family alone.
    code
        Python that gives the table where `measure` alone does not; ``part`` stands for what the report is about,
        ``HIDDEN`` for the families it leaves out.
    group
        ``answer``, ``change`` or ``quality``: which part of the page it stands in.
    """

    key: str
    question: str
    lead: str
    measure: Call
    table: Callable[[Asked, Call], Figures]
    charts: tuple[Call, ...] = ()
    when: Callable[[Asked], bool] = _always
    cut: Literal["family", "rows", "part"] = "family"
    code: str = ""
    group: str = "answer"
