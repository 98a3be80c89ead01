"""Command-line commands. Each function returns the exit status."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

import tpanalytics as tpa
from tpanalytics.api.settings import OPTIONAL, SECRETS, SETTINGS, find_settings
from tpanalytics.cli.output import as_json, as_shell_text, overview, print_lines, print_summary, print_table
from tpanalytics.formatting import NONE, plural
from tpanalytics.measures._core.groups import BY_FAMILY
from tpanalytics.measures.privacy.policy import USUAL, Privacy
from tpanalytics.profiles.families import read_mappings
from tpanalytics.profiles.snapshot.read_write import replace_jobs
from tpanalytics.schema import provenance

if TYPE_CHECKING:
    import argparse

    from tpanalytics.typing import By

__all__ = ["by_of_options", "check_share", "demo", "doctor", "export", "read_source", "serve", "snapshots", "summary"]


def demo(arguments: argparse.Namespace) -> int:
    """Export a fictional company from the demo server and write a summary, charts and a report."""
    from tpanalytics.demo.server import Tenant

    folder = Path(arguments.out)
    with Tenant() as tenant, tpa.connect(**tenant.settings, token_cache=False) as client:
        loaded = tpa.load_task_profiles(client, families="lists", progress=not arguments.json)
        tokens = tenant.tokens_issued
        # The API lists don't include headcount or contract hours, so use the mapping tables.
        mapping = pl.DataFrame(tenant.catalogue.jobs), pl.DataFrame(tenant.catalogue.families)
    profiles = tpa.assign_families(loaded, *mapping)
    impact, hours = tpa.plot_impact(profiles, weight="hours"), tpa.plot_hours(profiles)
    written = [
        tpa.write_profiles(profiles, folder / "snapshot"),
        tpa.save(impact, folder / "impact.png"),
        tpa.save(impact, folder / "impact.html"),
        tpa.save(hours, folder / "hours.png"),
        tpa.save(hours, folder / "hours.html"),
        tpa.save(overview(profiles, "hours", USUAL).rename({"group": BY_FAMILY}), folder / "families.xlsx"),
        tpa.save_report(profiles, folder / "report.html"),
    ]
    if arguments.json:
        print(json.dumps({**as_json(profiles, USUAL), "tokens": tokens, "written": [str(path) for path in written]}))
        return 0
    print("Alderbrook Instruments, a fictional company, exported from the demo server.")
    print_summary(profiles, "hours", USUAL)
    print(f"\nTokens requested: {tokens}. Files written to {folder.resolve()}:")
    for path in written:
        print(f"  {path.relative_to(folder)}")
    return 0


def export(arguments: argparse.Namespace) -> int:
    """Export a tenant's task profiles to a snapshot."""
    by = by_of_options(arguments)
    families: Any = arguments.families or ("lists" if arguments.family_lists else None)
    try:
        filters = [json.loads(text) for text in arguments.filter]
    except ValueError:
        raise tpa.ConfigError('--filter must be a JSON object, like \'{"filter": "last_updated", …}\'.') from None
    replaced = (Path(arguments.folder) / "manifest.json").exists()
    if arguments.jobs:
        read_mappings(arguments.jobs, arguments.family_names)  # raise errors before the export
    with tpa.connect(**_settings(arguments), token_cache=not arguments.no_token_cache) as client:
        profiles = tpa.load_task_profiles(
            client,
            include=arguments.include or ("ai_impact", "weekly_hours"),
            filters=filters,
            response_format=arguments.response_format,
            external_vendor=arguments.external_vendor,
            families=families,
            other_jobs=arguments.other_jobs,
            states=arguments.states,
            on_bad_record=arguments.on_bad_record,
            snapshot=arguments.folder,
            resume=not arguments.no_resume,
            workers=arguments.workers,
            lazy=True,  # avoid loading all tasks into memory
            limit=arguments.limit,
            progress=not arguments.json,
        )
    if arguments.jobs:
        profiles = tpa.assign_families(profiles, arguments.jobs, arguments.family_names)
        profiles = replace_jobs(profiles, Path(arguments.folder))
    summarized = tpa.read_profiles(arguments.folder) if arguments.by else None
    if arguments.json:
        added = {} if summarized is None else {"summary": as_json(summarized, USUAL, by)}
        print(json.dumps({"folder": arguments.folder, "manifest": profiles.manifest, **added}))
    else:
        message = f"{arguments.folder}: {provenance(profiles.manifest)}"
        if pages := profiles.manifest.get("resumed_pages"):
            message += f" Resumed after {plural(pages, 'page')}."
        print(message + (" Replaced the previous snapshot." if replaced else ""))
        if summarized is not None:
            print_summary(summarized, None, USUAL, by)
    return 0


def summary(arguments: argparse.Namespace) -> int:
    """Print weekly hours, AI impact and coverage per group of jobs. Small groups are suppressed."""
    privacy = Privacy(min_jobs=arguments.min_jobs, min_headcount=arguments.min_headcount)
    profiles = read_source(arguments)
    by = by_of_options(arguments)
    if arguments.json:
        print(json.dumps(as_json(profiles, privacy, by, arguments.weight)))
    else:
        print_summary(profiles, arguments.weight, privacy, by)
    return 0


def by_of_options(arguments: argparse.Namespace) -> By:
    """Return the argument `by` of the measures, given the --by options."""
    if arguments.by is None:
        return BY_FAMILY
    names = [name.strip() for text in arguments.by for name in text.split(",") if name.strip()]
    if names == ["none"]:
        return None
    if "none" in names or not names:
        raise tpa.ConfigError(f"--by must be column names, or 'none' alone, not {', '.join(arguments.by)!r}.")
    return names[0] if len(names) == 1 else names


def read_source(arguments: argparse.Namespace, source: str | None = None) -> tpa.TaskProfiles:
    """Read a snapshot, a records file or the sample data, and assign job families."""
    source = arguments.source if source is None else source
    if source is None:
        profiles = tpa.load_sample()
    elif Path(source).is_dir():
        profiles = tpa.read_profiles(source)
    else:
        profiles = tpa.read_records(source)
    return tpa.assign_families(profiles, arguments.jobs, arguments.family_names) if arguments.jobs else profiles


def serve(arguments: argparse.Namespace) -> int:
    """Run the demo server until interrupted."""
    from tpanalytics.demo.handlers import Rules
    from tpanalytics.demo.sample import catalogue_of
    from tpanalytics.demo.server import Tenant

    catalogue = None
    if arguments.records:
        catalogue = catalogue_of(arguments.records, arguments.jobs, arguments.family_names)
    try:
        tenant = Tenant(catalogue, rules=Rules(lists=not arguments.no_lists), port=arguments.port)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or "must be 0 to 65535"
        raise tpa.ConfigError(f"Port {arguments.port} cannot be used: {reason}. Choose another --port.") from None
    tenant.faults.update(arguments.fault)
    tenant.token_faults.update(arguments.token_fault)
    tenant.task_faults.update(arguments.task_fault)
    n_jobs = len(tenant.catalogue.records)
    print(f"Serving {n_jobs:,} jobs on {tenant.base_url} (this machine only). Press Ctrl-C to stop.")
    print("To connect from another terminal:")
    for name, value in tenant.settings.items():
        print(f"  export TPANALYTICS_{name.upper()}={value}")
    sys.stdout.flush()
    tenant.serve_forever()
    return 0


def snapshots(arguments: argparse.Namespace) -> int:
    """List the snapshots in a folder or delete old ones."""
    if arguments.prune is None:
        listed = tpa.list_snapshots(arguments.root)
    else:
        listed = tpa.prune_snapshots(arguments.root, keep=arguments.prune, dry_run=arguments.dry_run)
    if arguments.json:
        print(json.dumps(listed.to_dicts()))
        return 0
    if not listed.height:
        print(f"{arguments.root}: " + ("no snapshots." if arguments.prune is None else "nothing to delete."))
        return 0
    if arguments.prune is not None:
        print("Would delete:" if arguments.dry_run else "Deleted:")
    names = ("folder", "state", "tenant", "finished", "jobs", "tasks", "pages", "duplicates", "rejects")
    rows = [
        [*(_cell(row[name]) for name in names), f"{row['bytes'] / 1e6:,.1f} MB"]
        for row in listed.with_columns(
            state=pl.when(pl.col("pending") & (pl.col("state") == "sealed"))
            .then(pl.lit("sealed, new export unfinished"))
            .otherwise("state")
        ).to_dicts()
    ]
    print_table([*names, "size"], rows)
    return 0


def _cell(value: str | int | None) -> str:
    return f"{value:,}" if isinstance(value, int) else value or NONE


def check_share(arguments: argparse.Namespace) -> int:
    """Check files for sensitive content before you share them. The exit status is 1 if any is found."""
    findings = {name: tpa.check_share(name) for name in arguments.files}
    stops = sum((frame.get_column("severity") == "stop").sum() for frame in findings.values())
    if arguments.json:
        print(json.dumps({name: frame.to_dicts() for name, frame in findings.items()}))
        return 1 if stops else 0
    for name, frame in findings.items():
        print(f"{name}:")
        if frame.height:
            rows = frame.select("severity", "what", "where", "found").rows()
            print_lines([[_one_line(cell) for cell in row] for row in rows])
    result = plural(stops, "blocking finding") if stops else "no blocking findings"
    print(f"{plural(len(findings), 'file')} checked, {result}. Review other findings and all images yourself.")
    return 1 if stops else 0


def _one_line(text: str) -> str:
    return " ".join(text.split())


def doctor(arguments: argparse.Namespace) -> int:
    """Print each setting and its source, then request a token and the API version."""
    options = _settings(arguments)
    settings = find_settings(options)
    report: dict[str, Any] = {
        "settings": {
            name: {"value": re.sub(r"//[^/@]*@", "//***@", str(settings[name][0])), "from": settings[name][1]}
            if name in settings
            else None
            for name in SETTINGS
        }
    }
    problem = None
    try:
        cache = not arguments.no_token_cache
        with tpa.connect(**options, retry=tpa.RetryPolicy(tries=2), token_cache=cache) as client:
            client.sign_in()
            report["token"] = "granted" if client.tokens_fetched else "valid (from the cache)"
            report["version"] = client.version()
    except tpa.TpAnalyticsError as error:
        problem = str(error)
    report["problem"] = problem
    if arguments.json:
        print(json.dumps(report))
    else:
        for name, setting in report["settings"].items():
            missing = "not set (optional)" if name in OPTIONAL else "not set"
            value = missing if setting is None else f"{setting['value']}   ({setting['from']})"
            print(f"{name:18}{value}")
        if "token" in report:
            print(f"{'token':18}{report['token']}")
        if "version" in report:
            print(f"{'version':18}{report['version'] or 'not reported by the tenant'}")
    if problem is not None and not arguments.json:
        print(f"tpanalytics: {as_shell_text(problem)}", file=sys.stderr)
    return 0 if problem is None else 1


def _settings(arguments: argparse.Namespace) -> dict[str, Any]:
    # We can't accept secrets as options. Other users can see a process's command line.
    return {name: getattr(arguments, name) for name in SETTINGS if name not in SECRETS}
