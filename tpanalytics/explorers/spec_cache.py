"""What states of an explorer look like: each is drawn once, some before anybody asks, and kept."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from altair.utils.schemapi import debug_mode

from tpanalytics.errors import collected
from tpanalytics.explorers.chart import pickable, steady
from tpanalytics.explorers.views import Shown, neighbours, shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tpanalytics.explorers.options import Facts
    from tpanalytics.explorers.state import State

__all__ = ["Drawings"]

#: Specifications that are kept at most, and of these how many may be drawn ahead from one state.
_KEPT, _AHEAD = 256, 128


class Drawings:
    """Specifications of the charts of states."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._specs: dict[str, dict[str, Any]] = {}
        self._notes: dict[tuple[Any, ...], dict[str, None]] = {}

    def has(self, state: State) -> bool:
        """Say whether a state is drawn already."""
        return str(shown(state, self._facts).chart) in self._specs

    def of(self, state: State) -> dict[str, Any]:
        """Give the specification of a state."""
        what = shown(state, self._facts)
        key = str(what.chart)
        spec = self._specs.pop(key, None)
        if spec is None:
            # What our own functions draw is checked in tests; to check it again would take longer than to draw it.
            with debug_mode(arg=False), collected() as noted:
                spec = steady(what.chart.of(self._facts.source).to_dict(validate=False))
            notes = self._notes.setdefault(_counted(what), {})
            notes.update(dict.fromkeys(noted))
        self._specs[key] = spec  # last, so that what nobody has looked at longest is first
        while len(self._specs) > _KEPT:
            del self._specs[next(iter(self._specs))]
        return pickable(spec, what.picks, state["picked"])

    def notes(self, state: State) -> list[str]:
        """Give the warnings of a state.

        What is remembered warns once, so that what was said of the tasks that count holds for every view of them.
        """
        return list(self._notes.get(_counted(shown(state, self._facts)), ()))

    def ahead(self, state: State) -> Iterator[State]:
        """Go through states that one click or key leads to and that are not drawn."""
        return islice((one for one in neighbours(state, self._facts) if not self.has(one)), _AHEAD)


def _counted(what: Shown) -> tuple[Any, ...]:
    """Say which tasks of which snapshots a chart counts."""
    return what.chart.takes, what.chart.arguments.get("states")
