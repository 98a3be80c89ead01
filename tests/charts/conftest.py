"""Fixtures for the tests of charts."""

from __future__ import annotations

import os

import pytest

import tpanalytics as tpa
from tpanalytics.charts._core.theme import Chart, Panels
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


@pytest.fixture(autouse=True)
def _validated_rarely(monkeypatch: pytest.MonkeyPatch) -> None:
    """Skip the validation of charts against the Vega-Lite schema in quick runs, since it takes a third of the time.

    `test_all_charts` validates each chart, and `.ci/run` all of them.
    """
    if os.environ.get("HYPOTHESIS_PROFILE") != "ci":
        monkeypatch.setattr(Chart, "validate", lambda *_: None)
        monkeypatch.setattr(Panels, "validate", lambda *_: None)
