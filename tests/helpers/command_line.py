"""Runs commands of the command line in this process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tpanalytics.cli.main import main

if TYPE_CHECKING:
    import pytest

SECRET = "s3cr3t-CANARY-%&\"'ü"


def run(*arguments: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    status = main(arguments)
    output = capsys.readouterr()
    assert SECRET not in output.out + output.err
    return status, output.out, output.err
