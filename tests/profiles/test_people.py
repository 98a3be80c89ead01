"""Counting of people from rosters and tables of counts."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, strategies as st
from polars.testing import assert_frame_equal

import tpanalytics as tpa
from tests.helpers.random_profiles import profiles_of
from tpanalytics.schema import JOBS

PROFILES = profiles_of([{"job_family": family, "tasks": []} for family in ("A", "A", "B")])
HEAD = ("employee_id", "name", "job_id", "country", "pay_grade", "fte")
ROWS = [
    ("e1", "Ada", "j000", "BE", "7", 1.0),
    ("e2", "Bob", "j000", "BE", "7", 0.5),
    ("e3", "Cyd", "j000", "NL", "8", 1.0),
    ("e4", "Dee", "j001", None, "7", 0.8),
    ("e5", "Eli", "j002", "BE", "8", None),
]


def roster(*rows: tuple[Any, ...], head: tuple[str, ...] = HEAD) -> pl.DataFrame:
    return pl.DataFrame(list(rows) or ROWS, schema=list(head), orient="row", strict=False, infer_schema_length=None)


def people_of(profiles: tpa.TaskProfiles) -> pl.DataFrame:
    assert profiles.people is not None
    return profiles.people


def csv(name: str, *rows: tuple[Any, ...], head: tuple[str, ...] = HEAD) -> Path:
    path = Path(name)
    lines = [head, *(rows or ROWS)]
    path.write_text("\n".join(",".join("" if cell is None else str(cell) for cell in line) for line in lines) + "\n")
    return path


def test_people_are_counted_by_attribute() -> None:
    assigned = tpa.assign_people(PROFILES, roster(), by=["country", "pay_grade"])
    people = people_of(assigned)
    assert people.rows() == [
        ("j000", "BE", "7", 2, 1.5),
        ("j000", "NL", "8", 1, 1.0),
        ("j001", None, "7", 1, 0.8),
        ("j002", "BE", "8", 1, None),
    ]
    assert people.schema == {
        **dict.fromkeys(["job_id", "country", "pay_grade"], pl.String),
        "headcount": pl.Int64,
        "fte": pl.Float64,
    }
    assert assigned.jobs["headcount"].to_list() == [3, 1, 1]
    assert assigned.jobs["fte"].to_list() == [2.5, 0.8, None]
    assert assigned.manifest["people"] == {
        "source": "the roster table",
        "rows": 5,
        "rows_not_matched": 0,
        "ids_not_matched": 0,
        "jobs_listed": 3,
        "jobs_not_listed": 0,
        "by": ["country", "pay_grade"],
    }
    assert repr(assigned).endswith("With 5 people in 3 jobs by country, pay_grade.")
    assert "people" in assigned._repr_html_()
    assert PROFILES.people is None


def test_no_person_is_kept() -> None:
    assigned = tpa.assign_people(PROFILES, csv("roster.csv"), by="country")
    folder = tpa.write_profiles(assigned, "snapshot")
    text = (
        json.dumps(assigned.manifest) + repr(assigned) + assigned.jobs.write_json() + people_of(assigned).write_json()
    )
    for person in ("e1", "e5", "Ada", "Eli"):
        assert f'"{person}"' not in text
        assert all(person.encode() not in path.read_bytes() for path in folder.glob("people-*"))
    assert people_of(tpa.read_profiles(folder)).columns == ["job_id", "country", "headcount", "fte"]


ENGINES = {
    "CSV": lambda: csv("roster.csv"),
    "CSV with semicolons": lambda: Path(
        csv("r.csv").write_text(csv("r.csv").read_text().replace(",", ";")) and "r.csv"
    ),
    "lazy": lambda: roster().lazy(),
    "pandas": lambda: pd.DataFrame(roster().to_dict(as_series=False)),
    "duckdb": lambda: (_duck.register("r", pd.DataFrame(roster().to_dict(as_series=False))), _duck.table("r"))[1],
}
_duck = duckdb.connect()


@pytest.mark.parametrize("read", ENGINES.values(), ids=ENGINES.keys())
def test_all_kinds_of_rosters_give_the_same_result(read: Any) -> None:
    expected = people_of(tpa.assign_people(PROFILES, roster(), by=["country", "pay_grade"]))
    assert_frame_equal(people_of(tpa.assign_people(PROFILES, read(), by=["country", "pay_grade"])), expected)


def test_roster_without_attributes_or_fte() -> None:
    people = people_of(tpa.assign_people(PROFILES, roster().select("job_id")))
    assert people.rows() == [("j000", 3, None), ("j001", 1, None), ("j002", 1, None)]
    # The full-time equivalents of the mapping are kept if the roster has none.
    known = tpa.TaskProfiles(PROFILES.jobs.with_columns(fte=pl.lit(2.0), headcount=pl.lit(9)), PROFILES.tasks)
    jobs = tpa.assign_people(known, roster().select("job_id")).jobs
    assert jobs["headcount"].to_list() == [3, 1, 1]
    assert jobs["fte"].to_list() == [2.0] * 3
    assert jobs.columns == known.jobs.columns


def test_table_of_counts() -> None:
    counts = pl.DataFrame(
        {
            "job_id": ["j000", "j000", "j001", "j002"],
            "country": ["BE", "NL", "BE", "NL"],
            "headcount": ["10", "5.0", "0", None],
            "fte": [8.5, 5.0, 0.0, 3.0],
        }
    )
    assigned = tpa.assign_people(PROFILES, counts, by="country")
    assert people_of(assigned)["headcount"].to_list() == [10, 5, 0, None]
    assert people_of(assigned)["fte"].to_list() == [8.5, 5.0, 0.0, 3.0]
    assert assigned.jobs["headcount"].to_list() == [15, 0, None]
    assert "With people in 3 jobs by country" in repr(assigned)  # the total is unknown


def test_ids_and_attributes_are_cleaned() -> None:
    profiles = tpa.TaskProfiles(PROFILES.jobs.with_columns(job_id=pl.Series(["7", "8", "9"])), PROFILES.tasks)
    table = pl.DataFrame({"job_id": [7.0, 8.0, 9.0], "site": [" Ghent", "Ghent ", ""], "grade": [1.0, None, 3.0]})
    people = people_of(tpa.assign_people(profiles, table, by=["site", "grade"]))
    assert people.rows() == [("7", "Ghent", 1, 1, None), ("8", "Ghent", None, 1, None), ("9", None, 3, 1, None)]
    table = pl.DataFrame({"job_id": [" 7", "8", "9"], "site": pl.Series(["a", "b", "a"], dtype=pl.Categorical)})
    people = people_of(tpa.assign_people(profiles, table, by=["site"]))
    assert people["site"].to_list() == ["a", "b", "a"]
    assert people["job_id"].to_list() == ["7", "8", "9"]


def test_columns_can_be_renamed() -> None:
    theirs = roster().rename({"job_id": "Job code", "fte": "FTE %", "country": "job_name"})
    columns = {"Job code": "job_id", "FTE %": "fte", "job_name": "country"}
    assigned = tpa.assign_people(PROFILES, theirs, by="country", columns=columns)
    assert_frame_equal(people_of(assigned), people_of(tpa.assign_people(PROFILES, roster(), by="country")))


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [("0042", "42"), ("42.00", "42"), ("JOB 042", "job-42"), ("j 1", "J1"), ("job_007", "job-7"), ("7", "007")],
)
def test_unmatched_rows_and_jobs_are_stated_with_a_near_pair(theirs: str, ours: str) -> None:
    jobs = PROFILES.jobs.with_columns(job_id=pl.Series([ours, "other", "third"]))
    profiles = tpa.TaskProfiles(jobs, PROFILES.tasks)
    table = pl.DataFrame({"job_id": [theirs, theirs, "third", None, "gone"]})
    with pytest.warns(tpa.TpAnalyticsWarning) as warnings:
        assigned = tpa.assign_people(profiles, table)
    text = str(warnings[0].message)
    assert len(warnings) == 1
    assert "4 of 5 rows match no job and are not counted (2 job ids, " in text
    assert f"{theirs!r} is close to {ours!r} in the profiles" in text
    assert "1 without a job id" in text
    assert "2 of 3 jobs have no row, so their headcount is unknown" in text
    assert assigned.jobs["headcount"].to_list() == [None, None, 1]
    assert assigned.manifest["people"]["rows_not_matched"] == 4
    assert assigned.manifest["people"]["jobs_not_listed"] == 2
    assert "4 of 5 rows of the roster table match no job" in repr(assigned)
    with pytest.raises(tpa.SchemaError, match=f"none of the 1 row.*{re.escape(repr(theirs))} is close to"):
        tpa.assign_people(profiles, table.head(1))


def test_people_of_unmatched_counts_are_stated() -> None:
    counts = pl.DataFrame({"job_id": ["j000", "j001", "j002", None], "headcount": [1, 2, 3, 40]})
    with pytest.warns(tpa.TpAnalyticsWarning, match=r"1 of 4 rows \(40 people\) match no job"):
        tpa.assign_people(PROFILES, counts)


def test_empty_profiles_are_allowed() -> None:
    empty = tpa.TaskProfiles(PROFILES.jobs.clear(), PROFILES.tasks.clear())
    with pytest.warns(tpa.TpAnalyticsWarning, match="5 of 5 rows match no job"):
        assert people_of(tpa.assign_people(empty, roster(), by="country")).is_empty()


E = tpa.SchemaError
INVALID: dict[str, tuple[Any, dict[str, Any], type[Exception], str]] = {
    "no job id": (
        lambda: roster().rename({"job_id": "Job ID"}),
        {},
        E,
        r"no column 'job_id', only .*like assign_people\(profiles, roster, columns=\{\"Job ID\": \"job_id\"\}\)",
    ),
    "no job id at all": (
        lambda: roster().select("fte"),
        {},
        E,
        r"no column 'job_id', only 'fte'\. .*\{\"...\": \"job_id\"\}",
    ),
    "attribute missing": (
        roster,
        {"by": "Country"},
        E,
        r"no column 'Country', only .*roster, by=\['Country'\], columns=\{\"country\": \"Country\"\}\)",
    ),
    "all missing columns at once": (
        lambda: roster().rename({"job_id": "Job number", "country": "Country", "pay_grade": "Pay Grade"}),
        {"by": ["country", "pay_grade"]},
        E,
        (
            r"no columns 'job_id', 'country' and 'pay_grade', only .*"
            r"\{\"Job number\": \"job_id\", \"Country\": \"country\", \"Pay Grade\": \"pay_grade\"\}"
        ),
    ),
    "empty roster": (lambda: roster().clear(), {}, E, r"the roster table has no rows\. Pass a roster"),
    "flags as headcount": (
        lambda: roster().with_columns(headcount=True),
        {},
        E,
        "`headcount` must be a number, not Boolean",
    ),
    "negative fte": (
        lambda: roster(*ROWS[:1], ("e9", "", "j001", "", "", -0.5)),
        {},
        E,
        r"`fte` in row 1 \(from 0\) must be a number, 0 or more, not -0.5.*\. Correct it, or leave it empty",
    ),
    "infinite fte": (
        lambda: roster(("e9", "", "j001", "", "", float("inf"))),
        {},
        E,
        r"`fte` in row 0 \(from 0\) .* not inf",
    ),
    "text fte": (
        lambda: csv("r.csv", *ROWS[:2], ("e9", "", "j1", "", "", "full")),
        {},
        E,
        r"r\.csv: `fte` in line 4 .* not 'full' \(1 invalid row\)",
    ),
    "decimal comma": (
        lambda: roster().with_columns(fte=pl.lit("0,5")),
        {},
        E,
        r"not '0,5' \(5 invalid rows\)\. Use a decimal point",
    ),
    "fte of several people": (
        lambda: roster(("e9", "", "j001", "", "", 22.0)),
        {},
        E,
        r"must be up to 2 in a row for one person, not 22\.0.*add a column `headcount`",
    ),
    "fractions of people": (
        lambda: roster().rename({"fte": "headcount"}),
        {},
        E,
        r"`headcount` in row 1 \(from 0\) must be a whole number of people, not 0.5 .*columns=\{'headcount': 'fte'\}",
    ),
    "negative headcount": (
        lambda: roster().with_columns(headcount=-1),
        {},
        E,
        r"`headcount` in row 0 \(from 0\) must be a whole number, 0 or more, not -1",
    ),
    "two rows": (
        lambda: roster(*ROWS, ROWS[1]),
        {},
        E,
        r"`employee_id` must be unique, but rows 1, 5 \(from 0\) have the same id.*one row per person",
    ),
    "personal attribute": (roster, {"by": "employee_id"}, tpa.ArgumentError, "'employee_id' identifies people"),
    "name": (roster, {"by": ["country", "name"]}, tpa.ArgumentError, "'name' identifies people"),
    "unnamed persons": (
        lambda: pl.DataFrame({"job_id": ["j000"] * 30, "who": map(str, range(30))}),
        {"by": "who"},
        tpa.ArgumentError,
        r"'who' identifies people \(30 different values in 30 rows\)",
    ),
    "column of jobs": (
        lambda: roster().rename({"country": "job_family"}),
        {"by": "job_family"},
        tpa.ArgumentError,
        r"already a column of the jobs\. Rename it: .*columns=\{'job_family': 'people_job_family'\}",
    ),
    "count as attribute": (roster, {"by": ["fte"]}, tpa.ArgumentError, "`by` must not contain 'fte'"),
    "repeated attribute": (
        roster,
        {"by": ["country", "country"]},
        tpa.ArgumentError,
        "`by` must be a column of the roster",
    ),
    "number": (roster, {"by": 3}, tpa.ArgumentError, "`by` must be a column of the roster"),
    "columns": (roster, {"columns": ["job_id"]}, tpa.ArgumentError, "`columns` must be a dict"),
    "unknown column": (
        roster,
        {"columns": {"jobid": "x"}},
        E,
        r"`columns`: 'jobid' is not a column of the roster table \(did you mean 'job_id'",
    ),
    "two columns of one name": (
        roster,
        {"columns": {"name": "country"}},
        tpa.ArgumentError,
        "two columns of the roster table the name 'country'",
    ),
    "list": (lambda: [("j000", "BE")], {}, E, "`roster` must be a path or a data frame, not list"),
    "missing file": (lambda: "missing.csv", {}, tpa.ConfigError, r"missing\.csv cannot be read"),
}


@pytest.mark.parametrize(("table", "arguments", "error", "message"), INVALID.values(), ids=INVALID.keys())
def test_invalid_rosters_raise(table: Any, arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message) as exc_info:
        tpa.assign_people(PROFILES, table(), **arguments)
    assert type(exc_info.value) is error
    assert not re.search(r"\be\d\b", str(exc_info.value)), "the message names a person"
    assert str(exc_info.value).count(". ") <= 2


def test_profiles_are_checked() -> None:
    with pytest.raises(tpa.ArgumentError, match="`profiles` must be TaskProfiles, not DataFrame"):
        tpa.assign_people(PROFILES.jobs, roster())  # type: ignore[arg-type]


def test_a_new_mapping_keeps_the_people() -> None:
    staffed = tpa.assign_people(PROFILES, roster(), by="country")
    mapping = PROFILES.jobs.select(
        "job_id", job_family_id="job_family", headcount=pl.lit(50), contract_hours=pl.lit(40)
    )
    with pytest.warns(
        tpa.TpAnalyticsWarning, match="`headcount` ignored, because assign_people has counted the people"
    ):
        again = tpa.assign_families(staffed, mapping)
    assert again.jobs["headcount"].to_list() == [3, 1, 1]
    assert again.jobs["contract_hours"].to_list() == [40.0] * 3
    assert_frame_equal(people_of(again), people_of(staffed))


_row = st.tuples(
    st.sampled_from(["j000", "j001", "j002"]),
    st.sampled_from(["BE", "NL", None]),
    st.sampled_from([7, 8, None]),
    st.one_of(st.none(), st.floats(0, 1.5)),
)


@given(st.lists(_row, min_size=3, max_size=19))
def test_counts_equal_sql(rows: list[tuple[Any, ...]]) -> None:
    rows = [("j000", "BE", 7, 1.0), ("j001", "BE", 7, 1.0), ("j002", "BE", 7, 1.0), *rows]
    schema = {"job_id": pl.String, "country": pl.String, "grade": pl.Int64, "fte": pl.Float64}
    table = pl.DataFrame(rows, schema=schema, orient="row")
    assigned = tpa.assign_people(PROFILES, table, by=["country", "grade"])
    pd_table = table.to_dict(as_series=False)
    _duck.execute("create or replace table roster (job_id varchar, country varchar, grade bigint, fte double)")
    _duck.executemany("insert into roster values (?, ?, ?, ?)", list(zip(*pd_table.values(), strict=True)))
    expected = _duck.execute(
        "select job_id, country, grade, count(*), case when count(fte) = count(*) then sum(fte) end from roster "
        "group by all order by job_id, country nulls last, grade nulls last"
    ).fetchall()
    assert people_of(assigned).select("job_id", "country", "grade", "headcount").rows() == [row[:4] for row in expected]
    assert people_of(assigned)["fte"].to_list() == pytest.approx([row[4] for row in expected])
    # Splitting the people of a job does not change its totals.
    together = tpa.assign_people(PROFILES, table)
    assert_frame_equal(assigned.jobs, together.jobs)
    assert assigned.jobs["headcount"].sum() == len(rows)
    assert set(JOBS) <= set(assigned.jobs.columns)


def test_weights_count_people_of_the_roster() -> None:
    profiles = profiles_of(
        [{"job_family": "A", "tasks": [{"task_id": "a", "validation_state": "validated", "weekly_hours": 10.0}]}]
    )
    staffed = tpa.assign_people(
        profiles, pl.DataFrame({"job_id": ["j000"] * 3, "country": ["BE", "BE", "NL"]}), by="country"
    )
    by_country = tpa.hours(staffed, by="country", weight="headcount")
    assert by_country.select("country", "headcount_hours").rows() == [("BE", 20.0), ("NL", 10.0)]
    assert tpa.hours(staffed.filter(country="BE"), weight="headcount")["headcount_hours"].to_list() == [20.0]


@pytest.mark.parametrize(
    "heading", ["Employee", "Mitarbeiter-Nr", "PersonalNummer", "Worker ID", "badge no.", "E-mail"]
)
def test_two_rows_for_one_person_are_found_under_any_usual_heading(heading: str) -> None:
    table = roster(*ROWS, ROWS[1]).rename({"employee_id": heading})
    with pytest.raises(tpa.SchemaError, match=r"must be unique, but rows 1, 5 \(from 0\) have the same id"):
        tpa.assign_people(PROFILES, table)
    with pytest.raises(tpa.ArgumentError, match="identifies people"):
        tpa.assign_people(PROFILES, table, by=heading)


def test_two_people_can_have_the_same_name() -> None:
    names = roster(*ROWS, ROWS[1]).with_columns(employee_id=pl.format("{} Lee", "name")).drop("name")
    people = people_of(tpa.assign_people(PROFILES, names.rename({"employee_id": "employee"})))
    assert people["headcount"].sum() == 6


@pytest.mark.parametrize(
    "name",
    [
        "employee_type",
        "Employee group",
        "Personnel area",
        "staff_category",
        "Mitarbeiterkreis",
        "user group",
        "job_level",
    ],
)
def test_attributes_of_groups_are_not_taken_for_people(name: str) -> None:
    table = roster().rename({"country": name})
    assert people_of(tpa.assign_people(PROFILES, table, by=name)).columns[1] == name


@pytest.mark.parametrize("rows", [12, 40])
def test_an_attribute_per_person_is_refused_with_and_without_counts(rows: int) -> None:
    who = pl.DataFrame({"job_id": ["j000", "j001"] * (rows // 2), "who": [f"P{n}" for n in range(rows)]})
    for table in (who, who.with_columns(headcount=1)):
        with pytest.raises(
            tpa.ArgumentError, match=rf"'who' identifies people \({rows} different values in {rows} rows"
        ):
            tpa.assign_people(PROFILES, table, by="who")
    with pytest.warns(tpa.TpAnalyticsWarning, match="1 of 3 jobs have no row"):
        tpa.assign_people(PROFILES, who.with_columns(headcount=pl.int_range(rows)), by="who")
    mail = roster().select("job_id", contact=pl.format("{}@example.com", "name"))
    with pytest.raises(tpa.ArgumentError, match="'contact' identifies people"):
        tpa.assign_people(PROFILES, mail, by="contact")


def test_three_rows_in_three_countries_are_allowed() -> None:
    table = pl.DataFrame({"job_id": ["j000", "j001", "j002"], "country": ["BE", "NL", "FR"], "headcount": [1, 1, 1]})
    assert people_of(tpa.assign_people(PROFILES, table, by="country"))["country"].to_list() == ["BE", "NL", "FR"]


def test_attributes_that_split_a_long_roster_into_single_persons_warn() -> None:
    rows = [("j000", "AB"[n % 2], str(n // 2)) for n in range(60)]
    rows += [(job, "A", team) for job in ("j001", "j002") for team in "12"]
    table = pl.DataFrame(rows, schema=["job_id", "country", "team"], orient="row")
    with pytest.warns(tpa.TpAnalyticsWarning, match="64 of 64 combinations of job, country and team have") as found:
        tpa.assign_people(PROFILES, table, by=["country", "team"])
    assert len(found) == 1
    people = people_of(tpa.assign_people(PROFILES, table, by="country"))
    assert people["headcount"].to_list() == [30, 30, 2, 2]


def test_headings_in_another_case_are_read_and_stated() -> None:
    theirs = roster().rename({"job_id": "JOB_ID", "fte": "FTE"})
    with pytest.warns(tpa.TpAnalyticsWarning, match="'JOB_ID' is read as `job_id` and 'FTE' is read as `fte`"):
        assigned = tpa.assign_people(PROFILES, theirs, by="country")
    assert_frame_equal(people_of(assigned), people_of(tpa.assign_people(PROFILES, roster(), by="country")))
    with pytest.warns(
        tpa.TpAnalyticsWarning, match=r"no column 'fte', but 'Total FTE', .*\{\"Total FTE\": \"fte\"\} to read it"
    ):
        tpa.assign_people(PROFILES, roster().rename({"fte": "Total FTE"}))
    with pytest.warns(tpa.TpAnalyticsWarning, match="'Headcount' is read as `headcount`"):
        assigned = tpa.assign_people(PROFILES, roster().with_columns(Headcount=pl.lit(2)))
    assert assigned.jobs["headcount"].sum() == 10


def test_errors_in_files_state_the_row_of_the_sheet() -> None:
    table = roster(("e9", "", "j001", "", "", -1.0), *ROWS)
    table.write_csv("r.csv")
    with pytest.raises(tpa.SchemaError, match=r"r\.csv: `fte` in line 2 must be"):
        tpa.assign_people(PROFILES, "r.csv")
    pytest.importorskip("fastexcel")
    table.write_excel("r.xlsx")
    with pytest.raises(tpa.SchemaError, match=r"r\.xlsx: `fte` in row 2 must be"):
        tpa.assign_people(PROFILES, "r.xlsx")
