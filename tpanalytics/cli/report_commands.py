"""Commands that write and verify reports. Each function returns the exit status."""

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
from tpanalytics.cli.commands import by_of_options, read_source
from tpanalytics.formatting import plural
from tpanalytics.measures._core.cache import with_cache
from tpanalytics.measures._core.labels import with_labels
from tpanalytics.measures.privacy.policy import Privacy
from tpanalytics.measures.privacy.release import release
from tpanalytics.measures.privacy.suppress_groups import suppressed_families
from tpanalytics.share.grouping import grouping_of
from tpanalytics.share.report.cards import MISSING
from tpanalytics.share.run_notebook import notebook_parameters, run_notebook

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Mapping

    from tpanalytics.typing import By

__all__ = ["file_names", "report", "verify"]

#: Maximum number of differences to print.
_MAX_PRINTED = 20
#: File names that are reserved on Windows.
_RESERVED = {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10))}


def report(arguments: argparse.Namespace) -> int:
    """Write a report on the company, on one group of jobs or on each group. Small groups are suppressed."""
    out = Path(arguments.out)
    suffixes = [".html", ".ipynb"] if arguments.notebook else [".html"]
    if arguments.all_groups == (out.suffix.lower() in suffixes):
        raise tpa.ConfigError(
            f"--out must be a {' or '.join(suffixes)} file, or a folder with --all-groups, not {arguments.out!r}."
        )
    privacy = Privacy(min_jobs=arguments.min_jobs, min_headcount=arguments.min_headcount)
    if arguments.notebook:
        _check_parameters(arguments)
    profiles = with_cache(read_source(arguments))  # every report on a group also shows company figures
    before = with_cache(read_source(arguments, arguments.before)) if arguments.before else None
    by = by_of_options(arguments)
    noun = grouping_of(profiles, by).noun
    targets: dict[str | None, Path] = {arguments.group: out}
    suppressed: list[str] = []
    if arguments.all_groups:
        groups, suppressed = _groups(profiles, privacy, by)
        targets = {group: out / f"{name}.html" for group, name in file_names(groups).items()}
    if arguments.notebook:
        _run_notebooks(arguments, profiles, before, targets)
    else:
        _save_reports(arguments, profiles, before, targets)
    if arguments.json:
        written = [{"group": group, "file": str(path)} for group, path in targets.items()]
        print(json.dumps({"written": written, "suppressed": suppressed}))
        return 0
    for group, path in targets.items():
        print(f"{path}" if group is None else f"{path}  {group}")
    if suppressed:
        print(f"No report for {plural(len(suppressed), noun)}: suppressed (small group).")
    return 0


def _save_reports(
    arguments: argparse.Namespace,
    profiles: tpa.TaskProfiles,
    before: tpa.TaskProfiles | None,
    targets: Mapping[str | None, Path],
) -> None:
    privacy = Privacy(min_jobs=arguments.min_jobs, min_headcount=arguments.min_headcount)
    for group, path in targets.items():
        tpa.save_report(
            profiles,
            path,
            by=by_of_options(arguments),
            groups=group,
            weight=arguments.weight,
            before=before,
            contract_hours=arguments.contract_hours,
            privacy=None if privacy.off else privacy,
            title=arguments.title,
            rationales=arguments.with_rationales,
            jobs=arguments.with_jobs,
        )


def _check_parameters(arguments: argparse.Namespace) -> None:
    """Raise a `ConfigError` if an option has no matching parameter in the notebook."""
    parameters = notebook_parameters(arguments.notebook)
    required = {"snapshot", *_options(arguments, parameters)}
    group = _group_parameter(parameters)
    required |= {group} if arguments.group or arguments.all_groups else set()
    required |= {"by"} if arguments.by else set()
    required |= {"before"} if arguments.before else set()
    if missing := sorted(required - parameters):
        raise tpa.ConfigError(
            f"{arguments.notebook} has no parameter {', '.join(map(repr, missing))}. Add it to the cell tagged "
            "'parameters', or omit the option (--min-jobs 0 and --min-headcount 0 for the limits)."
        )
    if group in parameters and group not in required:
        raise tpa.ConfigError(f"{arguments.notebook} reports on one group of jobs. Pass --group or --all-groups.")


def _run_notebooks(
    arguments: argparse.Namespace,
    profiles: tpa.TaskProfiles,
    before: tpa.TaskProfiles | None,
    targets: Mapping[str | None, Path],
) -> None:
    """Run the notebook once for each target."""
    names = notebook_parameters(arguments.notebook)
    options = _options(arguments, names)
    with ExitStack() as stack:
        parameters = {"snapshot": _snapshot(stack, arguments, arguments.source, profiles), **options}
        if before is not None:
            parameters["before"] = _snapshot(stack, arguments, arguments.before, before)
        for group, path in targets.items():
            group_parameter = {} if group is None else {_group_parameter(names): group}
            run_notebook(arguments.notebook, path, parameters | group_parameter, title=arguments.title or group)


def _group_parameter(parameters: frozenset[str]) -> str:
    """Return the name of the notebook's parameter for the group, which is ``family`` in notebooks on a job family."""
    return "family" if "family" in parameters else "group"


def _options(arguments: argparse.Namespace, parameters: frozenset[str]) -> dict[str, Any]:
    """Return the notebook parameters for the given options, omitting limits of 0 that the notebook doesn't define."""
    limits = {"min_jobs": arguments.min_jobs, "min_headcount": arguments.min_headcount}
    optional = {
        "contract_hours": arguments.contract_hours,
        "weight": arguments.weight,
        "rationales": arguments.with_rationales,
        "jobs": arguments.with_jobs,
    }
    return {
        **{name: limit for name, limit in limits.items() if limit or name in parameters},
        **{name: value for name, value in optional.items() if value},
        **({"by": by_of_options(arguments)} if arguments.by else {}),
    }


def _snapshot(stack: ExitStack, arguments: argparse.Namespace, source: str | None, profiles: tpa.TaskProfiles) -> Path:
    """Return the snapshot folder the profiles were read from, or write a temporary snapshot."""
    if source is not None and Path(source).is_dir() and not arguments.jobs:
        return Path(source)
    folder = stack.enter_context(TemporaryDirectory())
    return tpa.write_profiles(profiles, Path(folder, "sample" if source is None else Path(source).name.split(".")[0]))


def _groups(profiles: tpa.TaskProfiles, privacy: Privacy, by: By) -> tuple[list[str], list[str]]:
    """Return the groups to report on, and the suppressed groups."""
    hours = with_labels(release(tpa.hours, profiles, privacy=privacy, by=by, weight="hours"))
    suppressed = suppressed_families(hours)
    label = pl.col("group")
    shown = hours.filter(~label.is_in(suppressed), ~label.str.contains(MISSING)).get_column("group")
    return shown.sort().to_list(), suppressed


def file_names(groups: Iterable[str]) -> dict[str | None, str]:
    """Return a unique, portable file name (without a suffix) for each group."""
    names: dict[str | None, str] = {}
    for group in groups:
        normalized = unicodedata.normalize("NFKC", group).lower()
        name = re.sub(r"[^\w]+", "-", normalized).strip("-_")[:60].strip("-_") or "group"
        while len(name.encode()) > 120:
            name = name[:-1]
        name = f"group-{name}" if name in _RESERVED else name
        unique = name
        n = 2
        while unique in names.values():
            unique, n = f"{name}-{n}", n + 1
        names[group] = unique
    return names


def verify(arguments: argparse.Namespace) -> int:
    """Recompute the figures in a report and list any differences. The exit status is 1 if there are any."""
    profiles = read_source(arguments, arguments.snapshot)
    before = read_source(arguments, arguments.before) if arguments.before else None
    compared = tpa.verify_report(arguments.report, profiles, before=before)
    different = compared.filter(pl.col("equal") == False)  # noqa: E712  excludes null
    if arguments.json:
        print(json.dumps(compared.to_dicts()))
        return int(different.height > 0)
    not_compared = compared.filter(pl.col("equal").is_null() & ~pl.col("what").str.contains("manifest"))
    if different.height:
        print(f"{arguments.report}: {different.height:,} of {plural(compared.height, 'figure')} differ.")
        if different.get_column("what").str.contains("hash of the tables").any():
            print("The report was computed from different data.")
        for row in different.head(_MAX_PRINTED).iter_rows(named=True):
            print(f"  {row['what']}: {row['in_report']} in the report, {row['recomputed']} recomputed")
        if different.height > _MAX_PRINTED:
            print(f"  {different.height - _MAX_PRINTED:,} more (use --json to list all)")
    else:
        print(f"{arguments.report}: all {compared.height - not_compared.height:,} figures are equal.")
    if not_compared.height:
        print(f"Not compared because library versions differ: {', '.join(not_compared['what'])}.")
    return int(different.height > 0)
