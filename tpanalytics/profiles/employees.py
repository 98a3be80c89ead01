"""Load task profiles for single jobs and for employees.

Employee task profiles are personal data. Ids are replaced as soon as a page is decoded. Nothing is written to disk,
since even the cursors are employee ids.
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
from tpanalytics.profiles.completeness import Tables, describe_batch, warn_of_rejects
from tpanalytics.profiles.load import check_client, describe_request, load_pages
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
    """Load a single job's task profile.

    Values that the service doesn't return are null, including the job name and family (see `assign_families`).

    Parameters
    ----------
    client
        A client returned by `connect`.
    job_id
        The job id.
    include
        The data to include for each task: any of ``ai_impact``, ``weekly_hours``, ``source_data``, ``rejected_tasks``.
    response_format
        The response format. Use ``"hierarchy"`` to include each task's taxonomy path.

    Returns
    -------
    TaskProfiles
        The job and its tasks. See `tpanalytics.schema` for the columns.

    Raises
    ------
    AuthError, ApiError
        If the service refuses the request, or if there is no such job (status 404).
    RecordError
        If the profile is invalid. The message includes the path to the invalid field.
    ArgumentError
        If `client` is not a Client.
    ConfigError
        If another argument is invalid.

    Examples
    --------
    >>> from tpanalytics import connect
    >>> from tpanalytics.demo.server import Tenant
    >>> with Tenant() as tenant:
    ...     load_job(connect(**tenant.settings), "job-0002").jobs["n_tasks"].item()
    21
    """
    check_client(client)
    if isinstance(include, str) or any(name not in _ONE_JOB_INCLUDES for name in include):
        raise ConfigError(
            f"`include` must be a list of any of {', '.join(map(repr, _ONE_JOB_INCLUDES))}, not {include!r}."
        )
    request = ExportRequest(tuple(include), response_format=response_format)
    if not job_id or not isinstance(job_id, str):
        raise ConfigError(f"`job_id` must be the id of a job as a string, not {job_id!r}.")
    path = f"/job_architecture/jobs/{quote(job_id, safe='')}/task_profile"
    body = client.request("GET", path, query=[*(("include", name) for name in include), *request.query()])
    if body.lstrip()[:1] != b"{":
        raise client.not_understood("GET", path, body, "not a job record")
    envelope = Envelope(has_next=False, records=[msgspec.Raw(body)])
    tables = Tables()
    tables.add(*describe_batch(decode_page(envelope, where="response", response_format=response_format)))
    parameters = {"job_id": job_id, "include": list(include), "response_format": response_format}
    profiles = tables.profiles(describe_request(client, "job", parameters))
    del profiles.manifest["pages"]  # there are no pages for a single job
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
    """Load employee task profiles, using pseudonyms as ids.

    Employee task profiles are personal data, so nothing is written to disk. Values that the service doesn't return are
    null. Pseudonyms are keyed hashes (HMAC-SHA256, truncated to 64 bits). They can't be reversed without the key, and
    the same key always produces the same pseudonyms. Pseudonymised data are still personal data if the key or the tasks
    could identify a person.

    Parameters
    ----------
    client
        A client returned by `connect`.
    include
        The data to include for each task: any of ``ai_impact``, ``weekly_hours``, ``source_events``, ``linked_skills``,
        ``rejected_tasks``.
    filters
        Filters to pass to the service, e.g. ``{"filter": "is_active", "is_active": True}``.
    response_format, external_vendor, on_bad_record, limit, progress
        See `load_task_profiles`.
    pseudonymise
        If False, the original ids are returned.
    key
        The secret key for the pseudonyms, with at least 16 characters. Defaults to the ``TPANALYTICS_PSEUDONYM_KEY``
        environment variable. If that isn't set, a random key is used and not stored.

    Returns
    -------
    TaskProfiles
        The employees and their tasks. See `tpanalytics.schema` for the columns. ``job_id`` is the employee's
        pseudonym, and ``source_data`` contains pseudonymised source event ids. If ids are pseudonymised, ``rejects``
        does not include the raw records.

    Raises
    ------
    AuthError, ApiError, PaginationError
        If the service refuses a request, can't be reached, or returns an invalid cursor.
    RecordError
        If a record is invalid.
    ArgumentError
        If `client` is not a Client.
    ConfigError
        If another argument is invalid.

    Warns
    -----
    TpAnalyticsWarning
        Always, as a reminder that the data are personal. Also if any records were skipped.

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
    check_client(client)
    if isinstance(include, str):
        raise ConfigError(f"`include` must be a list like ['ai_impact', 'weekly_hours'], not {include!r}.")
    check_on_bad_record(on_bad_record)
    request = ExportRequest(tuple(include), tuple(filters), response_format, external_vendor, limit, "employees")
    pseudonym = _keyed_hash(Secret(key or os.environ.get(_KEY, "") or secrets.token_hex(32))) if pseudonymise else None
    del key  # tracebacks can include local variables
    warn(
        "Task profiles of employees are personal data: only use them for the purpose they were collected for, do not "
        "share them in notebooks, and report on groups. Most questions can be answered with task profiles of jobs."
    )
    tables = Tables()
    parameters = {**msgspec.to_builtins(request), "pseudonyms": pseudonymise}
    manifest = describe_request(client, "employees", parameters)
    decoder = partial(decode, client, request, on_bad_record=on_bad_record)
    if pseudonym is not None:
        decoder = partial(_decode_pseudonymised, decoder, pseudonym)
    load_pages(client, request, [Chain()], decoder, tables.add, show=progress)
    profiles = tables.profiles({**manifest, "complete": True})
    warn_of_rejects(profiles.rejects)
    return profiles


def _keyed_hash(secret: Secret) -> Callable[[str], str]:
    if len(secret.reveal()) < 16:
        raise ConfigError(f"The pseudonym key (`key` or {_KEY}) must have at least 16 characters.")

    def pseudonym(identity: str) -> str:
        return "p-" + hmac.new(secret.reveal().encode(), identity.encode(), hashlib.sha256).hexdigest()[:16]

    return pseudonym


def _decode_pseudonymised(
    decoder: Callable[[Page, str], Batch], pseudonym: Callable[[str], str], page: Page, where: str
) -> Batch:
    """Decode a page and replace all ids with pseudonyms."""
    refusal = None
    try:
        batch = decoder(page, where)
    except RecordError as error:
        job_id = None if error.job_id is None else pseudonym(error.job_id)
        refusal = RecordError(where=error.where, job_id=job_id, path=error.path, reason=error.reason)
    if refusal is not None:  # raise outside the handler: the original error contains an employee id
        raise refusal
    tasks = dict(batch.tasks, job_id=list(map(pseudonym, batch.tasks["job_id"])))
    if "source_data" in tasks:
        tasks["source_data"] = [None if ids is None else list(map(pseudonym, ids)) for ids in tasks["source_data"]]
    rejects = [
        {
            **entry,
            "job_id": None if entry["job_id"] is None else pseudonym(entry["job_id"]),
            "reason": str(entry["reason"]).partition("; found ")[0],
            "raw": None,
        }
        for entry in batch.rejects
    ]
    jobs = dict(batch.jobs, job_id=list(map(pseudonym, batch.jobs["job_id"])))
    return batch._replace(jobs=jobs, tasks=tasks, rejects=rejects)
