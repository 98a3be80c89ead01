"""Check files before they are shared."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from tpanalytics._paths import local_path
from tpanalytics.errors import ShareError
from tpanalytics.measures.privacy.policy import USUAL
from tpanalytics.share.inspect.detectors import detected
from tpanalytics.share.inspect.findings import Finding
from tpanalytics.share.inspect.readers.by_suffix import READERS, pieces_of

if TYPE_CHECKING:
    from pathlib import Path

    from tpanalytics.measures.privacy.policy import Privacy

__all__ = ["check_share"]

_RANK = {"stop": 0, "look": 1, "note": 2}


def check_share(path: str | Path, *, privacy: Privacy = USUAL) -> pl.DataFrame:
    """Check a file for secrets, personal data and other sensitive content before you share it.

    The file is not modified. Findings only show the first few characters and the length of secrets, personal data
    and sentences. The check can miss sensitive content, such as text in images.

    Parameters
    ----------
    path
        The file to check: ``.html``, ``.ipynb``, ``.xlsx``, ``.json`` (Vega-Lite or rows), ``.parquet``, ``.csv``,
        ``.png``, ``.svg``, ``.pdf`` or ``.txt``.
    privacy
        Minimum number of jobs and people per row.

    Returns
    -------
    pl.DataFrame
        One row per finding, most severe first, then in file order.

        ============  ======  ======================================================================
        ``where``     String  location in the file, such as a sheet, a cell or a column
        ``what``      String  ``secret``, ``free text``, ``small groups``, ``personal data``,
                              ``job-level rows``, ``task-level rows``, ``absolute path``,
                              ``external request``, ``script``, ``widget state``, ``hidden content``,
                              ``metadata``, ``picture``, ``rows``, ``text`` or ``not read``
        ``found``     String  short description
        ``severity``  String  ``stop`` (do not share), ``look`` (review) or ``note`` (for information)
        ============  ======  ======================================================================

    Raises
    ------
    ShareError
        If the file does not exist, or if the suffix is not supported or does not match the content.

    Examples
    --------
    >>> import tpanalytics as tpa
    >>> profiles = tpa.load_sample()
    >>> findings = check_share(tpa.save(profiles.tasks, "tasks.parquet"))
    >>> findings.filter(severity="stop").select("where", "what").row(0)
    ('table, ai_impact_rationale', 'free text')
    >>> "stop" in check_share(tpa.save(tpa.hours(profiles), "hours.xlsx"))["severity"]
    False
    """
    path = local_path(path)
    try:
        if path.suffix.lower() not in READERS and path.exists():
            kind = f"of type {path.suffix}" if path.suffix else "without a suffix"
            raise ShareError(f"{path.name}: files {kind} cannot be checked. Supported types: {', '.join(READERS)}.")
        content = path.read_bytes()
    except OSError as error:
        raise ShareError(f"{path} cannot be read: {error.strerror or error}.") from None
    unique: dict[tuple[str, str, str, str], Finding] = {}
    for piece in pieces_of(path.name, content):
        for finding in [piece] if isinstance(piece, Finding) else detected(piece, privacy):
            unique.setdefault((finding.severity, finding.where, finding.what, finding.found), finding)
    ordered = sorted(unique.values(), key=lambda finding: _RANK[finding.severity])
    columns = ("where", "what", "found", "severity")
    rows = [[getattr(finding, name) for name in columns] for finding in ordered]
    return pl.DataFrame(rows, schema=dict.fromkeys(columns, pl.String), orient="row")
