"""The explorer: controls, one pure view of their state, one chart."""

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
from tpanalytics.explorers.accessibility import Reach
from tpanalytics.explorers.breadcrumb import Way
from tpanalytics.explorers.chart import Drawn
from tpanalytics.explorers.controls import controls_of
from tpanalytics.explorers.downloads import TABLES, Files
from tpanalytics.explorers.options import facts_of
from tpanalytics.explorers.spec_cache import Drawings
from tpanalytics.explorers.state import START, State, checked
from tpanalytics.explorers.views import OTHER_ROWS, Shown, controls, down, settled, shown
from tpanalytics.measures._core.cache import with_cache
from tpanalytics.measures.privacy.policy import USUAL
from tpanalytics.share.calls import Source
from tpanalytics.share.save import path_of, save

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import polars as pl

    from tpanalytics.measures.privacy.policy import Privacy
    from tpanalytics.schema import TaskProfiles

__all__ = ["Explorer", "explore"]

Method = TypeVar("Method", bound="Callable[..., Any]")

#: Seconds without another change before a chart that must be made is made.
_QUIET = 0.05
#: Seconds of rest before what may come next is drawn unseen, and between one such chart and the next.
_IDLE, _BREATH = 0.3, 0.03
_STYLE = Path(__file__).parent / "assets" / "explorer.css"


def explore(
    profiles: TaskProfiles,
    before: TaskProfiles | None = None,
    *,
    state: Mapping[str, Any] | None = None,
    privacy: Privacy | None = USUAL,
) -> Explorer:
    """Open an explorer: AI impact, weekly hours, tasks and, with two snapshots, what changed.

    It works without network, in JupyterLab, Notebook and Voilà. Where it is shown it also leaves a picture of its first
    chart and a text, so that a notebook that is reopened, mailed or put on a page still shows something.

    Parameters
    ----------
    profiles
        As for `impact`; what is measured is remembered until the explorer is gone, so its tables must not
        change meanwhile.
    before
        An earlier snapshot, to compare with.
    state
        Where to begin, as `Explorer.state` gave it; what is missing is as usual.
    privacy
        How few jobs or people a figure may tell of; None hides nothing.

    Returns
    -------
    Explorer
        A widget. `Explorer.state`, `Explorer.selected`, `Explorer.code` and `Explorer.save` hand over what it shows.

    Raises
    ------
    SchemaError
        If a column is missing, or `state` holds what there is not.

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


def _alone(method: Method) -> Method:
    """Let no other thread in meanwhile: notebooks hear what a control says in one, and run cells in another."""

    @wraps(method)
    def alone(self: Explorer, *args: Any, **how: Any) -> Any:
        with self._lock:
            return method(self, *args, **how)

    return cast("Method", alone)


class Explorer(widgets.VBox):
    """Controls above one chart; made by `explore`.

    Attributes
    ----------
    state
        What the controls say, as plain values; set it, in part or whole, to move them.
    selected
        The figures behind the chart as a Polars frame: those of the marks that were clicked, or all.
    """

    # Of the class, since a widget that could not be made is closed, too.
    _drawing: asyncio.TimerHandle | None = None
    _preparing: asyncio.TimerHandle | None = None
    _closed = False

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
        self._drawings = Drawings(self._facts)
        self._ahead: Iterator[State] = iter(())
        self._spec: dict[str, Any] = {}
        self._drawn = ""
        self._silent = False
        self._controls = controls_of(self._facts)
        self._chart = Drawn(self._pick, self._param)
        self._said = widgets.HTML()
        self._file_row = Files(self.save, lambda: str(self._state["view"]), lambda text: self._say(text, "said"))
        self._way = Way(lambda change: self._to({**self._state, **change, "picked": []}))
        self._bar = widgets.Box(layout={"flex_flow": "row wrap"})
        super().__init__(
            [
                widgets.HTML(f"<style>{_STYLE.read_text(encoding='utf-8')}</style>", layout={"display": "none"}),
                self._controls["view"].widget,
                self._bar,
                self._way,
                self._said,
                self._chart,
                self._file_row,
                self._file_row.python,
                Reach(layout={"display": "none"}),
            ]
        )
        for widget, name in ((self, "explorer"), (self._bar, "controls"), (self._chart, "chart")):
            widget.add_class(f"tpa-{name}")
        for control in self._controls.values():
            control.watch(self._moved)
        self.state = {} if state is None else state

    @property
    @_alone
    def state(self) -> State:
        """What the controls say."""
        return copy.deepcopy(self._state)

    @state.setter
    @_alone
    def state(self, changes: Mapping[str, Any]) -> None:
        state = checked(self._state, changes, self._facts)
        if "picked" not in changes and OTHER_ROWS & changes.keys():
            state["picked"] = []
        state = settled(state, self._facts)
        spec = self._drawings.of(state)  # what cannot be drawn raises here, and nothing has moved
        shown(state, self._facts).check_picked(self._source, changes.get("picked", ()))
        self._go(state)
        self._show(spec)

    @property
    @_alone
    def selected(self) -> pl.DataFrame:
        """The figures behind the chart: of the marks that were clicked, or of all."""
        return self._now().selected(self._source, self._state["picked"])

    @_alone
    def code(self) -> str:
        """Write the Python that gives this chart and this table of the profiles that are explored."""
        return self._now().code(self._state["picked"])

    @_alone
    def save(self, path: str | Path) -> Path:
        """Write the chart, or the table behind it, as `tpanalytics.save` does; the suffix says which and how.

        Parameters
        ----------
        path
            ``.png``, ``.svg``, ``.pdf``, ``.html``, ``.json`` for the chart; ``.csv``, ``.xlsx``, ``.parquet`` for the
            table.
        """
        path = path_of(path)
        table = path.suffix.lower().removeprefix(".") in TABLES.values()
        return save(self._now().table.of(self._source) if table else self._now().chart.of(self._source), path)

    @_alone
    def freeze(self, path: str | Path, *, jobs: bool = False) -> Path:
        """Write a page with working controls that needs neither Python nor network, to be mailed.

        Every state that its controls can reach was drawn beforehand; it holds the figures it shows, no rationale, and
        hides what the explorer hides. Where job families are chosen it holds these alone, and so not what changed.

        Parameters
        ----------
        path
            An ``.html`` file; it is there whole or not at all.
        jobs
            Put in the jobs of each family, by name; they stay out unless you ask for them.

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
            If the view that is shown now is not in the page, and why.
        """
        path = path_of(path)
        if path.suffix.lower() != ".html":
            raise ShareError(f"{path.name}: a frozen explorer is an .html page.")
        return static_page.write(self._facts, self._state, path, jobs=jobs)

    def _now(self) -> Shown:
        return shown(self._state, self._facts)

    @_alone
    def _moved(self, name: str) -> None:
        """Take over what a control says."""
        if not self._silent:
            picked = [] if name in OTHER_ROWS else self._state["picked"]
            self._to({**self._state, name: self._controls[name].read(), "picked": picked})

    @_alone
    def _to(self, state: State) -> None:
        """Go to a state: at once where its chart is there, else when the controls have come to rest."""
        try:
            self._go(settled(state, self._facts))
        except TpAnalyticsError as error:
            self._say(str(error), "said")
            return
        if not self._drawings.has(self._state):
            self._drawing = self._later(_QUIET, self._draw)
        if self._drawing is None:
            self._draw()

    def _is_drawn(self) -> bool:
        """Say whether the chart is that of the state, and not one before it."""
        return self._drawn == str(self._now().chart)

    def _go(self, state: State) -> None:
        self._state = state
        self._write()
        self._wait_no_more()

    def _wait_no_more(self) -> None:
        for handle in (self._drawing, self._preparing):
            if handle is not None:
                handle.cancel()
        self._drawing = self._preparing = None

    @_alone
    def close(self) -> None:
        """Close the widget, and draw nothing more ahead."""
        self._wait_no_more()
        self._closed = True
        super().close()

    def _write(self) -> None:
        """Make the controls say the state, and show those that matter in it."""
        self._silent = True
        try:
            for control in self._controls.values():
                control.write(self._state, self._facts)
            self._way.show(self._state, self._facts)
            self._bar.children = [self._controls[name].widget for name in controls(self._state)]
        finally:
            self._silent = False

    @_alone
    def _draw(self) -> None:
        self._drawing = None
        try:
            spec = self._drawings.of(self._state)
        except TpAnalyticsError as error:
            self._say(str(error), "said")
            return
        except Exception as error:
            what = f"This view could not be drawn: {type(error).__name__}, an error of tpanalytics itself."
            self._say(f"{what} The log of the kernel says where; the other views still work.", "said")
            raise
        self._show(spec)

    def _show(self, spec: dict[str, Any]) -> None:
        now = self._now()
        self._spec, self._drawn = spec, str(now.chart)
        self._say("\n".join(filter(None, [*self._drawings.notes(self._state), now.note])), "noted")
        self._chart.swap(spec)
        self._print()
        self._rest()

    def _rest(self) -> None:
        """Use the time until the next change to draw, unseen, what one more click leads to."""
        if self._preparing is not None:
            self._preparing.cancel()
        self._ahead = self._drawings.ahead(self._state)
        self._preparing = self._later(_IDLE, self._prepare)

    @_alone
    def _prepare(self) -> None:
        self._preparing = None
        for state in self._ahead:
            with suppress(Exception):  # who goes there is told
                self._drawings.of(state)
            self._preparing = self._later(_BREATH, self._prepare)
            return

    def _later(self, seconds: float, do: Callable[[], None]) -> asyncio.TimerHandle | None:
        """Do something after a while; without a loop nobody else is at work, and it is not done."""
        try:
            return None if self._closed else asyncio.get_running_loop().call_later(seconds, do)
        except RuntimeError:
            return None

    def _print(self) -> None:
        self._file_row.print(self.code())

    def _say(self, text: str, kind: str) -> None:
        self._said.value = f'<div class="tpa-{kind}" role="status">{html.escape(text)}</div>' if text else ""

    @_alone
    def _pick(self, picked: list[str]) -> None:
        """Take over a click on a mark: it picks rows, or in the tasks leads a step down."""
        if picked == self._state["picked"] or not self._is_drawn():
            return
        before = self._state
        self._state = {**before, "picked": picked}
        to = down(self._state, self._facts)
        if to is not None:
            self._to(to)
        else:
            self._print()

    @_alone
    def _param(self, name: str, value: Any) -> None:
        """Take over what was moved in the chart itself, which has drawn it already."""
        if name == "weight_of_h2" and self._state["view"] == "impact":
            drawn, level_weights = self._is_drawn(), {**self._state["level_weights"], "H2": round(float(value), 2)}
            self._state = {**self._state, "level_weights": level_weights}
            self._drawn = str(self._now().chart) if drawn else self._drawn
            self._write()
            self._print()
            self._rest()

    def __repr__(self) -> str:
        return f"Explorer of {self._source.profiles!r}"

    def _repr_mimebundle_(self, **how: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """Give the widget, and for where there is none a picture of its chart and a text."""
        given: Any = super()._repr_mimebundle_(**how)
        widget, about_it = given if isinstance(given, tuple) else (given, {})
        picture, size = displayed(self._spec)
        return {**widget, **picture}, {**about_it, **size}

    def _ipython_display_(self) -> None:
        """Show the picture, and the widget, which hides the picture where it lives.

        They are two outputs. Of one with both, a trusted notebook that is opened again, its Python gone, shows nothing
        but that the widget is not found.
        """
        given, sizes = self._repr_mimebundle_()
        for kinds in (("image/png", "text/plain"), ("application/vnd.jupyter.widget-view+json",)):
            about = {kind: sizes[kind] for kind in kinds if kind in sizes}
            display({kind: given[kind] for kind in kinds}, metadata=about, raw=True)  # type: ignore[no-untyped-call]
