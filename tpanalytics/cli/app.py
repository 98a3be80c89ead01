"""The verb that shows an explorer as a page of its own; gives the exit status."""

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
from tpanalytics.cli.commands import read_source
from tpanalytics.measures.privacy.policy import USUAL, Privacy
from tpanalytics.schema import provenance

if TYPE_CHECKING:
    import argparse

    from tpanalytics.explorers.explorer import Explorer

__all__ = ["app", "explorer"]

_TITLE = "AI impact and weekly hours per job family"
#: The sockets of a page's Python lie in the folder, and their names have to be short.
_LONGEST = 30


def app(arguments: argparse.Namespace) -> int:
    """Show an explorer of a snapshot in the browser, on this machine only, until interrupted."""
    if importlib.util.find_spec("voila") is None:
        raise tpa.ConfigError("This needs Voilà, which is not installed: install the extra app (tpanalytics[app]).")
    from tpanalytics.cli.voila_server import Served

    privacy = Privacy(min_jobs=arguments.min_jobs, min_headcount=arguments.min_headcount)
    profiles = read_source(arguments)  # what is wrong is said here, not on the page
    before = read_source(arguments, arguments.before) if arguments.before else None
    said = [provenance(profiles.manifest)]
    if before is not None:
        said.append(f"Before: {provenance(before.manifest)}")
    said.append(_hidden(privacy))
    with tempfile.TemporaryDirectory(prefix="tpanalytics-", dir=_short()) as folder:
        page = Path(folder) / "page" / "app.ipynb"
        page.parent.mkdir()
        page.write_text(json.dumps(_notebook(arguments, said)), encoding="utf-8")
        try:
            served = Served.over(page, Path(folder), port=arguments.port, token=secrets.token_urlsafe(24))
        except OSError as error:
            raise tpa.ConfigError(f"Port {arguments.port} cannot be used: {error.strerror}.") from None
        print(f"{said[0]} {said[-1]}")
        print(f"Open {served.address}\nThis machine only, and only with this whole address; stop with Ctrl-C.")
        sys.stdout.flush()
        if not arguments.no_browser:
            _open(served.address, Path(folder))
        served.start()
    return 0


def explorer(**settings: Any) -> Explorer:
    """Open the explorer of a page, in the Python of that page."""
    import argparse

    arguments = argparse.Namespace(**settings)
    before = read_source(arguments, arguments.before) if arguments.before else None
    privacy = Privacy(min_jobs=arguments.min_jobs, min_headcount=arguments.min_headcount)
    return tpa.explore(read_source(arguments), before, privacy=None if privacy.off else privacy)


def _notebook(arguments: argparse.Namespace, said: list[str]) -> dict[str, Any]:
    """Write the notebook whose outputs are the page."""
    settings: dict[str, Any] = {
        name: None if (path := getattr(arguments, name)) is None else str(Path(path).resolve())
        for name in ("source", "before", "jobs", "families")
    }
    settings |= {"min_jobs": arguments.min_jobs, "min_headcount": arguments.min_headcount}
    title = arguments.title or _TITLE
    head = f"<h1>{html.escape(title)}</h1>\n<p>{html.escape(' '.join(said))}</p>"
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


def _hidden(privacy: Privacy) -> str:
    """Say what is hidden, and that it is less than usual where it is."""
    if privacy.off:
        return "Nothing is hidden: figures may tell of single jobs or people."
    said = f"Hidden is what tells of fewer than {privacy.min_jobs} jobs or {privacy.min_headcount:g} people."
    if privacy.min_jobs < USUAL.min_jobs or privacy.min_headcount < USUAL.min_headcount:
        said += f" That is less than usual ({USUAL.min_jobs} and {USUAL.min_headcount:g})."
    return said


def _short() -> str | None:
    """Give a folder with a short name for a folder that only this user can enter; None for the usual one."""
    return "/tmp" if os.name == "posix" and len(tempfile.gettempdir()) > _LONGEST else None  # noqa: S108


def _open(address: str, folder: Path) -> None:
    """Open the browser by a file, since others can read the arguments of its process."""
    page = folder / "open.html"
    target = html.escape(address)
    page.write_text(f'<meta http-equiv="refresh" content="0; url={target}"><a href="{target}">Open</a>', "utf-8")
    webbrowser.open(page.as_uri())
