"""Write the main tables of a company to a workbook."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tpanalytics.errors import ShareError
from tpanalytics.measures._core.cache import with_cache
from tpanalytics.measures._core.checks import check_choice
from tpanalytics.measures._core.groups import BY_FAMILY
from tpanalytics.measures.coverage import coverage
from tpanalytics.measures.exposure import exposure
from tpanalytics.measures.hours import hours
from tpanalytics.measures.impact import impact
from tpanalytics.measures.privacy.policy import USUAL
from tpanalytics.measures.privacy.release import release
from tpanalytics.share.save import output_path, save
from tpanalytics.typing import StaffWeight

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import polars as pl

    from tpanalytics.measures.privacy.policy import Privacy
    from tpanalytics.schema import TaskProfiles
    from tpanalytics.typing import By

__all__ = ["save_workbook"]

#: Measures by the name of their sheet.
_SHEETS: dict[str, Callable[..., pl.DataFrame]] = {
    "Impact": impact,
    "Exposure": exposure,
    "Hours": hours,
    "Coverage": coverage,
}


def save_workbook(
    profiles: TaskProfiles,
    path: str | Path,
    *,
    by: By = BY_FAMILY,
    weight: StaffWeight | None = None,
    states: Sequence[str] | None = None,
    privacy: Privacy | None = USUAL,
) -> Path:
    """Write AI impact, exposure, hours and coverage of each group to an ``.xlsx`` file, with a sheet each.

    A last sheet, *how computed*, has units, denominators, coverage, rules and warnings. Small groups are suppressed.
    For other tables, pass a dict of data frames to `save`.

    Parameters
    ----------
    profiles
        Task profiles with the columns read by `impact`, `exposure`, `hours` and `coverage`.
    path
        Output file, which must end in ``.xlsx``. Missing folders are created.
    by
        Group columns, as in `impact`.
    weight
        What shares, the exposure index and hours add up: ``"hours"``, ``"headcount"`` or ``"fte"``. None means hours,
        or people if `by` is a column of `people`. Coverage is always a share of tasks.
    states
        Validation states to include. None means ``profiles.manifest["states"]``, or validated and suggested.
    privacy
        Thresholds for suppressing small groups. If None, nothing is suppressed.

    Returns
    -------
    Path
        The file that was written. Hours are per week, shares are from 0 to 1, and cells without a figure are empty.

    Raises
    ------
    ShareError
        If the suffix is not ``.xlsx``, or the file cannot be written.
    SchemaError
        If a column is missing, or `weight` requires people that are unknown.
    ArgumentError
        If an argument is invalid.

    Warns
    -----
    TpAnalyticsWarning
        If tasks with an unrecognised validation state are ignored.

    Examples
    --------
    >>> from tpanalytics import load_sample
    >>> save_workbook(load_sample(), "company.xlsx").name
    'company.xlsx'
    """
    target = output_path(path)
    if target.suffix.lower() != ".xlsx":
        raise ShareError(f"{target.name}: a workbook must end in .xlsx.")
    profiles = with_cache(profiles)
    options: dict[str, Any] = {"by": by, "states": states}
    weighted: dict[str, Any] = {}
    if weight is not None:
        check_choice("weight", weight, StaffWeight)
        weighted = {"weight": weight}
    tables = {
        name: release(measure, profiles, privacy=privacy, **options, **({} if measure is coverage else weighted))
        for name, measure in _SHEETS.items()
    }
    return save(tables, target)
