"""Entry point of the command-line interface.

The exit status is 0 on success, 1 on error and 2 on invalid usage.
"""

from __future__ import annotations

import io
import sys
import warnings
from typing import TYPE_CHECKING

import tpanalytics as tpa
from tpanalytics.cli.output import as_shell_text
from tpanalytics.cli.parser import parser

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    argument_parser = parser()
    arguments = argument_parser.parse_args(argv)
    if getattr(arguments, "family_names", None) and not arguments.jobs:
        argument_parser.error("--family-names requires --jobs")
    if getattr(arguments, "other_jobs", "drop") == "keep" and not arguments.families:
        argument_parser.error("--other-jobs requires --families")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # the console may not be able to encode all characters
    try:
        with warnings.catch_warnings():
            warnings.showwarning = lambda message, *_, **__: print(f"tpanalytics: note: {message}", file=sys.stderr)
            status: int = arguments.run(arguments)
    except tpa.TpAnalyticsError as error:
        text = str(error)
        if "on_bad_record" not in arguments:
            text = text.replace(", or pass on_bad_record='collect' to skip the record", "")
        _print_error(text, error)
        return 1
    except KeyboardInterrupt as error:
        _print_error("interrupted", error)
        return 130
    except BrokenPipeError:  # for example `tpanalytics summary | head`
        sys.stderr.close()
        return 0
    return status


def _print_error(text: str, error: BaseException) -> None:
    message = "\n".join([f"tpanalytics: {text}", *getattr(error, "__notes__", ())])
    print(as_shell_text(message), file=sys.stderr)
