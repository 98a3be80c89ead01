from __future__ import annotations

from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import tpanalytics as tpa
from tests.helpers.builders import query
from tests.helpers.random_profiles import companies, profiles_of
from tpanalytics.measures.check_claim import parse_claim

MEASURES = ["exposure", "hours", "hours_per_job", "h1_share"]


def job(*tasks: tuple[str | None, float | None], family: str = "A", week: float | None = None) -> dict[str, Any]:
    rows = [
        {"task_id": str(i), "validation_state": "validated", "weekly_hours": h, "ai_impact_level": level}
        for i, (level, h) in enumerate(tasks)
    ]
    return {"job_family": family, "headcount": None, "contract_hours": week, "tasks": rows}


def claim_of(left: list[Any], right: list[Any], claim: str = "A > B", **arguments: Any) -> tpa.Claim:
    jobs = [*left, *({**right_job, "job_family": "B"} for right_job in right)]
    return tpa.check_claim(profiles_of(jobs), claim, rounds=200, **arguments)


@pytest.mark.parametrize(
    ("claim", "expected"),
    [
        ("Finance > Sales", ("Finance", ">", "Sales")),
        ("Finance<Sales", ("Finance", "<", "Sales")),
        ("finance > SALES ", ("Finance", ">", "Sales")),
        ("R&D < 5 > 研究開発", ("R&D < 5", ">", "研究開発")),
        ("Sales < R&D < 5", ("Sales", "<", "R&D < 5")),
        ('"Finance" > "R&D < 5"', ("Finance", ">", "R&D < 5")),
        ("(no job family) > Field Service", ("(no job family)", ">", "Field Service")),
        ('"x > y" > z', ("x > y", ">", "z")),
        ("sales team > z", ("sales team", ">", "z")),
    ],
)
def test_claims_are_parsed_with_the_names_of_the_families(claim: str, expected: tuple[str, str, str]) -> None:
    families = [
        "Finance",
        "Sales",
        "R&D < 5",
        "研究開発",
        "(no job family)",
        "Field Service",
        "x",
        "x > y",
        "y > z",
        "z",
    ]
    assert parse_claim(claim, [*families, "Sales Team", "sales team"]) == expected


@pytest.mark.parametrize(
    ("claim", "message"),
    [
        ("Finance", "`claim` must contain > or <"),
        (7, "`claim` must be a string like .*, not 7"),
        ("Finanse > Sales", r"'Finanse' is not a job family \(did you mean 'Finance'\?\)"),
        ("Finance > Team", r"'Team' is not a job family \(did you mean 'Sales Team'\?\)"),
        ("Finance > Finance", "two different groups, not 'Finance' with itself"),
        ("x > y > z", "is ambiguous: .* in double quotes"),
        ("> Sales", "'' is not a job family"),
        ("zzzz > qqqq", r"'zzzz' is not a job family \(there are .* 'qqqq' is not a job family"),
    ],
)
def test_invalid_claims_raise(claim: Any, message: str) -> None:
    with pytest.raises(tpa.SchemaError, match=message):
        parse_claim(claim, ["Finance", "Sales", "Sales Team", "x", "x > y", "y > z", "z"])


HIGH = [job(("H1", 9.0 + i), ("H1", 1.0), ("H3", 1.0)) for i in range(6)]
LOW = [job(("H1", 1.0), *[("H3", 1.0 + i)] * 19) for i in range(6)]


def test_clear_claim_is_robust_in_both_directions() -> None:
    result = claim_of(HIGH, LOW)
    assert (result.verdict, result.holds, result.because, result.break_even) == ("robust", True, (), None)
    assert (result.specifications_agree, result.resamples_agree, result.bounds_separate) == (1.0, 1.0, True)
    assert claim_of(HIGH, LOW, "B < A").verdict == "robust"
    opposite = claim_of(HIGH, LOW, "A < B")
    assert (opposite.verdict, opposite.holds) == ("fragile", False)
    assert "The figures do not support the claim." in str(opposite)


def test_bounds_are_required_below_grade_a() -> None:
    nearly_complete = [job(("H1", 9.0), *[("H1", 0.1)] * 10, ("H3", None)) for _ in range(6)]
    result = claim_of(nearly_complete, LOW)
    assert (result.grade_left, result.bounds_left, result.verdict) == ("A", None, "robust")
    incomplete = [job(("H1", 9.0), *[("H1", 0.1)] * 3, ("H3", None)) for _ in range(6)]
    result = claim_of(incomplete, LOW)
    assert (result.grade_left, result.bounds_separate, result.verdict) == ("B", None, "fragile")
    assert "contract hours are missing" in result.because[0]
    result = claim_of(incomplete, LOW, contract_hours=12)
    assert (result.bounds_separate, result.verdict) == (True, "robust")
    result = claim_of(incomplete, [job(("H1", 1.0), *[("H3", 0.5)] * 19)] * 6, contract_hours=150)
    assert (result.bounds_separate, result.verdict) == (False, "undetermined")
    assert "lie within" in result.because[0]


def test_specifications_without_a_figure_are_not_counted() -> None:
    incomplete = [job(("H1", 9.0), ("H3", None)) for _ in range(6)]
    result = claim_of(incomplete, LOW)
    defined = result.specifications.get_column("agrees").drop_nulls()
    assert defined.len() < result.specifications.height
    assert f"{defined.sum()} of {defined.len()} specifications agree." in str(result)


def test_claim_that_depends_on_the_weight_of_h2_is_fragile() -> None:
    result = claim_of([job(("H2", 8.0), ("H3", 2.0))] * 6, [job(("H1", 2.4), ("H3", 7.6))] * 6)
    assert (result.verdict, result.holds) == ("fragile", True)
    assert result.break_even == pytest.approx(0.3)
    assert "The order changes at an H2 weight of 0.30." in str(result)
    assert result.specifications_agree is not None
    assert 0 < result.specifications_agree < 1


def test_claim_that_depends_on_one_job_is_fragile() -> None:
    result = claim_of([*[job(("H1", 1.0), ("H3", 4.0))] * 5, job(("H1", 3.0))], [job(("H1", 1.0), ("H3", 3.0))] * 6)
    assert result.resamples_agree is not None
    assert 0.3 < result.resamples_agree < 0.95
    assert result.verdict == "fragile"


@pytest.mark.parametrize(
    ("jobs", "reason"),
    [
        ([job()], "A has no figure because it has no tasks."),
        ([job(("H1", None))] * 6, "A has no figure because it has no hours"),
        (HIGH[:4], "The figure of A is based on 4 jobs, fewer than 5."),
        ([job(("H1", 9.0), ("H1", None))] * 6, "The coverage of A is below 70% (grade C)."),
    ],
)
def test_insufficient_data_are_undetermined(jobs: list[Any], reason: str) -> None:
    result = claim_of(jobs, LOW)
    assert result.verdict == "undetermined"
    assert reason in " ".join(result.because)
    assert " nan" not in str(result)


def test_equal_families_support_neither_direction() -> None:
    for claim in ("A > B", "A < B"):
        result = claim_of(HIGH, HIGH, claim)
        assert (result.holds, result.verdict, result.resamples_agree) != (True, "robust", 1.0)
        assert result.specifications_agree == 0.0


def test_resamples_of_a_sum_keep_the_number_of_jobs() -> None:
    result = claim_of([job(("H1", 10.0))] * 12, [job(("H1", 12.0))] * 6, measure="hours")
    assert (result.figure_left, result.figure_right) == (120.0, 72.0)
    assert (result.resamples_agree, result.verdict) == (1.0, "robust")
    mean = claim_of([job(("H1", 10.0))] * 12, [job(("H1", 12.0))] * 6, measure="hours_per_job")
    assert (mean.figure_left, mean.figure_right, mean.holds) == (10.0, 12.0, False)


@hypothesis.given(measure=st.sampled_from(list(MEASURES)), profiles=companies)
def test_specifications_match_sql_on_random_companies(profiles: tpa.TaskProfiles, measure: Any) -> None:
    names = profiles.jobs.get_column("job_family").fill_null("(no job family)").unique().sort().to_list()
    hypothesis.assume(len(names) > 1)
    result = tpa.check_claim(profiles, f'"{names[0]}" > "{names[1]}"', measure=measure, rounds=100, contract_hours=60)
    assert " nan" not in str(result)
    specifications = result.specifications.rows()
    queries = []
    for i, (basis, states, jobs_counted, b, *_) in enumerate(specifications):
        amount = {"hours": "h", "tasks": "1.0", "headcount": "h * n"}[basis]
        weight = f"case l when 'H1' then 1.0 when 'H2' then {b} when 'H3' then 0.0 end"
        figure = {
            "exposure": f"sum({amount} * {weight}) / nullif(sum({amount}) filter (l in ('H1', 'H2', 'H3')), 0)",
            "h1_share": f"coalesce(sum({amount}) filter (l = 'H1'), 0) / nullif(sum({amount}), 0)",
            "hours": f"sum({amount})",
            "hours_per_job": f"sum({amount}) / nullif(sum(distinct_n), 0)",
        }[measure]
        people = "n" if basis == "headcount" else "1.0"
        queries.append(
            f"""from (with t as (select coalesce(j.job_family, '(no job family)') f, job_id, weekly_hours h,
                    headcount n, ai_impact_level l from tasks x join jobs j using (job_id)
                    where validation_state in ('validated', {"'suggested'" if "suggested" in states else "''"})),
                c as (select *, count(*) over (partition by job_id) = count(h) over (partition by job_id) complete,
                      case when h is not null and row_number() over (partition by job_id order by h nulls last) = 1
                           then {people} end distinct_n from t)
                select {i} as i, f, {figure} as figure from c where complete or '{jobs_counted}' = 'all' group by f)"""
        )
    expected = {(row["i"], row["f"]): row["figure"] for row in query(profiles, " union all ".join(queries))}
    for i, (*_, left, right, agrees) in enumerate(specifications):
        for name, value in ((names[0], left), (names[1], right)):
            figure = expected.get((i, name))
            assert value == (None if figure is None else pytest.approx(figure, abs=1e-9))
        if left is not None and right is not None:
            assert agrees == (left - right > 1e-9)


@hypothesis.given(measure=st.sampled_from(list(MEASURES)), profiles=companies)
def test_result_does_not_depend_on_the_order_of_rows(profiles: tpa.TaskProfiles, measure: Any) -> None:
    names = profiles.jobs.get_column("job_family").fill_null("(no job family)").unique().sort().to_list()
    hypothesis.assume(len(names) > 1)
    claim = f'"{names[0]}" > "{names[1]}"'
    reversed_profiles = tpa.TaskProfiles(profiles.jobs.reverse(), profiles.tasks.reverse().lazy())
    expected = tpa.check_claim(profiles, claim, measure=measure, rounds=100)
    result = tpa.check_claim(reversed_profiles, claim, measure=measure, rounds=100)
    assert_frame_equal(result.specifications, expected.specifications, abs_tol=1e-9)
    assert (result.verdict, result.because) == (expected.verdict, expected.because)
    assert result.resamples_agree == expected.resamples_agree


def test_h1_share_has_bounds_without_known_h1_hours() -> None:
    result = claim_of([job(("H3", 8.0), (None, 2.0), week=10.0)] * 6, LOW, measure="h1_share", contract_hours=40)
    assert result.bounds_left == pytest.approx((0.0, 0.2))


@pytest.mark.parametrize(
    "arguments",
    [{"measure": "cost"}, {"rounds": 5}, {"seed": "a"}, {"contract_hours": 200}],
    ids=lambda value: next(iter(value)),
)
def test_invalid_arguments_raise(sample: tpa.TaskProfiles, arguments: dict[str, Any]) -> None:
    with pytest.raises(tpa.SchemaError, match=f"`{next(iter(arguments))}` must be"):
        tpa.check_claim(sample, "Finance > Sales", **arguments)
