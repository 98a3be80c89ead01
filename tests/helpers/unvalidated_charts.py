"""Charts without Altair's validation, for tests that draw many of them."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import altair as alt
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["unvalidated_charts", "without_validation"]


@contextmanager
def without_validation() -> Iterator[None]:
    """Skip the validation of charts, which takes longer than drawing. The tests of charts validate them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(alt.SchemaBase, "validate", lambda *_: None)
        yield


@pytest.fixture(scope="module", autouse=True)
def unvalidated_charts() -> Iterator[None]:
    """Skip the validation of charts in a module."""
    with without_validation():
        yield
