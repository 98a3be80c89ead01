"""An export over the network in, `TaskProfiles` out.

Tables are built column by column against the schema of `tpanalytics.schema`; jobs have a table of their own, so that a
job without tasks cannot be lost by a join or an explode.
"""

from __future__ import annotations

import sys
from collections import Counter
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import msgspec
import polars as pl

from tpanalytics._paths import local_path
from tpanalytics._version import __version__
from tpanalytics.api.export import ExportRequest, decode
from tpanalytics.api.parallel import Chain, CursorLost, Walk
from tpanalytics.errors import (
    ApiError,
    AuthError,
    ConfigError,
    PaginationError,
    TpAnalyticsError,
    warn,
)
from tpanalytics.profiles.completeness import Note, Tables, record_page, warn_of_rejects
from tpanalytics.profiles.families import assign_jobs, assign_mapping, family_filters, family_lists, jobs_listed
from tpanalytics.profiles.records import check_on_bad_record
from tpanalytics.profiles.snapshot.layout import locked, now
from tpanalytics.profiles.snapshot.read_write import opened
from tpanalytics.profiles.snapshot.resume import Pull

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from tpanalytics.api.export import Page
    from tpanalytics.api.session import Client
    from tpanalytics.api.wire import Batch, ResponseFormat
    from tpanalytics.schema import TaskProfiles
    from tpanalytics.typing import OnBadRecord, Vendor

__all__ = ["describe_request", "keep_pages", "load_task_profiles"]


def load_task_profiles(
    client: Client,
    *,
    include: Sequence[str] = ("ai_impact", "weekly_hours"),
    filters: Sequence[dict[str, Any]] = (),
    response_format: ResponseFormat = "list",
    external_vendor: Vendor | None = None,
    families: Sequence[str] | Literal["lists"] | None = None,
    snapshot: str | Path | None = None,
    resume: bool = True,
    workers: int = 1,
    lazy: bool = False,
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
        Folder to write to while loading: a page is on disk before the next is counted on, and it takes the place of a
        snapshot there only once the service said that there is no more. Without it nothing is written.
    resume
        Go on with the unfinished export in `snapshot`, if there is one; False starts over.
    workers
        Parts of the export that are loaded side by side, over one token. It needs job ids to part it at, so `families`
        must be given. The tables are those of one worker; only page numbers in ``rejects`` count from the part's
        beginning, and fields nobody knows are counted twice in the few records where two parts meet.
    lazy
        Give `polars.LazyFrame` over the files of `snapshot`, for more tasks than fit into memory. They end with the
        next export into that folder.
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
        If `snapshot` is a folder that holds something else or an unfinished export of another request, cannot be
        written, or is being written to by another process. What was there stays good.

    Warns
    -----
    TpAnalyticsWarning
        If records were left out, or an unfinished export could not be gone on with and starts over.

    Examples
    --------
    >>> from tpanalytics import connect
    >>> from tpanalytics.demo.server import Tenant
    >>> with Tenant() as tenant:
    ...     load_task_profiles(connect(**tenant.settings), families="lists", progress=False)
    TaskProfiles: 240 jobs and 5,516 tasks in 3 pages, 0 duplicates, complete; may be a subset of the tenant.
    """
    if isinstance(include, str):
        raise ConfigError(f"include={include!r}: give a list, like ['ai_impact', 'weekly_hours'].")
    if isinstance(families, str) and families != "lists":
        raise ConfigError(f"families={families!r}: give a list of family ids, or 'lists'.")
    if isinstance(workers, bool) or not isinstance(workers, int) or workers < 1:
        raise ConfigError(f"workers={workers!r}: give a whole number of at least 1.")
    if workers > 1 and families is None:
        raise ConfigError(
            f"workers={workers}: the export is parted at jobs that are known beforehand; pass families='lists' or a "
            "list of family ids."
        )
    if lazy and snapshot is None:
        raise ConfigError("lazy=True reads from the files of a snapshot; give a folder as snapshot.")
    check_on_bad_record(on_bad_record)
    request = ExportRequest(tuple(include), tuple(filters), response_format, external_vendor, limit)
    export = _Export(client, request, families, on_bad_record, workers, progress)
    if snapshot is None:
        profiles = export.into_memory()
    else:
        folder = local_path(snapshot)
        with locked(folder):  # what the folder refuses is said before anything is asked for
            export.into_folder(folder, resume=resume)
            profiles = opened(folder, lazy=lazy, proven=True)
    warn_of_rejects(profiles.rejects)
    return profiles


@dataclass(frozen=True)
class _Export:
    """One call of `load_task_profiles`, its arguments checked."""

    client: Client
    request: ExportRequest
    families: Sequence[str] | Literal["lists"] | None
    on_bad_record: OnBadRecord
    workers: int
    progress: bool

    def into_memory(self) -> TaskProfiles:
        described, started, tables = self._described(), now(), Tables()
        names = self._names()
        listed = self._jobs_listed(names)
        self._pull(self._chains(names), tables.keep)
        profiles = tables.profiles(_manifest(described, started, listed))
        return profiles if names is None else assign_mapping(profiles, names.jobs, names.families, source=names.source)

    def into_folder(self, folder: Path, *, resume: bool) -> None:
        described = self._described()
        with Pull(folder, {name: described[name] for name in ("source", "request")}) as pull, _note_of_kept_pages(pull):
            chains = pull.resume() if resume else []
            names = self._names()
            listed = self._jobs_listed(names)
            if not chains:
                pull.begin(chains := self._chains(names))
            try:
                self._pull(chains, pull.keep, pull.notes)
            except CursorLost as lost:
                warn(
                    f"The service no longer knows the job that the export in {folder} broke off after, so it starts "
                    f"over from the first page. It said: {lost}"
                )
                pull.begin(chains := self._chains(names))
                self._pull(chains, pull.keep)
            manifest = {**_manifest(described, pull.started, listed), "resumed_pages": pull.resumed_pages}
            pull.seal(manifest, names.assign if names is not None else _unnamed)

    def _pull(
        self, chains: list[Chain], keep: Callable[[Note, pl.DataFrame], None], resumed: Iterable[Note] = ()
    ) -> None:
        decoder = partial(decode, self.client, self.request, on_bad_record=self.on_bad_record)
        keep_pages(
            self.client,
            self.request,
            chains,
            decoder,
            keep,
            show=self.progress,
            workers=self.workers,
            resumed=resumed,
        )

    def _jobs_listed(self, names: _Names | None) -> int | None:
        """Ask how many jobs the tenant lists, unless that is known, or filters make the answer meaningless."""
        if self.request.filters:
            return None
        return jobs_listed(self.client) if names is None else names.listed

    def _described(self) -> dict[str, Any]:
        request = msgspec.json.decode(msgspec.json.encode(asdict(self.request)))
        del request["of"]
        return describe_request(self.client, "export", request)

    def _names(self) -> _Names | None:
        """Ask for names and families before the export, so that no finished one is lost to their refusal."""
        if self.families is None:
            return None
        if self.families == "lists":
            jobs, families = family_lists(self.client)
            return _Names(jobs, families, "lists of the service", jobs.get_column("job_id").to_list(), jobs.height)
        mapping = family_filters(self.client, self.request, self.families, workers=self.workers)
        largest = mapping.filter(pl.len().over("job_family_id") == pl.len().over("job_family_id").max())
        known = largest.filter(pl.col("job_family_id") == pl.col("job_family_id").first()).get_column("job_id")
        return _Names(mapping, None, "the families asked for", known.to_list(), None)

    def _chains(self, names: _Names | None) -> list[Chain]:
        """Split the export at known jobs, evenly, and at the ends of pages where all jobs are known."""
        known = [] if names is None else names.in_order
        pages = len(known) / self.request.limit
        cuts = {round(pages * i / self.workers) * self.request.limit for i in range(1, self.workers)}
        if self.families != "lists":
            cuts = {len(known) * i // self.workers for i in range(1, self.workers)}
        starts = [None, *(known[cut - 1] for cut in sorted(cuts) if 0 < cut < len(known))]
        return [Chain(number, after) for number, after in enumerate(starts)]


class _Names(NamedTuple):
    """Names and families of jobs, and the jobs that are known from there, in the service's order."""

    jobs: pl.DataFrame
    families: pl.DataFrame | None
    source: str
    in_order: list[str]
    listed: int | None

    def assign(self, jobs: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, Any]]:
        return assign_jobs(jobs, self.jobs, self.families, source=self.source)


@contextmanager
def _note_of_kept_pages(pull: Pull) -> Iterator[None]:
    """Add to an error that breaks an export off how many pages are kept."""
    try:
        yield
    except (TpAnalyticsError, KeyboardInterrupt) as error:
        # Where the pages themselves are at fault, resuming would not help.
        hopeless = isinstance(error, PaginationError) or isinstance(error.__cause__, PaginationError)
        if not hopeless and (pages := pull.kept_pages()):
            kept = "1 page is kept" if pages == 1 else f"{pages:,} pages are kept"
            error.add_note(f"{kept}; asking again goes on from there, unless with resume=False.")
        raise


def _manifest(described: dict[str, Any], started: str, listed: int | None) -> dict[str, Any]:
    return {
        **described,
        "started": started,
        "finished": now(),
        "complete": True,  # a walk ends, and `prove_complete` passes, only where the service said that it is
        "jobs_in_tenant_list": listed,
    }


def _unnamed(jobs: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, Any]]:
    return jobs, {}


def describe_request(client: Client, kind: str, request: dict[str, Any]) -> dict[str, Any]:
    """Return what a manifest records of a request; signs in, so that wrong settings are reported first."""
    settings = client.settings
    source = {
        "kind": kind,
        "base_url": settings.base_url,
        "tenant": settings.tenant,
        "service_version": settings.api_version or _version(client),
    }
    return {"tpanalytics": __version__, "source": source, "request": request}


def _version(client: Client) -> str | None:
    """Ask for the service's version; it is a note in the manifest, and no reason to give up."""
    client.sign_in()
    try:
        return client.version()
    except (ApiError, AuthError):
        return None


def keep_pages(
    client: Client,
    request: ExportRequest,
    chains: Iterable[Chain],
    decoder: Callable[[Page, str], Batch],
    keep: Callable[[Note, pl.DataFrame], None],
    *,
    show: bool,
    workers: int = 1,
    resumed: Iterable[Note] = (),
) -> None:
    """Walk the chains to their ends, hand every page to `keep`, and show a progress bar that starts at `resumed`."""
    from tqdm.auto import tqdm

    disable = (False if "ipykernel" in sys.modules else None) if show else True  # None shows it on a terminal alone
    counts: Counter[str] = Counter()
    with tqdm(desc="Task profiles", unit=" pages", leave=False, disable=disable) as bar:

        def advance(note: Note) -> None:
            counts.update(jobs=len(note.jobs), tasks=note.n_tasks)
            bar.set_postfix_str(f"{counts['jobs']:,} jobs, {counts['tasks']:,} tasks", refresh=False)
            bar.update(note.pages)

        for note in resumed:
            advance(note)
        walk = Walk(client, request, chains, decode=decoder, workers=workers, on_wait=bar.set_postfix_str)
        with closing(iter(walk)) as pages:
            for page in pages:
                note, tasks = record_page(page)
                keep(note, tasks)
                advance(note)
