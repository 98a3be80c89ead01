"""What the tests of the session and of its tokens share: a time of day that stands still."""

from __future__ import annotations

import pytest

#: Where the clock stands when a test begins; seconds since 1970.
NOW = 1_800_000_000


class Clock:
    """The time of day, which only a test moves."""

    def __init__(self) -> None:
        self.now = float(NOW)

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr("time.time", made)
    return made
