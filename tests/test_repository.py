"""The repository keeps its promises: agreed folders, sample data that are generated, a README whose code runs."""

from __future__ import annotations

import gzip
import re
import subprocess
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import tpanalytics as tpa
from tpanalytics.demo.sample import write_sample

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def committed() -> list[str]:
    done = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("not a git checkout")
    return done.stdout.splitlines()


def test_only_the_agreed_files_and_folders_are_visible(committed: list[str]) -> None:
    visible = {name.split("/")[0] for name in committed if not name.startswith(".")}
    documents = {"CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "README.md", "SECURITY.md"}
    assert visible == {*documents, "pyproject.toml", "tpanalytics", "notebooks", "tests", "data"}


def test_nothing_committed_is_large_or_records_addresses(committed: list[str]) -> None:
    for name in committed:
        assert (ROOT / name).stat().st_size < 2_000_000, name
        assert Path(name).name not in {"uv.lock", "poetry.lock", "pylock.toml", "Pipfile.lock", ".env"}, name


def test_the_committed_sample_is_what_the_generator_writes(tmp_path: Path) -> None:
    write_sample(tmp_path)
    for made in tmp_path.iterdir():
        there, here = (path.read_bytes() for path in (ROOT / "data" / made.name, made))
        if made.suffix == ".gz":  # the same text may be packed differently by another zlib
            there, here = gzip.decompress(there), gzip.decompress(here)
        assert there == here, f"{made.name} is stale; see data/README.md"


def test_the_sample_files_hold_the_sample() -> None:
    profiles = tpa.read_records(ROOT / "data" / "sample-2026-05.jsonl.gz")
    profiles = tpa.assign_families(profiles, ROOT / "data" / "jobs.csv", ROOT / "data" / "job_families.csv")
    assert_frame_equal(profiles.tasks, tpa.load_sample().tasks)
    assert_frame_equal(profiles.jobs, tpa.load_sample().jobs)


def blocks(language: str) -> list[str]:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)


def test_the_readme_code_runs() -> None:
    from tpanalytics.demo.server import Tenant

    python = blocks("python")
    assert python
    with Tenant() as tenant, pytest.MonkeyPatch.context() as patch:
        for name, value in tenant.settings.items():
            patch.setenv(f"TPANALYTICS_{name.upper()}", value)
        names: dict[str, object] = {}
        for block in python:
            exec(compile(block, "README.md", "exec"), names)
    assert isinstance(names["profiles"], tpa.TaskProfiles)
    assert Path("out/impact.svg").is_file()


def test_the_readme_names_every_function() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    functions = [name for name in tpa.__all__ if name[0].islower()]
    assert [name for name in functions if name not in text] == []


def test_the_readme_has_two_one_line_commands() -> None:
    commands = [block.strip() for block in blocks("sh")][:2]
    assert all("\n" not in command for command in commands)
    assert "tpanalytics demo" in commands[0]
    assert "pytest" in commands[1]


def test_pictures_of_the_readme_are_there() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    pictures = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", text)
    assert pictures
    assert all((ROOT / picture).is_file() for picture in pictures)


def test_figures_in_the_sample_are_as_promised() -> None:
    sample = tpa.load_sample()
    assert sample.jobs.height >= 240
    assert sample.tasks.height >= 5000
    assert sample.jobs["job_family"].n_unique() - 1 >= 12
    assert sample.jobs["job_family_group"].drop_nulls().n_unique() >= 2
    assert sample.jobs.filter(pl.col("n_tasks") == 0).height > 0
    assert sample.jobs["job_family"].null_count() > 0
    assert {"H1", "H2", "H3", "H4", None} == set(sample.tasks["ai_impact_level"])
    missing = dict(sample.tasks.group_by("validation_state").agg(pl.col("weekly_hours").is_null().mean()).rows())
    assert missing["suggested"] > 2 * missing["validated"] > 0
    shared = sample.tasks.group_by("task_id").agg(pl.col("job_family").n_unique())
    assert shared.filter(pl.col("job_family") > 1).height > 20
    later = tpa.load_sample("2026-11")
    both = sample.tasks.join(later.tasks, on=["job_id", "task_id"], suffix="_later")
    assert later.tasks.join(sample.tasks, on=["job_id", "task_id"], how="anti").height > 100
    assert sample.tasks.join(later.tasks, on=["job_id", "task_id"], how="anti").height > 100
    assert both.filter(pl.col("weekly_hours").is_null() & pl.col("weekly_hours_later").is_not_null()).height > 100
    assert both.filter(pl.col("ai_impact_level") != pl.col("ai_impact_level_later")).height > 50
    assert both.filter(pl.col("task") != pl.col("task_later")).height == 0


def test_the_slow_tests_are_where_they_are_listed() -> None:
    from tests.conftest import SLOW

    assert [place for place in SLOW if not (ROOT / "tests" / place).exists()] == []
