"""The verbs and their options."""

from __future__ import annotations

import argparse
from typing import Any, get_args

import tpanalytics as tpa
from tpanalytics.api.export import INCLUDES
from tpanalytics.api.settings import SECRETS, SETTINGS
from tpanalytics.cli import app as showing, commands, report_commands
from tpanalytics.measures.privacy.policy import USUAL
from tpanalytics.typing import Vendor

__all__ = ["parser"]


def parser() -> argparse.ArgumentParser:
    """Make the parser; each verb's function stands in `verb` of what it gives."""
    made = argparse.ArgumentParser(
        prog="tpanalytics", description="Task profiles: weekly hours and AI impact per job family."
    )
    made.add_argument("--version", action="version", version=f"tpanalytics {tpa.__version__}")
    known = made.add_subparsers(required=True, metavar="VERB")

    def verb(name: str, run: Any, help_: str) -> argparse.ArgumentParser:
        added = known.add_parser(name, help=help_, description=run.__doc__)
        added.set_defaults(verb=run)
        return added

    def machine(added: argparse.ArgumentParser) -> None:
        added.add_argument("--json", action="store_true", help="print JSON instead of text")

    def mapping(added: argparse.ArgumentParser) -> None:
        added.add_argument("--jobs", metavar="CSV", help="mapping file: job_id, job_name, job_family_id, …")
        added.add_argument("--families", metavar="CSV", help="mapping file: job_family_id, job_family_name, …")

    def limits(added: argparse.ArgumentParser) -> None:
        said = "hide families of fewer {}, 0 for none (%(default)g)"
        added.add_argument("--min-jobs", type=int, default=USUAL.min_jobs, metavar="N", help=said.format("jobs"))
        people = said.format("people, if known")
        added.add_argument("--min-headcount", type=float, default=USUAL.min_headcount, metavar="N", help=people)

    def settings(added: argparse.ArgumentParser) -> None:
        group = added.add_argument_group("settings", "otherwise from TPANALYTICS_… in the environment or .env")
        for name, meaning in SETTINGS.items():
            if name not in SECRETS:
                group.add_argument(f"--{name.replace('_', '-')}", help=meaning)
        told = "take a new token and keep it in memory alone"
        added.add_argument("--no-token-cache", action="store_true", help=told)

    demo = verb("demo", commands.demo, "run the whole journey on an invented company")
    demo.add_argument("--out", default="tpanalytics-demo", metavar="FOLDER", help="where to write (%(default)s)")
    machine(demo)

    export = verb("export", commands.export, "export a tenant to a snapshot folder")
    export.add_argument("folder", help="snapshot to write")
    asked = "instead of ai_impact and weekly_hours; may be repeated"
    export.add_argument("--include", action="append", choices=INCLUDES, help=asked)
    export.add_argument("--filter", action="append", default=[], metavar="JSON", help="filter object; may be repeated")
    export.add_argument("--response-format", choices=("list", "hierarchy"), default="list")
    export.add_argument(
        "--family-id", action="append", metavar="ID", help="find out which jobs are in this family; may be repeated"
    )
    export.add_argument("--family-lists", action="store_true", help="names and families from the service's lists")
    export.add_argument("--on-bad-record", choices=("raise", "collect"), default="raise")
    export.add_argument("--external-vendor", choices=get_args(Vendor), help="whose names linked skills shall carry")
    export.add_argument("--limit", type=int, default=100, help="jobs per page, 1 to 100 (%(default)s)")
    export.add_argument(
        "--workers", type=int, default=1, help="parts loaded side by side; needs --family-lists or --family-id"
    )
    export.add_argument("--no-resume", action="store_true", help="start over where an export was broken off")
    mapping(export)
    settings(export)
    machine(export)

    summary = verb("summary", commands.summary, "print hours and AI impact per job family")
    summary.add_argument("source", nargs="?", help="snapshot folder, or .jsonl/.json file; the sample if left out")
    summary.add_argument("--weight", choices=("tasks", "hours", "headcount"), default="hours", help="%(default)s")
    limits(summary)
    mapping(summary)
    machine(summary)

    report = verb(
        "report", report_commands.report, "write a report that needs no network, for a company or each family"
    )
    report.add_argument("source", nargs="?", help="snapshot folder, or .jsonl/.json file; the sample if left out")
    out = ".html file, with --notebook also .ipynb; with --all-families a folder"
    report.add_argument("--out", required=True, metavar="FILE", help=out)
    own = "run this notebook instead, and write what it shows; see notebooks/09_family_report.ipynb"
    report.add_argument("--notebook", metavar="IPYNB", help=own)
    which = report.add_mutually_exclusive_group()
    which.add_argument("--family", metavar="NAME", help="report on this family alone")
    which.add_argument("--all-families", action="store_true", help="one file for each family that is not hidden")
    report.add_argument("--before", metavar="SNAPSHOT", help="an earlier snapshot: begin with what has changed")
    report.add_argument("--title", help="heading of the report")
    week = "hours of a full week where jobs have none of their own"
    report.add_argument("--contract-hours", type=float, metavar="HOURS", help=week)
    report.add_argument("--with-jobs", action="store_true", help="print a row per job")
    report.add_argument("--with-rationales", action="store_true", help="quote rationales")
    limits(report)
    mapping(report)
    machine(report)

    verify = verb("verify", report_commands.verify, "work every figure of a report out again")
    verify.add_argument("report", help="file that `report` has written")
    verify.add_argument("--snapshot", required=True, metavar="SOURCE", help="what it was made of: folder or file")
    verify.add_argument("--before", metavar="SOURCE", help="the earlier snapshot, for a report of two")
    mapping(verify)
    machine(verify)

    app = verb("app", showing.app, "show an explorer in the browser, on this machine only")
    app.add_argument("source", nargs="?", help="snapshot folder, or .jsonl/.json file; the sample if left out")
    app.add_argument("--before", metavar="SNAPSHOT", help="an earlier snapshot: show what has changed, too")
    app.add_argument("--title", help="heading of the page")
    app.add_argument("--port", type=int, default=0, help="port on this machine; any free one if left out")
    app.add_argument("--no-browser", action="store_true", help="only print the address")
    limits(app)
    mapping(app)

    serve = verb("serve", commands.serve, "run the embedded tenant")
    serve.add_argument("--records", metavar="FILE", help="records to serve, .jsonl or .jsonl.gz; else invented ones")
    serve.add_argument("--port", type=int, default=0, help="port on this machine; any free one if left out")
    serve.add_argument("--no-lists", action="store_true", help="do as a tenant without lists of jobs and families")
    for name, where in (("--fault", "the export"), ("--token-fault", "the token endpoint")):
        said = f"what goes wrong with every request to {where}, or with one; see tpanalytics.demo.faults"
        serve.add_argument(name, action="append", type=_fault, default=[], metavar="NAME[:REQUEST]", help=said)
    mapping(serve)

    snapshots = verb("snapshots", commands.snapshots, "list snapshots, and remove old ones")
    snapshots.add_argument("root", nargs="?", default="data", help="where to look (%(default)s)")
    snapshots.add_argument("--prune", type=int, metavar="N", help="remove all but the newest N of each tenant")
    snapshots.add_argument("--dry-run", action="store_true", help="with --prune: only say what would be removed")
    machine(snapshots)

    checked = verb("check-share", commands.check_share, "list what files carry, before they are handed on")
    checked.add_argument("files", nargs="+", metavar="FILE", help="see tpanalytics.check_share for the kinds")
    machine(checked)

    doctor = verb("doctor", commands.doctor, "check settings, token and version")
    settings(doctor)
    machine(doctor)
    return made


def _fault(text: str) -> tuple[int, Any]:
    """Read the number of a request, 0 for all, and what goes wrong with it."""
    from tpanalytics.demo import faults

    name, _, number = text.partition(":")
    if name not in faults.__all__ or not (number or "0").isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no fault; choose from {', '.join(faults.__all__)}")
    return int(number or 0), getattr(faults, name)()
