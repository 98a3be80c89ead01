"""The verbs and their options."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any, get_args

import tpanalytics as tpa
from tpanalytics.api.export import INCLUDES
from tpanalytics.api.settings import SECRETS, SETTINGS
from tpanalytics.cli import app as showing, commands, report_commands
from tpanalytics.measures.privacy.policy import USUAL
from tpanalytics.typing import Vendor

__all__ = ["parser"]

#: Adds a command by its name, its function and its help.
Add = Callable[[str, Any, str], argparse.ArgumentParser]


def parser() -> argparse.ArgumentParser:
    """Return the parser; it puts the function of the chosen command into the attribute `verb`."""
    made = argparse.ArgumentParser(
        prog="tpanalytics", description="Task profiles: weekly hours and AI impact per job family."
    )
    made.add_argument("--version", action="version", version=f"tpanalytics {tpa.__version__}")
    known = made.add_subparsers(required=True, metavar="VERB")

    def add(name: str, run: Any, help_: str) -> argparse.ArgumentParser:
        added = known.add_parser(name, help=help_, description=run.__doc__)
        added.set_defaults(verb=run)
        return added

    for add_command in (
        _add_demo,
        _add_export,
        _add_summary,
        _add_report,
        _add_verify,
        _add_app,
        _add_serve,
        _add_snapshots,
        _add_checked,
        _add_doctor,
    ):
        add_command(add)
    return made


def _add_machine_options(added: argparse.ArgumentParser) -> None:
    added.add_argument("--json", action="store_true", help="print JSON instead of text")


def _add_mapping_options(added: argparse.ArgumentParser) -> None:
    added.add_argument("--jobs", metavar="CSV", help="mapping file: job_id, job_name, job_family_id, …")
    added.add_argument("--families", metavar="CSV", help="mapping file: job_family_id, job_family_name, …")


def _add_limits_options(added: argparse.ArgumentParser) -> None:
    said = "hide families of fewer {}, 0 for none (%(default)g)"
    added.add_argument("--min-jobs", type=int, default=USUAL.min_jobs, metavar="N", help=said.format("jobs"))
    people = said.format("people, if known")
    added.add_argument("--min-headcount", type=float, default=USUAL.min_headcount, metavar="N", help=people)


def _add_settings_options(added: argparse.ArgumentParser) -> None:
    group = added.add_argument_group("settings", "otherwise from TPANALYTICS_… in the environment or .env")
    for name, meaning in SETTINGS.items():
        if name not in SECRETS:
            group.add_argument(f"--{name.replace('_', '-')}", help=meaning)
    told = "take a new token and keep it in memory alone"
    added.add_argument("--no-token-cache", action="store_true", help=told)


def _add_demo(add: Add) -> None:
    command = add("demo", commands.demo, "run the whole journey on an invented company")
    command.add_argument("--out", default="tpanalytics-demo", metavar="FOLDER", help="where to write (%(default)s)")
    _add_machine_options(command)


def _add_export(add: Add) -> None:
    command = add("export", commands.export, "export a tenant to a snapshot folder")
    command.add_argument("folder", help="snapshot to write")
    asked = "instead of ai_impact and weekly_hours; may be repeated"
    command.add_argument("--include", action="append", choices=INCLUDES, help=asked)
    command.add_argument("--filter", action="append", default=[], metavar="JSON", help="filter object; may be repeated")
    command.add_argument("--response-format", choices=("list", "hierarchy"), default="list")
    command.add_argument(
        "--family-id", action="append", metavar="ID", help="find out which jobs are in this family; may be repeated"
    )
    command.add_argument("--family-lists", action="store_true", help="names and families from the service's lists")
    command.add_argument("--on-bad-record", choices=("raise", "collect"), default="raise")
    command.add_argument("--external-vendor", choices=get_args(Vendor), help="whose names linked skills shall carry")
    command.add_argument("--limit", type=int, default=100, help="jobs per page, 1 to 100 (%(default)s)")
    command.add_argument(
        "--workers", type=int, default=1, help="parts loaded side by side; needs --family-lists or --family-id"
    )
    command.add_argument("--no-resume", action="store_true", help="start over where an export was broken off")
    _add_mapping_options(command)
    _add_settings_options(command)
    _add_machine_options(command)


def _add_summary(add: Add) -> None:
    command = add("summary", commands.summary, "print hours and AI impact per job family")
    command.add_argument("source", nargs="?", help="snapshot folder, or .jsonl/.json file; the sample if left out")
    command.add_argument("--weight", choices=("tasks", "hours", "headcount"), default="hours", help="%(default)s")
    _add_limits_options(command)
    _add_mapping_options(command)
    _add_machine_options(command)


def _add_report(add: Add) -> None:
    command = add(
        "report", report_commands.report, "write a report that needs no network, for a company or each family"
    )
    command.add_argument("source", nargs="?", help="snapshot folder, or .jsonl/.json file; the sample if left out")
    out = ".html file, with --notebook also .ipynb; with --all-families a folder"
    command.add_argument("--out", required=True, metavar="FILE", help=out)
    own = "run this notebook instead, and write what it shows; see notebooks/09_family_report.ipynb"
    command.add_argument("--notebook", metavar="IPYNB", help=own)
    which = command.add_mutually_exclusive_group()
    which.add_argument("--family", metavar="NAME", help="report on this family alone")
    which.add_argument("--all-families", action="store_true", help="one file for each family that is not hidden")
    command.add_argument("--before", metavar="SNAPSHOT", help="an earlier snapshot: begin with what has changed")
    command.add_argument("--title", help="heading of the report")
    week = "hours of a full week where jobs have none of their own"
    command.add_argument("--contract-hours", type=float, metavar="HOURS", help=week)
    command.add_argument("--with-jobs", action="store_true", help="print a row per job")
    command.add_argument("--with-rationales", action="store_true", help="quote rationales")
    _add_limits_options(command)
    _add_mapping_options(command)
    _add_machine_options(command)


def _add_verify(add: Add) -> None:
    command = add("verify", report_commands.verify, "work every figure of a report out again")
    command.add_argument("report", help="file that `report` has written")
    command.add_argument("--snapshot", required=True, metavar="SOURCE", help="what it was made of: folder or file")
    command.add_argument("--before", metavar="SOURCE", help="the earlier snapshot, for a report of two")
    _add_mapping_options(command)
    _add_machine_options(command)


def _add_app(add: Add) -> None:
    command = add("app", showing.app, "show an explorer in the browser, on this machine only")
    command.add_argument("source", nargs="?", help="snapshot folder, or .jsonl/.json file; the sample if left out")
    command.add_argument("--before", metavar="SNAPSHOT", help="an earlier snapshot: show what has changed, too")
    command.add_argument("--title", help="heading of the page")
    command.add_argument("--port", type=int, default=0, help="port on this machine; any free one if left out")
    command.add_argument("--no-browser", action="store_true", help="only print the address")
    _add_limits_options(command)
    _add_mapping_options(command)


def _add_serve(add: Add) -> None:
    command = add("serve", commands.serve, "run the embedded tenant")
    command.add_argument("--records", metavar="FILE", help="records to serve, .jsonl or .jsonl.gz; else invented ones")
    command.add_argument("--port", type=int, default=0, help="port on this machine; any free one if left out")
    command.add_argument("--no-lists", action="store_true", help="do as a tenant without lists of jobs and families")
    for name, where in (("--fault", "the export"), ("--token-fault", "the token endpoint")):
        said = f"what goes wrong with every request to {where}, or with one; see tpanalytics.demo.faults"
        command.add_argument(name, action="append", type=_fault, default=[], metavar="NAME[:REQUEST]", help=said)
    _add_mapping_options(command)


def _add_snapshots(add: Add) -> None:
    command = add("snapshots", commands.snapshots, "list snapshots, and remove old ones")
    command.add_argument("root", nargs="?", default="data", help="where to look (%(default)s)")
    command.add_argument("--prune", type=int, metavar="N", help="remove all but the newest N of each tenant")
    command.add_argument("--dry-run", action="store_true", help="with --prune: only say what would be removed")
    _add_machine_options(command)


def _add_checked(add: Add) -> None:
    command = add("check-share", commands.check_share, "list what files carry, before they are handed on")
    command.add_argument("files", nargs="+", metavar="FILE", help="see tpanalytics.check_share for the kinds")
    _add_machine_options(command)


def _add_doctor(add: Add) -> None:
    command = add("doctor", commands.doctor, "check settings, token and version")
    _add_settings_options(command)
    _add_machine_options(command)


def _fault(text: str) -> tuple[int, Any]:
    """Read the number of a request, 0 for all, and what goes wrong with it."""
    from tpanalytics.demo import faults

    name, _, number = text.partition(":")
    if name not in faults.__all__ or not (number or "0").isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no fault; choose from {', '.join(faults.__all__)}")
    return int(number or 0), getattr(faults, name)()
