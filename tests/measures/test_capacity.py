from __future__ import annotations

import itertools
from functools import partial
from typing import TYPE_CHECKING, Any

import hypothesis
import polars as pl
import pytest
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import tpanalytics as tpa
from tests.helpers.builders import query
from tests.helpers.random_profiles import companies, profiles_of
from tests.helpers.scenarios import FREED, HIGH, LOW, approx, capacity, fragmentation, job, task

if TYPE_CHECKING:
    from tpanalytics.typing import StaffCount


def with_people(profiles: tpa.TaskProfiles) -> tpa.TaskProfiles:
    """Add people and FTE to all jobs except every seventh, if the data have none."""
    if "fte" in profiles.jobs.columns:
        return profiles
    people = pl.int_range(pl.len()) % 7
    jobs = profiles.jobs.with_columns(
        headcount=pl.when(people > 0).then(people),
        fte=pl.when(people > 0).then(0.75 * people),
        contract_hours=pl.lit(None, pl.Float64),
    )
    return tpa.TaskProfiles(jobs, profiles.tasks)


def figures_from_sql(profiles: tpa.TaskProfiles, weight: str) -> dict[str, dict[str, Any]]:
    """Return the figures by family, computed from the raw rows in one query."""
    rates = pl.DataFrame(
        {"level": list(FREED), "lo": LOW.values(), "hi": HIGH.values()}, schema_overrides={"lo": float, "hi": float}
    )
    rows = query(
        profiles,
        f"""
        with person as (select job_id, coalesce(job_family, '(no job family)') as family, {weight} as n,
                               coalesce(contract_hours, 37) as week from jobs),
        t as (select job_id, weekly_hours h, ai_impact_level lvl, lo, hi
              from tasks left join rates on level = ai_impact_level
              where validation_state in ('validated', 'suggested')),
        j as (select job_id, count(*) tasks, sum(h) as hours, count(*) filter (h is not null and lvl is not null) known,
                     sum(h) filter (lvl is not null) rated,
                     sum(h * lo) filter (lvl is not null) lo, sum(h * hi) filter (lvl is not null) hi,
                     coalesce(sum(h) filter (lvl is null), 0) * 1.0 unrated,
                     max(case when lvl is null then 1.0 else hi end) filter (h is null) open_rate
              from t group by job_id)
        select family, count(*) jobs, count(n) staffed, count(*) filter (n is not null and known > 0) measured,
               count(*) filter (known > 0) measured_one, sum(n) filter (known > 0) people, sum(n * hours) staff_hours,
               sum(n * lo) lo, sum(n * hi) hi, sum(n * lo / week) weeks_lo, sum(n * hi / week) weeks_hi,
               sum(n * (coalesce(hi, 0) + unrated
                        + case when open_rate is null then 0
                          else greatest(0, week - coalesce(hours, 0)) * open_rate end)) filter (tasks > 0) most,
               coalesce(sum(known) filter (n is not null), 0) / nullif(sum(tasks), 0) coverage,
               sum(known) / nullif(sum(tasks), 0) coverage_one, sum(rated) rated, sum(lo) one_lo, sum(hi) one_hi
        from person left join j using (job_id) group by family""",
        rates=rates,
    )
    return {row["family"]: row for row in rows}


def check_against_sql(profiles: tpa.TaskProfiles, weight: StaffCount) -> None:
    profiles = with_people(profiles)
    expected = figures_from_sql(profiles, weight)
    result = capacity(profiles, weight=weight)
    assert result["job_family"].to_list() == sorted(expected, key=lambda family: (family == "(no job family)", family))
    low, high = 0.3 * 0.5, 0.6 * 0.8
    scaled = {
        weight: ("people", 1),
        f"{weight}_hours": ("staff_hours", 1),
        f"{weight}_freed_low": ("lo", 1),
        f"{weight}_freed_high": ("hi", 1),
        "capacity_low": ("lo", low),
        "capacity_high": ("hi", high),
        "capacity_most": ("most", high),
        "full_time_weeks_low": ("weeks_lo", low),
        "full_time_weeks_high": ("weeks_hi", high),
        "capacity_coverage": ("coverage", 1),
    }
    for row in result.iter_rows(named=True):
        figures = expected[row["job_family"]]
        assert (row["jobs"], row[f"jobs_with_{weight}"], row[f"jobs_measured_with_{weight}"]) == (
            figures["jobs"],
            figures["staffed"],
            figures["measured"],
        )
        for name, (key, factor) in scaled.items():
            assert row[name] == approx(None if figures[key] is None else figures[key] * factor), name
        assert (row["capacity_reason"] is None) == (row[f"{weight}_freed_low"] is not None)
        assert (row["reason"] is None) == (row["freed_low"] is not None)
        assert (row["jobs"], row["jobs_measured"]) == (figures["jobs"], figures["measured_one"])
        pairs = {"hours": "rated", "freed_low": "one_lo", "freed_high": "one_hi", "coverage": "coverage_one"}
        for name, key in pairs.items():
            assert row[name] == approx(figures[key]), name
        for end in ("low", "high"):
            assert row[f"share_{end}"] == approx(row[f"freed_{end}"] / figures["rated"] if figures["rated"] else None)
            mean = row[f"freed_{end}"] / figures["measured_one"] if figures["measured_one"] else None
            assert row[f"per_job_{end}"] == approx(mean)


def test_figures_match_sql_on_sample_companies(company: tpa.TaskProfiles) -> None:
    check_against_sql(company, "fte")


@hypothesis.given(profiles=companies, weight=st.sampled_from(["fte", "headcount"]))
def test_figures_match_sql_on_random_companies(profiles: tpa.TaskProfiles, weight: StaffCount) -> None:
    check_against_sql(profiles, weight)


def test_full_time_equivalents_are_counted_by_default() -> None:
    profiles = profiles_of([{**job(task("H1", 10.0), headcount=4), "fte": 2.5}])
    assert_frame_equal(capacity(profiles), capacity(profiles, weight="fte"))
    assert capacity(profiles).item(0, "fte") == 2.5
    assert capacity(profiles, weight="headcount").item(0, "headcount") == 4.0


_few_tasks = st.lists(
    st.tuples(st.sampled_from(["H1", "H2", "H4", None]), st.sampled_from([None, 0.0, 3.0, 12.0])), max_size=3
)


@hypothesis.given(jobs=st.lists(st.tuples(_few_tasks, st.sampled_from([0.0, 1.0, 3.5])), min_size=1, max_size=3))
def test_upper_bound_matches_brute_force(jobs: list[Any]) -> None:
    best = 0.0
    for tasks, fte in jobs:
        rest = max(0.0, 20.0 - sum(hours or 0.0 for _, hours in tasks))
        options = [0.0]
        for levels in itertools.product(*([level] if level else list(FREED) for level, _ in tasks)):
            for filled in [None, *(i for i, (_, hours) in enumerate(tasks) if hours is None)]:
                hours = [rest if i == filled else h or 0.0 for i, (_, h) in enumerate(tasks)]
                options.append(sum(h * HIGH[level] for h, level in zip(hours, levels, strict=True)))
        best += fte * max(options)
    profiles = profiles_of(
        [
            {**job(*(task(*level_and_hours) for level_and_hours in tasks), headcount=None, week=20.0), "fte": fte}
            for tasks, fte in jobs
        ]
    )
    row = tpa.capacity(profiles, freed=FREED, adoption=1, realisation=1).row(0, named=True)
    if any(tasks for tasks, _ in jobs):
        assert row["capacity_most"] == approx(best)
        assert row["capacity_high"] is None or row["capacity_high"] <= row["capacity_most"] + 1e-9
    else:
        assert (row["capacity_most"], row["capacity_reason"]) == (None, "NO_TASKS")


def test_capacity_multiplies_the_assumptions() -> None:
    profiles = profiles_of(
        [job(task("H1", 10.0), task("H2", 5.0), task("H3", 20.0), headcount=8), job(task("H1", 4.0), headcount=None)]
    )
    row = tpa.capacity(
        profiles, freed={"H1": (0.4, 0.6), "H2": 0.2, "H3": 0}, adoption=(0.5, 1.0), realisation=0.5
    ).row(0, named=True)
    # One person is freed of 5 to 7 hours and eight people of 40 to 56. Adoption and realisation leave 25% to 50%.
    freed = (row["fte_freed_low"], row["fte_freed_high"])
    assert (*freed, row["fte_hours"]) == pytest.approx((40.0, 56.0, 280.0))
    # One person in each job: 5 to 7 hours, and 1.6 to 2.4 hours in the job without a headcount.
    assert (row["freed_low"], row["freed_high"], row["hours"]) == pytest.approx((6.6, 9.4, 39.0))
    assert (row["capacity_low"], row["capacity_high"]) == pytest.approx((10.0, 28.0))
    assert (row["full_time_weeks_low"], row["full_time_weeks_high"]) == pytest.approx((0.25, 0.7))
    assert (row["capacity_coverage"], row["coverage"], row["fte"]) == (0.75, 1.0, 8.0)


@pytest.mark.parametrize(
    ("jobs", "expected"),
    [
        ([job()], (None, None, "NO_TASKS")),
        ([job(task(state="rejected"))], (None, None, "NO_TASKS")),
        ([job(task(), headcount=None)], (None, None, "NO_HEADCOUNT")),
        ([job(task(), headcount=None), job()], (None, None, "NO_TASKS")),
        ([job(task(hours=None))], (None, None, "NO_HOURS")),
        ([job(task(None, 4.0))], (None, None, "NO_LEVELS")),
        ([job(task("H4", 4.0))], (0.0, 0.0, None)),
        ([job(task("H1", 0.0))], (0.0, 0.0, None)),
        ([job(task("H1"), headcount=0.0)], (0.0, 0.0, None)),
    ],
)
def test_missing_data_are_null_with_a_reason(jobs: list[Any], expected: tuple[Any, ...]) -> None:
    result = capacity(profiles_of(jobs))
    assert result.select("fte_freed_low", "capacity_high", "capacity_reason").row(0) == expected


def test_level_without_a_share_raises() -> None:
    profiles = profiles_of([job(task("H1"), task("H9"), task("höchst", None), task(None))])
    with pytest.raises(tpa.SchemaError, match="`freed` has no share for 'H9', 'höchst', only for 'H1', 'H3'"):
        tpa.capacity(profiles, freed={"H1": 0.5, "H3": 0})
    only_rejected = profiles_of([job(task("H1"), task("H9", state="rejected"))])
    assert tpa.capacity(only_rejected, freed={"H1": 0.5}).item(0, "freed_low") == 5.0


def test_figures_per_person_require_no_headcount() -> None:
    profiles = profiles_of([job(task())])
    profiles = tpa.TaskProfiles(profiles.jobs.drop("headcount", "fte"), profiles.tasks)
    row = tpa.capacity(profiles, freed=FREED).row(0, named=True)
    assert (row["freed_low"], row["freed_high"], row["reason"]) == (4.0, 7.0, None)
    assert (row["fte"], row["fte_freed_low"], row["capacity_reason"]) == (None, None, "NO_HEADCOUNT")
    for assumption in ({"adoption": 1}, {"realisation": 1}):
        with pytest.raises(tpa.SchemaError, match=r"`jobs` has no column 'fte' \(full-time equivalents\)"):
            tpa.capacity(profiles, freed=FREED, **assumption)
        with pytest.raises(tpa.SchemaError, match=r"`jobs` has no column 'headcount' \(people\)"):
            tpa.capacity(profiles, freed=FREED, weight="headcount", **assumption)


def test_missing_contract_hours_are_not_assumed() -> None:
    full_capacity = partial(tpa.capacity, freed=FREED, adoption=1, realisation=1)
    columns = ("full_time_weeks_low", "full_time_weeks_high", "capacity_most", "capacity_reason")
    profiles = profiles_of([job(task(), task(hours=None)), job(task(), task(hours=None), week=None)])
    row = full_capacity(profiles).row(0, named=True)
    assert [row[name] for name in columns] == [None, None, None, "NO_CONTRACT_HOURS"]
    assert row["capacity_high"] == approx(14.0)
    with pytest.raises(tpa.SchemaError, match=r"have no 'contract_hours', for example 'j001' \(1 in total\)"):
        fragmentation(profiles, adoption=1)
    assert full_capacity(profiles, contract_hours=20.0).item(0, "full_time_weeks_high") == approx(7 / 40 + 7 / 20)
    unstaffed = profiles_of([job(task()), job(task(), week=None, headcount=None)])
    assert full_capacity(unstaffed).item(0, "full_time_weeks_high") == approx(7 / 40)
    assert full_capacity(unstaffed).item(0, "capacity_reason") is None
    complete = full_capacity(profiles_of([job(task()), job(task(), week=None)])).row(0, named=True)
    assert (complete["capacity_most"], complete["full_time_weeks_high"]) == (approx(14.0), None)


@pytest.mark.parametrize("omitted", ["adoption", "realisation"])
def test_assumptions_have_no_default(omitted: str) -> None:
    with pytest.raises(TypeError, match="freed"):
        tpa.capacity(profiles_of([job(task())]), adoption=1, realisation=1)  # type: ignore[call-arg]
    arguments: dict[str, Any] = {"adoption": 1, "realisation": 1, "contract_hours": 40}
    del arguments[omitted]
    row = tpa.capacity(profiles_of([job(task())]), freed=FREED, **arguments).row(0, named=True)
    after = [name for name in row if name.startswith(("capacity_", "full_time_weeks_"))]
    known = {"capacity_coverage": 1.0, "capacity_data_grade": "A", "capacity_reason": "NOT_ASSUMED"}
    assert {name: row[name] for name in after} == {**dict.fromkeys(after), **known}
    assert (row["fte_freed_low"], row["freed_low"]) == (4.0, 4.0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"freed": {}}, r"`freed` must be a dict of level and share .*, not \{\}"),
        ({"freed": 0.5}, r"`freed` must be a dict of level and share .*, not 0\.5"),
        (
            {"freed": {"H1": 1.5}},
            r"`freed\['H1'\]` must be a number from 0 to 1 or a pair like \(0\.4, 0\.7\), not 1\.5",
        ),
        ({"freed": {"H1": (0.7, 0.4)}}, r"`freed\['H1'\]` must be .*, not \(0\.7, 0\.4\)"),
        ({"freed": {"H1": (0.1, 0.2, 0.3)}}, r"`freed\['H1'\]` must be .*, not \(0\.1, 0\.2, 0\.3\)"),
        ({"freed": {"H1": None}}, r"`freed\['H1'\]` must be .*, not None"),
        ({"freed": {"H1": 1, "not assessed": 0}}, "`freed` must not contain 'not assessed'"),
        ({"adoption": True}, "`adoption` must be a number from 0 to 1 .*, not True"),
        ({"adoption": "half"}, "`adoption` must be a number from 0 to 1 .*, not 'half'"),
        ({"realisation": float("nan")}, "`realisation` must be a number from 0 to 1 .*, not nan"),
        ({"realisation": (-0.1, 0.5)}, r"`realisation` must be a number from 0 to 1 .*, not \(-0\.1, 0\.5\)"),
        ({"contract_hours": 0}, "`contract_hours` must be above 0 and up to 168 .hours of a full-time week.*, not 0"),
        ({"contract_hours": 200}, "`contract_hours` must be above 0 and up to 168 .*, not 200"),
        ({"contract_hours": "40"}, "`contract_hours` must be above 0 and up to 168 .*, not '40'"),
    ],
)
def test_invalid_assumptions_raise(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(tpa.SchemaError, match=message):
        capacity(profiles_of([job(task())]), **arguments)


def test_missing_headcounts_lower_the_grade() -> None:
    staffed = [job(task(), headcount=2.0) for _ in range(9)]
    full = tpa.about(capacity(profiles_of(staffed)))
    assert (full.grade, full.warnings) == ("A", ())
    incomplete = tpa.about(capacity(profiles_of([*staffed, *(job(task(), headcount=None) for _ in range(11))])))
    assert (incomplete.grade, incomplete.coverage["hours, level and full-time equivalents"]) == ("C", 9 / 20)
    assert incomplete.warnings == ("Jobs without full-time equivalents are excluded (11 of 20).",)
    overlong = tpa.about(capacity(profiles_of([job(task(hours=44.1)), job(task(hours=43.9))])))
    assert [warning.split(" documented")[0] for warning in overlong.warnings] == ["1 job has"]
