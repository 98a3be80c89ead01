"""Hide families in what was measured of two snapshots."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from tpanalytics.measures.behind import both_behind
from tpanalytics.measures.meaning import about, explained
from tpanalytics.measures.privacy import SUPPRESSED, Privacy, guarded
from tpanalytics.measures.remember import recall
from tpanalytics.schema import COUNTED_STATES, require

if TYPE_CHECKING:
    from tpanalytics.schema import TaskProfiles

__all__ = ["suppress_change"]


def suppress_change(
    result: pl.DataFrame,
    before: TaskProfiles,
    after: TaskProfiles,
    *,
    min_jobs: int = 3,
    min_headcount: float = 5,
) -> pl.DataFrame:
    """Hide the figures of job families behind which too few jobs or people stand in either of two snapshots.

    A hidden row keeps its family; its figures become null, and ``reason`` says ``SUPPRESSED``. Rows of the whole are
    kept, unless every family is hidden: then they would tell what is.

    Parameters
    ----------
    result
        What `compare` or `compare_exposure` gave: reads ``scope, job_family``.
    before, after
        The snapshots it was made of.
    min_jobs
        Fewest jobs; 0 asks for none.
    min_headcount
        Fewest people (full-time equivalents); 0 asks for none.

    Returns
    -------
    pl.DataFrame
        Rows and columns of `result`, families first, and ``reason`` (String) if it had none.

    Raises
    ------
    SchemaError
        As `suppress`.

    Examples
    --------
    >>> import tpanalytics as tpa
    >>> before, after = tpa.load_sample("2026-05"), tpa.load_sample("2026-11")
    >>> hidden = suppress_change(tpa.compare(before, after), before, after, min_jobs=9)
    >>> hidden.filter(reason="SUPPRESSED").select("job_family", "after").rows()
    [('Field Service and Installation', None), ('(no family)', None)]
    """
    require(result, "scope", "job_family", name="result")
    privacy = Privacy(min_jobs=min_jobs, min_headcount=min_headcount)
    meaning = about(result)
    behind = recall(both_behind, before, after, states=meaning.states or COUNTED_STATES)
    of_families = pl.col("scope") == "family"
    families = guarded(result.filter(of_families).drop("scope"), behind, privacy)
    families, whole = families.with_columns(scope=pl.lit("family")), result.filter(~of_families)
    if families.height and families.get_column("reason").eq(SUPPRESSED).fill_null(value=False).all():
        whole = whole.clear()
    columns = [*result.columns, *(["reason"] if "reason" not in result.columns else [])]
    return explained(pl.concat([families, whole], how="diagonal").select(columns), meaning)
