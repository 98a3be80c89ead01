"""Raw records of the export from a file, without any network."""

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
from tpanalytics.profiles.completeness import Tables, record_batch, warn_of_rejects
from tpanalytics.typing import OnBadRecord

if TYPE_CHECKING:
    from pathlib import Path

    from tpanalytics.api.wire import ResponseFormat
    from tpanalytics.schema import TaskProfiles

__all__ = ["check_on_bad_record", "profiles_of", "raw_records", "read_records"]


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
    """Turn records at hand into task profiles."""
    envelope = Envelope(has_next=False, records=records)
    tables = Tables()
    batch = decode_page(envelope, where=where, response_format=response_format, on_bad_record=on_bad_record)
    tables.keep(*record_batch(batch))
    profiles = tables.profiles({"tpanalytics": __version__, "source": source})
    del profiles.manifest["pages"]  # a file has none
    warn_of_rejects(profiles.rejects)
    return profiles


def raw_records(path: Path) -> list[msgspec.Raw]:
    """Find the records in a file, undecoded."""
    try:
        raw = path.read_bytes()
        raw = gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
    except (OSError, EOFError, zlib.error) as error:
        raise ConfigError(f"{path.name} cannot be read: {getattr(error, 'strerror', None) or error}.") from None
    raw = raw.removeprefix(codecs.BOM_UTF8).strip()
    if raw and raw[:1] not in {b"{", b"["}:
        raise ConfigError(
            f"{path.name} holds no records: they are JSON and begin with {{ or [. A CSV of jobs or families is a "
            "mapping file, for assign_families or --jobs and --families."
        )
    return _split(raw, path.name)


def check_on_bad_record(value: str) -> None:
    """Refuse any other value than those of `OnBadRecord`."""
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
