"""Frames of libraries that measures do not accept raise an error with the way out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import tpanalytics as tpa

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa

EXPECTED = "a Polars, pandas, Arrow, DuckDB, Spark, Dask or Ibis frame"


class DaftFrame:
    """What a measure gets from Daft: a frame that Narwhals does not know, with a method that returns an Arrow table."""

    def __init__(self, frame: pl.DataFrame) -> None:
        self.frame = frame

    def to_arrow(self) -> pa.Table:
        return self.frame.to_arrow()


DaftFrame.__module__ = "daft.dataframe.dataframe"
DaftFrame.__name__ = "DataFrame"

CALLS: dict[str, Callable[[tpa.TaskProfiles, Any], Any]] = {
    "`tasks`": lambda sample, frame: tpa.hours(tpa.TaskProfiles(sample.jobs, frame)),
    "`jobs`": lambda sample, frame: tpa.impact(tpa.TaskProfiles(frame, sample.tasks)),
}
FROM_TABLES: dict[str, Callable[[tpa.TaskProfiles, Any], Any]] = {
    "`roster`": lambda sample, frame: tpa.assign_people(sample, frame, by=["country"]),
    "`tasks`": lambda _, frame: tpa.from_frames(frame),
}


@pytest.mark.parametrize("name", CALLS)
def test_an_unsupported_frame_raises(sample: tpa.TaskProfiles, name: str) -> None:
    with pytest.raises(tpa.SchemaError) as error:
        CALLS[name](sample, DaftFrame(sample.tasks))
    assert (
        str(error.value) == f"{name} must be {EXPECTED}, not a DataFrame of daft. "
        "Convert it to an Arrow table with .to_arrow()."
    )


@pytest.mark.parametrize("name", FROM_TABLES)
def test_an_unsupported_table_raises(sample: tpa.TaskProfiles, name: str) -> None:
    with pytest.raises(tpa.SchemaError) as error:
        FROM_TABLES[name](sample, DaftFrame(sample.tasks))
    assert (
        str(error.value) == f"{name} must be a path or a data frame, not a DataFrame of daft. "
        "Convert it to an Arrow table with .to_arrow()."
    )


@pytest.mark.slow
def test_a_frame_of_datafusion_raises(sample: tpa.TaskProfiles) -> None:
    import datafusion

    frame = datafusion.SessionContext().from_arrow(sample.tasks.to_arrow())
    with pytest.raises(tpa.SchemaError, match=r"not a DataFrame of datafusion. Convert it to an Arrow table with "):
        tpa.exposure(tpa.TaskProfiles(sample.jobs, frame))
    converted = tpa.TaskProfiles(sample.jobs, frame.to_arrow_table())
    assert_frame_equal(tpa.exposure(converted), tpa.exposure(sample))


def test_arrow_tables_become_polars_frames(sample: tpa.TaskProfiles) -> None:
    profiles = tpa.TaskProfiles(sample.jobs.to_arrow(), DaftFrame(sample.tasks).to_arrow())
    assert isinstance(profiles.tasks, pl.DataFrame)
    assert_frame_equal(tpa.quality_report(profiles), tpa.quality_report(tpa.TaskProfiles(sample.jobs, sample.tasks)))
    roster = pl.DataFrame({"job_id": sample.jobs["job_id"], "country": "BE", "headcount": 3})
    assert tpa.assign_people(profiles, roster.to_arrow(), by=["country"]).people is not None
    assert tpa.from_frames(sample.tasks.to_arrow()).tasks.height == sample.tasks.height
