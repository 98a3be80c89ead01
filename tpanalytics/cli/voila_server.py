"""Voilà over one notebook: on loopback only, behind a token, with no files, no settings of others and no other host."""

from __future__ import annotations

import logging
import os
import socket
from typing import TYPE_CHECKING, Any

from jupyter_client.kernelspec import KernelSpecManager
from tornado.httpserver import HTTPServer
from tornado.ioloop import IOLoop
from traitlets.config import Config
from voila.app import Voila

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Served"]

_HOST, _LAST_PORT = "127.0.0.1", 65_535
#: Seconds after which the Python of a page that is gone is ended, if the page could not say so.
_GONE = 300
#: Voilà's page names style sheets and MathJax of other hosts; a browser that is told this asks none.
_SILENT = "; ".join(
    [
        "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:",
        "connect-src 'self' data: blob: ws://{host}",
        "frame-ancestors 'none'",
        "form-action 'self'",
        "base-uri 'self'",
    ]
)


class ThisPython(KernelSpecManager):
    """Knows the Python that runs and no other, whatever kernels are installed under its name."""

    def _kernel_dirs_default(self) -> list[str]:
        return []


class Served(Voila):
    """One notebook as a page."""

    @classmethod
    def over(cls, notebook: Path, folder: Path, *, port: int, token: str) -> Served:
        """Prepare to serve a notebook that lies alone in its folder; `folder` is for connections."""
        if not 0 <= port <= _LAST_PORT:
            raise OSError(None, f"ports go from 0 to {_LAST_PORT}")
        taken = socket.create_server((_HOST, port))
        taken.settimeout(0)
        config = Config()
        config.VoilaConfiguration.file_allowlist = []
        config.VoilaConfiguration.file_denylist = [".*"]
        config.VoilaConfiguration.allow_template_override = "NO"
        config.VoilaConfiguration.allow_theme_override = "NO"
        config.VoilaConfiguration.kernel_spec_manager_class = ThisPython
        config.MappingKernelManager.cull_idle_timeout = _GONE
        config.MappingKernelManager.cull_interval = 60
        if os.name == "posix":
            # What goes through ports of this machine, other users of it can listen to.
            config.KernelManager.transport = "ipc"
        served = cls(
            config=config,
            config_file_paths=[],
            connection_dir_root=str(folder),
            ip=_HOST,
            log_level=logging.ERROR,
            open_browser=False,
            token=token,
        )
        served.taken = taken
        served.port = taken.getsockname()[1]
        served.initialize([str(notebook)])
        return served

    @property
    def address(self) -> str:
        """Where the page is, with its token."""
        return f"http://{_HOST}:{self.port}/?token={self.token}"

    def init_settings(self) -> Any:
        """Refuse requests that came by another name than this machine's, and let the page ask no other host."""
        host = f"{_HOST}:{self.port}"
        own = {"Content-Security-Policy": _SILENT.format(host=host), "Referrer-Policy": "no-referrer"}
        # Lines about requests are left out: they would repeat the token.
        return {
            **super().init_settings(),
            "allow_remote_access": False,
            "headers": own,
            "log_function": lambda _: None,
        }

    def listen(self) -> None:
        """Serve until interrupted."""
        HTTPServer(self.app).add_socket(self.taken)
        self.ioloop = IOLoop.current()
        try:
            self.ioloop.start()
        except KeyboardInterrupt:
            pass
        finally:
            self.stop()
