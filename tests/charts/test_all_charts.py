"""A chart draws what the measure says, all of it and nothing else, at any number of families and with any names."""

from __future__ import annotations

import itertools
import json
import math
import re
from typing import TYPE_CHECKING, Any

import altair as alt
import polars as pl
import pytest
import vl_convert

import tpanalytics as tpa
from tests.helpers.companies import many
from tests.helpers.plots import FAMILY_ROWS, NAMELESS, PLOTS
from tests.helpers.random_profiles import profiles_of
from tpanalytics.charts._core.render import png
from tpanalytics.charts._core.theme import FONT, LEVEL_COLOURS, Chart, Panels
from tpanalytics.measures.privacy.policy import Privacy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

OFF = Privacy(min_jobs=0, min_headcount=0)
every_plot = pytest.mark.parametrize("plot", PLOTS.values(), ids=PLOTS)
#: The same charts by other weights and in other orders: one of them is enough where names and numbers of rows matter.
OTHER_WEIGHTS = [
    *("impact by tasks", "impact by headcount", "exposure of jobs", "candidates by headcount"),
    *("family overlap by tasks", "change of exposure", "moves by tasks"),
]
EACH = {name: plot for name, plot in PLOTS.items() if name not in OTHER_WEIGHTS}
each_chart = pytest.mark.parametrize("plot", EACH.values(), ids=EACH)
#: The two kinds there are: marks in layers, and panels beside each other.
either_kind = pytest.mark.parametrize("plot", [PLOTS["hours"], PLOTS["moves by tasks"]], ids=["layers", "panels"])
family_rows = pytest.mark.parametrize("plot", [PLOTS[name] for name in FAMILY_ROWS], ids=FAMILY_ROWS)


def layers(spec: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Give every single mark, of panels too, with the data it inherits."""
    parts = [part for key in ("layer", "concat", "hconcat", "vconcat") for part in spec.get(key, [])]
    for part in parts:
        inherited = {"data": spec["data"], **part} if "data" in spec else part
        yield from layers(inherited)
    if not parts:
        yield spec


def fields(value: Any) -> set[str]:
    if isinstance(value, dict):
        own = {value["field"]} if isinstance(value.get("field"), str) else set()
        texts = [text for key, text in value.items() if key in {"test", "calculate", "filter", "expr"}]
        tested = set(re.findall(r"datum\.(\w+)", " ".join(map(str, texts)))) - {"label", "value"}
        return own | tested | {field for part in value.values() for field in fields(part)}
    if isinstance(value, list):
        return {field for part in value for field in fields(part)}
    return set()


def rows_of(spec: dict[str, Any], layer: dict[str, Any]) -> list[dict[str, Any]]:
    data = layer["data"]
    rows: list[dict[str, Any]] = data["values"] if "values" in data else spec["datasets"][data["name"]]
    return rows


@pytest.fixture(scope="module", params=["sample", "real"])
def staffed(request: pytest.FixtureRequest) -> tpa.TaskProfiles:
    """Give each of the two companies, with people in its jobs."""
    company: tpa.TaskProfiles = request.getfixturevalue(request.param)
    if "headcount" in company.jobs.columns:
        return company
    return tpa.TaskProfiles(company.jobs.with_columns(headcount=2.0), company.tasks)


class Drawings:
    """Draws each chart of the same profiles once, for tests that only look at it."""

    def __init__(self) -> None:
        self._made: dict[Any, Any] = {}

    def chart(self, plot: Callable[..., Any], profiles: tpa.TaskProfiles) -> Any:
        key = plot, id(profiles)
        if key not in self._made:
            chart = plot(profiles)
            self._made[key] = chart, chart.to_dict(), profiles  # kept, so that no others take their id
        return self._made[key][0]

    def spec(self, plot: Callable[..., Any], profiles: tpa.TaskProfiles) -> dict[str, Any]:
        self.chart(plot, profiles)
        spec: dict[str, Any] = self._made[plot, id(profiles)][1]
        return spec


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
        steps = layer.get("transform", [])
        found = (fields(layer["encoding"]) | fields(steps)) - {step.get("as") for step in steps}
        assert found <= columns
        used.setdefault(layer["data"]["name"], set()).update(found)
    for name, found in used.items():
        assert set(spec["datasets"][name][0]) == found


# Six families are the most that have a panel of their jobs each.
@pytest.mark.parametrize(
    ("plot", "families"),
    [
        *(pytest.param(plot, n, id=f"{name}-{n}") for name, plot in EACH.items() for n in (1, 60)),
        pytest.param(PLOTS["exposure of jobs by name"], 6, id="exposure of jobs by name-6"),
    ],
)
def test_every_field_is_a_column_and_every_column_a_field(plot: Callable[..., Any], families: int) -> None:
    before = alt.theme.active, alt.renderers.active
    spec = plot(many(families)).to_dict()
    assert (alt.theme.active, alt.renderers.active) == before
    assert_fields_are_columns(spec)
    limit = 150_000 if families == 60 else 50_000
    assert len(json.dumps(spec["datasets"], ensure_ascii=False).encode()) < limit


@every_plot
def test_charts_stay_small_on_the_companies(
    plot: Callable[..., Any], staffed: tpa.TaskProfiles, drawn: Drawings
) -> None:
    spec = drawn.spec(plot, staffed)
    assert_fields_are_columns(spec)
    assert len(json.dumps(spec["datasets"], ensure_ascii=False).encode()) < 50_000


@pytest.mark.parametrize("weight", ["tasks", "hours", "headcount"])
def test_bars_are_the_measure(sample: tpa.TaskProfiles, weight: Any) -> None:
    spec = tpa.plot_impact(sample, weight=weight).to_dict()
    bars = rows_of(spec, next(layer for layer in layers(spec) if layer["mark"]["type"] == "bar"))
    impact = tpa.impact(sample, weight=weight).filter(pl.col("share") > 0)
    assert {(row["job_family"], row["level"]): row["share"] for row in bars} == {
        (family, level): share for family, level, share in impact.select("job_family", "level", "share").rows()
    }
    for family in impact["job_family"].unique():
        segments = [row for row in bars if row["job_family"] == family]
        assert segments[0]["level"] == "H1"
        assert segments[0]["start"] == 0.0
        assert math.isclose(segments[-1]["end"], 1.0)
        assert all(math.isclose(a["end"], b["start"]) for a, b in itertools.pairwise(segments))


def test_what_is_not_assessed_is_hatched(sample: tpa.TaskProfiles) -> None:
    spec = tpa.plot_impact(sample).to_dict()
    hatching = next(layer for layer in layers(spec) if layer["mark"]["type"] == "point")
    impact = tpa.impact(sample).filter(pl.col("level") == "not assessed", pl.col("share") > 0.02)
    assert {row["job_family"] for row in rows_of(spec, hatching)} >= set(impact["job_family"])


def test_families_come_in_order_of_what_is_asked(sample: tpa.TaskProfiles) -> None:
    spec = tpa.plot_impact(sample).to_dict()
    bars = next(layer for layer in layers(spec) if layer["mark"]["type"] == "bar")
    shares = dict(tpa.impact(sample).filter(level="H1").select("job_family", "share").rows())
    order = bars["encoding"]["y"]["sort"]
    assert order == sorted(shares, key=lambda family: (-shares[family], family))


def test_a_chart_says_its_numbers_to_those_who_cannot_see_it(sample: tpa.TaskProfiles) -> None:
    from tpanalytics.formatting import hours, percent

    impact = tpa.plot_impact(sample).to_dict()["description"]
    for family, share in tpa.impact(sample).filter(level="H1").select("job_family", "share").rows():
        assert f"{family} {percent(share)}" in impact
    assert "have hours" in impact
    spread = tpa.plot_hours(sample).to_dict()["description"]
    for family, median in tpa.hours(sample).select("job_family", "hours_p50").rows():
        assert f"{family} {hours(median)}" in spread


def test_a_family_of_which_little_is_known_is_no_headline() -> None:
    def family(name: str, level: str, gaps: int) -> dict[str, Any]:
        known = {"task_id": "t", "validation_state": "validated", "weekly_hours": 4.0, "ai_impact_level": level}
        tasks = [known, *[{**known, "weekly_hours": None}] * gaps]
        return {"job_family": name, "headcount": None, "contract_hours": None, "tasks": tasks}

    both = profiles_of([family("Thin", "H1", 5), family("Solid", "H2", 0)])
    chart = tpa.plot_impact(both, privacy=None)
    assert "Thin" not in " ".join(chart.to_dict()["title"]["text"])
    alone = tpa.plot_impact(profiles_of([family("Thin", "H1", 5)]), privacy=None)
    assert alone.to_dict()["title"]["text"] == ["Too little is known to compare the AI impact of job families"]


@every_plot
def test_no_jobs_and_no_tasks_say_so(plot: Callable[..., Any]) -> None:
    nothing = plot(profiles_of([])).to_dict()
    assert "No jobs" in nothing["title"]["text"][0]
    empty_job = {"job_family": "A", "headcount": 1.0, "contract_hours": None, "tasks": []}
    bare = plot(profiles_of([empty_job] * 5)).to_dict()
    assert bare["title"]["text"][0]
    for spec in (nothing, bare):
        assert spec["title"]["text"][0][:7] in vl_convert.vegalite_to_svg(spec)
    if "impact" in str(bare["title"].get("subtitle")):
        assert "no task described" in json.dumps(bare["datasets"])


def fonts(value: Any) -> set[str]:
    if isinstance(value, dict):
        own = {text for key, text in value.items() if key.lower().endswith("font") and isinstance(text, str)}
        return own | {font for key, part in value.items() if key != "datasets" for font in fonts(part)}
    return {font for part in value for font in fonts(part)} if isinstance(value, list) else set()


@every_plot
def test_all_text_is_in_the_font_that_comes_along(
    plot: Callable[..., Any], sample: tpa.TaskProfiles, drawn: Drawings
) -> None:
    assert fonts(drawn.spec(plot, sample)) == {FONT}


@either_kind
def test_text_is_in_the_picture(plot: Callable[..., Any], sample: tpa.TaskProfiles, drawn: Drawings) -> None:
    """A font that is not installed would make all text vanish without an error."""
    spec = drawn.spec(plot, sample)
    without = json.loads(json.dumps(spec).replace(json.dumps(FONT), '"No Such Font"'))
    assert len(png(spec, 1.0)) > 1.2 * len(png(without, 1.0))


@either_kind
def test_showing_a_chart_needs_no_script_and_changes_no_global(
    plot: Callable[..., Any], sample: tpa.TaskProfiles, drawn: Drawings
) -> None:
    before = alt.theme.active, alt.renderers.active
    chart = drawn.chart(plot, sample)
    bundle, metadata = chart._repr_mimebundle_()
    assert (alt.theme.active, alt.renderers.active) == before
    assert set(bundle) == {"image/png", "text/plain"}
    assert bundle["image/png"].startswith(b"\x89PNG")
    assert bundle["text/plain"] == chart.to_dict()["description"]
    assert 600 < metadata["image/png"]["width"] < 1200


def test_a_chart_can_be_restyled_as_any_other(sample: tpa.TaskProfiles) -> None:
    chart = tpa.plot_impact(sample)
    assert isinstance(chart, alt.LayerChart)
    restyled = chart.properties(title="Mine", width=300).configure_axis(labelColor="red")
    assert restyled.to_dict()["title"] == "Mine"
    assert set(restyled._repr_mimebundle_()[0]) == {"image/png", "text/plain"}


def test_repacking_keeps_every_pixel(sample: tpa.TaskProfiles) -> None:
    import struct
    import zlib

    def pixels(image: bytes) -> bytes:
        found, at = b"", 8
        while at < len(image):
            (length,) = struct.unpack(">I", image[at : at + 4])
            data, check = image[at + 4 : at + 8 + length], image[at + 8 + length : at + 12 + length]
            assert zlib.crc32(data) == struct.unpack(">I", check)[0]
            found += data[4:] if data[:4] == b"IDAT" else b""
            at += 12 + length
        return zlib.decompress(found)

    spec = tpa.plot_hours(sample).to_dict()
    plain = vl_convert.vegalite_to_png(spec, scale=1.0)
    assert pixels(png(spec, 1.0)) == pixels(plain)
    assert len(png(spec, 1.0)) < len(plain)


def luminance(colour: str) -> float:
    channels = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_levels_get_lighter_in_order_and_their_figures_can_be_read() -> None:
    lightness = [luminance(LEVEL_COLOURS[level]) for level in ("H1", "H2", "H3", "H4", "H5")]
    assert lightness == sorted(lightness)
    contrast = [
        (max(light, text) + 0.05) / (min(light, text) + 0.05)
        for light, text in zip(lightness, [1, 1, 0.01, 0.01, 0.01], strict=True)
    ]
    assert min(contrast) > 4.5


NAMES = [
    "constructor",
    "__proto__",
    "toString",
    "hasOwnProperty",
    "x\x07",
    "a\x00b",
    "line\x0bbreak",
    "\u2028",
    "\ufffe",
    "ok",
]


@pytest.mark.parametrize("name", EACH)
def test_no_name_breaks_a_picture(name: str) -> None:
    """Some would end the whole process in the renderer, others are words of the language charts are drawn in."""
    tasks = [
        {"task_id": odd, "validation_state": "validated", "weekly_hours": 2.0, "ai_impact_level": odd}
        for odd in ("H1", *NAMES)
    ]
    jobs = [{"job_family": odd, "headcount": 1.0, "contract_hours": 40.0, "tasks": tasks} for odd in NAMES]
    spec = PLOTS[name](profiles_of(jobs)).to_dict()
    picture = vl_convert.vegalite_to_svg(spec)
    if name not in NAMELESS:
        assert "constructor" in picture
        assert "line break" in picture
    assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\u2028\ufffe]", json.dumps(spec, ensure_ascii=False))


@each_chart
def test_many_families_and_jobs_stay_below_the_limit_of_rows(plot: Callable[..., Any]) -> None:
    crowd = many(110, jobs=4)
    rows = sum(len(rows) for rows in plot(crowd).to_dict()["datasets"].values())
    assert rows < 5000


def family_of(
    name: str | None, *tasks: tuple[str | None, float | None], headcount: float | None = 1.0
) -> dict[str, Any]:
    rows = [
        {"task_id": str(i), "validation_state": "validated", "weekly_hours": hours, "ai_impact_level": level}
        for i, (level, hours) in enumerate(tasks)
    ]
    return {"job_family": name, "headcount": headcount, "contract_hours": 40.0, "tasks": rows}


@pytest.mark.parametrize(
    ("jobs", "weight", "said"),
    [
        (
            [family_of("A", ("H1", None), ("H2", 5.0))],
            "hours",
            "What is rated H1, highly automatable, cannot be",
        ),
        ([family_of("A", (None, 3.0), (None, 5.0))], "hours", "AI impact cannot be shown: no task has a level"),
        ([family_of("A", ("H1", None))], "hours", "AI impact cannot be shown: no hours are known"),
        (
            [family_of("A", ("H1", 3.0), headcount=None)],
            "headcount",
            "AI impact cannot be shown: no hours with",
        ),
        ([family_of("A", ("H2", 3.0))], "tasks", "No task is rated H1"),
        (
            [family_of(None, ("H1", 3.0), ("H2", 1.0))],
            "hours",
            "75\xa0% of described weekly hours are highly",
        ),
        ([family_of(None, ("H1", 9.0)), family_of("A", ("H1", 1.0), ("H2", 1.0))], "hours", "A: 50\xa0% of described"),
        ([family_of("A")], "hours", "No task is described"),
    ],
)
def test_a_headline_is_true_whatever_is_missing(jobs: list[dict[str, Any]], weight: Any, said: str) -> None:
    chart = tpa.plot_impact(profiles_of(jobs), weight=weight, privacy=None)
    assert " ".join(chart.to_dict()["title"]["text"]).startswith(said)


def test_hours_of_a_family_full_of_gaps_are_no_headline(sample: tpa.TaskProfiles) -> None:
    title = " ".join(tpa.plot_hours(sample).to_dict()["title"]["text"])
    assert "Product Management" not in title
    assert "(no family)" not in title


#: Hours, levels and contracts of the hidden jobs; none of these figures may be in a chart, in whatever form.
CANARY = {"hours": 77.25, "level": "H3", "contract": 61.5}
FIGURES = ("77.2", "77.3", ": 77.0", "80.34", "61.5")  # one is the end of the axis they would need


def with_small(*small: str, jobs: int = 3) -> tpa.TaskProfiles:
    """Make a company of two usual families and small ones of one job each."""
    usual = [family_of(name, ("H1", 3.0), ("H2", 5.0 + i), headcount=4.0) for name in "AB" for i in range(jobs)]
    alone = [family_of(name, (CANARY["level"], CANARY["hours"]), headcount=2.0) for name in small]
    return profiles_of([*usual, *({**job, "contract_hours": CANARY["contract"]} for job in alone)])


@family_rows
def test_a_hidden_family_keeps_its_row_and_tells_nothing(plot: Callable[..., Any]) -> None:
    spec = plot(with_small("Tiny", "Small", "Little")).to_dict()
    rows = [row for rows in spec["datasets"].values() for row in rows if row.get("job_family") in {"Tiny", "Small"}]
    assert {row["job_family"] for row in rows} == {"Tiny", "Small"}
    assert {value for row in rows for key, value in row.items() if key != "job_family"} == {
        "\u00b7",
        "hidden to protect small groups of jobs or people",
    }
    text = json.dumps(spec, ensure_ascii=False)
    assert "3 of 5 job families are suppressed: fewer than 3 jobs or 5 people" in text
    assert "Hidden, to protect small groups of jobs or people: Little, Small and Tiny." in spec["description"]
    assert not [figure for figure in FIGURES if figure in text]
    order = next(layer["encoding"]["y"]["sort"] for layer in layers(spec) if "sort" in layer["encoding"].get("y", {}))
    assert order[-3:] == ["Little", "Small", "Tiny"]
    assert vl_convert.vegalite_to_svg(spec).count("\u00b7") >= 9


@family_rows
def test_the_next_smallest_hides_with_a_single_one(plot: Callable[..., Any]) -> None:
    spec = plot(with_small("Tiny")).to_dict()
    assert "2 of 3 job families are suppressed" in json.dumps(spec)
    assert "Hidden, to protect small groups of jobs or people: A and Tiny." in spec["description"]


@family_rows
def test_where_everything_is_hidden_no_total_tells_it(plot: Callable[..., Any]) -> None:
    spec = plot(with_small("Tiny", "Small", jobs=0)).to_dict()
    assert spec["title"]["text"] == ["Every job family is hidden: its figures tell of too few jobs or people"]
    assert spec["title"]["subtitle"].endswith("2 job families")
    text = json.dumps(spec)
    assert not [said for said in (*FIGURES, '"H3"', "% of", "a level", "2 jobs", "2 tasks") if said in text]
    assert spec["title"]["text"][0] in vl_convert.vegalite_to_svg(spec)


def test_headlines_speak_of_the_families_shown() -> None:
    title = tpa.plot_impact(with_small("Tiny", "Small", "Little")).to_dict()["title"]["text"]
    assert " ".join(title).startswith("A has the largest highly automatable share of the families shown: ")
    quiet = profiles_of(
        [*([family_of(f, ("H2", 3.0), headcount=4.0) for f in "AAABBB"]), *[family_of(f, ("H1", 9.0)) for f in "TU"]]
    )
    assert "No task of the families shown is rated H1" in json.dumps(tpa.plot_impact(quiet).to_dict()["title"])


def test_hiding_is_switched_off_explicitly() -> None:
    company = with_small("Tiny", "Small", "Little")
    for plot in (tpa.plot_hours, tpa.plot_impact):
        assert "77.2" in json.dumps(plot(company, privacy=None).to_dict())
        assert plot(company, privacy=None).to_dict() == plot(company, privacy=OFF).to_dict()
        assert "hidden" not in json.dumps(plot(company, privacy=Privacy(min_jobs=1, min_headcount=2)).to_dict())


@every_plot
def test_charts_of_the_companies_hide_nothing(
    plot: Callable[..., Any], staffed: tpa.TaskProfiles, drawn: Drawings
) -> None:
    assert "hidden" not in json.dumps(drawn.spec(plot, staffed))


@every_plot
def test_the_variant_for_paper_has_black_ink_greys_and_the_same_marks(
    plot: Callable[..., Any], sample: tpa.TaskProfiles, drawn: Drawings, monkeypatch: pytest.MonkeyPatch
) -> None:
    chart, spec = drawn.chart(plot, sample), drawn.spec(plot, sample)
    assert type(chart) in {Chart, Panels}, "how others show themselves is not tested"
    # To read a specification back is Altair's, and takes long; below it is done for either kind.
    monkeypatch.setattr(type(chart), "from_dict", lambda printed: printed)
    printed = tpa.for_print(chart)
    assert printed["datasets"] == spec["datasets"]
    assert "bind" not in json.dumps(printed)
    assert {layer["mark"].get("opacity", 1) for layer in layers(printed)} <= {0, 1}, "paper shines through"
    marks = {key: part for key, part in printed.items() if key != "datasets"}
    colours = set(re.findall(r"#[0-9A-Fa-f]{6}\b", json.dumps(marks)))
    spread = {c: max(channels) - min(channels) for c in colours if (channels := bytes.fromhex(c[1:]))}
    strong = {c for c, apart in spread.items() if apart > 16}
    assert not {c for c in strong if luminance(c) < 0.6}, "a colour that is neither a grey nor a faint ground"
    width = re.match(r'<svg[^>]* width="([\d.]+)"', vl_convert.vegalite_to_svg(printed))
    assert width
    assert 600 < float(width[1]) < 1200


@either_kind
def test_the_variant_for_paper_is_a_chart_of_the_same_kind(
    plot: Callable[..., Any], sample: tpa.TaskProfiles, drawn: Drawings
) -> None:
    printed = tpa.for_print(drawn.chart(plot, sample))
    assert type(printed) is type(drawn.chart(plot, sample))
    assert printed.to_dict()["datasets"] == drawn.spec(plot, sample)["datasets"]
    assert set(printed._repr_mimebundle_()[0]) == {"image/png", "text/plain"}


def test_only_a_chart_is_printed() -> None:
    with pytest.raises(tpa.ShareError, match="DataFrame is no chart"):
        tpa.for_print(pl.DataFrame())  # type: ignore[type-var]
