"""The explorer: its controls set the state, the state determines the view, and the view is drawn in one chart."""

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
from tpanalytics.measures.privacy.policy import USUAL
from tpanalytics.share.calls import Call, Source
from tpanalytics.share.save import path_of, save

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import polars as pl

    from tpanalytics.measures.privacy.policy import Privacy
    from tpanalytics.schema import TaskProfiles

__all__ = ["Explorer", "explore"]

Method = TypeVar("Method", bound="Callable[..., Any]")

#: Seconds without another change before a chart that is not in the cache is drawn.
_DEBOUNCE = 0.05
#: Seconds without a change before charts are drawn ahead, and between one such chart and the next.
_IDLE, _PAUSE = 0.3, 0.03
_STYLE = Path(__file__).parent / "assets" / "explorer.css"


def explore(
    profiles: TaskProfiles,
    before: TaskProfiles | None = None,
    *,
    state: Mapping[str, Any] | None = None,
    privacy: Privacy | None = USUAL,
) -> Explorer:
    """Open an explorer: AI impact, weekly hours, tasks and, with two snapshots, what changed.

    It works without network access, in JupyterLab, Notebook and Voilà. Next to the widget the notebook stores a picture
    of the first chart and its description, which are shown when the notebook is reopened, mailed or converted.

    Parameters
    ----------
    profiles
        As for `impact`. Results are cached as long as the explorer exists, so its tables must not change meanwhile.
    before
        An earlier snapshot to compare with.
    state
        The initial state, as `Explorer.state` returns it, whole or in part.
    privacy
        The smallest group of jobs or people a figure may describe; None suppresses nothing.

    Returns
    -------
    Explorer
        A widget. `Explorer.state`, `Explorer.selected`, `Explorer.code` and `Explorer.save` return what it shows.

    Raises
    ------
    SchemaError
        If a column is missing, or `state` has an unknown entry or value.

    Examples
    --------
    >>> from tpanalytics import load_sample
    >>> explorer = explore(load_sample())
    >>> explorer.state = {"weight": "tasks", "families": ["Finance", "Sales"]}
    >>> explorer.selected.height
    10
    >>> print(explorer.code().splitlines()[-2])
    chart = tpa.plot_impact(profiles, weight="tasks", families=["Finance", "Sales"])
    """
    return Explorer(profiles, before, state=state, privacy=privacy)


def _locked(method: Method) -> Method:
    """Let one thread at a time run these methods: notebooks receive widget messages in one and run cells in another."""

    @wraps(method)
    def locked(self: Explorer, *args: Any, **kwargs: Any) -> Any:
        with self._lock:
            return method(self, *args, **kwargs)

    return cast("Method", locked)


class Explorer(widgets.VBox):
    """Controls above one chart; made by `explore`.

    Attributes
    ----------
    state
        The values of the controls, as plain values; set it, in part or whole, to change them.
    selected
        The figures behind the chart as a Polars frame: those of the marks that were clicked, or all.
    """

    # On the class, because ipywidgets also closes a widget whose creation failed.
    _draw_timer: asyncio.TimerHandle | None = None
    _ahead_timer: asyncio.TimerHandle | None = None
    _closed = False
    _view: View

    def __init__(
        self,
        profiles: TaskProfiles,
        before: TaskProfiles | None = None,
        *,
        state: Mapping[str, Any] | None = None,
        privacy: Privacy | None = USUAL,
    ) -> None:
        self._lock = RLock()
        self._source = Source(with_cache(profiles), None if before is None else with_cache(before))
        self._facts = facts_of(self._source, privacy)
        self._state: State = copy.deepcopy(START)
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
        """The values of the controls."""
        return copy.deepcopy(self._state)

    @state.setter
    @_locked
    def state(self, changes: Mapping[str, Any]) -> None:
        state = merge(self._state, checked_changes(self._state, changes, self._facts), self._facts)
        view = view_of(state, self._facts)
        spec = self._specs.of(view, state["picked"])  # raises before anything has changed
        view.check_picked(self._source, changes.get("picked", ()))
        self._enter(state, view)
        self._show(spec)

    @property
    @_locked
    def selected(self) -> pl.DataFrame:
        """The figures behind the chart: of the marks that were clicked, or of all."""
        return self._view.selected(self._source, self._state["picked"])

    @_locked
    def code(self) -> str:
        """Return the Python that reproduces this chart and this table from the profiles that are explored."""
        return self._view.code(self._state["picked"])

    @_locked
    def save(self, path: str | Path) -> Path:
        """Write the chart, or the table behind it, as `tpanalytics.save` does, depending on the suffix.

        Parameters
        ----------
        path
            ``.png``, ``.svg``, ``.pdf``, ``.html``, ``.json`` for the chart; ``.csv``, ``.xlsx``, ``.parquet`` for the
            table.

        Returns
        -------
        Path
            The file.

        Raises
        ------
        ShareError
            If the suffix is another, or the file cannot be written.
        """
        path = path_of(path)
        is_table = path.suffix.lower().removeprefix(".") in TABLE_SUFFIXES.values()
        return save((self._view.table if is_table else self._view.chart).of(self._source), path)

    @_locked
    def freeze(self, path: str | Path, *, jobs: bool = False) -> Path:
        """Write a page with working controls that needs neither Python nor network access, to be mailed.

        Every state that its controls can reach is drawn in advance. The page contains the figures it shows, no
        rationales, and suppresses what the explorer suppresses. If job families are selected, it contains only these,
        and no comparison with the earlier snapshot.

        Parameters
        ----------
        path
            An ``.html`` file; it is written whole or not at all.
        jobs
            Include the jobs of each family, by name.

        Returns
        -------
        Path
            The file.

        Raises
        ------
        ShareError
            If the suffix is another, the file cannot be written, or it would be too large to be mailed.

        Warns
        -----
        TpAnalyticsWarning
            If the current view is not in the page, with the reason.
        """
        path = path_of(path)
        if path.suffix.lower() != ".html":
            raise ShareError(f"{path.name}: a frozen explorer is an .html page.")
        return static_page.write(self._facts, self._state, path, jobs=jobs)

    @_locked
    def close(self) -> None:
        """Close the widget, and draw nothing more ahead."""
        self._cancel_timers()
        self._closed = True
        super().close()

    @_locked
    def _on_control(self, name: str) -> None:
        if not self._control_bar.updating:
            self._change({name: self._control_bar.controls[name].read()})

    @_locked
    def _on_pick(self, picked: list[str]) -> None:
        """Handle a click on a mark: it selects rows, or in the tasks leads one step down."""
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
        """Handle the slider in the chart, which has redrawn the marks already."""
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
        """Change the state; draw it at once if its chart is in the cache, else when the controls have come to rest."""
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
            what = f"This view could not be drawn: {type(error).__name__}, an error of tpanalytics itself."
            self._show_error(f"{what} The log of the kernel says where; the other views still work.")
            raise
        self._show(spec)

    def _show(self, spec: dict[str, Any]) -> None:
        self._spec, self._drawn = spec, self._view.chart
        self._show_message("\n".join(filter(None, [*self._specs.warnings(self._view), self._view.note])), "warning")
        self._chart.swap(spec)
        self._downloads.set_python(self.code())
        self._schedule_ahead()

    def _is_drawn(self) -> bool:
        """Return whether the chart is that of the state, and not of a state before it."""
        return self._drawn == self._view.chart

    def _show_error(self, text: str) -> None:
        self._show_message(text, "error")

    def _show_message(self, text: str, kind: str) -> None:
        self._message.value = f'<div class="tpa-{kind}" role="status">{html.escape(text)}</div>' if text else ""

    def _schedule_ahead(self) -> None:
        """Use the time until the next change to draw the views one click away."""
        if self._ahead_timer is not None:
            self._ahead_timer.cancel()
        self._ahead = self._specs.ahead(self._state)
        self._ahead_timer = self._call_later(_IDLE, self._draw_ahead)

    @_locked
    def _draw_ahead(self) -> None:
        self._ahead_timer = None
        for view in self._ahead:
            with suppress(Exception):  # shown to those who open the view
                self._specs.of(view)
            self._ahead_timer = self._call_later(_PAUSE, self._draw_ahead)
            return

    def _call_later(self, seconds: float, function: Callable[[], None]) -> asyncio.TimerHandle | None:
        """Call a function later; return None, without a call, where no event loop is running."""
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
        """Return the widget, and a picture of its chart with a description for places where no widget runs."""
        bundle: Any = super()._repr_mimebundle_(**kwargs)
        widget, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
        picture, size = displayed(self._spec)
        return {**widget, **picture}, {**metadata, **size}

    def _ipython_display_(self) -> None:
        """Show the picture, and the widget, which hides the picture where it runs."""
        bundle, metadata = self._repr_mimebundle_()
        for kinds in (("image/png", "text/plain"), ("application/vnd.jupyter.widget-view+json",)):
            sizes = {kind: metadata[kind] for kind in kinds if kind in metadata}
            display({kind: bundle[kind] for kind in kinds}, metadata=sizes, raw=True)  # type: ignore[no-untyped-call]
