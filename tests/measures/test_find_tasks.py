"""Tests of the search for tasks by words."""

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

import tpanalytics as tpa
from tests.helpers.builders import one_job, task
from tests.helpers.random_profiles import companies
from tpanalytics.measures._core.cache import with_cache
from tpanalytics.measures.find_tasks import PLAIN, fold_case, matches_by_group

if TYPE_CHECKING:
    from collections.abc import Callable

#: Texts that backends lowercase differently, or that contain special characters of regular expressions.
TEXTS = [
    "Check invoices",
    "CHECK the INVOICE",
    "Straßen reinigen",
    "STRASSEN REINIGEN",
    "ΣΊΣΥΦΟΣ βοηθά",
    "İstanbul office",
    "\ufb01le a claim",
    "FILE A CLAIM",
    "A\u0308rger schlichten",
    "Ärger schlichten",
    "計測機器の校正",
    "測定か\u3099必要",
    "100 % of costs",
    "100 x of costs",
    "a.b (c) [d] \\d+ $",
    "aXb",
    'it\'s "quoted"',
    "Изменить ДЛЯ",
    "\U0001f600 smile",
    "",
    "  \t",
    "_under_score",
    "k\u212a K",
]


def flat_pandas(frame: pl.DataFrame) -> pd.DataFrame:
    flat = [name for name, dtype in frame.schema.items() if not dtype.is_nested()]
    return pd.DataFrame(frame.select(flat).to_dict(as_series=False))


BACKENDS: dict[str, Callable[[pl.DataFrame], Any]] = {
    "polars": lambda frame: frame,
    "lazy": lambda frame: frame.lazy(),
    "duckdb": lambda frame: duckdb.from_df(flat_pandas(frame)),
    "pandas": flat_pandas,
    "pandas, nullable": lambda frame: flat_pandas(frame).convert_dtypes(),
}
every_backend = pytest.mark.parametrize("backend", BACKENDS.values(), ids=BACKENDS)


def with_texts(*texts: str | None) -> tpa.TaskProfiles:
    tasks = [{**task(None), "task_id": f"t{i:03d}", "task": text} for i, text in enumerate(texts)]
    return one_job(*tasks)


@functools.cache
def backend_profiles(backend: Callable[[pl.DataFrame], Any]) -> tpa.TaskProfiles:
    profiles = with_texts(*TEXTS, None)
    # Count the tasks only once for all searches.
    return with_cache(replace(profiles, jobs=backend(profiles.jobs), tasks=backend(profiles.tasks)))


def expected_matches(texts: list[str | None], text: str) -> list[str]:
    """Search the texts with Python's own case folding."""
    fold = lambda x: unicodedata.normalize("NFC", unicodedata.normalize("NFC", x).casefold())  # noqa: E731
    return [x for x in texts if x is not None and all(word in fold(x) for word in fold(text).split())]


@every_backend
@pytest.mark.parametrize(
    ("text", "expected"),
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
def test_matches_are_the_same_on_every_backend(
    backend: Callable[[pl.DataFrame], Any], text: str, expected: set[str]
) -> None:
    assert set(tpa.find_tasks(backend_profiles(backend), text)["task"]) == expected
    assert set(expected_matches([*TEXTS], text)) == expected


# One backend of each kind is enough here.
@pytest.mark.parametrize("backend", [BACKENDS[name] for name in ("polars", "duckdb", "pandas")])
@pytest.mark.parametrize("text", sorted({word for text in TEXTS for word in text.split()}))
def test_every_text_matches_each_of_its_words(backend: Callable[[pl.DataFrame], Any], text: str) -> None:
    for search in dict.fromkeys([text, text.upper(), text.lower(), text[1:] or text]):
        assert sorted(tpa.find_tasks(backend_profiles(backend), search)["task"]) == sorted(
            expected_matches([*TEXTS], search)
        ), search


_texts = st.text(
    st.sampled_from("aAbß\u017f sSΣ\u03c3ςİiI\u0131éE\u0301K\u212a\ufb01研.%_\\*") | st.characters(codec="utf-8"),
    max_size=12,
)


@hypothesis.given(texts=st.lists(_texts, max_size=8), text=_texts)
def test_random_texts_match_on_polars(texts: list[str], text: str) -> None:
    if not text.split():
        with pytest.raises(tpa.SchemaError, match="must contain at least one word"):
            tpa.find_tasks(with_texts(*texts), text)
        return
    assert sorted(tpa.find_tasks(with_texts(*texts), text)["task"]) == sorted(expected_matches([*texts], text))


def test_plain_characters_have_the_same_lowercase_on_every_backend() -> None:
    characters = [chr(code) for low, high in PLAIN for code in range(max(ord(low), 1), ord(high) + 1)]
    expected = [character.lower() for character in characters]
    assert [fold_case(character) for character in characters] == expected
    assert pl.Series(characters).str.to_lowercase().to_list() == expected
    rows = duckdb.execute("select lower(unnest(?::varchar[]))", [characters]).fetchall()
    assert [lowercase for (lowercase,) in rows] == expected
    assert not [character for character in characters if unicodedata.combining(character)]


@every_backend
def test_tasks_without_text_never_match(backend: Callable[[pl.DataFrame], Any]) -> None:
    policy = tpa.about(tpa.find_tasks(backend_profiles(backend), "check")).policy
    assert policy[0] == f"Tasks searched: {len(TEXTS) + 1} (3 without text, which cannot match)."
    assert policy[1] == "Matching tasks: 2 (0 without hours)."
    profiles = with_texts(None, None)
    no_text = replace(profiles, jobs=backend(profiles.jobs), tasks=backend(profiles.tasks))
    assert tpa.find_tasks(no_text, "check").height == 0
    assert "2 without text" in tpa.about(tpa.find_tasks(no_text, "check")).policy[0]


@pytest.mark.parametrize("text", ["", "  \n", None, 5, ["invoice"]])
def test_text_without_a_word_raises(text: Any, sample: tpa.TaskProfiles) -> None:
    with pytest.raises(
        tpa.SchemaError, match=r"`text` must contain at least one word to search for, like 'invoice', not .*"
    ):
        tpa.find_tasks(sample, text)


def test_invalid_arguments_raise(sample: tpa.TaskProfiles) -> None:
    with pytest.raises(tpa.SchemaError, match=r"'Finanz' is not a job family \(did you mean 'Finance'\?\)"):
        tpa.find_tasks(sample, "check", groups=["Finanz"])
    for groups in ("Finance", []):
        with pytest.raises(tpa.SchemaError, match="`groups` must be a list of job families"):
            tpa.find_tasks(sample, "check", groups=groups)
    for top in (0, -1, 2.5, True):
        with pytest.raises(tpa.SchemaError, match="`top` must be a whole number, 1 or more, not"):
            tpa.find_tasks(sample, "check", top=top)  # type: ignore[arg-type]
    with pytest.raises(tpa.SchemaError, match="has no column 'task'"):
        tpa.find_tasks(replace(sample, tasks=sample.tasks.drop("task")), "check")
    with pytest.raises(tpa.SchemaError, match="`task` of `tasks` must be text"):
        tpa.find_tasks(replace(sample, tasks=sample.tasks.with_columns(task=pl.lit(5))), "5")


def test_longest_tasks_come_first_and_missing_hours_last(sample: tpa.TaskProfiles) -> None:
    tasks = tpa.find_tasks(sample, "customer")
    hours = tasks["weekly_hours"].to_list()
    known = [hour for hour in hours if hour is not None]
    assert known == sorted(known, reverse=True)
    assert hours == known + [None] * tasks["weekly_hours"].null_count()
    assert tasks["weekly_hours"].null_count() > 0
    assert "rejected" not in tasks["validation_state"]
    assert "ai_impact_rationale" not in tasks.columns
    for top in (1, 5, len(known), len(known) + 1, tasks.height, tasks.height + 9):
        top_tasks = tpa.find_tasks(sample, "customer", top=top)
        assert top_tasks.equals(tasks.head(top)), top
        limited = f". Returned: the first {top}." in tpa.about(top_tasks).policy[1]
        assert limited == (top < tasks.height)


def test_search_is_limited_to_states_and_families(sample: tpa.TaskProfiles) -> None:
    all_matches = tpa.find_tasks(sample, "customer", states=["validated", "suggested"])
    matches = tpa.find_tasks(sample, "customer", states=["suggested"], groups=["Sales", "(no job family)"])
    filters = pl.col("job_family").is_in(["Sales", "(no job family)"]), pl.col("validation_state") == "suggested"
    assert matches.equals(all_matches.filter(*filters))
    assert matches.height
    meaning = tpa.about(matches)
    jobs = sample.jobs.with_columns(pl.col("job_family").fill_null("(no job family)")).filter(filters[0])
    searched = sample.tasks.filter(pl.col("job_id").is_in(jobs["job_id"].implode()), filters[1])
    assert (meaning.jobs, meaning.tasks, meaning.share_suggested) == (jobs.height, searched.height, 1.0)


@hypothesis.given(profiles=companies, text=st.sampled_from(["a", "do", "care with", "b", "zzz"]))
def test_matches_are_counted_by_family(profiles: tpa.TaskProfiles, text: str) -> None:
    profiles = with_cache(profiles)
    matches, table = tpa.find_tasks(profiles, text), matches_by_group(profiles, text)
    assert table["job_family"].to_list() == sorted(
        set(profiles.jobs["job_family"].fill_null("(no job family)")),
        key=lambda family: (family == "(no job family)", family),
    )
    for row in table.iter_rows(named=True):
        expected = matches.filter(job_family=row["job_family"])
        assert row["found"] == expected.height
        assert row["found_with_hours"] == expected["weekly_hours"].count()
        assert row["jobs_found"] == expected["job_id"].n_unique()
        known = expected["weekly_hours"].drop_nulls()
        assert row["hours"] == (pytest.approx(known.sum()) if known.len() else None)
        assert row["share"] == (row["found"] / row["tasks"] if row["tasks"] else None)


def test_cached_results_are_equal(sample: tpa.TaskProfiles) -> None:
    cached_profiles = with_cache(sample)
    for text in ("customer", "invoice", "customer"):
        for groups in (None, ["Sales"], None):
            result = tpa.find_tasks(cached_profiles, text, groups=groups)
            assert result.equals(tpa.find_tasks(sample, text, groups=groups))
            assert tpa.about(result) == tpa.about(tpa.find_tasks(sample, text, groups=groups))
