"""The data: from pages, files or a folder into two tables, and back onto disk."""

from tpanalytics.profiles.families import assign_families
from tpanalytics.profiles.filter import filter_jobs
from tpanalytics.profiles.load import load_task_profiles
from tpanalytics.profiles.persons import load_employee_task_profiles, load_job_task_profile
from tpanalytics.profiles.records import read_records
from tpanalytics.profiles.snapshot.listing import list_snapshots, prune_snapshots
from tpanalytics.profiles.snapshot.store import read_profiles, write_profiles

__all__ = [
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
]
