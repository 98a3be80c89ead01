"""How few jobs or people a figure may tell of."""

from __future__ import annotations

import math
from dataclasses import dataclass

from tpanalytics.errors import ArgumentError

__all__ = ["HIDDEN", "OFF", "SUPPRESSED", "USUAL", "Privacy", "check_privacy", "said_of_hidden"]

#: Printed in place of a figure that is hidden; never 0, never blank, and not the sign of what is not known.
HIDDEN = "·"
#: What stands in the column ``reason`` of a hidden row.
SUPPRESSED = "SUPPRESSED"


@dataclass(frozen=True, kw_only=True)
class Privacy:
    """How few jobs or people a figure may tell of; one setting for charts, tables and reports.

    It is on by default in whatever is made to be handed on: every chart, and what the command line prints. Families of
    a usual size, like those of the sample, are not touched by it. The measures themselves hide nothing, because one
    cannot compute on with what is hidden; pass their results to `suppress` before they leave the building.

    Attributes
    ----------
    min_jobs
        Fewest jobs; 0 asks for none.
    min_headcount
        Fewest people (full-time equivalents), where headcount is known; 0 asks for none, nor looks whether one job
        makes up more than 85 % of a figure by headcount.

    Raises
    ------
    ArgumentError
        If one of them is no number from 0 up.

    Examples
    --------
    >>> from tpanalytics import load_sample, plot_impact
    >>> chart = plot_impact(load_sample(), privacy=Privacy(min_jobs=10))
    >>> "(no family)" in chart.to_dict()["description"]
    True
    """

    min_jobs: int = 3
    min_headcount: float = 5

    def __post_init__(self) -> None:
        for name, least in (("min_jobs", self.min_jobs), ("min_headcount", self.min_headcount)):
            whole = isinstance(least, int) or (name == "min_headcount" and isinstance(least, float))
            if not whole or isinstance(least, bool) or not 0 <= least < math.inf:
                kind = "whole number" if name == "min_jobs" else "number"
                raise ArgumentError(f"{name}={least!r}: give a {kind} from 0 up; 0 hides nothing on its account.")

    @property
    def off(self) -> bool:
        """Nothing is to be hidden."""
        return not self.min_jobs and not self.min_headcount


#: What holds unless another setting is given.
USUAL = Privacy()
#: What hides nothing.
OFF = Privacy(min_jobs=0, min_headcount=0)


def check_privacy(privacy: Privacy | None) -> Privacy | None:
    """Refuse what is no setting of privacy."""
    if privacy is not None and not isinstance(privacy, Privacy):
        raise ArgumentError(f"privacy={privacy!r}: give a Privacy, like Privacy(min_jobs=3), or None to hide nothing.")
    return privacy


def said_of_hidden(hidden: int, families: int, privacy: Privacy) -> str:
    """Say how many families are hidden, and why."""
    limits = [f"{privacy.min_jobs} jobs"] * bool(privacy.min_jobs)
    limits += [f"{privacy.min_headcount:g} people"] * bool(privacy.min_headcount)
    if not hidden:
        return f"No family is hidden: none tells of fewer than {' or '.join(limits)}, as far as is known."
    return (
        f"{hidden} of {families} families {'is' if families == 1 else 'are'} hidden: fewer than {' or '.join(limits)} "
        "stand behind them, or they hide one that could be worked out from a total."
    )
