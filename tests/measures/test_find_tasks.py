"""Tasks are found by their words in any script, on every engine alike, and nothing that is not there."""

from __future__ import annotations

import functools
import unicodedata
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import duckdb
import hypothesis
import pandas as pd
import polars as pl
import pytest
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import tpanalytics as tpa
from tests.helpers.random_profiles import companies, profiles_of
from tpanalytics.measures._core.cache import with_cache
from tpanalytics.measures._core.family_jobs import jobs_of_family
from tpanalytics.measures.find_tasks import PLAIN, folded, found_by_family

if TYPE_CHECKING:
    from collections.abc import Callable

#: Texts that engines write small differently, or that hold what a pattern would take for a sign of its own.
HARD = [
    *(
        "Check invoices",
        "CHECK the INVOICE",
        "Straßen reinigen",
        "STRASSEN REINIGEN",
        "ΣΊΣΥΦΟΣ βοηθά",
        "İstanbul office",
    ),
    *(
        "\ufb01le a claim",
        "FILE A CLAIM",
        "A\u0308rger schlichten",
        "Ärger schlichten",
        "計測機器の校正",
        "測定か\u3099必要",
    ),
    *(
        "100 % of costs",
        "100 x of costs",
        "a.b (c) [d] \\d+ $",
        "aXb",
        'it\'s "quoted"',
        "Изменить ДЛЯ",
        "\U0001f600 smile",
    ),
    *("", "  \t", "_under_score", "k\u212a K"),
]


def as_pandas(frame: pl.DataFrame) -> pd.DataFrame:
    flat = [name for name, dtype in frame.schema.items() if not dtype.is_nested()]
    return pd.DataFrame(frame.select(flat).to_dict(as_series=False))


ENGINES: dict[str, Callable[[pl.DataFrame], Any]] = {
    "polars": lambda frame: frame,
    "lazy": lambda frame: frame.lazy(),
    "duckdb": lambda frame: duckdb.from_df(as_pandas(frame)),
    "pandas": as_pandas,
    "pandas, nullable": lambda frame: as_pandas(frame).convert_dtypes(),
}
every_engine = pytest.mark.parametrize("engine", ENGINES.values(), ids=ENGINES)


def with_texts(*texts: str | None) -> tpa.TaskProfiles:
    task = {"validation_state": "validated", "weekly_hours": 1.0, "ai_impact_level": None}
    tasks = [{**task, "task_id": f"t{i:03d}", "task": text} for i, text in enumerate(texts)]
    return profiles_of([{"job_family": "A", "headcount": None, "contract_hours": None, "tasks": tasks}])


@functools.cache
def hard(engine: Callable[[pl.DataFrame], Any]) -> tpa.TaskProfiles:
    profiles = with_texts(*HARD, None)
    return replace(profiles, jobs=engine(profiles.jobs), tasks=engine(profiles.tasks))


def holding(texts: list[str | None], text: str) -> list[str]:
    """Say by hand which texts hold all words."""
    small = lambda one: unicodedata.normalize("NFC", unicodedata.normalize("NFC", one).casefold())  # noqa: E731
    return [one for one in texts if one is not None and all(word in small(one) for word in small(text).split())]


@every_engine
@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("invoice check", {"Check invoices", "CHECK the INVOICE"}),
        ("STRASSE", {"Straßen reinigen", "STRASSEN REINIGEN"}),
        ("straße", {"Straßen reinigen", "STRASSEN REINIGEN"}),
        ("σίσυφος", {"ΣΊΣΥΦΟΣ βοηθά"}),
        ("file", {"\ufb01le a claim", "FILE A CLAIM"}),
        ("ÄRGER", {"A\u0308rger schlichten", "Ärger schlichten"}),
        ("a\u0308rger", {"A\u0308rger schlichten", "Ärger schlichten"}),
        ("校正", {"計測機器の校正"}),
        ("が", {"測定か\u3099必要"}),
        ("для изменить", {"Изменить ДЛЯ"}),
        ("100 %", {"100 % of costs"}),
        ("a.b", {"a.b (c) [d] \\d+ $"}),
        ("\\d+", {"a.b (c) [d] \\d+ $"}),
        (". *", set()),
        ("(c) $", {"a.b (c) [d] \\d+ $"}),
        ("'s \"", {'it\'s "quoted"'}),
        ("_", {"_under_score"}),
        ("\U0001f600", {"\U0001f600 smile"}),
        ("K", {"Check invoices", "CHECK the INVOICE", "k\u212a K"}),
    ],
)
def test_words_are_found_as_they_are_meant(engine: Callable[[pl.DataFrame], Any], text: str, found: set[str]) -> None:
    assert set(tpa.find_tasks(hard(engine), text)["task"]) == found
    assert set(holding([*HARD], text)) == found, "the reckoning by hand says so too"


# One of each kind of engine: the others read the same words.
@pytest.mark.parametrize("engine", [ENGINES[name] for name in ("polars", "duckdb", "pandas")])
@pytest.mark.parametrize("text", sorted({word for text in HARD for word in text.split()}))
def test_each_text_is_found_by_each_of_its_words(engine: Callable[[pl.DataFrame], Any], text: str) -> None:
    for asked in dict.fromkeys([text, text.upper(), text.lower(), text[1:] or text]):
        assert sorted(tpa.find_tasks(hard(engine), asked)["task"]) == sorted(holding([*HARD], asked)), asked


_texts = st.text(
    st.sampled_from("aAbß\u017f sSΣ\u03c3ςİiI\u0131éE\u0301K\u212a\ufb01研.%_\\*") | st.characters(codec="utf-8"),
    max_size=12,
)


@hypothesis.given(texts=st.lists(_texts, max_size=8), text=_texts)
def test_polars_finds_what_is_there_in_any_text(texts: list[str], text: str) -> None:
    if not text.split():
        with pytest.raises(tpa.SchemaError, match="give a word"):
            tpa.find_tasks(with_texts(*texts), text)
        return
    assert sorted(tpa.find_tasks(with_texts(*texts), text)["task"]) == sorted(holding([*texts], text))


def test_plain_letters_are_small_alike_everywhere() -> None:
    """If not, a task would be decided on the engine that must come home."""
    signs = [chr(code) for low, high in PLAIN for code in range(max(ord(low), 1), ord(high) + 1)]
    frame = pl.DataFrame({"sign": signs})
    expected = [sign.lower() for sign in signs]
    assert [folded(sign) for sign in signs] == expected
    assert frame.get_column("sign").str.to_lowercase().to_list() == expected
    assert [small for (small,) in duckdb.execute("select lower(unnest(?::varchar[]))", [signs]).fetchall()] == expected
    assert not [sign for sign in signs if unicodedata.combining(sign)], "it would join with the letter before it"


@every_engine
def test_tasks_without_text_are_counted_and_never_found(engine: Callable[[pl.DataFrame], Any]) -> None:
    found = tpa.find_tasks(hard(engine), "check")
    said = tpa.about(found).policy
    assert said[0] == f"{len(HARD) + 1} tasks were looked through; 3 of them have no text, and so cannot be found."
    assert said[1] == "2 tasks are found, 0 of them without hours."
    nothing = with_texts(None, None)
    silent = replace(nothing, jobs=engine(nothing.jobs), tasks=engine(nothing.tasks))
    assert tpa.find_tasks(silent, "check").height == 0
    assert "2 of them have no text" in tpa.about(tpa.find_tasks(silent, "check")).policy[0]


@pytest.mark.parametrize("text", ["", "  \n", None, 5, ["invoice"]])
def test_nothing_to_look_for_is_refused(text: Any, sample: tpa.TaskProfiles) -> None:
    with pytest.raises(tpa.SchemaError, match=r"text=.*: give a word that the tasks hold, or several, like 'invoice'"):
        tpa.find_tasks(sample, text)


def test_what_cannot_be_is_refused(sample: tpa.TaskProfiles) -> None:
    with pytest.raises(tpa.SchemaError, match=r"'Finanz' is not a job family \(did you mean 'Finance'\?\)"):
        tpa.find_tasks(sample, "check", families=["Finanz"])
    for families in ("Finance", []):
        with pytest.raises(tpa.SchemaError, match="`families` must be a list of job families"):
            tpa.find_tasks(sample, "check", families=families)
    for top in (0, -1, 2.5, True):
        with pytest.raises(tpa.SchemaError, match="`top` must be a whole number, 1 or more, not"):
            tpa.find_tasks(sample, "check", top=top)  # type: ignore[arg-type]
    with pytest.raises(tpa.SchemaError, match="lacks 'task'"):
        tpa.find_tasks(replace(sample, tasks=sample.tasks.drop("task")), "check")
    with pytest.raises(tpa.SchemaError, match="task must be text"):
        tpa.find_tasks(replace(sample, tasks=sample.tasks.with_columns(task=pl.lit(5))), "5")


def test_the_longest_come_first_and_the_unknown_last(sample: tpa.TaskProfiles) -> None:
    found = tpa.find_tasks(sample, "customer")
    hours = found["weekly_hours"].to_list()
    known = [hour for hour in hours if hour is not None]
    assert known == sorted(known, reverse=True)
    assert hours == known + [None] * found["weekly_hours"].null_count()
    assert found["weekly_hours"].null_count() > 0
    assert "rejected" not in found["validation_state"]
    assert "ai_impact_rationale" not in found.columns
    for top in (1, 5, len(known), len(known) + 1, found.height, found.height + 9):
        first = tpa.find_tasks(sample, "customer", top=top)
        assert first.equals(found.head(top)), top
        more = f"; the first {top} are given" in tpa.about(first).policy[1]
        assert more == (top < found.height)


def test_states_and_families_are_looked_in_as_asked(sample: tpa.TaskProfiles) -> None:
    everything = tpa.find_tasks(sample, "customer", states=["validated", "suggested"])
    some = tpa.find_tasks(sample, "customer", states=["suggested"], families=["Sales", "(no family)"])
    chosen = pl.col("job_family").is_in(["Sales", "(no family)"]), pl.col("validation_state") == "suggested"
    assert some.equals(everything.filter(*chosen))
    assert some.height
    meaning = tpa.about(some)
    jobs = sample.jobs.with_columns(pl.col("job_family").fill_null("(no family)")).filter(chosen[0])
    counted = sample.tasks.filter(pl.col("job_id").is_in(jobs["job_id"].implode()), chosen[1])
    assert (meaning.jobs, meaning.tasks, meaning.share_suggested) == (jobs.height, counted.height, 1.0)


@hypothesis.given(profiles=companies, text=st.sampled_from(["a", "do", "care with", "b", "zzz"]))
def test_families_count_what_is_found(profiles: tpa.TaskProfiles, text: str) -> None:
    found, counted = tpa.find_tasks(profiles, text), found_by_family(profiles, text)
    assert counted["job_family"].to_list() == sorted(
        set(profiles.jobs["job_family"].fill_null("(no family)")), key=lambda family: (family == "(no family)", family)
    )
    for row in counted.iter_rows(named=True):
        own = found.filter(job_family=row["job_family"])
        assert row["found"] == own.height
        assert row["found_with_hours"] == own["weekly_hours"].count()
        assert row["jobs_found"] == own["job_id"].n_unique()
        known = own["weekly_hours"].drop_nulls()
        assert row["hours"] == (pytest.approx(known.sum()) if known.len() else None)
        assert row["share"] == (row["found"] / row["tasks"] if row["tasks"] else None)


def test_what_is_remembered_is_what_is_found(sample: tpa.TaskProfiles) -> None:
    kept = with_cache(sample)
    for text in ("customer", "invoice", "customer"):
        for families in (None, ["Sales"], None):
            again = tpa.find_tasks(kept, text, families=families)
            assert again.equals(tpa.find_tasks(sample, text, families=families))
            assert tpa.about(again) == tpa.about(tpa.find_tasks(sample, text, families=families))


def staff(*people: float | None) -> tpa.TaskProfiles:
    task = {"task_id": "t", "validation_state": "validated", "weekly_hours": 4.0, "ai_impact_level": "H1"}
    return profiles_of([{"job_family": "A", "headcount": n, "contract_hours": 40.0, "tasks": [task]} for n in people])


@pytest.mark.parametrize(
    ("people", "left"),
    [
        ([9.0, 9.0, 9.0], 3),
        ([1.0, 9.0, 9.0, 7.0], 2),  # the next smallest, or the total of the family would tell
        ([1.0, 2.0, 9.0, 7.0], 1),  # both together are still too few
        ([1.0, 4.0, 9.0, 7.0], 2),
        ([1.0, None, 9.0, 7.0], 2),
        ([0.0, 9.0, 9.0], 1),
        ([None, None, None], 3),
        ([1.0, 1.0, 1.0], 0),
    ],
)
def test_no_total_of_a_family_tells_of_a_job_that_is_left_out(people: list[float | None], left: int) -> None:
    profiles = staff(*people)
    found = jobs_of_family(profiles, "A", privacy=tpa.Privacy())
    assert (found.jobs.height, found.left_out) == (left, len(people) - left)
    kept = found.jobs["job_id"].to_list()
    shown = [n for i, n in enumerate(people) if f"j{i:03d}" in kept]
    assert all(n is None or n >= 5 for n in shown)
    hidden = [n for i, n in enumerate(people) if f"j{i:03d}" not in kept]
    assert not hidden or not shown or (len(hidden) > 1 and (None in hidden or sum(n or 0 for n in hidden) >= 5))
    assert jobs_of_family(profiles, "A").jobs.height == len(people)


def test_jobs_where_each_is_a_person_are_left_out() -> None:
    persons = replace(staff(None, None, None), manifest={"source": {"kind": "employees"}})
    found = jobs_of_family(persons, "A", privacy=tpa.Privacy())
    assert (found.jobs.height, found.left_out) == (0, 3)


@hypothesis.given(profiles=companies)
def test_jobs_of_families_are_the_jobs_there_are(profiles: tpa.TaskProfiles) -> None:
    everyone = tpa.hours_by_job(profiles)
    for family in everyone["job_family"].unique():
        found = jobs_of_family(profiles, family)
        own = everyone.filter(job_family=family)
        told = ["job_id", "tasks", "tasks_with_hours", "hours", "contract_hours"]
        assert_frame_equal(found.jobs.sort("job_id").select(told), own.select(told), abs_tol=1e-9)
        sums = dict(found.levels.filter(pl.col("hours") > 0).group_by("job").agg(pl.col("hours").sum()).rows())
        for job, hours, h1 in found.jobs.select("job", "hours", "h1").rows():
            assert sums.get(job, 0.0) == pytest.approx(hours or 0.0)
            of_h1 = found.levels.filter(job=job, level="H1")["hours"].sum()
            assert h1 == (pytest.approx(of_h1 / hours) if hours else None)
