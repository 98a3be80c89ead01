"""Filter task profiles by job."""

from __future__ import annotations

import difflib
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import polars as pl

from tpanalytics.errors import ArgumentError, SchemaError, warn
from tpanalytics.schema import require

if TYPE_CHECKING:
    from tpanalytics.schema import TaskProfiles

__all__ = ["filter_jobs"]


def filter_jobs(profiles: TaskProfiles, *predicates: Any, **equal: Any) -> TaskProfiles:
    """Return the jobs that match all predicates, along with their tasks.

    Jobs are excluded if a predicate is null, as in `polars.DataFrame.filter`.

    Parameters
    ----------
    profiles
        Task profiles with eager or lazy Polars frames.
    *predicates
        Polars expressions based on columns in `jobs`.
    **equal
        Values that columns in `jobs` must equal.

    Returns
    -------
    TaskProfiles
        The matching jobs and their tasks. The manifest still describes the full export, while the repr shows the size
        of the selection.

    Raises
    ------
    SchemaError
        If the frames are not Polars frames, or if a column is missing.
    ArgumentError
        If a predicate is not a Polars expression.

    Warns
    -----
    TpAnalyticsWarning
        If no job has the `job_family`.

    Examples
    --------
    >>> import polars as pl
    >>> from tpanalytics import hours, load_sample
    >>> large = filter_jobs(load_sample(), pl.col("headcount") >= 50, job_family_group="Operations")
    >>> hours(large).select("job_family", "jobs").rows()
    [('Manufacturing', 5), ('Quality and Calibration', 2), ('Supply Chain and Logistics', 1)]
    """
    if not all(isinstance(frame, (pl.DataFrame, pl.LazyFrame)) for frame in (profiles.jobs, profiles.tasks)):
        raise SchemaError("filter_jobs requires Polars frames. Filter `jobs` and `tasks` of other libraries directly.")
    if invalid := [predicate for predicate in predicates if not isinstance(predicate, pl.Expr | pl.Series | bool)]:
        raise ArgumentError(f"filter_jobs: {invalid[0]!r} is not a condition. Pass one like pl.col('n_tasks') > 0.")
    try:
        jobs = profiles.jobs.filter(*predicates, **equal)
        ids = jobs.lazy().select("job_id")
        tasks = profiles.tasks.lazy().join(ids, on="job_id", how="semi", maintain_order="left")
        tasks = tasks if isinstance(profiles.tasks, pl.LazyFrame) else tasks.collect()
    except pl.exceptions.ColumnNotFoundError as error:
        match = re.search(r'"([^"]*)"', str(error))
        require(profiles.jobs, match[1] if match else str(error), name="jobs")
        raise
    if isinstance(family := equal.get("job_family"), str):
        families = profiles.jobs.lazy().select(pl.col("job_family").unique()).collect().to_series().to_list()
        if families and family not in families:
            similar = difflib.get_close_matches(family, filter(None, families), n=1)
            hint = f" Did you mean {similar[0]!r}?" if similar else ""
            warn(f"No job is in the job family {family!r}.{hint}")
    return replace(profiles, jobs=jobs, tasks=tasks)
