"""Self-contained HTML pages of explorers."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

import tpanalytics as tpa
from tests.helpers.companies import many

if TYPE_CHECKING:
    from pathlib import Path


def entries(page: Path) -> list[dict[str, Any]]:
    match = re.search(r'<script type="application/json" id="entries">(.*?)</script>', page.read_text(encoding="utf-8"))
    assert match
    result: list[dict[str, Any]] = json.loads(match[1])
    return result


@pytest.fixture(scope="module")
def profiles() -> tpa.TaskProfiles:
    return many(4, jobs=4)


def test_page_contains_every_state_with_the_current_one_first(profiles: tpa.TaskProfiles, tmp_path: Path) -> None:
    explorer = tpa.explore(profiles, state={"view": "hours", "states": ["validated"]}, privacy=None)
    page = entries(explorer.freeze(tmp_path / "page.html"))
    assert page[0]["at"] == {"view": "hours", "states": "validated"}
    states = [entry["at"] for entry in page]
    assert len({json.dumps(state, sort_keys=True) for state in states}) == len(states), "no duplicates"
    for weight in ("tasks", "hours", "headcount"):
        for counted in ("validated, suggested", "validated"):
            assert {"view": "impact", "show": "levels", "weight": weight, "states": counted} in states
    assert not [state for state in states if state["view"] == "tasks"], "no jobs by default"
    for entry in page[::3]:  # test_views.py checks the code of every state
        variables: dict[str, Any] = {"profiles": profiles}
        exec(entry["code"], variables)
        assert variables["chart"].to_dict()["title"] == entry["spec"]["title"]


def test_jobs_are_only_included_on_request(tmp_path: Path) -> None:
    profiles = many(2, jobs=4)
    jobs = profiles.jobs["job_id"].to_list()
    explorer = tpa.explore(profiles, privacy=None)
    without = explorer.freeze(tmp_path / "without.html")
    assert not [job for job in jobs if f'"{job}"' in json.dumps(entries(without))]
    states = [entry["at"] for entry in entries(explorer.freeze(tmp_path / "with.html", jobs=True))]
    assert {state.get("group") for state in states if state["view"] == "tasks"} >= set(explorer._facts.groups)


def test_page_contains_only_the_selected_families(profiles: tpa.TaskProfiles, tmp_path: Path) -> None:
    family, *others = profiles.jobs["job_family"].unique().sort().to_list()
    page = tpa.explore(profiles, state={"groups": [family]}, privacy=None).freeze(tmp_path / "one.html")
    assert not [other for other in others if other in page.read_text(encoding="utf-8")]


@pytest.mark.slow
def test_page_with_jobs_and_two_snapshots_contains_only_the_selected_families(
    profiles: tpa.TaskProfiles, tmp_path: Path
) -> None:
    family, *others = profiles.jobs["job_family"].unique().sort().to_list()
    explorer = tpa.explore(profiles, profiles, state={"groups": [family]}, privacy=None)
    page = explorer.freeze(tmp_path / "one.html", jobs=True)
    assert not [other for other in others if other in page.read_text(encoding="utf-8")]
    other_jobs = profiles.jobs.filter(pl.col("job_family") != family)["job_id"]
    assert not [job for job in other_jobs if f'"{job}"' in json.dumps(entries(page))]
    assert {entry["at"]["view"] for entry in entries(page)} == {"impact", "hours", "tasks"}
    explorer.state = {"view": "compare"}
    with pytest.warns(tpa.TpAnalyticsWarning, match="not include the current view: it covers all job families"):
        explorer.freeze(tmp_path / "one.html")


def test_omitted_current_view_warns(profiles: tpa.TaskProfiles, tmp_path: Path) -> None:
    explorer = tpa.explore(profiles, state={"view": "tasks"}, privacy=None)
    with pytest.warns(
        tpa.TpAnalyticsWarning, match="not include the current view: it contains job names, which .* jobs=True"
    ):
        explorer.freeze(tmp_path / "page.html")


def test_markup_in_names_is_escaped(tmp_path: Path) -> None:
    name = "</script><img src=x onerror=alert(1)>"
    profiles = many(2, jobs=4)
    jobs = profiles.jobs.with_columns(job_family=pl.col("job_family").replace(profiles.jobs["job_family"][0], name))
    page = tpa.explore(
        tpa.TaskProfiles(
            jobs, profiles.tasks.drop("job_family").join(jobs.select("job_id", "job_family"), on="job_id")
        ),
        privacy=None,
    ).freeze(tmp_path / "page.html")
    text = page.read_text(encoding="utf-8")
    assert "<img src=x" not in text
    assert any(name in json.dumps(entry["spec"], ensure_ascii=False) for entry in entries(page))


def test_invalid_pages_are_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    explorer = tpa.explore(many(1))
    with pytest.raises(tpa.ShareError, match=r"`path` must end in \.html, not 'page\.png'"):
        explorer.freeze(tmp_path / "page.png")
    (tmp_path / "file").write_text("")
    with pytest.raises(tpa.ShareError, match="cannot be written"):
        explorer.freeze(tmp_path / "file" / "page.html")
    monkeypatch.setattr("tpanalytics.explorers.static_page._MAX_BYTES", 100_000)
    with pytest.raises(tpa.ShareError, match=r"would be \d\.\d MB.*fewer job families"):
        explorer.freeze(tmp_path / "page.html")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.slow
def test_page_of_two_snapshots_is_under_two_megabytes(tmp_path: Path) -> None:
    explorer = tpa.explore(tpa.load_sample("2026-11"), tpa.load_sample("2026-05"))
    page = explorer.freeze(tmp_path / "page.html")
    assert page.stat().st_size < 2_000_000
    assert {entry["at"]["view"] for entry in entries(page)} == {"impact", "hours", "skills", "compare"}
    assert not tpa.check_share(page).filter(severity="stop").height
