"""Task profiles of single jobs and of employees: asked for by name, never part of an export of jobs.

Employees' profiles are personal data. Their ids are replaced the moment a page is decoded, before anything is built
from them, and an export of them is kept in memory alone: the cursor of a page is an employee's id.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import msgspec

from tpanalytics.api.export import ExportRequest, decode
from tpanalytics.api.parallel import Chain
from tpanalytics.api.settings import Secret
from tpanalytics.api.wire import Envelope, decode_page
from tpanalytics.errors import ConfigError, RecordError, warn
from tpanalytics.profiles.completeness import Tables, record_batch, warn_of_rejects
from tpanalytics.profiles.load import describe_request, keep_pages
from tpanalytics.profiles.records import check_on_bad_record

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tpanalytics.api.export import Page
    from tpanalytics.api.session import Client
    from tpanalytics.api.wire import Batch, ResponseFormat
    from tpanalytics.schema import TaskProfiles
    from tpanalytics.typing import OnBadRecord, Vendor

__all__ = ["load_employee_task_profiles", "load_job"]

_ONE_JOB_INCLUDES = ("ai_impact", "source_data", "rejected_tasks", "weekly_hours")
_KEY = "TPANALYTICS_PSEUDONYM_KEY"


def load_job(
    client: Client,
    job_id: str,
    *,
    include: Sequence[str] = ("ai_impact", "weekly_hours"),
    response_format: ResponseFormat = "list",
) -> TaskProfiles:
    """Load the task profile of one job.

    A value the service does not give is null. Names and families are null; see `assign_families`.

    Parameters
    ----------
    client
        From `connect`.
    job_id
        The job's id.
    include
        What to add to each task: any of ``ai_impact``, ``weekly_hours``, ``source_data``, ``rejected_tasks``.
    response_format
        ``"hierarchy"`` also gives each task's place in the taxonomy.

    Returns
    -------
    TaskProfiles
        One job and its tasks, columns as in `tpanalytics.schema`.

    Raises
    ------
    AuthError, ApiError
        If the service refuses, or does not know the job (status 404).
    RecordError
        If the profile is not as documented; names the path of what is wrong.
    ConfigError
        If an argument is none of its values.

    Examples
    --------
    >>> from tpanalytics import connect
    >>> from tpanalytics.demo.server import Tenant
    >>> with Tenant() as tenant:
    ...     load_job(connect(**tenant.settings), "job-0002").jobs["n_tasks"].item()
    21
    """
    if isinstance(include, str) or any(name not in _ONE_JOB_INCLUDES for name in include):
        raise ConfigError(f"include={include!r}: choose from {', '.join(_ONE_JOB_INCLUDES)}.")
    request = ExportRequest(tuple(include), response_format=response_format)
    if not job_id or not isinstance(job_id, str):
        raise ConfigError(f"job_id={job_id!r}: give the id of a job as text.")
    path = f"/job_architecture/jobs/{quote(job_id, safe='')}/task_profile"
    body = client.request("GET", path, query=[*(("include", name) for name in include), *request.query()])
    if body.lstrip()[:1] != b"{":
        raise client.not_understood("GET", path, body, "no record of a job")
    envelope = Envelope(has_next=False, records=[msgspec.Raw(body)])
    tables = Tables()
    tables.keep(*record_batch(decode_page(envelope, where="the answer", response_format=response_format)))
    asked = {"job_id": job_id, "include": list(include), "response_format": response_format}
    profiles = tables.profiles(describe_request(client, "job", asked))
    del profiles.manifest["pages"]  # it is none
    return profiles


def load_employee_task_profiles(
    client: Client,
    *,
    include: Sequence[str] = ("ai_impact", "weekly_hours"),
    filters: Sequence[dict[str, Any]] = (),
    response_format: ResponseFormat = "list",
    external_vendor: Vendor | None = None,
    pseudonymise: bool = True,
    key: str | None = None,
    on_bad_record: OnBadRecord = "raise",
    limit: int = 100,
    progress: bool = True,
) -> TaskProfiles:
    """Load the task profiles of employees, which are personal data, under pseudonyms.

    A value the service does not give is null. Nothing is written to disk. A pseudonym is a keyed hash (HMAC-SHA256,
    cut to 64 bits) of the id: without the key nobody gets from one to the other, and with the same key the same person
    has the same pseudonym in every load. Pseudonyms are still personal data where the key, or the tasks themselves,
    lead back to somebody.

    Parameters
    ----------
    client
        From `connect`.
    include
        What to add to each task: any of ``ai_impact``, ``weekly_hours``, ``source_events``, ``linked_skills``,
        ``rejected_tasks``.
    filters
        Filter objects of the service, passed on as they are, like ``{"filter": "is_active", "is_active": True}``.
    response_format, external_vendor, on_bad_record, limit, progress
        As in `load_task_profiles`.
    pseudonymise
        False keeps the ids of the service.
    key
        Secret the pseudonyms hang on, 16 characters or more; otherwise the environment variable
        ``TPANALYTICS_PSEUDONYM_KEY``; otherwise a key drawn for this call and forgotten after it.

    Returns
    -------
    TaskProfiles
        Columns as in `tpanalytics.schema`, with an employee where elsewhere a job is: ``job_id`` is the pseudonym, and
        ``source_data`` the ids of the source events, under pseudonyms too. Under pseudonyms ``rejects`` has no raw
        record.

    Raises
    ------
    AuthError, ApiError, PaginationError
        If the service refuses, cannot be reached, or its pages do not lead on.
    RecordError
        If a record is not as documented.
    ConfigError
        If an argument is none of its values.

    Warns
    -----
    TpAnalyticsWarning
        Always, that these are personal data; and if records were left out.

    Examples
    --------
    >>> import warnings
    >>> from tpanalytics import connect
    >>> from tpanalytics.demo.server import Tenant
    >>> with Tenant() as tenant, warnings.catch_warnings():
    ...     warnings.simplefilter("ignore")
    ...     load_employee_task_profiles(connect(**tenant.settings), progress=False)
    TaskProfiles: 480 employees and 5,516 tasks in 5 pages, 0 duplicates, complete; personal data with pseudonyms.
    """
    if isinstance(include, str):
        raise ConfigError(f"include={include!r}: give a list, like ['ai_impact', 'weekly_hours'].")
    check_on_bad_record(on_bad_record)
    request = ExportRequest(tuple(include), tuple(filters), response_format, external_vendor, limit, "employees")
    hide = _pseudonyms(Secret(key or os.environ.get(_KEY, "") or secrets.token_hex(32))) if pseudonymise else None
    del key  # tracebacks with local variables end up in notebooks
    warn(
        "Employees' task profiles are personal data: use them only for what they were collected for, keep them off "
        "shared notebooks, and see people in groups. Job-level profiles answer most questions."
    )
    tables = Tables()
    asked = {**msgspec.to_builtins(request), "pseudonyms": pseudonymise}
    manifest = describe_request(client, "employees", asked)
    decoder = partial(decode, client, request, on_bad_record=on_bad_record)
    if hide is not None:
        decoder = partial(_decode_hiding, decoder, hide)
    keep_pages(client, request, [Chain()], decoder, tables.keep, show=progress)
    profiles = tables.profiles({**manifest, "complete": True})
    warn_of_rejects(profiles.rejects)
    return profiles


def _pseudonyms(secret: Secret) -> Callable[[str], str]:
    if len(secret.reveal()) < 16:
        raise ConfigError(f"The key of the pseudonyms (key, or {_KEY}) must have 16 characters or more.")

    def hide(identity: str) -> str:
        return "p-" + hmac.new(secret.reveal().encode(), identity.encode(), hashlib.sha256).hexdigest()[:16]

    return hide


def _decode_hiding(decoder: Callable[[Page, str], Batch], hide: Callable[[str], str], page: Page, where: str) -> Batch:
    """Decode a page, and replace every id in it."""
    refused = None
    try:
        batch = decoder(page, where)
    except RecordError as error:
        job_id = None if error.job_id is None else hide(error.job_id)
        refused = RecordError(where=error.where, job_id=job_id, path=error.path, reason=error.reason)
    if refused is not None:  # raised outside the handler, whose error names the employee
        raise refused
    tasks = dict(batch.tasks, job_id=list(map(hide, batch.tasks["job_id"])))
    if "source_data" in tasks:
        tasks["source_data"] = [None if ids is None else list(map(hide, ids)) for ids in tasks["source_data"]]
    rejects = [
        {
            **entry,
            "job_id": None if entry["job_id"] is None else hide(entry["job_id"]),
            "reason": str(entry["reason"]).partition("; found ")[0],
            "raw": None,
        }
        for entry in batch.rejects
    ]
    jobs = dict(batch.jobs, job_id=list(map(hide, batch.jobs["job_id"])))
    return batch._replace(jobs=jobs, tasks=tasks, rejects=rejects)
