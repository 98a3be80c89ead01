"""Chart of data coverage per group of jobs."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

import altair as alt
import polars as pl

from tpanalytics.charts._core import captions, frame, theme
from tpanalytics.charts._core.frame import SideColumn
from tpanalytics.charts._core.grouping import grouping
from tpanalytics.formatting import NONE, coverage_percent, is_table, listed, plural, total
from tpanalytics.measures._core.cache import with_cache
from tpanalytics.measures._core.groups import BY_FAMILY
from tpanalytics.measures._core.metadata import get_metadata, states_unknown
from tpanalytics.measures.coverage import coverage as measure_coverage, source_coverage
from tpanalytics.measures.privacy.policy import USUAL

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tpanalytics.charts._core.grouping import Grouping
    from tpanalytics.measures.privacy.policy import Privacy
    from tpanalytics.schema import TaskProfiles
    from tpanalytics.typing import By

__all__ = ["plot_coverage"]

_ROW, _BAR = 28, 18
#: Cell, gap and figure widths, in pixels.
_CELL, _GAP, _FIGURE = 68, 14, 40
#: Measure column, header, name in sentences, and ``include`` field for each chart column.
_PARTS = (
    ("hours_coverage", "hours", "hours", "weekly_hours"),
    ("level_coverage", "level", "a level", "ai_impact"),
    ("validated_share", "validated", "a validation", ""),
    ("evidence_coverage", "source", "a source", "source_data"),
    ("both_coverage", "hours and level", "hours and a level", ""),
)
_WIDTH = len(_PARTS) * (_CELL + _GAP + _FIGURE)
#: Maximum line length of a column header, in characters.
_HEAD = 16
_VERDICT = {"A": "safe to quote", "B": "quote with coverage", "C": "do not quote alone"}
_NOT_REQUESTED = "not requested"
_COLUMNS = (
    SideColumn("bare", ["jobs without", "tasks"], 56),
    SideColumn("grade", "grade", 104),
    SideColumn("verdict", "verdict", 226, muted=False),
)


def plot_coverage(
    profiles: TaskProfiles,
    *,
    by: By = BY_FAMILY,
    states: Sequence[str] | None = None,
    top: int | None = frame.TOP,
    privacy: Privacy | None = USUAL,
) -> alt.LayerChart:
    """Draw each group's data coverage, and show whether the figures are safe to quote.

    Groups are sorted by the share of tasks with hours and a level, lowest first. This share determines the data
    grade. Fields that weren't requested when loading are labelled instead of drawn as 0%. Rows of suppressed groups
    or groups without tasks show the reason instead.

    Parameters
    ----------
    profiles
        Task profiles with the columns read by `coverage`. If `tasks` has a ``source_data`` column, the share of
        tasks with a source is also drawn.
    by
        Column of the jobs, people or tasks that defines the groups, a list of columns, or None for all jobs together.
    states
        Validation states to include. None means ``profiles.manifest["states"]``, or validated and suggested.
    top
        Number of groups to draw, those with the most tasks. If None, all are drawn.
    privacy
        Thresholds for suppressing small groups. If None, nothing is suppressed.

    Returns
    -------
    alt.LayerChart
        An Altair chart that you can customize or pass to `save`.

    Raises
    ------
    SchemaError
        If a required column is missing.

    Warns
    -----
    TpAnalyticsWarning
        If tasks in an unknown validation state are excluded.

    Examples
    --------
    >>> from tpanalytics import load_sample
    >>> chart = plot_coverage(load_sample())
    >>> chart.to_dict()["description"][:48]
    'Matrix of bars: share of tasks with hours, a lev'
    """
    profiles = with_cache(profiles)
    words = grouping(profiles, by)
    coverage = captions.labelled(measure_coverage(profiles, by=by, states=states))
    if coverage.height == 0:
        return frame.no_jobs()
    evidence = source_coverage(profiles, by=by, states=states)
    absent = _empty_columns(coverage, evidence, profiles.manifest)
    released = captions.released(measure_coverage, profiles, privacy, by=by, states=states)
    released = _with_evidence(released, evidence)
    totals = captions.rows_for_totals(measure_coverage, profiles, words, released, None, states=states)
    if words.overlap and evidence is not None:
        evidence = source_coverage(profiles, by=None, states=states)
    largest = frame.Largest(frame.checked_top(top), pl.col("tasks"), "most tasks")
    layout = frame.groups(totals, released, profiles, privacy, words, largest=largest)
    rows = _rows(layout.rows)
    return frame.chart(
        layout,
        rows,
        _cells(rows, frame.group_axis(rows.get_column("group").to_list()), absent, words),
        _COLUMNS,
        title=_headline(words.spoken(rows), absent, words),
        basis="Share of tasks with hours, a level, a validation and a source",
        description=_description(rows, absent, layout),
        notes=[*_footnotes(_with_evidence(totals, evidence), absent), *words.overlap_notes(None)],
        size=(_WIDTH, _ROW),
        below=14,
    )


def _with_evidence(coverage: pl.DataFrame, evidence: pl.DataFrame | None) -> pl.DataFrame:
    """Add the share of tasks with a source to the rows that aren't suppressed."""
    if evidence is None:
        return coverage.with_columns(evidence_coverage=pl.lit(None, dtype=pl.Float64))
    return coverage.join(evidence, on="group", how="left", maintain_order="left").with_columns(
        evidence_coverage=pl.when(~captions.is_suppressed()).then("evidence_coverage")
    )


def _empty_columns(
    coverage: pl.DataFrame, evidence: pl.DataFrame | None, manifest: Mapping[str, Any]
) -> dict[str, str]:
    """Map columns that are empty for every group to the reason."""
    requested = (manifest.get("request") or {}).get("include")
    no_source = "not in the table" if is_table(manifest) else _NOT_REQUESTED
    reasons = {}
    for column, _, name, include in _PARTS:
        if not include:
            continue
        if column == "evidence_coverage":
            empty = evidence is None
        else:
            empty = not coverage.select((pl.col(column) > 0).any()).item()
        if empty and requested is not None and include not in requested:
            reasons[column] = _NOT_REQUESTED
        elif empty and total(coverage, "tasks"):
            reasons[column] = f"no task has {name}" if column != "evidence_coverage" else no_source
    meaning = get_metadata(coverage)
    if meaning is not None and states_unknown(meaning):
        reasons["validated_share"] = "validation state unknown"
    needed = [reasons[column] for column in ("hours_coverage", "level_coverage") if column in reasons]
    if needed:
        reasons["both_coverage"] = needed[0]
    return reasons


def _rows(released: pl.DataFrame) -> pl.DataFrame:
    """Sort the groups by coverage, lowest first, and format the columns."""
    return (
        released.with_columns(suppressed=captions.is_suppressed(), empty=(pl.col("tasks") == 0).fill_null(value=False))
        .sort("suppressed", "empty", pl.col("both_coverage").round(9), "group", nulls_last=True)
        .with_columns(
            verdict=pl.col("data_grade").replace_strict(_VERDICT, default=NONE, return_dtype=pl.String).fill_null(NONE),
            bare=pl.format("{} of {}", "jobs_without_tasks", "jobs").fill_null(NONE),
            grade=pl.col("data_grade").fill_null(NONE),
            missing=captions.missing_figure_reason({"no tasks": pl.col("empty")}),
        )
        .with_columns(captions.mask_suppressed("verdict", "bare", "grade"))
    )


def _cells(groups: pl.DataFrame, y: alt.Y, absent: Mapping[str, str], words: Grouping) -> list[alt.Chart]:
    step = _CELL + _GAP + _FIGURE
    scale = alt.Scale(domain=[0, _WIDTH], nice=False)
    axis = alt.Axis(title=None, labels=False, grid=False)
    covered = groups.filter(~pl.col("suppressed") & ~pl.col("empty"))
    rows = [
        {
            "group": group,
            "what": name,
            "from": float(number * step + _FIGURE),
            "known": number * step + _FIGURE + _CELL * float(share),
            "to": float(number * step + _FIGURE + _CELL),
            "figure": coverage_percent(share),
            "graded": column == "both_coverage",
        }
        for number, (column, name, _, _) in enumerate(_PARTS)
        if column not in absent
        for group, share in covered.select("group", column).rows()
        if share is not None
    ]
    schema = {
        **dict.fromkeys(("group", "what"), pl.String),
        **dict.fromkeys(("from", "known", "to"), pl.Float64),
        "figure": pl.String,
        "graded": pl.Boolean,
    }
    drawn = alt.Chart(pl.DataFrame(rows, schema=schema))
    x = alt.X("from:Q", scale=scale, axis=axis)
    tooltip = captions.tooltips(words=words, what=("N", "Tasks with", None), figure=("N", "Share of tasks", None))
    box = drawn.mark_bar(size=_BAR, fill="#FFFFFF", stroke="#8A8A90", strokeWidth=1).encode(x=x, x2=alt.X2("to:Q"), y=y)
    # Use a darker fill for the column that determines the grade.
    fill = alt.FillValue(theme.SHADE, condition=theme.when("datum.graded", "#B5D9DC"))
    bar = drawn.mark_bar(size=_BAR, stroke=theme.OUTLINE, strokeWidth=1).encode(
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
    return [box, bar, figures, *heads]


def _headline(groups: pl.DataFrame, absent: Mapping[str, str], words: Grouping) -> str:
    """Return a headline saying how many groups have enough data to quote."""
    shown = groups.filter(~pl.col("suppressed"))
    if not shown.height:
        return words.all_suppressed
    not_requested = [name for column, name, _, _ in _PARTS[:2] if absent.get(column) == _NOT_REQUESTED]
    if not_requested:
        return f"Figures that need {listed(not_requested)} are missing: not requested when loading"
    with_tasks = shown.filter(~pl.col("empty"))
    if not with_tasks.height:
        where = f"the {words.many} shown" if shown.height < groups.height else "these task profiles"
        return f"No tasks in {where}"
    named = with_tasks.filter(words.is_named())
    if named.height < 2:
        single = named if named.height else with_tasks
        group, share, grade = single.select("group", "both_coverage", "data_grade").row(0)
        if not named.height or not words.by:
            return f"{coverage_percent(share)} of tasks have hours and a level: {_VERDICT[grade]}"
        return f"{group}: {coverage_percent(share)} of tasks have hours and a level, {_VERDICT[grade]}"
    scope = " shown" if shown.height < groups.height else " with tasks"
    return _verdicts(named, scope * (named.height < groups.filter(words.is_named()).height), words)


def _verdicts(named: pl.DataFrame, scope: str, words: Grouping) -> str:
    poor = named.filter(data_grade="C").get_column("group").to_list()
    count, safe = named.height, named.filter(data_grade="A").height
    if len(poor) == count:
        return f"No {words.one}{scope} has enough data to quote on its own"
    if 0 < len(poor) <= 3:
        verb, pronoun = ("do", "their") if len(poor) > 1 else ("does", "its")
        return f"{listed(poor)} {verb} not have enough data to quote on {pronoun} own"
    if poor:
        group, share = named.select("group", "both_coverage").row(0)
        return (
            f"{len(poor)} of {count} {words.many}{scope} do not have enough data to quote on their own; "
            f"lowest coverage: {group}, {coverage_percent(share)} of tasks have hours and a level"
        )
    if safe == count:
        return f"All {count} {words.many}{scope} have enough data to quote on their own"
    if not safe:
        return f"All {count} {words.many}{scope} should be quoted with their coverage"
    return (
        f"{safe} of {count} {words.many}{scope} have enough data to quote on their own; quote the others with coverage"
    )


def _footnotes(coverage: pl.DataFrame, absent: Mapping[str, str]) -> list[str]:
    tasks = total(coverage, "tasks")
    if not tasks:
        return [captions.NO_TASKS_NOTE]
    shares = {name: captions.overall(coverage, column) for column, _, name, _ in _PARTS if column not in absent}
    known = {name: share for name, share in shares.items() if share is not None}
    validated = [known.pop("a validation")] if "a validation" in known else []
    meaning = get_metadata(coverage)
    note = f"The coverage of {plural(tasks, 'task')} is 0% or unknown. {captions.rejected_note(meaning)}"
    if known or validated:
        note = captions.coverage_note(known, *validated, of=plural(tasks, "task"), meaning=meaning)
    missing = [name for column, name, _, include in _PARTS if include and absent.get(column) == _NOT_REQUESTED]
    return [
        f"{note} {captions.without_tasks(coverage)}",
        *([f"Not requested when loading, so unknown rather than 0%: {listed(missing)}."] if missing else []),
        f"The filled part of a box is the coverage. {captions.MISSING_HOURS}",
        captions.grade_note("hours and a level"),
    ]


def _description(
    groups: pl.DataFrame, absent: Mapping[str, str], layout: frame.DrawnGroups
) -> tuple[str, str, list[str]]:
    drawn = [(column, name) for column, _, name, _ in _PARTS if column not in absent]
    content = "coverage of the tasks"
    if layout.totals and drawn:
        content = f"share of tasks with {listed(name for _, name in drawn)}"
    summary = f"Matrix of bars: {content} for {layout.population}."
    summary += layout.words.sorted_by("hours and level, lowest first")
    known = groups.filter(~pl.col("suppressed") & ~pl.col("empty"))
    phrases = {column: "validated" if column == "validated_share" else f"with {name}" for column, name in drawn}

    def figures(row: Mapping[str, Any]) -> list[str]:
        shares = [f"{coverage_percent(row[name])} {phrase}" for name, phrase in phrases.items()]
        return [listed(shares)] if shares else []

    rows = "; ".join(
        f"{' '.join([row['group'], *figures(row)])}, "
        f"{row['bare']} jobs without tasks, grade {row['grade']}, {row['verdict']}"
        for row in known.rows(named=True)
    )
    shape = []
    for grade, verdict in _VERDICT.items():
        names = known.filter(data_grade=grade).get_column("group").to_list()
        if names:
            shape.append(f"{verdict.capitalize()}: {listed(names)}.")
    shape += [f"The column {name} is empty: {absent[column]}." for column, name, _, _ in _PARTS if column in absent]
    without_tasks = groups.filter("empty").get_column("group").to_list()
    if without_tasks:
        shape.append(f"No tasks in {listed(without_tasks)}.")
    return summary, f"{rows}." if rows else "", shape
