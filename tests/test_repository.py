"""Files of the repository: folders, sample data and README."""

from __future__ import annotations

import gzip
import re
import shutil
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
    process = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if process.returncode:
        pytest.skip("not a git checkout")
    return process.stdout.splitlines()


def test_top_level_contains_only_expected_files(committed: list[str]) -> None:
    visible = {name.split("/")[0] for name in committed if not name.startswith(".")}
    documents = {"CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "README.md", "SECURITY.md"}
    assert visible == {*documents, "pyproject.toml", "tpanalytics", "notebooks", "tests", "data"}


def test_no_large_files_or_lock_files_are_committed(committed: list[str]) -> None:
    for name in committed:
        assert (ROOT / name).stat().st_size < 2_000_000, name
        assert Path(name).name not in {"uv.lock", "poetry.lock", "pylock.toml", "Pipfile.lock", ".env"}, name


def test_committed_sample_is_up_to_date(tmp_path: Path) -> None:
    write_sample(tmp_path)
    for path in tmp_path.iterdir():
        committed, generated = (file.read_bytes() for file in (ROOT / "data" / path.name, path))
        if path.suffix == ".gz":  # compressed bytes depend on the version of zlib
            committed, generated = gzip.decompress(committed), gzip.decompress(generated)
        assert committed == generated, f"{path.name} is outdated, see data/README.md"


def test_sample_files_equal_the_sample() -> None:
    profiles = tpa.read_records(ROOT / "data" / "sample-2026-05.jsonl.gz")
    profiles = tpa.assign_families(profiles, ROOT / "data" / "jobs.csv", ROOT / "data" / "job_families.csv")
    assert_frame_equal(profiles.tasks, tpa.load_sample().tasks)
    assert_frame_equal(profiles.jobs, tpa.load_sample().jobs)


def blocks(language: str) -> list[str]:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)


def write_files_of_readme() -> None:
    sample = tpa.load_sample()
    tasks = sample.tasks.select(
        pl.col("job_id").alias("Job"),
        pl.col("task").alias("Activity"),
        pl.col("weekly_hours").alias("Hours / week"),
        pl.col("ai_impact_level").alias("AI"),
    )
    tasks.write_csv("tasks.csv")
    people = sample.jobs.filter(pl.col("n_tasks") > 0).select(
        "job_id", country=pl.lit("BE"), pay_grade=pl.lit("7"), fte=0.8
    )
    people.write_excel("roster.xlsx")
    for state in ("2026-05", "2026-11"):
        tpa.write_profiles(tpa.load_sample(state), f"data/{state}")


def test_readme_code_runs() -> None:
    from tpanalytics.demo.server import Tenant

    write_files_of_readme()
    python = blocks("python")
    assert python
    with Tenant() as tenant, pytest.MonkeyPatch.context() as patch:
        for name, value in tenant.settings.items():
            patch.setenv(f"TPANALYTICS_{name.upper()}", value)
        names: dict[str, object] = {}
        for block in python:
            if "load_task_profiles" in block:  # exports to a new folder
                shutil.rmtree("data")
            exec(compile(block, "README.md", "exec"), names)
    assert isinstance(names["profiles"], tpa.TaskProfiles)
    assert Path("out/impact.svg").is_file()


def test_readme_mentions_every_function() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    functions = [name for name in tpa.__all__ if name[0].islower()]
    assert [name for name in functions if name not in text] == []


def test_readme_starts_with_two_one_line_commands() -> None:
    commands = [block.strip() for block in blocks("sh")][:2]
    assert all("\n" not in command for command in commands)
    assert "tpanalytics demo" in commands[0]
    assert "pytest" in commands[1]


def test_pictures_of_the_readme_exist() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    pictures = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", text)
    assert pictures
    assert all((ROOT / picture).is_file() for picture in pictures)


def test_sample_has_the_documented_properties() -> None:
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
    common = sample.tasks.join(later.tasks, on=["job_id", "task_id"], suffix="_later")
    assert later.tasks.join(sample.tasks, on=["job_id", "task_id"], how="anti").height > 100
    assert sample.tasks.join(later.tasks, on=["job_id", "task_id"], how="anti").height > 100
    assert common.filter(pl.col("weekly_hours").is_null() & pl.col("weekly_hours_later").is_not_null()).height > 100
    assert common.filter(pl.col("ai_impact_level") != pl.col("ai_impact_level_later")).height > 50
    assert common.filter(pl.col("task") != pl.col("task_later")).height == 0
