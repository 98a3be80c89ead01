"""Pages or files of records in, `TaskProfiles` out.

Tables are built column by column against the schema of `tpanalytics.schema`; jobs have a table of their own, so that a
job without tasks cannot be lost by a join or an explode.
"""

from __future__ import annotations

import codecs
import gzip
import sys
import warnings
import zlib
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import msgspec
import polars as pl

from tpanalytics import schema
from tpanalytics.api.export import ExportRequest, export_pages
from tpanalytics.api.wire import Batch, Envelope, decode_page
from tpanalytics.errors import ConfigError, RecordError, TpAnalyticsWarning
from tpanalytics.profiles.families import assign_mapping, family_filters, family_lists
from tpanalytics.profiles.snapshot import check_target, write_profiles
from tpanalytics.schema import TaskProfiles

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tpanalytics.api.export import Vendor
    from tpanalytics.api.session import Client
    from tpanalytics.api.wire import ResponseFormat

__all__ = ["load_task_profiles", "read_records"]

OnBadRecord = Literal["raise", "collect"]


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
    _check_on_bad_record(on_bad_record)
    request = ExportRequest(tuple(include), tuple(filters), response_format, external_vendor, limit)
    if snapshot is not None:
        check_target(Path(snapshot))
    tables = _Tables()
    started, pages = _now(), 0
    with _bar(client, show=progress) as advance:
        for page in export_pages(client, request):
            pages = page.number
            where = f"page {page.number}"
            tables.add(
                decode_page(page.envelope, where=where, response_format=response_format, on_bad_record=on_bad_record)
            )
            advance(tables)
        service_version = client.version()
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
    if families == "lists":
        profiles = assign_mapping(profiles, *family_lists(client), source="lists of the service")
    elif families is not None:
        mapping = family_filters(client, request, families)
        profiles = assign_mapping(profiles, mapping, None, source="one filtered export per family")
    if snapshot is not None:
        write_profiles(profiles, snapshot)
    return profiles


def read_records(
    path: str | Path, *, response_format: ResponseFormat | None = None, on_bad_record: OnBadRecord = "raise"
) -> TaskProfiles:
    """Read raw records of the export from a file, without any network.

    Parameters
    ----------
    path
        ``.jsonl`` with a record or a page per line, or ``.json`` with a list of records or a page; plain or gzip.
    response_format
        Format of the records; by default each record is looked at.
    on_bad_record
        As in `load_task_profiles`.

    Returns
    -------
    TaskProfiles
        Families are empty; see `assign_families`.

    Raises
    ------
    RecordError
        If a record is not as documented; names its number, job and path.
    ConfigError
        If the file cannot be read, or an argument is none of its values.

    Examples
    --------
    >>> from pathlib import Path
    >>> _ = Path("export.jsonl").write_text('{"external_id": "job-1", "tasks": []}')
    >>> read_records("export.jsonl").jobs["n_tasks"].to_list()
    [0]
    """
    _check_on_bad_record(on_bad_record)
    path = Path(path)
    try:
        raw = path.read_bytes()
        raw = gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
    except (OSError, EOFError, zlib.error) as error:
        raise ConfigError(f"{path.name} cannot be read: {getattr(error, 'strerror', None) or error}.") from None
    return profiles_of(
        _split(raw.removeprefix(codecs.BOM_UTF8), path.name),
        path.name,
        {"kind": "file", "name": path.name},
        response_format=response_format,
        on_bad_record=on_bad_record,
    )


def profiles_of(
    records: list[msgspec.Raw],
    where: str,
    source: dict[str, Any],
    *,
    response_format: ResponseFormat | None = None,
    on_bad_record: OnBadRecord = "raise",
) -> TaskProfiles:
    """Turn records at hand into task profiles.

    Parameters
    ----------
    records
        One JSON object per job.
    where
        Where they came from, for messages.
    source
        The same for the manifest.
    response_format, on_bad_record
        As in `read_records`.
    """
    envelope = Envelope(has_next=False, records=records)
    tables = _Tables()
    tables.add(decode_page(envelope, where=where, response_format=response_format, on_bad_record=on_bad_record))
    return tables.profiles({"source": source})


def _check_on_bad_record(value: str) -> None:
    if value not in get_args(OnBadRecord):
        raise ConfigError(f"on_bad_record={value!r}: choose 'raise' or 'collect'.")


class _Lines(msgspec.Struct):
    records: list[msgspec.Raw]


def _split(raw: bytes, name: str) -> list[msgspec.Raw]:
    """Find the records in a file: a list, a page, or a record or page per line."""
    start = raw.lstrip()[:1]
    try:
        if start == b"[":
            return msgspec.json.decode(raw, type=list[msgspec.Raw])
        try:
            return msgspec.json.decode(raw, type=_Lines).records
        except (msgspec.DecodeError, RecursionError):
            records: list[msgspec.Raw] = []
            for line in raw.splitlines():
                if not line.strip():
                    continue
                try:
                    records += msgspec.json.decode(line, type=_Lines).records
                except (msgspec.DecodeError, RecursionError):
                    records.append(msgspec.Raw(line))
            return records
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RecordError(where=name, job_id=None, path="$", reason=f"not readable as JSON: {error}") from None


class _Tables:
    """The frames of the pages so far; a job that came before is left out and counted."""

    def __init__(self) -> None:
        self.jobs: list[pl.DataFrame] = [schema.empty(schema.JOBS)]
        self.tasks: list[pl.DataFrame] = [schema.empty(schema.TASKS)]
        self.rejects: list[dict[str, str | None]] = []
        self.n_jobs = self.n_tasks = self.duplicates = 0
        self._seen: set[str] = set()

    def add(self, batch: Batch) -> None:
        """Append one page."""
        jobs = _frame(batch.jobs, schema.JOBS)
        tasks = _frame(batch.tasks, schema.TASKS)
        first = []
        for job_id in batch.jobs["job_id"]:
            first.append(job_id not in self._seen)
            self._seen.add(job_id)
        if not all(first):
            self.duplicates += first.count(False)
            jobs = jobs.filter(pl.Series(first))
            counts = batch.jobs["n_tasks"]
            tasks = tasks.filter(pl.Series([new for new, n in zip(first, counts, strict=True) for _ in range(n)]))
        self.jobs.append(jobs)
        self.tasks.append(tasks)
        self.rejects += batch.rejects
        self.n_jobs += jobs.height
        self.n_tasks += tasks.height

    def profiles(self, manifest: dict[str, Any]) -> TaskProfiles:
        """Join the pages and describe them."""
        from tpanalytics import __version__

        counts = {
            "jobs": self.n_jobs,
            "tasks": self.n_tasks,
            "duplicates": self.duplicates,
            "rejects": len(self.rejects),
        }
        if self.rejects:
            first = self.rejects[0]
            warnings.warn(
                f"{len(self.rejects)} record(s) were left out, the first is {first['where']}, job {first['job_id']}: "
                f"{first['reason']}. See profiles.rejects.",
                TpAnalyticsWarning,
                stacklevel=3,
            )
        return TaskProfiles(
            jobs=pl.concat(self.jobs, rechunk=True),
            tasks=pl.concat(self.tasks, rechunk=True),
            manifest={"tpanalytics": __version__, **manifest, **counts},
            rejects=pl.DataFrame(self.rejects, schema=schema.REJECTS),
        )


def _frame(columns: dict[str, list[Any]], wanted: dict[str, Any]) -> pl.DataFrame:
    present = {name: dtype for name, dtype in wanted.items() if name in columns}
    frame = pl.DataFrame({name: columns[name] for name in present}, schema=present)
    # Outside the hierarchy format a task's path is empty; all else that was not asked for is null.
    absent: dict[str, Any] = {name: [] if name == "hierarchy" else None for name in wanted}
    return frame.select(
        pl.col(name) if name in present else pl.lit(absent[name], dtype=dtype).alias(name)
        for name, dtype in wanted.items()
    )


@contextmanager
def _bar(client: Client, *, show: bool) -> Iterator[Callable[[_Tables], None]]:
    """Show how far the export is; how many pages there are is not known beforehand."""
    from tqdm.auto import tqdm

    notebook = "ipykernel" in sys.modules
    bar = tqdm(
        desc="Task profiles",
        unit=" pages",
        leave=False,
        disable=(False if notebook else None) if show else True,
    )

    def advance(tables: _Tables) -> None:
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
