"""Properties of every chart, for any number of families and any names."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import TYPE_CHECKING, Any

import altair as alt
import polars as pl
import pytest
import vl_convert

import tpanalytics as tpa
from tests.helpers.chart_specs import (
    ALL_SUPPRESSED,
    CANARY_FIGURES,
    NOTHING_SHOWN,
    RESERVED_NAMES,
    company_with_small_families,
    fields,
    layers,
    luminance,
    rows_of,
    text_of,
)
from tests.helpers.companies import many
from tests.helpers.plots import FAMILY_ROWS, NAMELESS, PLOTS, fragmentation
from tests.helpers.random_profiles import profiles_of
from tpanalytics.charts._core.render import png
from tpanalytics.charts._core.theme import FONT, Chart, Panels
from tpanalytics.measures._core.cache import with_cache

if TYPE_CHECKING:
    from collections.abc import Callable

#: Variants of charts by weight or measure. Testing one variant is enough where only names and row counts matter.
OTHER_WEIGHTS = [
    *("impact by tasks", "impact by headcount", "exposure of jobs", "candidates by headcount"),
    *("family overlap by tasks", "change of exposure", "moves by tasks", "skills by family"),
]
EACH = {name: plot for name, plot in PLOTS.items() if name not in OTHER_WEIGHTS}
every_plot = pytest.mark.parametrize(
    "plot",
    [pytest.param(plot, id=name, marks=[pytest.mark.slow] * (name not in EACH)) for name, plot in PLOTS.items()],
)
each_chart = pytest.mark.parametrize("plot", EACH.values(), ids=EACH)
#: A layered chart and a chart with panels.
layers_and_panels = pytest.mark.parametrize("plot", [PLOTS["hours"], PLOTS["moves by tasks"]], ids=["layers", "panels"])
family_rows = pytest.mark.parametrize("plot", [PLOTS[name] for name in FAMILY_ROWS], ids=FAMILY_ROWS)


@pytest.fixture(scope="module", params=["sample", pytest.param("real", marks=pytest.mark.slow)])
def staffed(request: pytest.FixtureRequest) -> tpa.TaskProfiles:
    """Return each company with a headcount for its jobs."""
    company: tpa.TaskProfiles = request.getfixturevalue(request.param)
    if "headcount" in company.jobs.columns:
        return company
    return tpa.TaskProfiles(company.jobs.with_columns(headcount=2.0), company.tasks)


class Drawings:
    """Draw each chart of the same profiles once, for tests that only read it."""

    def __init__(self) -> None:
        self._charts: dict[Any, Any] = {}

    def chart(self, plot: Callable[..., Any], profiles: tpa.TaskProfiles) -> Any:
        key = plot, id(profiles)
        if key not in self._charts:
            chart = plot(profiles)
            self._charts[key] = chart, chart.to_dict(), profiles  # a reference, so that the id stays unique
        return self._charts[key][0]

    def spec(self, plot: Callable[..., Any], profiles: tpa.TaskProfiles) -> dict[str, Any]:
        self.chart(plot, profiles)
        spec: dict[str, Any] = self._charts[plot, id(profiles)][1]
        return spec


@pytest.fixture(scope="module")
def finance(sample: tpa.TaskProfiles) -> tpa.TaskProfiles:
    """Return a family of the sample, which is faster to render."""
    return with_cache(sample.filter(job_family="Finance"))


@pytest.fixture(scope="module")
def drawn() -> Drawings:
    return Drawings()


def assert_fields_are_columns(spec: dict[str, Any]) -> None:
    used: dict[str, set[str]] = {}
    for layer in layers(spec):
        rows = rows_of(spec, layer)
        if not rows or rows == [{}]:
            continue
        columns = set(rows[0])
        transforms = layer.get("transform", [])
        encoded = (fields(layer["encoding"]) | fields(transforms)) - {transform.get("as") for transform in transforms}
        assert encoded <= columns
        used.setdefault(layer["data"]["name"], set()).update(encoded)
    for name, encoded in used.items():
        assert set(spec["datasets"][name][0]) == encoded


@cache
def company_of(families: int) -> tpa.TaskProfiles:
    return with_cache(many(families))


# Six families are the maximum with a panel each.
@pytest.mark.parametrize(
    ("plot", "families"),
    [
        *(pytest.param(plot, n, id=f"{name}-{n}") for name, plot in EACH.items() for n in (1, 60)),
        pytest.param(PLOTS["exposure of jobs by name"], 6, id="exposure of jobs by name-6"),
    ],
)
def test_every_field_is_a_column_and_every_column_is_used(plot: Callable[..., Any], families: int) -> None:
    before = alt.theme.active, alt.renderers.active
    spec = plot(company_of(families)).to_dict()
    assert (alt.theme.active, alt.renderers.active) == before
    assert_fields_are_columns(spec)
    limit = 150_000 if families == 60 else 50_000
    assert len(text_of(spec["datasets"]).encode()) < limit


@pytest.mark.slow
@every_plot
def test_specifications_stay_small(plot: Callable[..., Any], staffed: tpa.TaskProfiles, drawn: Drawings) -> None:
    spec = drawn.spec(plot, staffed)
    assert_fields_are_columns(spec)
    # There are up to 100 points in each of up to 24 panels.
    panels = (PLOTS["exposure curve by family"], PLOTS["concentration by family"])
    limit = 100_000 if plot in panels else 50_000
    assert len(text_of(spec["datasets"]).encode()) < limit


@pytest.mark.slow
@each_chart
def test_many_families_and_jobs_stay_below_the_row_limit(plot: Callable[..., Any]) -> None:
    rows = sum(len(rows) for rows in plot(many(110, jobs=4)).to_dict()["datasets"].values())
    assert rows < 5000


@every_plot
def test_profiles_without_jobs_or_tasks_are_drawn_with_a_title(plot: Callable[..., Any]) -> None:
    no_jobs = plot(profiles_of([])).to_dict()
    assert "No jobs" in no_jobs["title"]["text"][0]
    job = {"job_family": "A", "headcount": 1.0, "contract_hours": None, "tasks": []}
    no_tasks = plot(profiles_of([job] * 5)).to_dict()
    assert no_tasks["title"]["text"][0]
    for spec in (no_jobs, no_tasks):
        assert spec["title"]["text"][0][:7] in vl_convert.vegalite_to_svg(spec)
    if "impact" in str(no_tasks["title"].get("subtitle")):
        assert "no tasks" in json.dumps(no_tasks["datasets"])


def fonts(value: Any) -> set[str]:
    if isinstance(value, dict):
        own = {text for key, text in value.items() if key.lower().endswith("font") and isinstance(text, str)}
        return own | {font for key, part in value.items() if key != "datasets" for font in fonts(part)}
    return {font for part in value for font in fonts(part)} if isinstance(value, list) else set()


@every_plot
def test_all_text_uses_the_bundled_font(plot: Callable[..., Any], sample: tpa.TaskProfiles, drawn: Drawings) -> None:
    assert fonts(drawn.spec(plot, sample)) == {FONT}


@layers_and_panels
def test_text_is_rendered(plot: Callable[..., Any], finance: tpa.TaskProfiles, drawn: Drawings) -> None:
    # The renderer drops text in a missing font without an error.
    spec = drawn.spec(plot, finance)
    without = json.loads(json.dumps(spec).replace(json.dumps(FONT), '"No Such Font"'))
    assert len(png(spec, 1.0)) > 1.2 * len(png(without, 1.0))


@layers_and_panels
def test_charts_display_as_png_without_changing_global_settings(
    plot: Callable[..., Any], finance: tpa.TaskProfiles, drawn: Drawings
) -> None:
    before = alt.theme.active, alt.renderers.active
    chart = drawn.chart(plot, finance)
    bundle, metadata = chart._repr_mimebundle_()
    assert (alt.theme.active, alt.renderers.active) == before
    assert set(bundle) == {"image/png", "text/plain"}
    assert bundle["image/png"].startswith(b"\x89PNG")
    assert bundle["text/plain"] == chart.to_dict()["description"]
    assert 600 < metadata["image/png"]["width"] < 1200


def test_charts_can_be_customized(finance: tpa.TaskProfiles) -> None:
    chart = tpa.plot_impact(finance)
    assert isinstance(chart, alt.LayerChart)
    customized = chart.properties(title="Mine", width=300).configure_axis(labelColor="red")
    assert customized.to_dict()["title"] == "Mine"
    assert set(customized._repr_mimebundle_()[0]) == {"image/png", "text/plain"}


def test_compressing_a_png_keeps_every_pixel(finance: tpa.TaskProfiles) -> None:
    import struct
    import zlib

    def pixels(image: bytes) -> bytes:
        data_chunks, at = b"", 8
        while at < len(image):
            (length,) = struct.unpack(">I", image[at : at + 4])
            data, check = image[at + 4 : at + 8 + length], image[at + 8 + length : at + 12 + length]
            assert zlib.crc32(data) == struct.unpack(">I", check)[0]
            data_chunks += data[4:] if data[:4] == b"IDAT" else b""
            at += 12 + length
        return zlib.decompress(data_chunks)

    spec = tpa.plot_hours(finance).to_dict()
    uncompressed = vl_convert.vegalite_to_png(spec, scale=1.0)
    compressed = png(spec, 1.0)
    assert pixels(compressed) == pixels(uncompressed)
    assert len(compressed) < len(uncompressed)


@pytest.mark.parametrize("name", EACH)
def test_reserved_names_and_control_characters_are_drawn(name: str) -> None:
    tasks = [
        {"task_id": text, "validation_state": "validated", "weekly_hours": 2.0, "ai_impact_level": text}
        for text in ("H1", *RESERVED_NAMES)
    ]
    jobs = [{"job_family": text, "headcount": 1.0, "contract_hours": 40.0, "tasks": tasks} for text in RESERVED_NAMES]
    spec = PLOTS[name](profiles_of(jobs)).to_dict()
    picture = vl_convert.vegalite_to_svg(spec)
    if name not in NAMELESS:
        assert "constructor" in picture
        assert "line break" in picture
    assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\u2028\ufffe]", text_of(spec))


@family_rows
def test_suppressed_families_keep_a_row_without_figures(plot: Callable[..., Any]) -> None:
    spec = plot(company_with_small_families("Tiny", "Small", "Little")).to_dict()
    rows = [row for rows in spec["datasets"].values() for row in rows if row.get("group") in {"Tiny", "Small"}]
    assert {row["group"] for row in rows} == {"Tiny", "Small"}
    assert {value for row in rows for key, value in row.items() if key != "group"} == {
        "\u00b7",
        "suppressed (small group)",
    }
    text = text_of(spec)
    assert "3 of 5 job families are suppressed: fewer than 3 jobs or 5 people" in text
    assert "Suppressed (small group): Little, Small and Tiny." in spec["description"]
    assert not [figure for figure in CANARY_FIGURES if figure in text]
    order = next(layer["encoding"]["y"]["sort"] for layer in layers(spec) if "sort" in layer["encoding"].get("y", {}))
    assert order[-3:] == ["Little", "Small", "Tiny"]
    assert vl_convert.vegalite_to_svg(spec).count("\u00b7") >= 9


@pytest.mark.parametrize("plot", [tpa.plot_overlap, fragmentation])
def test_suppressed_families_keep_their_position_without_figures(plot: Any) -> None:
    company = company_with_small_families("Tiny", "Small", "Little")
    spec = plot(company).to_dict()
    text = text_of(spec)
    assert "3 of 5 job families are suppressed: fewer than 3 jobs or 5 people" in text
    assert "Suppressed (small group): Little, Small and Tiny." in spec["description"]
    assert not [figure for figure in CANARY_FIGURES if figure in text]
    assert text.index("Little") < text.index("Small") < text.index("Tiny")
    assert "uppressed" not in json.dumps(plot(company, privacy=None).to_dict())


@family_rows
def test_a_single_small_family_is_suppressed_with_the_next_smallest(plot: Callable[..., Any]) -> None:
    spec = plot(company_with_small_families("Tiny")).to_dict()
    assert "2 of 3 job families are suppressed" in json.dumps(spec)
    assert "Suppressed (small group): A and Tiny." in spec["description"]


@family_rows
def test_totals_are_not_shown_if_all_families_are_suppressed(plot: Callable[..., Any]) -> None:
    spec = plot(company_with_small_families("Tiny", "Small", jobs=0)).to_dict()
    assert spec["title"]["text"] == [ALL_SUPPRESSED]
    assert spec["title"]["subtitle"].endswith("2 job families")
    assert_no_totals(spec)
    assert spec["title"]["text"][0] in vl_convert.vegalite_to_svg(spec)


@pytest.mark.parametrize("plot", [tpa.plot_concentration, tpa.plot_overlap, fragmentation])
def test_company_charts_show_nothing_if_all_families_are_suppressed(plot: Any) -> None:
    spec = plot(company_with_small_families("Tiny", "Small", jobs=0)).to_dict()
    assert spec["title"]["text"] == [NOTHING_SHOWN[plot is tpa.plot_concentration]]
    assert_no_totals(spec)


def assert_no_totals(spec: dict[str, Any]) -> None:
    text = json.dumps(spec)
    totals = (*CANARY_FIGURES, '"H3"', "% of", "have a level", "2 jobs", "2 tasks")
    assert not [total for total in totals if total in text]


def test_privacy_none_shows_all_families() -> None:
    company = company_with_small_families("Tiny", "Small", "Little")
    off = tpa.Privacy(min_jobs=0, min_headcount=0)
    for plot in (tpa.plot_hours, tpa.plot_impact):
        spec = plot(company, privacy=None).to_dict()
        assert "77.2" in json.dumps(spec)
        assert spec == plot(company, privacy=off).to_dict()
        lenient = tpa.Privacy(min_jobs=1, min_headcount=2)
        assert "uppressed" not in json.dumps(plot(company, privacy=lenient).to_dict())


@every_plot
def test_no_family_of_the_companies_is_suppressed(
    plot: Callable[..., Any], staffed: tpa.TaskProfiles, drawn: Drawings
) -> None:
    assert "families are suppressed" not in json.dumps(drawn.spec(plot, staffed))


@every_plot
def test_print_versions_have_black_ink_greys_and_the_same_marks(
    plot: Callable[..., Any], sample: tpa.TaskProfiles, drawn: Drawings, monkeypatch: pytest.MonkeyPatch
) -> None:
    chart, spec = drawn.chart(plot, sample), drawn.spec(plot, sample)
    assert type(chart) in {Chart, Panels}, "only these classes are tested below"
    # Writing and reading the specification takes long, and is tested below for both classes of charts.
    monkeypatch.setattr(type(chart), "to_dict", lambda _: spec)
    monkeypatch.setattr(type(chart), "from_dict", lambda printed: printed)
    printed = tpa.for_print(chart)
    assert printed["datasets"] == spec["datasets"]
    assert "bind" not in json.dumps(printed)
    assert {layer["mark"].get("opacity", 1) for layer in layers(printed)} <= {0, 1}
    marks = {key: part for key, part in printed.items() if key != "datasets"}
    colours = set(re.findall(r"#[0-9A-Fa-f]{6}\b", json.dumps(marks)))
    spread = {c: max(channels) - min(channels) for c in colours if (channels := bytes.fromhex(c[1:]))}
    assert not {c for c, difference in spread.items() if difference > 16 and luminance(c) < 0.6}
    width = re.match(r'<svg[^>]* width="([\d.]+)"', vl_convert.vegalite_to_svg(printed))
    assert width
    assert 600 < float(width[1]) < 1200


@layers_and_panels
def test_print_versions_are_charts_of_the_same_class(
    plot: Callable[..., Any], finance: tpa.TaskProfiles, drawn: Drawings
) -> None:
    printed = tpa.for_print(drawn.chart(plot, finance))
    assert type(printed) is type(drawn.chart(plot, finance))
    assert printed.to_dict()["datasets"] == drawn.spec(plot, finance)["datasets"]
    assert set(printed._repr_mimebundle_()[0]) == {"image/png", "text/plain"}


def test_printing_something_else_than_a_chart_raises() -> None:
    with pytest.raises(tpa.ShareError, match="must be a chart returned by a plot_ function, not DataFrame"):
        tpa.for_print(pl.DataFrame())  # type: ignore[type-var]
