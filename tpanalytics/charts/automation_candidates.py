"""Which tasks to automate first: by the hours they are sure to take, and how sure their order is (C10)."""

from __future__ import annotations

import math
import textwrap
from typing import TYPE_CHECKING

import altair as alt
import polars as pl

from tpanalytics.charts._core import captions, frame, theme
from tpanalytics.charts._core.frame import SideColumn
from tpanalytics.errors import SchemaError
from tpanalytics.formatting import NONE, hours, percent, plural, printable
from tpanalytics.measures.about import about
from tpanalytics.measures.automation_candidates import automation_candidates
from tpanalytics.measures.automation_curve import automation_curve
from tpanalytics.measures.privacy.policy import USUAL
from tpanalytics.schema import COUNTED_STATES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tpanalytics.measures._core.metadata import Meaning
    from tpanalytics.measures.privacy.policy import Privacy
    from tpanalytics.schema import TaskProfiles
    from tpanalytics.typing import SameTask, StaffWeight

__all__ = ["plot_automation_candidates"]

_WIDTH, _ROW, _NAME = 290, 34, 50
_COLUMNS = (
    SideColumn("least", ["at least", "a week"], 60, muted=False),
    SideColumn("carried", ["of H1 hours,", "with those above"], 160, muted=False),
    SideColumn("served", "jobs", 198, muted=False),
    SideColumn("reached", "families", 252, muted=False),
    SideColumn("agreed", ["jobs rate", "it alike"], 312),
    SideColumn("validated", ["tasks", "validated"], 372),
    SideColumn("ranked", ["rank (95 % of", "resamples)"], 458),
)
_NOT_WHO = "Exposure says what could change, not who leaves."
_ORDER = (
    "The order is that of the dots: what is not known moves no task up. Ranks whose intervals overlap cannot be told "
    "apart; = is a tie."
)
#: So many tasks the headline speaks of.
_FIRST = 10
_WHOSE = {"hours": "of one incumbent of each job", "headcount": "of all incumbents"}


def plot_automation_candidates(
    profiles: TaskProfiles,
    *,
    top: int = 15,
    weight: StaffWeight = "hours",
    same_task: SameTask = "id",
    contract_hours: float | None = None,
    rounds: int = 1000,
    seed: int = 0,
    states: Sequence[str] = COUNTED_STATES,
    privacy: Privacy | None = USUAL,
) -> alt.LayerChart:
    """Draw the tasks that are highly automatable (H1) by the hours they are sure to take.

    The dot is the least it can be, the hours known at H1, and decides the order; the light band reaches to the most it
    can be. Where that is not known, the line is dashed and has no end. Beside it stand how much of all H1 hours the
    tasks down to this one hold, whom they serve, how far jobs agree on the level, and between which ranks the task
    lies when single jobs count more or less. The chart names tasks, because that is what it is asked; it holds no
    rationale and no job.

    Parameters
    ----------
    profiles
        As for `automation_candidates`.
    top
        So many tasks, 1 to 40.
    weight, same_task, contract_hours, rounds, seed
        As for `automation_candidates`.
    states
        Validation states that count.
    privacy
        How few jobs or people a task may tell of; those that tell of fewer are left out and counted. None leaves in
        all.

    Returns
    -------
    alt.LayerChart
        Restyle it as any Altair chart; write it with `save`.

    Raises
    ------
    SchemaError
        If a column is missing, or an argument is none of its values.

    Warns
    -----
    TpAnalyticsWarning
        If tasks are in a state that is neither counted nor ``rejected``.

    Examples
    --------
    >>> from tpanalytics import load_sample
    >>> chart = plot_automation_candidates(load_sample(), top=3)
    >>> chart.to_dict()["description"][:50]
    'Dots and bands of the weekly hours rated H1 of 3 o'
    """
    how = {"weight": weight, "same_task": same_task, "states": states, "privacy": privacy}
    found = automation_candidates(
        profiles,
        contract_hours=contract_hours,
        rounds=rounds,
        seed=seed,
        **how,  # type: ignore[arg-type]
    )
    meaning, curve = about(found), automation_curve(profiles, **how)  # type: ignore[arg-type]
    if not meaning.jobs:
        return frame.no_jobs()
    if not found.height:
        return _nothing(meaning)
    rows = _rows(found.head(_checked(top)), curve)
    y = frame.numbered_axis("place", [_parted(name) for name in rows.get_column("task")], labelLimit=360).sort(None)
    return theme.assemble(
        [
            *_marks(rows, y),
            *frame.side_columns(rows, y, _COLUMNS, _WIDTH, key="place"),
            theme.footer([*_notes(meaning, rows, weight), *captions.source_line(profiles.manifest)], below=46),
        ],
        title=_finding(curve, meaning),
        subtitle=f"{_shown(rows, found)} at H1, by weekly hours {_WHOSE[weight]} · {_population(meaning)}",
        description=_description(rows, found, curve, meaning, weight),
        width=_WIDTH,
        height=rows.height * _ROW,
    )


def _checked(top: int) -> int:
    if isinstance(top, bool) or not isinstance(top, int) or not 1 <= top <= 40:
        raise SchemaError(f"top={top!r}: give a whole number of tasks from 1 to 40; automation_candidates lists all.")
    return top


def _nothing(meaning: Meaning) -> theme.Chart:
    """Explain why there is no candidate."""
    left_out = [line for line in meaning.policy if "left out" in line]
    if not left_out:
        return theme.empty_chart("No task is rated H1, highly automatable", f"Looked at: {_population(meaning)}.")
    return theme.empty_chart(
        "No task rated H1 can be named as a candidate", " ".join(left_out) + ' same_task="text" finds more alike.'
    )


def _population(meaning: Meaning) -> str:
    return captions.jobs_and_tasks(meaning.jobs, meaning.tasks)


def _shown(rows: pl.DataFrame, found: pl.DataFrame) -> str:
    few = rows.height < found.height
    return f"First {rows.height} of {plural(found.height, 'task')}" if few else plural(rows.height, "task")


def _rows(found: pl.DataFrame, curve: pl.DataFrame) -> pl.DataFrame:
    """Format what is printed of each task."""
    names = ["rank", "rank_low", "rank_high", "h1_hours", "h1_hours_high", "jobs", "jobs_h1", "families"]
    return (
        found.with_row_index("place", offset=1)
        .join(curve.select("task_key", "share_cumulative"), on="task_key", how="left", maintain_order="left")
        .select(
            pl.col("place").cast(pl.Float64),
            frame.as_text("task", _name),
            *names,
            "share_cumulative",
            least=pl.col("h1_hours").map_batches(frame.hours_column, return_dtype=pl.String),
            carried=frame.as_text("share_cumulative", percent),
            served=pl.format("{}", "jobs"),
            reached=pl.format("{}", "families"),
            agreed=frame.as_text("level_agreement", percent),
            validated=frame.as_text("validated_share", percent),
            ranked=pl.struct("rank", "rank_low", "rank_high", tie=pl.col("rank").is_duplicated()).map_elements(
                _rank, return_dtype=pl.String
            ),
            missing=pl.when(pl.col("h1_hours").is_null()).then(pl.lit("no hours known at H1")),
        )
    )


def _name(task: str | None) -> str:
    return printable((task or "").strip()) or "(no text)"


def _rank(row: dict[str, int | None]) -> str:
    if row["rank"] is None:
        return NONE
    rank = f"{row['rank']}=" if row["tie"] else f"{row['rank']}"
    if row["rank_low"] is None:
        return rank
    return f"{rank} ({row['rank_low']}\u2013{row['rank_high']})"


def _parted(name: str) -> list[str]:
    """Part a name evenly, so that no single word hangs below."""
    lines = textwrap.wrap(name, _NAME, max_lines=2, placeholder=" …")
    even = textwrap.wrap(name, len(name) // 2 + 4)
    return even if len(even) == len(lines) == 2 else lines


def _marks(rows: pl.DataFrame, y: alt.Y) -> list[alt.Chart]:
    most = rows.select(pl.max_horizontal(pl.col("h1_hours").max(), pl.col("h1_hours_high").max(), 0.1)).item()
    end = float(most) * 1.04
    scale = alt.Scale(domain=[0, end], nice=False)
    axis = alt.Axis(title="weekly hours at H1: at least (dot), at most (band)", titleAnchor="start", tickCount=5)
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
    endless = known.filter(pl.col("h1_hours_high").is_null()).select("place", "h1_hours", end=pl.lit(end))
    dashed = (
        alt.Chart(endless)
        .mark_rule(stroke=theme.MUTED, strokeDash=[2, 3], strokeWidth=1.5)
        .encode(x=x, x2=alt.X2("end:Q"), y=y)
    )
    stem = (
        alt.Chart(known.select("place", "h1_hours"))
        .mark_bar(size=2.5, color=theme.LEVEL_COLOURS["H1"])
        .encode(x=x, y=y)
    )
    columns = ("place", "task", "h1_hours", "h1_hours_high", "jobs", "jobs_h1", "families", "share_cumulative")
    dot = (
        alt.Chart(known.select(*columns))
        .mark_point(shape="circle", filled=True, size=95, opacity=1, color=theme.LEVEL_COLOURS["H1"])
        .encode(
            x=x,
            y=y,
            tooltip=captions.tooltips(
                "task",
                h1_hours=("Q", "At least, hours a week", ",.1f"),
                h1_hours_high=("Q", "At most", ",.1f"),
                share_cumulative=("Q", "With those above, of H1 hours", ".1%"),
                jobs=("Q", "Jobs that have it", ","),
                jobs_h1=("Q", "Jobs that rate it H1", ","),
                families=("Q", "Job families", ","),
            ),
        )
    )
    return [
        *([band] if rows.get_column("h1_hours_high").count() else []),
        *([dashed] * bool(endless.height)),
        stem,
        dot,
    ]


def _finding(curve: pl.DataFrame, meaning: Meaning) -> str:
    """State how far the first tasks reach; only known hours count, so that it holds whatever is missing."""
    if not curve.height:
        return "Candidates for automation cannot be weighed: no hours are known at H1"
    n = min(_FIRST, curve.height)
    row = curve.row(n - 1, named=True)
    first = f"The first {n} candidates serve" if n > 1 else "The first candidate serves"
    of = "" if row["share_cumulative"] is None else f", {percent(row['share_cumulative'])} of the H1 hours known"
    return (
        f"{first} {row['jobs_cumulative']:,} of {plural(meaning.jobs, 'job')}: "
        f"at least {hours(row['h1_hours_cumulative'])} a week{of}"
    )


def _notes(meaning: Meaning, rows: pl.DataFrame, weight: StaffWeight) -> list[str]:
    endless = rows.filter(pl.col("h1_hours").is_not_null() & pl.col("h1_hours_high").is_null()).height
    lines = [
        captions.known_of(meaning, "hours", "level"),
        f"{captions.grade_note('hours and a level', meaning.grade)} {captions.JUDGED} {_NOT_WHO}",
        _ORDER,
        *(
            [f"Dashed without end ({endless} shown): contract hours are needed for the most it can be, and not known."]
            * bool(endless)
        ),
        *(line for line in meaning.policy if "left out" in line),
        *(["Jobs without a headcount add no hours."] if weight == "headcount" else []),
        *meaning.warnings,
    ]
    return captions.wrapped(lines)


def _description(
    rows: pl.DataFrame, found: pl.DataFrame, curve: pl.DataFrame, meaning: Meaning, weight: StaffWeight
) -> str:
    built = (
        f"Dots and bands of the weekly hours rated H1 of {rows.height} of {plural(found.height, 'task')}, "
        f"{_WHOSE[weight]}, for {_population(meaning)}. Most hours known first; the band reaches to the most it can "
        "be. Columns: share of H1 hours with those above, jobs, families, agreement on the level, validated share, "
        "rank and its interval."
    )
    said = "; ".join(
        f"{row['task']}: {hours(row['h1_hours'])}{_up_to(row)}, {row['carried']}, {plural(row['jobs'], 'job')} in "
        f"{plural(row['families'], 'family')}, {row['agreed']} alike, {row['validated']} validated, "
        f"rank {row['ranked']}"
        for row in rows.iter_rows(named=True)
    )
    apart = rows.drop_nulls("rank_high")
    shape = ""
    if apart.height:
        reach = math.ceil(apart.row(0, named=True)["rank_high"])
        shape = f"The first task may be anything from rank {apart.row(0, named=True)['rank_low']} to {reach}."
    return captions.alt_text(
        built, f"{_finding(curve, meaning)}. {said}.", f"{shape} {_notes(meaning, rows, weight)[0]}".strip()
    )


def _up_to(row: dict[str, float | None]) -> str:
    if row["h1_hours"] is None:
        return ""
    if row["h1_hours_high"] is None:
        return " or more"
    least, most = hours(row["h1_hours"]), hours(row["h1_hours_high"])
    return "" if least == most else f" to {most}"
