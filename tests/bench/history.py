"""Memory and exactness of a history with many snapshots, on each engine."""

from __future__ import annotations

import os
import tempfile
import time
from contextlib import ExitStack
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.bench.measure import Row, Target, check_counts, log, run_in_process

if TYPE_CHECKING:
    import tpanalytics as tpa

__all__ = ["ENGINES", "MONTHS", "TENANTS", "rows", "shares", "written"]

ENGINES = ("polars", "duckdb", "spark")
MONTHS, TENANTS = 24, 3
_COPIES = 24
#: Limits of the memory of a process, for Spark with that of its Java process.
_MEMORY = {"polars": 2500, "duckdb": 2500, "spark": 4000}
#: The months alternate between the two states of the sample, so that the snapshots of a tenant differ.
_STATES = ("2026-05", "2026-11")
_KEYS = ["tenant", "as_of", "company"]


def rows(pairs: int, copies: int = _COPIES) -> list[Row]:
    """Measure the peak memory of the shares of each copy of the sample. 24 copies are 10 million tasks."""
    with tempfile.TemporaryDirectory(prefix="tpanalytics-bench-history-") as folder:
        counted = run_in_process("history:written", folder=folder, months=MONTHS, copies=copies)
        log(f"history: {counted['tasks'] + counted['rejected']:,} tasks, {pairs} pairs")
        result = []
        for engine in ENGINES:
            runs = [run_in_process("history:shares", folder=folder, engine=engine) for _ in range(pairs)]
            for run in runs:
                check_counts({engine: run["counted"]}, counted)
                if run["different"]:
                    raise SystemExit(f"{engine} returned {run['different']} shares that are not those of the sample.")
            about = f"history: peak on {engine}, {counted['tasks']:,} tasks"
            peaks = [run["megabytes"] for run in runs]
            target = Target("at most", _MEMORY[engine], " MB")
            result.append(Row(about, peaks, target, {engine: runs[0]["counted"]}, unit=" MB"))
            log(f"history: {engine} {peaks[0]:.0f} MB, {runs[0]['seconds']:.0f} s")
    return result


def written(folder: str, months: int, copies: int) -> dict[str, int]:
    """Write copies of the sample for each tenant and month, and return the numbers of jobs and counted tasks.

    The jobs of a copy are one company.
    """
    import polars as pl

    import tpanalytics as tpa

    samples = [tpa.load_sample(state) for state in _STATES]
    counted = {"jobs": 0, "tasks": 0, "rejected": 0}
    for name in ("jobs", "tasks"):
        (Path(folder) / name).mkdir()
    for month in range(months):
        of_month = samples[month % len(samples)]
        for name in ("jobs", "tasks"):
            frame = getattr(of_month, name)
            copied = pl.concat(
                [
                    frame.with_columns(
                        job_id=pl.format("{}-{}", pl.lit(copy), "job_id"), company=pl.format("c{}", pl.lit(copy))
                    )
                    for copy in range(copies)
                ]
            )
            if name == "tasks":
                copied = copied.drop("company")
            for tenant in range(TENANTS):
                part = copied.with_columns(tenant=pl.format("tenant {}", pl.lit(tenant)), as_of=pl.lit(_day(month)))
                part.write_parquet(Path(folder) / name / f"{tenant}-{month:02}.parquet")
                rejected = part.filter(validation_state="rejected").height if name == "tasks" else 0
                counted[name] += part.height - rejected
                counted["rejected"] += rejected
    return counted


def shares(folder: str, engine: str) -> dict[str, Any]:
    """Compute the shares of each company, and count those that are not exactly those of the sample."""
    import polars as pl

    import tpanalytics as tpa
    from tests.bench.snapshot import peak_megabytes

    with ExitStack() as stack:
        history, java = _opened(folder, engine, stack)
        start = time.perf_counter()
        result = pl.DataFrame(tpa.impact(history, by=_KEYS, weight="hours"))
        seconds = time.perf_counter() - start
        megabytes = peak_megabytes() + (_peak_of(java) if java else 0)
    states = pl.DataFrame({"as_of": [str(_day(i)) for i in range(MONTHS)], "state": _alternating(MONTHS)})
    expected = pl.concat(
        pl.DataFrame(tpa.impact(tpa.load_sample(state), by=None, weight="hours")).with_columns(state=pl.lit(state))
        for state in _STATES
    )
    figures = ["jobs", "tasks", "hours", "share"]
    compared = result.join(states, on="as_of").join(
        expected.select("state", "ai_impact_level", *figures), on=["state", "ai_impact_level"], suffix=" of sample"
    )
    same = pl.all_horizontal(pl.col(name) == pl.col(f"{name} of sample") for name in figures)
    one_row = result.unique(_KEYS)
    return {
        "megabytes": megabytes,
        "seconds": seconds,
        "groups": one_row.height,
        "different": result.height - compared.filter(same).height,
        "counted": {"jobs": int(one_row["jobs"].sum()), "tasks": int(result["tasks"].sum())},
    }


def _day(month: int) -> date:
    return date(2026 + month // 12, month % 12 + 1, 1)


def _alternating(months: int) -> list[str]:
    return [_STATES[month % len(_STATES)] for month in range(months)]


def _opened(folder: str, engine: str, stack: ExitStack) -> tuple[tpa.History, int | None]:
    """Return the history on an engine, and the process id of Java if it is Spark."""
    import tpanalytics as tpa

    java = None
    if engine == "spark":
        spark = _spark(folder)
        stack.callback(spark.stop)
        java = int(spark.sparkContext._gateway.jvm.java.lang.ProcessHandle.current().pid())
        read = lambda name: spark.read.parquet(f"{folder}/{name}")  # noqa: E731
    elif engine == "duckdb":
        import duckdb

        duckdb.execute("SET memory_limit = '1GB'")
        read = lambda name: duckdb.read_parquet(f"{folder}/{name}/*.parquet")  # noqa: E731
    else:
        import polars as pl

        read = lambda name: pl.scan_parquet(f"{folder}/{name}/*.parquet")  # noqa: E731
    return tpa.History(read("jobs"), read("tasks")), java


def _spark(folder: str) -> Any:
    from pyspark.sql import SparkSession

    settings = {
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.shuffle.partitions": "4",
        "spark.driver.memory": "1g",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.extraJavaOptions": "-XX:+UseSerialGC",
        "spark.sql.warehouse.dir": f"{folder}/warehouse",
    }
    session = SparkSession.builder.master(f"local[{min(os.cpu_count() or 1, 2)}]").config(map=settings).getOrCreate()
    session.sparkContext.setLogLevel("OFF")
    return session


def _peak_of(process: int) -> float:
    """Return the peak memory of another process in MB."""
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise SystemExit(f"/proc/{process}/status has no VmHWM.")
