"""Voilà server for a single notebook, protected by a token and bound to localhost."""

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

__all__ = ["ExplorerServer"]

_HOST, _LAST_PORT = "127.0.0.1", 65_535
#: Stop idle kernels after this many seconds, in case closing the page didn't stop them.
_IDLE_TIMEOUT = 300
#: Prevents Voilà's page from loading style sheets and MathJax from other hosts.
_CONTENT_SECURITY_POLICY = "; ".join(
    [
        "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:",
        "connect-src 'self' data: blob: ws://{host}",
        "frame-ancestors 'none'",
        "form-action 'self'",
        "base-uri 'self'",
    ]
)


class CurrentPythonKernel(KernelSpecManager):
    """Kernel spec manager that ignores installed kernels and runs the current Python interpreter."""

    def _kernel_dirs_default(self) -> list[str]:
        return []


class ExplorerServer(Voila):
    """Voilà server for a single notebook."""

    @classmethod
    def create(cls, notebook: Path, folder: Path, *, port: int, token: str) -> ExplorerServer:
        """Create a server for a notebook. Kernel sockets are created in `folder`."""
        if not 0 <= port <= _LAST_PORT:
            raise OSError(None, f"must be 0 to {_LAST_PORT}")
        server_socket = socket.create_server((_HOST, port))
        server_socket.settimeout(0)
        config = Config()
        config.VoilaConfiguration.file_allowlist = []
        config.VoilaConfiguration.file_denylist = [".*"]
        config.VoilaConfiguration.allow_template_override = "NO"
        config.VoilaConfiguration.allow_theme_override = "NO"
        config.VoilaConfiguration.kernel_spec_manager_class = CurrentPythonKernel
        config.MappingKernelManager.cull_idle_timeout = _IDLE_TIMEOUT
        config.MappingKernelManager.cull_interval = 60
        if os.name == "posix":
            # Other users on this machine can read traffic on local TCP ports.
            config.KernelManager.transport = "ipc"
        server = cls(
            config=config,
            config_file_paths=[],
            connection_dir_root=str(folder),
            ip=_HOST,
            log_level=logging.ERROR,
            open_browser=False,
            token=token,
        )
        server.server_socket = server_socket
        server.port = server_socket.getsockname()[1]
        server.initialize([str(notebook)])
        return server

    @property
    def address(self) -> str:
        """URL of the page, including the token."""
        return f"http://{_HOST}:{self.port}/?token={self.token}"

    def init_settings(self) -> Any:
        """Restrict the page and its requests to this host."""
        policy = _CONTENT_SECURITY_POLICY.format(host=f"{_HOST}:{self.port}")
        return {
            **super().init_settings(),
            "allow_remote_access": False,
            "headers": {"Content-Security-Policy": policy, "Referrer-Policy": "no-referrer"},
            "log_function": lambda _: None,  # request logs would contain the token
        }

    def listen(self) -> None:
        """Serve until interrupted."""
        HTTPServer(self.app).add_socket(self.server_socket)
        self.ioloop = IOLoop.current()
        try:
            self.ioloop.start()
        except KeyboardInterrupt:
            pass
        finally:
            self.stop()
