"""Task profiles in, small tidy frames out; the one place that computes.

Every measure keeps the same promises: a missing hour is never a zero, a missing level is never a level, a rejected
task never counts, a job without tasks never lowers a mean, and what is not known stands beside what is.
"""

from tpanalytics.measures.exposed.impact import impact_by_family
from tpanalytics.measures.known.coverage import coverage_by_family
from tpanalytics.measures.known.hours import hours_by_family, hours_by_job
from tpanalytics.measures.meaning import about

__all__ = ["about", "coverage_by_family", "hours_by_family", "hours_by_job", "impact_by_family"]
