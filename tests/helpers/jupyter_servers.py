"""Isolated JupyterLab and Voilà servers."""

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

#: Disable the news pop-up, which sends a request to another host and covers part of the page.
_PAGE = {"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}}
_LAB = ["--no-browser", "--ServerApp.port_retries=0", "--LabApp.expose_app_in_browser=True", "--allow-root"]
_VOILA = ["--no-browser", "--port_retries=0"]


@dataclass(frozen=True)
class Server:
    """A running server and the folder it serves."""

    url: str
    token: str
    folder: Path
    log: Path


@contextmanager
def running(kind: str, folder: Path) -> Iterator[Server]:
    """Run ``jupyterlab`` or ``voila`` in an empty folder, without the user's settings."""
    served = folder / "served"
    served.mkdir(parents=True)
    variables = {name: str(folder / name.lower()) for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "IPYTHONDIR")}
    variables["JUPYTER_RUNTIME_DIR"] = str(folder / "runtime")
    settings = Path(variables["JUPYTER_CONFIG_DIR"]) / "labconfig"
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
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", kind, *options],
            cwd=served,
            env={**os.environ, **variables, "PYDEVD_DISABLE_FILE_VALIDATION": "1"},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        server = Server(f"http://127.0.0.1:{port}", token, served, log)
        try:
            wait_for(server.url, process, log)
            yield server
        finally:
            end(process)


def free_port() -> int:
    """Return an unused port."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Send requests until the server responds, or raise a RuntimeError if its process ends."""
    address = urlsplit(url)
    while process.poll() is None:
        connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=10)
        try:
            connection.request("GET", "/api" if "token" not in url else address.path)
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
    """Terminate a process, and kill it if it is still running after 15 seconds."""
    process.terminate()
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def write_notebook(path: Path, *cells: str) -> Path:
    """Write a notebook of code cells without outputs."""
    code = [
        {"cell_type": "code", "id": f"cell-{n}", "source": cell, "metadata": {}, "outputs": [], "execution_count": None}
        for n, cell in enumerate(cells)
    ]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook = {"cells": code, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}
    path.write_text(json.dumps(notebook), encoding="utf-8")
    return path


#: Whether the kernel is connected and idle. JupyterLab's "idle" indicator is also shown before a kernel has started.
READY = """() => {
  const panel = window.jupyterapp?.shell?.currentWidget, kernel = panel?.sessionContext?.session?.kernel;
  return !!(panel?.sessionContext?.isReady && panel.context.isReady && kernel
    && kernel.connectionStatus === 'connected' && kernel.status === 'idle');
}"""


def open_in_lab(page: Page, server: Server, name: str, *, run: bool = True) -> None:
    """Open a notebook in JupyterLab and, by default, run all cells."""
    page.goto(f"{server.url}/lab/tree/{name}?reset&token={server.token}")
    page.wait_for_function(READY)
    if run:
        command(page, "notebook:run-all-cells")


def command(page: Page, name: str) -> None:
    """Run a JupyterLab command, discarding its result because that can reference the whole application."""
    page.evaluate("async name => { await window.jupyterapp.commands.execute(name); return null; }", name)


_EXECUTE = """async code => {
  const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
  const future = kernel.requestExecute({ code });
  let output = "";
  future.onIOPub = ({ header, content }) => {
    if (header.msg_type === "stream") { output += content.text; }
    if (header.msg_type === "error") { output += `${content.ename}: ${content.evalue}`; }
  };
  const reply = await future.done;
  return [reply.content.status, output];
}"""


def execute(page: Page, code: str) -> str:
    """Run code in the kernel of a JupyterLab page and return its output."""
    status, output = page.evaluate(_EXECUTE, code)
    assert status == "ok", output
    return str(output)
