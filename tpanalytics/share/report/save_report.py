"""Render a report as an HTML page."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import polars as pl

from tpanalytics.charts._core.grouping import capitalized
from tpanalytics.errors import ShareError, collect_warnings, warn
from tpanalytics.formatting import clean_text, plural
from tpanalytics.measures._core.groups import BY_FAMILY, noun
from tpanalytics.measures._core.metadata import STATES_UNKNOWN, states_unknown
from tpanalytics.measures._core.weights import WEIGHTS
from tpanalytics.measures.privacy.group_counts import counts_fte
from tpanalytics.measures.privacy.policy import FTE_NOTE, USUAL, suppression_note
from tpanalytics.schema import provenance
from tpanalytics.share.report import evidence
from tpanalytics.share.report.cards import cards, sentences
from tpanalytics.share.report.embed import Picture, library, picture, script_safe
from tpanalytics.share.report.results import measure_all
from tpanalytics.share.report.scope import ReportScope, resolve_scope
from tpanalytics.share.report.sections.catalog import SECTIONS
from tpanalytics.share.report.tables import ReportTable, printed, reason_notes
from tpanalytics.share.save import output_path, save_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from tpanalytics.measures._core.metadata import Meaning
    from tpanalytics.measures.privacy.policy import Privacy
    from tpanalytics.schema import TaskProfiles
    from tpanalytics.share.report.sections.section import Section
    from tpanalytics.typing import By, StaffWeight

__all__ = ["render", "save_report"]

#: Maximum page size in bytes. Charts that would exceed it are only included as images.
_MAX_SIZE = 1_400_000
#: Use a wide column if a cell has more characters than this.
_WIDE_CELL = 40


@dataclass(frozen=True)
class _Part:
    """A section with its table and charts."""

    section: Section
    table: ReportTable
    rows: list[list[str]]
    long: set[str]
    notes: list[str]
    charts: list[Picture]
    replacement: list[str]
    code: str
    level: str


def save_report(
    profiles: TaskProfiles,
    path: str | Path,
    *,
    by: By = BY_FAMILY,
    groups: str | Sequence[str] | None = None,
    weight: StaffWeight | None = None,
    before: TaskProfiles | None = None,
    states: Sequence[str] | None = None,
    level_weights: Mapping[str, float] = WEIGHTS,
    contract_hours: float | None = None,
    privacy: Privacy | None = USUAL,
    title: str | None = None,
    rationales: bool = False,
    jobs: bool = False,
) -> Path:
    """Write a report on a company or one of its groups of jobs to a single offline HTML file.

    The report opens in any browser and can be printed on A4. Charts are images that become interactive if scripts are
    allowed, with tables below. Missing data are never shown as zero. The report documents the snapshot, arguments,
    library versions and Python code behind every figure. Use `verify_report` to recompute the figures.

    Small groups are suppressed across the whole company, so a report on one group doesn't reveal more than the company
    report. Individual jobs and rationales are only included on request.

    Parameters
    ----------
    profiles
        The whole company's task profiles, even for a report on one group.
    path
        Output file, which must end in ``.html``. Missing folders are created.
    by
        How to group jobs: a column of `jobs`, `people` or `tasks`, a list of columns, or None for all jobs together.
        With a column of `people`, a job counts in every group that has people in it, and shares and the index are
        weighted by people if their number is known. With a column of `tasks`, jobs count where they have at least one
        such task.
    groups
        Name of the group to report on, such as ``"Finance"`` or ``["Finance"]``, or ``"Finance · BE"`` for two columns.
        Requires columns of `jobs`. If None, the report covers all groups.
    weight
        What shares and the exposure index add up: ``"hours"``, ``"headcount"`` (hours of all people) or ``"fte"``. None
        means hours, or people if `by` is a column of `people`.
    before
        An earlier snapshot of the same company. If given, the report starts with the changes.
    states
        Validation states to count.
    level_weights
        Weight of each level in the exposure index.
    contract_hours
        Weekly contract hours to assume for jobs that don't state them. Used for the index bounds.
    privacy
        Thresholds for suppressing small groups. If `None`, nothing is suppressed.
    title
        Report heading. Defaults to the group and topic.
    rationales
        If `True`, quote the rationales of the H1 tasks with the most hours. Requires groups by columns of `jobs`.
    jobs
        If `True`, include one row per job. Jobs with few people are still suppressed. Requires groups by columns of
        `jobs`.

    Returns
    -------
    Path
        The file that was written.

    Raises
    ------
    ShareError
        If the suffix is not ``.html``, the group does not exist, or the file cannot be written.
    SchemaError
        If a column is missing, or `by` is not a column of `jobs`, `people` or `tasks`.
    ArgumentError
        If an argument is invalid.

    Warns
    -----
    TpAnalyticsWarning
        If tasks in an unknown validation state are excluded.

    Examples
    --------
    >>> from tpanalytics import load_sample
    >>> path = save_report(load_sample(), "report.html")
    >>> path.stat().st_size < 1_500_000
    True
    """
    path = output_path(path)
    if path.suffix.lower() != ".html":
        raise ShareError(f"`path` must end in .html, not {path.name!r}.")
    scope = resolve_scope(
        profiles,
        by=by,
        groups=groups,
        weight=weight,
        before=before,
        states=states,
        level_weights=level_weights,
        contract_hours=contract_hours,
        privacy=privacy,
        title=title,
        rationales=rationales,
        jobs=jobs,
    )
    return save_text(render(scope, datetime.now(UTC).isoformat(timespec="seconds")), path)


def render(scope: ReportScope, created: str) -> str:
    """Return the HTML page. The same scope, versions and time produce identical text."""
    with collect_warnings() as texts:
        sections = [section.worded(scope) for section in SECTIONS if section.when(scope)]
        results = measure_all(scope, sections)
        parts = [_part(section, scope, results.frames[section.key]) for section in sections]
    for text in dict.fromkeys(texts):
        warn(text)  # only once, even if several measures emit it
    block = evidence.block(scope, [(part.section, part.table) for part in parts], created)
    pictures = [chart for part in parts for chart in part.charts]
    by_group = {
        group: [part for part in parts if part.section.group == group] for group in ("change", "answer", "quality")
    }
    context = {
        "style": _asset("style.css"),
        "script": _asset("live.js"),
        "title": _title(scope),
        "created": created,
        "date": _day(created),
        "standfirst": _standfirst(scope),
        "cards": cards(scope, results),
        "empty_notes": _empty_notes(scope),
        "sentences": sentences(scope, results),
        "contents": _contents(by_group),
        "changes": by_group["change"],
        "answers": by_group["answer"],
        "quality": by_group["quality"],
        "provenance": provenance(scope.profiles.manifest),
        "method_lead": "Definition of each figure, and the rules it is based on.",
        "method": _method(parts),
        "privacy_note": _privacy_note(scope),
        "command": f"tpanalytics verify REPORT.html --snapshot FOLDER{' --before FOLDER' if scope.before else ''}",
        "facts": _facts(block),
        "preamble": evidence.preamble(scope),
        "parts": parts,
        "version": block["versions"]["tpanalytics"],
        "evidence": script_safe(block),
    }
    page: str = _template().render(**context, live=[], library="")
    live, size = [], len(page.encode()) + (len(library()) if pictures else 0)
    for chart in pictures:
        size += len(chart.spec.encode()) + 80
        if size > _MAX_SIZE:
            break
        live.append({"key": chart.key, "spec": chart.spec})
    return page if not live else str(_template().render(**context, live=live, library=library()))


def _part(section: Section, scope: ReportScope, frame: pl.DataFrame) -> _Part:
    table = section.table(scope, frame)
    suppressed = bool(section.charts) and scope.all_suppressed and scope.group is not None
    charts = () if suppressed else section.charts
    if not scope.grouping.by_family and not scope.has_charts_of_all:
        charts = tuple(chart for chart in charts if "by" in chart.choices)
    keys = [section.key, *(f"{section.key}-{n}" for n in range(2, len(charts) + 1))]
    rows = [[clean_text(cell) or "" for cell in row] for row in printed(table)]
    return _Part(
        section=section,
        table=table,
        rows=rows,
        long={column.name for n, column in enumerate(table.columns) if any(len(row[n]) > _WIDE_CELL for row in rows)},
        notes=[*table.notes, *reason_notes(table)],
        charts=[
            picture(chart.of(scope.company if section.drawn == "company" else scope.part, scope), key)
            for chart, key in zip(charts, keys, strict=False)
        ],
        replacement=[f"Suppressed: this {scope.grouping.one}, or another one it would reveal, is a small group."]
        * suppressed,
        code=evidence.code_of(section, scope),
        level="h3" if section.group == "quality" else "h2",
    )


def _title(scope: ReportScope) -> str:
    if scope.title is not None:
        return clean_text(scope.title) or "Report"
    grouping, group = scope.grouping, scope.group
    name = f"Jobs without a {grouping.one}" if group is not None and group == grouping.missing_label else group
    topic = "AI impact and changes" if scope.before else "AI impact"
    by_group = f" by {grouping.name}" if scope.by is not None else ""
    return clean_text(f"{name}: {topic}" if name else f"{topic}{by_group}") or ""


def _standfirst(scope: ReportScope) -> str:
    jobs = scope.shown.jobs
    if scope.all_suppressed or not jobs.height:
        return provenance(scope.profiles.manifest)
    tasks = plural(scope.shown.tasks.height, "task")
    if rejected := scope.shown.tasks.filter(pl.col("validation_state").cast(pl.String) == "rejected").height:
        tasks += f" ({rejected:,} rejected)"
    if scope.group is not None:
        return f"{plural(jobs.height, 'job')} with {tasks}, compared with the whole company."
    if scope.by is None:
        return f"{plural(jobs.height, 'job')} with {tasks}. Missing data are shown as missing."
    grouping, members = scope.grouping, scope.members.get_column("group")
    groups = grouping.counted(members.filter(members != grouping.missing_label).n_unique())
    without = (members == grouping.missing_label).sum()
    note = f" {plural(without, 'job')} {'has' if without == 1 else 'have'} no {grouping.one}." if without else ""
    return f"{groups} with {plural(jobs.height, 'job')} and {tasks}.{note} Missing data are shown as missing."


def _empty_notes(scope: ReportScope) -> list[str]:
    if not scope.shown.jobs.height:
        return ["These task profiles contain no jobs, so there is nothing to report."]
    if scope.all_suppressed:
        grouping = scope.grouping
        subject = f"This {grouping.one} is suppressed: its figures, and any total,"
        if scope.group is None:
            subject = f"Every {grouping.noun} is suppressed: its figures, and any total,"
        if scope.by is None:
            subject = "All figures are suppressed: they"
        return [f"{subject} would reveal a small group of jobs or people."]
    if not scope.shown.tasks.height:
        return ["The jobs have no tasks, so hours and AI impact are unknown."]
    if not scope.shown.tasks.get_column("weekly_hours").count():
        return ["No task has hours, so figures weighted by hours are missing. Missing hours are not counted as zero."]
    return []


def _privacy_note(scope: ReportScope) -> str:
    if scope.limits.off:
        return "Small groups are not suppressed in this report."
    grouping, snapshots = scope.grouping, [side for side in (scope.before, scope.profiles) if side is not None]
    fte = bool(scope.limits.min_headcount) and any(counts_fte(side, scope.by) for side in snapshots)
    if scope.group is not None:
        limits = f"{scope.limits.min_jobs} jobs or {scope.limits.min_headcount:g} people"
        revealing = f"{grouping.many} that would reveal them"
        note = f" {FTE_NOTE}" * fte
        return f"{capitalized(grouping.nouns)} with fewer than {limits} are suppressed, as are {revealing}.{note}"
    groups = scope.members.get_column("group").n_unique()
    return suppression_note(len(scope.suppressed), groups, scope.limits, grouping.noun, fte=fte)


def _contents(by_group: Mapping[str, Sequence[_Part]]) -> list[tuple[str, str]]:
    answers = [(part.section.key, part.section.question) for part in (*by_group["change"], *by_group["answer"])]
    return [
        ("headline", "Summary"),
        *answers,
        ("quality", "How good are the data?"),
        ("method", "Method and assumptions"),
        ("evidence", "Evidence"),
    ]


def _method(parts: Sequence[_Part]) -> list[dict[str, Any]]:
    """Return each measure's definition and rules, listing shared rules only once."""
    meanings: dict[str, tuple[str, Meaning]] = {}
    for part in parts:
        if part.table.meaning is not None:
            meanings.setdefault(part.table.meaning.measure, (part.section.question, part.table.meaning))
    counts = Counter(line for _, meaning in meanings.values() for line in dict.fromkeys(meaning.policy))
    common = [line for line, n in counts.items() if n > 1]
    states = next((meaning.states for _, meaning in meanings.values() if meaning.states), ())
    counted = f"Tasks in state {' or '.join(states)} are counted. Rejected tasks are excluded unless stated otherwise."
    if any(states_unknown(meaning) for _, meaning in meanings.values()):
        counted = STATES_UNKNOWN
    general = [
        counted,
        "Data grade A: coverage of at least 90%. B: at least 70%. C: below 70%; do not quote on its own.",
        *common,
    ]
    rules = [{"head": "All figures", "value": "", "lines": general}]
    for question, meaning in meanings.values():
        divided = f": {meaning.numerator} divided by {meaning.denominator}" if meaning.denominator else ""
        lines = [line for line in meaning.policy if line not in common]
        if meaning.level_weights:
            level_weights = ", ".join(f"{level} {weight:g}" for level, weight in meaning.level_weights.items())
            lines.append(f"Level weights: {level_weights}.")
        if meaning.interval:
            lines.append(f"Interval: {meaning.interval.rstrip('.')}.")
        value = f"{meaning.value[:1].upper()}{meaning.value[1:]}{divided}. Unit: {meaning.unit}."
        rules.append({"head": question, "value": value, "lines": lines})
    return rules


def _facts(block: Mapping[str, Any]) -> list[tuple[str, str]]:
    facts = []
    for name, snapshot in (("Snapshot", block["snapshot"]), ("Earlier snapshot", block["before"])):
        if snapshot is None:
            continue
        facts.append((name, snapshot["provenance"]))
        if snapshot["content_sha256"]:
            facts.append((f"{name}, hash in the manifest", snapshot["content_sha256"]))
        facts.append((f"{name}, hash computed from the tables", snapshot["computed_sha256"]))
        if snapshot["request"]:
            facts.append((f"{name}, request", script_safe(snapshot["request"])))
    choices = block["choices"]
    privacy = choices["privacy"]
    limits = (
        "no limit; nothing is suppressed"
        if privacy is None
        else f"at least {privacy['min_jobs']} jobs and {privacy['min_headcount']:g} people"
    )
    facts += [
        *_group_facts(choices),
        ("Validation states", ", ".join(choices["states"])),
        ("Level weights", ", ".join(f"{level} {weight:g}" for level, weight in choices["level_weights"].items())),
        ("Contract hours", f"{choices['contract_hours']:g}" if choices["contract_hours"] else "as stated for each job"),
        ("Smallest groups shown", limits),
        ("Versions", ", ".join(f"{name} {number}" for name, number in block["versions"].items())),
        ("Created", block["made"]),
        ("Hash of the evidence", block["sha256"]),
    ]
    return facts


def _group_facts(choices: Mapping[str, Any]) -> list[tuple[str, str]]:
    by = choices["by"]
    if by is None:
        return [("Groups", "none, all jobs together")]
    name = noun([by] if isinstance(by, str) else by)
    return [(capitalized(name), choices["groups"] or "all")]


def _day(created: str) -> str:
    day = datetime.fromisoformat(created)
    return f"{day.day} {day:%B} {day.year}"


@cache
def _template() -> Any:
    import jinja2

    undefined = jinja2.StrictUndefined
    environment = jinja2.Environment(autoescape=True, undefined=undefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(_asset("page.html.j2"))


def _asset(name: str) -> str:
    return (files("tpanalytics.share.report") / "assets" / name).read_text(encoding="utf-8")
