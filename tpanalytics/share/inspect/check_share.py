"""What a file carries, before it is handed on: it is taken apart, and each piece looked through."""

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
    """List what a file carries that one may not want to hand on.

    Nothing is changed, and nothing that was found is repeated: of a secret, a person or a sentence the list has the
    first characters and the length. What is not found may still be there: no one has read the pixels of a picture.

    Parameters
    ----------
    path
        A ``.html``, ``.ipynb``, ``.xlsx``, ``.json`` (Vega-Lite or rows), ``.parquet``, ``.csv``, ``.png``, ``.svg``,
        ``.pdf`` or ``.txt`` file.
    privacy
        How few jobs or people a row may tell of.

    Returns
    -------
    pl.DataFrame
        One row per finding, the gravest first, then in the order of the file: ``where`` it stands; ``what`` it is
        (``secret``, ``free text``, ``small groups``, ``personal data``, ``job-level rows``, ``task-level rows``,
        ``absolute path``, ``external request``, ``script``, ``widget state``, ``hidden content``, ``metadata``,
        ``picture``, ``rows``, ``text``, ``not read``); what was ``found``, in short; and its ``severity``: ``stop``
        (do not hand it on), ``look`` (decide), ``note`` (know).

    Raises
    ------
    ShareError
        If the file is not there, is of another kind, or cannot be read as what its suffix says.

    Examples
    --------
    >>> import tpanalytics as tpa
    >>> profiles = tpa.load_sample()
    >>> found = check_share(tpa.save(profiles.tasks, "tasks.parquet"))
    >>> found.filter(severity="stop").select("where", "what").row(0)
    ('table, ai_impact_rationale', 'free text')
    >>> "stop" in check_share(tpa.save(tpa.hours(profiles), "hours.xlsx"))["severity"]
    False
    """
    path = local_path(path)
    if path.suffix.lower() not in READERS:
        raise ShareError(
            f"{path.name}: {path.suffix or 'a file without suffix'} cannot be looked through; "
            f"there are readers for {', '.join(READERS)}."
        )
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ShareError(f"{path} cannot be read: {error.strerror or error}.") from None
    found: dict[tuple[str, str, str, str], Finding] = {}
    for piece in pieces_of(path.name, content):
        for finding in [piece] if isinstance(piece, Finding) else detected(piece, privacy):
            found.setdefault((finding.severity, finding.where, finding.what, finding.found), finding)
    ordered = sorted(found.values(), key=lambda finding: _RANK[finding.severity])  # a stable sort
    columns = ("where", "what", "found", "severity")
    rows = [[getattr(finding, name) for name in columns] for finding in ordered]
    return pl.DataFrame(rows, schema=dict.fromkeys(columns, pl.String), orient="row")
