"""Interactive explorer of task profiles."""

from __future__ import annotations

import asyncio
import copy
import html
from contextlib import suppress
from functools import wraps
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Any, TypeVar, cast

import ipywidgets as widgets
from IPython.display import display

from tpanalytics.charts._core.render import displayed
from tpanalytics.errors import ShareError, TpAnalyticsError
from tpanalytics.explorers import static_page
from tpanalytics.explorers.accessibility import Accessibility
from tpanalytics.explorers.breadcrumb import Breadcrumb
from tpanalytics.explorers.chart import ChartWidget
from tpanalytics.explorers.controls import ControlBar
from tpanalytics.explorers.downloads import TABLE_SUFFIXES, DownloadBar
from tpanalytics.explorers.options import facts_of
from tpanalytics.explorers.spec_cache import SpecCache
from tpanalytics.explorers.state import START, State, checked_changes, drill_down, merge
from tpanalytics.explorers.views import View, view_of
from tpanalytics.measures._core.cache import with_cache
from tpanalytics.measures._core.groups import BY_FAMILY
from tpanalytics.measures.privacy.policy import USUAL
from tpanalytics.share.calls import Call, Source
from tpanalytics.share.grouping import grouping_of
from tpanalytics.share.save import output_path, save

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import polars as pl

    from tpanalytics.measures.privacy.policy import Privacy
    from tpanalytics.schema import TaskProfiles
    from tpanalytics.typing import By

__all__ = ["Explorer", "explore"]

Method = TypeVar("Method", bound="Callable[..., Any]")

#: Seconds to wait for further changes before drawing a chart that isn't cached.
_DEBOUNCE = 0.05
#: Idle seconds before prerendering charts, and pause between charts in seconds.
_IDLE, _PAUSE = 0.3, 0.03
_STYLE = Path(__file__).parent / "assets" / "explorer.css"


def explore(
    profiles: TaskProfiles,
    before: TaskProfiles | None = None,
    *,
    by: By = BY_FAMILY,
    state: Mapping[str, Any] | None = None,
    privacy: Privacy | None = USUAL,
) -> Explorer:
    """Open an interactive explorer for AI impact, weekly hours, tasks and changes between two snapshots.

    The explorer works offline in JupyterLab, Jupyter Notebook and Voilà. If widgets are not supported, an image and a
    description of the first chart are shown. Nulls are treated as in `impact`.

    Parameters
    ----------
    profiles
        Task profiles with the columns that `impact` reads. Results are cached, so don't modify the tables.
    before
        Earlier snapshot to compare with. Required for the "What changed" view (``"compare"``).
    by
        How to group jobs: a column of `jobs`, `people` or `tasks`, a list of columns, or None for all jobs together.
        With a column of `people`, a job counts in every group that has people in it.
    state
        Initial state, as a dict with some or all of the entries in `Explorer.state`.
    privacy
        Thresholds for suppressing small groups. If None, nothing is suppressed.

    Returns
    -------
    Explorer
        Widget with a chart and controls.

    Raises
    ------
    SchemaError
        If a column is missing, or if `by` or `state` has an unknown entry or value.

    Examples
    --------
    >>> from tpanalytics import load_sample
    >>> explorer = explore(load_sample())
    >>> explorer.state = {"weight": "tasks", "groups": ["Finance", "Sales"]}
    >>> explorer.selected.height
    10
    >>> print(explorer.code().splitlines()[-2])
    chart = tpa.plot_impact(profiles, weight="tasks", groups=["Finance", "Sales"])
    """
    return Explorer(profiles, before, by=by, state=state, privacy=privacy)


def _locked(method: Method) -> Method:
    """Run a method with the lock held. Widget messages and cells can run in different threads."""

    @wraps(method)
    def locked(self: Explorer, *args: Any, **kwargs: Any) -> Any:
        with self._lock:
            return method(self, *args, **kwargs)

    return cast("Method", locked)


class Explorer(widgets.VBox):
    """Interactive chart with controls, returned by `explore`.

    Attributes
    ----------
    state
        Control values as a JSON-compatible dict. Assign a dict with some or all entries to change them.
    selected
        Figures for the selected marks, or the whole chart if none are selected, as a Polars DataFrame.
    """

    # ipywidgets calls `close` even if `__init__` failed, so we define these on the class.
    _draw_timer: asyncio.TimerHandle | None = None
    _ahead_timer: asyncio.TimerHandle | None = None
    _closed = False
    _view: View

    def __init__(
        self,
        profiles: TaskProfiles,
        before: TaskProfiles | None = None,
        *,
        by: By = BY_FAMILY,
        state: Mapping[str, Any] | None = None,
        privacy: Privacy | None = USUAL,
    ) -> None:
        self._lock = RLock()
        self._source = Source(with_cache(profiles), None if before is None else with_cache(before, "before"))
        grouping = grouping_of(self._source.profiles, by)
        if self._source.before is not None:
            grouping_of(self._source.before, by)
        self._facts = facts_of(self._source, grouping, privacy)
        self._state: State = {
            **copy.deepcopy(START),
            "states": self._facts.default_states,
            "weight": self._facts.default_weight,
        }
        self._specs = SpecCache(self._facts)
        self._ahead: Iterator[View] = iter(())
        self._spec: dict[str, Any] = {}
        self._drawn: Call | None = None
        self._control_bar = ControlBar(self._facts, self._on_control)
        self._chart = ChartWidget(self._on_pick, self._on_param)
        self._message = widgets.HTML()
        self._downloads = DownloadBar(self.save, lambda: str(self._state["view"]), self._show_error)
        self._breadcrumb = Breadcrumb(self._change)
        super().__init__(
            [
                widgets.HTML(f"<style>{_STYLE.read_text(encoding='utf-8')}</style>", layout={"display": "none"}),
                self._control_bar.controls["view"].widget,
                self._control_bar,
                self._breadcrumb,
                self._message,
                self._chart,
                self._downloads,
                self._downloads.python,
                Accessibility(layout={"display": "none"}),
            ]
        )
        self.add_class("tpa-explorer")
        self._chart.add_class("tpa-chart")
        self.state = {} if state is None else state

    @property
    @_locked
    def state(self) -> State:
        """Control values."""
        return copy.deepcopy(self._state)

    @state.setter
    @_locked
    def state(self, changes: Mapping[str, Any]) -> None:
        state = merge(self._state, checked_changes(self._state, changes, self._facts), self._facts)
        view = view_of(state, self._facts)
        spec = self._specs.of(view, state["picked"])  # may raise, so do this before changing the state
        view.check_picked(self._source, changes.get("picked", ()))
        self._enter(state, view)
        self._show(spec)

    @property
    @_locked
    def selected(self) -> pl.DataFrame:
        """Figures for the selected marks, or the whole chart if none are selected."""
        return self._view.selected(self._source, self._state["picked"])

    @_locked
    def code(self) -> str:
        """Return Python code that reproduces the current chart and table from the task profiles."""
        return self._view.code(self._state["picked"])

    @_locked
    def save(self, path: str | Path) -> Path:
        """Write the current chart or table to a file, using `tpanalytics.save`.

        Parameters
        ----------
        path
            Output file. Use ``.png``, ``.svg``, ``.pdf``, ``.html`` or ``.json`` for the chart, and ``.csv``, ``.xlsx``
            or ``.parquet`` for the table.

        Returns
        -------
        Path
            The path of the file.

        Raises
        ------
        ShareError
            If the suffix is not supported or the file cannot be written.
        """
        path = output_path(path)
        is_table = path.suffix.lower().removeprefix(".") in TABLE_SUFFIXES.values()
        return save((self._view.table if is_table else self._view.chart).of(self._source), path)

    @_locked
    def freeze(self, path: str | Path, *, jobs: bool = False) -> Path:
        """Write an HTML page with working controls that runs offline and without Python.

        Charts for all control combinations are drawn in advance. The page doesn't include rationales and suppresses the
        same groups as the explorer. If groups are selected, the page only contains these groups, without the "What
        changed" view.

        Parameters
        ----------
        path
            The ``.html`` file to write. An existing file is only replaced once the page is complete.
        jobs
            If True, include each group's jobs, with job names.

        Returns
        -------
        Path
            The path of the file.

        Raises
        ------
        ShareError
            If the suffix is not ``.html``, the file cannot be written, or the page exceeds 2 MB.

        Warns
        -----
        TpAnalyticsWarning
            If the page does not include the current view.
        """
        path = output_path(path)
        if path.suffix.lower() != ".html":
            raise ShareError(f"`path` must end in .html, not {path.name!r}.")
        return static_page.write(self._facts, self._state, path, jobs=jobs)

    @_locked
    def close(self) -> None:
        """Close the widget and stop prerendering charts."""
        self._cancel_timers()
        self._closed = True
        super().close()

    @_locked
    def _on_control(self, name: str) -> None:
        if not self._control_bar.updating:
            self._change({name: self._control_bar.controls[name].read()})

    @_locked
    def _on_pick(self, picked: list[str]) -> None:
        """Handle a click on a mark: select the rows, or open the group or job."""
        if picked == self._state["picked"] or not self._is_drawn():
            return
        self._state = {**self._state, "picked": picked}
        below = drill_down(self._state, self._facts)
        if below is None:
            self._downloads.set_python(self.code())
        else:
            self._change(below)

    @_locked
    def _on_param(self, name: str, value: Any) -> None:
        """Handle a slider change without redrawing the chart."""
        if name == "weight_of_h2" and self._state["view"] == "impact":
            is_drawn, level_weights = self._is_drawn(), {**self._state["level_weights"], "H2": round(float(value), 2)}
            self._state = {**self._state, "level_weights": level_weights}
            self._view = view_of(self._state, self._facts)
            self._drawn = self._view.chart if is_drawn else self._drawn
            self._update_controls()
            self._downloads.set_python(self.code())
            self._schedule_ahead()

    @_locked
    def _change(self, changes: Mapping[str, Any]) -> None:
        """Change the state and draw the chart, with a short delay if it isn't cached."""
        try:
            state = merge(self._state, changes, self._facts)
            self._enter(state, view_of(state, self._facts))
        except TpAnalyticsError as error:
            self._show_error(str(error))
            return
        if not self._specs.has(self._view):
            self._draw_timer = self._call_later(_DEBOUNCE, self._draw)
        if self._draw_timer is None:
            self._draw()

    def _enter(self, state: State, view: View) -> None:
        self._state, self._view = state, view
        self._update_controls()
        self._cancel_timers()

    def _update_controls(self) -> None:
        self._control_bar.show(self._state)
        self._breadcrumb.show(self._state, self._facts)

    @_locked
    def _draw(self) -> None:
        self._draw_timer = None
        try:
            spec = self._specs.of(self._view, self._state["picked"])
        except TpAnalyticsError as error:
            self._show_error(str(error))
            return
        except Exception as error:
            self._show_error(f"Internal error: {type(error).__name__}. See the kernel log; other views still work.")
            raise
        self._show(spec)

    def _show(self, spec: dict[str, Any]) -> None:
        self._spec, self._drawn = spec, self._view.chart
        self._show_message("\n".join(filter(None, [*self._specs.warnings(self._view), self._view.note])), "warning")
        self._chart.swap(spec)
        self._downloads.set_python(self.code())
        self._schedule_ahead()

    def _is_drawn(self) -> bool:
        """Return True if the displayed chart matches the current state."""
        return self._drawn == self._view.chart

    def _show_error(self, text: str) -> None:
        self._show_message(text, "error")

    def _show_message(self, text: str, kind: str) -> None:
        self._message.value = f'<div class="tpa-{kind}" role="status">{html.escape(text)}</div>' if text else ""

    def _schedule_ahead(self) -> None:
        """Schedule prerendering of views one click away, for when the user is idle."""
        if self._ahead_timer is not None:
            self._ahead_timer.cancel()
        self._ahead = self._specs.ahead(self._state)
        self._ahead_timer = self._call_later(_IDLE, self._draw_ahead)

    @_locked
    def _draw_ahead(self) -> None:
        self._ahead_timer = None
        for view in self._ahead:
            with suppress(Exception):  # errors are raised again when the user opens the view
                self._specs.of(view)
            self._ahead_timer = self._call_later(_PAUSE, self._draw_ahead)
            return

    def _call_later(self, seconds: float, function: Callable[[], None]) -> asyncio.TimerHandle | None:
        """Schedule a call, or return None if no event loop is running."""
        try:
            return None if self._closed else asyncio.get_running_loop().call_later(seconds, function)
        except RuntimeError:
            return None

    def _cancel_timers(self) -> None:
        for timer in (self._draw_timer, self._ahead_timer):
            if timer is not None:
                timer.cancel()
        self._draw_timer = self._ahead_timer = None

    def __repr__(self) -> str:
        return f"Explorer of {self._source.profiles!r}"

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the widget, with an image and a description for environments without widget support."""
        bundle: Any = super()._repr_mimebundle_(**kwargs)
        widget, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
        picture, size = displayed(self._spec)
        return {**widget, **picture}, {**metadata, **size}

    def _ipython_display_(self) -> None:
        """Display an image and the widget. The widget's style sheet hides the image."""
        bundle, metadata = self._repr_mimebundle_()
        for kinds in (("image/png", "text/plain"), ("application/vnd.jupyter.widget-view+json",)):
            sizes = {kind: metadata[kind] for kind in kinds if kind in metadata}
            display({kind: bundle[kind] for kind in kinds}, metadata=sizes, raw=True)  # type: ignore[no-untyped-call]
