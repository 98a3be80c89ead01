"""Fixtures shared by the tests of the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.helpers.command_line import SECRET
from tpanalytics.demo.server import Tenant

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def tenant(monkeypatch: pytest.MonkeyPatch) -> Iterator[Tenant]:
    with Tenant(client_secret=SECRET) as running:
        for name, value in running.settings.items():
            monkeypatch.setenv(f"TPANALYTICS_{name.upper()}", value)
        yield running
