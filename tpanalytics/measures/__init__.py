"""Task profiles in, small tidy frames out; the one place that computes.

Every measure keeps the same promises: a missing hour is never a zero, a missing level is never a level, a rejected
task never counts, a job without tasks never lowers a mean, and what is not known stands beside what is.
"""

from tpanalytics.measures.certain.claim import Claim, check_claim
from tpanalytics.measures.certain.next import what_to_measure_next
from tpanalytics.measures.certain.ranks import exposure_ranks
from tpanalytics.measures.changed.bridge import compare
from tpanalytics.measures.changed.families import compare_families
from tpanalytics.measures.changed.index import compare_exposure
from tpanalytics.measures.changed.moves import level_moves, state_moves
from tpanalytics.measures.changed.pairs import suppress_change
from tpanalytics.measures.exposed.break_even import break_even
from tpanalytics.measures.exposed.exposure import exposure_by_family, exposure_by_job
from tpanalytics.measures.exposed.impact import impact_by_family
from tpanalytics.measures.exposed.stake import hours_at_stake_by_family
from tpanalytics.measures.first.candidates import automation_candidates
from tpanalytics.measures.first.concentration import concentration_by_family, concentration_curve
from tpanalytics.measures.first.curve import build_once_curve
from tpanalytics.measures.first.overlap import family_overlap
from tpanalytics.measures.first.shared import shared_tasks
from tpanalytics.measures.found.tasks import find_tasks
from tpanalytics.measures.freed.capacity import capacity_by_family, freed_by_family
from tpanalytics.measures.freed.fragmentation import fragmentation_by_family
from tpanalytics.measures.known.coverage import coverage_by_family
from tpanalytics.measures.known.hours import hours_by_family, hours_by_job
from tpanalytics.measures.known.impute import impute_hours
from tpanalytics.measures.known.quality import quality_report
from tpanalytics.measures.meaning import about
from tpanalytics.measures.privacy.hide import suppress, suppress_beside
from tpanalytics.measures.privacy.jobs import suppress_jobs
from tpanalytics.measures.privacy.setting import Privacy

__all__ = [
    "Claim",
    "Privacy",
    "about",
    "automation_candidates",
    "break_even",
    "build_once_curve",
    "capacity_by_family",
    "check_claim",
    "compare",
    "compare_exposure",
    "compare_families",
    "concentration_by_family",
    "concentration_curve",
    "coverage_by_family",
    "exposure_by_family",
    "exposure_by_job",
    "exposure_ranks",
    "family_overlap",
    "find_tasks",
    "fragmentation_by_family",
    "freed_by_family",
    "hours_at_stake_by_family",
    "hours_by_family",
    "hours_by_job",
    "impact_by_family",
    "impute_hours",
    "level_moves",
    "quality_report",
    "shared_tasks",
    "state_moves",
    "suppress",
    "suppress_beside",
    "suppress_change",
    "suppress_jobs",
    "what_to_measure_next",
]
