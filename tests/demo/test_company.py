"""The invented company is believable, the same on every machine, has the gaps promised, and changes only as said."""

from __future__ import annotations

import hashlib
import json
import os
import re
import statistics
import subprocess
import sys
from collections import Counter, defaultdict
from typing import Any, get_args

import pytest

import tpanalytics as tpa
from tpanalytics.demo.company import Company, invent
from tpanalytics.demo.sample import load_sample
from tpanalytics.typing import SampleState

STATES = get_args(SampleState)
LEVELS = ("H1", "H2", "H3", "H4")


@pytest.fixture(scope="module", params=STATES)
def company(request: pytest.FixtureRequest) -> Company:
    return invent(request.param)


@pytest.fixture(scope="module")
def both() -> tuple[dict[tuple[str, str], dict[str, Any]], ...]:
    """Give the tasks of both states by job and task."""
    return tuple(
        {(record["external_id"], one["task_id"]): one for record in invent(state).records for one in record["tasks"]}
        for state in STATES
    )


def tasks(company: Company) -> list[dict[str, Any]]:
    return [one for record in company.records for one in record["tasks"]]


def share(part: Any, whole: Any) -> float:
    return sum(map(bool, part)) / len(whole)


# The same everywhere

FINGERPRINT = """
import hashlib, json, sys
from tpanalytics.demo.company import invent
from tpanalytics.typing import SampleState
for state in SampleState.__args__:
    company = invent(state)
    text = json.dumps([company.records, company.jobs, company.families])
    print(hashlib.sha256(text.encode()).hexdigest())
"""


def test_every_process_invents_the_same_company() -> None:
    here = []
    for state in STATES:
        made = invent(state)
        text = json.dumps([made.records, made.jobs, made.families])
        here.append(hashlib.sha256(text.encode()).hexdigest())
    for seed in ("0", "4242"):
        done = subprocess.run(
            [sys.executable, "-c", FINGERPRINT],
            env={**os.environ, "PYTHONHASHSEED": seed, "TZ": "Asia/Kolkata", "LC_ALL": "C"},
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.split() == here, f"PYTHONHASHSEED={seed}"


def test_changing_what_was_given_out_does_not_change_the_next_company() -> None:
    first = invent()
    kept = json.dumps(first.records)
    for record in first.records:
        for one in record["tasks"]:
            one["task"] = "Overwritten by a careless reader"
            (one["hierarchy"] or []).clear()
        record["tasks"].clear()
    assert json.dumps(invent().records) == kept


def test_unknown_state_raises() -> None:
    with pytest.raises(tpa.ArgumentError, match="`state` must be '2026-05' or '2026-11', not '2020-01'"):
        load_sample("2020-01")  # type: ignore[arg-type]


# Within the limits of the contract


def test_ids_are_as_the_contract_allows(company: Company) -> None:
    jobs = [record["external_id"] for record in company.records]
    families = [family["job_family_id"] for family in company.families]
    for names in (jobs, families):
        assert len(names) == len(set(names))
        assert all(re.fullmatch(r"[a-zA-Z0-9_-]{1,100}", name) for name in names)
    assert all(1 <= len(one["task_id"]) <= 100 for one in tasks(company))
    for record in company.records:
        ids = [one["task_id"] for one in record["tasks"]]
        assert len(ids) == len(set(ids)), record["external_id"]


def test_a_task_id_stands_for_one_sentence_and_a_sentence_for_one_id(company: Company) -> None:
    pairs = {(one["task_id"], one["task"]) for one in tasks(company)}
    assert len(pairs) == len({task_id for task_id, _ in pairs}) == len({task for _, task in pairs})
    opaque = [task_id for task_id, _ in pairs if re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", task_id)]
    assert 0 < len(opaque) < len(pairs)  # slugs and UUIDs are both documented


def test_task_names_keep_the_documented_limits(company: Company) -> None:
    for sentence in {one["task"] for one in tasks(company)}:
        assert 15 <= len(sentence) <= 320, sentence
        assert len(sentence.split()) >= 3, sentence
        assert sum(not letter.isalpha() for letter in sentence) <= 0.3 * len(sentence), sentence


def test_families_and_groups_have_names_within_the_limits(company: Company) -> None:
    for family in company.families:
        assert 1 <= len(family["job_family_name"]) <= 255
        assert 1 <= len(family["job_family_group_name"]) <= 255
    names = [family["job_family_name"] for family in company.families]
    assert len(names) == len(set(names))


def test_fields_have_the_documented_types_and_values(company: Company) -> None:
    for one in tasks(company):
        assert one["validation_state"] in {"validated", "suggested", "rejected"}
        assert one.get("weekly_hours", 0.0) * 4 % 1 == 0, "hours come in quarters"
        if "ai_impact" in one:
            assert one["ai_impact"]["level"] in LEVELS
            assert one["ai_impact"]["rationale"].strip()
        place = one["hierarchy"]
        assert place is None or (len(place) == 4 and all(isinstance(label, str) and label for label in place))


def test_a_skill_has_one_id_and_an_id_one_skill(company: Company) -> None:
    pairs = {(skill["skill_id"], skill["skill"]) for one in tasks(company) for skill in one["linked_skills"]}
    assert len(pairs) == len({skill_id for skill_id, _ in pairs}) == len({skill for _, skill in pairs})


def test_every_job_has_a_row_and_every_family_is_known(company: Company) -> None:
    assert [job["job_id"] for job in company.jobs] == [record["external_id"] for record in company.records]
    known = {family["job_family_id"] for family in company.families}
    used = {job["job_family_id"] for job in company.jobs}
    assert used == known | {None}


# Believable


def test_a_described_week_is_about_a_week(company: Company) -> None:
    weeks = {}
    contract = {job["job_id"]: job["contract_hours"] for job in company.jobs}
    for record in company.records:
        mine = [one for one in record["tasks"] if one["validation_state"] != "rejected"]
        if mine and all("weekly_hours" in one for one in mine):
            weeks[record["external_id"]] = sum(one["weekly_hours"] for one in mine) / contract[record["external_id"]]
    assert len(weeks) > 20
    assert 0.75 < statistics.median(weeks.values()) < 1.15
    assert all(0.4 < week < 1.6 for week in weeks.values())


def test_no_task_fills_a_week_and_no_job_is_described_in_two_lines(company: Company) -> None:
    assert max(one.get("weekly_hours", 0) for one in tasks(company)) <= 12
    sizes = [len(record["tasks"]) for record in company.records if record["tasks"]]
    assert 10 <= min(sizes) <= statistics.median(sizes) <= max(sizes) <= 60


def test_people_are_whole_or_half_and_work_a_usual_week(company: Company) -> None:
    for job in company.jobs:
        assert job["headcount"] >= 1
        assert job["headcount"] * 2 % 1 == 0
        assert 30 <= job["contract_hours"] <= 45
        assert job["job_name"].strip() == job["job_name"] != ""
    assert 1000 < sum(job["headcount"] for job in company.jobs) < 10_000


def test_every_level_occurs_in_every_family_and_hands_on_work_is_least_exposed(company: Company) -> None:
    family_of = {job["job_id"]: job["job_family_id"] for job in company.jobs}
    ranks = defaultdict(list)
    for record in company.records:
        for one in record["tasks"]:
            if "ai_impact" in one:
                ranks[family_of[record["external_id"]]].append(LEVELS.index(one["ai_impact"]["level"]))
    assert all(set(values) == {0, 1, 2, 3} for values in ranks.values())
    means = {family: statistics.mean(values) for family, values in ranks.items()}
    assert min(means["fam-fs"], means["fam-fac"]) > max(means["fam-fin"], means["fam-data"], means["fam-mkt"])


def test_names_of_real_people_and_addresses_are_absent(company: Company) -> None:
    text = json.dumps([company.records, company.jobs, company.families])
    assert not re.search(r"https?://|www\.|@|\+\d{2}", text)
    assert "techwolf" not in text.lower()


def test_every_change_lies_before_the_export() -> None:
    for state in STATES:
        year, month = map(int, state.split("-"))
        for job in invent(state).jobs:
            assert re.fullmatch(r"\d{4}-\d{2}-\d{2}", job["last_updated"])
            assert job["last_updated"] <= f"{year}-{month:02d}-31"


# The gaps that were promised


def test_the_promised_gaps_are_there_and_do_not_swallow_the_data(company: Company) -> None:
    jobs, entries = company.records, tasks(company)
    assert 0 < share((not record["tasks"] for record in jobs), jobs) < 0.1
    assert 0 < share((job["job_family_id"] is None for job in company.jobs), company.jobs) < 0.1
    assert 0.02 < share(("weekly_hours" not in one for one in entries), entries) < 0.3
    assert 0.02 < share(("ai_impact" not in one for one in entries), entries) < 0.15
    assert 0.02 < share((one["validation_state"] == "rejected" for one in entries), entries) < 0.15
    assert 0.02 < share((one["hierarchy"] is None for one in entries), entries) < 0.2
    assert 0 < share((one.get("weekly_hours") == 0 for one in entries), entries) < 0.02


def test_hours_are_missing_beside_tasks_that_have_them(company: Company) -> None:
    mixed = [r for r in company.records if len({"weekly_hours" in one for one in r["tasks"]}) == 2]
    assert len(mixed) > len(company.records) / 4


def test_the_sample_is_the_size_it_says() -> None:
    sample = load_sample()
    assert abs(sample.jobs.height - 240) <= 5
    assert abs(sample.tasks.height - 5800) <= 100
    assert sample.jobs["job_family_id"].n_unique() == 16 + 1
    assert sample.jobs["headcount"].null_count() == sample.jobs["contract_hours"].null_count() == 0


# Half a year later


def test_jobs_come_and_go_but_rarely() -> None:
    before, after = ({job["job_id"]: job for job in invent(state).jobs} for state in STATES)
    assert 0 < len(after.keys() - before.keys()) < 15
    assert 0 < len(before.keys() - after.keys()) < 10
    for job_id in before.keys() & after.keys():
        for name in ("job_name", "job_family_id", "contract_hours", "job_inactive"):
            assert before[job_id][name] == after[job_id][name], job_id
        assert abs(after[job_id]["headcount"] / before[job_id]["headcount"] - 1) <= 0.5
        assert after[job_id]["last_updated"] > before[job_id]["last_updated"]
    total = [sum(job["headcount"] for job in state.values()) for state in (before, after)]
    assert abs(total[1] / total[0] - 1) < 0.05


def test_jobs_that_stay_keep_their_order() -> None:
    before, after = ([record["external_id"] for record in invent(state).records] for state in STATES)
    stay = set(before) & set(after)
    assert [job for job in before if job in stay] == [job for job in after if job in stay]


def test_most_tasks_stay_as_they_were(both: Any) -> None:
    before, after = both
    stay = before.keys() & after.keys()
    assert len(stay) > 0.9 * len(before)
    for key in stay:
        for name in ("task", "source_data", "linked_skills", "hierarchy"):
            assert before[key][name] == after[key][name], key
    same = share((before[key] == after[key] for key in stay), stay)
    assert 0.6 < same < 0.95


def test_hours_were_filled_in_and_moved_but_never_lost(both: Any) -> None:
    before, after = both
    moved = 0
    for key in before.keys() & after.keys():
        if "weekly_hours" in before[key] and before[key]["validation_state"] == after[key]["validation_state"]:
            assert "weekly_hours" in after[key], key
            moved += before[key]["weekly_hours"] != after[key]["weekly_hours"]
    filled = sum("weekly_hours" not in before[k] and "weekly_hours" in after[k] for k in before.keys() & after.keys())
    assert filled > 100
    assert 0.02 < moved / len(before) < 0.15


def test_decisions_are_not_taken_back(both: Any) -> None:
    before, after = both
    seen = Counter((before[k]["validation_state"], after[k]["validation_state"]) for k in before.keys() & after.keys())
    assert seen["suggested", "validated"] > 0
    assert seen["suggested", "rejected"] > 0
    changed = {pair for pair in seen if pair[0] != pair[1]}
    assert changed == {("suggested", "validated"), ("suggested", "rejected")}


def test_levels_move_one_step_towards_ai_and_say_why(both: Any) -> None:
    before, after = both
    moved = 0
    for key in before.keys() & after.keys():
        old, new = (state[key].get("ai_impact") for state in both)
        if old is None:
            continue
        assert new is not None, "an assessment is not lost"
        if old["level"] != new["level"]:
            moved += 1
            assert LEVELS.index(old["level"]) - LEVELS.index(new["level"]) == 1, key
            assert new["rationale"] != old["rationale"]
        else:
            assert new == old, key
    assert 0 < moved < 0.15 * len(before)


def test_new_tasks_are_new_to_the_whole_company_or_to_new_jobs(both: Any) -> None:
    before, after = both
    jobs = {job for job, _ in before}
    known = {task_id for _, task_id in before}
    added = [key for key in after.keys() - before.keys() if key[0] in jobs]
    assert added
    assert all(task_id not in known for _, task_id in added)
    assert all(after[key]["hierarchy"] is None for key in added)
