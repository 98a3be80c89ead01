"""Random groupings of random companies, with the same figures computed by SQL."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import duckdb
import polars as pl
import pytest
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import tpanalytics as tpa
from tests.helpers.random_profiles import companies

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["all_unknown", "assert_equals_sql", "companies_with_groups", "groupings", "weights"]

#: Columns to group by, by the table that has them.
COLUMNS = {
    "jobs": ["job_family", "site", "pay_grade", "job_id"],
    "people": ["country", "contract"],
    "tasks": ["validation_state", "task_id", "tool"],
}
_TABLE_OF = {name: table for table, names in COLUMNS.items() for name in names}
_LEVEL_WEIGHTS = {"H1": 1.0, "H2": 0.5, "H3": 0.0}

weights = st.sampled_from([None, "tasks", "hours", "headcount", "fte"])
groupings = st.lists(st.sampled_from(sorted(_TABLE_OF)), max_size=3, unique=True)
_texts = st.lists(st.sampled_from([None, "a", "b", "č, d"]), min_size=1, max_size=7)
_rows_of_people = st.lists(
    st.fixed_dictionaries(
        {
            "job": st.integers(0, 11),
            "country": st.sampled_from([None, "BE", "NL"]),
            "contract": st.sampled_from(["fixed", "open"]),
            "headcount": st.sampled_from([None, 0, 1, 7]),
            "fte": st.sampled_from([None, 0.0, 0.5, 6.2]),
        }
    ),
    max_size=16,
)


def _cycled(values: Sequence[Any], n: int) -> list[Any]:
    return [values[i % len(values)] for i in range(n)]


def _with_groups(
    profiles: tpa.TaskProfiles, sites: list[Any], grades: list[Any], tools: list[Any], people: list[dict[str, Any]]
) -> tpa.TaskProfiles:
    jobs, tasks = profiles.jobs, profiles.tasks
    ids = jobs.get_column("job_id").to_list()
    rows = [{**row, "job_id": ids[row["job"]]} for row in people if row["job"] < len(ids)]
    schema = {
        "job_id": pl.String,
        "country": pl.String,
        "contract": pl.String,
        "headcount": pl.Int64,
        "fte": pl.Float64,
    }
    return replace(
        profiles,
        jobs=jobs.with_columns(
            site=pl.Series(_cycled(sites, jobs.height), dtype=pl.String),
            pay_grade=pl.Series(_cycled(grades, jobs.height), dtype=pl.Int64),
        ),
        # These columns have nested types, which pandas lacks, and are not grouped by.
        tasks=tasks.drop("source_data", "linked_skills", "hierarchy").with_columns(
            tool=pl.Series(_cycled(tools, tasks.height), dtype=pl.String)
        ),
        people=pl.DataFrame([{name: row[name] for name in schema} for row in rows], schema=schema, orient="row"),
    )


companies_with_groups = st.builds(
    _with_groups,
    companies,
    _texts,
    st.lists(st.sampled_from([None, 7, 10, -1]), min_size=1, max_size=5),
    _texts,
    _rows_of_people,
)


def by_sql(profiles: tpa.TaskProfiles, by: Sequence[str], weight: str) -> pl.DataFrame:
    """Return the tasks, hours and amounts by group and level, with the jobs of the group.

    The rows of a job are those of its people, and of the tasks that are grouped by. A job without people is in none of
    their groups, unless tasks or hours are counted. Unknown people are excluded, and never count as 0.
    """
    of = {table: [name for name in by if _TABLE_OF[name] == table] for table in COLUMNS}
    label = {name: f"coalesce(CAST({name} AS VARCHAR), '(no {name.replace('_', ' ')})') AS {name}" for name in by}
    amount = {"tasks": "1.0", "hours": "weekly_hours"}.get(weight, f"weekly_hours * {weight}")
    staffed = weight in ("headcount", "fte")
    group = f"OVER (PARTITION BY {', '.join(by)})" if by else "OVER ()"
    with duckdb.connect() as connection:
        for name in COLUMNS:
            connection.register(name, getattr(profiles, name).to_arrow())
        relation = connection.sql(
            f"""
            WITH staff AS (
                SELECT {", ".join(["job_id", *of["people"]])},
                    CASE WHEN count(*) = count(headcount) OR sum(headcount) > 0 THEN sum(headcount) END AS headcount,
                    CASE WHEN count(*) = count(fte) OR sum(fte) > 0 THEN sum(fte) END AS fte
                FROM people GROUP BY ALL
            ), held AS (
                SELECT {", ".join(f"jobs.{name}" for name in dict.fromkeys(["job_id", *of["jobs"]]))},
                    {"".join(f"staff.{name}, " for name in of["people"])} headcount, fte
                FROM (SELECT * EXCLUDE (headcount, fte) FROM jobs) AS jobs
                {"JOIN" if staffed and of["people"] else "LEFT JOIN"} staff USING (job_id)
            ), counted AS (
                SELECT * FROM tasks WHERE validation_state IN ('validated', 'suggested')
            ), rows AS (
                SELECT held.*, {"".join(f"counted.{name}, " for name in of["tasks"])} weekly_hours,
                    counted.job_id IS NOT NULL AS is_task,
                    CASE WHEN is_task THEN coalesce(ai_impact_level, 'not assessed') END AS ai_impact_level,
                    CASE WHEN is_task THEN {amount} END AS amount
                FROM held {"JOIN" if of["tasks"] else "LEFT JOIN"} counted USING (job_id)
            ), labelled AS (
                SELECT {"".join(f"{text}, " for text in label.values())} rows.job_id AS of_job,
                    ai_impact_level, is_task, weekly_hours, amount, {weight if staffed else "1"} AS staff
                FROM rows
            ), unknown AS (
                SELECT *, coalesce(sum(staff) FILTER (weekly_hours > 0) {group}, 0) = 0
                    AND count(*) FILTER (weekly_hours > 0 AND staff IS NULL) {group} > 0 AS not_zero
                FROM labelled
            ), known AS (
                SELECT * REPLACE (CASE WHEN not_zero AND staff = 0 THEN NULL ELSE amount END AS amount) FROM unknown
            ), jobs_of AS (
                SELECT {"".join(f"{name}, " for name in by)} count(DISTINCT of_job) AS jobs FROM known GROUP BY ALL
            ), cells AS (
                SELECT {"".join(f"{name}, " for name in by)} ai_impact_level, count(*) FILTER (is_task) AS tasks,
                    count(weekly_hours) AS tasks_with_hours, sum(weekly_hours) AS hours, sum(amount) AS amount
                FROM known GROUP BY ALL
            )
            SELECT cells.*, jobs FROM cells JOIN jobs_of {f"USING ({', '.join(by)})" if by else "ON true"}
            """
        )
        # Sums of whole numbers are decimals in some versions of DuckDB.
        return pl.DataFrame(relation).with_columns(pl.col("hours", "amount").cast(pl.Float64))


def assert_equals_sql(
    profiles: tpa.TaskProfiles, engine: tpa.TaskProfiles, by: Sequence[str], weight: str | None
) -> None:
    """Check the hours, the impact and the exposure on an engine against SQL on the same frames in memory."""
    people = any(_TABLE_OF[name] == "people" for name in by)
    if all_unknown(profiles, weight or ("headcount" if people else "hours")):
        for measure in (tpa.impact, tpa.hours, tpa.exposure):
            with pytest.raises(tpa.SchemaError, match="is unknown in all rows of the people"):
                measure(engine, by=list(by) or None, weight=weight)  # type: ignore[operator]
        return
    expected = by_sql(profiles, by, weight or ("headcount" if people else "hours"))
    keys = list(by)
    # Shares relate a level to its group. An unknown amount adds nothing.
    total = _over(pl.col("amount").fill_null(0.0).sum(), keys)
    share = pl.when(total > 0).then(pl.col("amount").fill_null(0.0) / total).alias("share")
    levels = expected.filter(pl.col("tasks") > 0).with_columns(share)
    impact = tpa.impact(engine, by=keys or None, weight=weight).filter(pl.col("tasks") > 0)  # type: ignore[arg-type]
    figures = ["jobs", "tasks", "tasks_with_hours", "hours", "amount", "share"]
    _assert_equal(impact, levels, [*keys, "ai_impact_level"], figures)
    if weight == "tasks":
        return
    staffed = people if weight is None else weight != "hours"
    hours = tpa.hours(engine, by=keys or None, weight=weight)  # type: ignore[arg-type]
    sums = {name: _known_sum(name) for name in ("hours", "amount")}
    counts = {name: pl.col(name).sum() for name in ("tasks", "tasks_with_hours")}
    groups = _grouped(expected, keys, jobs=pl.col("jobs").first(), **counts, **sums)
    figures = ["jobs", "tasks", "tasks_with_hours", "hours"]
    _assert_equal(hours, groups, keys, figures)
    if staffed:
        _assert_equal(hours.with_columns(amount=f"{weight or 'headcount'}_hours"), groups, keys, ["amount"])
    weights = pl.col("ai_impact_level").replace_strict(_LEVEL_WEIGHTS, default=None, return_dtype=pl.Float64)
    weighted = expected.with_columns(
        numerator=pl.col("amount") * weights, denominator=pl.when(weights.is_not_null()).then("amount")
    )
    index = _grouped(weighted, keys, numerator=_known_sum("numerator"), denominator=_known_sum("denominator"))
    ratio = pl.when(pl.col("denominator") > 0).then(pl.col("numerator") / pl.col("denominator"))
    exposure = tpa.exposure(engine, by=keys or None, weight=weight)  # type: ignore[arg-type]
    _assert_equal(exposure, index.with_columns(exposure=ratio), keys, ["numerator", "denominator", "exposure"])


def all_unknown(profiles: tpa.TaskProfiles, weight: str) -> bool:
    """Return whether there are people, but the weight counts none that are known."""
    if weight not in ("headcount", "fte") or profiles.people is None:
        return False
    people = profiles.people.join(profiles.jobs, on="job_id", how="semi")
    return people.height > 0 and people.get_column(weight).null_count() == people.height


def _known_sum(name: str) -> pl.Expr:
    return pl.when(pl.col(name).count() > 0).then(pl.col(name).sum())


def _over(expression: pl.Expr, keys: list[str]) -> pl.Expr:
    return expression.over(keys) if keys else expression


def _grouped(frame: pl.DataFrame, keys: list[str], **sums: pl.Expr) -> pl.DataFrame:
    # A company without jobs has no group.
    return (
        frame.group_by(keys).agg(**sums) if keys else frame.filter(pl.col("jobs") > 0).select(**sums).head(frame.height)
    )


def _assert_equal(result: pl.DataFrame, expected: pl.DataFrame, keys: list[str], figures: list[str]) -> None:
    columns = [*keys, *figures]
    assert_frame_equal(
        pl.DataFrame(result).select(columns),
        expected.select(columns),
        check_row_order=False,
        check_dtypes=False,
        rel_tol=1e-9,
        abs_tol=1e-9,
    )
