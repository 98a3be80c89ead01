"""Chart of the change between two snapshots."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import polars as pl

from tpanalytics.charts._core import captions, frame
from tpanalytics.charts._core.bridge import bridge
from tpanalytics.charts._core.dumbbell import dumbbell
from tpanalytics.errors import ArgumentError
from tpanalytics.measures._core.checks import check_choice
from tpanalytics.measures.about import about
from tpanalytics.measures.compare import compare
from tpanalytics.measures.compare_exposure import compare_exposure
from tpanalytics.measures.privacy.policy import USUAL
from tpanalytics.schema import COUNTED_STATES

if TYPE_CHECKING:
    from collections.abc import Sequence

    import altair as alt

    from tpanalytics.measures.privacy.policy import Privacy
    from tpanalytics.schema import TaskProfiles
    from tpanalytics.typing import SameTask

__all__ = ["Compared", "plot_compare"]

Compared = Literal["hours", "exposure"]


def plot_compare(
    before: TaskProfiles,
    after: TaskProfiles,
    *,
    by: Literal["group"] | None = None,
    measure: Compared = "hours",
    level: str = "H1",
    same_task: SameTask = "id",
    states: Sequence[str] = COUNTED_STATES,
    privacy: Privacy | None = USUAL,
) -> alt.LayerChart:
    """Draw the change between two snapshots, as a company-wide bridge or with one row per job family.

    The bridge connects the weekly hours before and after. Bars show added, removed and re-rated tasks, and tasks with
    changed hours. The last, hatched bar shows newly measured tasks. Together, the bars add up to the difference.

    For job families, arrows point from the earlier to the later figure, with the largest increase at the top.
    If the share of tasks with hours and a level changed by more than 5 percentage points, the arrow is dashed and the
    row is marked "measurement" instead of "work". If a family is suppressed or has no figure in one of the snapshots,
    the row shows the reason instead.

    Parameters
    ----------
    before, after
        Snapshots with the columns read by `compare` or `compare_exposure`.
    by
        If None, draw a bridge. If ``"group"``, draw one row per family.
    measure
        ``"hours"`` compares the weekly hours at `level`, as in `compare`. ``"exposure"`` compares each family's
        exposure index, as in `compare_exposure`.
    level
        AI impact level to compare. Only used for hours.
    same_task
        Match each job's tasks before and after by ``"id"`` or by ``"text"``. Only used for hours.
    states
        Validation states to include.
    privacy
        Thresholds for suppressing small groups. If every family is suppressed, no bridge is drawn. If None, nothing
        is suppressed.

    Returns
    -------
    alt.LayerChart
        An Altair chart that you can customize or pass to `save`.

    Raises
    ------
    SchemaError
        If a required column is missing.
    ArgumentError
        If an argument is invalid.

    Warns
    -----
    TpAnalyticsWarning
        If tasks in an unknown validation state are excluded.

    Examples
    --------
    >>> from tpanalytics import load_sample
    >>> may, november = load_sample("2026-05"), load_sample("2026-11")
    >>> plot_compare(may, november).to_dict()["description"][:48]
    'Bridge chart from the weekly hours rated H1 befo'
    >>> plot_compare(may, november, by="group").to_dict()["description"][:45]
    'Arrows show the change in H1 hours for 16 job'
    """
    if by not in (None, "group"):
        raise ArgumentError(f"`by` must be None or 'group', not {by!r}.")
    check_choice("measure", measure, Compared)
    if by is None and measure != "hours":
        raise ArgumentError(f"measure={measure!r} cannot be drawn as a bridge. Pass by='group'.")
    if measure == "hours":
        result = compare(before, after, level=level, same_task=same_task, states=states)
    else:
        result = compare_exposure(before, after, states=states)
    families = result.filter(pl.col("scope") == "family")
    if not families.height:
        return frame.no_jobs_in_either()
    released = captions.released_change(result, before, after, states, privacy)
    groups = frame.groups_of_change(families, released, before, after, privacy)
    company, meaning = result.filter(pl.col("scope") == "all").row(0, named=True), about(result)
    if by is not None:
        return dumbbell(groups, company, meaning, None if measure == "exposure" else level)
    return bridge(groups, company, meaning) if groups.totals else frame.all_suppressed_chart(groups)
