"""The verbs that write reports and prove them; give the exit status."""

from __future__ import annotations

import json
import re
import unicodedata
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import polars as pl

import tpanalytics as tpa
from tpanalytics.cli.commands import read_source
from tpanalytics.formatting import plural
from tpanalytics.measures._core.cache import with_cache
from tpanalytics.measures.privacy.policy import Privacy
from tpanalytics.measures.privacy.release import release
from tpanalytics.measures.privacy.suppress import hidden_families
from tpanalytics.schema import NO_FAMILY
from tpanalytics.share.run_notebook import parameters_of, run_notebook

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Mapping

__all__ = ["file_names", "report", "verify"]

#: Differences that are printed; all are in ``--json``.
_PRINTED = 20
#: What some systems cannot name a file, with any suffix.
_DEVICES = {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10))}


def report(arguments: argparse.Namespace) -> int:
    """Write a report of a company, of one of its families, or of each; what tells of too few is left out."""
    out = Path(arguments.out)
    kinds = [".html", ".ipynb"] if arguments.notebook else [".html"]
    if arguments.all_families == (out.suffix.lower() in kinds):
        raise tpa.ConfigError(f"--out names a file, {' or '.join(kinds)}; with --all-families it names a folder.")
    privacy = Privacy(min_jobs=arguments.min_jobs, min_headcount=arguments.min_headcount)
    if arguments.notebook:
        _allowed(arguments)  # before anything is read
    profiles = with_cache(read_source(arguments))  # the report of each family asks for the whole company's figures
    before = with_cache(read_source(arguments, arguments.before)) if arguments.before else None
    targets: dict[str | None, Path] = {arguments.family: out}
    hidden: list[str] = []
    if arguments.all_families:
        shown, hidden = _families(profiles, privacy)
        targets = {family: out / f"{name}.html" for family, name in file_names(shown).items()}
    if arguments.notebook:
        _by_notebook(arguments, profiles, before, targets)
    else:
        _by_page(arguments, profiles, before, targets)
    if arguments.json:
        written = [{"family": family, "file": str(path)} for family, path in targets.items()]
        print(json.dumps({"written": written, "hidden": hidden}))
        return 0
    for family, path in targets.items():
        print(f"{path}" if family is None else f"{path}  {family}")
    if hidden:
        print(f"No report for {plural(len(hidden), 'family')}, hidden to protect small groups of jobs or people.")
    return 0


def _by_page(
    arguments: argparse.Namespace,
    profiles: tpa.TaskProfiles,
    before: tpa.TaskProfiles | None,
    targets: Mapping[str | None, Path],
) -> None:
    privacy = Privacy(min_jobs=arguments.min_jobs, min_headcount=arguments.min_headcount)
    for family, path in targets.items():
        tpa.save_report(
            profiles,
            path,
            families=family,
            before=before,
            contract_hours=arguments.contract_hours,
            privacy=None if privacy.off else privacy,
            title=arguments.title,
            rationales=arguments.with_rationales,
            jobs=arguments.with_jobs,
        )


def _allowed(arguments: argparse.Namespace) -> None:
    """Check that the notebook can do what is asked for."""
    known = parameters_of(arguments.notebook)
    wanted = {"snapshot", *_options(arguments, known)}
    wanted |= {"family"} if arguments.family or arguments.all_families else set()
    wanted |= {"before"} if arguments.before else set()
    if lacking := sorted(wanted - known):
        raise tpa.ConfigError(
            f"{arguments.notebook} has no parameter {', '.join(lacking)}: add it to the cell tagged 'parameters', or "
            "do not ask for it. The limits --min-jobs and --min-headcount are asked for unless they are 0."
        )
    if "family" in known and "family" not in wanted:
        raise tpa.ConfigError(f"{arguments.notebook} is about a family; name it with --family, or use --all-families.")


def _by_notebook(
    arguments: argparse.Namespace,
    profiles: tpa.TaskProfiles,
    before: tpa.TaskProfiles | None,
    targets: Mapping[str | None, Path],
) -> None:
    """Run the notebook once for each target, a family and the file to write."""
    options = _options(arguments, parameters_of(arguments.notebook))
    with ExitStack() as held:
        given = {"snapshot": _folder(held, arguments, arguments.source, profiles), **options}
        if before is not None:
            given["before"] = _folder(held, arguments, arguments.before, before)
        for family, path in targets.items():
            about = {} if family is None else {"family": family}
            run_notebook(arguments.notebook, path, given | about, title=arguments.title or family)


def _options(arguments: argparse.Namespace, known: frozenset[str]) -> dict[str, Any]:
    """Give the parameters that options stand for: those that say anything, and limits of 0 where there are limits."""
    limits = {"min_jobs": arguments.min_jobs, "min_headcount": arguments.min_headcount}
    said = {
        "contract_hours": arguments.contract_hours,
        "rationales": arguments.with_rationales,
        "jobs": arguments.with_jobs,
    }
    return {
        **{name: limit for name, limit in limits.items() if limit or name in known},
        **{name: value for name, value in said.items() if value},
    }


def _folder(held: ExitStack, arguments: argparse.Namespace, source: str | None, profiles: tpa.TaskProfiles) -> Path:
    """Give a snapshot that holds the profiles: the one they came from, or one that lasts as long as it is needed."""
    if source is not None and Path(source).is_dir() and not arguments.jobs:
        return Path(source)
    folder = held.enter_context(TemporaryDirectory())
    return tpa.write_profiles(profiles, Path(folder, "sample" if source is None else Path(source).name.split(".")[0]))


def _families(profiles: tpa.TaskProfiles, privacy: Privacy) -> tuple[list[str], list[str]]:
    """Give the families to report on, and those that are hidden."""
    families = release(tpa.hours, profiles, privacy=privacy)
    hidden = hidden_families(families)
    named = families.filter(~pl.col("job_family").is_in([*hidden, NO_FAMILY])).get_column("job_family")
    return named.sort().to_list(), hidden


def file_names(families: Iterable[str]) -> dict[str | None, str]:
    """Give each family a name for a file, without suffix: of plain letters where it has any, and none twice."""
    given: dict[str | None, str] = {}
    for family in families:
        plain = unicodedata.normalize("NFKC", family).lower()
        name = re.sub(r"[^\w]+", "-", plain).strip("-_")[:60].strip("-_") or "family"
        while len(name.encode()) > 120:
            name = name[:-1]
        name = f"family-{name}" if name in _DEVICES else name
        unused = name
        n = 2
        while unused in given.values():
            unused, n = f"{name}-{n}", n + 1
        given[family] = unused
    return given


def verify(arguments: argparse.Namespace) -> int:
    """Work every figure of a report out again from its snapshot, and say equal, or where not; then exit with 1."""
    profiles = read_source(arguments, arguments.snapshot)
    before = read_source(arguments, arguments.before) if arguments.before else None
    compared = tpa.verify_report(arguments.report, profiles, before=before)
    other = compared.filter(pl.col("equal") == False)  # noqa: E712  null is neither
    if arguments.json:
        print(json.dumps(compared.to_dicts()))
        return int(other.height > 0)
    unsure = compared.filter(pl.col("equal").is_null() & ~pl.col("what").str.contains("manifest"))
    if other.height:
        print(f"{arguments.report}: {plural(other.height, 'figure')} of {compared.height:,} not equal.")
        if other.get_column("what").str.contains("hash of both tables").any():
            print("It was made of other data than these.")
        for row in other.head(_PRINTED).iter_rows(named=True):
            print(f"  {row['what']}: {row['in_report']} in the report, {row['recomputed']} worked out")
        if other.height > _PRINTED:
            print(f"  and {other.height - _PRINTED:,} more; --json lists them all")
    else:
        print(f"{arguments.report}: equal, {compared.height - unsure.height:,} figures worked out again.")
    if unsure.height:
        print(f"Made with other versions of the libraries, so not compared: {', '.join(unsure['what'])}.")
    return int(other.height > 0)
