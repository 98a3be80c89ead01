"""Hypothesis strategies for export records."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

EVERYTHING = ("ai_impact", "source_data", "linked_skills", "rejected_tasks", "weekly_hours")

_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
_ids = st.text("abc-_01", min_size=1, max_size=5)
_source = st.fixed_dictionaries({"external_id": _ids})
_skill = st.fixed_dictionaries({"skill_id": _ids, "skill": st.none() | _text})
_task = st.fixed_dictionaries(
    {
        "task_id": _ids,
        "task": _text,
        "validation_state": st.sampled_from(["validated", "suggested", "rejected", "initially_validated"]),
    },
    optional={
        "weekly_hours": st.none() | st.integers(0, 60) | st.floats(0, 168),
        "ai_impact": st.none()
        | st.fixed_dictionaries({"level": st.sampled_from(["H1", "H5", "H9", None]), "rationale": st.none() | _text}),
        "source_data": st.none() | st.lists(_source, max_size=2),
        "linked_skills": st.none() | st.lists(_skill, max_size=2),
        "hierarchy": st.none() | st.lists(st.sampled_from(["Finance", "Größe", "研究"]), min_size=4, max_size=4),
    },
)


def records(max_size: int = 8) -> st.SearchStrategy[list[dict[str, Any]]]:
    """Return a strategy for the records of a tenant, ordered by unique job id."""
    profiles = st.lists(st.lists(_task, max_size=4), max_size=max_size)
    return profiles.map(lambda jobs: [{"external_id": f"job-{i}", "tasks": tasks} for i, tasks in enumerate(jobs)])
