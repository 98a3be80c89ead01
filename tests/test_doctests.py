"""Examples in docstrings."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import tpanalytics
from tests.helpers.reports import cached_images, one_chart
from tests.helpers.unvalidated_charts import unvalidated_charts

__all__ = ["cached_images", "one_chart", "unvalidated_charts"]

FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
MODULES = ["tpanalytics", *(module.name for module in pkgutil.walk_packages(tpanalytics.__path__, "tpanalytics."))]
EXAMPLES = [
    example
    for name in MODULES
    for example in doctest.DocTestFinder(exclude_empty=True).find(importlib.import_module(name))
    if example.examples
]


@pytest.mark.usefixtures("one_chart")
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_example(example: doctest.DocTest) -> None:
    output: list[str] = []
    failed, attempted = doctest.DocTestRunner(optionflags=FLAGS).run(example, out=output.append, clear_globs=False)
    assert attempted > 0
    assert failed == 0, "".join(output)


def test_examples_are_collected() -> None:
    assert len(EXAMPLES) > 15
