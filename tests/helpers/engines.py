"""Task profiles on each engine that measures accept, read from Parquet files."""

from __future__ import annotations

import os
import shutil
import socket
import warnings
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, TypeVar

import duckdb
import polars as pl
import pytest

import tpanalytics as tpa

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = ["READERS", "SLOW_READERS", "read_tables", "spark_sessions", "write_tables"]

T = TypeVar("T", bound=tpa.TaskProfiles)


def write_tables(profiles: tpa.TaskProfiles, folder: Path) -> None:
    """Write the tables of the profiles as Parquet files."""
    for name in ("jobs", "tasks", "people"):
        frame = getattr(profiles, name)
        if frame is not None:
            # Dask with pyarrow 18 can't read files without row groups, which Polars writes if there are no rows.
            frame.lazy().collect().write_parquet(folder / f"{name}.parquet", use_pyarrow=True)


def read_tables(kind: Callable[..., T], folder: Path, read: Callable[[str], Any]) -> T:
    """Return a `TaskProfiles` or a `History` with the tables in the folder."""
    names = [name for name in ("jobs", "tasks", "people") if (folder / f"{name}.parquet").exists()]
    return kind(**{name: read(str(folder / f"{name}.parquet")) for name in names})


def _dask(path: str) -> Any:
    import dask
    import dask.dataframe

    dask.config.set(scheduler="synchronous")  # threads only slow down small frames
    return dask.dataframe.read_parquet(path)


def _ibis(path: str) -> Any:
    import ibis

    return ibis.duckdb.connect().read_parquet(path)


def _datafusion(path: str) -> Any:
    import datafusion

    return datafusion.SessionContext().read_parquet(path).to_arrow_table()


READERS: dict[str, Callable[[str], Any]] = {
    "polars": pl.read_parquet,
    "polars lazy": pl.scan_parquet,
    "duckdb": duckdb.read_parquet,
}
#: Engines that take long to import or to run.
SLOW_READERS: dict[str, Callable[[str], Any]] = {"dask": _dask, "datafusion": _datafusion, "ibis": _ibis}


@contextmanager
def spark_sessions(folder: Path) -> Iterator[dict[str, Any]]:
    """Start Spark, and yield a classic session and one of Spark Connect on it.

    Skip the test if Spark is missing, unless NEEDS_SPARK is set.
    """
    missing = [name for name in ("pyspark", "pyarrow", "grpc") if find_spec(name) is None]
    if shutil.which("java") is None and "JAVA_HOME" not in os.environ:
        missing.append("Java")
    if missing:
        reason = f"not installed: {', '.join(missing)} (pip install '.[spark]', and Java 17 or newer)"
        if os.environ.get("NEEDS_SPARK"):
            pytest.fail(f"NEEDS_SPARK is set, but Spark is {reason}")
        pytest.skip(reason)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Spark warns of newer versions of its dependencies
        from pyspark.sql import SparkSession
        from pyspark.sql.connect.session import SparkSession as ConnectSession

        port = _free_port()
        settings = {
            "spark.ui.enabled": "false",
            "spark.ui.showConsoleProgress": "false",
            "spark.sql.shuffle.partitions": "1",
            "spark.sql.codegen.wholeStage": "false",
            "spark.sql.codegen.factoryMode": "NO_CODEGEN",
            "spark.sql.adaptive.enabled": "false",
            "spark.driver.memory": "512m",
            "spark.driver.host": "127.0.0.1",
            "spark.driver.bindAddress": "127.0.0.1",
            "spark.driver.extraJavaOptions": "-XX:+UseSerialGC -XX:TieredStopAtLevel=1",
            "spark.sql.warehouse.dir": str(folder),
            # The classic session also serves Spark Connect, which saves a second Java process.
            "spark.plugins": "org.apache.spark.sql.connect.SparkConnectPlugin",
            "spark.connect.grpc.binding.port": str(port),
        }
        classic = SparkSession.builder.master("local[1]").appName("tests").config(map=settings).getOrCreate()
        classic.sparkContext.setLogLevel("OFF")
        remote = ConnectSession.builder.remote(f"sc://127.0.0.1:{port}").getOrCreate()
        try:
            yield {"spark": classic, "spark connect": remote}
        finally:
            remote.stop()
            classic.stop()


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
