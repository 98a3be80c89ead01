"""Charts of exposure draw what the measures say, name whom they may, and are true whatever is missing."""

from __future__ import annotations

import itertools
import json
from typing import Any

import polars as pl
import pytest

import tpanalytics as tpa
from tests.charts.test_all_charts import family_of, layers, many, rows_of, with_small
from tests.helpers.random_profiles import profiles_of
from tpanalytics.charts._core.labels import Leader, leaders, spread, ties


def marks(spec: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [layer for layer in layers(spec) if layer["mark"]["type"] == kind]


def having(spec: dict[str, Any], *columns: str) -> list[dict[str, Any]]:
    """Give the rows of the first layer whose data have these columns."""
    return next(
        rows
        for rows in (rows_of(spec, layer) for layer in layers(spec) if "data" in layer)
        if rows and set(columns) <= set(rows[0])
    )


def title(chart: Any) -> str:
    return " ".join(chart.to_dict()["title"]["text"])


def everything(spec: dict[str, Any]) -> str:
    return json.dumps(spec, ensure_ascii=False)


# --- weight lines


def test_lines_go_from_the_index_without_h2_to_that_with_it(sample: tpa.TaskProfiles) -> None:
    spec = tpa.plot_weight_sensitivity(sample).to_dict()
    drawn = {
        row["job_family"]: (row["weight_low"], row["weight_high"], row["data_grade"])
        for row in having(spec, "data_grade")
    }
    measured = tpa.exposure(sample).select("job_family", "weight_low", "weight_high", "data_grade").rows()
    assert drawn == {family: rest for family, *rest_ in measured for rest in [tuple(rest_)]}
    line = next(layer for layer in marks(spec, "rule") if "y2" in layer["encoding"] and "x2" in layer["encoding"])
    assert (line["encoding"]["x"]["datum"], line["encoding"]["x2"]["datum"]) == (0, 1)
    assert (line["encoding"]["y"]["field"], line["encoding"]["y2"]["field"]) == ("weight_low", "weight_high")


def test_the_band_is_what_the_headlines_family_can_be(sample: tpa.TaskProfiles) -> None:
    spec = tpa.plot_weight_sensitivity(sample).to_dict()
    band = rows_of(spec, marks(spec, "area")[0])
    assert {row["job_family"] for row in band} == {"Finance"}
    for row in band:
        level_weights = {"H1": 1.0, "H2": row["b"], "H3": 0.0}
        measured = tpa.exposure(sample, level_weights=level_weights).filter(job_family="Finance")
        assert (row["bound_low"], row["bound_high"]) == measured.select("bound_low", "bound_high").row(0)
    assert {row["b"] for row in band} >= {0.0, 0.5, 1.0}


def test_leads_change_where_the_measure_says(sample: tpa.TaskProfiles) -> None:
    spec = tpa.plot_weight_sensitivity(sample).to_dict()
    turns = having(spec, "b", "said")
    found = {round(b, 12) for b in tpa.break_even(sample).get_column("break_even")}
    assert len(turns) == 2
    assert {round(row["b"], 12) for row in turns} <= found
    assert [row["said"] for row in turns] == [f"b* {row['b']:.2f}" for row in turns]
    assert all(row["said"] in spec["description"] for row in turns)


def brute(lines: list[tuple[float, float]], b: float) -> float:
    return max(low + b * (high - low) for low, high in lines)


@pytest.mark.parametrize("seed", range(8))
def test_leaders_are_the_highest_lines_at_each_weight(seed: int) -> None:
    values = pl.DataFrame({"at": pl.arange(0, 24, eager=True)}).select(pl.col("at").hash(seed) % 97 / 97).to_series()
    ends = list(zip(values[:12], values[12:], strict=True))
    lines = pl.DataFrame(
        {
            "job_family": [f"f{i:02d}" for i in range(12)],
            "weight_low": [min(end) for end in ends],
            "weight_high": [max(end) for end in ends],
        }
    )
    pairs = []
    for one, two in itertools.combinations(lines.rows(), 2):
        low, high = one[1] - two[1], one[2] - two[2]
        if low * high < 0:
            pairs.append((one[0], two[0], low / (low - high)))
    turning = pl.DataFrame(pairs, schema=["family_a", "family_b", "break_even"], orient="row")
    found = leaders(lines, turning)
    straight = {family: (low, high) for family, low, high in lines.rows()}
    for step in range(101):
        b = step / 100
        lead: Leader = [one for one in found if one.since <= b][-1]
        low, high = straight[lead.family]
        assert low + b * (high - low) == pytest.approx(brute(list(straight.values()), b))


def test_labels_keep_their_order_and_never_meet() -> None:
    slots = [16.0, 28.0, 16.0, 16.0, 40.0, 16.0]
    for wanted in ([5.0] * 6, [0.0, 1, 2, 3, 4, 200], [190.0, 191, 192, 193, 199, 200], [10.0, 50, 90, 120, 160, 190]):
        places = spread(wanted, slots, 200)
        edges = [(place - slot / 2, place + slot / 2) for place, slot in zip(places, slots, strict=True)]
        assert all(one[1] <= two[0] + 1e-9 for one, two in itertools.pairwise(edges))
        assert edges[0][0] >= -1e-9
        assert edges[-1][1] <= 200 + 1e-9
    free = [20.0, 60.0, 100.0, 125.0, 160.0, 190.0]
    assert spread(free, slots, 200) == pytest.approx(free)
    assert spread([50.0, 50.0], [10.0, 10.0], 200) == pytest.approx([45.0, 55.0])


@pytest.mark.parametrize("families", [6, 60])
def test_labels_of_lines_have_room(families: int) -> None:
    spec = tpa.plot_weight_sensitivity(many(families)).to_dict()
    pixel = None
    for layer in marks(spec, "text"):
        rows = rows_of(spec, layer)
        if not rows or "label" not in rows[0] or layer["encoding"]["y"]["field"] != "label":
            continue
        low, high = layer["encoding"]["y"]["scale"]["domain"]
        pixel = (high - low) / spec["height"]
        places = sorted(row["label"] for row in rows)
        assert all(two - one > 15.5 * pixel for one, two in itertools.pairwise(places))
        assert low <= places[0] <= places[-1] <= high
    assert pixel


def test_of_many_lines_some_have_names_and_the_chart_says_so(real: tpa.TaskProfiles) -> None:
    for profiles in (real, many(60)):
        spec = tpa.plot_weight_sensitivity(profiles).to_dict()
        roles = [row["role"] for row in having(spec, "data_grade")]
        grey = roles.count("other")
        assert 0 < grey < len(roles)
        assert f"{grey} of {len(roles)} lines have no name" in everything(spec)
        named = {row["name"] for row in having(spec, "name", "above")}
        assert len(named) == len(roles) - grey


def test_every_figure_beside_a_line_is_said(sample: tpa.TaskProfiles) -> None:
    spec = tpa.plot_weight_sensitivity(sample).to_dict()
    ends = having(spec, "data_grade")
    beside = [row for layer in marks(spec, "text") for row in rows_of(spec, layer) if {"name", "figure"} <= set(row)]
    assert {row["name"].replace("\n", " ") for row in beside} == {row["job_family"] for row in ends}
    for row in ends:
        low, high = row["weight_low"], row["weight_high"]
        figures = {one["figure"] for one in beside if one["name"].replace("\n", " ") == row["job_family"]}
        assert figures == {f"{low:.2f}", f"{high:.2f}"}
        said = f"{row['job_family']} {low:.2f} at 0, {(low + high) / 2:.2f} at 0.50, {high:.2f} at 1"
        assert said in spec["description"]


def test_the_slider_starts_at_the_weight_in_use(sample: tpa.TaskProfiles) -> None:
    spec = tpa.plot_weight_sensitivity(sample, level_weights={"H1": 1, "H2": 0.25, "H3": 0}).to_dict()
    (slider,) = spec["params"]
    assert (slider["name"], slider["value"]) == ("weight_of_h2", 0.25)
    assert (slider["bind"]["input"], slider["bind"]["min"], slider["bind"]["max"]) == ("range", 0, 1)
    with pytest.raises(tpa.SchemaError, match="H2"):
        tpa.plot_weight_sensitivity(sample, level_weights={"H1": 1.0})


SOLID = [family_of(f, ("H1", a), ("H2", b), ("H3", 10.0 - a - b)) for f, a, b in [("A", 4.0, 1.0), ("B", 2.0, 6.0)]]

THROUGH_ONE_POINT = [("P", 5.0, 0.0, 5.0), ("Q", 4.0, 2.0, 4.0), ("R", 3.0, 4.0, 3.0)]


@pytest.mark.parametrize(
    ("jobs", "said"),
    [
        (SOLID, "The most exposed family changes where H2 counts 0.40: A below, B above"),
        ([SOLID[0]], "A: exposure 0.40 to 0.50, depending on how much a partly automatable task counts"),
        (
            [SOLID[0], family_of("C", ("H1", 9.0), ("H1", None), ("H1", None))],
            (
                "A: exposure 0.40 to 0.50, depending on how much a partly automatable task counts; "
                "too little is known of the others"
            ),
        ),
        (
            [SOLID[0], family_of("D", ("H1", 1.0), ("H3", 9.0))],
            "A has the highest exposure, whatever the weight of H2: 0.40 to 0.50",
        ),
        (
            [family_of(f, ("H1", a), ("H2", b), ("H3", c)) for f, a, b, c in THROUGH_ONE_POINT],
            "The most exposed family changes where H2 counts 0.50: P below, R above",
        ),
        (
            [SOLID[0], {**SOLID[0], "job_family": "E"}],
            "A and E have the highest exposure, whatever the weight of H2: 0.40 to 0.50",
        ),
        ([family_of(None, ("H1", 9.0))], "Too little is known to say which job family is most exposed"),
        ([family_of("A", ("H1", None))], "The exposure of A cannot be worked out: no task has hours above 0"),
        (
            [family_of("A", ("H4", 2.0))],
            "The exposure of A cannot be worked out: no task has a level with a weight",
        ),
        ([family_of("A")], "No task is described"),
    ],
)
def test_headlines_of_lines_are_true_whatever_is_missing(jobs: list[dict[str, Any]], said: str) -> None:
    assert title(tpa.plot_weight_sensitivity(profiles_of(jobs), privacy=None)) == said


def test_hidden_families_have_no_line_and_are_named_as_hidden() -> None:
    spec = tpa.plot_weight_sensitivity(with_small("Tiny", "Small", "Little")).to_dict()
    assert {row["job_family"] for row in having(spec, "data_grade")} == {"A", "B"}
    assert "Hidden, to protect small groups of jobs or people: Little, Small and Tiny." in everything(spec)
    assert {row["role"] for row in having(spec, "data_grade")} == {"leads"}  # A and B lie on each other
    everyone = tpa.plot_weight_sensitivity(with_small("Tiny", "Small", jobs=0)).to_dict()
    assert everyone["title"]["text"][0].startswith("Every job family is hidden")
    assert not [text for text in ("% of", "2 jobs", "2 tasks") if text in everything(everyone)]


# --- exposure by family


def test_dots_and_intervals_are_the_measures(company: tpa.TaskProfiles) -> None:
    spec = tpa.plot_exposure(company, rounds=100, seed=4).to_dict()
    rows = {row["job_family"]: row for row in having(spec, "interval_low", "inner_low")}
    exposure = tpa.exposure(company).filter(pl.col("exposure").is_not_null())
    both = exposure.join(tpa.exposure_ranking(company, rounds=100, seed=4), on="job_family")
    assert set(rows) == set(exposure["job_family"])
    for row in both.iter_rows(named=True):
        for name in (
            "exposure",
            "weight_low",
            "weight_high",
            "interval_low",
            "interval_high",
            "inner_low",
            "inner_high",
        ):
            assert rows[row["job_family"]][name] == pytest.approx(row[name])
        assert (rows[row["job_family"]]["dot"] == "grade C") == (row["data_grade"] == "C")
    bands = {row["job_family"]: (row["bound_low"], row["bound_high"]) for row in having(spec, "bound_low")}
    known = exposure.filter(pl.col("bound_low").is_not_null() & pl.col("bound_high").is_not_null())
    assert bands == {family: (low, high) for family, low, high in known["job_family", "bound_low", "bound_high"].rows()}


def test_every_figure_printed_beside_a_family_is_said(sample: tpa.TaskProfiles) -> None:
    spec = tpa.plot_exposure(sample, rounds=100).to_dict()
    for row in having(spec, "figure", "place"):
        said = next(part for part in spec["description"].split("; ") if f"{row['job_family']} {row['figure']}" in part)
        assert all(row[name] in said for name in ("held", "known", "place"))
    again = tpa.plot_exposure(sample, rounds=100).to_dict()
    assert again == spec
    assert tpa.plot_exposure(sample, rounds=100, seed=1).to_dict() != spec


def test_joined_families_overlap_and_all_that_overlap_are_joined(sample: tpa.TaskProfiles) -> None:
    ranks = tpa.exposure_ranking(sample, rounds=200)
    groups = ties(ranks)
    tied = {(family, other) for family, others in ranks.select("job_family", "tied_with").rows() for other in others}
    joined = {pair for group in groups for pair in itertools.permutations(group, 2)}
    assert joined == tied
    assert not [one for one in groups for two in groups if set(one) < set(two)]
    spec = tpa.plot_exposure(sample, rounds=200).to_dict()
    ends = [row for layer in marks(spec, "rule") for row in rows_of(spec, layer) if "last" in row]
    assert {(row["job_family"], row["last"]) for row in ends} == {(group[0], group[-1]) for group in groups}


def test_no_place_tells_of_a_hidden_family() -> None:
    jobs = [
        family_of(f, ("H1", 1.0 + i % 2), ("H3", 5.0 + n), headcount=2.0) for n, f in enumerate("AB") for i in range(6)
    ]
    small = [family_of(name, (level, 9.0)) for name, level in (("Tiny", "H1"), ("Wee", "H2"), ("Few", "H1"))] * 2
    beside = tpa.plot_exposure(profiles_of([*jobs, *small]), rounds=100).to_dict()
    alone = tpa.plot_exposure(profiles_of(jobs), rounds=100).to_dict()
    places = {row["job_family"]: row["place"] for row in having(beside, "place")}
    assert {places.pop(name) for name in ("Tiny", "Wee", "Few")} == {"·"}
    assert places == {row["job_family"]: row["place"] for row in having(alone, "place")}


@pytest.mark.parametrize(
    ("jobs", "said"),
    [
        ([SOLID[0]] * 5, "A: exposure 0.45 (95 % of resamples: 0.45)"),
        ([SOLID[0]], "A: exposure 0.45"),
        (
            [family_of("A", ("H1", 10.0), ("H2", 10.0), ("H3", 10.0), ("H3", None))],
            "A: exposure 0.50 (it can be 0.38 to 0.50)",
        ),
        (
            [*[SOLID[0]] * 5, *[{**SOLID[0], "job_family": "E"}] * 5],
            "A and E cannot be told apart as the most exposed: ",
        ),
        ([*[SOLID[0]] * 5, *[family_of("D", ("H3", 9.0))] * 5], "A is the most exposed family: 0.45 (95 % of res"),
        (
            [*[SOLID[0]] * 2, *[family_of("D", ("H3", 9.0))] * 5],
            "A has the highest exposure, 0.45; it has too few jobs",
        ),
        (
            [*[SOLID[0]] * 5, *[family_of("C", ("H1", 9.0), ("H1", None), ("H1", None))] * 5],
            "A: exposure 0.45 (95 % of resamples: 0.45); too little is known of the others to compare them",
        ),
        ([family_of("A", (None, 3.0))], "The exposure of A cannot be worked out"),
        ([family_of("A")], "No task is described"),
    ],
)
def test_headlines_of_exposure_are_true_whatever_is_missing(jobs: list[dict[str, Any]], said: str) -> None:
    jobs = [{**job, "tasks": [*job["tasks"]]} for job in jobs]
    assert title(tpa.plot_exposure(profiles_of(jobs), rounds=100, privacy=None)).startswith(said)


# --- exposure by job


def test_dots_stand_for_all_jobs_that_have_an_index(company: tpa.TaskProfiles) -> None:
    dots = having(tpa.plot_exposure_scatter(company).to_dict(), "long", "index")
    jobs = tpa.exposure_by_job(company).filter(pl.col("exposure").is_not_null())
    assert sum(row["jobs"] for row in dots) == jobs.height
    hollow = sum(row["jobs"] for row in dots if "grade C" in row["known"])
    assert hollow == jobs.filter(data_grade="C").height
    mean = sum(row["jobs"] * row["index"] for row in dots) / jobs.height
    assert mean == pytest.approx(jobs["exposure"].mean(), abs=0.003)
    staffed = jobs["headcount"].null_count() == 0
    people = jobs["headcount"].sum() if staffed else float(jobs.height)
    assert sum(row["many"] for row in dots) == pytest.approx(people, rel=0.001)


def test_lines_across_are_the_medians(sample: tpa.TaskProfiles) -> None:
    spec = tpa.plot_exposure_scatter(sample).to_dict()
    jobs = tpa.exposure_by_job(sample).filter(pl.col("exposure").is_not_null())
    across, upright = (rows_of(spec, layer)[0] for layer in marks(spec, "rule")[:2])
    assert across == {"index": jobs["exposure"].median()}
    assert upright == {"long": jobs["hours"].median()}


def test_few_families_have_a_panel_each_and_keep_their_jobs() -> None:
    spec = tpa.plot_exposure_scatter(many(6)).to_dict()
    panels = [panel for panel in spec["concat"] if any(layer["mark"]["type"] == "point" for layer in layers(panel))]
    assert len(panels) == 6
    jobs = []
    for panel in panels:
        rows = next(
            rows_of({**panel, "datasets": spec["datasets"]}, one)
            for one in layers(panel)
            if one["mark"]["type"] == "point"
        )
        jobs.append(sum(row["jobs"] for row in rows))
    assert jobs == [3] * 6


def test_thousands_of_jobs_stay_small() -> None:
    jobs = [
        family_of(f"F{i % 9}", ("H1", 1.0 + i * 7 % 31), ("H2", 1.0 + i * 13 % 17), ("H3", i * 11 % 29 + 0.5))
        for i in range(3000)
    ]
    spec = tpa.plot_exposure_scatter(profiles_of(jobs)).to_dict()
    assert sum(row["jobs"] for row in having(spec, "long", "index")) == 3000
    assert sum(map(len, spec["datasets"].values())) < 500
    assert len(json.dumps(spec["datasets"])) < 50_000


def test_jobs_have_names_only_when_asked_for(sample: tpa.TaskProfiles) -> None:
    names = set(sample.jobs["job_name"]) | set(sample.jobs["job_id"])
    unnamed = everything(tpa.plot_exposure_scatter(sample).to_dict())
    assert not [name for name in names if f'"{name}"' in unnamed]
    spec = tpa.plot_exposure_scatter(sample, names=True).to_dict()
    named = having(spec, "name")
    jobs = {row["job_name"]: row for row in tpa.exposure_by_job(sample).iter_rows(named=True)}
    assert named
    for row in named:
        assert (row["index"], row["long"]) == (jobs[row["name"]]["exposure"], jobs[row["name"]]["hours"])
        assert jobs[row["name"]]["data_grade"] != "C"
        assert f"{row['name']} {row['index']:.2f}, " in spec["description"]


def test_jobs_of_hidden_families_are_no_dots() -> None:
    for names in (False, True):
        spec = tpa.plot_exposure_scatter(with_small("Tiny", "Small", "Little"), names=names).to_dict()
        dots = [
            rows_of({**panel, "datasets": spec["datasets"]}, layer)
            for panel in spec["concat"]
            for layer in layers(panel)
        ]
        assert sum(row.get("jobs", 0) for rows in dots for row in rows) == 6
        text = everything(spec)
        assert "Hidden, to protect small groups of jobs or people: Little, Small and Tiny." in text
        assert not [figure for figure in ("77.2", "77.3", "61.5") if figure in text]


@pytest.mark.parametrize(
    ("jobs", "said"),
    [
        ([SOLID[0]] * 5, "Exposure of 8 in 10 of 5 jobs lies within 0.45; the median is 0.45"),
        (
            [*[SOLID[0]] * 5, family_of("C", ("H1", 9.0), ("H1", None), ("H1", None))],
            "Exposure of 8 in 10 of the 5 jobs of",
        ),
        ([SOLID[0]] * 4, "Too little is known to compare the exposure of single jobs"),
        ([family_of("A", (None, 3.0))], "The exposure of no job can be worked out"),
        ([family_of("A")], "No task is described"),
    ],
)
def test_headlines_of_jobs_are_true_whatever_is_missing(jobs: list[dict[str, Any]], said: str) -> None:
    assert title(tpa.plot_exposure_scatter(profiles_of(jobs), privacy=None)).startswith(said)
