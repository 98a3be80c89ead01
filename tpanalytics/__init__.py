"""Load task-profile exports into Polars; see weekly hours and AI impact per job family, and what is not known.

>>> import tpanalytics as tpa
>>> profiles = tpa.load_sample()
>>> tpa.hours_by_family(profiles).height
17
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

#: Where each public name lives; a module is loaded when one of its names is first used.
_HOMES = {
    "tpanalytics.api.http.reading": ["Limits"],
    "tpanalytics.api.http.retry": ["RetryPolicy"],
    "tpanalytics.api.session": ["Client", "connect"],
    "tpanalytics.charts": ["plot_hours_by_family", "plot_impact_by_family"],
    "tpanalytics.demo": ["load_sample"],
    "tpanalytics.errors": [
        "ApiError",
        "AuthError",
        "ConfigError",
        "PaginationError",
        "RateLimited",
        "RecordError",
        "SchemaError",
        "ShareError",
        "SnapshotError",
        "TpAnalyticsError",
        "TpAnalyticsWarning",
        "Unreachable",
    ],
    "tpanalytics.measures": [
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
        "coverage_by_family",
        "exposure_by_family",
        "exposure_by_job",
        "exposure_ranks",
        "family_overlap",
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
        "what_to_measure_next",
    ],
    "tpanalytics.profiles": [
        "assign_families",
        "filter_jobs",
        "list_snapshots",
        "load_employee_task_profiles",
        "load_job_task_profile",
        "load_task_profiles",
        "prune_snapshots",
        "read_profiles",
        "read_records",
        "write_profiles",
    ],
    "tpanalytics.schema": ["TaskProfiles"],
    "tpanalytics.share": ["save", "save_report", "verify_report"],
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

if TYPE_CHECKING:
    from tpanalytics.api.http.reading import Limits
    from tpanalytics.api.http.retry import RetryPolicy
    from tpanalytics.api.session import Client, connect
    from tpanalytics.charts import plot_hours_by_family, plot_impact_by_family
    from tpanalytics.demo import load_sample
    from tpanalytics.errors import (
        ApiError,
        AuthError,
        ConfigError,
        PaginationError,
        RateLimited,
        RecordError,
        SchemaError,
        ShareError,
        SnapshotError,
        TpAnalyticsError,
        TpAnalyticsWarning,
        Unreachable,
    )
    from tpanalytics.measures import (
        Claim,
        Privacy,
        about,
        automation_candidates,
        break_even,
        build_once_curve,
        capacity_by_family,
        check_claim,
        compare,
        compare_exposure,
        compare_families,
        concentration_by_family,
        coverage_by_family,
        exposure_by_family,
        exposure_by_job,
        exposure_ranks,
        family_overlap,
        fragmentation_by_family,
        freed_by_family,
        hours_at_stake_by_family,
        hours_by_family,
        hours_by_job,
        impact_by_family,
        impute_hours,
        level_moves,
        quality_report,
        shared_tasks,
        state_moves,
        suppress,
        suppress_beside,
        what_to_measure_next,
    )
    from tpanalytics.profiles import (
        assign_families,
        filter_jobs,
        list_snapshots,
        load_employee_task_profiles,
        load_job_task_profile,
        load_task_profiles,
        prune_snapshots,
        read_profiles,
        read_records,
        write_profiles,
    )
    from tpanalytics.schema import TaskProfiles
    from tpanalytics.share import save, save_report, verify_report

__all__ = [
    "ApiError",
    "AuthError",
    "Claim",
    "Client",
    "ConfigError",
    "Limits",
    "PaginationError",
    "Privacy",
    "RateLimited",
    "RecordError",
    "RetryPolicy",
    "SchemaError",
    "ShareError",
    "SnapshotError",
    "TaskProfiles",
    "TpAnalyticsError",
    "TpAnalyticsWarning",
    "Unreachable",
    "about",
    "assign_families",
    "automation_candidates",
    "break_even",
    "build_once_curve",
    "capacity_by_family",
    "check_claim",
    "compare",
    "compare_exposure",
    "compare_families",
    "concentration_by_family",
    "connect",
    "coverage_by_family",
    "exposure_by_family",
    "exposure_by_job",
    "exposure_ranks",
    "family_overlap",
    "filter_jobs",
    "fragmentation_by_family",
    "freed_by_family",
    "hours_at_stake_by_family",
    "hours_by_family",
    "hours_by_job",
    "impact_by_family",
    "impute_hours",
    "level_moves",
    "list_snapshots",
    "load_employee_task_profiles",
    "load_job_task_profile",
    "load_sample",
    "load_task_profiles",
    "plot_hours_by_family",
    "plot_impact_by_family",
    "prune_snapshots",
    "quality_report",
    "read_profiles",
    "read_records",
    "save",
    "save_report",
    "shared_tasks",
    "state_moves",
    "suppress",
    "suppress_beside",
    "verify_report",
    "what_to_measure_next",
    "write_profiles",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'tpanalytics' has no attribute {name!r}")
    value = getattr(import_module(_HOME_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
