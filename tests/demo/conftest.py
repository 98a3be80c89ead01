"""Fixtures shared by the tests of the demo server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.helpers.demo_client import DemoClient, edge_case_catalogue
from tpanalytics.demo.handlers import Rules
from tpanalytics.demo.server import Tenant

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def edge_cases() -> Iterator[DemoClient]:
    with Tenant(edge_case_catalogue(), rules=Rules()) as tenant:
        yield DemoClient(tenant)


@pytest.fixture(scope="module")
def sample_company() -> Iterator[DemoClient]:
    with Tenant() as tenant:
        yield DemoClient(tenant)
