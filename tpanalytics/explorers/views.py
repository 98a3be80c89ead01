"""The views of an explorer: each says which controls it has, and which calls a state of them stands for.

A view computes nothing. What it shows is what the functions it names give, so that its Python can be printed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import chain, zip_longest
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from tpanalytics.errors import SchemaError
from tpanalytics.explorers.calls import Call, Source, Table, call
from tpanalytics.explorers.state import WEIGHT_STEPS, options

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import polars as pl

    from tpanalytics.explorers.options import Facts
    from tpanalytics.explorers.state import State

__all__ = ["OTHER_ROWS", "Shown", "controls", "down", "neighbours", "settled", "shown"]

#: Entries of a state after which other rows are drawn, so that what was picked is gone.
OTHER_ROWS = {"view", "family", "job", "search", "change", "value"}


@dataclass(frozen=True)
class Shown:
    """What is shown in one state.

    Attributes
    ----------
    chart
        The call that draws.
    table
        The figures behind it.
    picks
        Column of the chart's data that a click on a mark picks; None if there is nothing to pick.
    note
        What must be said beside both.
    """

    chart: Call
    table: Table
    picks: str | None = None
    note: str = ""

    def selected(self, source: Source, picked: list[str]) -> pl.DataFrame:
        """Give the figures of the marks that are picked, or all."""
        return self._of(picked).of(source)

    def code(self, picked: list[str]) -> str:
        """Write the Python that gives chart and table."""
        given = " and ".join(self.chart.takes)
        lines = [f"# {given}: as given to tpa.explore"]
        lines += [f"chart = {self.chart}", f"table = {self._of(picked)}"]
        uses_polars = any("pl." in line for line in lines)
        return "\n".join([*["import polars as pl"] * uses_polars, "import tpanalytics as tpa", "", *lines])

    def check_picked(self, source: Source, picked: list[str]) -> None:
        """Refuse marks that are not there."""
        if not picked:
            return
        there = self.table.of(source).get_column(self.picks).unique().to_list() if self.picks else []
        for one in picked:
            if one not in there:
                raise SchemaError(f"state: picked={one!r} is none of the {len(there)} marks that can be picked here.")

    def _of(self, picked: list[str]) -> Table:
        if not picked or self.picks is None:
            return self.table
        return replace(self.table, keep={**self.table.keep, self.picks: tuple(picked)})


def controls(state: State) -> tuple[str, ...]:
    """Name the controls that matter in a state, in order."""
    match state["view"]:
        case "hours":
            return ("states", "families")
        case "tasks":
            steps = ["search", "family"] if state["family"] is None else ["family", "job"]
            return (*steps, *["rationales"] * bool(state["job"]), "states")
        case "compare":
            return ("change", {"moves": "counted", "families": "value"}.get(state["change"], "level"), "states")
    return ("show", "level_weights" if state["show"] == "weights" else "weight", "states", "families")


def shown(state: State, facts: Facts) -> Shown:
    """Say which chart and table a state stands for."""
    return {"impact": _impact, "hours": _hours, "tasks": _tasks, "compare": _compare}[state["view"]](state, facts)


def settled(state: State, facts: Facts) -> State:
    """Take out of a state what no longer fits the rest of it."""
    states, family, job, picked = state["states"], state["family"], state["job"], state["picked"]
    if family is not None and family not in facts.open(states):
        family = None
    if job is not None and job not in [one for _, one in facts.jobs_of(family, states)]:
        job = None
    if state["families"] and "families" in controls(state):
        picked = [one for one in picked if one in state["families"]]
    return {**state, "family": family, "job": job, "picked": picked}


def down(state: State, facts: Facts) -> State | None:
    """Give the state that a click on a mark leads to, if it leads anywhere: from a family to its jobs, to a job."""
    if state["view"] != "tasks" or not state["picked"]:
        return None
    step = "family" if state["family"] is None else "job"
    to = settled({**state, step: state["picked"][-1], "picked": []}, facts)
    return to if to[step] == state["picked"][-1] else None


def neighbours(state: State, facts: Facts) -> Iterator[State]:
    """Go through the states that one click or key leads to: those of buttons first, then lists and scales in turn."""
    offered, there = options(facts, state["states"]), controls(state)
    for name in [*(name for name in there if name in offered and name != "family"), "view"]:
        for _, value in offered[name]:
            yield settled({**state, name: value, "picked": []}, facts)
    families = _marked_next(state["families"], facts.families) if "families" in there else ()
    level_weights = _weighed_next(state["level_weights"], facts.levels) if "level_weights" in there else ()
    opened = facts.open(state["states"]) if "family" in there and not state["search"] else ()
    moves = (
        [{"families": marked} for marked in families],
        [{"level_weights": moved} for moved in level_weights],
        [{"family": family, "picked": []} for family in opened],
    )
    for change in chain.from_iterable(zip_longest(*moves)):
        if change is not None:
            yield settled({**state, **change}, facts)


def _marked_next(marked: list[str], families: tuple[str, ...]) -> Iterator[list[str]]:
    """Mark each family alone, one more or one less, and all from the first or the last that is marked up to one."""
    for family in families:
        yield [family]
    if not marked:
        return
    for family in families:
        yield [one for one in families if (one in marked) != (one == family)]
    ends = sorted(map(families.index, marked))
    for end in dict.fromkeys((ends[0], ends[-1])):
        for place in range(len(families)):
            yield list(families[min(end, place) : max(end, place) + 1])


def _weighed_next(level_weights: Mapping[str, float], levels: tuple[str, ...]) -> Iterator[dict[str, float]]:
    """Move the weight of one level but H2, or leave the level out; small steps first."""
    moves = []
    for level in levels:
        at, others = (
            level_weights.get(level, 0.0),
            {one: weight for one, weight in level_weights.items() if one != level},
        )
        if level != "H2":
            moves += [(abs(step - at), dict(sorted({**others, level: step}.items()))) for step in WEIGHT_STEPS]
            moves.append((at, others))
    for _, moved in sorted(moves, key=itemgetter(0)):
        yield moved


def _families(state: State) -> tuple[str, ...] | None:
    return tuple(state["families"]) or None


def _impact(state: State, facts: Facts) -> Shown:
    families, states = _families(state), tuple(state["states"])
    how: dict[str, Any] = {"states": states, "families": families, "privacy": facts.privacy}
    if state["show"] == "weights":
        chart = call("plot_weight_sensitivity", level_weights=state["level_weights"], **how)
        measure = call("exposure", level_weights=state["level_weights"], states=states)
    else:
        chart = call("plot_impact", weight=state["weight"], **how)
        measure = call("impact", weight=state["weight"], states=states)
    return Shown(chart, Table(measure, facts.privacy, {"job_family": families}), "job_family")


def _hours(state: State, facts: Facts) -> Shown:
    families, states = _families(state), tuple(state["states"])
    chart = call("plot_hours", states=states, families=families, privacy=facts.privacy)
    measure = call("hours", states=states)
    return Shown(chart, Table(measure, facts.privacy, {"job_family": families}), "job_family")


def _tasks(state: State, facts: Facts) -> Shown:
    """Lead from families to the jobs of one, to the tasks of one; a search counts hits in families."""
    states, family, job, search = tuple(state["states"]), state["family"], state["job"], state["search"].strip()
    how: dict[str, Any] = {"states": states, "privacy": facts.privacy}
    if job is not None:
        chart = call("plot_job", job, rationales=state["rationales"], **how)
        keep = {"job_id": (job,), "validation_state": states}
        return Shown(chart, Table(None, keep=keep, rationales=state["rationales"]))
    if family is not None:
        chart = call("plot_jobs", family, **how)
        measure = call("hours_by_job", states=states)
        return Shown(chart, Table(measure, facts.privacy, {"job_family": (family,)}, of_jobs=True), "job_id")
    if search:
        chart = call("plot_find_tasks", search, **how)
        among = facts.open(states) if facts.open(states) != facts.families else None
        table = Table(call("find_tasks", search, states=states), facts.privacy, {"job_family": among}, of_jobs=True)
        left, note = facts.left_out(states), ""
        if left:
            note = f"The chart counts all jobs; {left:,} that tell of few people, or of others, are not in the table."
        return Shown(chart, table, "job_family", note)
    chart = call("plot_impact", weight="tasks", **how)
    measure = call("impact", weight="tasks", states=states)
    return Shown(chart, Table(measure, facts.privacy), "job_family")


def _compare(state: State, facts: Facts) -> Shown:
    both: dict[str, Any] = {"takes": ("before", "profiles"), "states": tuple(state["states"])}
    match state["change"]:
        case "moves":
            chart = call("plot_transitions", weight=state["counted"], privacy=facts.privacy, **both)
            return Shown(chart, Table(call("level_moves", **both), facts.privacy))
        case "families":
            measure = call("compare" if state["value"] == "hours" else "compare_exposure", **both)
            chart = call("plot_compare", by="job_family", measure=state["value"], privacy=facts.privacy, **both)
            return Shown(chart, Table(measure, facts.privacy), "job_family")
    chart = call("plot_compare", level=state["level"], privacy=facts.privacy, **both)
    whole = {} if facts.change_by_family(state["states"]) else {"scope": ("all",)}
    return Shown(chart, Table(call("compare", level=state["level"], **both), facts.privacy, whole))
