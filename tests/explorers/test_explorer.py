"""The explorer without a browser: what its states show, what it hands over, and what it never tells."""

from __future__ import annotations

import asyncio
import json
import re
from threading import Thread, get_ident
from time import sleep
from typing import TYPE_CHECKING, Any, NamedTuple

import altair as alt
import polars as pl
import pytest

import tpanalytics as tpa
from tests.helpers.companies import many
from tpanalytics.explorers.state import START
from tpanalytics.explorers.static_page import _reachable_states
from tpanalytics.schema import COUNTED_STATES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MARKER = "CANARY-7f3a"


FAMILIES = ["Finance", "Sales", "Procurement", "Manufacturing", "Human Resources"]


@pytest.fixture(scope="module")
def company() -> tuple[tpa.TaskProfiles, tpa.TaskProfiles]:
    """Give a few jobs of a few families, half a year apart."""
    then, now = tpa.load_sample("2026-05"), tpa.load_sample("2026-11")
    jobs = now.jobs.filter(pl.col("job_family").is_in(FAMILIES)).filter(pl.int_range(pl.len()).over("job_family") < 6)
    small = [
        tpa.TaskProfiles(*(table.join(jobs, on="job_id", how="semi") for table in (one.jobs, one.tasks)))
        for one in (then, now)
    ]
    return small[0], small[1]


@pytest.fixture
def after(company: tuple[tpa.TaskProfiles, tpa.TaskProfiles]) -> tpa.TaskProfiles:
    return company[1]


@pytest.fixture
def explorer(company: tuple[tpa.TaskProfiles, tpa.TaskProfiles]) -> tpa.Explorer:
    return tpa.explore(company[1], company[0])


def report(explorer: tpa.Explorer, name: str, value: Any) -> None:
    """Do what a browser does when something is moved in the chart."""
    chart = explorer._chart
    values = chart.params["values"] if chart.params.get("revision") == chart.revision else {}
    chart.params = {"revision": chart.revision, "values": {**values, name: value}}


def move_in_chart(explorer: tpa.Explorer, weight: float) -> None:
    """Do what a browser does when the slider in the chart is moved."""
    report(explorer, "weight_of_h2", weight)


def control(explorer: tpa.Explorer, name: str) -> Any:
    return explorer._control_bar.controls[name].widget


def spec(explorer: tpa.Explorer) -> dict[str, Any]:
    found: dict[str, Any] = explorer._chart.spec
    return found


def states(explorer: tpa.Explorer) -> Iterator[dict[str, Any]]:
    """Go through every state its buttons reach, and to the tasks of one job."""
    begun = explorer.state
    yield from _reachable_states(explorer._facts, begun, jobs=False)
    job = explorer._facts.visible_jobs("Finance", COUNTED_STATES)[0][1]
    for search in ("", "report"):
        yield {**begun, "view": "tasks", "search": search}
    yield {**begun, "view": "tasks", "family": "Finance"}
    for rationales in (False, True):
        yield {**begun, "view": "tasks", "family": "Finance", "job": job, "rationales": rationales}
    yield {**begun, "families": ["Sales", "Finance"]}
    yield {**begun, "show": "weights", "level_weights": {"H1": 0.9, "H2": 0.25, "H4": 0.1}}
    yield {**begun, "picked": ["Finance"]}


class Shown(NamedTuple):
    """What an explorer shows and hands over in one of its states."""

    state: dict[str, Any]
    code: str
    spec: dict[str, Any]
    selected: pl.DataFrame
    controls: dict[str, list[str]]


@pytest.fixture(scope="module")
def marked(company: tuple[tpa.TaskProfiles, tpa.TaskProfiles]) -> list[tpa.TaskProfiles]:
    """Give both snapshots with a mark in every rationale."""
    why = pl.lit(MARKER).alias("ai_impact_rationale")
    return [tpa.TaskProfiles(one.jobs, one.tasks.with_columns(why), one.manifest) for one in company]


@pytest.fixture(scope="module")
def walked(marked: list[tpa.TaskProfiles]) -> list[Shown]:
    """Go through all states once; drawing them takes long."""
    explorer = tpa.explore(marked[1], marked[0])
    found = []
    for state in states(explorer):
        explorer.state = state
        shown = {
            name: one.widget
            for name, one in explorer._control_bar.controls.items()
            if one.widget in explorer._control_bar.children
        }
        assert len(shown) == len(explorer._control_bar.children)
        controls = {name: labels(widget) for name, widget in shown.items()}
        found.append(Shown(explorer.state, explorer.code(), {**spec(explorer)}, explorer.selected, controls))
    return found


def labels(widget: Any) -> list[str]:
    inner = getattr(widget, "children", ())
    return [text for child in inner for text in labels(child)] if inner else [widget.description]


def test_the_python_gives_chart_and_table_of_every_state(walked: list[Shown], marked: list[tpa.TaskProfiles]) -> None:
    different = {shown.code: shown for shown in walked}
    for code, shown in different.items():
        made: dict[str, Any] = dict(zip(("before", "profiles"), marked, strict=True))
        exec(code, made)
        ours = [param for param in shown.spec.get("params", []) if param["name"] != "picked"]
        drawn = made["chart"].to_dict()
        assert drawn["datasets"] == shown.spec["datasets"], code
        assert drawn["title"] == {key: what for key, what in shown.spec["title"].items() if key != "offset"}
        assert drawn.get("params", []) == ours
        assert made["table"].equals(shown.selected)
        assert isinstance(shown.selected, pl.DataFrame)
    assert len(different) > 25


def test_the_python_loads_nothing_that_may_be_other_than_what_is_shown() -> None:
    """Profiles made from the sample say that they come from it, whatever was done to them."""
    finance = tpa.filter_jobs(tpa.load_sample(), job_family="Finance")
    code = tpa.explore(finance).code()
    assert "load_sample" not in code
    made: dict[str, Any] = {"profiles": finance}
    exec(code, made)
    assert set(made["table"]["job_family"]) == {"Finance"}


def test_a_state_goes_through_json_and_back(
    explorer: tpa.Explorer, company: tuple[tpa.TaskProfiles, tpa.TaskProfiles]
) -> None:
    explorer.state = {"view": "hours", "families": ["Finance", "Sales"], "states": ["validated"]}
    kept = json.loads(json.dumps(explorer.state))
    again = tpa.explore(company[1], company[0], state=kept)
    assert again.state == explorer.state
    assert again.code() == explorer.code()
    assert spec(again) == spec(explorer)
    assert control(again, "families").value == ("Finance", "Sales")
    assert control(again, "states").value == ("validated",)


def test_a_state_that_is_handed_out_is_a_copy(explorer: tpa.Explorer) -> None:
    explorer.state["families"].append("Finance")
    explorer.state["level_weights"]["H1"] = 0.0
    assert explorer.state["families"] == []
    assert explorer.state["level_weights"] == START["level_weights"]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"wieght": "tasks"}, "no entry 'wieght'; did you mean 'weight'"),
        ({"weight": "people"}, "weight='people'; choose from tasks, hours, headcount"),
        ({"families": ["Finanz"]}, r"'Finanz' is not a job family \(did you mean 'Finance'\?\)"),
        ({"families": "Finance"}, "give a list of names"),
        ({"family": "Nowhere"}, "'Nowhere' is not a job family"),
        ({"level_weights": {"H1": 2}}, "must be a number from 0 to 1"),
        ({"states": ["rejected"]}, "are never counted"),
        ({"states": ["draft"]}, "no task is 'draft'"),
        ({"search": 3}, "search is a text"),
    ],
)
def test_a_state_that_cannot_be_is_refused_and_nothing_moves(
    explorer: tpa.Explorer, wrong: dict[str, Any], said: str
) -> None:
    before, drawn = explorer.state, spec(explorer)
    with pytest.raises(tpa.SchemaError, match=said):
        explorer.state = wrong
    assert explorer.state == before
    assert spec(explorer) == drawn
    assert control(explorer, "weight").value == before["weight"]


def test_one_snapshot_has_no_view_of_change(after: tpa.TaskProfiles) -> None:
    alone = tpa.explore(after)
    assert [label for label, _ in control(alone, "view").options] == ["AI impact", "Weekly hours", "Tasks"]
    with pytest.raises(tpa.SchemaError, match="view='compare'; choose from impact, hours, tasks"):
        alone.state = {"view": "compare"}


def test_every_control_moves_the_state_and_what_is_shown(explorer: tpa.Explorer) -> None:
    moves = [
        ("weight", "tasks"),
        ("states", ("validated",)),
        ("families", ("Finance", "Sales")),
        ("show", "weights"),
        ("view", "hours"),
        ("view", "tasks"),
        ("search", "invoice"),
        ("family", "Finance"),
        ("view", "compare"),
        ("change", "moves"),
        ("counted", "hours"),
        ("change", "families"),
        ("value", "exposure"),
        ("change", "bridge"),
        ("level", "H2"),
    ]
    for name, value in moves:
        before = spec(explorer)
        control(explorer, name).value = value
        assert spec(explorer) != before, name
        assert explorer.state[name] == (list(value) if isinstance(value, tuple) else value)
    explorer.state = {"view": "impact", "show": "weights"}
    before = spec(explorer)
    explorer._control_bar.controls["level_weights"]._sliders["H4"].value = 0.2
    assert explorer.state["level_weights"] == {"H1": 1.0, "H2": 0.5, "H3": 0.0, "H4": 0.2}
    assert spec(explorer) != before


def test_only_controls_that_matter_are_there_and_each_has_a_label(walked: list[Shown], explorer: tpa.Explorer) -> None:
    names = {name for name, choices in explorer._facts.options(COUNTED_STATES).items() if len(choices) > 1}
    for shown in walked:
        assert all(texts and all(texts) for texts in shown.controls.values())
        level_weights = shown.state["view"] == "impact" and shown.state["show"] == "weights"
        assert ("level_weights" in shown.controls) == level_weights
    assert names - {"view"} <= {name for shown in walked for name in shown.controls}


def test_what_was_moved_in_the_chart_is_known_and_stays(explorer: tpa.Explorer) -> None:
    explorer.state = {"show": "weights"}
    drawn = spec(explorer)
    move_in_chart(explorer, 0.3)
    assert explorer.state["level_weights"]["H2"] == 0.3
    assert spec(explorer) == drawn, "the chart has moved by itself"
    control(explorer, "states").value = ("validated",)
    assert '"H2": 0.3' in explorer.code()
    assert explorer.state["level_weights"]["H2"] == 0.3


def test_what_is_moved_in_the_chart_takes_no_drawing_back(explorer: tpa.Explorer) -> None:
    explorer.state = {"show": "weights"}
    before = spec(explorer)

    async def hurry() -> None:
        explorer._control_bar.controls["level_weights"]._sliders["H1"].value = 0.35  # type: ignore[attr-defined]
        move_in_chart(explorer, 0.7)
        while explorer._draw_timer is not None:
            await asyncio.sleep(0)

    asyncio.run(hurry())
    assert explorer.state["level_weights"] == {"H1": 0.35, "H2": 0.7, "H3": 0.0}
    assert spec(explorer) != before
    assert spec(explorer)["params"][0]["value"] == 0.7


def test_a_weight_that_was_not_moved_stays_as_it_was(explorer: tpa.Explorer) -> None:
    given = {"H1": 0.93, "H2": 0.333, "H3": 0.0, "H9": 0.4}
    explorer.state = {"show": "weights", "level_weights": given}
    assert explorer.state["level_weights"] == given
    explorer._control_bar.controls["level_weights"]._sliders["H3"].value = 0.1  # type: ignore[attr-defined]
    assert explorer.state["level_weights"] == {**given, "H3": 0.1}


def test_a_closed_explorer_draws_nothing_more(explorer: tpa.Explorer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tpanalytics.explorers.explorer._IDLE", 0)
    monkeypatch.setattr("tpanalytics.explorers.explorer._PAUSE", 0)

    async def leave() -> list[dict[str, Any]]:
        explorer.state = {"weight": "tasks"}
        while len(explorer._specs._specs) < 4:
            await asyncio.sleep(0)  # it draws ahead
        explorer.close()
        drawn = list(explorer._specs._specs.values())
        control(explorer, "families").value = ("Finance",)
        for _ in range(20):
            await asyncio.sleep(0)
        return drawn

    left = asyncio.run(leave())
    assert len(explorer._specs._specs) <= len(left) + 1, "what was asked for after that, at most"
    assert explorer._ahead_timer is None
    assert explorer._draw_timer is None


def test_one_thread_waits_for_another(explorer: tpa.Explorer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Notebooks hear what controls say in one thread, with a loop of its own, and run cells in another."""
    monkeypatch.setattr("tpanalytics.explorers.explorer._IDLE", 0)
    monkeypatch.setattr("tpanalytics.explorers.explorer._PAUSE", 0)
    within: list[int] = []
    met: list[str] = []
    draw = type(explorer._specs).of

    def drawn(specs: Any, view: Any, *picked: Any) -> dict[str, Any]:
        within.append(get_ident())
        if len(set(within)) > 1:
            met.append(str(view))
        sleep(0.002)  # the other runs meanwhile, if it may
        try:
            return draw(specs, view, *picked)
        finally:
            within.remove(get_ident())

    monkeypatch.setattr(type(explorer._specs), "of", drawn)

    async def hear() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: met.append(str(context)))
        for number in range(12):
            control(explorer, "weight").value = ("tasks", "hours")[number % 2]
            for _ in range(4):
                await asyncio.sleep(0)

    listener = Thread(target=lambda: asyncio.run(hear()))
    listener.start()
    number = 0
    while listener.is_alive():
        number += 1
        explorer.state = {"states": [["validated"], list(COUNTED_STATES)][number % 2]}
        assert explorer.code()
    listener.join()
    assert met == []
    explorer.state = {"states": ["validated"], "weight": "tasks"}
    assert explorer._view.chart == explorer._drawn
    assert control(explorer, "weight").value == "tasks"


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("impact", "state='impact': give a dict"),
        ([("view", "tasks")], "give a dict as Explorer.state is"),
        ({"families": None}, "families=None; give a list of names"),
        ({"families": iter(["Finance"])}, "give a list of names"),
        ({"view": ["impact"]}, r"view=\['impact'\]; choose from"),
        ({"job": ["x"]}, "is none of the 0 jobs"),
        ({"picked": ["Finances"]}, "picked='Finances' is none of the 5 marks that can be picked here"),
        ({"states": [None]}, "`states` must be a list of validation states"),
        ({"states": 5}, "`states` must be a list of validation states"),
        ({"level_weights": {1: 0.5}}, "Levels in `level_weights` must be strings like 'H1', not 1"),
        ({"level_weights": {"H1": 0.5}}, "give H2 one too"),
    ],
)
def test_what_is_no_state_is_refused_and_nothing_moves(explorer: tpa.Explorer, state: Any, said: str) -> None:
    before, drawn = explorer.state, spec(explorer)
    with pytest.raises(tpa.SchemaError, match=said):
        explorer.state = state
    assert (explorer.state, spec(explorer)) == (before, drawn)


def test_what_cannot_be_explored_is_refused(after: tpa.TaskProfiles) -> None:
    for given in (0, after.tasks, "folder"):
        with pytest.raises(tpa.SchemaError, match="must be TaskProfiles, not"):
            tpa.explore(given)  # type: ignore[arg-type]
        with pytest.raises(tpa.SchemaError, match="must be TaskProfiles, not"):
            tpa.explore(after, given)  # type: ignore[arg-type]
    for privacy in (5, False, {"min_jobs": 3}):
        with pytest.raises(tpa.SchemaError, match="must be a Privacy"):
            tpa.explore(after, privacy=privacy)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["~chart.svg", "~$chart.csv"])
def test_a_name_may_begin_as_a_home_does(
    explorer: tpa.Explorer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert explorer.save(name).name == name
    assert (tmp_path / name).stat().st_size


@pytest.mark.parametrize("path", [None, 3, b"x.html", ["x.html"], "", "a\0b.html"])
def test_what_is_no_path_is_refused(explorer: tpa.Explorer, path: Any) -> None:
    for write in (explorer.save, explorer.freeze):
        with pytest.raises(tpa.ShareError, match="The path is where to write"):
            write(path)


def click(explorer: tpa.Explorer, column: str, *values: str) -> None:
    """Do what a browser does when marks are clicked."""
    report(explorer, "picked", [{column: value} for value in values])


def test_a_click_picks_rows(explorer: tpa.Explorer) -> None:
    everything = explorer.selected
    click(explorer, "job_family", "Finance")
    assert explorer.selected.equals(everything.filter(pl.col("job_family") == "Finance"))
    assert explorer.state["picked"] == ["Finance"]
    assert "Finance" in explorer.code()
    click(explorer, "job_family", "Finance", "Sales")
    assert set(explorer.selected["job_family"]) == {"Finance", "Sales"}
    control(explorer, "weight").value = "tasks"
    assert set(explorer.selected["job_family"]) == {"Finance", "Sales"}
    picked = [param for param in spec(explorer)["params"] if param["name"] == "picked"]
    assert picked[0]["value"] == [{"job_family": "Finance"}, {"job_family": "Sales"}]
    click(explorer, "job_family")
    assert set(explorer.selected["job_family"]) == set(FAMILIES)
    control(explorer, "families").value = ("Sales",)
    assert explorer.state["picked"] == []


def test_clicks_lead_from_families_to_jobs_to_tasks_and_lists_lead_back(explorer: tpa.Explorer) -> None:
    control(explorer, "view").value = "tasks"
    click(explorer, "job_family", "Finance")
    assert explorer.state["family"] == "Finance"
    jobs = explorer.selected
    assert set(jobs["job_family"]) == {"Finance"}
    click(explorer, "job_id", jobs["job_id"][0])
    assert explorer.state["job"] == jobs["job_id"][0]
    assert set(explorer.selected["job_id"]) == {jobs["job_id"][0]}
    assert "ai_impact_rationale" not in explorer.selected.columns
    control(explorer, "rationales").value = True
    assert "ai_impact_rationale" in explorer.selected.columns
    control(explorer, "job").value = None
    assert explorer.selected.equals(jobs)
    control(explorer, "family").value = None
    assert explorer.state["job"] is None
    assert set(explorer.selected["job_family"]) == set(FAMILIES)


def test_the_way_down_leads_back_up(explorer: tpa.Explorer) -> None:
    way = explorer._breadcrumb
    assert way.layout.display == "none"
    control(explorer, "view").value = "tasks"
    control(explorer, "family").value = "Finance"
    name, job = explorer._facts.visible_jobs("Finance", COUNTED_STATES)[0]
    control(explorer, "job").value = job
    said = [getattr(one, "description", "") or one.value for one in way.children]
    assert said == ["All job families", "\u203a", "Finance", "\u203a", name]
    way.children[2].click()
    assert (explorer.state["family"], explorer.state["job"]) == ("Finance", None)
    assert control(explorer, "job").value is None
    way.children[0].click()
    assert explorer.state["family"] is None
    assert way.layout.display == "none"


def test_the_same_is_not_measured_twice(explorer: tpa.Explorer) -> None:
    for weight in ("tasks", "headcount", "hours"):
        control(explorer, "weight").value = weight
    results = explorer._source.profiles.results
    count = len(results)
    for weight in ("tasks", "headcount", "hours"):
        control(explorer, "weight").value = weight
    control(explorer, "families").value = ("Finance", "Sales")
    assert len(results) == count, "families are chosen among what has been measured"


def test_an_error_is_said_above_the_chart_which_stays(explorer: tpa.Explorer) -> None:
    drawn = spec(explorer)
    said = control(explorer, "states")
    said.options = [*said.options, ("draft", ("draft",))]
    said.value = ("draft",)
    assert "no task is &#x27;draft&#x27;" in explorer._message.value
    assert 'role="status"' in explorer._message.value
    assert spec(explorer) == drawn
    said.value = ("validated",)
    assert explorer._message.value == ""
    assert spec(explorer) != drawn


def test_a_snapshot_that_is_gone_is_said_and_what_was_drawn_stays(after: tpa.TaskProfiles, tmp_path: Path) -> None:
    tpa.write_profiles(after, tmp_path / "snapshot")
    opened = tpa.explore(tpa.read_profiles(tmp_path / "snapshot", lazy=True))
    drawn = spec(opened)
    (tmp_path / "snapshot").rename(tmp_path / "elsewhere")
    control(opened, "view").value = "tasks"
    control(opened, "search").value = "report"
    assert "file of the snapshot cannot be read" in opened._message.value
    assert "snapshot/" not in opened._message.value, "folders of a machine are nobody's business"
    with pytest.raises(tpa.SnapshotError, match="file of the snapshot cannot be read"):
        opened.state = {"search": "invoice"}
    opened.state = {"view": "impact", "search": ""}
    assert spec(opened) == drawn


def test_a_warning_is_said_too(after: tpa.TaskProfiles) -> None:
    state = pl.when(pl.int_range(pl.len()) < 3).then(pl.lit("draft")).otherwise("validation_state")
    drafts = tpa.TaskProfiles(after.jobs, after.tasks.with_columns(validation_state=state), after.manifest)
    with pytest.warns(tpa.TpAnalyticsWarning, match="draft"):
        opened = tpa.explore(drafts)
    control(opened, "states").value = ("validated",)
    assert "3 in state" in opened._message.value
    control(opened, "show").value = "weights"
    control(opened, "show").value = "levels"
    assert "3 in state" in opened._message.value, "what is remembered warns once, and holds as long as the states count"


def test_changes_at_once_are_drawn_once(after: tpa.TaskProfiles, monkeypatch: pytest.MonkeyPatch) -> None:
    explorer = tpa.explore(after)
    drawn = []
    monkeypatch.setattr(explorer._chart, "swap", drawn.append)

    async def hurry() -> None:
        for weight in ("tasks", "headcount"):
            control(explorer, "weight").value = weight
        control(explorer, "families").value = ("Finance",)
        control(explorer, "families").value = ("Finance", "Sales")
        assert drawn == []
        while not drawn:
            await asyncio.sleep(0.005)

    asyncio.run(hurry())
    assert len(drawn) == 1
    assert explorer.state["families"] == ["Finance", "Sales"]
    assert explorer.state["weight"] == "headcount"


CLICKS: dict[str, tuple[dict[str, Any], str, Any]] = {
    "other work weighed": ({"weight": "tasks"}, "weight", "headcount"),
    "other states": ({"weight": "tasks"}, "states", ("validated",)),
    "another view": ({"weight": "tasks"}, "view", "compare"),
    "one family": ({"weight": "tasks"}, "families", ("Sales",)),
    "one family more": ({"families": ["Sales"]}, "families", ("Finance", "Sales")),
    "one family less": ({"families": ["Finance", "Sales"]}, "families", ("Finance",)),
    "a run of families": ({"families": ["Finance"]}, "families", ("Finance", "Human Resources", "Manufacturing")),
    "a weight far away": ({"show": "weights"}, "level_weights", {"H3": 0.7}),
    "a weight by a step": ({"show": "weights"}, "level_weights", {"H1": 0.95}),
    "a level left out": (
        {"show": "weights", "level_weights": {"H1": 1.0, "H2": 0.5, "H3": 0.0}},
        "level_weights",
        {"H3": -1.0},
    ),
    "jobs of a family": ({"view": "tasks"}, "family", "Sales"),
}


@pytest.mark.parametrize("click", CLICKS)
def test_what_one_click_leads_to_is_drawn_while_nothing_happens(
    explorer: tpa.Explorer, monkeypatch: pytest.MonkeyPatch, click: str
) -> None:
    monkeypatch.setattr("tpanalytics.explorers.explorer._IDLE", 0.0)
    monkeypatch.setattr("tpanalytics.explorers.explorer._PAUSE", 0.0)
    state, name, value = CLICKS[click]

    async def rest() -> None:
        explorer.state = state
        shown = spec(explorer)
        while explorer._ahead_timer is not None:
            await asyncio.sleep(0)
        assert spec(explorer) == shown
        drawn = []
        monkeypatch.setattr(explorer._chart, "swap", drawn.append)
        if isinstance(value, dict):
            for level, weight in value.items():
                explorer._control_bar.controls["level_weights"]._sliders[level].value = weight  # type: ignore[attr-defined]
        else:
            control(explorer, name).value = value
        assert len(drawn) == 1, "without waiting for the controls to rest"

    asyncio.run(rest())


def test_a_rest_has_an_end_however_many_families_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tpanalytics.explorers.explorer._IDLE", 0.0)
    monkeypatch.setattr("tpanalytics.explorers.explorer._PAUSE", 0.0)
    monkeypatch.setattr("tpanalytics.explorers.spec_cache._MAX_SPECS", 12)
    explorer = tpa.explore(many(30))

    async def rest() -> None:
        explorer.state = {"weight": "tasks"}
        while explorer._ahead_timer is not None:
            await asyncio.sleep(0)

    asyncio.run(asyncio.wait_for(rest(), 60))
    assert len(explorer._specs._specs) <= 12


def test_it_leaves_a_picture_and_a_text_beside_the_widget(explorer: tpa.Explorer) -> None:
    bundle, metadata = explorer._repr_mimebundle_()
    assert set(bundle) == {"application/vnd.jupyter.widget-view+json", "image/png", "text/plain"}
    assert bundle["image/png"].startswith(b"\x89PNG")
    assert len(bundle["image/png"]) < 250_000
    assert metadata["image/png"]["width"] > 500
    assert bundle["text/plain"].startswith("Stacked bars of described weekly hours")


def test_a_family_that_is_hidden_stays_so_in_every_view(after: tpa.TaskProfiles) -> None:
    few = after.jobs.filter((pl.col("job_family") != "Finance") | (pl.int_range(pl.len()).over("job_family") < 2))
    profiles = tpa.TaskProfiles(few, after.tasks.join(few, on="job_id", how="semi"))
    explorer = tpa.explore(profiles)
    hidden = set(explorer._facts.families) - set(explorer._facts.visible_families(COUNTED_STATES))
    assert "Finance" in hidden
    assert len(hidden) > 1
    real = tpa.hours(profiles).filter(pl.col("job_family").is_in(list(hidden)))
    assert not [value for _, value in control(explorer, "family").options if value in hidden]
    for state in _reachable_states(explorer._facts, explorer.state, jobs=True):
        explorer.state = state
        rows = explorer.selected.filter(pl.col("job_family").is_in(list(hidden)))
        assert not rows.height or set(rows.get_column("reason")) == {"SUPPRESSED"}
        drawn = json.dumps(spec(explorer).get("datasets", {}))
        assert not [hours for hours in real["hours"] if f": {hours}," in drawn]
    explorer.state = {"view": "tasks", "search": "a", "family": None}
    assert explorer.selected.height
    assert not set(explorer.selected["job_family"]) & hidden
    click(explorer, "job_family", "Finance")
    assert explorer.state["family"] is None, "there is no way into what is hidden"


def test_where_all_is_hidden_no_table_has_a_figure(company: tuple[tpa.TaskProfiles, tpa.TaskProfiles]) -> None:
    explorer = tpa.explore(company[1], company[0], privacy=tpa.Privacy(min_jobs=10_000))
    for state in [*_reachable_states(explorer._facts, explorer.state, jobs=True), {"view": "tasks", "search": "a"}]:
        explorer.state = state
        told = explorer.selected.select(pl.selectors.numeric() - pl.selectors.by_name("jobs", require_all=False))
        assert told.height == 0 or told.select(pl.all().count()).sum_horizontal().item() == 0, explorer.code()


def test_the_table_of_moves_hides_what_its_chart_does(company: tuple[tpa.TaskProfiles, tpa.TaskProfiles]) -> None:
    explorer = tpa.explore(company[1], company[0], state={"view": "compare", "change": "moves"})
    hidden = explorer.selected.filter(reason="SUPPRESSED")
    everything = tpa.transitions(company[0], company[1])
    few = everything.filter(pl.col("jobs") < 3)
    assert few.height
    assert few.join(hidden, on=["level_before", "level_after"], how="anti", nulls_equal=True).height == 0
    figures = ("tasks", "jobs", "tasks_with_hours", "hours_before", "hours_after", "share")
    assert hidden.select(pl.col(figures).count()).sum_horizontal().item() == 0
    assert f"{hidden.height} moves hidden" in json.dumps(spec(explorer))
    assert explorer.selected.height == everything.height


def test_the_table_of_a_job_has_the_tasks_that_count(explorer: tpa.Explorer, after: tpa.TaskProfiles) -> None:
    job = after.tasks.filter(validation_state="suggested")["job_id"][0]
    family = after.jobs.filter(job_id=job)["job_family"][0]
    for states in (["validated"], ["validated", "suggested"]):
        explorer.state = {"view": "tasks", "family": family, "job": job, "states": states}
        assert set(explorer.selected["validation_state"]) == set(states)
        assert f"{explorer.selected.height} tasks" in json.dumps(spec(explorer), ensure_ascii=False)


def test_no_view_tells_what_another_hides(company: tuple[tpa.TaskProfiles, tpa.TaskProfiles]) -> None:
    """Two snapshots may hide other families than one: then what changed is told of the whole alone."""
    then, now = company
    few = then.jobs.filter((pl.col("job_family") != "Sales") | (pl.int_range(pl.len()).over("job_family") < 2))
    then = tpa.TaskProfiles(few, then.tasks.join(few, on="job_id", how="semi"))
    explorer = tpa.explore(now, then, state={"view": "compare"})
    assert explorer._facts.visible_families(COUNTED_STATES) == explorer._facts.families, (
        "nothing is hidden in the later one"
    )
    assert [value for _, value in control(explorer, "change").options] == ["bridge", "moves"]
    assert explorer.selected["scope"].to_list() == ["all"]
    with pytest.raises(tpa.SchemaError, match="change='families'; choose from bridge, moves"):
        explorer.state = {"change": "families"}
    made: dict[str, Any] = {"before": then, "profiles": now}
    exec(explorer.code(), made)
    assert made["table"].equals(explorer.selected)
    openly = tpa.explore(now, then, state={"view": "compare", "change": "families"}, privacy=None)
    assert "Sales" in openly.selected["job_family"].to_list()


@pytest.mark.parametrize("states", [["validated", "suggested"], ["validated"]])
def test_no_table_tells_of_a_job_that_the_chart_leaves_out(after: tpa.TaskProfiles, states: list[str]) -> None:
    """One job has one person; what its family has besides the rows shown is never that job alone."""
    job = after.jobs.filter(pl.col("job_family") == "Finance")["job_id"][0]
    staff = pl.when(pl.col("job_id") == job).then(1.0).otherwise(8.0)
    profiles = tpa.TaskProfiles(after.jobs.with_columns(headcount=staff), after.tasks)
    explorer = tpa.explore(profiles, state={"view": "tasks", "family": "Finance", "states": states})
    drawn = json.dumps(spec(explorer)["datasets"])
    rows, everyone = explorer.selected, profiles.jobs.filter(pl.col("job_family") == "Finance")["job_id"]
    listed = {value for _, value in control(explorer, "job").options} - {None}
    assert 0 < rows.height < len(everyone) - 1
    assert set(rows["job_id"]) == listed == {one for one in everyone if f'"{one}"' in drawn}
    whole = tpa.hours(profiles, states=states).filter(job_family="Finance")["hours"][0]
    alone = tpa.hours_by_job(profiles, states=states).filter(job_id=job)["hours"][0]
    assert alone
    assert abs(whole - rows["hours"].sum() - alone) > 1e-6
    explorer.state = {"view": "tasks", "search": "a", "family": None}
    found = tpa.find_tasks(profiles, "a", states=states).filter(job_family="Finance")
    missing = found.join(explorer.selected, on="task_id", how="anti")["job_id"]
    assert missing.n_unique() > 1
    assert job in missing.to_list()
    assert "are not in the table" in explorer._message.value


def test_a_family_hidden_in_some_states_is_so_in_tasks_too(after: tpa.TaskProfiles) -> None:
    """Of Finance two jobs are validated and the others suggested: with the validated alone, nothing is told of it."""
    two = after.jobs.filter(pl.col("job_family") == "Finance")["job_id"][:2].to_list()
    in_finance = pl.col("job_family") == "Finance"
    state = pl.when(in_finance & ~pl.col("job_id").is_in(two)).then(pl.lit("suggested")).otherwise(pl.lit("validated"))
    tasks = after.tasks.drop("job_family", strict=False).join(after.jobs.select("job_id", "job_family"), on="job_id")
    profiles = tpa.TaskProfiles(after.jobs, tasks.with_columns(validation_state=state))
    explorer = tpa.explore(profiles, state={"view": "tasks", "family": "Finance"})
    control(explorer, "states").value = ("validated",)
    assert explorer.state["family"] is None, "it is hidden in these states"
    assert "Finance" not in [value for _, value in control(explorer, "family").options]
    explorer.state = {"search": "a"}
    assert "Finance" not in explorer.selected["job_family"].to_list()
    with pytest.raises(tpa.SchemaError, match="the jobs of family 'Finance' are hidden"):
        explorer.state = {"family": "Finance"}


def test_states_are_not_told_apart_where_the_difference_tells_of_few(after: tpa.TaskProfiles) -> None:
    """All that is suggested in Finance is of one job: both states together would tell what it is."""
    job = after.jobs.filter(pl.col("job_family") == "Finance")["job_id"][0]
    state = pl.when(pl.col("job_id") == job).then(pl.lit("suggested")).otherwise(pl.lit("validated"))
    profiles = tpa.TaskProfiles(after.jobs, after.tasks.with_columns(validation_state=state))
    assert len(control(tpa.explore(profiles), "states").options) == 1
    assert len(control(tpa.explore(profiles, privacy=None), "states").options) == 2
    assert len(control(tpa.explore(after), "states").options) == 2
    assert len(control(tpa.explore(after, profiles), "states").options) == 1, "nor by the snapshot before"


def test_what_does_not_fit_a_state_leaves_it(explorer: tpa.Explorer) -> None:
    job = explorer._facts.visible_jobs("Finance", COUNTED_STATES)[0][1]
    explorer.state = {"view": "tasks", "family": "Finance", "job": job}
    explorer.state = {"view": "impact"}
    explorer.state = {"family": "Sales"}
    assert explorer.state["job"] is None
    control(explorer, "weight").value = "tasks"
    assert "tasks" in explorer.code()
    explorer.state = {"picked": ["Finance"]}
    explorer.state = {"view": "tasks", "family": "Finance"}
    assert explorer.state["picked"] == []
    assert explorer.selected.height


def test_a_click_on_a_chart_that_is_gone_picks_nothing(explorer: tpa.Explorer) -> None:
    explorer.state = {"view": "tasks", "family": "Finance"}

    async def hurry() -> None:
        explorer._specs._specs.clear()
        control(explorer, "view").value = "hours"
        assert explorer._draw_timer is not None, "it is not drawn yet"
        click(explorer, "job_id", explorer._facts.visible_jobs("Finance", COUNTED_STATES)[0][1])

    asyncio.run(hurry())
    assert explorer.state["picked"] == []


def test_a_late_click_on_the_previous_chart_picks_nothing(explorer: tpa.Explorer) -> None:
    """The browser may have sent it before it received the new chart."""
    chart = explorer._chart
    late = {"revision": chart.revision, "values": {"picked": [{"job_family": "Finance"}]}}
    control(explorer, "view").value = "hours"
    assert late["revision"] != chart.revision
    chart.params = late
    assert explorer.state["picked"] == []
    click(explorer, "job_family", "Sales")
    assert explorer.state["picked"] == ["Sales"]


def test_a_selection_made_in_the_chart_can_be_cleared_from_python(explorer: tpa.Explorer) -> None:
    explorer.state = {}
    shown = explorer._chart.revision
    explorer.state = {}
    assert explorer._chart.revision == shown, "the same chart is not drawn again"
    click(explorer, "job_family", "Sales")
    explorer.state = {"picked": []}
    assert explorer._chart.revision > shown, "the specification is the same, but the browser shows a selection"


def test_no_switch_of_altair_is_flipped(after: tpa.TaskProfiles, monkeypatch: pytest.MonkeyPatch) -> None:
    """Others may draw charts of their own meanwhile, in another thread."""
    from altair.utils import schemapi

    def switches() -> tuple[Any, ...]:
        return schemapi.DEBUG_MODE, alt.JupyterChart._esm, alt.data_transformers.active, alt.theme.active

    def to_dict(chart: alt.LayerChart, *args: Any, **kwargs: Any) -> dict[str, Any]:
        seen.append(switches())
        return written(chart, *args, **kwargs)

    seen: list[Any] = []
    before, written = switches(), alt.LayerChart.to_dict
    monkeypatch.setattr(alt.LayerChart, "to_dict", to_dict)
    explorer = tpa.explore(after)
    control(explorer, "view").value = "hours"
    assert len(seen) >= 2
    assert {*seen, switches()} == {before}


def test_the_widget_needs_no_network_and_its_script_is_made_once(
    explorer: tpa.Explorer, after: tpa.TaskProfiles
) -> None:
    script = explorer._chart._esm
    assert not re.search(r"""(from|import)\s*\(?["']https?:""", script)
    assert "The chart could not be drawn" in script
    assert len(script) > 500_000, "Vega is in it"
    assert tpa.explore(after)._chart._esm is script


def test_a_search_is_offered_where_it_is_made(explorer: tpa.Explorer) -> None:
    explorer.state = {"view": "tasks"}
    assert control(explorer, "search") in explorer._control_bar.children
    explorer.state = {"family": "Finance"}
    assert control(explorer, "search") not in explorer._control_bar.children


def test_a_selection_says_what_it_means(explorer: tpa.Explorer) -> None:
    for state in ({"families": ["Finance"]}, {"families": [], "picked": ["Sales"]}, {"view": "tasks", "search": "a"}):
        explorer.state = state
        meaning = tpa.about(explorer.selected)
        assert meaning.unit
        if "search" not in state:
            assert meaning.grade is None, "that of the whole need not hold of a part"


def test_jobs_of_few_people_are_not_opened(after: tpa.TaskProfiles) -> None:
    job = after.jobs.filter(pl.col("job_family") == "Finance")["job_id"][0]
    few = pl.when(pl.col("job_id") == job).then(2.0).otherwise("headcount")
    profiles = tpa.TaskProfiles(after.jobs.with_columns(headcount=few), after.tasks, after.manifest)
    explorer = tpa.explore(profiles, state={"view": "tasks", "family": "Finance"})
    assert job not in [value for _, value in control(explorer, "job").options]
    assert job not in explorer.selected["job_id"].to_list()
    assert job not in json.dumps(spec(explorer))
    with pytest.raises(tpa.SchemaError, match="is none of the 2 jobs that may be looked at in family 'Finance'"):
        explorer.state = {"job": job}
    everything = tpa.explore(profiles, state={"view": "tasks", "family": "Finance", "job": job}, privacy=None)
    assert everything.state["job"] == job


def test_no_rationale_is_anywhere_unless_asked_for(
    walked: list[Shown], marked: list[tpa.TaskProfiles], tmp_path: Path
) -> None:
    for shown in walked:
        carried = [shown.spec, shown.state, shown.code, shown.selected.to_dicts()]
        asked = shown.state["rationales"] and shown.state["job"] is not None
        assert (MARKER in json.dumps(carried, default=str)) == asked
    assert any(shown.state["rationales"] and shown.state["job"] for shown in walked)
    page = tpa.explore(marked[1], marked[0]).freeze(tmp_path / "all.html", jobs=True)
    assert MARKER.encode() not in page.read_bytes()


def test_files_are_those_of_save(explorer: tpa.Explorer, tmp_path: Path) -> None:
    explorer.state = {"families": ["Finance"]}
    chart = tpa.save(explorer._view.chart.of(explorer._source), tmp_path / "theirs.svg")
    assert explorer.save(tmp_path / "ours.svg").read_text() == chart.read_text()
    assert pl.read_csv(explorer.save(tmp_path / "ours.csv"))["job_family"].unique().to_list() == ["Finance"]
    with pytest.raises(tpa.ShareError, match=r"cannot be written as \.docx"):
        explorer.save(tmp_path / "ours.docx")


def test_the_buttons_hand_files_to_the_browser(explorer: tpa.Explorer, monkeypatch: pytest.MonkeyPatch) -> None:
    chart_as, chart, table_as, table, _ = explorer._downloads.children
    sent: list[tuple[dict[str, Any], Any]] = []
    for button in (chart, table):
        monkeypatch.setattr(button, "send", lambda message, buffers=None: sent.append((message, buffers)))
    for choice, button in ((chart_as, chart), (table_as, table)):
        for suffix in dict(choice.options).values():
            choice.value = suffix
            button._send_file()
    names = [message["name"] for message, _ in sent]
    assert names == [f"impact.{kind}" for kind in ("png", "svg", "pdf", "html", "json", "xlsx", "csv", "parquet")]
    assert all(len(buffers[0]) > 500 for _, buffers in sent)
    assert all(re.fullmatch(r"[a-z]+/[-+.a-z]+", message["mime"]) for message, _ in sent)
