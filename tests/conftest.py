"""Fixtures and settings for all tests."""

from __future__ import annotations

import gc
import os
import pickle
from copy import deepcopy
from functools import cache, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest

# Parallel workers share the cores, so a thread pool in each one only slows them down. Polars reads this on import.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("POLARS_MAX_THREADS", "1")

import tpanalytics as tpa
from tpanalytics.demo import sample as demo_sample, server
from tpanalytics.demo.company import invent

if TYPE_CHECKING:
    from collections.abc import Iterator

TESTS = Path(__file__).resolve().parent
REAL = TESTS.parents[1] / "shared" / "real"
# No deadline, because examples take long on a busy machine. `.ci/run` uses the profile "ci".
hypothesis.settings.register_profile("quick", max_examples=30, deadline=None)
hypothesis.settings.register_profile("ci", max_examples=100, deadline=None, print_blob=True)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))


def pytest_collection_finish() -> None:
    """Exclude the imported modules from garbage collection, which would go through them again and again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Run each test in an empty folder, without the user's settings and cache folder."""
    import platformdirs

    for name in os.environ:
        if name.startswith("TPANALYTICS_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(platformdirs, "user_cache_dir", lambda *_, **__: str(tmp_path / "user-cache"))


@pytest.fixture(scope="session", autouse=True)
def _invented_once() -> Iterator[None]:
    """Generate the sample once per session and return a copy to each test."""
    loaded = cache(demo_sample.load_sample)
    invented = cache(lambda *state: pickle.dumps(invent(*state)))

    @wraps(demo_sample.load_sample)
    def load_sample(*state: Any, **named: Any) -> tpa.TaskProfiles:
        profiles = loaded(*state, **named)
        return tpa.TaskProfiles(profiles.jobs.clone(), profiles.tasks.clone(), deepcopy(profiles.manifest))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tpa, "load_sample", load_sample)
        patch.setattr(demo_sample, "load_sample", load_sample)
        patch.setattr(server, "invent", lambda *state: pickle.loads(invented(*state)))
        yield


@pytest.fixture(scope="session")
def sample() -> tpa.TaskProfiles:
    """Return the sample company."""
    return tpa.load_sample()


@pytest.fixture(scope="session")
def real() -> tpa.TaskProfiles:
    """Return the real occupations, or skip the test if they are not available."""
    if not REAL.is_dir():
        pytest.skip("the real data are not available")
    return read_real()


def read_real() -> tpa.TaskProfiles:
    """Load the real occupations with their job families."""
    profiles = tpa.read_records(REAL / "data" / "task_profiles.jsonl.gz")
    return tpa.assign_families(profiles, REAL / "csv" / "jobs.csv", REAL / "csv" / "job_families.csv")


@pytest.fixture(params=["sample", "real"])
def company(request: pytest.FixtureRequest) -> tpa.TaskProfiles:
    """Return the sample company, then the real occupations."""
    profiles: tpa.TaskProfiles = request.getfixturevalue(request.param)
    return profiles
