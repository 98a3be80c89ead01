"""The sample data are reproducible, plausible and change as documented."""

from __future__ import annotations

import hashlib
import json
import os
import re
import statistics
import subprocess
import sys
from collections import Counter, defaultdict
from functools import cache
from typing import Any, get_args

import pytest

import tpanalytics as tpa
from tpanalytics.demo.company import Company, invent
from tpanalytics.demo.sample import load_sample
from tpanalytics.typing import SampleState

STATES = get_args(SampleState)
LEVELS = ("H1", "H2", "H3", "H4")


#: Returns a company that tests must not change.
invented = cache(invent)


@pytest.fixture(scope="module", params=STATES)
def company(request: pytest.FixtureRequest) -> Company:
    return invented(request.param)


@pytest.fixture(scope="module")
def both() -> tuple[dict[tuple[str, str], dict[str, Any]], ...]:
    """Return the tasks of both states by job and task."""
    return tuple(
        {
            (record["external_id"], task["task_id"]): task
            for record in invented(state).records
            for task in record["tasks"]
        }
        for state in STATES
    )


def tasks(company: Company) -> list[dict[str, Any]]:
    return [task for record in company.records for task in record["tasks"]]


def share(part: Any, whole: Any) -> float:
    return sum(map(bool, part)) / len(whole)


FINGERPRINT = """
import hashlib, json, sys
from tpanalytics.demo.company import invent
from tpanalytics.typing import SampleState
for state in SampleState.__args__:
    company = invent(state)
    text = json.dumps([company.records, company.jobs, company.families])
    print(hashlib.sha256(text.encode()).hexdigest())
"""


def test_sample_is_the_same_in_every_process() -> None:
    expected = []
    for state in STATES:
        company = invented(state)
        text = json.dumps([company.records, company.jobs, company.families])
        expected.append(hashlib.sha256(text.encode()).hexdigest())
    process = subprocess.run(
        [sys.executable, "-c", FINGERPRINT],
        env={**os.environ, "PYTHONHASHSEED": "4242", "TZ": "Asia/Kolkata", "LC_ALL": "C"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert process.stdout.split() == expected


def test_changing_records_does_not_change_the_next_company() -> None:
    first = invent()
    expected = json.dumps(first.records)
    for record in first.records:
        for task in record["tasks"]:
            task["task"] = "Overwritten"
            (task["hierarchy"] or []).clear()
        record["tasks"].clear()
    assert json.dumps(invent().records) == expected


def test_unknown_state_raises() -> None:
    with pytest.raises(tpa.ArgumentError, match="`state` must be '2026-05' or '2026-11', not '2020-01'"):
        load_sample("2020-01")  # type: ignore[arg-type]


def test_ids_have_documented_form(company: Company) -> None:
    jobs = [record["external_id"] for record in company.records]
    families = [family["job_family_id"] for family in company.families]
    for names in (jobs, families):
        assert len(names) == len(set(names))
        assert all(re.fullmatch(r"[a-zA-Z0-9_-]{1,100}", name) for name in names)
    assert all(1 <= len(task["task_id"]) <= 100 for task in tasks(company))
    for record in company.records:
        ids = [task["task_id"] for task in record["tasks"]]
        assert len(ids) == len(set(ids)), record["external_id"]


def test_task_ids_and_texts_are_unique(company: Company) -> None:
    pairs = {(task["task_id"], task["task"]) for task in tasks(company)}
    assert len(pairs) == len({task_id for task_id, _ in pairs}) == len({task for _, task in pairs})
    opaque = [task_id for task_id, _ in pairs if re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", task_id)]
    assert 0 < len(opaque) < len(pairs)  # slugs and UUIDs are both documented


def test_task_texts_have_documented_length(company: Company) -> None:
    for sentence in {task["task"] for task in tasks(company)}:
        assert 15 <= len(sentence) <= 320, sentence
        assert len(sentence.split()) >= 3, sentence
        assert sum(not letter.isalpha() for letter in sentence) <= 0.3 * len(sentence), sentence


def test_family_and_group_names_have_documented_length(company: Company) -> None:
    for family in company.families:
        assert 1 <= len(family["job_family_name"]) <= 255
        assert 1 <= len(family["job_family_group_name"]) <= 255
    names = [family["job_family_name"] for family in company.families]
    assert len(names) == len(set(names))


def test_fields_have_documented_types_and_values(company: Company) -> None:
    for task in tasks(company):
        assert task["validation_state"] in {"validated", "suggested", "rejected"}
        assert task.get("weekly_hours", 0.0) * 4 % 1 == 0, "hours are multiples of 0.25"
        if "ai_impact" in task:
            assert task["ai_impact"]["level"] in LEVELS
            assert task["ai_impact"]["rationale"].strip()
        hierarchy = task["hierarchy"]
        assert hierarchy is None or (len(hierarchy) == 4 and all(isinstance(s, str) and s for s in hierarchy))


def test_skill_ids_and_names_are_unique(company: Company) -> None:
    pairs = {(skill["skill_id"], skill["skill"]) for task in tasks(company) for skill in task["linked_skills"]}
    assert len(pairs) == len({skill_id for skill_id, _ in pairs}) == len({skill for _, skill in pairs})


def test_mapping_tables_are_complete(company: Company) -> None:
    assert [job["job_id"] for job in company.jobs] == [record["external_id"] for record in company.records]
    known = {family["job_family_id"] for family in company.families}
    used = {job["job_family_id"] for job in company.jobs}
    assert used == known | {None}


def test_documented_hours_are_close_to_contract_hours(company: Company) -> None:
    weeks = {}
    contract = {job["job_id"]: job["contract_hours"] for job in company.jobs}
    for record in company.records:
        counted = [task for task in record["tasks"] if task["validation_state"] != "rejected"]
        if counted and all("weekly_hours" in task for task in counted):
            weeks[record["external_id"]] = (
                sum(task["weekly_hours"] for task in counted) / contract[record["external_id"]]
            )
    assert len(weeks) > 20
    assert 0.75 < statistics.median(weeks.values()) < 1.15
    assert all(0.4 < week < 1.6 for week in weeks.values())


def test_hours_per_task_and_tasks_per_job_are_plausible(company: Company) -> None:
    assert max(task.get("weekly_hours", 0) for task in tasks(company)) <= 12
    sizes = [len(record["tasks"]) for record in company.records if record["tasks"]]
    assert 10 <= min(sizes) <= statistics.median(sizes) <= max(sizes) <= 60


def test_headcount_and_contract_hours_are_plausible(company: Company) -> None:
    for job in company.jobs:
        assert job["fte"] >= 1
        assert job["fte"] * 2 % 1 == 0
        assert isinstance(job["headcount"], int)
        assert 0 <= job["headcount"] - job["fte"] < 1
        assert 30 <= job["contract_hours"] <= 45
        assert job["job_name"].strip() == job["job_name"] != ""
    assert 1000 < sum(job["headcount"] for job in company.jobs) < 10_000


def test_every_family_has_all_levels_and_manual_work_is_least_exposed(company: Company) -> None:
    family_of = {job["job_id"]: job["job_family_id"] for job in company.jobs}
    ranks = defaultdict(list)
    for record in company.records:
        for task in record["tasks"]:
            if "ai_impact" in task:
                ranks[family_of[record["external_id"]]].append(LEVELS.index(task["ai_impact"]["level"]))
    assert all(set(values) == {0, 1, 2, 3} for values in ranks.values())
    means = {family: statistics.mean(values) for family, values in ranks.items()}
    assert min(means["fam-fs"], means["fam-fac"]) > max(means["fam-fin"], means["fam-data"], means["fam-mkt"])


def test_texts_contain_no_addresses_or_vendor_names(company: Company) -> None:
    text = json.dumps([company.records, company.jobs, company.families])
    assert not re.search(r"https?://|www\.|@|\+\d{2}", text)
    assert "techwolf" not in text.lower()


def test_last_updated_is_before_the_export() -> None:
    for state in STATES:
        year, month = map(int, state.split("-"))
        for job in invented(state).jobs:
            assert re.fullmatch(r"\d{4}-\d{2}-\d{2}", job["last_updated"])
            assert job["last_updated"] <= f"{year}-{month:02d}-31"


def test_shares_of_missing_data_are_plausible(company: Company) -> None:
    jobs, entries = company.records, tasks(company)
    assert 0 < share((not record["tasks"] for record in jobs), jobs) < 0.1
    assert 0 < share((job["job_family_id"] is None for job in company.jobs), company.jobs) < 0.1
    assert 0.02 < share(("weekly_hours" not in task for task in entries), entries) < 0.3
    assert 0.02 < share(("ai_impact" not in task for task in entries), entries) < 0.15
    assert 0.02 < share((task["validation_state"] == "rejected" for task in entries), entries) < 0.15
    assert 0.02 < share((task["hierarchy"] is None for task in entries), entries) < 0.2
    assert 0 < share((task.get("weekly_hours") == 0 for task in entries), entries) < 0.02


def test_many_jobs_have_tasks_with_and_without_hours(company: Company) -> None:
    mixed = [r for r in company.records if len({"weekly_hours" in task for task in r["tasks"]}) == 2]
    assert len(mixed) > len(company.records) / 4


def test_sample_has_documented_size() -> None:
    sample = load_sample()
    assert abs(sample.jobs.height - 240) <= 5
    assert abs(sample.tasks.height - 5800) <= 100
    assert sample.jobs["job_family_id"].n_unique() == 16 + 1
    assert sample.jobs["headcount"].null_count() == sample.jobs["contract_hours"].null_count() == 0


def test_few_jobs_are_added_or_removed() -> None:
    before, after = ({job["job_id"]: job for job in invented(state).jobs} for state in STATES)
    assert 0 < len(after.keys() - before.keys()) < 15
    assert 0 < len(before.keys() - after.keys()) < 10
    for job_id in before.keys() & after.keys():
        for name in ("job_name", "job_family_id", "contract_hours", "job_inactive"):
            assert before[job_id][name] == after[job_id][name], job_id
        assert abs(after[job_id]["headcount"] / before[job_id]["headcount"] - 1) <= 0.5
        assert after[job_id]["last_updated"] > before[job_id]["last_updated"]
    total = [sum(job["headcount"] for job in state.values()) for state in (before, after)]
    assert abs(total[1] / total[0] - 1) < 0.05


def test_remaining_jobs_have_the_same_order() -> None:
    before, after = ([record["external_id"] for record in invented(state).records] for state in STATES)
    common = set(before) & set(after)
    assert [job for job in before if job in common] == [job for job in after if job in common]


def test_most_tasks_do_not_change(both: Any) -> None:
    before, after = both
    common = before.keys() & after.keys()
    assert len(common) > 0.9 * len(before)
    for key in common:
        for name in ("task", "source_data", "linked_skills", "hierarchy"):
            assert before[key][name] == after[key][name], key
    unchanged = share((before[key] == after[key] for key in common), common)
    assert 0.6 < unchanged < 0.95


def test_hours_are_added_and_changed_but_not_removed(both: Any) -> None:
    before, after = both
    n_changed = 0
    for key in before.keys() & after.keys():
        if "weekly_hours" in before[key] and before[key]["validation_state"] == after[key]["validation_state"]:
            assert "weekly_hours" in after[key], key
            n_changed += before[key]["weekly_hours"] != after[key]["weekly_hours"]
    filled = sum("weekly_hours" not in before[k] and "weekly_hours" in after[k] for k in before.keys() & after.keys())
    assert filled > 100
    assert 0.02 < n_changed / len(before) < 0.15


def test_only_suggested_tasks_change_state(both: Any) -> None:
    before, after = both
    changes = Counter(
        (before[k]["validation_state"], after[k]["validation_state"]) for k in before.keys() & after.keys()
    )
    assert changes["suggested", "validated"] > 0
    assert changes["suggested", "rejected"] > 0
    changed = {pair for pair in changes if pair[0] != pair[1]}
    assert changed == {("suggested", "validated"), ("suggested", "rejected")}


def test_levels_change_by_one_step_with_a_new_rationale(both: Any) -> None:
    before, after = both
    n_changed = 0
    for key in before.keys() & after.keys():
        old, new = (state[key].get("ai_impact") for state in both)
        if old is None:
            continue
        assert new is not None, "assessments are not removed"
        if old["level"] != new["level"]:
            n_changed += 1
            assert LEVELS.index(old["level"]) - LEVELS.index(new["level"]) == 1, key
            assert new["rationale"] != old["rationale"]
        else:
            assert new == old, key
    assert 0 < n_changed < 0.15 * len(before)


def test_tasks_added_to_existing_jobs_are_new_to_the_company(both: Any) -> None:
    before, after = both
    jobs = {job for job, _ in before}
    known = {task_id for _, task_id in before}
    added = [key for key in after.keys() - before.keys() if key[0] in jobs]
    assert added
    assert all(task_id not in known for _, task_id in added)
    assert all(after[key]["hierarchy"] is None for key in added)
