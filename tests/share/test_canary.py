"""Canary strings in rationales, names and ids must not appear in files that do not show them.

Files are searched completely: archives and streams are decompressed, and the text of a .pdf is decoded.
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
from tests.helpers.by_job import exposure_by_job, hours_by_job
from tests.helpers.histories import DAYS, history_of
from tests.helpers.plots import NAMES_WORK, PLOTS
from tests.helpers.public_names import public_functions
from tpanalytics.share.inspect.findings import Piece
from tpanalytics.share.inspect.readers.by_suffix import READERS, pieces_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CHARTS = (".png", ".svg", ".pdf", ".html", ".json")
FRAMES = (".csv", ".xlsx", ".parquet", ".json")
pytestmark = pytest.mark.slow

#: Canaries in free text, and in the names and ids of jobs and tasks.
FREE_TEXT = ("CANARYWHY", "CANARYSOURCE")
NAMES = ("CANARYTASK", "CANARYJOB", "CANARYID", "CANARYSKILL", "CANARYTREE")
FREED = {"H1": (0.3, 0.7), "H2": 0.2, "H3": 0.0, "H4": 0.0}
ASSUMED = {"adoption": (0.2, 0.6), "realisation": (0.5, 0.9)}
#: Measures whose result does not name jobs or tasks.
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
    "exposure_curve": lambda p, _: tpa.exposure_curve(p),
    "overlap": lambda p, _: tpa.overlap(p),
    "fragmentation": lambda p, _: tpa.fragmentation(p, freed=FREED, realisation=ASSUMED["realisation"]),
    "hours_at_stake": lambda p, _: tpa.hours_at_stake(p),
    "hours": lambda p, _: tpa.hours(p),
    "impact": lambda p, _: tpa.impact(p),
    "trend": lambda p, later: tpa.trend(history_of({("x", DAYS[0]): p, ("x", DAYS[1]): later})),
    "transitions": tpa.transitions,
    "transitions, of states": lambda p, later: tpa.transitions(p, later, of="state"),
    "suppress": lambda p, _: tpa.suppress(tpa.hours(p), p, privacy=tpa.Privacy(min_jobs=14)),
}
#: Measures whose result names jobs or tasks.
MEASURES_WITH_NAMES: dict[str, Callable[[tpa.TaskProfiles], pl.DataFrame]] = {
    "automation_candidates": tpa.automation_candidates,
    "automation_curve": tpa.automation_curve,
    "changed_tasks": lambda p: tpa.changed_tasks(p.filter(job_family="Finance"), p),
    "exposure, by job": exposure_by_job,
    "exposure_ranking": lambda p: tpa.exposure_ranking(p, rounds=100),
    "find_tasks": lambda p: tpa.find_tasks(p, "canarytask re"),
    "hours, by job": hours_by_job,
    "quality_report": tpa.quality_report,
    "shared_tasks": tpa.shared_tasks,
    "skills": tpa.skills,
    "data_gaps": tpa.data_gaps,
}


def marked(profiles: tpa.TaskProfiles) -> tpa.TaskProfiles:
    """Add canaries to all columns except figures, families, levels and states."""

    def prefixed(canary: str, name: str) -> pl.Expr:
        return pl.format(f"{canary} {{}}", name).alias(name)

    job_id = pl.format("CANARYID-{}", "job_id").alias("job_id")
    tasks = profiles.tasks.with_columns(
        job_id,
        pl.format("CANARYID-{}", "task_id").alias("task_id"),
        prefixed("CANARYTASK", "task"),
        ai_impact_rationale=pl.lit("CANARYWHY because a machine does it as well as anybody"),
        source_data=pl.lit(["CANARYSOURCE"]),
        linked_skills=pl.lit([{"skill_id": "CANARYID", "skill": "CANARYSKILL"}]),
        hierarchy=pl.lit(["CANARYTREE"]),
    )
    return replace(profiles, tasks=tasks, jobs=profiles.jobs.with_columns(job_id, prefixed("CANARYJOB", "job_name")))


@pytest.fixture(scope="module")
def company() -> tpa.TaskProfiles:
    return marked(tpa.load_sample("2026-11"))


@pytest.fixture(scope="module")
def earlier() -> tpa.TaskProfiles:
    return marked(tpa.load_sample())


def all_text(path: Path) -> str:
    """Return all text in a file, decompressed directly and by the readers of `check_share`."""
    content = path.read_bytes()
    parts = [content]
    if content.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            parts += [archive.read(name) for name in archive.namelist()]
    for match in re.finditer(rb"stream\r?\n|IDAT|zTXt[^\0]*\0\0", content):
        try:
            parts.append(zlib.decompressobj().decompress(content[match.end() :]))
        except zlib.error:
            continue
    texts = [part.decode("utf-8", "replace") for part in parts] + [content.decode("utf-16-le", "replace")]
    for piece in pieces_of(path.name, content) if path.suffix in READERS else []:
        if isinstance(piece, Piece):
            texts.append(piece.text if piece.table is None else str(piece.table.to_dict(as_series=False)))
        else:
            texts.append(piece.found)
    return "\n".join(texts)


def found_canaries(path: Path, canaries: tuple[str, ...]) -> set[str]:
    """Return the canaries in the files of a folder."""
    files = list(path.parent.iterdir())
    assert path in files
    return {canary for file in files for canary in canaries if canary in all_text(file)}


def stops(path: Path) -> list[tuple[Any, ...]]:
    return [row for file in path.parent.iterdir() for row in tpa.check_share(file).filter(severity="stop").rows()]


def assert_no_canaries(name: str, chart: Any, suffix: str) -> None:
    path = tpa.save(chart, f"{suffix[1:]}/chart{suffix}", scale=0.3, bundle=suffix == ".svg")
    assert found_canaries(path, FREE_TEXT if name in NAMES_WORK else FREE_TEXT + NAMES) == set(), suffix
    assert stops(path) == [], suffix


@pytest.mark.parametrize("name", [name for name in PLOTS if name not in OTHER_WEIGHTS])
def test_chart_bundles_contain_only_what_the_chart_shows(name: str, company: tpa.TaskProfiles) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", tpa.TpAnalyticsWarning)
        chart = PLOTS[name](company)
    assert_no_canaries(name, chart, ".svg")


# A layered chart with a slider, and a chart that names tasks.
@pytest.mark.parametrize("name", ["weight lines", "job"])
def test_every_format_contains_only_what_the_chart_shows(name: str, company: tpa.TaskProfiles) -> None:
    chart = PLOTS[name](company)
    for suffix in CHARTS:
        assert_no_canaries(name, chart, suffix)


@pytest.mark.parametrize("name", MEASURES)
def test_results_without_names_contain_no_canaries(
    name: str, company: tpa.TaskProfiles, earlier: tpa.TaskProfiles
) -> None:
    result = MEASURES[name](earlier, company)
    for suffix in FRAMES:
        path = tpa.save(result, f"{suffix[1:]}/table{suffix}", bundle=True)
        assert found_canaries(path, FREE_TEXT + NAMES) == set(), suffix
        assert stops(path) == [], suffix


@pytest.mark.parametrize("name", MEASURES_WITH_NAMES)
def test_results_with_names_contain_no_free_text(name: str, company: tpa.TaskProfiles) -> None:
    result = MEASURES_WITH_NAMES[name](company)
    for suffix in FRAMES:
        path = tpa.save(result, f"{suffix[1:]}/table{suffix}", bundle=True)
        assert found_canaries(path, FREE_TEXT) == set(), suffix
        assert found_canaries(path, NAMES) != set(), "the search must find the names"


def test_every_measure_is_tested() -> None:
    # These return no new data frame.
    others = {
        "about",
        "check_claim",
        "compare_groups",
        "impute_hours",
    }
    covered = {name.split(",")[0] for name in (*MEASURES, *MEASURES_WITH_NAMES)}
    assert public_functions("measures").keys() - others == covered


@pytest.mark.parametrize("suffix", FRAMES)
def test_the_search_finds_canaries_in_tables(suffix: str, company: tpa.TaskProfiles) -> None:
    path = tpa.save(company.tasks.head(20), f"tasks/tasks{suffix}")
    assert found_canaries(path, FREE_TEXT) == set(FREE_TEXT)
    assert found_canaries(path, NAMES) == {"CANARYTASK", "CANARYID", "CANARYSKILL", "CANARYTREE"}
    assert "CANARYJOB" in found_canaries(tpa.save(company.jobs, f"jobs/jobs{suffix}"), NAMES)


@pytest.mark.parametrize("suffix", sorted({*CHARTS} - {".png"}))
def test_the_search_finds_canaries_in_charts(suffix: str, company: tpa.TaskProfiles) -> None:
    chart = alt.Chart(company.tasks.head(3)).mark_text().encode(y="task", text="ai_impact_rationale")
    found = found_canaries(tpa.save(chart, f"charts/chart{suffix}"), FREE_TEXT + NAMES)
    assert {"CANARYWHY", "CANARYTASK"} <= found
    # Altair embeds every column in a specification, but an image shows only the encoded ones.
    assert ("CANARYSOURCE" in found) == (suffix in {".html", ".json"})


def test_the_search_finds_canaries_in_image_metadata(company: tpa.TaskProfiles) -> None:
    from tests.share.inspect.test_check_share import with_chunk

    path = tpa.save(PLOTS["hours"](company), "charts/chart.png", scale=1)
    image = path.read_bytes()
    path.write_bytes(with_chunk(image, b"zTXt", b"Comment\0\0" + zlib.compress(b"CANARYWHY")))
    assert found_canaries(path, FREE_TEXT) == {"CANARYWHY"}
