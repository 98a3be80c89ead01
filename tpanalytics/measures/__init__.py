"""Task profiles in, small tidy frames out; the one place that computes.

Every measure keeps the same promises: a missing hour is never a zero, a missing level is never a level, a rejected
task never counts, a job without tasks never lowers a mean, and what is not known stands beside what is.
"""

from tpanalytics.measures.exposed.break_even import break_even
from tpanalytics.measures.exposed.exposure import exposure_by_family, exposure_by_job
from tpanalytics.measures.exposed.impact import impact_by_family
from tpanalytics.measures.exposed.impute import impute_hours
from tpanalytics.measures.exposed.stake import hours_at_stake_by_family
from tpanalytics.measures.freed.capacity import capacity_by_family, freed_by_family
from tpanalytics.measures.freed.fragmentation import fragmentation_by_family
from tpanalytics.measures.known.coverage import coverage_by_family
from tpanalytics.measures.known.hours import hours_by_family, hours_by_job
from tpanalytics.measures.known.quality import quality_report
from tpanalytics.measures.meaning import about
from tpanalytics.measures.privacy import Privacy, suppress

__all__ = [
    "Privacy",
    "about",
    "break_even",
    "capacity_by_family",
    "coverage_by_family",
    "exposure_by_family",
    "exposure_by_job",
    "fragmentation_by_family",
    "freed_by_family",
    "hours_at_stake_by_family",
    "hours_by_family",
    "hours_by_job",
    "impact_by_family",
    "impute_hours",
    "quality_report",
    "suppress",
]
