"""What several test folders share: the sample, the real data where they are at hand, and random task profiles."""

from __future__ import annotations

import os
import pickle
from copy import deepcopy
from functools import cache, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest

import tpanalytics as tpa
from tpanalytics.demo import sample as demo_sample, server
from tpanalytics.demo.company import invent

if TYPE_CHECKING:
    from collections.abc import Iterator

TESTS = Path(__file__).resolve().parent
REAL = TESTS.parents[1] / "shared" / "real"
# No deadline: the time of one example says little on a slow machine. `.ci/run` asks for the profile "ci".
hypothesis.settings.register_profile("quick", max_examples=30, deadline=None)
hypothesis.settings.register_profile("ci", max_examples=100, deadline=None, print_blob=True)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))
#: They start browsers, notebooks, builds or many processes; `poe quick` and the run on the lowest versions skip them.
SLOW = [
    "bench",
    "browser",
    "faults/test_kill.py",
    "share/test_canary.py",
    "share/report/test_save_report.py",
    "share/report/test_verify_report.py",
    "test_notebooks.py",
    "test_wheel.py",
]


@pytest.hookimpl(tryfirst=True)  # before tests are selected by marker
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if any(item.path.is_relative_to(TESTS / slow) for slow in SLOW):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Run each test, doctests too, without the user's settings and in a folder of its own.

    The user's cache folder is out of reach as well; processes of their own keep no token there for this machine.
    """
    import platformdirs

    for name in os.environ:
        if name.startswith("TPANALYTICS_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(platformdirs, "user_cache_dir", lambda *_, **__: str(tmp_path / "user-cache"))


@pytest.fixture(scope="session", autouse=True)
def _invented_once() -> Iterator[None]:
    """Invent the company once for all that load or serve it, but give each its own; its own tests invent it anew."""
    loaded = cache(demo_sample.load_sample)
    invented = cache(lambda *state: pickle.dumps(invent(*state)))

    @wraps(demo_sample.load_sample)
    def load_sample(*state: Any, **named: Any) -> tpa.TaskProfiles:
        made = loaded(*state, **named)
        return tpa.TaskProfiles(made.jobs.clone(), made.tasks.clone(), deepcopy(made.manifest))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tpa, "load_sample", load_sample)
        patch.setattr(demo_sample, "load_sample", load_sample)
        patch.setattr(server, "invent", lambda *state: pickle.loads(invented(*state)))
        yield


@pytest.fixture(scope="session")
def sample() -> tpa.TaskProfiles:
    """Give the invented company."""
    return tpa.load_sample()


@pytest.fixture(scope="session")
def real() -> tpa.TaskProfiles:
    """Give the real occupations, where they lie beside the project."""
    if not REAL.is_dir():
        pytest.skip("the real data are not beside the project")
    return read_real()


def read_real() -> tpa.TaskProfiles:
    """Read the real occupations with their families."""
    profiles = tpa.read_records(REAL / "data" / "task_profiles.jsonl.gz")
    return tpa.assign_families(profiles, REAL / "csv" / "jobs.csv", REAL / "csv" / "job_families.csv")


@pytest.fixture(params=["sample", "real"])
def company(request: pytest.FixtureRequest) -> tpa.TaskProfiles:
    """Give each of the two."""
    profiles: tpa.TaskProfiles = request.getfixturevalue(request.param)
    return profiles
