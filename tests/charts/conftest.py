"""Fixtures for the tests of charts."""

from __future__ import annotations

import pytest

import tpanalytics as tpa
from tpanalytics.measures._core.cache import with_cache


@pytest.fixture(scope="session")
def sample(sample: tpa.TaskProfiles) -> tpa.TaskProfiles:
    """Return the sample company with a cache, so that its charts share their measures."""
    return with_cache(sample)


@pytest.fixture(scope="session")
def real(real: tpa.TaskProfiles) -> tpa.TaskProfiles:
    """Return the real occupations with a cache."""
    return with_cache(real)


@pytest.fixture(scope="session")
def later() -> tpa.TaskProfiles:
    """Return the later snapshot of the sample with a cache."""
    return with_cache(tpa.load_sample("2026-11"))
