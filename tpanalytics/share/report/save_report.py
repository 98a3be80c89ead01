"""Put a report together: measure once, make each section's table and charts, fill the page."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from tpanalytics.errors import ShareError, collected, warn
from tpanalytics.formatting import plural, printable
from tpanalytics.measures._core.weights import WEIGHTS
from tpanalytics.measures.privacy.policy import USUAL, said_of_hidden
from tpanalytics.schema import COUNTED_STATES, NO_FAMILY, provenance
from tpanalytics.share.report import evidence
from tpanalytics.share.report.cards import cards, sentences
from tpanalytics.share.report.embed import Picture, library, picture, script_safe
from tpanalytics.share.report.results import measure_all
from tpanalytics.share.report.scope import ReportScope, resolve_scope
from tpanalytics.share.report.sections.catalog import SECTIONS
from tpanalytics.share.report.tables import ReportTable, printed, why_not
from tpanalytics.share.save import path_of, save_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import polars as pl

    from tpanalytics.measures._core.metadata import Meaning
    from tpanalytics.measures.privacy.policy import Privacy
    from tpanalytics.schema import TaskProfiles
    from tpanalytics.share.report.sections.section import Section

__all__ = ["render", "save_report"]

#: Bytes that a page may have; charts beyond it stay pictures only.
_ROOM = 1_400_000
#: Characters from which on a cell needs a wide column, even on a narrow screen.
_LONG = 40


@dataclass(frozen=True)
class _Part:
    """A section with its answer."""

    section: Section
    table: ReportTable
    rows: list[list[str]]
    long: set[str]
    notes: list[str]
    charts: list[Picture]
    instead: list[str]
    code: str
    level: str


def save_report(
    profiles: TaskProfiles,
    path: str | Path,
    *,
    families: str | None = None,
    before: TaskProfiles | None = None,
    states: Sequence[str] = COUNTED_STATES,
    level_weights: Mapping[str, float] = WEIGHTS,
    contract_hours: float | None = None,
    privacy: Privacy | None = USUAL,
    title: str | None = None,
    rationales: bool = False,
    jobs: bool = False,
) -> Path:
    """Write a report of a company, or of one job family, as one file that needs no network.

    It opens from an e-mail in any browser and prints to A4. Charts are pictures first, and answer to the pointer where
    scripts may run; below each stands its table. Every file says of which snapshot, with which choices and versions it
    was made, and the Python that gives each figure; `verify_report` works them all out again.

    Single jobs, their names and rationales stay out unless asked for; small groups are hidden. What is hidden is
    settled over the whole company, so that a family's own report tells no more than the company's.

    Parameters
    ----------
    profiles
        As for the measures; those of the whole company, for a family's report too.
    path
        Ends in ``.html``. Missing folders are made.
    families
        Name of one family to report on; None for the company.
    before
        An earlier snapshot of the same company: the report then begins with what has changed.
    states
        Validation states that count.
    level_weights
        Weight of each level in the exposure index.
    contract_hours
        Hours of a full week where jobs have none of their own, for the bounds of the index.
    privacy
        How few jobs or people a figure may tell of; None hides nothing.
    title
        Heading; by default one that says what the report is about.
    rationales
        Quote rationales of the highly automatable tasks with the most hours.
    jobs
        Print a row per job; those of few people are still hidden.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    ShareError
        If the suffix does not fit, there is no such family, or the file cannot be written.
    SchemaError
        If a column is missing, or a choice cannot be.

    Warns
    -----
    TpAnalyticsWarning
        If tasks are in a state that is neither counted nor ``rejected``.

    Examples
    --------
    >>> from tpanalytics import load_sample
    >>> path = save_report(load_sample(), "report.html")
    >>> path.stat().st_size < 1_500_000
    True
    """
    path = path_of(path)
    if path.suffix.lower() != ".html":
        raise ShareError(f"{path}: a report is written as .html; give a path that ends so.")
    scope = resolve_scope(
        profiles,
        families=families,
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


def render(scope: ReportScope, made: str) -> str:
    """Make the page; the same data, choices, versions and time give the same page."""
    with collected() as texts:
        sections = [section for section in SECTIONS if section.when(scope)]
        results = measure_all(scope, sections)
        parts = [_part(section, scope, results.frames[section.key]) for section in sections]
    for text in dict.fromkeys(texts):
        warn(text)  # each once, however many measures report it
    block = evidence.block(scope, [(part.section, part.table) for part in parts], made)
    pictures = [chart for part in parts for chart in part.charts]
    of_group = {
        group: [part for part in parts if part.section.group == group] for group in ("change", "answer", "quality")
    }
    context = {
        **_texts(),
        "title": _title(scope),
        "made": made,
        "date": _day(made),
        "standfirst": _standfirst(scope),
        "cards": cards(scope, results),
        "blank": _blank(scope),
        "sentences": sentences(scope, results),
        "contents": _contents(of_group),
        "changes": of_group["change"],
        "answers": of_group["answer"],
        "quality": of_group["quality"],
        "provenance": provenance(scope.profiles.manifest),
        "method_lead": "What each figure is and by which rules it was made, as the measures themselves say it.",
        "method": _method(parts),
        "privacy_said": _of_privacy(scope),
        "command": f"tpanalytics verify REPORT.html --snapshot FOLDER{' --before FOLDER' if scope.before else ''}",
        "facts": _facts(block),
        "preamble": evidence.preamble(scope),
        "parts": parts,
        "version": block["versions"]["tpanalytics"],
        "evidence": script_safe(block),
    }
    page: str = _template().render(**context, live=[], library="")
    fits, size = [], len(page.encode()) + (len(library()) if pictures else 0)
    for chart in pictures:
        size += len(chart.spec.encode()) + 80
        if size > _ROOM:
            break
        fits.append({"key": chart.key, "spec": chart.spec})
    return page if not fits else str(_template().render(**context, live=fits, library=library()))


def _part(section: Section, scope: ReportScope, frame: pl.DataFrame) -> _Part:
    table = section.table(scope, frame)
    suppressed = bool(section.charts) and scope.all_hidden and scope.family is not None
    charts = () if suppressed else section.charts
    keys = [section.key, *(f"{section.key}-{place}" for place in range(2, len(charts) + 1))]
    rows = [[printable(cell) or "" for cell in row] for row in printed(table)]
    return _Part(
        section=section,
        table=table,
        rows=rows,
        long={
            column.name for place, column in enumerate(table.columns) if any(len(row[place]) > _LONG for row in rows)
        },
        notes=[*table.notes, *why_not(table)],
        charts=[picture(chart.of(scope.part, scope), key) for chart, key in zip(charts, keys, strict=False)],
        instead=["Hidden: too few jobs or people stand behind this family, or behind one it protects."] * suppressed,
        code=evidence.code_of(section, scope),
        level="h3" if section.group == "quality" else "h2",
    )


def _title(scope: ReportScope) -> str:
    if scope.title is not None:
        return printable(scope.title) or "Report"
    about = "Jobs without a family" if scope.family == NO_FAMILY else scope.family
    what = "what AI could change, and what has changed" if scope.before else "what AI could change"
    return printable(f"{about}: {what}" if about else f"{what[0].upper()}{what[1:]}, by job family") or ""


def _standfirst(scope: ReportScope) -> str:
    jobs = scope.shown.jobs
    if scope.all_hidden or not jobs.height:
        return provenance(scope.profiles.manifest)
    tasks = plural(scope.shown.tasks.height, "task")
    if scope.family is not None:
        return f"{plural(jobs.height, 'job')} with {tasks}, beside the whole company. Figures by AI impact level."
    families = plural(jobs.get_column("job_family").drop_nulls().n_unique(), "job family")
    lone = jobs.get_column("job_family").null_count()
    without = f", {plural(lone, 'job')} without one" if lone else ""
    return f"{families} with {plural(jobs.height, 'job')} and {tasks}{without}. What is not known is shown as such."


def _blank(scope: ReportScope) -> list[str]:
    """Say what there is nothing to say about."""
    if not scope.shown.jobs.height:
        return ["There are no jobs in these task profiles, so there is nothing to report."]
    if scope.all_hidden:
        what = "This family is hidden" if scope.family is not None else "Every job family is hidden"
        return [f"{what}: its figures would tell of too few jobs or people, and so would a total."]
    said = []
    if not scope.shown.tasks.height:
        said.append("No task is described, so nothing can be said of hours or of AI impact.")
    elif not scope.shown.tasks.get_column("weekly_hours").count():
        said.append("No task has hours, so nothing here is weighed by time; hours that are not known are not zero.")
    return said


def _of_privacy(scope: ReportScope) -> str:
    if scope.limits.off:
        return "Nothing is hidden, however few jobs or people it tells of."
    families = scope.profiles.jobs.get_column("job_family").fill_null(NO_FAMILY).n_unique()
    if scope.family is not None:
        limits = f"{scope.limits.min_jobs} jobs or {scope.limits.min_headcount:g} people"
        return f"Families of fewer than {limits} are hidden, and others that would tell of them."
    return said_of_hidden(len(scope.hidden), families, scope.limits)


def _contents(of_group: Mapping[str, Sequence[_Part]]) -> list[tuple[str, str]]:
    answers = [(part.section.key, part.section.question) for part in (*of_group["change"], *of_group["answer"])]
    return [
        ("headline", "In short"),
        *answers,
        ("quality", "How good are the data?"),
        ("method", "Method and assumptions"),
        ("evidence", "Evidence"),
    ]


def _method(parts: Sequence[_Part]) -> list[dict[str, Any]]:
    """Say in plain words what each figure is and by which rules it was made; what holds for several only once."""
    meanings: dict[str, tuple[str, Meaning]] = {}
    for part in parts:
        if part.table.meaning is not None:
            meanings.setdefault(part.table.meaning.measure, (part.section.question, part.table.meaning))
    times = Counter(line for _, meaning in meanings.values() for line in dict.fromkeys(meaning.policy))
    common = [line for line, n in times.items() if n > 1]
    states = dict.fromkeys(meaning.states for _, meaning in meanings.values() if meaning.states)
    counted = next(iter(states), ())
    general = [
        f"Tasks count whose validation state is {' or '.join(counted)}; rejected ones do not, unless it is said.",
        "Grade by how much is known: A from 90 %, B from 70 %, C below. Quote no figure of grade C alone.",
        *common,
    ]
    said = [{"head": "For all figures", "value": "", "lines": general}]
    for question, meaning in meanings.values():
        divided = f": {meaning.numerator} divided by {meaning.denominator}" if meaning.denominator else ""
        lines = [line for line in meaning.policy if line not in common]
        if meaning.level_weights:
            level_weights = ", ".join(f"{level} {weight:g}" for level, weight in meaning.level_weights.items())
            lines.append(f"Weights of the levels: {level_weights}.")
        if meaning.interval:
            lines.append(f"Interval: {meaning.interval.rstrip('.')}.")
        value = f"{meaning.value[:1].upper()}{meaning.value[1:]}{divided}. Unit: {meaning.unit}."
        said.append({"head": question, "value": value, "lines": lines})
    return said


def _facts(block: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Write the evidence out for a reader."""
    facts = []
    for name, told in (("Snapshot", block["snapshot"]), ("Snapshot before", block["before"])):
        if told is None:
            continue
        facts.append((name, told["provenance"]))
        if told["content_sha256"]:
            facts.append((f"{name}, hash in its manifest", told["content_sha256"]))
        facts.append((f"{name}, hash worked out from both tables", told["computed_sha256"]))
        if told["request"]:
            facts.append((f"{name}, as asked for", script_safe(told["request"])))
    chosen = block["choices"]
    privacy = chosen["privacy"]
    limits = (
        "none; nothing is hidden"
        if privacy is None
        else f"at least {privacy['min_jobs']} jobs and {privacy['min_headcount']:g} people"
    )
    facts += [
        ("Family", chosen["families"] or "all"),
        ("States that count", ", ".join(chosen["states"])),
        ("Weights", ", ".join(f"{level} {weight:g}" for level, weight in chosen["level_weights"].items())),
        ("Contract hours", f"{chosen['contract_hours']:g}" if chosen["contract_hours"] else "those of the jobs"),
        ("Smallest groups shown", limits),
        ("Versions", ", ".join(f"{name} {number}" for name, number in block["versions"].items())),
        ("Made", block["made"]),
        ("Hash of this evidence", block["sha256"]),
    ]
    return facts


def _day(made: str) -> str:
    day = datetime.fromisoformat(made)
    return f"{day.day} {day:%B} {day.year}"


@cache
def _template() -> Any:
    import jinja2

    kept = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return kept.from_string(_look("page.html.j2"))


def _texts() -> dict[str, Any]:
    return {"style": _look("style.css"), "script": _look("live.js")}


def _look(name: str) -> str:
    return (files("tpanalytics.share.report") / "assets" / name).read_text(encoding="utf-8")
