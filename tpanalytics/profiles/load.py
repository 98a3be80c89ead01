"""An export over the network in, `TaskProfiles` out.

Tables are built column by column against the schema of `tpanalytics.schema`; jobs have a table of their own, so that a
job without tasks cannot be lost by a join or an explode.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from tpanalytics.api.export import ExportRequest, export_pages
from tpanalytics.api.wire import decode_page
from tpanalytics.errors import ApiError, AuthError, ConfigError
from tpanalytics.profiles.families import assign_mapping, family_filters, family_lists
from tpanalytics.profiles.records import OnBadRecord, check_on_bad_record
from tpanalytics.profiles.snapshot import check_target, write_profiles
from tpanalytics.profiles.tables import Tables

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tpanalytics.api.export import Vendor
    from tpanalytics.api.session import Client
    from tpanalytics.api.wire import ResponseFormat
    from tpanalytics.schema import TaskProfiles

__all__ = ["load_task_profiles"]


def load_task_profiles(
    client: Client,
    *,
    include: Sequence[str] = ("ai_impact", "weekly_hours"),
    filters: Sequence[dict[str, Any]] = (),
    response_format: ResponseFormat = "list",
    external_vendor: Vendor | None = None,
    families: Sequence[str] | Literal["lists"] | None = None,
    snapshot: str | Path | None = None,
    on_bad_record: OnBadRecord = "raise",
    limit: int = 100,
    progress: bool = True,
) -> TaskProfiles:
    """Load the task profiles of all jobs, page by page.

    A value the service does not give is null; jobs without tasks are rows of ``jobs``. A job that comes twice is kept
    once, as it came first, and counted.

    Parameters
    ----------
    client
        From `connect`.
    include
        What to add to each task: any of ``ai_impact``, ``weekly_hours``, ``source_data``, ``linked_skills``,
        ``rejected_tasks``.
    filters
        Filter objects of the service, passed on as they are.
    response_format
        ``"hierarchy"`` also gives each task's place in the taxonomy.
    external_vendor
        Whose names ``linked_skills`` shall carry: ``techwolf``, ``workday`` or ``sap_attribute_library``.
    families
        Where job families come from: ids of families, one filtered export each; or ``"lists"``, the service's lists
        of jobs and families, which not every tenant has. None leaves them empty; see `assign_families`.
    snapshot
        Folder to write the result to, as `write_profiles` does.
    on_bad_record
        ``"raise"`` stops at a record that is not as documented, ``"collect"`` leaves it out and lists it in
        ``rejects``.
    limit
        Jobs per page, 1 to 100.
    progress
        Show a progress bar in a terminal or notebook.

    Returns
    -------
    TaskProfiles
        Columns as in `tpanalytics.schema`, rows in the service's order.

    Raises
    ------
    AuthError, ApiError, PaginationError
        If the service refuses, cannot be reached, or its pages do not lead on.
    RecordError
        If a record is not as documented; names job and path.
    ConfigError
        If an argument is none of its values.
    SnapshotError
        If `snapshot` is a folder that holds something else.

    Examples
    --------
    >>> from tpanalytics import connect
    >>> from tpanalytics.demo import Tenant
    >>> with Tenant() as tenant:
    ...     load_task_profiles(connect(**tenant.settings), families="lists", progress=False)
    TaskProfiles: 240 jobs and 5,516 tasks in 3 pages, 0 duplicates, complete; may be a subset of the tenant.
    """
    if isinstance(include, str):
        raise ConfigError(f"include={include!r}: give a list, like ['ai_impact', 'weekly_hours'].")
    if isinstance(families, str) and families != "lists":
        raise ConfigError(f"families={families!r}: give a list of family ids, or 'lists'.")
    check_on_bad_record(on_bad_record)
    request = ExportRequest(tuple(include), tuple(filters), response_format, external_vendor, limit)
    if snapshot is not None:
        check_target(Path(snapshot))
    # First what may be refused, so that no finished export is lost to it.
    service_version = _version(client)
    lists = family_lists(client) if families == "lists" else None
    tables = Tables()
    started, pages = _now(), 0
    with _bar(client, show=progress) as advance:
        for page in export_pages(client, request):
            pages = page.number
            where = f"page {page.number}"
            tables.add(
                decode_page(page.envelope, where=where, response_format=response_format, on_bad_record=on_bad_record)
            )
            advance(tables)
    profiles = tables.profiles(
        {
            "source": {
                "kind": "export",
                "base_url": client.settings.base_url,
                "tenant": client.settings.tenant,
                "service_version": client.settings.api_version or service_version,
            },
            "request": msgspec.json.decode(msgspec.json.encode(asdict(request))),
            "started": started,
            "finished": _now(),
            "complete": True,  # the loop above ends only when the service said there is no more
            "pages": pages,
        }
    )
    if lists is not None:
        profiles = assign_mapping(profiles, *lists, source="lists of the service")
    if snapshot is not None:
        write_profiles(profiles, snapshot)
    if families is not None and lists is None:
        mapping = family_filters(client, request, families)
        profiles = assign_mapping(profiles, mapping, None, source="one filtered export per family")
        if snapshot is not None:
            write_profiles(profiles, snapshot)
    return profiles


def _version(client: Client) -> str | None:
    """Ask for the service's version; it is a note in the manifest, and no reason to give up."""
    client.sign_in()
    try:
        return client.version()
    except (ApiError, AuthError):
        return None


@contextmanager
def _bar(client: Client, *, show: bool) -> Iterator[Callable[[Tables], None]]:
    """Show how far the export is; how many pages there are is not known beforehand."""
    from tqdm.auto import tqdm

    notebook = "ipykernel" in sys.modules
    bar = tqdm(
        desc="Task profiles",
        unit=" pages",
        leave=False,
        disable=(False if notebook else None) if show else True,
    )

    def advance(tables: Tables) -> None:
        bar.set_postfix_str(f"{tables.n_jobs:,} jobs, {tables.n_tasks:,} tasks", refresh=False)
        bar.update()

    before, client.on_wait = client.on_wait, bar.set_postfix_str
    try:
        yield advance
    finally:
        client.on_wait = before
        bar.close()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
