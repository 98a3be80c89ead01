"""Chart of changes in AI impact level between two snapshots."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import altair as alt
import polars as pl

from tpanalytics.charts._core import captions, frame, theme
from tpanalytics.charts._core.grouping import grouping
from tpanalytics.charts._core.ribbons import Flow, paint, ribbons
from tpanalytics.formatting import NONE, clean_text, coverage_percent, hours, listed, percent, plural
from tpanalytics.measures._core.checks import check_choice
from tpanalytics.measures.about import about
from tpanalytics.measures.coverage import coverage as measure_coverage
from tpanalytics.measures.privacy.policy import SUPPRESSED, SUPPRESSED_MARK, USUAL, Privacy
from tpanalytics.measures.privacy.suppress import families_in_change, suppress
from tpanalytics.measures.transitions import transitions
from tpanalytics.schema import NOT_ASSESSED, level_order
from tpanalytics.typing import CountWeight, SameTask

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tpanalytics.measures._core.metadata import Meaning
    from tpanalytics.schema import TaskProfiles

__all__ = ["plot_transitions"]

#: Only draw ribbons for up to this many levels.
_LEVELS = 7
_LINE, _TABLE = 38, 460
_ADDED, _REMOVED, _ALL = "added", "removed", "all"
#: Levels with these names get a zero-width space, so they aren't confused with the table's own rows and columns.
_RENAMED = {name: f"{name}\u200b" for name in (_ADDED, _REMOVED, _ALL)}


class _Table(NamedTuple):
    """Levels before and after, with the tasks and the amount (None if unknown) for each pair."""

    left: list[str]
    right: list[str]
    tasks: dict[tuple[str, str], int]
    amounts: dict[tuple[str, str], float | None]
    suppressed: set[tuple[str, str]]


def plot_transitions(
    before: TaskProfiles,
    after: TaskProfiles,
    *,
    weight: CountWeight = "tasks",
    same_task: SameTask = "id",
    states: Sequence[str] | None = None,
    privacy: Privacy | None = USUAL,
) -> alt.LayerChart | alt.ConcatChart:
    """Draw the tasks or hours at each AI impact level before and after, as a table and as ribbons.

    Unchanged levels are muted. The three largest changes are highlighted in the table and labelled on the ribbons.
    Changes from or to "not assessed" are grey, since they reflect the data and not the work. Added and removed tasks
    come after the levels. If there are more than 7 levels, only the table is drawn.

    Parameters
    ----------
    before, after
        Snapshots with the columns read by `transitions`.
    weight
        ``"tasks"`` counts tasks. ``"hours"`` adds up weekly hours before, or after for added tasks. Tasks without
        hours in a snapshot that includes them are excluded.
    same_task
        Match each job's tasks before and after by ``"id"`` or by ``"text"``.
    states
        Validation states to include. None means ``profiles.manifest["states"]``, or validated and suggested.
    privacy
        Thresholds for suppressing small groups. If all jobs together are too few, nothing is drawn. If None, nothing
        is suppressed.

    Returns
    -------
    alt.LayerChart or alt.ConcatChart
        An Altair chart that you can customize or pass to `save`. It has a single layer if there is nothing to draw.

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
    >>> chart = plot_transitions(load_sample("2026-05"), load_sample("2026-11"))
    >>> chart.to_dict()["description"][:46]
    'Table and ribbons of tasks by AI impact level '
    """
    check_choice("weight", weight, CountWeight)
    moves = transitions(before, after, same_task=same_task, states=states)
    shown = families_in_change(before, after, by=None, states=states, privacy=privacy)
    if shown.height == 0:
        return frame.no_jobs_in_either()
    released = suppress(moves, after, before, privacy=privacy)
    counts = measure_coverage(after, by=None, states=states)
    layout = frame.groups_of_change(counts, shown, before, after, privacy, grouping(after, None))
    if not layout.totals:
        return frame.all_suppressed_chart(layout)
    if moves.height and not released.height:
        return frame.all_suppressed_chart(layout, title="All level changes are suppressed (too few jobs)")
    population = layout.population
    table, meaning = _table(released, weight), about(moves)
    top = _largest(table)
    basis = "Tasks of each job" if weight == "tasks" else "Weekly hours of tasks, for one incumbent of each job,"
    drawn = bool(top or any(table.amounts.values())) and max(len(table.left), len(table.right)) <= _LEVELS
    panels = [
        _matrix(table, weight, top),
        *([ribbons(*_flows(table, weight, top), _LINE * (len(table.left) + 1))] if drawn else []),
    ]
    notes = _footnotes(table, meaning, weight, privacy)
    return theme.assemble_panels(
        [
            alt.hconcat(*panels, spacing=26) if drawn else panels[0],
            theme.footer_panel(captions.wrapped([*notes, *layout.sources])),
        ],
        columns=1,
        title=_headline(table, meaning, weight, top),
        subtitle=f"{basis} by level before and after · {population}",
        description=_description(table, notes, weight, top, population, drawn=drawn),
    )


def _table(moves: pl.DataFrame, weight: CountWeight) -> _Table:
    amount = pl.col("tasks") if weight == "tasks" else pl.coalesce("hours_before", "hours_after")
    moves = moves.with_columns(pl.col("level_before", "level_after").replace(_RENAMED))
    ends = pl.col("level_before").fill_null(_ADDED), pl.col("level_after").fill_null(_REMOVED)
    tasks, amounts, suppressed = {}, {}, set()
    for start, end, n, reason, value in moves.select(*ends, "tasks", "reason", amount=amount).rows():
        pair = (start, end)
        tasks[pair], amounts[pair] = n or 0, None if value is None else float(value)
        if reason == SUPPRESSED:
            suppressed.add(pair)
    sides = [
        [
            *level_order(pair[side] for pair in tasks if pair[side] != last),
            *([last] * (last in {p[side] for p in tasks})),
        ]
        for side, last in ((0, _ADDED), (1, _REMOVED))
    ]
    return _Table(sides[0], sides[1], tasks, amounts, suppressed)


def _kind(pair: tuple[str, str]) -> str:
    """Return the key in `ribbons.KINDS` for a pair of levels."""
    if pair[0] == _ADDED or pair[1] == _REMOVED:
        return "added or removed"
    if pair[0] == pair[1]:
        return "same level"
    return "newly or no longer assessed" if NOT_ASSESSED in pair else "re-rated"


def _largest(table: _Table) -> list[tuple[str, str]]:
    """Return the three largest changes from one level to another, breaking ties by name."""
    moved = [(pair, amount) for pair, amount in table.amounts.items() if _kind(pair) == "re-rated" and amount]
    return [pair for pair, _ in sorted(moved, key=lambda move: (-round(move[1], 9), move[0]))[:3]]


def _matrix(table: _Table, weight: CountWeight, top: list[tuple[str, str]]) -> alt.LayerChart:
    rows, totals = [], []
    for start in table.left:
        for end in table.right:
            if start == _ADDED and end == _REMOVED:
                continue
            pair = (start, end)
            look = "top" if pair in top else "stayed" if _kind(pair) == "same level" else "other"
            rows.append((_long(start), _short(end), _figure(table, pair, weight), f"{look} cell"))
        totals.append((_long(start), _ALL, _sum(table, weight, start=start)))
    totals += [(_ALL, _short(end), _sum(table, weight, end=end)) for end in table.right]
    schema = dict.fromkeys(("before", "after", "figure"), pl.String)
    cells = pl.DataFrame(rows, schema={**schema, "paint": pl.String}, orient="row")
    columns = [*map(_short, table.right), _ALL]
    longest = max(len(part) for name in columns for part in (name.split() if name == NOT_ASSESSED else [name]))
    width = max(44, min(76, _TABLE // len(columns)), min(130, round(6.2 * longest) + 8))
    y = alt.Y(
        "before:N",
        sort=(lines := [*map(_long, table.left), _ALL]),
        scale=alt.Scale(domain=lines),
        axis=alt.Axis(title=None, grid=False, labelLimit=190),
    )
    x = alt.X(
        "after:N", sort=columns, scale=alt.Scale(domain=columns), axis=alt.Axis(title=None, labels=False, grid=False)
    )
    heads = [
        theme.note(
            header := name.split(" ") if name == NOT_ASSESSED else [name],
            x=round((number + 0.5) * width),
            y=-7 - 13 * (len(header) - 1),
            align="center",
            baseline="bottom",
            color=theme.INK,
            lineHeight=13,
        )
        for number, name in enumerate(columns)
    ]
    corner = theme.note(
        ["rows: before,", "columns: after"], x=-8, y=-20, align="right", baseline="bottom", lineHeight=13
    )
    box = alt.Chart(cells.drop("figure")).mark_rect(stroke="#C9C9CF", strokeWidth=1).encode(x=x, y=y, fill=paint())
    figures = [
        alt.Chart(cells.filter(pl.col("paint") == f"{look} cell").drop("paint"))
        .mark_text(fontSize=12, fontWeight="bold" if look == "top" else "normal", color=colour)
        .encode(x=x, y=y, text=alt.Text("figure:N"))
        for look, colour in (("top", theme.INK), ("other", theme.INK), ("stayed", theme.MUTED))
    ]
    margin = (
        alt.Chart(pl.DataFrame(totals, schema=schema, orient="row"))
        .mark_text(fontSize=11, color=theme.MUTED)
        .encode(x=x, y=y, text=alt.Text("figure:N"))
    )
    chart: alt.LayerChart = alt.LayerChart(
        layer=[box, *figures, margin, *heads, corner], width=width * len(columns), height=_LINE * len(lines)
    )
    return chart


def _figure(table: _Table, pair: tuple[str, str], weight: CountWeight) -> str:
    if pair in table.suppressed:
        return SUPPRESSED_MARK
    if not table.tasks.get(pair):
        return "0"
    return _format(table.amounts[pair], weight)


def _format(amount: float | None, weight: CountWeight) -> str:
    if amount is None:
        return NONE
    return f"{amount:,.0f}" if weight == "tasks" else hours(amount)


def _sum(table: _Table, weight: CountWeight, *, start: str = "", end: str = "") -> str:
    pairs = [pair for pair in table.tasks if start in ("", pair[0]) and end in ("", pair[1])]
    if table.suppressed.intersection(pairs):
        return NONE  # the total would reveal the suppressed cells
    known = [amount for pair in pairs if (amount := table.amounts[pair]) is not None]
    return _format(sum(known) if known else None, weight)


def _short(level: str) -> str:
    return clean_text(level) or level


def _long(level: str) -> str:
    return theme.LEVEL_WORDS.get(level, _short(level))


def _flows(
    table: _Table, weight: CountWeight, top: list[tuple[str, str]]
) -> tuple[list[Flow], list[str], list[str], dict[str, str]]:
    flows = [
        Flow(
            *pair,
            amount,
            _kind(pair),
            f"{_short(pair[0])} to {_short(pair[1])}: {_format(amount, weight)}" if pair in top else "",
        )
        for pair, amount in table.amounts.items()
        if amount and pair not in table.suppressed
    ]
    left = [place for place in table.left if any(flow.start == place for flow in flows)]
    right = [place for place in table.right if any(flow.end == place for flow in flows)]
    return flows, left, right, {place: _short(place) for place in [*left, *right]}


def _moved(table: _Table, *kinds: str) -> float:
    return sum(amount for pair, amount in table.amounts.items() if amount and _kind(pair) in kinds)


def _headline(table: _Table, meaning: Meaning, weight: CountWeight, top: list[tuple[str, str]]) -> str:
    """Return a headline with the share of re-rated tasks and the largest change."""
    if not table.tasks:
        return captions.NO_TASK_IN_EITHER
    if all(_kind(pair) == "added or removed" for pair in table.tasks):
        return "No task is in both snapshots, so re-ratings cannot be shown"
    if meaning.grade == "C":
        before, after = captions.coverage_before_after(meaning, "level")
        return (
            "There is not enough data on re-rated tasks: "
            f"{coverage_percent(before)} of tasks before and {coverage_percent(after)} after have a level"
        )
    not_assessed = table.amounts.get((NOT_ASSESSED, NOT_ASSESSED)) or 0.0
    rated = _moved(table, "re-rated", "same level") - not_assessed
    moved = _moved(table, "re-rated")
    if not rated:
        hours_and = "hours and " if weight == "hours" else ""
        return f"No task has {hours_and}a level both before and after"
    if not moved:
        return "None of the tasks shown was re-rated" if table.suppressed else "No task was re-rated"
    first = table.amounts[top[0]]
    ties = [pair for pair in top if round(table.amounts[pair] or 0.0, 9) == round(first or 0.0, 9)]
    changes = listed(f"from {_short(start)} to {_short(end)}" for start, end in ties)
    unit, most = ("tasks", "most often") if weight == "tasks" else ("documented hours a week", "the largest part")
    at_least = "At least " if table.suppressed else ""
    each = " each" if len(ties) > 1 else ""
    were = "was" if weight == "tasks" and moved == 1 else "were"
    return (
        f"{at_least}{moved:,.0f} of {rated:,.0f} {unit} ({percent(moved / rated)}) {were} re-rated, "
        f"{most} {changes} ({_format(first, weight)}{each})"
    )


def _footnotes(table: _Table, meaning: Meaning, weight: CountWeight, privacy: Privacy | None) -> list[str]:
    lines = captions.coverage_of_both(meaning, "level")
    if table.suppressed and privacy is not None:
        changes = f"{plural(len(table.suppressed), 'level change')} {'is' if len(table.suppressed) == 1 else 'are'}"
        lines.insert(
            0,
            f"{SUPPRESSED_MARK} = suppressed. {changes} suppressed: fewer than {privacy.min_jobs} jobs, or needed to "
            "protect another level change.",
        )
    if not table.tasks:
        return lines
    if not any(_ADDED in pair or _REMOVED in pair for pair in table.suppressed):
        added, removed = (sum(n for pair, n in table.tasks.items() if level in pair) for level in (_ADDED, _REMOVED))
        lines.append(
            f"{plural(added, 'task')} added, {removed:,} removed. Changes from or to not assessed describe the data, "
            "not the work."
        )
    if weight == "hours":
        lines.append("Hours are those before, or those after for added tasks. Missing hours are excluded.")
    lines.append(f"{captions.grade_note('a level in both snapshots', meaning.grade)} {captions.LEVELS_NOTE}")
    return lines


def _description(
    table: _Table, notes: list[str], weight: CountWeight, top: list[tuple[str, str]], population: str, *, drawn: bool
) -> str:
    unit = "tasks" if weight == "tasks" else "weekly hours"
    summary = (
        f"Table {'and ribbons ' * drawn}of {unit} by AI impact level before and after, for {population}. "
        "Levels in fixed order, then not assessed, then added and removed tasks."
    )
    cells = [
        f"{_short(start)} to {_short(end)} {_figure(table, (start, end), weight)}"
        for start in table.left
        for end in table.right
        if table.tasks.get((start, end)) or (start, end) in table.suppressed
    ]
    shape = []
    if top:
        moves = (f"{_short(a)} to {_short(b)} ({_format(table.amounts[a, b], weight)})" for a, b in top)
        shape.append(f"Largest changes: {listed(moves)}.")
    stayed = _moved(table, "same level")
    if stayed:
        shape.append(f"Unchanged level: {_format(stayed, weight)}.")
    numbers = [f"{'; '.join(cells)}."] if cells else []
    return captions.alt_text(summary, " ".join([*numbers, *notes[:2]]), " ".join(shape))
