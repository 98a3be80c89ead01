"""The command line: each verb is a few lines over the public functions.

Exit status: 0 done, 1 refused or failed with one sentence, 2 usage.
"""

from __future__ import annotations

import argparse
import io
import json
import re
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

import tpanalytics as tpa
from tpanalytics.api.export import INCLUDES
from tpanalytics.api.settings import SECRETS, SETTINGS, look_up
from tpanalytics.profiles.families import read_mappings
from tpanalytics.schema import level_order, provenance
from tpanalytics.words import NONE, covered, percent, plural, total

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tpanalytics.measures.impact import Weight

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb of the command line.

    Parameters
    ----------
    argv
        Arguments after the program's name; by default those of the process.

    Returns
    -------
    int
        The exit status.
    """
    parser = _parser()
    arguments = parser.parse_args(argv)
    if getattr(arguments, "families", None) and not arguments.jobs:
        parser.error("--families needs --jobs: families hang on jobs")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a redirected console may know fewer characters
    try:
        with warnings.catch_warnings():
            warnings.showwarning = lambda message, *_, **__: print(f"tpanalytics: note: {message}", file=sys.stderr)
            status: int = arguments.verb(arguments)
    except tpa.TpAnalyticsError as error:
        print(f"tpanalytics: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("tpanalytics: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of our output, like `head`, has seen enough
        sys.stderr.close()
        return 0
    return status


def _demo(arguments: argparse.Namespace) -> int:
    """Serve the invented company, export it over OAuth, print and draw it."""
    from tpanalytics.demo import Tenant

    folder = Path(arguments.out)
    with Tenant() as tenant, tpa.connect(**tenant.settings, token_cache=False) as client:
        loaded = tpa.load_task_profiles(client, families="lists", progress=not arguments.json)
        tokens = tenant.tokens_issued
        # The assumed lists know neither headcount nor contracts; a mapping file does.
        mapping = pl.DataFrame(tenant.catalogue.jobs), pl.DataFrame(tenant.catalogue.families)
    profiles = tpa.assign_families(loaded, *mapping)
    impact, hours = tpa.plot_impact_by_family(profiles, weight="hours"), tpa.plot_hours_by_family(profiles)
    written = [
        tpa.write_profiles(profiles, folder / "snapshot"),
        tpa.save(impact, folder / "impact_by_family.png"),
        tpa.save(impact, folder / "impact_by_family.html"),
        tpa.save(hours, folder / "hours_by_family.png"),
        tpa.save(hours, folder / "hours_by_family.html"),
        tpa.save(_overview(profiles, "hours"), folder / "families.xlsx"),
    ]
    if arguments.json:
        print(json.dumps({**_as_json(profiles), "tokens": tokens, "written": [str(path) for path in written]}))
        return 0
    print("Alderbrook Instruments, a company that does not exist, served by the embedded tenant.")
    _print_summary(profiles, "hours")
    print(f"\nTokens used: {tokens}. Written to {folder.resolve()}:")
    for path in written:
        print(f"  {path.relative_to(folder)}")
    return 0


def _export(arguments: argparse.Namespace) -> int:
    """Export a tenant's task profiles to a snapshot."""
    families: Any = arguments.family_id or ("lists" if arguments.family_lists else None)
    try:
        filters = [json.loads(text) for text in arguments.filter]
    except ValueError:
        raise tpa.ConfigError('--filter must be a JSON object, like \'{"filter": "last_updated", …}\'.') from None
    replaced = (Path(arguments.folder) / "manifest.json").exists()
    if arguments.jobs:
        read_mappings(arguments.jobs, arguments.families)  # what is wrong with them is said before the export
    with tpa.connect(**_given(arguments), token_cache=not arguments.no_token_cache) as client:
        profiles = tpa.load_task_profiles(
            client,
            include=arguments.include or ("ai_impact", "weekly_hours"),
            filters=filters,
            response_format=arguments.response_format,
            families=families,
            on_bad_record=arguments.on_bad_record,
            snapshot=arguments.folder,
            limit=arguments.limit,
            progress=not arguments.json,
        )
    if arguments.jobs:
        profiles = tpa.assign_families(profiles, arguments.jobs, arguments.families)
        tpa.write_profiles(profiles, arguments.folder)
    if arguments.json:
        print(json.dumps({"folder": arguments.folder, "manifest": profiles.manifest}))
    else:
        print(
            f"{arguments.folder}: {provenance(profiles.manifest)}" + (" Replaced what was there." if replaced else "")
        )
    return 0


def _summary(arguments: argparse.Namespace) -> int:
    """Print what a snapshot or file of records holds, by job family."""
    if arguments.source is None:
        profiles = tpa.load_sample()
    elif Path(arguments.source).is_dir():
        profiles = tpa.read_profiles(arguments.source)
    else:
        profiles = tpa.read_records(arguments.source)
    if arguments.jobs:
        profiles = tpa.assign_families(profiles, arguments.jobs, arguments.families)
    if arguments.json:
        print(json.dumps(_as_json(profiles)))
    else:
        _print_summary(profiles, arguments.weight)
    return 0


def _serve(arguments: argparse.Namespace) -> int:
    """Run the embedded tenant until interrupted."""
    from tpanalytics.demo import Rules, Tenant, catalogue_of

    catalogue = None
    if arguments.records:
        catalogue = catalogue_of(arguments.records, arguments.jobs, arguments.families)
    try:
        tenant = Tenant(catalogue, rules=Rules(lists=not arguments.no_lists), port=arguments.port)
    except OSError as error:
        raise tpa.ConfigError(f"Port {arguments.port} cannot be used: {error.strerror}.") from None
    tenant.faults.update(arguments.fault)
    tenant.token_faults.update(arguments.token_fault)
    print(
        f"Serving {len(tenant.catalogue.records):,} jobs on {tenant.base_url}, on this machine only; stop with Ctrl-C."
    )
    print("In another terminal:")
    for name, value in tenant.settings.items():
        print(f"  export TPANALYTICS_{name.upper()}={value}")
    sys.stdout.flush()
    tenant.serve_forever()
    return 0


def _doctor(arguments: argparse.Namespace) -> int:
    """Say where each setting comes from, then try a token and the version."""
    given = _given(arguments)
    found = look_up(given)
    report: dict[str, Any] = {
        "settings": {
            name: {"value": re.sub(r"//[^/@]*@", "//***@", str(found[name][0])), "from": found[name][1]}
            if name in found
            else None
            for name in SETTINGS
        }
    }
    problem = None
    try:
        cache = not arguments.no_token_cache
        with tpa.connect(**given, retry=tpa.RetryPolicy(tries=2), token_cache=cache) as client:
            client.sign_in()
            report["token"] = "granted" if client.tokens_fetched else "granted earlier, from the cache"
            report["version"] = client.version()
    except tpa.TpAnalyticsError as error:
        problem = str(error)
    report["problem"] = problem
    if arguments.json:
        print(json.dumps(report))
    else:
        for name, setting in report["settings"].items():
            said = "not set" if setting is None else f"{setting['value']}   ({setting['from']})"
            print(f"{name:18}{said}")
        if "token" in report:
            print(f"{'token':18}{report['token']}")
        if "version" in report:
            print(f"{'version':18}{report['version'] or 'the tenant does not say'}")
    if problem is not None and not arguments.json:
        print(f"tpanalytics: {problem}", file=sys.stderr)
    return 0 if problem is None else 1


def _overview(profiles: tpa.TaskProfiles, weight: Weight) -> pl.DataFrame:
    """Put the headline of each measure in one row per family, most hours first."""
    impact = tpa.impact_by_family(profiles, weight=weight)
    hours = tpa.hours_by_family(profiles)
    table = hours.select("job_family", "jobs", "jobs_without_tasks", "tasks", "hours", "hours_per_job")
    for level in level_order(level for level in impact.get_column("level") if level is not None):
        share = impact.filter(pl.col("level") == level).select("job_family", pl.col("share").alias(f"{level} share"))
        table = table.join(share, on="job_family", how="left", maintain_order="left")
    known = impact.group_by("job_family").agg(pl.col("coverage").first(), pl.col("grade").first())
    return table.join(known, on="job_family", how="left", maintain_order="left")


def _print_summary(profiles: tpa.TaskProfiles, weight: Weight) -> None:
    print(provenance(profiles.manifest))
    table = _overview(profiles, weight)
    if table.height == 0:
        print("There are no jobs.")
        return
    levels = [name.removesuffix(" share") for name in table.columns if name.endswith(" share")]
    rows = [
        [
            family["job_family"],
            *(f"{family[name]:,}" for name in ("jobs", "jobs_without_tasks", "tasks")),
            *(NONE if family[name] is None else f"{family[name]:,.1f}" for name in ("hours", "hours_per_job")),
            *(percent(family[f"{level} share"]) for level in levels),
            covered(family["coverage"]),
            family["grade"] or NONE,
        ]
        for family in table.iter_rows(named=True)
    ]
    _print_table(["job family", "jobs", "no tasks", "tasks", "hours/week", "per job", *levels, "known", "grade"], rows)
    for line in _notes(profiles, levels, weight):
        print(line)


def _notes(profiles: tpa.TaskProfiles, levels: list[str], weight: Weight) -> list[str]:
    """Say what the table leaves out and what its columns mean."""
    coverage = tpa.coverage_by_family(profiles)
    tasks, rejected = total(coverage, "tasks"), profiles.tasks.height - total(coverage, "tasks")
    if not tasks:
        return ["No job has a task that counts."]
    with_hours = total(tpa.hours_by_family(profiles), "tasks_with_hours")
    needed = {"tasks": "level", "hours": "hours and level", "headcount": "hours, level and headcount"}[weight]
    notes = [f"{percent(1 - with_hours / tasks)} of {tasks:,} tasks have no hours; they are not zero."]
    if rejected:
        notes.append(f"{rejected:,} further tasks were rejected, or are in a state not counted, and left out.")
    if repeated := profiles.manifest.get("repeated_tasks"):
        notes.append(f"{plural(repeated, 'task')} stand more than once in their job, and count as often.")
    for level, n in profiles.manifest.get("unknown_levels", {}).items():
        notes.append(f"{plural(n, 'task')} have the level {level!r}, which nobody here knows; it is kept apart.")
    asked = profiles.manifest.get("request", {}).get("include")
    notes += [
        f"{name} was not asked for in this export, so all of it is unknown."
        for name in ("weekly_hours", "ai_impact")
        if asked is not None and name not in asked
    ]
    notes.append(f"{levels[0]} … {levels[-1]}: shares by {weight}. known: share of tasks with {needed}.")
    notes.append("grade: A from 90 % known, B from 70 %, C below; quote no C alone.")
    return notes


def _print_table(header: list[str], rows: list[list[str]]) -> None:
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    for row in [header, ["-" * width for width in widths], *rows]:
        first, *others = (
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        print("  ".join([first, *others]))


def _as_json(profiles: tpa.TaskProfiles) -> dict[str, Any]:
    return {
        "manifest": profiles.manifest,
        "hours_by_family": tpa.hours_by_family(profiles).to_dicts(),
        "impact_by_family": tpa.impact_by_family(profiles, weight="hours").to_dicts(),
        "coverage_by_family": tpa.coverage_by_family(profiles).to_dicts(),
    }


def _fault(text: str) -> tuple[int, Any]:
    """Read the number of a request, 0 for all, and what goes wrong with it."""
    from tpanalytics.demo import faults

    name, _, number = text.partition(":")
    if name not in faults.__all__ or not (number or "0").isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no fault; choose from {', '.join(faults.__all__)}")
    return int(number or 0), getattr(faults, name)()


def _given(arguments: argparse.Namespace) -> dict[str, Any]:
    # No option for a secret: arguments of a process can be read by others on the machine.
    return {name: getattr(arguments, name) for name in SETTINGS if name not in SECRETS}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tpanalytics", description="Task profiles: weekly hours and AI impact per job family."
    )
    parser.add_argument("--version", action="version", version=f"tpanalytics {tpa.__version__}")
    verbs = parser.add_subparsers(required=True, metavar="VERB")

    def verb(name: str, run: Any, help_: str) -> argparse.ArgumentParser:
        added = verbs.add_parser(name, help=help_, description=run.__doc__)
        added.set_defaults(verb=run)
        return added

    def machine(added: argparse.ArgumentParser) -> None:
        added.add_argument("--json", action="store_true", help="print JSON instead of text")

    def mapping(added: argparse.ArgumentParser) -> None:
        added.add_argument("--jobs", metavar="CSV", help="mapping file: job_id, job_name, job_family_id, …")
        added.add_argument("--families", metavar="CSV", help="mapping file: job_family_id, job_family_name, …")

    def settings(added: argparse.ArgumentParser) -> None:
        group = added.add_argument_group("settings", "otherwise from TPANALYTICS_… in the environment or .env")
        for name, meaning in SETTINGS.items():
            if name not in SECRETS:
                group.add_argument(f"--{name.replace('_', '-')}", help=meaning)
        told = "take a new token and keep it in memory alone"
        added.add_argument("--no-token-cache", action="store_true", help=told)

    demo = verb("demo", _demo, "run the whole journey on an invented company")
    demo.add_argument("--out", default="tpanalytics-demo", metavar="FOLDER", help="where to write (%(default)s)")
    machine(demo)

    export = verb("export", _export, "export a tenant to a snapshot folder")
    export.add_argument("folder", help="snapshot to write")
    asked = "instead of ai_impact and weekly_hours; may be repeated"
    export.add_argument("--include", action="append", choices=INCLUDES, help=asked)
    export.add_argument("--filter", action="append", default=[], metavar="JSON", help="filter object; may be repeated")
    export.add_argument("--response-format", choices=("list", "hierarchy"), default="list")
    export.add_argument(
        "--family-id", action="append", metavar="ID", help="ask for this family's jobs; may be repeated"
    )
    export.add_argument("--family-lists", action="store_true", help="names and families from the service's lists")
    export.add_argument("--on-bad-record", choices=("raise", "collect"), default="raise")
    export.add_argument("--limit", type=int, default=100, help="jobs per page, 1 to 100 (%(default)s)")
    mapping(export)
    settings(export)
    machine(export)

    summary = verb("summary", _summary, "print hours and AI impact per job family")
    summary.add_argument("source", nargs="?", help="snapshot folder, or .jsonl/.json file; the sample if left out")
    summary.add_argument("--weight", choices=("tasks", "hours", "headcount"), default="hours", help="%(default)s")
    mapping(summary)
    machine(summary)

    serve = verb("serve", _serve, "run the embedded tenant")
    serve.add_argument("--records", metavar="FILE", help="records to serve, .jsonl or .jsonl.gz; else invented ones")
    serve.add_argument("--port", type=int, default=0, help="port on this machine; any free one if left out")
    serve.add_argument("--no-lists", action="store_true", help="do as a tenant without lists of jobs and families")
    for name, where in (("--fault", "the export"), ("--token-fault", "the token endpoint")):
        said = f"what goes wrong with every request to {where}, or with one; see tpanalytics.demo.faults"
        serve.add_argument(name, action="append", type=_fault, default=[], metavar="NAME[:REQUEST]", help=said)
    mapping(serve)

    doctor = verb("doctor", _doctor, "check settings, token and version")
    settings(doctor)
    machine(doctor)
    return parser


if __name__ == "__main__":
    sys.exit(main())
