"""Helpers for tests that are expected to fail until an issue is closed."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

import pytest

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from _pytest.mark import ParameterSet

__all__ = ["inputs", "not_raised"]

Input = TypeVar("Input")


def inputs(values: Mapping[str, Input], *, failing: Collection[str], reason: str) -> list[ParameterSet]:
    """Return a parameter per input. Those in `failing` are strict expected failures."""
    unknown = set(failing) - set(values)
    if unknown:
        raise ValueError(f"unknown inputs: {sorted(unknown)}")
    mark = pytest.mark.xfail(strict=True, raises=AssertionError, reason=reason)
    return [pytest.param(value, id=name, marks=[mark] if name in failing else []) for name, value in values.items()]


@contextmanager
def not_raised(*exceptions: type[Exception]) -> Iterator[None]:
    """Raise an `AssertionError` if one of the exceptions is raised."""
    try:
        yield
    except exceptions as error:
        raise AssertionError(f"{type(error).__name__}: {error}") from error
