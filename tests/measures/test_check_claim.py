"""A verdict follows from its rule alone, every way to work a claim out is SQL's, what to ask next brute force's."""

from __future__ import annotations

import itertools
from typing import Any

import duckdb
import hypothesis
import polars as pl
import pytest
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import tpanalytics as tpa
from tests.helpers.random_profiles import companies, profiles_of
from tpanalytics.measures.check_claim import Claim, check_claim, read_claim
from tpanalytics.measures.data_gaps import data_gaps

MEASURES = ["exposure", "hours", "hours_per_job", "h1_share"]


def job(*tasks: tuple[str | None, float | None], family: str = "A", week: float | None = None) -> dict[str, Any]:
    rows = [
        {"task_id": str(i), "validation_state": "validated", "weekly_hours": h, "ai_impact_level": level}
        for i, (level, h) in enumerate(tasks)
    ]
    return {"job_family": family, "headcount": None, "contract_hours": week, "tasks": rows}


def claim_of(left: list[Any], right: list[Any], claim: str = "A > B", **how: Any) -> Claim:
    jobs = [*left, *({**one, "job_family": "B"} for one in right)]
    return check_claim(profiles_of(jobs), claim, rounds=200, **how)


# --- reading a claim


@pytest.mark.parametrize(
    ("claim", "read"),
    [
        ("Finance > Sales", ("Finance", ">", "Sales")),
        ("Finance<Sales", ("Finance", "<", "Sales")),
        ("finance > SALES ", ("Finance", ">", "Sales")),
        ("R&D < 5 > 研究開発", ("R&D < 5", ">", "研究開発")),
        ("Sales < R&D < 5", ("Sales", "<", "R&D < 5")),
        ('"Finance" > "R&D < 5"', ("Finance", ">", "R&D < 5")),
        ("(no family) > Field Service", ("(no family)", ">", "Field Service")),
        ('"x > y" > z', ("x > y", ">", "z")),
        ("sales team > z", ("sales team", ">", "z")),
    ],
)
def test_claims_are_read_by_the_names_there_are(claim: str, read: tuple[str, str, str]) -> None:
    families = ["Finance", "Sales", "R&D < 5", "研究開発", "(no family)", "Field Service", "x", "x > y", "y > z", "z"]
    assert read_claim(claim, [*families, "Sales Team", "sales team"]) == read


@pytest.mark.parametrize(
    ("claim", "said"),
    [
        ("Finance", "put > or <"),
        (7, "as text"),
        ("Finanse > Sales", r"'Finanse' is not a job family \(did you mean 'Finance'\?\)"),
        ("Finance > Team", r"'Team' is not a job family \(did you mean 'Sales Team'\?\)"),
        ("Finance > Finance", "both sides"),
        ("x > y > z", "double quotes"),
        ("> Sales", "'' is not a job family"),
        ("zzzz > qqqq", r"'zzzz' is not a job family \(there are .* 'qqqq'"),
    ],
)
def test_claims_that_cannot_be_read_say_why(claim: Any, said: str) -> None:
    with pytest.raises(tpa.SchemaError, match=said):
        read_claim(claim, ["Finance", "Sales", "Sales Team", "x", "x > y", "y > z", "z"])


# --- verdicts

HIGH = [job(("H1", 9.0 + i), ("H1", 1.0), ("H3", 1.0)) for i in range(6)]
LOW = [job(("H1", 1.0), *[("H3", 1.0 + i)] * 19) for i in range(6)]


def test_a_clear_claim_is_robust_either_way_round() -> None:
    found = claim_of(HIGH, LOW)
    assert (found.verdict, found.holds, found.because, found.break_even) == ("robust", True, (), None)
    assert (found.specifications_agree, found.resamples_agree, found.bounds_separate) == (1.0, 1.0, True)
    assert claim_of(HIGH, LOW, "B < A").verdict == "robust"
    other = claim_of(HIGH, LOW, "A < B")
    assert (other.verdict, other.holds) == ("fragile", False)
    assert "not as claimed" in str(other)


def test_little_unknown_needs_no_bounds_and_more_does() -> None:
    nearly = [job(("H1", 9.0), *[("H1", 0.1)] * 10, ("H3", None)) for _ in range(6)]
    found = claim_of(nearly, LOW)
    assert (found.grade_left, found.bounds_left, found.verdict) == ("A", None, "robust")
    partly = [job(("H1", 9.0), *[("H1", 0.1)] * 3, ("H3", None)) for _ in range(6)]
    found = claim_of(partly, LOW)
    assert (found.grade_left, found.bounds_separate, found.verdict) == ("B", None, "fragile")
    assert "Contract hours" in found.because[0]
    found = claim_of(partly, LOW, contract_hours=12)
    assert (found.bounds_separate, found.verdict) == (True, "robust")
    found = claim_of(partly, [job(("H1", 1.0), *[("H3", 0.5)] * 19)] * 6, contract_hours=150)
    assert (found.bounds_separate, found.verdict) == (False, "undetermined")
    assert "lies within" in found.because[0]


def test_a_claim_that_hangs_on_the_weight_of_h2_is_fragile() -> None:
    found = claim_of([job(("H2", 8.0), ("H3", 2.0))] * 6, [job(("H1", 2.4), ("H3", 7.6))] * 6)
    assert (found.verdict, found.holds) == ("fragile", True)
    assert found.break_even == pytest.approx(0.3)
    assert "The order turns where H2 weighs 0.30." in str(found)
    assert found.specifications_agree is not None
    assert 0 < found.specifications_agree < 1


def test_a_claim_that_hangs_on_one_job_is_fragile() -> None:
    found = claim_of([*[job(("H1", 1.0), ("H3", 4.0))] * 5, job(("H1", 3.0))], [job(("H1", 1.0), ("H3", 3.0))] * 6)
    assert found.resamples_agree is not None
    assert 0.3 < found.resamples_agree < 0.95
    assert found.verdict == "fragile"


def test_what_cannot_be_told_is_undetermined() -> None:
    for jobs, said in (
        ([], "is not a job family"),
        ([job()], "no task that counts"),
        ([job(("H1", None))] * 6, "no hours"),
        (HIGH[:4], "fewer than 5"),
        ([job(("H1", 9.0), ("H1", None))] * 6, "grade C"),
    ):
        if not jobs:
            with pytest.raises(tpa.SchemaError, match=said):
                claim_of(jobs, LOW)
            continue
        found = claim_of(jobs, LOW)
        assert found.verdict == "undetermined"
        assert said in " ".join(found.because)
        assert " nan" not in str(found)


def test_equal_families_are_neither_more_nor_less() -> None:
    for claim in ("A > B", "A < B"):
        found = claim_of(HIGH, HIGH, claim)
        assert (found.holds, found.verdict, found.resamples_agree) != (True, "robust", 1.0)
        assert found.specifications_agree == 0.0


def test_a_sum_is_not_robust_because_jobs_are_many_only_if_each_is_small() -> None:
    """Draw as many jobs each time: 12 jobs of the same hours are more than 6, in every resample."""
    found = claim_of([job(("H1", 10.0))] * 12, [job(("H1", 12.0))] * 6, measure="hours")
    assert (found.figure_left, found.figure_right) == (120.0, 72.0)
    assert (found.resamples_agree, found.verdict) == (1.0, "robust")
    mean = claim_of([job(("H1", 10.0))] * 12, [job(("H1", 12.0))] * 6, measure="hours_per_job")
    assert (mean.figure_left, mean.figure_right, mean.holds) == (10.0, 12.0, False)


# --- every way to work it out


@pytest.mark.parametrize("measure", MEASURES)
@hypothesis.given(profiles=companies)
def test_ways_equal_sql_on_random_companies(profiles: tpa.TaskProfiles, measure: Any) -> None:
    names = profiles.jobs.get_column("job_family").fill_null("(no family)").unique().sort().to_list()
    hypothesis.assume(len(names) > 1)
    found = check_claim(profiles, f'"{names[0]}" > "{names[1]}"', measure=measure, rounds=100, contract_hours=60)
    assert " nan" not in str(found)
    connection = duckdb.connect()
    jobs = profiles.jobs.select("job_id", "job_family", "headcount")
    for name, frame in (("jobs", jobs), ("tasks", profiles.tasks.drop("linked_skills", "source_data", "hierarchy"))):
        frame.write_parquet(f"{name}.parquet")
        connection.execute(f"create table {name} as from '{name}.parquet'")
    for basis, states, which, b, left, right, agrees in found.specifications.rows():
        amount = {"hours": "h", "tasks": "1.0", "headcount": "h * n"}[basis]
        weight = f"case l when 'H1' then 1.0 when 'H2' then {b} when 'H3' then 0.0 end"
        figure = {
            "exposure": f"sum({amount} * {weight}) / nullif(sum({amount}) filter (l in ('H1', 'H2', 'H3')), 0)",
            "h1_share": f"coalesce(sum({amount}) filter (l = 'H1'), 0) / nullif(sum({amount}), 0)",
            "hours": f"sum({amount})",
            "hours_per_job": f"sum({amount}) / nullif(sum(distinct_n), 0)",
        }[measure]
        one = "n" if basis == "headcount" else "1.0"
        theirs = connection.execute(
            f"""with t as (select coalesce(j.job_family, '(no family)') f, job_id, weekly_hours h, headcount n,
                    ai_impact_level l from tasks x join jobs j using (job_id)
                    where validation_state in ('validated', {"'suggested'" if "suggested" in states else "''"})),
                c as (select *, count(*) over (partition by job_id) = count(h) over (partition by job_id) complete,
                      case when h is not null and row_number() over (partition by job_id order by h nulls last) = 1
                           then {one} end distinct_n from t)
                select f, {figure} from c where complete or '{which}' = 'all' group by f"""
        ).fetchall()
        expected = dict(theirs)
        for name, ours in ((names[0], left), (names[1], right)):
            value = expected.get(name)
            assert (ours is None) == (value is None), (basis, states, which, b)
            assert ours is None or ours == pytest.approx(value, abs=1e-9)
        if left is not None and right is not None:
            assert agrees == (left - right > 1e-9)


@pytest.mark.parametrize("measure", MEASURES)
@hypothesis.given(profiles=companies)
def test_order_of_rows_changes_nothing(profiles: tpa.TaskProfiles, measure: Any) -> None:
    names = profiles.jobs.get_column("job_family").fill_null("(no family)").unique().sort().to_list()
    hypothesis.assume(len(names) > 1)
    claim = f'"{names[0]}" > "{names[1]}"'
    turned = tpa.TaskProfiles(profiles.jobs.reverse(), profiles.tasks.reverse().lazy())
    one = check_claim(profiles, claim, measure=measure, rounds=100)
    other = check_claim(turned, claim, measure=measure, rounds=100)
    assert_frame_equal(other.specifications, one.specifications, abs_tol=1e-9)
    assert (other.verdict, other.because, other.resamples_agree) == (one.verdict, one.because, one.resamples_agree)


# --- bounds, and what to measure next

_task = st.tuples(st.sampled_from(["H1", "H2", "H3", None, "H4"]), st.sampled_from([None, 0.0, 3.0, 10.0]))
_job = st.tuples(st.lists(_task, max_size=3), st.sampled_from([5.0, 20.0, 40.0]))
WEIGHT = {"H1": 1.0, "H2": 0.5, "H3": 0.0}


def extremes(jobs: list[Any]) -> tuple[float, float] | None:
    """Try every corner: an unknown level weighs 0 or 1, an undescribed week goes to one open task or nowhere."""
    ways_of_jobs = []
    for tasks, week in jobs:
        rest = max(0.0, week - sum(h for _, h in tasks if h is not None))
        ways = set()
        for level_weights in itertools.product(*([WEIGHT[x]] if x in WEIGHT else [0.0, 1.0] for x, _ in tasks)):
            for taker in [None, *(i for i, (_, h) in enumerate(tasks) if h is None)]:
                hours = [(h or 0.0) + (rest if i == taker else 0.0) for i, (_, h) in enumerate(tasks)]
                ways.add((sum(h * w for h, w in zip(hours, level_weights, strict=True)), sum(hours)))
        ways_of_jobs.append(sorted(ways))
    shares = []
    for combination in itertools.product(*ways_of_jobs):
        part, whole = (sum(column) for column in zip(*combination, strict=True))
        if whole > 0:
            shares.append(part / whole)
    return (min(shares), max(shares)) if shares else None


def company(jobs: list[Any]) -> tpa.TaskProfiles:
    return profiles_of([job(*tasks, week=week) for tasks, week in jobs])


@hypothesis.given(jobs=st.lists(_job, min_size=1, max_size=3))
def test_bounds_of_a_claim_equal_brute_force(jobs: list[Any]) -> None:
    found = check_claim(
        profiles_of([*(job(*tasks, week=week) for tasks, week in jobs), job(("H1", 1.0), family="B")]),
        "A > B",
        rounds=100,
    )
    assert found.bounds_left == (pytest.approx(extremes(jobs)) if extremes(jobs) else None)


def answered(jobs: list[Any], which: int, kind: str) -> list[list[Any]]:
    """Give the company after each answer of a job: levels all least or all most, or hours all at one task or none."""
    tasks, week = jobs[which]
    if kind == "level":
        told = [[(level if x not in WEIGHT and h is not None else x, h) for x, h in tasks] for level in ("H1", "H3")]
    else:
        rest = max(0.0, week - sum(h for _, h in tasks if h is not None))
        open_tasks = [i for i, (_, h) in enumerate(tasks) if h is None]
        told = [
            [(x, (rest if i == taker else 0.0) if h is None else h) for i, (x, h) in enumerate(tasks)]
            for taker in [None, *open_tasks]
        ]
    return [[*jobs[:which], (some, week), *jobs[which + 1 :]] for some in told]


@hypothesis.given(jobs=st.lists(_job, min_size=1, max_size=3))
def test_what_to_ask_next_equals_brute_force(jobs: list[Any]) -> None:
    found = data_gaps(company(jobs))
    now = extremes(jobs)
    width = now[1] - now[0] if now else 0.0
    gaps = {
        (f"j{i:03d}", kind): sum(gap(*task) for task in tasks)
        for i, (tasks, _) in enumerate(jobs)
        for kind, gap in (
            ("hours", lambda _, h: h is None),
            ("level", lambda x, h: h is not None and x not in WEIGHT),
        )
    }
    rows = {(row["job_id"], row["kind"]): row for row in found.iter_rows(named=True)}
    assert {key: row["tasks_to_ask"] for key, row in rows.items()} == {key: n for key, n in gaps.items() if n}
    for (name, kind), row in rows.items():
        left = []
        for after in answered(jobs, int(name[1:]), kind):
            bounds = extremes(after)
            left.append(bounds[1] - bounds[0] if bounds else width)
        assert row["narrowing"] == pytest.approx(max(0.0, width - max(left)), abs=1e-9)
    order = [round(value, 9) for value in found["narrowing"]]
    assert order == sorted(order, reverse=True)
    assert found["cumulative"].to_list() == pytest.approx(list(itertools.accumulate(found["narrowing"])))


@hypothesis.given(profiles=companies)
def test_without_contract_hours_the_room_is_a_share_of_tasks(profiles: tpa.TaskProfiles) -> None:
    bare = tpa.TaskProfiles(profiles.jobs.drop("contract_hours"), profiles.tasks)
    found = data_gaps(bare, top=1000)
    tasks = profiles.tasks.filter(pl.col("validation_state") != "rejected")
    of_one_family = tpa.TaskProfiles(*(frame.with_columns(job_family=pl.lit("A")) for frame in (bare.jobs, bare.tasks)))
    bounds = tpa.exposure(of_one_family).select("bound_low", "bound_high").rows()
    if tasks.get_column("weekly_hours").null_count() == 0 or None not in bounds[0]:
        assert found["room"].to_list() == ["bounds"] * found.height
        return
    assert found["room"].unique().to_list() == ["share of tasks"]
    lacking = pl.col("weekly_hours").is_null() | ~pl.col("ai_impact_level").is_in(list(WEIGHT)).fill_null(value=False)
    share = tasks.filter(lacking).height / tasks.height
    assert found["narrowing"].sum() == pytest.approx(share)
    assert found["cumulative"].to_list()[-1] == pytest.approx(share)
    assert_frame_equal(data_gaps(bare, top=2), found.head(2))


def test_nothing_missing_gives_no_rows_and_says_so(sample: tpa.TaskProfiles) -> None:
    none = data_gaps(profiles_of([job(("H1", 3.0)), job()]))
    assert none.height == 0
    assert "Nothing is missing" in str(tpa.about(none))
    empty = data_gaps(profiles_of([]))
    assert "No task counts" in str(tpa.about(empty))
    assert none.schema == empty.schema == data_gaps(sample).schema


def test_shares_of_h1_are_bounded_where_nothing_is_known_to_be_there() -> None:
    found = claim_of([job(("H3", 8.0), (None, 2.0), week=10.0)] * 6, LOW, measure="h1_share", contract_hours=40)
    assert found.bounds_left == pytest.approx((0.0, 0.2))


@pytest.mark.parametrize(
    ("function", "wrong"),
    [
        (lambda profiles, **how: check_claim(profiles, "Finance > Sales", **how), {"measure": "cost"}),
        (lambda profiles, **how: check_claim(profiles, "Finance > Sales", **how), {"rounds": 5}),
        (lambda profiles, **how: check_claim(profiles, "Finance > Sales", **how), {"seed": "a"}),
        (lambda profiles, **how: check_claim(profiles, "Finance > Sales", **how), {"contract_hours": 200}),
        (data_gaps, {"top": 0}),
        (data_gaps, {"top": True}),
        (data_gaps, {"contract_hours": float("nan")}),
        (data_gaps, {"level_weights": {"H1": 2}}),
    ],
)
def test_wrong_arguments_are_named(sample: tpa.TaskProfiles, function: Any, wrong: dict[str, Any]) -> None:
    with pytest.raises(tpa.SchemaError, match=next(iter(wrong))):
        function(sample, **wrong)
