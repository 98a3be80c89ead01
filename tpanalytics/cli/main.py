"""The command line: each verb is a few lines over the public functions.

Exit status: 0 done, 1 refused or failed with one sentence, 2 usage.
"""

from __future__ import annotations

import io
import sys
import warnings
from typing import TYPE_CHECKING

import tpanalytics as tpa
from tpanalytics.cli.parser import parser

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb of the command line."""
    known = parser()
    arguments = known.parse_args(argv)
    if getattr(arguments, "families", None) and not arguments.jobs:
        known.error("--families needs --jobs: families hang on jobs")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a redirected console may know fewer characters
    try:
        with warnings.catch_warnings():
            warnings.showwarning = lambda message, *_, **__: print(f"tpanalytics: note: {message}", file=sys.stderr)
            status: int = arguments.verb(arguments)
    except tpa.TpAnalyticsError as error:
        _complain(str(error), error)
        return 1
    except KeyboardInterrupt as error:
        _complain("interrupted", error)
        return 130
    except BrokenPipeError:  # the reader of our output, like `head`, has seen enough
        sys.stderr.close()
        return 0
    return status


#: What messages say to callers of functions, and what it is called in a shell.
_IN_A_SHELL = {
    "resume=False": "--no-resume",
    "families='lists' or a list of family ids": "--family-lists or --family-id",
    "on_bad_record='collect'": "--on-bad-record collect",
    "assign_families with mapping files, or pass the ids of the job families": "--jobs and --families, or --family-id",
}


def _complain(text: str, error: BaseException) -> None:
    said = "\n".join([f"tpanalytics: {text}", *getattr(error, "__notes__", ())])
    for call, option in _IN_A_SHELL.items():
        said = said.replace(call, option)
    print(said, file=sys.stderr)
