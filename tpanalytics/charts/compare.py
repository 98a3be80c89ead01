"""What changed between two snapshots: a bridge of five terms for the company, or a row per job family (C14, C15)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import polars as pl

from tpanalytics.charts._core import captions, frame
from tpanalytics.charts._core.bridge import bridge
from tpanalytics.charts._core.dumbbell import dumbbell
from tpanalytics.errors import SchemaError
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
    by: Literal["job_family"] | None = None,
    measure: Compared = "hours",
    level: str = "H1",
    same_task: SameTask = "id",
    states: Sequence[str] = COUNTED_STATES,
    privacy: Privacy | None = USUAL,
) -> alt.LayerChart:
    """Draw what changed between two snapshots: one bridge for the company, or a row per job family.

    The bridge leads from the hours at one level before to those after, with a bar for each term: tasks added and
    removed, tasks re-rated, tasks that got longer or shorter, and last, hatched, what is newly measured, which is a
    fact about the data and not about the work. The bars leave nothing over.

    By job family, an arrow leads from the figure before to the one after, the largest rise first. Where the share of
    tasks with hours and level moved by more than 5 points, the arrow is dashed and the row says "measurement" rather
    than "work". A family without a figure on one side keeps its row and says why, and so does one that is suppressed
    in either snapshot.

    Parameters
    ----------
    before, after
        The two snapshots, as for `compare` and `compare_exposure`.
    by
        None draws one bridge; ``"job_family"`` a row per family.
    measure
        ``"hours"``: hours at `level`, as `compare` computes them; ``"exposure"``: the exposure index of each family, as
        `compare_exposure` computes it.
    level
        The level whose hours are compared.
    same_task
        By what a task of a job is the same before and after, for the hours: its ``"id"`` or its ``"text"``.
    states
        Validation states that count.
    privacy
        How few jobs or people a figure may tell of; where every family is hidden no bridge is drawn. None hides
        nothing.

    Returns
    -------
    alt.LayerChart
        Restyle it as any Altair chart; write it with `save`.

    Raises
    ------
    SchemaError
        If a column is missing, or an argument is not as above.

    Warns
    -----
    TpAnalyticsWarning
        If tasks are in a state that is neither counted nor ``rejected``.

    Examples
    --------
    >>> from tpanalytics import load_sample
    >>> may, november = load_sample("2026-05"), load_sample("2026-11")
    >>> plot_compare(may, november).to_dict()["description"][:48]
    'Bridge of bars from the weekly hours rated H1 be'
    >>> plot_compare(may, november, by="job_family").to_dict()["description"][:45]
    'Arrows from before to after of H1 hours for 1'
    """
    if by not in (None, "job_family"):
        raise SchemaError(f"by={by!r}: choose None or 'job_family'.")
    check_choice("measure", measure, Compared)
    if by is None and measure != "hours":
        raise SchemaError(f"measure={measure!r} has no bridge: pass by='job_family'.")
    if measure == "hours":
        result = compare(before, after, level=level, same_task=same_task, states=states)
    else:
        result = compare_exposure(before, after, states=states)
    everyone = result.filter(pl.col("scope") == "family")
    if not everyone.height:
        return frame.no_jobs_in_either()
    shown = captions.released_change(result, before, after, states, privacy)
    groups = frame.groups_of_change(everyone, shown, before, after, privacy)
    whole, meaning = result.filter(pl.col("scope") == "all").row(0, named=True), about(result)
    if by is not None:
        return dumbbell(groups, whole, meaning, None if measure == "exposure" else level)
    return bridge(groups, whole, meaning) if groups.totals else frame.all_hidden_chart(groups)
