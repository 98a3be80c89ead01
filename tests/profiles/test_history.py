"""Reading snapshots as a history."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import tpanalytics as tpa
from tests.helpers.builders import job, task
from tests.helpers.histories import write_export
from tests.helpers.random_profiles import profiles_of

SMALL = profiles_of([job(task(), family="A"), job(family=None)])
MAY, JUNE = ("2026-05-01T08:00:00+00:00", "2026-05-01T09:00:00+00:00"), ("2026-06-01T08:00:00Z", "2026-06-01T23:30:00Z")


def test_the_frames_are_lazy_and_hold_the_rows_of_each_snapshot() -> None:
    larger = profiles_of([job(task(), task(key="u")), job(), job()])
    larger = replace(larger, jobs=larger.jobs.with_columns(site=pl.lit("Ghent")))
    write_export(SMALL, "data/may")
    write_export(larger, "data/june", "acme", *JUNE)
    write_export(larger, "data/other", "globex")
    (Path("data") / "notes").mkdir()
    history = tpa.read_history("data")
    assert isinstance(history, tpa.TaskProfiles)
    assert isinstance(history.jobs, pl.LazyFrame)
    assert isinstance(history.tasks, pl.LazyFrame)
    assert history.snapshots.select("tenant", "as_of", "jobs", "tasks").rows() == [
        ("acme", date(2026, 5, 1), 2, 1),
        ("acme", date(2026, 6, 1), 3, 2),
        ("globex", date(2026, 5, 1), 3, 2),
    ]
    jobs = history.jobs.collect()
    assert jobs.schema["as_of"] == pl.Date
    assert jobs.group_by("tenant", "as_of", "site").len().sort(pl.all()).rows() == [
        ("acme", date(2026, 5, 1), None, 2),
        ("acme", date(2026, 6, 1), "Ghent", 3),
        ("globex", date(2026, 5, 1), "Ghent", 3),
    ]
    assert repr(history).split("\n") == [
        "History of 3 snapshots:",
        "acme, 2026-05-01: 2 jobs, 1 task",
        "acme, 2026-06-01: 3 jobs, 2 tasks",
        "globex, 2026-05-01: 3 jobs, 2 tasks",
    ]
    assert "<td>globex</td><td>2026-05-01</td><td>3</td>" in history._repr_html_()
    json.dumps(history.manifest)
    assert_frame_equal(history.at("2026-06-01").tasks.collect(), larger.tasks)
    assert_frame_equal(history.at(date(2026, 5, 1), "acme").jobs.collect().drop("site"), SMALL.jobs)
    assert history.at("2026-06-01").manifest["finished"] == JUNE[1]


def test_a_list_of_paths_and_the_states_of_the_sample() -> None:
    paths = [tpa.write_profiles(tpa.load_sample(state), f"any/where/{state}") for state in ("2026-11", "2026-05")]
    history = tpa.read_history([str(paths[0]), paths[1]])
    assert history.snapshots.get_column("as_of").to_list() == [date(2026, 5, 1), date(2026, 11, 1)]
    assert_frame_equal(history.at("2026-11-01").tasks.collect(), tpa.load_sample("2026-11").tasks)
    assert repr(tpa.History(SMALL.jobs, SMALL.tasks)) == "History in a polars DataFrame, not counted."


def test_people_of_each_snapshot_are_kept_and_headcounts_stand_in_where_there_are_none() -> None:
    paths = [write_export(SMALL, "may"), write_export(SMALL, "june", "acme", *JUNE)]
    assert tpa.read_history(paths).people is None
    people = pl.DataFrame({"job_id": ["j000"], "country": ["BE"], "headcount": [7], "fte": [6.5]})
    counted = replace(SMALL, jobs=SMALL.jobs.with_columns(headcount=pl.lit(3, pl.Int64)))
    paths = [write_export(counted, "may"), write_export(replace(SMALL, people=people), "june", "acme", *JUNE)]
    table = tpa.read_history(paths).people.collect()
    assert table.select("as_of", "job_id", "country", "headcount").sort("as_of", "job_id").rows() == [
        (date(2026, 5, 1), "j000", None, 3),
        (date(2026, 5, 1), "j001", None, 3),
        (date(2026, 6, 1), "j000", "BE", 7),
    ]
    assert tpa.read_history(paths).at("2026-06-01").people.collect().select(people.columns).equals(people)


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (
            ("acme", "2026-05-01T10:00:00Z", "2026-05-01T11:00:00Z"),
            "are both of the tenant 'acme' and both of 2026-05-01",
        ),
        (
            ("acme", "2026-05-01T08:30:00Z", "2026-05-02T01:00:00Z"),
            "their exports overlap in time (2026-05-01 08:30 is",
        ),
        (("acme", None, None), "has no date: it was not exported but read from a file or frames"),
        (("acme", *JUNE, "employees"), "contains the tasks of employees, not the task profiles of a company"),
        (("acme", *JUNE, "job"), "contains a single job, not the task profiles of a company"),
    ],
)
def test_snapshots_that_do_not_fit_are_refused(second: tuple[str, ...], message: str) -> None:
    write_export(SMALL, "data/a")
    write_export(SMALL, "data/b", *second)
    with pytest.raises(tpa.SnapshotError) as error:
        tpa.read_history("data")
    assert message in str(error.value)
    assert "Pass a list of paths" in str(error.value)
    tpa.read_history(["data/a"])


def test_tenants_can_have_snapshots_at_the_same_time() -> None:
    write_export(SMALL, "data/a")
    write_export(SMALL, "data/b", "globex")
    assert tpa.read_history("data").snapshots.height == 2


def test_unfinished_damaged_and_older_snapshots_are_refused() -> None:
    write_export(SMALL, "data/a")
    write_export(SMALL, "data/b", "acme", *JUNE)
    manifest = Path("data/b/manifest.json")
    sealed = manifest.read_text(encoding="utf-8")
    state = Path("data/b/unfinished.json")
    manifest.rename(state)
    with pytest.raises(
        tpa.SnapshotError, match=r"unfinished export\. Resume it with load_task_profiles, or pass a list"
    ):
        tpa.read_history("data")
    state.unlink()
    manifest.write_text("{}", encoding="utf-8")
    with pytest.raises(tpa.SnapshotError, match="is damaged or was not written by tpanalytics"):
        tpa.read_history("data")
    stored = json.loads(sealed)
    old = {"schema": 1, "parts": {table: parts[0] for table, parts in stored["parts"].items() if table != "people"}}
    manifest.write_text(json.dumps({**stored, **old}), encoding="utf-8")
    with pytest.raises(
        tpa.SnapshotError, match=r"has schema version 1, .* has \d\. Update the older one with write_prof"
    ):
        tpa.read_history("data")
    manifest.write_text(sealed, encoding="utf-8")
    next(Path("data/b").glob("tasks-*")).write_bytes(b"x")
    with pytest.raises(tpa.SnapshotError, match="is damaged"):
        tpa.read_history("data")


def test_sources_without_a_snapshot_are_refused() -> None:
    write_export(SMALL, "data/deep/a")
    for source, message in {
        "data": "has no snapshot in its direct sub-folders. Pass the folder that contains them, or a list",
        "data/deep/a": "is a snapshot itself. Pass the folder that contains it, a list of paths",
        "nowhere": "nowhere is not a folder",
    }.items():
        with pytest.raises(tpa.SnapshotError) as error:
            tpa.read_history(source)
        assert message in str(error.value)
    with pytest.raises(tpa.SnapshotError, match=r"must list at least one snapshot folder, not \[\]"):
        tpa.read_history([])
    with pytest.raises(tpa.SnapshotError, match="lists the same snapshot folder twice"):
        tpa.read_history(["data/deep/a", "data/deep/../deep/a"])
    for wrong in (None, 3, [3]):
        with pytest.raises(tpa.SchemaError, match="`source` must be a folder or a list of snapshot folders, not"):
            tpa.read_history(wrong)  # type: ignore[arg-type]


def test_columns_that_contradict_each_other_are_refused() -> None:
    def with_column(**column: pl.Expr) -> tpa.TaskProfiles:
        return replace(SMALL, jobs=SMALL.jobs.with_columns(**column))

    write_export(with_column(pay_grade=pl.lit("A")), "data/a")
    write_export(with_column(pay_grade=pl.lit(3)), "data/b", "acme", *JUNE)
    with pytest.raises(
        tpa.SchemaError, match=r"`pay_grade` of `jobs` is Int32 in data/b but String in data/a\. Cast it"
    ):
        tpa.read_history("data")
    write_export(with_column(tenant=pl.lit("me")), "data/b", "acme", *JUNE)
    with pytest.raises(tpa.SchemaError, match=r"`tenant` is a column of `jobs` in data/b, but a history adds a column"):
        tpa.read_history("data")


def test_default_states_must_agree() -> None:
    write_export(SMALL, "data/a")
    write_export(SMALL, "data/b", "acme", *JUNE)
    for name in ("a", "b"):
        stored = tpa.read_profiles(f"data/{name}")
        if name == "b":
            with pytest.raises(tpa.SnapshotError, match=r"validation states by default \(\['validated'\] and None\)"):
                tpa.read_history("data")
        tpa.write_profiles(stored.filter(states=["validated"]), f"data/{name}")
    assert tpa.read_history("data").manifest["states"] == ["validated"]


def test_one_snapshot_of_a_history() -> None:
    write_export(SMALL, "data/a")
    write_export(SMALL, "data/b", "globex")
    history = tpa.read_history("data")
    with pytest.raises(
        tpa.ArgumentError, match=r"`as_of` must be the date of a snapshot \(2026-05-01\), not '2026-06-01'"
    ):
        history.at("2026-06-01")
    with pytest.raises(tpa.ArgumentError, match=r"`as_of` must be a date like '2026-05-01', not 'May'"):
        history.at("May")
    with pytest.raises(tpa.ArgumentError, match=r"snapshot of 2026-05-01 \('acme', 'globex'\), not None"):
        history.at("2026-05-01")
    with pytest.raises(tpa.SchemaError, match=r"must be one snapshot, not a history\. Pass history.at"):
        tpa.write_profiles(history, "copy")
    in_memory = replace(history, manifest={})
    assert in_memory.at("2026-05-01", "globex").tasks.collect().height == 1


def test_filtering_keeps_the_tasks_of_the_same_snapshot() -> None:
    moved = profiles_of([job(task(), family="B"), job(task(), family="A")])
    write_export(SMALL, "data/a")
    write_export(moved, "data/b", "acme", *JUNE)
    history = tpa.read_history("data").filter(job_family="A")
    assert isinstance(history, tpa.History)
    assert history.tasks.select("as_of", "job_id").collect().rows() == [
        (date(2026, 5, 1), "j000"),
        (date(2026, 6, 1), "j001"),
    ]


def test_a_month_is_enough_for_its_only_snapshot() -> None:
    for day in ("2026-05-01", "2026-11-01", "2026-11-15"):
        write_export(SMALL, f"data/{day}", "acme", f"{day}T08:00:00Z", f"{day}T09:00:00Z")
    history = tpa.read_history("data")
    assert history.at("2026-05").jobs.collect().equals(history.at("2026-05-01").jobs.collect())
    with pytest.raises(tpa.ArgumentError, match=r"one date \(2026-11-01, 2026-11-15\), not '2026-11'"):
        history.at("2026-11")
    with pytest.raises(tpa.ArgumentError, match="`as_of` must be a date like '2026-05-01', not '2026-06'"):
        history.at("2026-06")
