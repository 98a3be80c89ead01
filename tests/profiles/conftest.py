"""Fixtures and helpers for tests of task profiles."""

from __future__ import annotations

from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tpanalytics.demo.company import invent
from tpanalytics.demo.handlers import Catalogue, Rules
from tpanalytics.demo.server import Tenant

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


invented = cache(invent)


def small_company() -> Catalogue:
    """Return every sixth job of the sample company. Tests must not change the records."""
    company = invented()
    return Catalogue(company.records[::6], company.jobs[::6], company.families)


@pytest.fixture
def serve() -> Iterator[Callable[..., Tenant]]:
    """Return a function that starts a tenant with the given records, or with `small_company`."""
    with ExitStack() as open_tenants:

        def start(*records: dict[str, Any], **rules: Any) -> Tenant:
            catalogue = Catalogue(list(records)) if records else small_company()
            return open_tenants.enter_context(Tenant(catalogue, rules=Rules(**rules)))

        yield start


@pytest.fixture(scope="module")
def tenant() -> Iterator[Tenant]:
    """Return an empty tenant. Tests set its catalogue and must not leave any faults."""
    with Tenant(Catalogue([])) as tenant:
        yield tenant


def task(number: int, **more: Any) -> dict[str, Any]:
    return {"task_id": f"t{number}", "task": f"Do piece {number}", "validation_state": "validated", **more}


def job(number: int, *tasks: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"external_id": f"job-{number}", "tasks": list(tasks), **more}


def write(name: str, raw: bytes | str) -> Path:
    path = Path(name)
    path.write_bytes(raw if isinstance(raw, bytes) else raw.encode())
    return path
