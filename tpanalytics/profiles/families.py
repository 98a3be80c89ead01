"""Add job names and job families, which exports don't include."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec
import narwhals as nw
import polars as pl

from tpanalytics import schema
from tpanalytics.api.export import ExportRequest, decode, export_pages, list_all
from tpanalytics.api.http.retry import RETRY_STATUSES
from tpanalytics.errors import ApiError, ArgumentError, AuthError, SchemaError, warn
from tpanalytics.formatting import plural, unknown_group_message
from tpanalytics.profiles.tables import Table, check_unique, read_table
from tpanalytics.schema import TaskProfiles, check_profiles, require, to_polars

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from tpanalytics.api.session import Client

__all__ = [
    "assign_families",
    "assign_jobs",
    "assign_mapping",
    "family_filter",
    "family_lists",
    "jobs_by_family",
    "jobs_listed",
    "read_mapping",
    "read_mappings",
    "resolve_families",
    "warn_of_empty_families",
]


def assign_families(
    profiles: TaskProfiles, jobs: str | Path | Any, families: str | Path | Any | None = None
) -> TaskProfiles:
    """Add job names and job families from mapping tables.

    Names and families are null for jobs that are not in `jobs`. A null family is displayed as ``(no job family)``. The
    number of such jobs is stored in ``manifest["families"]``. Ids are compared as strings. Existing names are kept if
    `jobs` has no ``job_name`` column.

    Parameters
    ----------
    profiles
        Task profiles returned by `load_task_profiles`, `read_records` or `read_profiles`.
    jobs
        A CSV or XLSX file or a data frame of any engine, with one row per job. Required columns: ``job_id`` and
        ``job_family_id``. Optional columns: ``job_name``, ``job_inactive`` (``1`` for inactive jobs), ``headcount``
        (people, whole numbers), ``fte`` (full-time equivalents) and ``contract_hours`` (hours per week).
    families
        A CSV or XLSX file or a data frame with one row per family. Required columns: ``job_family_id`` and
        ``job_family_name``. Optional column: ``job_family_group_name``. If None, the family ids are used as names.

    Returns
    -------
    TaskProfiles
        Task profiles with these columns filled: ``job_name``, ``job_family_id``, ``job_family`` and
        ``job_family_group`` in ``jobs``, and ``job_family`` in ``tasks``. If they are in the mapping, ``headcount``,
        ``fte``, ``contract_hours`` and ``active`` are added to ``jobs``. The family id is added to names that several
        families share.

    Raises
    ------
    SchemaError
        If a column is missing, an id is repeated, a family is unknown, a number is invalid, or none of the jobs are
        listed.
    ConfigError
        If a file can't be read.

    Examples
    --------
    >>> import polars as pl
    >>> from tpanalytics import load_sample
    >>> mapping = pl.DataFrame({"job_id": ["job-0002"], "job_family_id": ["fam-a"]})
    >>> assigned = assign_families(load_sample(), mapping)
    >>> assigned.jobs["job_family"].value_counts(sort=True).rows()
    [(None, 239), ('fam-a', 1)]
    """
    check_profiles(profiles)
    job_table, family_table, job_source = read_mappings(jobs, families)
    assigned = assign_mapping(profiles, job_table, family_table, source=job_source)
    if assigned.jobs.height and not assigned.manifest["families"]["jobs_listed"]:
        listed = repr(job_table.item(0, "job_id")) if job_table.height else "none"
        raise SchemaError(
            f"{job_source}: none of the {assigned.jobs.height:,} jobs in the profiles is listed (first id in the "
            f"profiles: {assigned.jobs.item(0, 'job_id')!r}, in the table: {listed}). "
            "Ids must match exactly, including leading zeros."
        )
    return assigned


def read_mappings(
    jobs: str | Path | Any, families: str | Path | Any | None
) -> tuple[pl.DataFrame, pl.DataFrame | None, str]:
    """Read and validate both mapping tables. Also returns the first table's name."""
    job_table = read_mapping(jobs, "jobs")
    require(job_table.frame, "job_id", "job_family_id", name=job_table.name)
    check_unique(job_table, "job_id")
    family_table = None if families is None else read_mapping(families, "families")
    if family_table is not None:
        require(family_table.frame, "job_family_id", "job_family_name", name=family_table.name)
        check_unique(family_table, "job_family_id")
        known = family_table.frame.get_column("job_family_id")
        unknown = job_table.frame.filter(
            pl.col("job_family_id").is_not_null() & ~pl.col("job_family_id").is_in(known.implode())
        )
        if unknown.height:
            counts = unknown.group_by("job_family_id").len().sort("job_family_id").rows()
            listed = ", ".join(f"{family!r} ({plural(n, 'job')})" for family, n in counts[:5])
            more = f" and {len(counts) - 5} more" if len(counts) > 5 else ""
            raise SchemaError(
                f"{job_table.name} contains families that are missing from {family_table.name}: {listed}{more}. "
                f"Add them to {family_table.name}, or leave `job_family_id` empty."
            )
    return job_table.frame, None if family_table is None else family_table.frame, job_table.name


def assign_mapping(
    profiles: TaskProfiles, jobs: pl.DataFrame, families: pl.DataFrame | None, *, source: str
) -> TaskProfiles:
    """Join validated mapping tables to the task profiles. Lazy tasks remain lazy."""
    if profiles.people is not None:
        jobs = _without_counts_of(profiles.people, jobs, source)
    assigned, counts = assign_jobs(to_polars(profiles.jobs), jobs, families, source=source)
    tasks = profiles.tasks
    if isinstance(tasks, (pl.DataFrame, pl.LazyFrame)):
        families_of_jobs = assigned.lazy().select("job_id", "job_family")
        tasks = tasks.lazy().drop("job_family", strict=False)
        tasks = tasks.join(families_of_jobs, on="job_id", how="left", maintain_order="left")
        tasks = tasks.select(*schema.TASKS, pl.exclude(*schema.TASKS))
        tasks = tasks.collect() if isinstance(profiles.tasks, pl.DataFrame) else tasks
    else:  # measures read the families from the jobs
        tasks = nw.from_native(tasks).drop("job_family", strict=False).to_native()
    return replace(profiles, jobs=assigned, tasks=tasks, manifest={**profiles.manifest, **counts})


def _without_counts_of(people: pl.DataFrame, jobs: pl.DataFrame, source: str) -> pl.DataFrame:
    """Drop the counts that are known for the people, so that the two tables agree."""
    repeated = [name for name in ("headcount", "fte") if name in jobs.columns and people.get_column(name).count()]
    if repeated:
        warn(
            f"{source}: {' and '.join(f'`{name}`' for name in repeated)} ignored, because assign_people has counted "
            "the people. To replace their number, assign the people again."
        )
    return jobs.drop(repeated)


def assign_jobs(
    before: pl.DataFrame, jobs: pl.DataFrame, families: pl.DataFrame | None, *, source: str
) -> tuple[pl.DataFrame, dict[str, Any]]:
    """Join validated mapping tables to the jobs. Also returns counts to store in the manifest."""
    mapping = jobs
    if families is not None:
        group = _optional(families, "job_family_group_name").alias("job_family_group")
        names = with_family_names(families).select("job_family_id", "job_family", group)
        mapping = mapping.join(names, on="job_family_id", how="left", maintain_order="left")
    else:
        mapping = mapping.with_columns(job_family=None, job_family_group=None)
    columns = {
        "job_name": _optional(jobs, "job_name"),
        "job_family_id": pl.col("job_family_id"),
        "job_family": pl.coalesce("job_family", "job_family_id"),
        "job_family_group": pl.col("job_family_group"),
    }
    for name in ("headcount", "fte", "contract_hours"):
        if name in jobs.columns:
            columns[name] = pl.col(name)
    if "job_inactive" in jobs.columns:
        flag = pl.col("job_inactive").cast(pl.String).str.strip_chars().str.to_lowercase()
        columns["active"] = ~flag.is_in(["1", "1.0", "true"]).fill_null(
            value=False
        )  # data frames can contain 1.0 or True
    mapping = mapping.select("job_id", **columns).with_columns(listed=True)

    if "job_name" not in jobs.columns:
        del columns["job_name"]  # don't overwrite existing names
    existing = [name for name in ("job_id", "job_name", "n_tasks", *schema.OPTIONAL_JOBS) if name in before.columns]
    existing = [name for name in existing if name not in columns]
    joined = before.select(existing).join(mapping, on="job_id", how="left", maintain_order="left")
    order = [name for name in (*schema.JOBS, *schema.OPTIONAL_JOBS) if name in joined.columns]
    dtypes = {**schema.JOBS, **schema.OPTIONAL_JOBS}
    assigned = joined.select(pl.col(name).cast(dtypes[name]) for name in order)
    counts = {
        "source": source,
        "jobs_listed": int(joined.get_column("listed").count()),
        "jobs_not_listed": int(joined.get_column("listed").null_count()),
        "jobs_without_family": int(assigned.get_column("job_family").null_count()),
        "listed_but_not_exported": mapping.join(assigned, on="job_id", how="anti").height,
    }
    return assigned, {"families": counts}


def with_family_names(families: pl.DataFrame) -> pl.DataFrame:
    """Add the column ``job_family``, which adds the id to names that several families share."""
    name = pl.col("job_family_name")
    with_id = pl.format("{} ({})", "job_family_name", "job_family_id")
    return families.with_columns(job_family=pl.when(name.is_duplicated()).then(with_id).otherwise(name))


def resolve_families(client: Client, families: Sequence[str]) -> tuple[list[str], pl.DataFrame | None]:
    """Return the ids of job families given by id or name, and the tenant's list of families if it has one."""
    entries = list(dict.fromkeys(families))
    table = _family_list(client)
    if table is None:
        return entries, None
    names: dict[str, list[str]] = {}
    shown = with_family_names(table)
    for family_id, *texts in shown.select("job_family_id", "job_family_name", "job_family").rows():
        for text in set(texts):
            names.setdefault(text, []).append(family_id)
    known = shown.get_column("job_family_id").to_list()
    ids = [_resolve(client, entry, known, names) for entry in entries]
    return list(dict.fromkeys(ids)), table


def _resolve(client: Client, entry: str, ids: Sequence[str], names: Mapping[str, list[str]]) -> str:
    """Return the id of the family with this id or name."""
    named = names.get(entry, [])
    if entry in ids:
        others = [family_id for family_id in named if family_id != entry]
        if others:
            raise ArgumentError(
                f"`families`: {entry!r} is the id of one job family and the name of another, {others[0]!r}. "
                "Pass the id of the second or the name of the first."
            )
        return entry
    if len(named) > 1:
        raise ArgumentError(
            f"`families`: {entry!r} is the name of {len(named)} job families ({', '.join(map(repr, named))}). "
            "Pass their ids."
        )
    if named:
        return named[0]
    # The list is not documented and may be incomplete, so check whether any job is in a family with this id.
    request = ExportRequest((), (family_filter(entry),), limit=1)
    with closing(export_pages(client, request)) as pages:
        batch = decode(client, request, next(pages), f"family {entry}", on_bad_record="collect")
    if batch.jobs["job_id"] or batch.rejects:
        return entry
    raise ArgumentError(f"`families`: {unknown_group_message(entry, [*names, *ids], 'job family of this tenant')}.")


def family_filter(*family_ids: str) -> dict[str, Any]:
    """Return a filter for the jobs in any of these families."""
    return {"filter": "job_family_id_is_in_list", "job_family_ids": list(family_ids)}


def jobs_by_family(
    client: Client, request: ExportRequest, family_ids: Sequence[str], *, listed: bool, workers: int
) -> pl.DataFrame:
    """Find the jobs in each family by running a filtered export for every family."""

    def jobs_of(family_id: str) -> list[str]:
        filters = (*request.filters, family_filter(family_id))
        family_request = ExportRequest((), filters, "list", None, request.limit)
        jobs: list[str] = []
        for page in export_pages(client, family_request):
            if stopped.is_set():
                break
            where = f"family {family_id}, page {page.number}"
            # Ignore invalid records here. The main export will report them.
            jobs += decode(client, family_request, page, where, on_bad_record="collect").jobs["job_id"]
        return jobs

    stopped = threading.Event()
    pool = ThreadPoolExecutor(workers)
    try:
        found = dict(zip(family_ids, pool.map(jobs_of, family_ids), strict=True))
    finally:
        stopped.set()
        pool.shutdown(wait=False, cancel_futures=True)
    family_of: dict[str, str] = {}
    for family_id, jobs in found.items():
        for job_id in jobs:
            family_of.setdefault(job_id, family_id)
    warn_of_empty_families([family_id for family_id, jobs in found.items() if not jobs], listed=listed)
    return pl.DataFrame(
        {"job_id": list(family_of), "job_family_id": list(family_of.values())},
        schema={"job_id": pl.String, "job_family_id": pl.String},
    )


def warn_of_empty_families(family_ids: Iterable[str], *, listed: bool) -> None:
    """Show a warning for each requested family without jobs."""
    hint = "" if listed else " Check the id; this tenant has no list to look up names in."
    for family_id in family_ids:
        warn(f"Family {family_id!r} has no jobs in this export.{hint}")


_JOB_LIST = "/job_architecture/jobs"
_FAMILY_LIST = "/job_architecture/job_families"


class _Count(msgspec.Struct):
    count: int


class _Job(msgspec.Struct):
    external_id: str | int
    job_name: str | None = None
    job_family_id: str | int | None = None
    active: bool | None = True


class _Family(msgspec.Struct):
    external_id: str | int
    job_family_name: str | None = None
    job_family_group: str | None = None


def family_lists(client: Client) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Load jobs and families from the list endpoints. Not all tenants provide these."""
    paths = (_JOB_LIST, _FAMILY_LIST)
    listed = [list_all(client, path) for path in paths]
    for path, rows in zip(paths, listed, strict=True):
        if rows is None:
            raise ApiError(
                f"GET {path}: this tenant has no such list. Use assign_families with mapping files, or pass the "
                "ids of the job families.",
                status=404,
                path=path,
            )
    try:
        jobs, families = msgspec.convert(listed[0], list[_Job]), _family_table(listed[1])
    except msgspec.ValidationError as error:
        raise ApiError(
            f"GET {' or '.join(paths)}: unexpected entry in the list: {error}. Report it to the owner of the service.",
            status=200,
        ) from None
    job_table = pl.DataFrame(
        {
            "job_id": [str(job.external_id) for job in jobs],
            "job_name": [job.job_name for job in jobs],
            "job_family_id": [None if job.job_family_id is None else str(job.job_family_id) for job in jobs],
            "job_inactive": ["1" if job.active is False else "0" for job in jobs],
        },
        schema=dict.fromkeys(("job_id", "job_name", "job_family_id", "job_inactive"), pl.String),
    )
    return job_table.unique("job_id", keep="first", maintain_order=True), families


def _family_table(rows: list[dict[str, Any]] | None) -> pl.DataFrame:
    families = msgspec.convert(rows, list[_Family])
    table = pl.DataFrame(
        {
            "job_family_id": [str(family.external_id) for family in families],
            "job_family_name": [family.job_family_name or str(family.external_id) for family in families],
            "job_family_group_name": [family.job_family_group for family in families],
        },
        schema=dict.fromkeys(("job_family_id", "job_family_name", "job_family_group_name"), pl.String),
    )
    # An entry can appear on two pages if the list changes between requests. Keep the first, as we do for exports.
    return table.unique("job_family_id", keep="first", maintain_order=True)


def _family_list(client: Client) -> pl.DataFrame | None:
    """Return the tenant's job families, or None if it has no such list in the expected format."""
    try:
        rows = list_all(client, _FAMILY_LIST)
        return None if rows is None else _family_table(rows)
    except (AuthError, msgspec.ValidationError):
        return None
    except ApiError as error:
        if error.status is None or error.status in RETRY_STATUSES:
            raise  # the service has the list, or may have it
        return None


def jobs_listed(client: Client) -> int | None:
    """Return the number of jobs in the tenant, or None if unavailable."""
    try:
        listed = msgspec.json.decode(
            client.request("GET", _JOB_LIST, query=[("limit", "1"), ("offset", "0")], optional=True), type=_Count
        )
    except (ApiError, AuthError, msgspec.DecodeError, UnicodeDecodeError):
        return None
    return listed.count


def read_mapping(table: str | Path | Any, what: str) -> Table:
    """Read a mapping table. Ids and names are text, so that ids keep leading zeros."""
    columns = ("job_id", "job_name", "job_family_id", "job_family_name", "job_family_group_name")
    numbers = {"headcount": pl.Int64, "fte": pl.Float64, "contract_hours": pl.Float64}
    return read_table(table, what, optional=columns, numbers=numbers)


def _optional(table: pl.DataFrame, name: str) -> pl.Expr:
    return pl.col(name).cast(pl.String) if name in table.columns else pl.lit(None, dtype=pl.String)
