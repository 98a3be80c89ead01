"""Chart specification cache."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from tpanalytics.errors import collect_warnings
from tpanalytics.explorers.chart import add_selection, reserve_title_space
from tpanalytics.explorers.state import adjacent_states
from tpanalytics.explorers.views import view_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tpanalytics.explorers.options import Facts
    from tpanalytics.explorers.state import State
    from tpanalytics.explorers.views import View

__all__ = ["SpecCache"]

#: Maximum number of charts to cache, and to prerender from a single state.
_MAX_SPECS, _MAX_AHEAD = 256, 128


class SpecCache:
    """LRU cache for Vega-Lite specifications."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._specs: dict[str, dict[str, Any]] = {}
        self._warnings: dict[tuple[Any, ...], dict[str, None]] = {}

    def has(self, view: View) -> bool:
        """Return True if a view's specification is cached."""
        return str(view.chart) in self._specs

    def of(self, view: View, picked: Sequence[str] = ()) -> dict[str, Any]:
        """Return a view's specification, with the picked marks selected."""
        key = str(view.chart)
        spec = self._specs.pop(key, None)
        if spec is None:
            # We skip validation because it takes longer than drawing. The tests validate these charts.
            with collect_warnings() as messages:
                spec = reserve_title_space(view.chart.of(self._facts.source).to_dict(validate=False))
            self._warnings.setdefault(_tasks_counted(view), {}).update(dict.fromkeys(messages))
        self._specs[key] = spec
        while len(self._specs) > _MAX_SPECS:
            del self._specs[next(iter(self._specs))]
        return add_selection(spec, view.picks, list(picked))

    def warnings(self, view: View) -> list[str]:
        """Return the warnings about the tasks in a view."""
        return list(self._warnings.get(_tasks_counted(view), ()))

    def ahead(self, state: State) -> Iterator[View]:
        """Return an iterator over uncached views one click or key press away."""
        views = (view_of(adjacent, self._facts) for adjacent in adjacent_states(state, self._facts))
        return islice((view for view in views if not self.has(view)), _MAX_AHEAD)


def _tasks_counted(view: View) -> tuple[Any, ...]:
    return view.chart.snapshots, view.chart.arguments.get("states")
