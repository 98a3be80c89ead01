"""JupyterLab and Voilà in processes of their own: a free port, a token, an empty folder, no settings of the user."""

from __future__ import annotations

import http.client
import json
import os
import secrets
import socket
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

#: A pop-up with news covers a corner, and would ask another host.
_PAGE = {"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}}
_LAB = ["--no-browser", "--ServerApp.port_retries=0", "--LabApp.expose_app_in_browser=True", "--allow-root"]
_VOILA = ["--no-browser", "--port_retries=0"]


@dataclass(frozen=True)
class Server:
    """A server that runs; `folder` holds what it serves."""

    url: str
    token: str
    folder: Path
    log: Path


@contextmanager
def running(kind: str, folder: Path) -> Iterator[Server]:
    """Run ``jupyterlab`` or ``voila`` over an empty folder."""
    served = folder / "served"
    served.mkdir(parents=True)
    own = {name: str(folder / name.lower()) for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "IPYTHONDIR")}
    own["JUPYTER_RUNTIME_DIR"] = str(folder / "runtime")
    settings = Path(own["JUPYTER_CONFIG_DIR"]) / "labconfig"
    settings.mkdir(parents=True)
    (settings / "page_config.json").write_text(json.dumps(_PAGE), encoding="utf-8")
    port, token = free_port(), secrets.token_hex(16)
    if kind == "jupyterlab":
        options = [
            *_LAB,
            f"--ServerApp.port={port}",
            f"--IdentityProvider.token={token}",
            f"--ServerApp.root_dir={served}",
        ]
    else:
        options = [*_VOILA, f"--port={port}", f"--token={token}", str(served)]
    log = folder / "log.txt"
    with log.open("w") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", kind, *options],
            cwd=served,
            env={**os.environ, **own, "PYDEVD_DISABLE_FILE_VALIDATION": "1"},
            stdout=said,
            stderr=subprocess.STDOUT,
        )
        server = Server(f"http://127.0.0.1:{port}", token, served, log)
        try:
            wait_for(server.url, process, log)
            yield server
        finally:
            end(process)


def free_port() -> int:
    """Give a port that nobody listens on."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port: int = held.getsockname()[1]
        return port


def wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Ask until there is an answer, or the process has ended."""
    where = urlsplit(url)
    while process.poll() is None:
        connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=10)
        try:
            connection.request("GET", "/api" if "token" not in url else where.path)
            connection.getresponse()
        except OSError:
            try:
                process.wait(0.1)
            except subprocess.TimeoutExpired:
                continue
        else:
            return
        finally:
            connection.close()
    raise RuntimeError(f"the server ended with {process.returncode}: {log.read_text(errors='replace')[-2000:]}")


def end(process: subprocess.Popen[bytes]) -> None:
    """Ask a process to end, and end it if it does not."""
    process.terminate()
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def write_notebook(path: Path, *cells: str) -> Path:
    """Write a notebook of these cells of code, none of them run."""
    code = [
        {"cell_type": "code", "id": f"cell-{n}", "source": cell, "metadata": {}, "outputs": [], "execution_count": None}
        for n, cell in enumerate(cells)
    ]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    whole = {"cells": code, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}
    path.write_text(json.dumps(whole), encoding="utf-8")
    return path


#: The indicator "idle" stands there before there is a kernel; this says that there is one, and that it rests.
READY = """() => {
  const shown = window.jupyterapp?.shell?.currentWidget, kernel = shown?.sessionContext?.session?.kernel;
  return !!(shown?.sessionContext?.isReady && shown.context.isReady && kernel
    && kernel.connectionStatus === 'connected' && kernel.status === 'idle');
}"""


def open_in_lab(page: Page, server: Server, name: str, *, run: bool = True) -> None:
    """Open a notebook in JupyterLab alone on the page, and run all of it."""
    page.goto(f"{server.url}/lab/tree/{name}?reset&token={server.token}")
    page.wait_for_function(READY)
    if run:
        command(page, "notebook:run-all-cells")


def command(page: Page, name: str) -> None:
    """Run a command of JupyterLab to its end; its own result is the whole application and must not be asked for."""
    page.evaluate("async name => { await window.jupyterapp.commands.execute(name); return null; }", name)


_EXECUTE = """async code => {
  const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
  const future = kernel.requestExecute({ code });
  let said = "";
  future.onIOPub = ({ header, content }) => {
    if (header.msg_type === "stream") { said += content.text; }
    if (header.msg_type === "error") { said += `${content.ename}: ${content.evalue}`; }
  };
  const answer = await future.done;
  return [answer.content.status, said];
}"""


def execute(page: Page, code: str) -> str:
    """Run code in the kernel behind a page of JupyterLab; give what it prints."""
    status, said = page.evaluate(_EXECUTE, code)
    assert status == "ok", said
    return str(said)
