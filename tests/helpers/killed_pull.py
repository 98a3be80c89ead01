"""Fork server for exports that can be killed without importing everything again.

It reads one line of JSON per export, ``{"settings", "folder", "limit", "workers", "die_at"}``, and prints the id of the
forked process and then its exit code. If ``die_at`` is n, the process kills itself before its n-th file operation in
the folder.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from typing import Any

import tpanalytics as tpa
from tpanalytics.api import session  # noqa: F401  imported before forking
from tpanalytics.profiles import load  # noqa: F401
from tpanalytics.profiles.snapshot import resume

#: File operations with audit events.
_OPERATIONS = {"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.listdir", "os.scandir"}


def _die_before(number: int, folder: str) -> None:
    seen = 0

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal seen
        if event in _OPERATIONS and str(arguments[0]).startswith(folder):
            seen += 1
            if seen == number:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


def _export(command: dict[str, Any]) -> int:
    resume._PAGES_PER_FILE = 3  # merge files after a few pages
    if command["die_at"]:
        _die_before(command["die_at"], command["folder"])
    options: dict[str, Any] = {"families": "lists", "workers": command["workers"]} if command["workers"] > 1 else {}
    with tpa.connect(**command["settings"]) as client:
        tpa.load_task_profiles(
            client, snapshot=command["folder"], limit=command["limit"], progress=False, lazy=True, **options
        )
    return 0


def main() -> None:
    for line in sys.stdin:
        command = json.loads(line)
        child = os.fork()
        if not child:
            try:
                status = _export(command)
            except BaseException:  # noqa: BLE001  the child must not continue the loop of its parent
                # Polars turns a Ctrl-C while it calls Python into an error of its own, or a panic.
                status = 130 if "KeyboardInterrupt" in traceback.format_exc() else 1
                traceback.print_exc()
            os._exit(status)
        print(child, flush=True)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    main()
