# Public names, imported by `__init__.py` on first use.

from .api.http.body import Limits as Limits
from .api.http.retry import RetryPolicy as RetryPolicy
from .api.session import Client as Client, connect as connect
from .charts.automation_candidates import plot_automation_candidates as plot_automation_candidates
from .charts.compare import plot_compare as plot_compare
from .charts.concentration import plot_concentration as plot_concentration
from .charts.coverage import plot_coverage as plot_coverage
from .charts.exposure import plot_exposure as plot_exposure
from .charts.exposure_curve import plot_exposure_curve as plot_exposure_curve
from .charts.exposure_scatter import plot_exposure_scatter as plot_exposure_scatter
from .charts.find_tasks import plot_find_tasks as plot_find_tasks
from .charts.for_print import for_print as for_print
from .charts.fragmentation import plot_fragmentation as plot_fragmentation
from .charts.hours import plot_hours as plot_hours
from .charts.impact import plot_impact as plot_impact
from .charts.job import plot_job as plot_job
from .charts.jobs import plot_jobs as plot_jobs
from .charts.overlap import plot_overlap as plot_overlap
from .charts.skills import plot_skills as plot_skills
from .charts.transitions import plot_transitions as plot_transitions
from .charts.trend import plot_trend as plot_trend
from .charts.weight_sensitivity import plot_weight_sensitivity as plot_weight_sensitivity
from .demo.sample import load_sample as load_sample
from .errors import (
    ApiError as ApiError,
    ArgumentError as ArgumentError,
    AuthError as AuthError,
    ConfigError as ConfigError,
    PaginationError as PaginationError,
    RateLimited as RateLimited,
    RecordError as RecordError,
    SchemaError as SchemaError,
    ShareError as ShareError,
    SnapshotError as SnapshotError,
    TpAnalyticsError as TpAnalyticsError,
    TpAnalyticsWarning as TpAnalyticsWarning,
    Unreachable as Unreachable,
)
from .explorers.explorer import Explorer as Explorer, explore as explore
from .measures._core.metadata import Meaning as Meaning
from .measures.about import about as about
from .measures.automation_candidates import automation_candidates as automation_candidates
from .measures.automation_curve import automation_curve as automation_curve
from .measures.break_even import break_even as break_even
from .measures.capacity import capacity as capacity
from .measures.changed_tasks import changed_tasks as changed_tasks
from .measures.check_claim import Claim as Claim, check_claim as check_claim
from .measures.compare import compare as compare
from .measures.compare_exposure import compare_exposure as compare_exposure
from .measures.compare_groups import compare_groups as compare_groups
from .measures.concentration import (
    concentration as concentration,
    concentration_curve as concentration_curve,
)
from .measures.coverage import coverage as coverage
from .measures.data_gaps import data_gaps as data_gaps
from .measures.exposure import exposure as exposure
from .measures.exposure_curve import exposure_curve as exposure_curve
from .measures.exposure_ranking import exposure_ranking as exposure_ranking
from .measures.find_tasks import find_tasks as find_tasks
from .measures.fragmentation import fragmentation as fragmentation
from .measures.hours import hours as hours
from .measures.hours_at_stake import hours_at_stake as hours_at_stake
from .measures.impact import impact as impact
from .measures.impute_hours import impute_hours as impute_hours
from .measures.overlap import overlap as overlap
from .measures.privacy.policy import Privacy as Privacy
from .measures.privacy.suppress import suppress as suppress
from .measures.quality_report import quality_report as quality_report
from .measures.shared_tasks import shared_tasks as shared_tasks
from .measures.skills import skills as skills
from .measures.transitions import transitions as transitions
from .measures.trend import trend as trend
from .profiles.employees import (
    load_employee_task_profiles as load_employee_task_profiles,
    load_job as load_job,
)
from .profiles.families import assign_families as assign_families
from .profiles.from_frames import from_frames as from_frames
from .profiles.headcount import load_headcount as load_headcount
from .profiles.history import read_history as read_history
from .profiles.load import load_task_profiles as load_task_profiles
from .profiles.people import assign_people as assign_people
from .profiles.records import read_records as read_records
from .profiles.snapshot.catalog import list_snapshots as list_snapshots, prune_snapshots as prune_snapshots
from .profiles.snapshot.read_write import read_profiles as read_profiles, write_profiles as write_profiles
from .profiles.taxonomy import load_taxonomy as load_taxonomy
from .schema import (
    LEVELS as LEVELS,
    NOT_ASSESSED as NOT_ASSESSED,
    History as History,
    TaskProfiles as TaskProfiles,
)
from .share.clean_notebook import clean_notebook as clean_notebook
from .share.inspect.check_share import check_share as check_share
from .share.report.save_report import save_report as save_report
from .share.report.verify_report import verify_report as verify_report
from .share.save import save as save
from .share.save_workbook import save_workbook as save_workbook

__version__: str
