"""Part of a company, with both tables in step."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import polars as pl

from tpanalytics.errors import ArgumentError, SchemaError
from tpanalytics.schema import require

if TYPE_CHECKING:
    from tpanalytics.schema import TaskProfiles

__all__ = ["filter_jobs"]


def filter_jobs(profiles: TaskProfiles, *predicates: Any, **equal: Any) -> TaskProfiles:
    """Keep the jobs that fit, and their tasks; the other table follows.

    A job for which a predicate is null is left out, as in `polars.DataFrame.filter`.

    Parameters
    ----------
    profiles
        With Polars frames, eager or lazy.
    *predicates
        Polars expressions over the columns of `jobs`.
    **equal
        Columns of `jobs` and the value each must have.

    Returns
    -------
    TaskProfiles
        Its manifest is still that of the whole, and its repr says how much of it is here.

    Raises
    ------
    SchemaError
        If the frames are not Polars frames, or a column is missing.

    Examples
    --------
    >>> import polars as pl
    >>> from tpanalytics import hours, load_sample
    >>> large = filter_jobs(load_sample(), pl.col("headcount") >= 50, job_family_group="Operations")
    >>> hours(large).select("job_family", "jobs").rows()
    [('Manufacturing', 5), ('Quality and Calibration', 2), ('Supply Chain and Logistics', 1)]
    """
    if not all(isinstance(frame, (pl.DataFrame, pl.LazyFrame)) for frame in (profiles.jobs, profiles.tasks)):
        raise SchemaError("filter_jobs takes Polars frames; filter frames of another engine yourself, both in step.")
    if strange := [one for one in predicates if not isinstance(one, pl.Expr | pl.Series | bool)]:
        raise ArgumentError(f"filter_jobs: {strange[0]!r} is not a condition; give one like pl.col('n_tasks') > 0.")
    try:
        jobs = profiles.jobs.filter(*predicates, **equal)
        ids = jobs.lazy().select("job_id")
        tasks = profiles.tasks.lazy().join(ids, on="job_id", how="semi", maintain_order="left")
        tasks = tasks if isinstance(profiles.tasks, pl.LazyFrame) else tasks.collect()
    except pl.exceptions.ColumnNotFoundError as error:
        named = re.search(r'"([^"]*)"', str(error))
        require(profiles.jobs, named[1] if named else str(error), name="jobs")
        raise
    return replace(profiles, jobs=jobs, tasks=tasks)
