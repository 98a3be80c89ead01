"""Load task profiles from a tenant.

Jobs and tasks are stored in separate tables, so that jobs without tasks are preserved.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

import msgspec
import polars as pl

from tpanalytics._paths import local_path
from tpanalytics._version import __version__
from tpanalytics.api.export import ExportRequest, decode
from tpanalytics.api.parallel import Chain, CursorLost, Walk
from tpanalytics.errors import (
    ApiError,
    ArgumentError,
    AuthError,
    ConfigError,
    PaginationError,
    TpAnalyticsError,
    warn,
)
from tpanalytics.profiles.completeness import Note, Tables, describe_page, warn_of_rejects
from tpanalytics.profiles.families import (
    assign_jobs,
    assign_mapping,
    family_filter,
    family_lists,
    jobs_by_family,
    jobs_listed,
    resolve_families,
    warn_of_empty_families,
)
from tpanalytics.profiles.records import check_on_bad_record
from tpanalytics.profiles.snapshot.layout import locked, now
from tpanalytics.profiles.snapshot.read_write import open_snapshot
from tpanalytics.profiles.snapshot.resume import Pull
from tpanalytics.schema import checked_states
from tpanalytics.typing import OtherJobs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from tpanalytics.api.export import Page
    from tpanalytics.api.session import Client
    from tpanalytics.api.wire import Batch, ResponseFormat
    from tpanalytics.schema import TaskProfiles
    from tpanalytics.typing import OnBadRecord, Vendor

__all__ = ["check_client", "describe_request", "load_pages", "load_task_profiles", "progress_bar"]


def load_task_profiles(
    client: Client,
    *,
    include: Sequence[str] = ("ai_impact", "weekly_hours"),
    filters: Sequence[dict[str, Any]] = (),
    response_format: ResponseFormat = "list",
    external_vendor: Vendor | None = None,
    families: Sequence[str] | Literal["lists"] | None = None,
    other_jobs: OtherJobs = "drop",
    states: Sequence[str] | None = None,
    snapshot: str | Path | None = None,
    resume: bool = True,
    workers: int = 1,
    lazy: bool = False,
    on_bad_record: OnBadRecord = "raise",
    limit: int = 100,
    progress: bool = True,
) -> TaskProfiles:
    """Load task profiles for all jobs in a tenant, or for some job families.

    Values that the service doesn't return are null. Jobs without tasks are included in ``jobs``. If a job is returned
    more than once, only the first record is kept.

    Parameters
    ----------
    client
        A client returned by `connect`.
    include
        The data to include for each task: any of ``ai_impact``, ``weekly_hours``, ``source_data``, ``linked_skills``,
        ``rejected_tasks``.
    filters
        Filters to pass to the service.
    response_format
        The response format. Use ``"hierarchy"`` to include each task's taxonomy path.
    external_vendor
        The vendor whose skill names are used in ``linked_skills``: ``techwolf``, ``workday`` or
        ``sap_attribute_library``.
    families
        The job families to load, as a list of ids or, if the tenant lists its families, of names. ``"lists"`` loads all
        jobs, with names and families from the tenant's lists. If None, all jobs are loaded and families are null (see
        `assign_families`).
    other_jobs
        What to do with jobs outside a list of `families`: ``"drop"`` doesn't load them, and ``"keep"`` loads them
        without a family. Not used if `families` is not a list.
    states
        The validation states that measures count by default, e.g. ``["validated"]``. They are stored in
        ``manifest["states"]``. Tasks in other states are still loaded.
    snapshot
        The folder to save the export in. Pages are saved as they arrive. An existing snapshot is not replaced until the
        export is complete. If None, nothing is written to disk.
    resume
        If True, resume any unfinished export in `snapshot`. If False, start over.
    workers
        The number of parts to load in parallel with the same token. Using more than one requires `families`, since the
        export is split at known job ids. The tables don't depend on the number of parts. However, page numbers in
        ``rejects`` start from 1 in each part, and unknown fields are counted twice in records where two parts meet.
    lazy
        If True, return lazy frames that read the files in `snapshot`. Use this for exports that don't fit into memory.
        The frames become invalid when another export is saved to the same folder.
    on_bad_record
        If ``"raise"``, invalid records raise an error. If ``"collect"``, they are skipped and listed in ``rejects``.
    limit
        The number of jobs per page, from 1 to 100.
    progress
        If True, show a progress bar in a terminal or notebook.

    Returns
    -------
    TaskProfiles
        The jobs and tasks, in the service's order. See `tpanalytics.schema` for the columns.

    Raises
    ------
    AuthError, ApiError, PaginationError
        If the service refuses a request, can't be reached, or returns an invalid cursor.
    RecordError
        If a record is invalid. The message includes the job id and the path to the invalid field.
    ArgumentError
        If `client` is not a Client, if `states` or `other_jobs` is invalid, or if an entry in `families` is unknown,
        the id of one family and the name of another, or the name of several.
    ConfigError
        If another argument is invalid.
    SnapshotError
        If `snapshot` contains other files, contains an unfinished export with different parameters, can't be written
        to, or is in use by another process. The folder contents are not changed.

    Warns
    -----
    TpAnalyticsWarning
        If any records were skipped, if a requested family has no jobs, or if an unfinished export could not be resumed.

    Notes
    -----
    An export takes one request per `limit` jobs, plus one for the API version. Families add to this:

    - None without `filters`: one request for the number of jobs.
    - ``"lists"``: one request per 200 jobs and one per 200 families.
    - A list: one request per 200 families of the tenant, if it lists them, and one for each entry that is not listed.
      With several families, several workers or ``other_jobs="keep"``, also a filtered export for each family, without
      data on tasks: one request per `limit` jobs of the family, and at least one. Only the list of families is not part
      of the service's documentation.

    Examples
    --------
    >>> from tpanalytics import connect
    >>> from tpanalytics.demo.server import Tenant
    >>> with Tenant() as tenant:
    ...     load_task_profiles(connect(**tenant.settings), families="lists", progress=False)
    TaskProfiles: 240 jobs and 5,516 tasks in 3 pages, 0 duplicates, complete; may be a subset of the tenant.
    """
    check_client(client)
    if isinstance(include, str):
        raise ConfigError(f"`include` must be a list like ['ai_impact', 'weekly_hours'], not {include!r}.")
    _check_families(families)
    if other_jobs not in get_args(OtherJobs):
        raise ArgumentError(f"`other_jobs` must be 'drop' or 'keep', not {other_jobs!r}.")
    states = None if states is None else checked_states(states)
    if isinstance(workers, bool) or not isinstance(workers, int) or workers < 1:
        raise ConfigError(f"`workers` must be a whole number, 1 or more, not {workers!r}.")
    if workers > 1 and families is None:
        raise ConfigError(
            f"workers={workers} requires `families`, because the export is split at known job ids. "
            "Pass families='lists' or a list of families."
        )
    if lazy and snapshot is None:
        raise ConfigError("lazy=True requires `snapshot`. Pass a folder to save the export to.")
    check_on_bad_record(on_bad_record)
    request = ExportRequest(tuple(include), tuple(filters), response_format, external_vendor, limit)
    export = _Export(client, request, families, None, other_jobs, states, on_bad_record, workers, progress)
    if snapshot is None:
        profiles = export.resolve().into_memory()
    else:
        folder = local_path(snapshot)
        with locked(folder):  # fail before sending any requests
            export.resolve().into_folder(folder, resume=resume)
            profiles = open_snapshot(folder, lazy=lazy, verified=True)
    warn_of_rejects(profiles.rejects)
    return profiles


def check_client(client: Any) -> None:
    """Raise if the argument is not a client."""
    if not hasattr(client, "request"):
        name = "None" if client is None else type(client).__name__
        raise ArgumentError(f"`client` must be a Client from connect(), not {name}.")


def _check_families(families: Any) -> None:
    """Raise unless the argument is a list of ids or names, 'lists' or None."""
    if families is None or families == "lists":
        return
    is_list = isinstance(families, Sequence) and not isinstance(families, str) and len(families) > 0
    if not is_list or not all(isinstance(entry, str) and entry for entry in families):
        found = "an empty list" if isinstance(families, Sequence) and not families else repr(families)
        raise ConfigError(
            f"`families` must be a list of ids or names like ['fam-fin', 'Sales'], 'lists' or None, not {found}."
        )


@dataclass(frozen=True)
class _Export:
    """The validated arguments of `load_task_profiles`, and the tenant's list of families if it was requested."""

    client: Client
    request: ExportRequest
    families: Sequence[str] | Literal["lists"] | None
    listed_families: pl.DataFrame | None
    other_jobs: OtherJobs
    states: list[str] | None
    on_bad_record: OnBadRecord
    workers: int
    progress: bool

    def resolve(self) -> _Export:
        """Replace the names of families with their ids."""
        if self.families is None or self.families == "lists":
            return self
        self.client.sign_in()  # report incorrect settings before the optional list of families is requested
        ids, listed = resolve_families(self.client, self.families)
        return replace(self, families=ids, listed_families=listed)

    def into_memory(self) -> TaskProfiles:
        description, started, tables = self._describe(), now(), Tables()
        names = self._names()
        listed = self._jobs_listed(names)
        self._pull(self._chains(names), tables.add)
        profiles = tables.profiles(self._manifest(description, started, listed))
        if names is None:
            return profiles
        return assign_mapping(profiles, names.of_jobs(profiles.jobs), names.families, source=names.source)

    def into_folder(self, folder: Path, *, resume: bool) -> None:
        description = self._describe()
        parameters = {name: description[name] for name in ("source", "request")}
        with Pull(folder, parameters) as pull, _add_resume_note(pull):
            chains = pull.resume() if resume else []
            names = self._names()
            listed = self._jobs_listed(names)
            if not chains:
                pull.begin(chains := self._chains(names))
            try:
                self._pull(chains, pull.save, pull.notes)
            except CursorLost as error:
                warn(
                    f"The export in {folder} starts over from the first page because the service no longer knows its "
                    f"last job. The service reported: {error}"
                )
                pull.begin(chains := self._chains(names))
                self._pull(chains, pull.save)
            manifest = {**self._manifest(description, pull.started, listed), "resumed_pages": pull.resumed_pages}
            pull.seal(manifest, names.assign if names is not None else _without_names)

    def _pull(
        self, chains: list[Chain], save: Callable[[Note, pl.DataFrame], None], resumed: Iterable[Note] = ()
    ) -> None:
        request = self._filtered_request()
        decoder = partial(decode, self.client, request, on_bad_record=self.on_bad_record)
        load_pages(
            self.client,
            request,
            chains,
            decoder,
            save,
            show=self.progress,
            workers=self.workers,
            resumed=resumed,
        )

    def _jobs_listed(self, names: _Names | None) -> int | None:
        """Return the number of jobs in the tenant, or None if it's unknown or there are filters."""
        if self.request.filters:
            return None
        return jobs_listed(self.client) if names is None else names.listed

    def _filtered_request(self) -> ExportRequest:
        """Return the request, restricted to the listed families if other jobs are dropped."""
        if self.families is None or self.families == "lists" or self.other_jobs == "keep":
            return self.request
        return replace(self.request, filters=(*self.request.filters, family_filter(*self.families)))

    def _describe(self) -> dict[str, Any]:
        request = msgspec.json.decode(msgspec.json.encode(asdict(self.request)))
        del request["of"]
        is_list = self.families is not None and self.families != "lists"
        request |= {"families": self.families, "other_jobs": self.other_jobs if is_list else None}
        return describe_request(self.client, "export", request)

    def _manifest(self, description: dict[str, Any], started: str, listed: int | None) -> dict[str, Any]:
        manifest = {
            **description,
            "started": started,
            "finished": now(),
            "complete": True,  # checked by `check_complete`
            "jobs_in_tenant_list": listed,
        }
        return manifest if self.states is None else {**manifest, "states": self.states}

    def _names(self) -> _Names | None:
        """Load names and families before the export, so that errors are raised early."""
        if self.families is None:
            return None
        if self.families == "lists":
            jobs, families = family_lists(self.client)
            return _Names(jobs, families, "lists of the service", jobs.get_column("job_id").to_list(), jobs.height)
        source = "the requested families"
        if len(self.families) == 1 and self.other_jobs == "drop" and self.workers == 1:
            return _Names(self.families[0], self.listed_families, source, [], None)
        mapping = jobs_by_family(
            self.client,
            self.request,
            self.families,
            listed=self.listed_families is not None,
            workers=self.workers,
        )
        largest = mapping.filter(pl.len().over("job_family_id") == pl.len().over("job_family_id").max())
        known = largest.filter(pl.col("job_family_id") == pl.col("job_family_id").first()).get_column("job_id")
        return _Names(mapping, self.listed_families, source, known.to_list(), None)

    def _chains(self, names: _Names | None) -> list[Chain]:
        """Split the export evenly at known jobs. If all jobs are known, split at page boundaries."""
        known = [] if names is None else names.in_order
        pages = len(known) / self.request.limit
        cuts = {round(pages * i / self.workers) * self.request.limit for i in range(1, self.workers)}
        if self.families != "lists":
            cuts = {len(known) * i // self.workers for i in range(1, self.workers)}
        starts = [None, *(known[cut - 1] for cut in sorted(cuts) if 0 < cut < len(known))]
        return [Chain(number, after) for number, after in enumerate(starts)]


class _Names(NamedTuple):
    """Job names and families (or the family of all jobs), and known job ids in the service's order."""

    jobs: pl.DataFrame | str
    families: pl.DataFrame | None
    source: str
    in_order: list[str]
    listed: int | None

    def assign(self, jobs: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, Any]]:
        return assign_jobs(jobs, self.of_jobs(jobs), self.families, source=self.source)

    def of_jobs(self, jobs: pl.DataFrame) -> pl.DataFrame:
        """Return the mapping table for the exported jobs."""
        if not isinstance(self.jobs, str):
            return self.jobs
        if not jobs.height:
            warn_of_empty_families([self.jobs], listed=self.families is not None)
        return jobs.select("job_id", job_family_id=pl.lit(self.jobs))


@contextmanager
def _add_resume_note(pull: Pull) -> Iterator[None]:
    """If an export is interrupted, note the number of saved pages in the error."""
    try:
        yield
    except (TpAnalyticsError, KeyboardInterrupt) as error:
        # If the pages are inconsistent, resuming won't help.
        fatal = isinstance(error, PaginationError) or isinstance(error.__cause__, PaginationError)
        if not fatal and (pages := pull.saved_pages()):
            saved = "1 page is saved" if pages == 1 else f"{pages:,} pages are saved"
            error.add_note(f"{saved}. Run the same call again to resume, or pass resume=False to start over.")
        raise


def _without_names(jobs: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, Any]]:
    return jobs, {}


def describe_request(client: Client, kind: str, request: dict[str, Any]) -> dict[str, Any]:
    """Describe a request for the manifest. Signs in first, so that incorrect settings are reported early."""
    settings = client.settings
    source = {
        "kind": kind,
        "base_url": settings.base_url,
        "tenant": settings.tenant,
        "service_version": settings.api_version or _version(client),
    }
    return {"tpanalytics": __version__, "source": source, "request": request}


def _version(client: Client) -> str | None:
    """Return the tenant's API version, or None if unavailable."""
    client.sign_in()
    try:
        return client.version()
    except (ApiError, AuthError):
        return None


def progress_bar(description: str, unit: str, *, show: bool, total: int | None = None) -> Any:
    """Return a progress bar, for use as a context manager."""
    from tqdm.auto import tqdm

    disable = (False if "ipykernel" in sys.modules else None) if show else True  # None: only show it in a terminal
    return tqdm(desc=description, unit=unit, total=total, leave=False, disable=disable)


def load_pages(
    client: Client,
    request: ExportRequest,
    chains: Iterable[Chain],
    decoder: Callable[[Page, str], Batch],
    save: Callable[[Note, pl.DataFrame], None],
    *,
    show: bool,
    workers: int = 1,
    resumed: Iterable[Note] = (),
) -> None:
    """Load all remaining pages, passing each page to `save` and updating a progress bar."""
    counts: Counter[str] = Counter()
    with progress_bar("Task profiles", " pages", show=show) as bar:

        def advance(note: Note) -> None:
            counts.update(jobs=len(note.jobs), tasks=note.n_tasks)
            bar.set_postfix_str(f"{counts['jobs']:,} jobs, {counts['tasks']:,} tasks", refresh=False)
            bar.update(note.pages)

        for note in resumed:
            advance(note)
        walk = Walk(client, request, chains, decode=decoder, workers=workers, on_wait=bar.set_postfix_str)
        with closing(iter(walk)) as pages:
            for page in pages:
                note, tasks = describe_page(page)
                save(note, tasks)
                advance(note)
