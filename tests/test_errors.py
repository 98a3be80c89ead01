"""Errors keep their message, attributes and notes when they are copied or pickled."""

from __future__ import annotations

import pickle
from copy import copy, deepcopy
from inspect import isfunction
from typing import TYPE_CHECKING, Any, get_type_hints

import pytest
from hypothesis import given, strategies as st

import tpanalytics as tpa

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)
DUPLICATES: list[Callable[[Any], Any]] = [
    copy,
    deepcopy,
    *(lambda error, n=protocol: pickle.loads(pickle.dumps(error, n)) for protocol in PROTOCOLS),
]


def subclasses(kind: type[Exception]) -> Iterator[type[Exception]]:
    yield kind
    for child in kind.__subclasses__():
        if child.__module__.split(".")[0] == "tpanalytics":
            yield from subclasses(child)


for public in tpa.__all__:  # import all modules that define errors
    getattr(tpa, public)
CLASSES = list(dict.fromkeys([*subclasses(tpa.TpAnalyticsError), *subclasses(tpa.TpAnalyticsWarning)]))


@st.composite
def raised(draw: st.DrawFn, kind: type[Exception]) -> Exception:
    """Create an error with random arguments and raise it from another one."""
    hints = get_type_hints(kind.__init__) if isfunction(kind.__init__) else {"message": str}
    values = {name: draw(st.from_type(hint)) for name, hint in hints.items() if name != "return"}
    message = [values.pop("message")] if "message" in values else []
    error = kind(*message, **values)
    if isinstance(error, tpa.RateLimited):
        error.retry_after_seconds = draw(st.none() | st.floats(min_value=0, allow_infinity=False))
    for note in draw(st.lists(st.text(), max_size=2)):
        error.add_note(note)
    try:
        raise error from KeyError("the cause")
    except kind as caught:
        return caught


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
@given(data=st.data())
def test_errors_can_be_copied_and_pickled(kind: type[Exception], data: st.DataObject) -> None:
    error = data.draw(raised(kind))
    for duplicate in DUPLICATES:
        other = duplicate(error)
        assert type(other) is kind
        assert other is not error
        assert str(other) == str(error)
        assert other.args == error.args
        assert vars(other) == vars(error)


def test_all_public_errors_are_tested() -> None:
    public = {name for name in tpa.__all__ if name.endswith(("Error", "Warning", "RateLimited", "Unreachable"))}
    assert public <= {kind.__name__ for kind in CLASSES}


def test_error_raised_by_the_package_can_be_copied_and_pickled(tmp_path: Path) -> None:
    (tmp_path / "export.jsonl").write_text('{"external_id": "job-1", "tasks": [{"task_id": 1}]}\n')
    with pytest.raises(tpa.RecordError) as caught:
        tpa.read_records(tmp_path / "export.jsonl")
    error = caught.value
    assert (error.job_id, error.path) == ("job-1", "$.tasks[0]")
    for duplicate in DUPLICATES:
        assert vars(duplicate(error)) == vars(error)
        assert str(duplicate(error)) == str(error)
