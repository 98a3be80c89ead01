"""A report made by a notebook of one's own: which parameters it gets, and from which snapshot."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import tpanalytics as tpa
from tpanalytics.share.notebook import parameters_of, run_notebook

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

__all__ = ["allowed", "by_notebook"]


def allowed(arguments: argparse.Namespace) -> None:
    """Check that the notebook can do what is asked for.

    Raises
    ------
    ConfigError
        If it cannot, says which parameter it lacks; or if it wants a family and none is named.
    ShareError
        If it is no notebook with parameters.
    """
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


def by_notebook(
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
