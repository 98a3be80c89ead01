"""Every example in a docstring gives what it says, run in a folder of its own."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import tpanalytics

FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
MODULES = ["tpanalytics", *(found.name for found in pkgutil.walk_packages(tpanalytics.__path__, "tpanalytics."))]
EXAMPLES = [
    example
    for name in MODULES
    for example in doctest.DocTestFinder(exclude_empty=True).find(importlib.import_module(name))
    if example.examples
]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_the_example_gives_what_it_says(example: doctest.DocTest) -> None:
    said: list[str] = []
    failed, tried = doctest.DocTestRunner(optionflags=FLAGS).run(example, out=said.append, clear_globs=False)
    assert tried > 0
    assert failed == 0, "".join(said)


def test_there_are_examples() -> None:
    assert len(EXAMPLES) > 15
