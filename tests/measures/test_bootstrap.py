"""Resamples hang on nothing but jobs and seed, intervals are those of the textbook, and no rank hangs on a rounding."""

from __future__ import annotations

import math
from hashlib import blake2b
from statistics import NormalDist
from typing import Any

import duckdb
import hypothesis
import polars as pl
import pytest
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import tpanalytics as tpa
from tests.helpers.random_profiles import companies, profiles_of
from tpanalytics.measures._core import bootstrap as resampling
from tpanalytics.measures._core.bootstrap import resample
from tpanalytics.measures.exposure_ranking import exposure_ranking


def job(*tasks: tuple[str | None, float | None], family: str | None = "A", **more: Any) -> dict[str, Any]:
    rows = [
        {"task_id": str(i), "validation_state": "validated", "weekly_hours": h, "ai_impact_level": level}
        for i, (level, h) in enumerate(tasks)
    ]
    return {"job_family": family, "headcount": None, "contract_hours": None, **more, "tasks": rows}


def table(*families: str, jobs: int = 6) -> pl.DataFrame:
    rows = [(family, f"j{i:02d}", float(i % 5), 5.0 + i % 3) for family in families for i in range(jobs)]
    return pl.DataFrame(rows, schema=["job_family", "job_id", "part", "whole"], orient="row")


# --- resamples


def mixed(word: int) -> int:
    """Write down the finaliser of SplitMix64 as published, on plain integers."""
    word &= 2**64 - 1
    word = ((word ^ (word >> 30)) * 0xBF58476D1CE4E5B9) % 2**64
    word = ((word ^ (word >> 27)) * 0x94D049BB133111EB) % 2**64
    return word ^ (word >> 31)


def drawn(seed: int, family: str, place: int, at: int) -> int:
    """Say how often a job counts, by adding up the Poisson distribution until the number drawn is reached."""
    golden = 0x9E3779B97F4A7C15
    start = int.from_bytes(blake2b(f"{seed}\0{family}".encode(), digest_size=8).digest(), "little")
    word = mixed(mixed(start + place * golden) + (at // 4 + 1) * golden)
    u, k, reached = (word >> 16 * (at % 4)) % 2**16, 0, math.exp(-1)
    while u >= round(reached * 2**16):
        k += 1
        reached += math.exp(-1) / math.factorial(k)
    return k


@pytest.mark.parametrize("seed", [0, -3, 2**70])
def test_resamples_equal_a_loop_over_jobs(seed: int) -> None:
    jobs = table("A", "研究開発")
    found = resample(jobs.sample(fraction=1, shuffle=True, seed=1), rounds=103, seed=seed)
    assert found.height == 2 * 103
    for family, at, part, whole in found.rows():
        rows = jobs.filter(pl.col("job_family") == family).rows()
        times = [drawn(seed, family, place, at) for place in range(len(rows))]
        assert part == pytest.approx(sum(n * row[2] for n, row in zip(times, rows, strict=True)))
        assert whole == pytest.approx(sum(n * row[3] for n, row in zip(times, rows, strict=True)))


def test_jobs_are_drawn_as_a_poisson_of_mean_one_says_and_apart() -> None:
    one = pl.DataFrame({"job_family": [f"f{i}" for i in range(300)], "job_id": "j", "part": 1.0, "whole": 1.0})
    counts = resample(one, rounds=1000, seed=5).get_column("part")
    for k in range(5):
        assert (counts == k).mean() == pytest.approx(math.exp(-1) / math.factorial(k), abs=0.004)
    wide = resample(one, rounds=1000, seed=5).pivot("job_family", index="round", values="part").drop("round")
    pairs = [wide.select(pl.corr(f"f{i}", f"f{i + 1}")).item() for i in range(0, 300, 2)]
    assert abs(sum(pairs) / 150) < 0.01  # 150 correlations of standard deviation 0.032 each
    assert max(map(abs, pairs)) < 0.15
    by_round = [wide.select(pl.corr(pl.col("f0"), pl.col("f0").shift(lag))).item() for lag in range(1, 9)]
    assert max(map(abs, by_round)) < 0.13


def test_other_families_and_pieces_of_work_change_no_resample(monkeypatch: pytest.MonkeyPatch) -> None:
    alone = resample(table("A"), rounds=150, seed=1)
    beside = resample(table("0", "A", "B"), rounds=150, seed=1)
    assert_frame_equal(beside.filter(pl.col("job_family") == "A"), alone)
    monkeypatch.setattr(resampling, "_HELD", 1)
    assert_frame_equal(resample(table("A"), rounds=150, seed=1), alone)
    assert not resample(table("A"), rounds=150, seed=2).equals(alone)
    assert resample(table("A").head(0), rounds=150, seed=1).schema == alone.schema


# --- ranks


def check(profiles: tpa.TaskProfiles, **how: Any) -> pl.DataFrame:
    found = exposure_ranking(profiles, rounds=100, **how)
    numbers = found.select(pl.col(pl.Float64))
    for column in numbers.iter_columns():
        assert column.drop_nulls().is_finite().all()
    families = profiles.jobs.get_column("job_family").fill_null("(no family)").unique()
    assert sorted(found["job_family"].to_list()) == sorted(families.to_list())
    for row in found.iter_rows(named=True):
        has = row["interval_low"] is not None
        assert has == (row["jobs"] >= 5)
        assert has == (row["rank_low"] is not None) == (row["tied_with"] is not None) == (row["method"] is not None)
        assert (row["exposure"] is None) == (row["jobs"] == 0) == (row["rank"] is None)
        assert (row["reason"] is None) == has
        assert (row["influence"] is None) == (row["jobs"] < 2)
        if has:
            assert 0 <= row["interval_low"] <= row["interval_high"] <= 1
            assert 1 <= row["rank_low"] <= row["rank_high"] <= found["rank"].count()
    return found


@hypothesis.given(profiles=companies, weight=st.sampled_from(["hours", "headcount"]))
def test_ranks_equal_sql_on_random_companies(profiles: tpa.TaskProfiles, weight: Any) -> None:
    found = check(profiles, weight=weight)
    jobs = profiles.jobs.select("job_id", "job_family", "headcount")
    tasks = profiles.tasks.select("job_id", "validation_state", "weekly_hours", "ai_impact_level")
    connection = duckdb.connect()
    for name, frame in (("jobs", jobs), ("tasks", tasks)):
        frame.write_parquet(f"{name}.parquet")
        connection.execute(f"create table {name} as from '{name}.parquet'")
    staff = "headcount" if weight == "headcount" else "1"
    theirs = connection.execute(
        f"""with w(l, w) as (values ('H1', 1.0), ('H2', 0.5), ('H3', 0.0)),
        j as (select coalesce(job_family, '(no family)') f, job_id, sum(weekly_hours * w * {staff}) x,
                     sum(weekly_hours * {staff}) y
              from tasks join jobs using (job_id) join w on l = ai_impact_level
              where validation_state <> 'rejected' and weekly_hours is not null group by all having y > 0),
        e as (select f, sum(x) / sum(y) e, count(*) n from j group by f),
        o as (select f, e, n, rank() over (order by round(e, 9) desc) r from e)
        select o.*, job_id, x, y from o join j using (f) order by job_id"""
    ).fetchall()
    ours = {row["job_family"]: row for row in found.iter_rows(named=True)}
    assert {row[0] for row in theirs} == {family for family, row in ours.items() if row["exposure"] is not None}
    for family, exposure, n, rank, *_ in theirs:
        assert ours[family]["exposure"] == pytest.approx(exposure)
        assert (ours[family]["jobs"], ours[family]["rank"]) == (n, rank)
        jobs_of = {row[4]: row[5:] for row in theirs if row[0] == family}
        moves = {}
        for left_out in jobs_of if n > 1 else ():
            rest = [xy for name, xy in jobs_of.items() if name != left_out]
            moves[left_out] = sum(x for x, _ in rest) / sum(y for _, y in rest) - exposure
        if moves:
            assert ours[family]["influence"] == pytest.approx(moves[ours[family]["most_influential_job"]], abs=1e-9)
            assert abs(ours[family]["influence"]) == pytest.approx(max(map(abs, moves.values())), abs=1e-9)


@hypothesis.given(profiles=companies, parts=st.integers(1, 4))
def test_order_and_parts_change_nothing(profiles: tpa.TaskProfiles, parts: int) -> None:
    whole = exposure_ranking(profiles, rounds=100)
    pieces = [profiles.tasks.reverse()[i::parts].lazy() for i in range(parts)]
    again = exposure_ranking(tpa.TaskProfiles(profiles.jobs.reverse(), pl.concat(pieces)), rounds=100)
    assert_frame_equal(again, whole, abs_tol=1e-9)


def bca(values: list[float], figure: float, without: list[float], level: float) -> tuple[float, float]:
    """Work out Efron's interval step by step."""
    normal = NormalDist()
    below = sum(v < figure - 1e-9 for v in values) + sum(abs(v - figure) <= 1e-9 for v in values) / 2
    z0 = normal.inv_cdf(below / len(values))
    mean = sum(without) / len(without)
    skew = sum((mean - v) ** 3 for v in without) / (6 * sum((mean - v) ** 2 for v in without) ** 1.5)
    ends = []
    for tail in ((1 - level) / 2, (1 + level) / 2):
        z = z0 + normal.inv_cdf(tail)
        place = normal.cdf(z0 + z / (1 - skew * z)) * (len(values) - 1)
        low, high = sorted(values)[math.floor(place)], sorted(values)[math.ceil(place)]
        ends.append(low + (high - low) * (place - math.floor(place)))
    return ends[0], ends[1]


@pytest.mark.parametrize(("jobs", "level"), [(5, 0.95), (19, 0.9), (20, 0.95), (40, 0.66)])
def test_intervals_equal_the_textbook(jobs: int, level: float) -> None:
    hours = [(1.0 + i * i % 13, 2.0 + i % 5) for i in range(jobs)]
    profiles = profiles_of([job(("H1", x), ("H3", y)) for x, y in hours])
    row = exposure_ranking(profiles, rounds=400, seed=3, confidence=level).row(0, named=True)
    drawn_jobs = pl.DataFrame(
        [("A", f"j{i:03d}", x, x + y) for i, (x, y) in enumerate(hours)],
        schema=["job_family", "job_id", "part", "whole"],
        orient="row",
    )
    values = [part / whole for _, _, part, whole in resample(drawn_jobs, rounds=400, seed=3).rows() if whole]
    figure = sum(x for x, _ in hours) / sum(x + y for x, y in hours)
    if jobs >= 20:
        pairs = [[pair for j, pair in enumerate(hours) if j != i] for i in range(jobs)]
        without = [sum(x for x, _ in some) / sum(x + y for x, y in some) for some in pairs]
        expected, method = bca(values, figure, without, level), "BCa"
    else:
        series, method = pl.Series(values), "percentile"
        low, high = (series.quantile((1 + sign * level) / 2, interpolation="linear") for sign in (-1, 1))
        assert low is not None
        assert high is not None
        expected = low, high
    assert row["method"] == method
    assert (row["interval_low"], row["interval_high"]) == pytest.approx(expected)
    narrow = exposure_ranking(profiles, rounds=400, seed=3, confidence=0.66).row(0, named=True)
    assert (row["inner_low"], row["inner_high"]) == (narrow["interval_low"], narrow["interval_high"])
    assert row["interval_low"] <= row["inner_low"] < row["inner_high"] <= row["interval_high"]
    half = exposure_ranking(profiles, rounds=400, seed=3, confidence=0.5).row(0, named=True)
    assert (half["inner_low"], half["inner_high"]) == (half["interval_low"], half["interval_high"])


def test_families_left_out_of_a_ranking_leave_no_trace_in_it(sample: tpa.TaskProfiles) -> None:
    among = exposure_ranking(sample, rounds=100).get_column("job_family").to_list()[1::2]
    found = exposure_ranking(sample, rounds=100, families=among)
    asked = pl.col("job_family").fill_null("(no family)").is_in(among)
    alone = tpa.TaskProfiles(sample.jobs.filter(asked), sample.tasks.filter(asked))
    assert found.get_column("job_family").to_list() == among
    assert_frame_equal(found, exposure_ranking(alone, rounds=100))
    assert exposure_ranking(sample, rounds=100, families=[]).height == 0


def test_intervals_are_as_wide_as_the_spread_of_jobs_says(real: tpa.TaskProfiles) -> None:
    ranks = exposure_ranking(real)
    widths = dict(ranks.select("job_family", pl.col("interval_high") - pl.col("interval_low")).rows())
    weight = pl.col("ai_impact_level").replace_strict({"H1": 1.0, "H2": 0.5, "H3": 0.0}, default=None)
    tasks = real.tasks.filter(pl.col("validation_state") != "rejected").with_columns(w=weight)
    jobs = tasks.filter(pl.col("w").is_not_null() & pl.col("weekly_hours").is_not_null())
    jobs = jobs.group_by("job_family", "job_id").agg(
        x=(pl.col("w") * pl.col("weekly_hours")).sum(), y=pl.col("weekly_hours").sum()
    )
    for (family,), some in jobs.filter(pl.len().over("job_family") >= 20).group_by("job_family"):
        index = some["x"].sum() / some["y"].sum()
        error = math.sqrt(((some["x"] - index * some["y"]) ** 2).sum()) / some["y"].sum()
        assert widths[str(family)] == pytest.approx(2 * 1.96 * error, rel=0.15)


def test_equal_families_share_the_best_place_and_are_tied() -> None:
    jobs = [job(("H1", 1.0 + i), ("H3", 3.0), family=family) for family in ("B", "A") for i in range(5)]
    jobs += [job(("H3", 3.0), family="Z") for _ in range(5)]
    found = exposure_ranking(profiles_of(jobs), rounds=200)
    assert found.select("job_family", "rank", "tied_with").rows() == [("A", 1, ["B"]), ("B", 1, ["A"]), ("Z", 3, [])]
    assert found.select("rank_low", "rank_high").rows() == [(1, 2), (1, 2), (3, 3)]
    alike = exposure_ranking(profiles_of([job(("H1", 1.0), family=f) for f in "AB" for _ in range(5)]), rounds=200)
    assert alike.select("interval_low", "interval_high", "rank_low", "rank_high").rows() == [(1.0, 1.0, 1, 2)] * 2


def test_a_job_without_figure_moves_nothing() -> None:
    jobs = [job(("H1", 1.0 + i), ("H3", 3.0)) for i in range(6)]
    plain = exposure_ranking(profiles_of(jobs), rounds=200)
    odd = [job(), job(("H1", None)), job((None, 4.0)), job(("H9", 4.0)), job(("H1", 0.0))]
    assert_frame_equal(exposure_ranking(profiles_of([*jobs, *odd]), rounds=200), plain)


def test_why_there_is_no_index_or_interval() -> None:
    families = {
        "NO_TASKS": [job()],
        "NO_HOURS": [job(("H1", None))],
        "NO_LEVELS": [job((None, 1.0), ("H4", 2.0))],
        "TOO_FEW": [job(("H1", 1.0))] * 4,
        "NO_HEADCOUNT": [job(("H1", 1.0))],
    }
    staff = {name: None if name == "NO_HEADCOUNT" else 2.0 for name in families}
    profiles = profiles_of(
        [{**one, "job_family": name, "headcount": staff[name]} for name, js in families.items() for one in js]
    )
    found = exposure_ranking(profiles, rounds=100, weight="headcount")
    assert dict(found.select("job_family", "reason").rows()) == {name: name for name in families}
    assert "H4" in str(tpa.about(found))


def test_no_jobs_give_no_rows_of_the_same_kind(sample: tpa.TaskProfiles) -> None:
    none = exposure_ranking(profiles_of([]), rounds=100)
    assert none.height == 0
    assert none.schema == exposure_ranking(sample, rounds=100).schema


@pytest.mark.parametrize(
    "wrong",
    [
        {"confidence": 0.4},
        {"confidence": True},
        {"rounds": 99},
        {"rounds": 100.0},
        {"seed": 1.5},
        {"weight": "tasks"},
        {"level_weights": {}},
        {"weight": "headcount"},
        {"families": ["No such family"]},
        {"families": "Sales"},
    ],
)
def test_wrong_arguments_are_named(sample: tpa.TaskProfiles, wrong: dict[str, Any]) -> None:
    bare = tpa.TaskProfiles(sample.jobs.drop("headcount", strict=False), sample.tasks)
    with pytest.raises(tpa.SchemaError, match=next(iter(wrong))):
        exposure_ranking(bare, **wrong)
