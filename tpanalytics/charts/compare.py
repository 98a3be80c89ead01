"""Chart of the change between two snapshots."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import polars as pl

from tpanalytics.charts._core import captions, frame
from tpanalytics.charts._core.bridge import bridge
from tpanalytics.charts._core.dumbbell import dumbbell
from tpanalytics.charts._core.grouping import grouping
from tpanalytics.errors import ArgumentError
from tpanalytics.measures._core.checks import check_choice
from tpanalytics.measures._core.snapshots import check_one_snapshot
from tpanalytics.measures.about import about
from tpanalytics.measures.compare import compare
from tpanalytics.measures.compare_exposure import compare_exposure
from tpanalytics.measures.coverage import coverage as measure_coverage
from tpanalytics.measures.privacy.policy import USUAL
from tpanalytics.measures.privacy.suppress import suppress

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import altair as alt

    from tpanalytics.measures.privacy.policy import Privacy
    from tpanalytics.schema import TaskProfiles
    from tpanalytics.typing import By, SameTask

__all__ = ["Compared", "plot_compare"]

Compared = Literal["hours", "exposure"]


def plot_compare(
    before: TaskProfiles,
    after: TaskProfiles,
    *,
    by: By = None,
    measure: Compared = "hours",
    level: str = "H1",
    same_task: SameTask = "id",
    states: Sequence[str] | None = None,
    top: int | None = frame.TOP,
    privacy: Privacy | None = USUAL,
) -> alt.LayerChart:
    """Draw the change between two snapshots, as a company-wide bridge or with one row per group.

    The bridge connects the weekly hours before and after. Bars show added, removed and re-rated tasks, and tasks with
    changed hours. The last, hatched bar shows newly measured tasks. Together, the bars add up to the difference.

    For groups, arrows point from the earlier to the later figure, with the largest increase at the top.
    If the share of tasks with hours and a level changed by more than 5 percentage points, the arrow is dashed and the
    row is marked "measurement" instead of "work". If a group is suppressed or has no figure in one of the snapshots,
    the row shows the reason instead.

    Parameters
    ----------
    before, after
        Snapshots with the columns read by `compare` or `compare_exposure`.
    by
        If None, draw a bridge. If a column of the jobs, people or tasks, or a list of columns, draw one row per group,
        for example for ``"job_family"``. Hours are for one incumbent of each job, also for a column of people.
    measure
        ``"hours"`` compares the weekly hours at `level`, as in `compare`. ``"exposure"`` compares each group's
        exposure index, as in `compare_exposure`.
    level
        AI impact level to compare. Only used for hours.
    same_task
        Match each job's tasks before and after by ``"id"`` or by ``"text"``. Only used for hours.
    states
        Validation states to include. None means ``profiles.manifest["states"]``, or validated and suggested.
    top
        Number of groups to draw, those with the largest changes. If None, all are drawn.
    privacy
        Thresholds for suppressing small groups. No bridge is drawn if all jobs together are too few. If None, nothing
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
    >>> plot_compare(may, november, by="job_family").to_dict()["description"][:45]
    'Arrows show the change in H1 hours for 16 job'
    """
    check_choice("measure", measure, Compared)
    if by is None and measure != "hours":
        raise ArgumentError(f"measure={measure!r} cannot be drawn as a bridge. Pass `by`, like by='job_family'.")
    check_one_snapshot(before=before, after=after)
    words = grouping(after, by)
    how: dict[str, Any] = {"same_task": same_task, "level": level} if measure == "hours" else {}
    function: Callable[..., pl.DataFrame] = compare if measure == "hours" else compare_exposure
    result = function(before, after, by=by, states=states, **how)
    rows = captions.labelled(result).filter(pl.col("scope") == ("group" if words.by else "all"))
    if not rows.height:
        return frame.no_jobs_in_either()
    if words.overlap:
        total = function(before, after, by=None, states=states, **how)
        counts = captions.labelled(measure_coverage(after, by=None, states=states))
    else:
        total, counts = result, rows.select("group", jobs="jobs_after", tasks="tasks_after")
    if "job_id" in words.by:
        shown = suppress(result, after, before, privacy=privacy).filter(pl.col("scope") == "group")
        both = captions.with_suppressed_jobs(shown, result.filter(pl.col("scope") == "group"))
        released = captions.labelled(both).drop("ai_impact_level", strict=False)
    else:
        released = captions.released_change(rows, before, after, by=by, states=states, privacy=privacy)
    was, now = ("exposure_before", "exposure_after") if measure == "exposure" else ("before", "after")
    largest = frame.Largest(frame.checked_top(top), (pl.col(now) - pl.col(was)).abs(), "largest changes")
    layout = frame.groups_of_change(counts, released, before, after, privacy, words, largest)
    company, meaning = total.filter(pl.col("scope") == "all").row(0, named=True), about(total)
    if words.by:
        return dumbbell(layout, company, meaning, None if measure == "exposure" else level)
    return bridge(layout, company, meaning) if layout.totals else frame.all_suppressed_chart(layout)
