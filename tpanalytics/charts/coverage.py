"""How much is known of each family, and whether its figures may be quoted (C18)."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

import altair as alt
import polars as pl

from tpanalytics.charts._core import captions, frame, theme
from tpanalytics.charts._core.frame import SideColumn
from tpanalytics.formatting import NONE, covered, listed, plural, total
from tpanalytics.measures._core.cache import with_cache
from tpanalytics.measures.coverage import coverage as measure_coverage, evidence_by_family
from tpanalytics.measures.privacy.policy import USUAL
from tpanalytics.measures.privacy.suppress import apply_policy
from tpanalytics.schema import COUNTED_STATES, NO_FAMILY

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tpanalytics.measures.privacy.policy import Privacy
    from tpanalytics.schema import TaskProfiles

__all__ = ["plot_coverage"]

_ROW, _BAR = 28, 18
#: Width of a cell in pixels, and of what is left free beside it for its figure.
_CELL, _GAP, _FIGURE = 68, 14, 40
#: What is looked at: the column of the measure, how it is headed and called, and what must be asked for to have it.
_PARTS = (
    ("hours_coverage", "hours", "hours", "weekly_hours"),
    ("level_coverage", "level", "a level", "ai_impact"),
    ("validated_share", "validated", "a validation", ""),
    ("evidence_coverage", "source", "a source", "source_data"),
    ("both_coverage", "hours and level", "hours and a level", ""),
)
_WIDTH = len(_PARTS) * (_CELL + _GAP + _FIGURE)
#: Characters of a line above a column, so that it stays clear of the next.
_HEAD = 16
_VERDICT = {"A": "safe to quote", "B": "quote with its gaps", "C": "not to quote alone"}
_ASKED = "not requested"
_COLUMNS = (
    SideColumn("bare", ["jobs without", "any task"], 56),
    SideColumn("grade", "grade", 104),
    SideColumn("verdict", "verdict", 226, muted=False),
)


def plot_coverage(
    profiles: TaskProfiles, *, states: Sequence[str] = COUNTED_STATES, privacy: Privacy | None = USUAL
) -> alt.LayerChart:
    """Draw of which share of each family's tasks something is known, and whether its figures are safe to quote.

    Families come worst first, by the share of tasks with hours and level, which gives the grade and the verdict. A
    column that was not asked for when loading says so, and is not 0 %. A family without tasks keeps its row, and so
    does one that is hidden because too few jobs or people stand behind it.

    Parameters
    ----------
    profiles
        As for `coverage`; where `tasks` have ``source_data``, also the share of tasks with a source.
    states
        Validation states that count.
    privacy
        How few jobs or people a figure may tell of; None hides nothing.

    Returns
    -------
    alt.LayerChart
        Restyle it as any Altair chart; write it with `save`.

    Raises
    ------
    SchemaError
        If a column is missing.

    Warns
    -----
    TpAnalyticsWarning
        If tasks are in a state that is neither counted nor ``rejected``.

    Examples
    --------
    >>> from tpanalytics import load_sample
    >>> chart = plot_coverage(load_sample())
    >>> chart.to_dict()["description"][:48]
    'Matrix of bars: the share of tasks with hours, a'
    """
    profiles = with_cache(profiles)
    coverage = measure_coverage(profiles, states=states)
    if coverage.height == 0:
        return frame.no_jobs()
    evidence = evidence_by_family(profiles, states=states)
    absent = _absent(coverage, evidence, profiles.manifest)
    if evidence is not None:
        coverage = coverage.join(evidence, on="job_family", how="left", maintain_order="left")
    else:
        coverage = coverage.with_columns(evidence_coverage=pl.lit(None, dtype=pl.Float64))
    groups = frame.groups(coverage, apply_policy(coverage, profiles, privacy), profiles, privacy)
    rows = _families(groups.rows)
    return frame.chart(
        groups,
        rows,
        _cells(rows, frame.group_axis(rows.get_column("job_family").to_list()), absent),
        _COLUMNS,
        title=_finding(rows, absent),
        basis="Share of tasks with hours, level, validation, source",
        description=_description(rows, absent, groups),
        notes=_notes(coverage, absent),
        size=(_WIDTH, _ROW),
        below=14,
    )


def _absent(coverage: pl.DataFrame, evidence: pl.DataFrame | None, manifest: Mapping[str, Any]) -> dict[str, str]:
    """Explain for each column that is empty in all families why that is not 0%."""
    asked = (manifest.get("request") or {}).get("include")
    found = {}
    for column, _, words, include in _PARTS:
        if not include:
            continue
        if column == "evidence_coverage":
            nothing = evidence is None
        else:
            nothing = not coverage.select((pl.col(column) > 0).any()).item()
        if nothing and asked is not None and include not in asked:
            found[column] = _ASKED
        elif nothing and total(coverage, "tasks"):
            found[column] = f"no task has {words}" if column != "evidence_coverage" else _ASKED
    needed = [found[column] for column in ("hours_coverage", "level_coverage") if column in found]
    if needed:
        found["both_coverage"] = needed[0]
    return found


def _families(shown: pl.DataFrame) -> pl.DataFrame:
    """Order the families worst first."""
    return (
        shown.with_columns(hidden=captions.is_hidden(), empty=(pl.col("tasks") == 0).fill_null(value=False))
        .sort("hidden", "empty", pl.col("both_coverage").round(9), "job_family", nulls_last=True)
        .with_columns(
            verdict=pl.col("data_grade").replace_strict(_VERDICT, default=NONE, return_dtype=pl.String).fill_null(NONE),
            bare=pl.format("{} of {}", "jobs_without_tasks", "jobs").fill_null(NONE),
            grade=pl.col("data_grade").fill_null(NONE),
            missing=captions.why_missing({"no task described": pl.col("empty")}),
        )
        .with_columns(captions.mask_hidden("verdict", "bare", "grade"))
    )


def _cells(families: pl.DataFrame, y: alt.Y, absent: Mapping[str, str]) -> list[alt.Chart]:
    step = _CELL + _GAP + _FIGURE
    scale = alt.Scale(domain=[0, _WIDTH], nice=False)
    axis = alt.Axis(title=None, labels=False, grid=False)
    known = families.filter(~pl.col("hidden") & ~pl.col("empty"))
    rows = [
        {
            "job_family": family,
            "what": name,
            "from": float(number * step + _FIGURE),
            "known": number * step + _FIGURE + _CELL * float(share),
            "to": float(number * step + _FIGURE + _CELL),
            "figure": covered(share),
            "graded": column == "both_coverage",
        }
        for number, (column, name, _, _) in enumerate(_PARTS)
        if column not in absent
        for family, share in known.select("job_family", column).rows()
        if share is not None
    ]
    schema = {
        **dict.fromkeys(("job_family", "what"), pl.String),
        **dict.fromkeys(("from", "known", "to"), pl.Float64),
        "figure": pl.String,
        "graded": pl.Boolean,
    }
    drawn = alt.Chart(pl.DataFrame(rows, schema=schema))
    x = alt.X("from:Q", scale=scale, axis=axis)
    tooltip = captions.tooltips("job_family", what=("N", "Known", None), figure=("N", "Share of tasks", None))
    whole = drawn.mark_bar(size=_BAR, fill="#FFFFFF", stroke="#8A8A90", strokeWidth=1).encode(
        x=x, x2=alt.X2("to:Q"), y=y
    )
    # The column that the verdict goes by is darker than the others.
    fill = alt.FillValue(theme.SHADE, condition=theme.when("datum.graded", "#B5D9DC"))
    part = drawn.mark_bar(size=_BAR, stroke=theme.OUTLINE, strokeWidth=1).encode(
        x=x, x2=alt.X2("known:Q"), y=y, fill=fill, tooltip=tooltip
    )
    figures = drawn.mark_text(align="right", dx=-5, fontSize=11, color=theme.INK).encode(
        x=x, y=y, text=alt.Text("figure:N")
    )
    heads = [
        theme.note(
            lines := [name, *(textwrap.wrap(f"({absent[column]})", _HEAD) if column in absent else [])],
            x=number * step + _FIGURE,
            y=-6 - 13 * (len(lines) - 1),
            baseline="bottom",
            fontSize=10.5,
            lineHeight=13,
        )
        for number, (column, name, _, _) in enumerate(_PARTS)
    ]
    return [whole, part, figures, *heads]


def _finding(families: pl.DataFrame, absent: Mapping[str, str]) -> str:
    """Say of how many families the figures are safe to quote, and of which they are not."""
    shown = families.filter(~pl.col("hidden"))
    if not shown.height:
        return captions.ALL_HIDDEN
    asked = [name for column, name, _, _ in _PARTS[:2] if absent.get(column) == _ASKED]
    if asked:
        return f"No figure that needs {listed(asked)} can be quoted: not requested when loading"
    described = shown.filter(~pl.col("empty"))
    if not described.height:
        hidden = shown.height < families.height
        return f"No task of the families{' shown' * hidden} is described" if hidden else "No task is described"
    named = described.filter(pl.col("job_family") != NO_FAMILY)
    if named.height < 2:
        one = named if named.height else described
        family, share, grade = one.select("job_family", "both_coverage", "data_grade").row(0)
        if not named.height:
            return f"Hours and a level are known for {covered(share)} of tasks: {_VERDICT[grade]}"
        return f"{family}: {covered(share)} of tasks have hours and a level, {_VERDICT[grade]}"
    of_which = " shown" if shown.height < families.height else " that are described"
    return _verdicts(named, of_which * (named.height < families.filter(pl.col("job_family") != NO_FAMILY).height))


def _verdicts(named: pl.DataFrame, of_which: str) -> str:
    """Count the verdicts on several families."""
    poor = named.filter(data_grade="C").get_column("job_family").to_list()
    many, safe = named.height, named.filter(data_grade="A").height
    if len(poor) == many:
        return f"Too little is known of every family{of_which} to quote its figures alone"
    if 0 < len(poor) <= 3:
        return f"Too little is known of {listed(poor)} to quote {'their' if len(poor) > 1 else 'its'} figures alone"
    if poor:
        family, share = named.select("job_family", "both_coverage").row(0)
        return (
            f"Too little is known of {len(poor)} of {many} families{of_which} to quote their figures alone, least of "
            f"{family}: {covered(share)} of tasks have hours and a level"
        )
    if safe == many:
        return f"Figures of all {many} families{of_which} are safe to quote"
    if not safe:
        return f"Figures of all {many} families{of_which} are to be quoted with their gaps"
    return f"Figures of {safe} of {many} families{of_which} are safe to quote, those of the others with their gaps"


def _notes(coverage: pl.DataFrame, absent: Mapping[str, str]) -> list[str]:
    tasks = total(coverage, "tasks")
    if not tasks:
        return [captions.NO_TASK_COUNTS]
    shares = {words: captions.overall(coverage, column) for column, _, words, _ in _PARTS if column not in absent}
    known = {words: share for words, share in shares.items() if share is not None}
    validated = [known.pop("a validation")] if "a validation" in known else []
    note = captions.known_note(known, *validated, of=plural(tasks, "task"))
    requested = [name for column, name, _, include in _PARTS if include and absent.get(column) == _ASKED]
    return [
        f"{note} {captions.without_tasks(coverage)}",
        *([f"Not asked for when loading, so not known, and not 0%: {listed(requested)}."] if requested else []),
        f"A filled bar is what is known, the rest of its box is not. {captions.MISSING_HOURS}",
        captions.grade_note("hours and a level"),
    ]


def _description(families: pl.DataFrame, absent: Mapping[str, str], groups: frame.Groups) -> tuple[str, str, list[str]]:
    drawn = [(column, words) for column, _, words, _ in _PARTS if column not in absent]
    what = (
        f"the share of tasks with {listed(words for _, words in drawn)}"
        if groups.totals
        else "what is known of the tasks"
    )
    built = f"Matrix of bars: {what} for {groups.population}. Families worst first, by hours and level."
    known = families.filter(~pl.col("hidden") & ~pl.col("empty"))
    rows = "; ".join(
        f"{row['job_family']} {listed(f'{words} {covered(row[column])}' for column, words in drawn)}, "
        f"{row['bare']} jobs without any task, grade {row['grade']}, {row['verdict']}"
        for row in known.rows(named=True)
    )
    shape = []
    for grade, verdict in _VERDICT.items():
        names = known.filter(data_grade=grade).get_column("job_family").to_list()
        if names:
            shape.append(f"{verdict.capitalize()}: {listed(names)}.")
    shape += [f"The column {name} is empty: {absent[column]}." for column, name, _, _ in _PARTS if column in absent]
    bare = families.filter("empty").get_column("job_family").to_list()
    if bare:
        shape.append(f"No task is described in {listed(bare)}.")
    return built, f"{rows}." if rows else "", shape
