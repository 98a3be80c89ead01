"""Chart of the tasks to automate first."""

from __future__ import annotations

import math
import textwrap
from typing import TYPE_CHECKING

import altair as alt
import polars as pl

from tpanalytics.charts._core import captions, frame, theme
from tpanalytics.charts._core.frame import SideColumn
from tpanalytics.charts._core.grouping import FAMILIES, capitalized, grouping
from tpanalytics.errors import ArgumentError
from tpanalytics.formatting import NONE, clean_text, hours, percent, plural
from tpanalytics.measures._core.groups import BY_FAMILY
from tpanalytics.measures._core.scenario import CAPACITY_NOTE
from tpanalytics.measures._core.staff import without_staff_note
from tpanalytics.measures.about import about
from tpanalytics.measures.automation_candidates import automation_candidates
from tpanalytics.measures.automation_curve import automation_curve
from tpanalytics.measures.privacy.policy import USUAL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tpanalytics.charts._core.grouping import Grouping
    from tpanalytics.measures._core.metadata import Meaning
    from tpanalytics.measures.privacy.policy import Privacy
    from tpanalytics.schema import TaskProfiles
    from tpanalytics.typing import By, SameTask, StaffWeight

__all__ = ["plot_automation_candidates"]

_WIDTH, _ROW, _NAME = 290, 34, 50
_COLUMNS = (
    SideColumn("least", ["weekly", "hours"], 60, muted=False),
    SideColumn("carried", ["cumulative share", "of H1 hours"], 160, muted=False),
    SideColumn("served", "jobs", 198, muted=False),
    SideColumn("reached", "families", 252, muted=False),
    SideColumn("agreed", ["level", "agreement"], 312),
    SideColumn("validated", ["tasks", "validated"], 372),
    SideColumn("ranked", ["rank (95%", "interval)"], 458),
)
_ORDER = (
    "Tasks are ordered by their lower bound (dot), so missing data cannot move a task up. Ranks with overlapping "
    "intervals are not distinguishable; = marks a tie."
)
#: Number of tasks to summarize in the headline.
_FIRST = 10
_INCUMBENTS = {
    "hours": "for one incumbent of each job",
    "headcount": "for all incumbents",
    "fte": "for all full-time equivalents",
}


def plot_automation_candidates(
    profiles: TaskProfiles,
    *,
    by: By = BY_FAMILY,
    top: int = 15,
    weight: StaffWeight = "hours",
    same_task: SameTask = "id",
    contract_hours: float | None = None,
    rounds: int = 1000,
    seed: int = 0,
    states: Sequence[str] | None = None,
    privacy: Privacy | None = USUAL,
) -> alt.LayerChart:
    """Draw the tasks with the most weekly hours that are highly automatable (H1).

    Tasks are sorted by documented H1 hours, a lower bound drawn as a dot. The light band ends at the upper bound. If
    that is unknown, a dashed line is drawn instead. Columns show the cumulative share of all H1 hours, how many jobs
    and groups have the task, how often jobs agree on the level, and the rank with a 95% interval. The chart contains
    task names, but no rationales or job names.

    Parameters
    ----------
    profiles
        Task profiles with the columns read by `automation_candidates`.
    by
        Columns of the jobs, people or tasks whose groups are counted for each task, or None for no such column.
    top
        Maximum number of tasks to draw, from 1 to 40.
    weight, same_task, contract_hours, rounds, seed
        Passed to `automation_candidates`.
    states
        Validation states to include. None means ``profiles.manifest["states"]``, or validated and suggested.
    privacy
        Thresholds for suppressing tasks. A footnote reports how many are suppressed. If None, nothing is suppressed.

    Returns
    -------
    alt.LayerChart
        An Altair chart that you can customize or pass to `save`.

    Raises
    ------
    SchemaError
        If a required column is missing.
    ArgumentError
        If an argument is invalid.

    Warns
    -----
    TpAnalyticsWarning
        If tasks in an unknown validation state are excluded.

    Examples
    --------
    >>> from tpanalytics import load_sample
    >>> chart = plot_automation_candidates(load_sample(), top=3)
    >>> chart.to_dict()["description"][:46]
    'Dots and bands of weekly hours rated H1 for 3 '
    """
    options = {"weight": weight, "same_task": same_task, "states": states, "privacy": privacy}
    candidates = automation_candidates(
        profiles,
        by=by,
        contract_hours=contract_hours,
        rounds=rounds,
        seed=seed,
        **options,  # type: ignore[arg-type]
    )
    meaning, curve = about(candidates), automation_curve(profiles, **options)  # type: ignore[arg-type]
    if not meaning.jobs:
        return frame.no_jobs()
    if not candidates.height:
        return _no_candidates(meaning)
    words = FAMILIES if by == BY_FAMILY else grouping(profiles, by)
    rows = _rows(candidates.head(_checked(top)).rename({"families": "groups"}, strict=False), curve)
    columns = [column._replace(header=words.many) if column.field == "reached" else column for column in _COLUMNS]
    columns = [column for column in columns if words.by or column.field != "reached"]
    y = frame.numbered_axis("place", [_wrapped(name) for name in rows.get_column("task")], labelLimit=360).sort(None)
    return theme.assemble(
        [
            *_marks(rows, y, words),
            *frame.side_columns(rows, y, columns, _WIDTH, key="place"),
            theme.footer([*_footnotes(meaning, rows, weight), *captions.source_line(profiles.manifest)], below=46),
        ],
        title=_headline(curve, meaning),
        subtitle=f"{_selection(rows, candidates)} at H1, weekly hours {_INCUMBENTS[weight]} · {_population(meaning)}",
        description=_description(rows, candidates, curve, meaning, weight, words),
        width=_WIDTH,
        height=rows.height * _ROW,
    )


def _checked(top: int) -> int:
    if isinstance(top, bool) or not isinstance(top, int) or not 1 <= top <= 40:
        raise ArgumentError(
            f"`top` must be a whole number from 1 to 40, not {top!r}. Use automation_candidates to list all tasks."
        )
    return top


def _no_candidates(meaning: Meaning) -> theme.Chart:
    excluded = _exclusions(meaning)
    if not excluded:
        return theme.empty_chart("No task is rated H1, highly automatable", f"Checked {_population(meaning)}.")
    return theme.empty_chart(
        "No task rated H1 can be listed as a candidate", " ".join(excluded) + ' same_task="text" matches more tasks.'
    )


def _exclusions(meaning: Meaning) -> list[str]:
    return [line for line in meaning.policy if "left out" in line]


def _population(meaning: Meaning) -> str:
    return captions.jobs_and_tasks(meaning.jobs, meaning.tasks)


def _selection(rows: pl.DataFrame, candidates: pl.DataFrame) -> str:
    some = rows.height < candidates.height
    return f"First {rows.height} of {plural(candidates.height, 'task')}" if some else plural(rows.height, "task")


def _rows(candidates: pl.DataFrame, curve: pl.DataFrame) -> pl.DataFrame:
    """Format the columns for each task."""
    names = ["rank", "rank_low", "rank_high", "h1_hours", "h1_hours_high", "jobs", "jobs_h1", "groups"]
    return (
        candidates.with_row_index("place", offset=1)
        .join(curve.select("task_key", "share_cumulative"), on="task_key", how="left", maintain_order="left")
        .select(
            pl.col("place").cast(pl.Float64),
            frame.formatted("task", _name),
            *names,
            "share_cumulative",
            least=pl.col("h1_hours").map_batches(frame.hours_column, return_dtype=pl.String),
            carried=frame.formatted("share_cumulative", percent),
            served=pl.format("{}", "jobs"),
            reached=pl.format("{}", "groups"),
            agreed=frame.formatted("level_agreement", percent),
            validated=frame.formatted("validated_share", percent),
            ranked=pl.struct("rank", "rank_low", "rank_high", tie=pl.col("rank").is_duplicated()).map_elements(
                _rank, return_dtype=pl.String
            ),
            missing=pl.when(pl.col("h1_hours").is_null()).then(pl.lit("no documented hours at H1")),
        )
    )


def _name(task: str | None) -> str:
    return clean_text((task or "").strip()) or "(no text)"


def _rank(row: dict[str, int | None]) -> str:
    if row["rank"] is None:
        return NONE
    rank = f"{row['rank']}=" if row["tie"] else f"{row['rank']}"
    if row["rank_low"] is None:
        return rank
    return f"{rank} ({row['rank_low']}\u2013{row['rank_high']})"


def _wrapped(name: str) -> list[str]:
    """Split a long name into two lines of similar length."""
    lines = textwrap.wrap(name, _NAME, max_lines=2, placeholder=" …")
    balanced = textwrap.wrap(name, len(name) // 2 + 4)
    return balanced if len(balanced) == len(lines) == 2 else lines


def _marks(rows: pl.DataFrame, y: alt.Y, words: Grouping) -> list[alt.Chart]:
    longest = rows.select(pl.max_horizontal(pl.col("h1_hours").max(), pl.col("h1_hours_high").max(), 0.1)).item()
    end = float(longest) * 1.04
    scale = alt.Scale(domain=[0, end], nice=False)
    axis = alt.Axis(title="weekly hours at H1: lower (dot) to upper bound (band)", titleAnchor="start", tickCount=5)
    x = alt.X("h1_hours:Q", scale=scale, axis=axis)
    known = rows.filter(pl.col("h1_hours").is_not_null())
    if not known.height:
        x = alt.X("h1_hours:Q", scale=scale, axis=alt.Axis(title=None, labels=False, grid=False))
        blank = alt.Chart(rows.select("place", h1_hours=pl.lit(0.0))).mark_point(opacity=0)
        return [blank.encode(x=x, y=y)]
    band = (
        alt.Chart(known.drop_nulls("h1_hours_high").select("place", "h1_hours", "h1_hours_high"))
        .mark_bar(size=12, color=theme.SHADE, cornerRadiusEnd=2)
        .encode(x=x, x2=alt.X2("h1_hours_high:Q"), y=y)
    )
    unbounded = known.filter(pl.col("h1_hours_high").is_null()).select("place", "h1_hours", end=pl.lit(end))
    dashed = (
        alt.Chart(unbounded)
        .mark_rule(stroke=theme.MUTED, strokeDash=[2, 3], strokeWidth=1.5)
        .encode(x=x, x2=alt.X2("end:Q"), y=y)
    )
    stem = (
        alt.Chart(known.select("place", "h1_hours"))
        .mark_bar(size=2.5, color=theme.LEVEL_COLOURS["H1"])
        .encode(x=x, y=y)
    )
    columns = ("place", "task", "h1_hours", "h1_hours_high", "jobs", "jobs_h1", "groups", "share_cumulative")
    dot = (
        alt.Chart(known.select(*columns))
        .mark_point(shape="circle", filled=True, size=95, opacity=1, color=theme.LEVEL_COLOURS["H1"])
        .encode(
            x=x,
            y=y,
            tooltip=captions.tooltips(
                "task",
                h1_hours=("Q", "Weekly hours, lower bound", ",.1f"),
                h1_hours_high=("Q", "Weekly hours, upper bound", ",.1f"),
                share_cumulative=("Q", "Cumulative share of H1 hours", ".1%"),
                jobs=("Q", "Jobs with the task", ","),
                jobs_h1=("Q", "Jobs that rate it H1", ","),
                groups=("Q", capitalized(words.nouns), ","),
            ),
        )
    )
    return [
        *([band] if rows.get_column("h1_hours_high").count() else []),
        *([dashed] * bool(unbounded.height)),
        stem,
        dot,
    ]


def _headline(curve: pl.DataFrame, meaning: Meaning) -> str:
    """Return a headline with the first tasks' documented hours, a lower bound."""
    if not curve.height:
        return "Automation candidates cannot be ranked: no hours are documented at H1"
    n = min(_FIRST, curve.height)
    row = curve.row(n - 1, named=True)
    first = f"The first {n} candidates occur" if n > 1 else "The first candidate occurs"
    share = row["share_cumulative"]
    of_known = "" if share is None else f", {percent(share)} of the documented H1 hours"
    return (
        f"{first} in {row['jobs_cumulative']:,} of {plural(meaning.jobs, 'job')}: "
        f"at least {hours(row['h1_hours_cumulative'])} a week{of_known}"
    )


def _footnotes(meaning: Meaning, rows: pl.DataFrame, weight: StaffWeight) -> list[str]:
    unbounded = rows.filter(pl.col("h1_hours").is_not_null() & pl.col("h1_hours_high").is_null()).height
    dashed = f"Dashed line ({unbounded} shown): the upper bound is unknown because contract hours are missing."
    lines = [
        captions.coverage_of(meaning, "hours", "level"),
        f"{captions.grade_note('hours and a level', meaning.grade)} {captions.LEVELS_NOTE} {CAPACITY_NOTE}",
        _ORDER,
        *([dashed] * bool(unbounded)),
        *_exclusions(meaning),
        *without_staff_note(weight),
        *meaning.warnings,
    ]
    return captions.wrapped(lines)


def _description(
    rows: pl.DataFrame,
    candidates: pl.DataFrame,
    curve: pl.DataFrame,
    meaning: Meaning,
    weight: StaffWeight,
    words: Grouping,
) -> str:
    many = f"{words.many}, " if words.by else ""
    summary = (
        f"Dots and bands of weekly hours rated H1 for {rows.height} of {plural(candidates.height, 'task')}, "
        f"{_INCUMBENTS[weight]}, in {_population(meaning)}. Most documented hours first; each band ends at the upper "
        f"bound. Columns: cumulative share of H1 hours, jobs, {many}level agreement, validated share, and rank "
        "with its 95% interval."
    )
    numbers = "; ".join(
        f"{row['task']}: {hours(row['h1_hours'])}{_up_to(row)}, {row['carried']}, {plural(row['jobs'], 'job')}"
        f"{_in_groups(row['groups'], words)}, {row['agreed']} agreement, {row['validated']} validated, "
        f"rank {row['ranked']}"
        for row in rows.iter_rows(named=True)
    )
    ranked = rows.drop_nulls("rank_high")
    shape = ""
    if ranked.height:
        first = ranked.row(0, named=True)
        shape = f"The rank of the first task is between {first['rank_low']} and {math.ceil(first['rank_high'])}."
    return captions.alt_text(
        summary, f"{_headline(curve, meaning)}. {numbers}.", f"{shape} {_footnotes(meaning, rows, weight)[0]}".strip()
    )


def _in_groups(n: int | None, words: Grouping) -> str:
    return f" in {plural(n, words.one)}" if words.by and n is not None else ""


def _up_to(row: dict[str, float | None]) -> str:
    if row["h1_hours"] is None:
        return ""
    if row["h1_hours_high"] is None:
        return " or more"
    lower, upper = hours(row["h1_hours"]), hours(row["h1_hours_high"])
    return "" if lower == upper else f" to {upper}"
