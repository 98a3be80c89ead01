"""Read raw export records from a file."""

from __future__ import annotations

import codecs
import gzip
import zlib
from typing import TYPE_CHECKING, Any, get_args

import msgspec

from tpanalytics._paths import local_path
from tpanalytics._version import __version__
from tpanalytics.api.wire import Envelope, decode_page
from tpanalytics.errors import ConfigError, RecordError
from tpanalytics.profiles.completeness import Tables, describe_batch, warn_of_rejects
from tpanalytics.typing import OnBadRecord

if TYPE_CHECKING:
    from pathlib import Path

    from tpanalytics.api.wire import ResponseFormat
    from tpanalytics.schema import TaskProfiles

__all__ = ["check_on_bad_record", "profiles_of", "raw_records", "read_bytes", "read_records"]


def read_records(
    path: str | Path, *, response_format: ResponseFormat | None = None, on_bad_record: OnBadRecord = "raise"
) -> TaskProfiles:
    """Read raw export records from a file.

    Missing values are null. Job names and families are always null (see `assign_families`).

    Parameters
    ----------
    path
        A ``.jsonl`` file with one record or page per line, or a ``.json`` file with a list of records or a single page.
        The file can be compressed with gzip.
    response_format
        The record format. If None, it is detected for each record.
    on_bad_record
        If ``"raise"``, invalid records raise an error. If ``"collect"``, they are skipped and listed in ``rejects``.

    Returns
    -------
    TaskProfiles
        The jobs and tasks. See `tpanalytics.schema` for the columns.

    Raises
    ------
    RecordError
        If a record is invalid. The message includes the record number, the job id and the path to the invalid field.
    ConfigError
        If the file can't be read, or an argument is invalid.

    Examples
    --------
    >>> from pathlib import Path
    >>> _ = Path("export.jsonl").write_text('{"external_id": "job-1", "tasks": []}')
    >>> read_records("export.jsonl").jobs["n_tasks"].to_list()
    [0]
    """
    check_on_bad_record(on_bad_record)
    path = local_path(path)
    return profiles_of(
        raw_records(path),
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
    """Convert raw records to task profiles."""
    envelope = Envelope(has_next=False, records=records)
    tables = Tables()
    batch = decode_page(envelope, where=where, response_format=response_format, on_bad_record=on_bad_record)
    tables.add(*describe_batch(batch))
    profiles = tables.profiles({"tpanalytics": __version__, "source": source})
    del profiles.manifest["pages"]  # files don't have pages
    warn_of_rejects(profiles.rejects)
    return profiles


def raw_records(path: Path) -> list[msgspec.Raw]:
    """Return the undecoded records in a file."""
    raw = read_bytes(path).removeprefix(codecs.BOM_UTF8).strip()
    if raw and raw[:1] not in {b"{", b"["}:
        raise ConfigError(
            f"{path.name} does not contain JSON records, which start with {{ or [. Pass CSV files with jobs or "
            "families to assign_families, or use the options --jobs and --family-names."
        )
    return _split(raw, path.name)


def read_bytes(path: Path) -> bytes:
    """Return the contents of a file, decompressed if it is compressed with gzip."""
    if path.is_dir():
        raise ConfigError(f"{path.name} is a folder. Use read_profiles for a snapshot.")
    try:
        raw = path.read_bytes()
        return gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
    except (OSError, EOFError, ValueError, zlib.error) as error:  # ValueError: a name with a null character
        raise ConfigError(f"{path.name} cannot be read: {getattr(error, 'strerror', None) or error}.") from None


def check_on_bad_record(value: str) -> None:
    """Raise a `ConfigError` if the value is neither 'raise' nor 'collect'."""
    if value not in get_args(OnBadRecord):
        raise ConfigError(f"`on_bad_record` must be 'raise' or 'collect', not {value!r}.")


class _Lines(msgspec.Struct):
    records: list[msgspec.Raw]


def _split(raw: bytes, name: str) -> list[msgspec.Raw]:
    """Split file contents, either a list of records, a page, or one record or page per line."""
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
        raise RecordError(where=name, job_id=None, path="$", reason=f"not valid JSON: {error}") from None
