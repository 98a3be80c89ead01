"""The `app` command, which opens the explorer as a web page."""

from __future__ import annotations

import html
import importlib.util
import json
import os
import secrets
import sys
import tempfile
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tpanalytics as tpa
from tpanalytics.cli.commands import by_of_options, read_source
from tpanalytics.measures._core.groups import noun
from tpanalytics.measures.privacy.policy import USUAL, Privacy
from tpanalytics.schema import provenance
from tpanalytics.share.grouping import grouping_of

if TYPE_CHECKING:
    import argparse

    from tpanalytics.explorers.explorer import Explorer
    from tpanalytics.typing import By

__all__ = ["app", "explorer"]

_TITLE = "AI impact and weekly hours"
#: Maximum length of the temporary folder's path. Unix socket paths are limited to about 100 characters.
_MAX_FOLDER_LENGTH = 30


def app(arguments: argparse.Namespace) -> int:
    """Open the explorer in the browser. The page is only served on this machine, until you press Ctrl-C."""
    if importlib.util.find_spec("voila") is None:
        raise tpa.ConfigError('Opening the explorer requires Voilà. Run: pip install "tpanalytics[app]"')
    from tpanalytics.cli.voila_server import ExplorerServer

    privacy = Privacy(min_jobs=arguments.min_jobs, min_headcount=arguments.min_headcount)
    profiles = read_source(arguments)  # raise errors here rather than on the page
    before = read_source(arguments, arguments.before) if arguments.before else None
    grouping_of(profiles, by_of_options(arguments))
    notes = [provenance(profiles.manifest)]
    if before is not None:
        notes.append(f"Before: {provenance(before.manifest)}")
    notes.append(_suppression_note(privacy))
    with tempfile.TemporaryDirectory(prefix="tpanalytics-", dir=_temporary_root()) as folder:
        page = Path(folder) / "page" / "app.ipynb"
        page.parent.mkdir()
        page.write_text(json.dumps(_notebook(arguments, notes)), encoding="utf-8")
        try:
            server = ExplorerServer.create(page, Path(folder), port=arguments.port, token=secrets.token_urlsafe(24))
        except OSError as error:
            raise tpa.ConfigError(
                f"Port {arguments.port} cannot be used: {error.strerror}. Choose another --port."
            ) from None
        print(f"{notes[0]} {notes[-1]}")
        print(f"Open {server.address}\nThe address works on this machine only. Press Ctrl-C to stop.")
        sys.stdout.flush()
        if not arguments.no_browser:
            _open(server.address, Path(folder))
        server.start()
    return 0


def explorer(**settings: Any) -> Explorer:
    """Return the explorer. Called by the generated notebook."""
    import argparse

    arguments = argparse.Namespace(**settings)
    before = read_source(arguments, arguments.before) if arguments.before else None
    privacy = Privacy(min_jobs=arguments.min_jobs, min_headcount=arguments.min_headcount)
    profiles, by = read_source(arguments), by_of_options(arguments)
    return tpa.explore(profiles, before, by=by, privacy=None if privacy.off else privacy)


def _title(by: By) -> str:
    return _TITLE if by is None else f"{_TITLE} per {noun([by] if isinstance(by, str) else by)}"


def _notebook(arguments: argparse.Namespace, notes: list[str]) -> dict[str, Any]:
    """Return the notebook that Voilà renders as the page."""
    settings: dict[str, Any] = {
        name: None if (path := getattr(arguments, name)) is None else str(Path(path).resolve())
        for name in ("source", "before", "jobs", "family_names")
    }
    settings |= {"min_jobs": arguments.min_jobs, "min_headcount": arguments.min_headcount, "by": arguments.by}
    title = arguments.title or _title(by_of_options(arguments))
    head = f"<h1>{html.escape(title)}</h1>\n<p>{html.escape(' '.join(notes))}</p>"
    call = f"from tpanalytics.cli.app import explorer\n\nexplorer(**{settings!r})"
    code: dict[str, Any] = {"cell_type": "code", "id": "page", "source": call, "outputs": [], "execution_count": None}
    return {
        "cells": [{"cell_type": "markdown", "id": "head", "source": head, "metadata": {}}, {**code, "metadata": {}}],
        "metadata": {
            "title": title,
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def _suppression_note(privacy: Privacy) -> str:
    if privacy.off:
        return "Nothing is suppressed. Figures can describe single jobs or people."
    note = f"Figures of fewer than {privacy.min_jobs} jobs or {privacy.min_headcount:g} people are suppressed."
    if privacy.min_jobs < USUAL.min_jobs or privacy.min_headcount < USUAL.min_headcount:
        note += f" These limits are below the defaults ({USUAL.min_jobs} and {USUAL.min_headcount:g})."
    return note


def _temporary_root() -> str | None:
    """Return a short parent path for the temporary folder, or None if the default is short enough."""
    return "/tmp" if os.name == "posix" and len(tempfile.gettempdir()) > _MAX_FOLDER_LENGTH else None  # noqa: S108


def _open(address: str, folder: Path) -> None:
    # Pass a file, since the address contains the token and other users can see the browser's command line.
    page = folder / "open.html"
    target = html.escape(address)
    page.write_text(f'<meta http-equiv="refresh" content="0; url={target}"><a href="{target}">Open</a>', "utf-8")
    webbrowser.open(page.as_uri())
