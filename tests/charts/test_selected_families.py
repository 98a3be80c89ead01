"""Charts of some families: each stands as among all, and no choice tells more than the whole chart does."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

import tpanalytics as tpa

if TYPE_CHECKING:
    from collections.abc import Callable

PLOTS = [tpa.plot_impact, tpa.plot_hours, tpa.plot_weight_sensitivity]
every_plot = pytest.mark.parametrize("plot", PLOTS, ids=lambda plot: plot.__name__)


def families_in(spec: dict[str, Any]) -> set[str]:
    return {row["job_family"] for rows in spec["datasets"].values() for row in rows if "job_family" in row}


@every_plot
def test_only_those_chosen_are_drawn(plot: Callable[..., Any], sample: tpa.TaskProfiles) -> None:
    spec = plot(sample, families=["Finance", "Sales"]).to_dict()
    assert families_in(spec) == {"Finance", "Sales"}
    assert "2 job families" in spec["title"]["subtitle"]


@every_plot
def test_what_is_hidden_among_all_stays_hidden_alone(plot: Callable[..., Any], sample: tpa.TaskProfiles) -> None:
    hides = tpa.Privacy(min_jobs=9)
    everything = tpa.suppress(tpa.hours(sample), sample, privacy=tpa.Privacy(min_jobs=9))
    hidden = everything.filter(reason="SUPPRESSED").get_column("job_family").to_list()
    assert len(hidden) > 1
    shown = "Finance"
    assert shown not in hidden
    alone = plot(sample, families=hidden, privacy=hides).to_dict()
    assert "protect small groups" in json.dumps(alone)
    one, other = (
        plot(sample, families=[shown, *more], privacy=hides).to_dict()["title"]["subtitle"] for more in ([], hidden[:1])
    )
    jobs = sample.jobs.filter(pl.col("job_family") == shown).height
    assert f"{jobs} jobs" in one
    assert f"{jobs} jobs" in other, "a total with and without the hidden family would tell of it"


@every_plot
def test_strangers_and_nobody_are_refused(plot: Callable[..., Any], sample: tpa.TaskProfiles) -> None:
    with pytest.raises(tpa.SchemaError, match=r"'Finanz' is not a job family \(did you mean 'Finance'\?\)"):
        plot(sample, families=["Finanz"])
    with pytest.raises(tpa.SchemaError, match="`families` must have at least one job family"):
        plot(sample, families=[])


def test_dots_do_not_move_when_others_are_chosen(sample: tpa.TaskProfiles) -> None:
    def domain(chart: Any) -> list[float]:
        found = [layer["encoding"]["x"].get("scale") for layer in chart.to_dict()["layer"] if "x" in layer["encoding"]]
        return next(scale["domain"] for scale in found if scale)

    assert domain(tpa.plot_hours(sample)) == domain(tpa.plot_hours(sample, families=["Sales"]))
