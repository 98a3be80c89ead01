"""Which tasks were rated otherwise: from each level to each, as a table of numbers and as flows (C16)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import altair as alt
import polars as pl

from tpanalytics.charts._core import captions, frame, theme
from tpanalytics.charts._core.ribbons import Flow, paint, ribbons
from tpanalytics.formatting import NONE, covered, hours, listed, percent, plural, printable
from tpanalytics.measures._core.checks import check_choice
from tpanalytics.measures.about import about
from tpanalytics.measures.coverage import coverage as measure_coverage
from tpanalytics.measures.privacy.policy import HIDDEN, SUPPRESSED, USUAL, Privacy
from tpanalytics.measures.privacy.suppress import families_in_change, suppress
from tpanalytics.measures.transitions import transitions
from tpanalytics.schema import COUNTED_STATES, NOT_ASSESSED, level_order
from tpanalytics.typing import CountWeight, SameTask

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tpanalytics.measures._core.metadata import Meaning
    from tpanalytics.schema import TaskProfiles

__all__ = ["plot_transitions"]


#: Most places of a side that ribbons can be told apart for; beyond, the table stands alone.
_PLACES = 7
_LINE, _TABLE = 38, 460
_NEW, _GONE, _ALL = "not there before", "not there after", "all"


class _Table(NamedTuple):
    """Levels before and after with what is on one side only last, and by both: tasks, amount (None: not known)."""

    left: list[str]
    right: list[str]
    tasks: dict[tuple[str, str], int]
    amounts: dict[tuple[str, str], float | None]
    hidden: set[tuple[str, str]]


def plot_transitions(
    before: TaskProfiles,
    after: TaskProfiles,
    *,
    weight: CountWeight = "tasks",
    same_task: SameTask = "id",
    states: Sequence[str] = COUNTED_STATES,
    privacy: Privacy | None = USUAL,
) -> alt.LayerChart | alt.ConcatChart:
    """Draw how many tasks, or hours, went from each AI impact level to each: a table, and the same as ribbons.

    Tasks that stayed at their level are muted; the three largest moves are marked in the table and named on their
    ribbon. That a level became known, or is known no more, is a fact about the data and drawn in grey. Tasks on one
    side only follow the levels, so that nothing is lost. Beyond 7 levels the table stands alone.

    Parameters
    ----------
    before, after
        The two snapshots, as for `transitions`.
    weight
        ``"tasks"`` counts tasks; ``"hours"`` adds up weekly hours of those that have them on every side they are on:
        as they were before, and of added tasks as they are after.
    same_task
        By what a task of a job is the same before and after: its ``"id"`` or its ``"text"``.
    states
        Validation states that count.
    privacy
        How few jobs a cell may tell of; where every family is hidden nothing is drawn. None hides nothing.

    Returns
    -------
    alt.LayerChart or alt.ConcatChart
        Panels, or the chart that stands in for them where there is nothing to show; restyle it as any Altair chart,
        write it with `save`.

    Raises
    ------
    SchemaError
        If a column is missing, or `by` or `same_task` is none of its values.

    Warns
    -----
    TpAnalyticsWarning
        If tasks are in a state that is neither counted nor ``rejected``.

    Examples
    --------
    >>> from tpanalytics import load_sample
    >>> chart = plot_transitions(load_sample("2026-05"), load_sample("2026-11"))
    >>> chart.to_dict()["description"][:46]
    'Table and ribbons of tasks from each AI impact'
    """
    check_choice("weight", weight, CountWeight)
    moves = transitions(before, after, same_task=same_task, states=states)
    shown = families_in_change(before, after, states=states, privacy=privacy)
    if shown.height == 0:
        return frame.no_jobs_in_either()
    released = suppress(moves, after, before, privacy=privacy)
    counts = measure_coverage(after, states=states).select("job_family", jobs_after="jobs", tasks_after="tasks")
    groups = frame.groups_of_change(counts, shown, before, after, privacy)
    if not groups.totals:
        return frame.all_hidden_chart(groups)
    if moves.height and not released.height:
        return frame.all_hidden_chart(groups, title="Every move is hidden: it would tell of too few jobs")
    table, meaning = _table(released, weight), about(moves)
    top = _largest(table)
    basis = "Tasks of a job" if weight == "tasks" else "Weekly hours of tasks, for one incumbent of each job,"
    drawn = bool(top or any(table.amounts.values())) and max(len(table.left), len(table.right)) <= _PLACES
    panels = [
        _matrix(table, weight, top),
        *([ribbons(*_flows(table, weight, top), _LINE * (len(table.left) + 1))] if drawn else []),
    ]
    notes = _notes(table, meaning, weight, privacy)
    return theme.assemble_panels(
        [
            alt.hconcat(*panels, spacing=26) if drawn else panels[0],
            theme.footer_panel(captions.wrapped([*notes, *groups.sources])),
        ],
        columns=1,
        title=_finding(table, meaning, weight, top),
        subtitle=f"{basis} by level before and after · {groups.population}",
        description=_description(table, notes, weight, top, groups.population, drawn=drawn),
    )


def _table(moves: pl.DataFrame, weight: CountWeight) -> _Table:
    """Lay the moves out by level before and after."""
    amount = pl.col("tasks") if weight == "tasks" else pl.coalesce("hours_before", "hours_after")
    ends = pl.col("level_before").fill_null(_NEW), pl.col("level_after").fill_null(_GONE)
    tasks, amounts, hidden = {}, {}, set()
    for start, end, n, reason, value in moves.select(*ends, "tasks", "reason", amount=amount).rows():
        pair = (start, end)
        tasks[pair], amounts[pair] = n or 0, None if value is None else float(value)
        if reason == SUPPRESSED:
            hidden.add(pair)
    sides = [
        [
            *level_order(pair[side] for pair in tasks if pair[side] != last),
            *([last] * (last in {p[side] for p in tasks})),
        ]
        for side, last in ((0, _NEW), (1, _GONE))
    ]
    return _Table(sides[0], sides[1], tasks, amounts, hidden)


def _kind(pair: tuple[str, str]) -> str:
    if pair[0] == _NEW or pair[1] == _GONE:
        return "come or gone"
    if pair[0] == pair[1]:
        return "stayed"
    return "known or not" if NOT_ASSESSED in pair else "rated otherwise"


def _largest(table: _Table) -> list[tuple[str, str]]:
    """Return the three largest moves from level to level, ties by name."""
    moved = [(pair, amount) for pair, amount in table.amounts.items() if _kind(pair) == "rated otherwise" and amount]
    return [pair for pair, _ in sorted(moved, key=lambda move: (-round(move[1], 9), move[0]))[:3]]


def _matrix(table: _Table, weight: CountWeight, top: list[tuple[str, str]]) -> alt.LayerChart:
    rows, totals = [], []
    for start in table.left:
        for end in table.right:
            if start == _NEW and end == _GONE:
                continue
            pair = (start, end)
            look = "top" if pair in top else "stayed" if _kind(pair) == "stayed" else "other"
            rows.append((_word(start), _short(end), _figure(table, pair, weight), f"{look} cell"))
        totals.append((_word(start), _ALL, _sum(table, weight, start=start)))
    totals += [(_ALL, _short(end), _sum(table, weight, end=end)) for end in table.right]
    schema = dict.fromkeys(("before", "after", "figure"), pl.String)
    cells = pl.DataFrame(rows, schema={**schema, "paint": pl.String}, orient="row")
    columns = [*map(_short, table.right), _ALL]
    longest = max(len(part) for name in columns for part in (name.split() if name in (NOT_ASSESSED, _GONE) else [name]))
    width = max(44, min(76, _TABLE // len(columns)), min(130, round(6.2 * longest) + 8))
    y = alt.Y(
        "before:N",
        sort=(lines := [*map(_word, table.left), _ALL]),
        scale=alt.Scale(domain=lines),
        axis=alt.Axis(title=None, grid=False, labelLimit=190),
    )
    x = alt.X(
        "after:N", sort=columns, scale=alt.Scale(domain=columns), axis=alt.Axis(title=None, labels=False, grid=False)
    )
    heads = [
        theme.note(
            lines_of := name.split(" ") if name in (NOT_ASSESSED, _GONE) else [name],
            x=round((number + 0.5) * width),
            y=-7 - 13 * (len(lines_of) - 1),
            align="center",
            baseline="bottom",
            color=theme.INK,
            lineHeight=13,
        )
        for number, name in enumerate(columns)
    ]
    corner = theme.note(
        ["before below,", "after to the right"], x=-8, y=-20, align="right", baseline="bottom", lineHeight=13
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
    if pair in table.hidden:
        return HIDDEN
    if not table.tasks.get(pair):
        return "0"
    return _written(table.amounts[pair], weight)


def _written(amount: float | None, weight: CountWeight) -> str:
    if amount is None:
        return NONE
    return f"{amount:,.0f}" if weight == "tasks" else hours(amount)


def _sum(table: _Table, weight: CountWeight, *, start: str = "", end: str = "") -> str:
    pairs = [pair for pair in table.tasks if start in ("", pair[0]) and end in ("", pair[1])]
    if table.hidden.intersection(pairs):
        return NONE  # it would tell the hidden ones together
    known = [amount for pair in pairs if (amount := table.amounts[pair]) is not None]
    return _written(sum(known) if known else None, weight)


def _short(level: str) -> str:
    return printable(level) or level


def _word(level: str) -> str:
    return theme.LEVEL_WORDS.get(level, _short(level))


def _flows(
    table: _Table, weight: CountWeight, top: list[tuple[str, str]]
) -> tuple[list[Flow], list[str], list[str], dict[str, str]]:
    flows = [
        Flow(
            *pair,
            amount,
            _kind(pair),
            f"{_short(pair[0])} to {_short(pair[1])}: {_written(amount, weight)}" if pair in top else "",
        )
        for pair, amount in table.amounts.items()
        if amount and pair not in table.hidden
    ]
    left = [place for place in table.left if any(flow.start == place for flow in flows)]
    right = [place for place in table.right if any(flow.end == place for flow in flows)]
    return flows, left, right, {place: _short(place) for place in [*left, *right]}


def _moved(table: _Table, *kinds: str) -> float:
    return sum(amount for pair, amount in table.amounts.items() if amount and _kind(pair) in kinds)


def _finding(table: _Table, meaning: Meaning, weight: CountWeight, top: list[tuple[str, str]]) -> str:
    """State how much was re-rated, of what has a level on both sides, and where most of it went."""
    both = [pair for pair in table.tasks if _kind(pair) != "come or gone"]
    if not table.tasks:
        return captions.NO_TASK_IN_EITHER
    if not both:
        return "No task is in both snapshots, so none can have been rated otherwise"
    if meaning.grade == "C":
        was, now = captions.coverage_before_after(meaning, "level")
        return (
            "Too little is known to say how tasks were rated otherwise: a level of "
            f"{covered(was)} of tasks before, {covered(now)} after"
        )
    rated = _moved(table, "rated otherwise", "stayed") - sum(
        table.amounts.get(pair) or 0.0 for pair in [(NOT_ASSESSED, NOT_ASSESSED)]
    )
    moved = _moved(table, "rated otherwise")
    if not rated:
        hours_of = "hours and " if weight == "hours" else ""
        return f"No task has {hours_of}a level both before and after"
    if not moved:
        hidden = " that may be shown" if table.hidden else ""
        return f"No task{hidden} was rated otherwise than before"
    first = table.amounts[top[0]]
    ties = [pair for pair in top if round(table.amounts[pair] or 0.0, 9) == round(first or 0.0, 9)]
    went = listed(f"from {_short(start)} to {_short(end)}" for start, end in ties)
    largest = "the largest move is" if len(ties) == 1 else "the largest moves are"
    if weight == "tasks":
        counts = f"{moved:,.0f} of {rated:,.0f} tasks"
    else:
        counts = f"{moved:,.0f} of {rated:,.0f} described hours a week"
    least = "At least " if table.hidden else ""
    return (
        f"{least}{counts} ({percent(moved / rated)}) were rated otherwise; {largest} {went} ({_written(first, weight)})"
    )


def _notes(table: _Table, meaning: Meaning, weight: CountWeight, privacy: Privacy | None) -> list[str]:
    lines = captions.coverage_of_both(meaning, "level")
    if table.hidden and privacy is not None:
        lines.insert(
            0,
            f"{plural(len(table.hidden), 'move')} hidden ({HIDDEN}): fewer than {privacy.min_jobs} jobs stand behind, "
            "or they hide one that could be worked out from a total; they are not drawn.",
        )
    if not table.tasks:
        return lines
    if not any(_NEW in pair or _GONE in pair for pair in table.hidden):
        new, gone = (sum(n for pair, n in table.tasks.items() if place in pair) for place in (_NEW, _GONE))
        lines.append(
            f"{plural(new, 'task')} only after, {gone:,} only before. That a level became known, or is known no more, "
            "tells of the data, not of the work."
        )
    if weight == "hours":
        lines.append("Hours as they were before, of tasks not there before as they are after; only where known.")
    lines.append(f"{captions.grade_note('a level on both sides', meaning.grade)} {captions.JUDGED}")
    return lines


def _description(
    table: _Table, notes: list[str], weight: CountWeight, top: list[tuple[str, str]], of: str, *, drawn: bool
) -> str:
    what = "tasks" if weight == "tasks" else "weekly hours"
    built = (
        f"Table {'and ribbons ' * drawn}of {what} from each AI impact level before to each after, for {of}. "
        "Levels in fixed order, then not assessed, then tasks that are on one side only."
    )
    said = [
        f"{_short(start)} to {_short(end)} {_figure(table, (start, end), weight)}"
        for start in table.left
        for end in table.right
        if table.tasks.get((start, end)) or (start, end) in table.hidden
    ]
    shape = []
    if top:
        moves = (f"{_short(a)} to {_short(b)} ({_written(table.amounts[a, b], weight)})" for a, b in top)
        shape.append(f"The largest moves: {listed(moves)}.")
    stayed = _moved(table, "stayed")
    if stayed:
        shape.append(f"Stayed at their level: {_written(stayed, weight)}.")
    numbers = [f"{'; '.join(said)}."] if said else []
    return captions.alt_text(built, " ".join([*numbers, *notes[:2]]), " ".join(shape))
