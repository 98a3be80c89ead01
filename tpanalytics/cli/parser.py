"""Command-line parser."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any, get_args

import tpanalytics as tpa
from tpanalytics.api.export import INCLUDES
from tpanalytics.api.settings import SECRETS, SETTINGS
from tpanalytics.cli import app as app_command, commands, report_commands
from tpanalytics.measures.privacy.policy import USUAL
from tpanalytics.typing import OtherJobs, StaffWeight, Vendor, Weight

__all__ = ["parser"]

#: Function for adding a command with a name, function and help text.
Add = Callable[[str, Any, str], argparse.ArgumentParser]

_SOURCE = "snapshot folder, or .jsonl or .json file of records (default: the sample data)"
_PORT = "local port (default: any free port)"


def parser() -> argparse.ArgumentParser:
    """Return the argument parser. The parsed arguments contain the command's function as `run`."""
    result = argparse.ArgumentParser(
        prog="tpanalytics",
        description="Weekly hours and AI impact of jobs.",
        epilog="Example: tpanalytics summary data/2026-05 --weight tasks",
    )
    result.add_argument("--version", action="version", version=f"tpanalytics {tpa.__version__}")
    subparsers = result.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, run: Any, help_: str) -> argparse.ArgumentParser:
        command = subparsers.add_parser(name, help=help_, description=run.__doc__)
        command.set_defaults(run=run)
        return command

    for add_command in (
        _add_demo,
        _add_export,
        _add_summary,
        _add_report,
        _add_verify,
        _add_app,
        _add_serve,
        _add_snapshots,
        _add_check_share,
        _add_doctor,
    ):
        add_command(add)
    return result


def _add_json_option(command: argparse.ArgumentParser) -> None:
    command.add_argument("--json", action="store_true", help="print JSON instead of text")


def _add_mapping_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--jobs", metavar="FILE", help="mapping file: job_id, job_name, job_family_id, …")
    names = "mapping file: job_family_id, job_family_name, …; requires --jobs"
    command.add_argument("--family-names", metavar="FILE", help=names)


def _add_group_option(command: argparse.ArgumentParser) -> None:
    by = (
        "group by this column of the jobs, people or tasks; repeat it or separate columns with commas "
        "(default: job_family; 'none': all jobs together)"
    )
    command.add_argument("--by", action="append", default=None, metavar="COLUMN", help=by)


def _add_privacy_options(command: argparse.ArgumentParser) -> None:
    text = "suppress groups with fewer {} (default: %(default)g; 0 to disable)"
    command.add_argument("--min-jobs", type=int, default=USUAL.min_jobs, metavar="N", help=text.format("jobs"))
    people = text.format("people, if the headcount is known")
    command.add_argument("--min-headcount", type=float, default=USUAL.min_headcount, metavar="N", help=people)


def _add_settings_options(command: argparse.ArgumentParser) -> None:
    group = command.add_argument_group("settings", "default: TPANALYTICS_… in the environment or .env")
    for name, description in SETTINGS.items():
        if name not in SECRETS:
            group.add_argument(f"--{name.replace('_', '-')}", help=description)
    no_cache = "request a new token and do not store it"
    command.add_argument("--no-token-cache", action="store_true", help=no_cache)


def _add_demo(add: Add) -> None:
    command = add("demo", commands.demo, "run all steps with a fictional company")
    command.add_argument(
        "--out", default="tpanalytics-demo", metavar="FOLDER", help="output folder (default: %(default)s)"
    )
    _add_json_option(command)


def _add_export(add: Add) -> None:
    command = add("export", commands.export, "export a tenant to a snapshot folder")
    command.add_argument("folder", help="snapshot folder to write")
    include = "field to request (default: ai_impact and weekly_hours); can be repeated"
    command.add_argument("--include", action="append", choices=INCLUDES, help=include)
    command.add_argument("--filter", action="append", default=[], metavar="JSON", help="filter object; can be repeated")
    response_format = "tasks as a list, or grouped in a hierarchy (default: %(default)s)"
    command.add_argument("--response-format", choices=("list", "hierarchy"), default="list", help=response_format)
    families = command.add_mutually_exclusive_group()
    only = "load only these job families, by id or, if the tenant lists them, by name; can be repeated"
    families.add_argument("--families", action="extend", nargs="+", metavar="NAME_OR_ID", help=only)
    lists = "load all jobs, with names and families from the tenant's lists"
    families.add_argument("--family-lists", action="store_true", help=lists)
    others = "with --families, do not load other jobs, or load them without a job family (default: %(default)s)"
    command.add_argument("--other-jobs", choices=get_args(OtherJobs), default="drop", help=others)
    states = "validation states that measures count by default, such as validated"
    command.add_argument("--states", action="extend", nargs="+", metavar="STATE", help=states)
    on_bad_record = "stop at an invalid record, or skip and list it (default: %(default)s)"
    command.add_argument("--on-bad-record", choices=("raise", "collect"), default="raise", help=on_bad_record)
    command.add_argument("--external-vendor", choices=get_args(Vendor), help="vendor of the skill names")
    command.add_argument(
        "--limit", type=int, default=100, metavar="N", help="jobs per page, 1 to 100 (default: %(default)s)"
    )
    workers = "number of parallel downloads (default: 1); requires --family-lists or --families"
    command.add_argument("--workers", type=int, default=1, metavar="N", help=workers)
    command.add_argument("--no-resume", action="store_true", help="start over instead of resuming an unfinished export")
    by = "afterwards, also print a summary by this column, as `tpanalytics summary --by`; 'none': all jobs together"
    command.add_argument("--by", action="append", default=None, metavar="COLUMN", help=by)
    _add_mapping_options(command)
    _add_settings_options(command)
    _add_json_option(command)


def _add_summary(add: Add) -> None:
    command = add("summary", commands.summary, "print weekly hours and AI impact per job family or other group")
    command.add_argument("source", nargs="?", help=_SOURCE)
    weight = "unit of the shares per AI impact level (default: hours, or headcount if --by is a column of people)"
    command.add_argument("--weight", choices=get_args(Weight), help=weight)
    _add_group_option(command)
    _add_privacy_options(command)
    _add_mapping_options(command)
    _add_json_option(command)


def _add_report(add: Add) -> None:
    command = add("report", report_commands.report, "write an HTML report of the company or of each group of jobs")
    command.add_argument("source", nargs="?", help=_SOURCE)
    out = "file to write (.html; .ipynb with --notebook), or a folder with --all-groups"
    command.add_argument("--out", required=True, metavar="FILE", help=out)
    notebook = "run this notebook and save its output as the report; see notebooks/09_family_report.ipynb"
    command.add_argument("--notebook", metavar="IPYNB", help=notebook)
    _add_group_option(command)
    groups = command.add_mutually_exclusive_group()
    groups.add_argument("--group", metavar="NAME", help="report on this job family, or group of --by, only")
    groups.add_argument("--all-groups", action="store_true", help="write one file per group that is not suppressed")
    weight = "what shares and the index add up (default: hours, or headcount if --by is a column of people)"
    command.add_argument("--weight", choices=get_args(StaffWeight), help=weight)
    command.add_argument("--before", metavar="SNAPSHOT", help="earlier snapshot to compare with")
    command.add_argument("--title", help="title of the report")
    week = "contract hours per week of jobs that have none"
    command.add_argument("--contract-hours", type=float, metavar="HOURS", help=week)
    command.add_argument("--with-jobs", action="store_true", help="include a table of jobs")
    command.add_argument("--with-rationales", action="store_true", help="include rationales")
    _add_privacy_options(command)
    _add_mapping_options(command)
    _add_json_option(command)


def _add_verify(add: Add) -> None:
    command = add("verify", report_commands.verify, "recompute the figures of a report and compare them")
    command.add_argument("report", help="file written by `tpanalytics report`")
    command.add_argument("--snapshot", required=True, metavar="SOURCE", help="snapshot folder or file of the report")
    command.add_argument("--before", metavar="SOURCE", help="earlier snapshot, if the report compares two")
    _add_mapping_options(command)
    _add_json_option(command)


def _add_app(add: Add) -> None:
    command = add("app", app_command.app, "open the explorer in the browser")
    command.add_argument("source", nargs="?", help=_SOURCE)
    command.add_argument("--before", metavar="SNAPSHOT", help="earlier snapshot to compare with")
    _add_group_option(command)
    command.add_argument("--title", help="title of the page")
    command.add_argument("--port", type=int, default=0, help=_PORT)
    command.add_argument("--no-browser", action="store_true", help="print the address without opening a browser")
    _add_privacy_options(command)
    _add_mapping_options(command)


def _add_serve(add: Add) -> None:
    command = add("serve", commands.serve, "run the demo server")
    records = ".jsonl or .jsonl.gz file to serve (default: the fictional company)"
    command.add_argument("--records", metavar="FILE", help=records)
    command.add_argument("--port", type=int, default=0, help=_PORT)
    command.add_argument("--no-lists", action="store_true", help="do not serve lists of jobs and families")
    for name, endpoint in (("--fault", "export"), ("--token-fault", "token"), ("--task-fault", "task")):
        fault = f"fail all {endpoint} requests, or request number REQUEST; see tpanalytics.demo.faults for names"
        command.add_argument(name, action="append", type=_fault, default=[], metavar="NAME[:REQUEST]", help=fault)
    _add_mapping_options(command)


def _add_snapshots(add: Add) -> None:
    command = add("snapshots", commands.snapshots, "list snapshots or delete old ones")
    command.add_argument("root", nargs="?", default="data", help="folder of snapshots (default: %(default)s)")
    command.add_argument("--prune", type=int, metavar="N", help="delete all but the newest N snapshots of each tenant")
    command.add_argument("--dry-run", action="store_true", help="with --prune, only list what would be deleted")
    _add_json_option(command)


def _add_check_share(add: Add) -> None:
    command = add("check-share", commands.check_share, "check files for sensitive content before sharing")
    command.add_argument(
        "files", nargs="+", metavar="FILE", help="file to check; see tpanalytics.check_share for supported types"
    )
    _add_json_option(command)


def _add_doctor(add: Add) -> None:
    command = add("doctor", commands.doctor, "check settings, token and API version")
    _add_settings_options(command)
    _add_json_option(command)


def _fault(text: str) -> tuple[int, Any]:
    """Parse NAME[:REQUEST] into a request number (0 for all requests) and a fault."""
    from tpanalytics.demo import faults

    name, _, number = text.partition(":")
    if name not in faults.__all__ or not (number or "0").isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a fault. Use one of {', '.join(map(repr, faults.__all__))}.")
    return int(number or 0), getattr(faults, name)()
