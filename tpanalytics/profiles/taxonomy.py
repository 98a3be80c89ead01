"""Load the place of each task in the taxonomy.

The service documents the place of a task only in the response for a single task, so there is one request per task.
Responses are appended to a file as they arrive.
"""

from __future__ import annotations

from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import closing, contextmanager
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import msgspec
import polars as pl

from tpanalytics._paths import local_path
from tpanalytics.api.records import DECODE_ERRORS
from tpanalytics.errors import ApiError, ConfigError, SchemaError, TpAnalyticsError, warn
from tpanalytics.formatting import not_profiles, plural
from tpanalytics.profiles.load import check_client, progress_bar
from tpanalytics.profiles.snapshot.taxonomy_columns import own_levels, split_by_place, with_levels
from tpanalytics.profiles.snapshot.taxonomy_file import Place, TaxonomyFile, open_taxonomy
from tpanalytics.schema import HIERARCHY, TaskProfiles, require

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator
    from pathlib import Path

    from tpanalytics.api.session import Client

__all__ = ["load_taxonomy"]


def load_taxonomy(
    client: Client,
    profiles: TaskProfiles,
    *,
    cache: str | Path | None = None,
    resume: bool = True,
    workers: int = 4,
    progress: bool = True,
) -> TaskProfiles:
    """Add the domain, subdomain, cluster and canonical task of each task.

    Each distinct task takes one request, unless its place is already known: from ``hierarchy``, from columns added by
    an earlier call, or from `cache`. Levels are null where a task has none. Tasks that the service doesn't know (status
    404) have no place in the taxonomy. ``manifest["taxonomy"]`` and the repr contain the number of tasks without a
    place.

    Parameters
    ----------
    client
        A client returned by `connect`.
    profiles
        Task profiles with eager or lazy Polars frames.
    cache
        A file such as ``"taxonomy.jsonl"``, or the folder of a snapshot, to save responses in as they arrive. If the
        call is interrupted, or if there are new tasks later, the next call only requests what is missing. With the
        folder of a snapshot, `read_profiles` and `read_history` also add the four columns from then on. If None,
        nothing is written to disk.
    resume
        If False, ignore columns added by an earlier call, and replace the contents of `cache`.
    workers
        The number of requests to send in parallel with the same token.
    progress
        If True, show a progress bar in a terminal or notebook.

    Returns
    -------
    TaskProfiles
        Task profiles with four String columns in ``tasks``: ``domain``, ``subdomain``, ``cluster`` and
        ``canonical_task``. Pass any of them to a measure as `by`.

    Raises
    ------
    AuthError, ApiError
        If the service refuses a request, can't be reached, or returns a place in another format.
    SnapshotError
        If `cache` is another file or folder, belongs to another tenant, can't be written to, or is in use by another
        process.
    SchemaError
        If the frames are not Polars frames, or if some of the four columns already exist.
    ArgumentError
        If `client` is not a Client.
    ConfigError
        If `workers` is not a whole number, 1 or more.

    Warns
    -----
    TpAnalyticsWarning
        If none of the requested tasks has a place in the taxonomy.

    Notes
    -----
    If a request takes 0.1 seconds, 5,000 distinct tasks take about two minutes with 4 workers. Responses in `cache` are
    never requested again, even if a task had no place. Use ``resume=False`` to update them.

    Examples
    --------
    >>> from tpanalytics import connect, impact, load_task_profiles
    >>> from tpanalytics.demo.server import Tenant
    >>> with Tenant() as tenant:
    ...     client = connect(**tenant.settings)
    ...     profiles = load_task_profiles(client, families=["Finance"], progress=False)
    ...     profiles = load_taxonomy(client, profiles, progress=False)
    >>> impact(profiles, by="domain")["domain"].unique().sort().to_list()
    ['(no domain)', 'Common work', 'Data and Analytics', 'Finance']
    """
    check_client(client)
    if isinstance(workers, bool) or not isinstance(workers, int) or workers < 1:
        raise ConfigError(f"`workers` must be a whole number, 1 or more, not {workers!r}.")
    tasks = _checked_tasks(profiles)
    own = own_levels(tasks, resume=resume)
    known, missing = split_by_place(tasks, own)
    settings, path = client.settings, None if cache is None else local_path(cache)
    with open_taxonomy(path, settings.base_url, settings.tenant, resume=resume) as file, _add_resume_note(file):
        requested = [task_id for task_id in missing if task_id not in file.places]
        _request_all(client, requested, file, workers=workers, show=progress)
    answers = [file.places[task_id] for task_id in missing]
    _warn_if_none_placed(known, answers, len(requested))
    return with_levels(profiles, tasks, own, known, answers)


def _checked_tasks(profiles: TaskProfiles) -> pl.LazyFrame:
    if not isinstance(profiles, TaskProfiles):
        raise SchemaError(not_profiles("profiles", profiles))
    if not isinstance(profiles.tasks, (pl.DataFrame, pl.LazyFrame)):
        raise SchemaError(
            f"load_taxonomy requires Polars frames, but `tasks` is a {type(profiles.tasks).__name__}. Convert it first."
        )
    require(profiles.tasks, "task_id", name="tasks")
    tasks = profiles.tasks.lazy()
    present = [name for name in HIERARCHY if name in tasks.collect_schema()]
    if present and len(present) < len(HIERARCHY):
        raise SchemaError(
            f"`tasks` already has a column {present[0]!r}, but not all of {', '.join(map(repr, HIERARCHY))}. "
            "Rename or drop it first."
        )
    return tasks


def _request_all(client: Client, task_ids: list[str], file: TaxonomyFile, *, workers: int, show: bool) -> None:
    """Request all tasks and save each response as soon as it arrives."""
    with progress_bar("Taxonomy", " tasks", show=show, total=len(task_ids)) as bar:
        request = partial(_request, client, on_wait=bar.set_postfix_str)
        with closing(_in_parallel(request, task_ids, workers)) as places:
            for place in places:
                file.add(place)
                bar.update(1)


def _in_parallel(request: Callable[[str], Place], task_ids: Iterable[str], workers: int) -> Generator[Place]:
    """Yield places as they arrive. If a request fails, yield what has arrived before raising the error."""
    remaining, pending, failed = iter(task_ids), set[Future[Place]](), list[Future[Place]]()
    pool = ThreadPoolExecutor(workers, "tpanalytics-taxonomy")
    try:
        while not failed:
            pending |= {pool.submit(request, task_id) for task_id in islice(remaining, workers - len(pending))}
            if not pending:
                return
            done, pending = wait(pending, return_when=FIRST_COMPLETED)
            failed = [future for future in done if future.exception() is not None]
            if failed:  # let requests in progress finish, but don't wait long
                done |= wait(pending, timeout=1.0).done
            yield from (future.result() for future in done if future.exception() is None)
        failed[0].result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


class _Task(msgspec.Struct):
    task_id: str | int | None = None
    hierarchy: dict[str, Any] | None = None


def _request(client: Client, task_id: str, *, on_wait: Callable[[str], None]) -> Place:
    path = f"/tasks/{quote(task_id, safe='')}"
    try:
        body = client.request("GET", path, query=[("include", "hierarchy")], on_wait=on_wait)
    except ApiError as error:
        if error.status != 404:
            raise
        return Place(task_id, found=False)
    try:
        task, reason = msgspec.json.decode(body, type=_Task), ""
    except DECODE_ERRORS as error:
        reason = f"not a task in the documented format: {error}"
    else:
        levels = [(task.hierarchy or {}).get(name) for name in HIERARCHY]
        if task.task_id is not None and str(task.task_id) != task_id:
            reason = "another task"
        elif task.hierarchy and not task.hierarchy.keys() & set(HIERARCHY):
            reason = f"a task whose hierarchy has none of {', '.join(HIERARCHY)}"
        elif not all(isinstance(level, str | None) for level in levels):
            reason = "a task whose hierarchy has levels that are not strings"
    if reason:
        raise client.not_understood("GET", path, body, reason)
    domain, subdomain, cluster, canonical_task = (level or None for level in levels)
    return Place(task_id, (domain, subdomain, cluster, canonical_task) if any(levels) else None)


def _warn_if_none_placed(known: pl.DataFrame, answers: list[Place], n_requested: int) -> None:
    if not n_requested or known.height or any(place.levels for place in answers):
        return
    if any(place.found for place in answers):
        warn(f"None of {plural(len(answers), 'distinct task')} has a place in the taxonomy.")
    else:
        warn(
            f"The service knows none of {plural(len(answers), 'distinct task')} (404), so none has a place in the "
            "taxonomy. Check that the client is connected to the tenant of the profiles."
        )


@contextmanager
def _add_resume_note(file: TaxonomyFile) -> Iterator[None]:
    """If loading is interrupted, note the number of saved tasks in the error."""
    try:
        yield
    except (TpAnalyticsError, KeyboardInterrupt) as error:
        if file.n_added and file.path is None:
            error.add_note("Nothing is saved. Pass `cache` to be able to resume.")
        elif file.n_added:
            saved = "1 task is saved" if len(file.places) == 1 else f"{len(file.places):,} tasks are saved"
            error.add_note(f"{saved}. Run the same call again to resume.")
        raise
