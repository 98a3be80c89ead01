"""Privacy settings: the smallest group whose figures may be shown."""

from __future__ import annotations

import math
from dataclasses import dataclass

from tpanalytics.errors import ArgumentError
from tpanalytics.formatting import plural_of

__all__ = ["FTE_NOTE", "OFF", "SUPPRESSED", "SUPPRESSED_MARK", "USUAL", "Privacy", "check_privacy", "suppression_note"]

#: Shown instead of a suppressed figure. Missing figures have a different mark.
SUPPRESSED_MARK = "·"
#: Value of the ``reason`` column in suppressed rows.
SUPPRESSED = "SUPPRESSED"


@dataclass(frozen=True, kw_only=True)
class Privacy:
    """The smallest group of jobs or people that charts, tables and reports may show.

    Charts, reports and the command line suppress small groups by default. Measures do not, so you can keep calculating
    with their results. Pass a result to `suppress` before you share it.

    Attributes
    ----------
    min_jobs
        Minimum number of jobs. Use 0 to turn off this check.
    min_headcount
        Minimum number of people. Full-time equivalents count as people in jobs whose people are unknown; results and
        charts then say so. Use 0 to turn off this check and the one for a single job with more than 85% of the people
        in a headcount figure.

    Raises
    ------
    ArgumentError
        If `min_jobs` is not a whole number, `min_headcount` is not a number, or either is negative.

    Examples
    --------
    >>> from tpanalytics import load_sample, plot_impact
    >>> chart = plot_impact(load_sample(), privacy=Privacy(min_jobs=10))
    >>> "(no job family)" in chart.to_dict()["description"]
    True
    """

    min_jobs: int = 3
    min_headcount: float = 5

    def __post_init__(self) -> None:
        for name, least in (("min_jobs", self.min_jobs), ("min_headcount", self.min_headcount)):
            is_valid_type = isinstance(least, int) or (name == "min_headcount" and isinstance(least, float))
            if not is_valid_type or isinstance(least, bool) or not 0 <= least < math.inf:
                kind = "whole number" if name == "min_jobs" else "number"
                raise ArgumentError(f"`{name}` must be a {kind}, 0 or more, not {least!r}.")

    @property
    def off(self) -> bool:
        """Whether suppression is turned off."""
        return not self.min_jobs and not self.min_headcount


#: Stated with suppressed results and charts if it applies.
FTE_NOTE = "Full-time equivalents count as people in jobs whose people are unknown."
#: The default setting.
USUAL = Privacy()
#: A setting that turns off suppression.
OFF = Privacy(min_jobs=0, min_headcount=0)


def check_privacy(privacy: Privacy | None) -> Privacy | None:
    """Raise an error if the value is neither a `Privacy` nor None, and return it otherwise."""
    if privacy is not None and not isinstance(privacy, Privacy):
        raise ArgumentError(f"`privacy` must be a Privacy, like Privacy(min_jobs=3), or None, not {privacy!r}.")
    return privacy


def suppression_note(
    suppressed: int, groups: int, privacy: Privacy, noun: str = "job family", *, fte: bool = False
) -> str:
    """Return a sentence with the number of suppressed groups and the reason. `fte` adds that FTE count as people."""
    limits = [f"{privacy.min_jobs} jobs"] * bool(privacy.min_jobs)
    limits += [f"{privacy.min_headcount:g} people"] * bool(privacy.min_headcount)
    if not suppressed:
        return f"No {noun} is suppressed (fewer than {' or '.join(limits)})."
    are = f"{noun} is" if groups == 1 else f"{plural_of(noun)} are"
    return (
        f"{suppressed} of {groups} {are} suppressed: fewer than {' or '.join(limits)}, "
        f"or needed to protect another {'family' if noun == 'job family' else noun}.{f' {FTE_NOTE}' * fte}"
    )
