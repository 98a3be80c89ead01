"""Tests of the headline cards of a report."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest

import tpanalytics as tpa
from tpanalytics.share.grouping import grouping_of
from tpanalytics.share.report.cards import _exposure
from tpanalytics.share.report.results import Results


@pytest.mark.parametrize(
    ("grade", "value", "label", "interval"),
    [
        ("B", "0.58", "Range", "0.29 to 0.79"),
        ("C", "0.29\u2009\u2013\u20090.79", "Estimate", "0.58, based on known data"),
    ],
)
def test_exposure_card_labels_range_and_estimate(grade: str, value: str, label: str, interval: str) -> None:
    frame = pl.DataFrame(
        {"group": ["All"], "exposure": [0.58], "bound_low": [0.29], "bound_high": [0.79], "data_grade": [grade]}
    )
    scope: Any = SimpleNamespace(grouping=grouping_of(tpa.load_sample(), "job_family"))
    card = _exposure(Results({}, {"exposure": frame}, {"exposure": frame}, {}), scope)
    assert (card.value, card.interval_label, card.interval) == (value, label, interval)
