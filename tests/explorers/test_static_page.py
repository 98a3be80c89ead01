"""A frozen explorer: one file whole or not at all, which carries what it shows and nothing else."""

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
    found = re.search(r'<script type="application/json" id="entries">(.*?)</script>', page.read_text(encoding="utf-8"))
    assert found
    read: list[dict[str, Any]] = json.loads(found[1])
    return read


@pytest.fixture(scope="module")
def profiles() -> tpa.TaskProfiles:
    return many(4, jobs=4)


def test_every_state_is_there_and_the_one_at_hand_first(profiles: tpa.TaskProfiles, tmp_path: Path) -> None:
    explorer = tpa.explore(profiles, state={"view": "hours", "states": ["validated"]}, privacy=None)
    found = entries(explorer.freeze(tmp_path / "page.html"))
    assert found[0]["at"] == {"view": "hours", "states": "validated"}
    at = [entry["at"] for entry in found]
    assert len({json.dumps(one, sort_keys=True) for one in at}) == len(at), "no state twice"
    for weight in ("tasks", "hours", "headcount"):
        for states in ("validated, suggested", "validated"):
            assert {"view": "impact", "show": "levels", "weight": weight, "states": states} in at
    assert not [one for one in at if one["view"] == "tasks"], "jobs stay out"
    for entry in found[::3]:  # that the Python gives what is shown, in every state, test_explorer says
        made: dict[str, Any] = {"profiles": profiles}
        exec(entry["code"], made)
        assert made["chart"].to_dict()["title"] == entry["spec"]["title"]


def test_jobs_come_in_only_when_asked_for(profiles: tpa.TaskProfiles, tmp_path: Path) -> None:
    jobs = profiles.jobs["job_id"].to_list()
    explorer = tpa.explore(profiles, privacy=None)
    without = explorer.freeze(tmp_path / "without.html")
    assert not [job for job in jobs if f'"{job}"' in json.dumps(entries(without))]
    told = entries(explorer.freeze(tmp_path / "with.html", jobs=True))
    assert {one["at"].get("family") for one in told if one["at"]["view"] == "tasks"} >= set(explorer._facts.families)


def test_only_families_that_are_drawn_are_in_it(profiles: tpa.TaskProfiles, tmp_path: Path) -> None:
    one, *others = profiles.jobs["job_family"].unique().sort().to_list()
    page = tpa.explore(profiles, state={"families": [one]}, privacy=None).freeze(tmp_path / "one.html")
    assert not [other for other in others if other in page.read_text(encoding="utf-8")]


def test_only_families_that_are_drawn_are_in_it_with_two_snapshots_and_jobs_too(
    profiles: tpa.TaskProfiles, tmp_path: Path
) -> None:
    one, *others = profiles.jobs["job_family"].unique().sort().to_list()
    explorer = tpa.explore(profiles, profiles, state={"families": [one]}, privacy=None)
    page = explorer.freeze(tmp_path / "one.html", jobs=True)
    assert not [other for other in others if other in page.read_text(encoding="utf-8")]
    strangers = profiles.jobs.filter(pl.col("job_family") != one)["job_id"]
    assert not [job for job in strangers if f'"{job}"' in json.dumps(entries(page))]
    assert {entry["at"]["view"] for entry in entries(page)} == {"impact", "hours", "tasks"}
    explorer.state = {"view": "compare"}
    with pytest.warns(tpa.TpAnalyticsWarning, match="not in the page: what changed is told of all job families"):
        explorer.freeze(tmp_path / "one.html")


def test_a_view_that_is_not_in_the_page_is_told(profiles: tpa.TaskProfiles, tmp_path: Path) -> None:
    explorer = tpa.explore(profiles, state={"view": "tasks"}, privacy=None)
    with pytest.warns(tpa.TpAnalyticsWarning, match="not in the page: it names jobs; jobs=True puts it in"):
        explorer.freeze(tmp_path / "page.html")


def test_markup_in_a_name_is_text(tmp_path: Path) -> None:
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


def test_it_is_whole_or_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    explorer = tpa.explore(many(1))
    with pytest.raises(tpa.ShareError, match=r"page\.png: a frozen explorer is an \.html page"):
        explorer.freeze(tmp_path / "page.png")
    (tmp_path / "file").write_text("")
    with pytest.raises(tpa.ShareError, match="cannot be written"):
        explorer.freeze(tmp_path / "file" / "page.html")
    monkeypatch.setattr("tpanalytics.explorers.static_page._MAX_BYTES", 100_000)
    with pytest.raises(tpa.ShareError, match=r"would have \d\.\d MB.*fewer job families"):
        explorer.freeze(tmp_path / "page.html")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_two_snapshots_of_a_company_stay_under_two_megabytes(tmp_path: Path) -> None:
    explorer = tpa.explore(tpa.load_sample("2026-11"), tpa.load_sample("2026-05"))
    page = explorer.freeze(tmp_path / "page.html")
    assert page.stat().st_size < 2_000_000
    assert {one["at"]["view"] for one in entries(page)} == {"impact", "hours", "compare"}
    carried = tpa.check_share(page)
    assert not carried.filter(severity="stop").height
