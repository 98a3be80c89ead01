"""Recorded calls by stable ID.

IDs contain no names of functions or columns, so that recordings can be compared after a rename.
"""

from __future__ import annotations

import random
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

import tpanalytics as tpa
from tests import conftest
from tests.helpers.by_job import exposure_by_job, hours_by_job
from tests.helpers.companies import many
from tests.helpers.plots import fragmentation, half_a_year_later
from tests.helpers.public_measures import FREED, odd
from tests.helpers.random_profiles import FAMILIES, LEVELS, STATES, profiles_of

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parents[2]
_LINEAR = {"H1": 1.0, "H2": 0.75, "H3": 0.5, "H4": 0.25, "H5": 0.0}
_STRICT = tpa.Privacy(min_jobs=8, min_headcount=20)
_FREED = {"freed": FREED, "realisation": 0.7}
_FULL = {**_FREED, "adoption": (0.3, 0.6), "contract_hours": 40}
_PEOPLE = {"headcount": {"weight": "headcount"}, "suppressed inside": {"privacy": tpa.Privacy()}}


def _family(profiles: tpa.TaskProfiles, position: int = 0) -> str:
    return (profiles.jobs.get_column("job_family").drop_nulls().unique().sort().to_list() or ["none"])[position]


#: Function, common arguments (a callable is called with the profiles), and variants with other arguments.
MEASURES: dict[str, tuple[Callable[..., Any], dict[str, Any], dict[str, dict[str, Any]]]] = {
    "at stake": (tpa.hours_at_stake, {}, {"H2": {"level": "H2"}}),
    "automate first": (tpa.automation_candidates, {"rounds": 100}, {"top 3": {"top": 3}, **_PEOPLE}),
    "break-even": (tpa.break_even, {}, {}),
    "build once": (tpa.automation_curve, {}, {"blocks": {"block_hours": 2.0}, **_PEOPLE}),
    "changed tasks": (tpa.changed_tasks, {}, {"H2": {"level": "H2"}, "texts": {"same_task": "text"}}),
    "changed hours": (tpa.compare, {}, {"H2": {"level": "H2"}}),
    "changed index": (tpa.compare_exposure, {}, {"jobs": {"by": "job_id"}}),
    "claim": (
        tpa.check_claim,
        {"claim": lambda p: f'"{_family(p)}" > "{_family(p, -1)}"', "rounds": 100},
        {kind: {"measure": kind} for kind in ("hours", "hours_per_job", "h1_share")},
    ),
    "completeness": (tpa.coverage, {}, {}),
    "curve of hours": (tpa.concentration_curve, {}, {}),
    "few tasks": (tpa.concentration, {}, {}),
    "found": (tpa.find_tasks, {"text": "re"}, {"first 3": {"text": "CARE with", "top": 3}}),
    "full-time": (tpa.capacity, _FULL, {"own contracts": {"contract_hours": None}}),
    "hours, groups": (
        tpa.hours,
        {},
        {"complete": {"complete_only": True}, "people": {"weight": "headcount"}},
    ),
    "hours, jobs": (hours_by_job, {}, {}),
    "index, groups": (tpa.exposure, {}, {"headcount": {"weight": "headcount"}}),
    "index, jobs": (exposure_by_job, {}, {}),
    "curve of exposure": (tpa.exposure_curve, {}, {"jobs": {"weight": "jobs", "work": "tasks"}}),
    "levels": (tpa.impact, {}, {unit: {"weight": unit} for unit in ("tasks", "headcount")}),
    "levels moved": (tpa.transitions, {}, {}),
    "measure next": (tpa.data_gaps, {}, {"first 3": {"top": 3}}),
    "overlapping": (tpa.overlap, {}, {}),
    "quality": (tpa.quality_report, {}, {}),
    "rank": (
        tpa.exposure_ranking,
        {"rounds": 100},
        {"80%": {"confidence": 0.8}, "headcount": {"weight": "headcount"}, "seed 7": {"seed": 7}},
    ),
    "skills": (tpa.skills, {}, {"tasks by family": {"weight": "tasks", "by": "job_family"}}),
    "same work": (tpa.shared_tasks, {}, {"in 4 jobs": {"min_jobs": 4}}),
    "fragments": (tpa.fragmentation, _FREED, {"in people": _FULL}),
    "states moved": (tpa.transitions, {"of": "state"}, {}),
    "time freed": (tpa.capacity, {"freed": FREED}, {}),
    "two groups": (tpa.compare_groups, {"family": _family, "category": "task_id"}, {}),
}
#: Variants of all measures that have the argument.
VARIANTS: dict[str, dict[str, Any]] = {
    "validated": {"states": ["validated"]},
    "same text": {"same_task": "text"},
    "contract 38.5 h": {"contract_hours": 38.5},
    "linear": {"level_weights": _LINEAR},
}
#: Other calls with the profiles of a company and its later version.
OTHERS: dict[str, Callable[[tpa.TaskProfiles, tpa.TaskProfiles], Any]] = {
    "input": lambda p, _: p,
    "imputed by contract": lambda p, _: tpa.impute_hours(p, "equal_residual", contract_hours=40.0),
    "imputed by same task": lambda p, _: tpa.impute_hours(p, "same_task"),
    "imputed by draw": lambda p, _: tpa.impute_hours(p, "hot_deck", seed=1),
    "imputed by validated": lambda p, _: tpa.impute_hours(p, "validated_scale", contract_hours=40.0),
    "imputed by zero": lambda p, _: tpa.impute_hours(p, "zero_i_know_what_i_do"),
    "hours of imputed": lambda p, _: tpa.hours(tpa.impute_hours(p, "same_task")),
    "levels of imputed": lambda p, _: tpa.impact(tpa.impute_hours(p, "same_task")),
    "quality of imputed": lambda p, _: tpa.quality_report(tpa.impute_hours(p, "same_task")),
    "part": lambda p, _: tpa.hours(p.filter(pl.col("n_tasks") > 3)),
    "part after whole": lambda p, _: tpa.suppress(
        tpa.hours(p.filter(pl.col("n_tasks") > 3)), released=tpa.suppress(tpa.hours(p), p)
    ),
    "later after before": lambda p, later: tpa.suppress(tpa.impact(later), later, released=(tpa.impact(p), p)),
}
#: Companies without charts, because others look the same.
NOT_DRAWN = {"sample 2026-11", "random 2", "random 3"}
#: Charts of the sample and of six families with other arguments than in the gallery.
CHARTS: dict[str, Callable[[tpa.TaskProfiles, tpa.TaskProfiles], Any]] = {
    "changed, later": partial(tpa.plot_compare, by="job_family"),
    "levels, validated": lambda p, _: tpa.plot_impact(p, states=["validated"]),
    "levels, one family": lambda p, _: tpa.plot_impact(p, groups=[_family(p)]),
    "levels, strict": lambda p, _: tpa.plot_impact(p, privacy=_STRICT),
    "levels, open": lambda p, _: tpa.plot_impact(p, privacy=None),
    "hours, strict": lambda p, _: tpa.plot_hours(p, groups=[_family(p)], privacy=_STRICT),
    "index, linear": lambda p, _: tpa.plot_exposure(p, level_weights=_LINEAR, contract_hours=40.0, rounds=100),
    "index, headcount": lambda p, _: tpa.plot_exposure(p, weight="headcount", rounds=100),
    "weights, two": lambda p, _: tpa.plot_weight_sensitivity(
        p, groups=[_family(p), _family(p, -1)], contract_hours=40.0
    ),
    "automate first": lambda p, _: tpa.plot_automation_candidates(p, same_task="text", top=5, rounds=100),
    "bridge, H2": lambda p, later: tpa.plot_compare(p, later, level="H2", privacy=None),
    "job in full": lambda p, _: tpa.plot_job(p, p.jobs.item(0, "job_id"), rationales=True, freed=FREED, privacy=None),
    "print, levels": lambda p, _: tpa.for_print(tpa.plot_impact(p)),
    "print, weights": lambda p, _: tpa.for_print(tpa.plot_weight_sensitivity(p)),
    "print, fragments": lambda p, _: tpa.for_print(fragmentation(p)),
}
#: Calls with the sample that raise.
REFUSED: dict[str, Callable[[tpa.TaskProfiles], Any]] = {
    "column missing": lambda p: tpa.hours(tpa.TaskProfiles(p.jobs, p.tasks.drop("weekly_hours"))),
    "column misspelt": lambda p: tpa.hours(tpa.TaskProfiles(p.jobs, p.tasks.rename({"weekly_hours": "week_hours"}))),
    "frame for profiles": lambda p: tpa.hours(p.tasks),
    "job twice": lambda p: tpa.hours(tpa.TaskProfiles(pl.concat([p.jobs, p.jobs]), p.tasks)),
    "job unlisted": lambda p: tpa.hours(tpa.TaskProfiles(p.jobs.head(3), p.tasks)),
    "unit of levels": lambda p: tpa.impact(p, weight="kg"),
    "unit of index": lambda p: tpa.exposure(p, weight="kg"),
    "unit of tasks": lambda p: tpa.automation_candidates(p, weight="kg"),
    "unit of overlap": lambda p: tpa.plot_overlap(p, weight="kg"),
    "unit of change": lambda p: tpa.plot_compare(p, p, by="job_family", measure="kg"),
    "parts of change": lambda p: tpa.compare_exposure(p, p, by="kg"),
    "spread": lambda p: tpa.hours(p, weight="kg"),
    "states as text": lambda p: tpa.hours(p, states="validated"),
    "states unknown": lambda p: tpa.hours(p, states=["valid"]),
    "states rejected": lambda p: tpa.hours(p, states=["rejected"]),
    "same task": lambda p: tpa.shared_tasks(p, same_task="name"),
    "level unknown": lambda p: tpa.compare(p, p, level="H9"),
    "weights above 1": lambda p: tpa.exposure(p, level_weights={"H1": 2}),
    "weights without H2": lambda p: tpa.break_even(p, level_weights={"H1": 1.0}),
    "contract hours": lambda p: tpa.exposure(p, contract_hours=0),
    "full-time hours": lambda p: tpa.capacity(p, **{**_FULL, "contract_hours": 200}),
    "adoption": lambda p: tpa.capacity(p, **{**_FULL, "adoption": 2}),
    "freed of some": lambda p: tpa.capacity(p, freed={"H1": 0.5}),
    "rounds": lambda p: tpa.exposure_ranking(p, rounds=1),
    "interval": lambda p: tpa.exposure_ranking(p, confidence=95),
    "rank among": lambda p: tpa.exposure_ranking(p, families=["Nowhere"]),
    "top": lambda p: tpa.data_gaps(p, top=0),
    "claim unread": lambda p: tpa.check_claim(p, "Finance"),
    "claim unknown": lambda p: tpa.check_claim(p, "Finnance > Sales"),
    "group unknown": lambda p: tpa.compare_groups(p, "Finnance", category="task_id"),
    "category unknown": lambda p: tpa.compare_groups(p, "Finance", category="nothing"),
    "text empty": lambda p: tpa.find_tasks(p, " "),
    "families unknown": lambda p: tpa.plot_hours(p, groups=["Finnance"]),
    "family unknown": lambda p: tpa.plot_jobs(p, "Finnance"),
    "job unknown": lambda p: tpa.plot_job(p, "unknown"),
    "method unknown": lambda p: tpa.impute_hours(p, "mean"),
    "draw without seed": lambda p: tpa.impute_hours(p, "hot_deck"),
    "filter unknown": lambda p: p.filter(pl.col("country") == "BE"),
    "meaning of a part": lambda p: tpa.about(tpa.hours(p).head(1)),
    "suppress of others": lambda p: tpa.suppress(tpa.hours(p), p.filter(job_family="Finance")),
    "privacy": lambda p: tpa.plot_hours(p, privacy=3),
    "limits": lambda _: tpa.Privacy(min_jobs=-1),
    "print of text": lambda _: tpa.for_print("chart"),
    "save of profiles": lambda p: tpa.save(p, "a.parquet"),
    "save as unknown": lambda p: tpa.save(tpa.hours(p), "a.docx"),
    "report as pdf": lambda p: tpa.save_report(p, "a.pdf"),
    "report unknown": lambda p: tpa.save_report(p, "a.html", groups="Finnance"),
    "no report": lambda p: tpa.verify_report("nowhere.html", p),
    "no file": lambda _: tpa.check_share("nowhere.html"),
    "no records": lambda _: tpa.read_records("nowhere.jsonl"),
    "no snapshot": lambda _: tpa.read_profiles("."),
    "no sample": lambda _: tpa.load_sample("2020-01"),
    "no settings": lambda _: tpa.connect(),
    "explorer": lambda p: tpa.explore(p, state={"view": "profit"}),
    "mapping": lambda p: tpa.assign_families(p, pl.DataFrame({"id": ["1"]})),
    "mapping of others": lambda p: tpa.assign_families(p, pl.DataFrame({"job_id": ["1"], "job_family_id": ["f"]})),
}
#: Commands, run in this order in one folder with the settings of the demo server. A report between two exports ensures
#: that the snapshots have different times.
COMMANDS = {
    "version": "--version",
    "no verb": "",
    "unknown verb": "fly",
    "no folder": "export",
    "unknown include": "export data/now --include everything",
    "sample": "summary",
    "sample by tasks": "summary --weight tasks",
    "sample by headcount": "summary --weight headcount",
    "sample open": "summary --min-jobs 0 --min-headcount 0 --json",
    "sample strict": "summary --min-jobs 8",
    "records": "summary ROOT/data/sample-2026-11.jsonl.gz --jobs ROOT/data/jobs.csv",
    "records without families": "summary ROOT/data/sample-2026-11.jsonl.gz --json",
    "no source": "summary nowhere.jsonl",
    "no snapshot": "summary .",
    "settings": "doctor",
    "settings as data": "doctor --json",
    "settings wrong": "doctor --client-id unknown",
    "exported": "export data/now --family-lists",
    "exported again": "export data/now --family-lists --workers 2 --limit 50",
    "bad filter": "export data/bad --filter {",
    "snapshot": "summary data/now",
    "report": "report data/six --out company.html --title Title --contract-hours 40 --min-jobs 0 --min-headcount 0",
    "exported with mapping": (
        "export data/then --jobs ROOT/data/jobs.csv --family-names ROOT/data/job_families.csv --json"
    ),
    "report as data": "report data/six --group '研究開発部門 1' --with-jobs --out family.html --json",
    "report, unknown family": "report data/six --group Finance --out nothing.html",
    "report, no html": "report data/six --out nothing.pdf",
    "verified": "verify family.html --snapshot data/six",
    "verified as data": "verify family.html --snapshot data/six --json",
    "exported some": "export data/some --include weekly_hours --families fam-fin",
    "snapshot as data": "summary data/then --json",
    "snapshot of some": "summary data/some",
    "listed": "snapshots",
    "listed as data": "snapshots --json",
    "pruned": "snapshots --prune 1 --dry-run",
    "verified of others": "verify family.html --snapshot data/some",
    "shared": "check-share company.html family.html",
    "shared as data": "check-share family.html --json",
    "demo": "demo",
}
#: Commands whose help is recorded. The first is the general help.
HELP = ["", "app", "check-share", "demo", "doctor", "export", "report", "serve", "snapshots", "summary", "verify"]
#: Company, and a call that writes a file from it and its later version. `check_share` checks each file.
FILES: dict[str, tuple[str, Callable[[tpa.TaskProfiles, tpa.TaskProfiles], Path]]] = {
    "report, changed": ("sample", lambda p, later: tpa.save_report(later, "changed.html", before=p, privacy=_STRICT)),
    "report, family": (
        "sample",
        lambda p, _: tpa.save_report(p, "family.html", groups="Finance", jobs=True, rationales=True, title="Title"),
    ),
    "report, odd": (
        "odd",
        lambda p, later: tpa.save_report(later, "odd.html", before=p, level_weights=_LINEAR, jobs=True),
    ),
    "report, empty": ("empty", lambda p, _: tpa.save_report(p, "empty.html")),
    "report, real": ("real", lambda p, _: tpa.save_report(p, "real.html")),
    "explorer": ("6 families", lambda p, later: tpa.explore(later, p).freeze("explorer.html", jobs=True)),
    **{
        f"chart as {kind}": ("sample", lambda p, _, kind=kind: tpa.save(tpa.plot_impact(p), f"chart.{kind}"))
        for kind in ("html", "json", "pdf", "png", "svg")
    },
    **{
        f"table as {kind}": ("sample", lambda p, _, kind=kind: tpa.save(tpa.exposure(p), f"table.{kind}"))
        for kind in ("csv", "json", "parquet", "xlsx")
    },
    "chart and data": (
        "6 families",
        lambda p, _: tpa.save(tpa.plot_hours(p), "both/c.svg", bundle=True).parent,
    ),
    "table and text": ("6 families", lambda p, _: tpa.save(tpa.hours(p), "two/t.csv", bundle=True).parent),
    "notebook": ("sample", lambda *_: _cleaned(ROOT / "notebooks" / "01_quickstart.ipynb")),
}


def _cleaned(path: Path) -> Path:
    tpa.clean_notebook(path, "clean.ipynb")
    return Path("clean.ipynb")


def companies(real: Path) -> dict[str, tuple[tpa.TaskProfiles, tpa.TaskProfiles]]:
    """Return each company with its later version, and the real data if their folder exists."""
    conftest.REAL = real
    sample, later = tpa.load_sample(), tpa.load_sample("2026-11")
    single = {
        "sample 2026-11": later,
        **{f"{n} families": many(n) for n in (6, 23, 60)},
        "empty": profiles_of([]),
        **{f"random {seed}": _random(seed) for seed in range(1, 4)},
        **({"real": conftest.read_real()} if real.is_dir() else {}),
    }
    pairs = {name: (profiles, half_a_year_later(profiles)) for name, profiles in single.items()}
    return {"sample": (sample, later), "odd": (odd(), odd(later=True)), **pairs}


def _random(seed: int) -> tpa.TaskProfiles:
    """Return a random company that depends only on the seed."""
    draw = random.Random(seed)

    def random_values(**choices: Any) -> dict[str, Any]:
        return {name: draw.choice(values) for name, values in choices.items()}

    def task() -> dict[str, Any]:
        hours = [None, 0.0, 0.25, 2.5, 7.3, 40.0]
        return random_values(task_id="abcdef", validation_state=STATES, weekly_hours=hours, ai_impact_level=LEVELS)

    def job() -> dict[str, Any]:
        fields = random_values(
            job_family=FAMILIES,
            headcount=[None, 0, 1, 3, 100],
            fte=[None, 0.0, 1.0, 2.5, 80.0],
            contract_hours=[None, 20.0, 38.5, 40.0],
        )
        return {**fields, "tasks": [task() for _ in range(draw.randrange(9))]}

    return profiles_of([job() for _ in range(draw.randrange(5, 60))])
