"""A mark put into rationales, names, ids and sources reaches no file that was not asked to carry it.

Each file is opened to its last byte: archives and streams unpacked, the signs of a .pdf turned back into letters. That
the search would find the mark is shown on files that were asked to carry it.
"""

from __future__ import annotations

import io
import re
import warnings
import zipfile
import zlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import altair as alt
import polars as pl
import pytest

import tpanalytics as tpa
from tests.charts.test_all_charts import OTHER_WEIGHTS
from tests.helpers.plots import NAMES_WORK, PLOTS
from tests.helpers.public_names import public_functions
from tpanalytics.share.inspect.findings import Piece
from tpanalytics.share.inspect.readers.by_suffix import READERS, pieces_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CHARTS = (".png", ".svg", ".pdf", ".html", ".json")
FRAMES = (".csv", ".xlsx", ".parquet", ".json")
#: Free text, which only the tables themselves may carry; and what tells of single jobs and tasks.
FREE_TEXT = ("CANARYWHY", "CANARYSOURCE")
OF_WORK = ("CANARYTASK", "CANARYJOB", "CANARYID", "CANARYSKILL", "CANARYTREE")
FREED = {"H1": (0.3, 0.7), "H2": 0.2, "H3": 0.0, "H4": 0.0}
ASSUMED = {"adoption": (0.2, 0.6), "realisation": (0.5, 0.9)}
#: Every measure that gives a frame of figures, without job or task in it.
MEASURES: dict[str, Callable[[tpa.TaskProfiles, tpa.TaskProfiles], pl.DataFrame]] = {
    "break_even": lambda p, _: tpa.break_even(p),
    "capacity": lambda p, _: tpa.capacity(p, freed=FREED, **ASSUMED, contract_hours=38.0),
    "capacity, of one person": lambda p, _: tpa.capacity(p, freed=FREED),
    "compare": tpa.compare,
    "compare_exposure": tpa.compare_exposure,
    "concentration": lambda p, _: tpa.concentration(p),
    "concentration_curve": lambda p, _: tpa.concentration_curve(p),
    "coverage": lambda p, _: tpa.coverage(p),
    "exposure": lambda p, _: tpa.exposure(p),
    "overlap": lambda p, _: tpa.overlap(p),
    "fragmentation": lambda p, _: tpa.fragmentation(p, freed=FREED, realisation=ASSUMED["realisation"]),
    "hours_at_stake": lambda p, _: tpa.hours_at_stake(p),
    "hours": lambda p, _: tpa.hours(p),
    "impact": lambda p, _: tpa.impact(p),
    "transitions": tpa.transitions,
    "transitions, of states": lambda p, later: tpa.transitions(p, later, of="state"),
    "suppress": lambda p, _: tpa.suppress(tpa.hours(p), p, privacy=tpa.Privacy(min_jobs=14)),
}
#: Those that are asked for single jobs or tasks; they name them, and still carry no free text.
MEASURES_OF_WORK: dict[str, Callable[[tpa.TaskProfiles], pl.DataFrame]] = {
    "automation_candidates": tpa.automation_candidates,
    "automation_curve": tpa.automation_curve,
    "exposure_by_job": tpa.exposure_by_job,
    "exposure_ranking": lambda p: tpa.exposure_ranking(p, rounds=100),
    "find_tasks": lambda p: tpa.find_tasks(p, "canarytask re"),
    "hours_by_job": tpa.hours_by_job,
    "quality_report": tpa.quality_report,
    "shared_tasks": tpa.shared_tasks,
    "data_gaps": tpa.data_gaps,
}


def marked(profiles: tpa.TaskProfiles) -> tpa.TaskProfiles:
    """Put a mark into everything that is no figure, family, level or state."""

    def before(mark: str, name: str) -> pl.Expr:
        return pl.format(f"{mark} {{}}", name).alias(name)

    job_id = pl.format("CANARYID-{}", "job_id").alias("job_id")
    tasks = profiles.tasks.with_columns(
        job_id,
        pl.format("CANARYID-{}", "task_id").alias("task_id"),
        before("CANARYTASK", "task"),
        ai_impact_rationale=pl.lit("CANARYWHY because a machine does it as well as anybody"),
        source_data=pl.lit(["CANARYSOURCE"]),
        linked_skills=pl.lit([{"skill_id": "CANARYID", "skill": "CANARYSKILL"}]),
        hierarchy=pl.lit(["CANARYTREE"]),
    )
    return replace(profiles, tasks=tasks, jobs=profiles.jobs.with_columns(job_id, before("CANARYJOB", "job_name")))


@pytest.fixture(scope="module")
def company() -> tpa.TaskProfiles:
    return marked(tpa.load_sample("2026-11"))


@pytest.fixture(scope="module")
def earlier() -> tpa.TaskProfiles:
    return marked(tpa.load_sample())


def everything_in(path: Path) -> str:
    """Give all that can be read in a file, unpacked by hand, and by the readers of `check_share` besides."""
    content = path.read_bytes()
    parts = [content]
    if content.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            parts += [archive.read(name) for name in archive.namelist()]
    for packed in re.finditer(rb"stream\r?\n|IDAT|zTXt[^\0]*\0\0", content):
        try:
            parts.append(zlib.decompressobj().decompress(content[packed.end() :]))
        except zlib.error:
            continue
    texts = [part.decode("utf-8", "replace") for part in parts] + [content.decode("utf-16-le", "replace")]
    for piece in pieces_of(path.name, content) if path.suffix in READERS else []:
        if isinstance(piece, Piece):
            texts.append(piece.text if piece.table is None else str(piece.table.to_dict(as_series=False)))
        else:
            texts.append(piece.found)
    return "\n".join(texts)


def carried(path: Path, marks: tuple[str, ...]) -> set[str]:
    """Give the marks that the files beside and with `path` carry."""
    files = list(path.parent.iterdir())
    assert path in files
    return {mark for file in files for mark in marks if mark in everything_in(file)}


def stops(path: Path) -> list[tuple[Any, ...]]:
    return [row for file in path.parent.iterdir() for row in tpa.check_share(file).filter(severity="stop").rows()]


def assert_nothing_is_carried(name: str, chart: Any, suffix: str) -> None:
    path = tpa.save(chart, f"{suffix[1:]}/chart{suffix}", scale=0.3, bundle=suffix == ".svg")
    assert carried(path, FREE_TEXT if name in NAMES_WORK else FREE_TEXT + OF_WORK) == set(), suffix
    assert stops(path) == [], suffix


@pytest.mark.parametrize("name", [name for name in PLOTS if name not in OTHER_WEIGHTS])
def test_no_chart_carries_what_it_does_not_show(name: str, company: tpa.TaskProfiles) -> None:
    """Beside the picture lie its specification and its rows, of which files of other suffixes are made."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", tpa.TpAnalyticsWarning)
        chart = PLOTS[name](company)
    assert_nothing_is_carried(name, chart, ".svg")


# Marks in layers with a control, and panels that name work.
@pytest.mark.parametrize("name", ["weight lines", "job"])
def test_no_kind_of_file_adds_to_what_a_chart_carries(name: str, company: tpa.TaskProfiles) -> None:
    chart = PLOTS[name](company)
    for suffix in CHARTS:
        assert_nothing_is_carried(name, chart, suffix)


@pytest.mark.parametrize("name", MEASURES)
def test_no_figure_carries_what_it_was_made_of(name: str, company: tpa.TaskProfiles, earlier: tpa.TaskProfiles) -> None:
    result = MEASURES[name](earlier, company)
    for suffix in FRAMES:
        path = tpa.save(result, f"{suffix[1:]}/table{suffix}", bundle=True)
        assert carried(path, FREE_TEXT + OF_WORK) == set(), suffix
        assert stops(path) == [], suffix


@pytest.mark.parametrize("name", MEASURES_OF_WORK)
def test_no_list_of_jobs_or_tasks_carries_free_text(name: str, company: tpa.TaskProfiles) -> None:
    result = MEASURES_OF_WORK[name](company)
    for suffix in FRAMES:
        path = tpa.save(result, f"{suffix[1:]}/table{suffix}", bundle=True)
        assert carried(path, FREE_TEXT) == set(), suffix
        assert carried(path, OF_WORK) != set(), "it names jobs or tasks, which the search must find"


def test_every_measure_is_looked_at() -> None:
    # They make no new frame.
    others = {
        "about",
        "check_claim",
        "compare_groups",
        "impute_hours",
    }
    covered = {name.split(",")[0] for name in (*MEASURES, *MEASURES_OF_WORK)}
    assert public_functions("measures").keys() - others == covered


@pytest.mark.parametrize("suffix", FRAMES)
def test_the_search_finds_what_was_asked_for(suffix: str, company: tpa.TaskProfiles) -> None:
    path = tpa.save(company.tasks.head(20), f"asked/tasks{suffix}")
    assert carried(path, FREE_TEXT) == set(FREE_TEXT)
    assert carried(path, OF_WORK) == {"CANARYTASK", "CANARYID", "CANARYSKILL", "CANARYTREE"}
    assert "CANARYJOB" in carried(tpa.save(company.jobs, f"jobs/jobs{suffix}"), OF_WORK)


@pytest.mark.parametrize("suffix", sorted({*CHARTS} - {".png"}))
def test_the_search_finds_what_a_chart_shows(suffix: str, company: tpa.TaskProfiles) -> None:
    chart = alt.Chart(company.tasks.head(3)).mark_text().encode(y="task", text="ai_impact_rationale")
    found = carried(tpa.save(chart, f"asked/chart{suffix}"), FREE_TEXT + OF_WORK)
    assert {"CANARYWHY", "CANARYTASK"} <= found
    # Altair carries every column along, drawn or not; a picture of it does not.
    assert ("CANARYSOURCE" in found) == (suffix in {".html", ".json"})


def test_the_search_finds_what_is_said_of_a_picture(company: tpa.TaskProfiles) -> None:
    from tests.share.inspect.test_check_share import with_chunk

    path = tpa.save(PLOTS["hours"](company), "asked/chart.png", scale=1)
    picture = path.read_bytes()
    path.write_bytes(with_chunk(picture, b"zTXt", b"Comment\0\0" + zlib.compress(b"CANARYWHY")))
    assert carried(path, FREE_TEXT) == {"CANARYWHY"}
