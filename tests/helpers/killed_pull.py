"""A process that forks pulls on demand, so that each can be killed for real without paying for its imports.

It reads a line of JSON per pull, ``{"settings", "folder", "limit", "workers", "die_at"}``, prints the id of the process
that pulls, and, when that has ended, its status. With ``die_at`` = n the pull kills itself just before its n-th
operation on a file below the folder.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from typing import Any

import tpanalytics as tpa
from tpanalytics.api import session  # noqa: F401  imported once, before the forks
from tpanalytics.profiles import load  # noqa: F401
from tpanalytics.profiles.snapshot import resume

#: Operations that Python tells its audit hooks of before it does them.
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


def _pull(order: dict[str, Any]) -> int:
    resume._PAGES_PER_FILE = 3  # so that a few pages are enough for files to be joined
    if order["die_at"]:
        _die_before(order["die_at"], order["folder"])
    asked: dict[str, Any] = {"families": "lists", "workers": order["workers"]} if order["workers"] > 1 else {}
    with tpa.connect(**order["settings"]) as client:
        tpa.load_task_profiles(
            client, snapshot=order["folder"], limit=order["limit"], progress=False, lazy=True, **asked
        )
    return 0


def main() -> None:
    for line in sys.stdin:
        order = json.loads(line)
        child = os.fork()
        if not child:
            try:
                status = _pull(order)
            except KeyboardInterrupt:
                status = 130
            except Exception:  # noqa: BLE001  a fork must not go on as its parent
                traceback.print_exc()
                status = 1
            os._exit(status)
        print(child, flush=True)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    main()
