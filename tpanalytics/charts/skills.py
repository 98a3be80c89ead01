"""Chart of AI impact levels per skill."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import polars as pl

from tpanalytics.charts._core import captions, frame, theme
from tpanalytics.charts._core.frame import SideColumn
from tpanalytics.charts._core.grouping import grouping
from tpanalytics.charts._core.level_bars import level_bars
from tpanalytics.formatting import NONE, clean_text, coverage_percent, listed, percent, plural, total
from tpanalytics.measures._core.aggregate import known_sum
from tpanalytics.measures._core.cache import with_cache
from tpanalytics.measures._core.checks import check_whole
from tpanalytics.measures._core.groups import noun
from tpanalytics.measures._core.metadata import NULL_REASONS
from tpanalytics.measures._core.staff import NEEDED
from tpanalytics.measures.about import about
from tpanalytics.measures.privacy.policy import FTE_NOTE, USUAL
from tpanalytics.measures.privacy.release import filter_groups
from tpanalytics.measures.skills import ALL_TASKS, NO_SKILL, skills
from tpanalytics.schema import level_order

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    import altair as alt

    from tpanalytics.measures._core.metadata import Meaning
    from tpanalytics.measures.privacy.policy import Privacy
    from tpanalytics.schema import TaskProfiles
    from tpanalytics.typing import By, Weight

__all__ = ["plot_skills"]

_WIDTH, _ROW, _NAME = 480, 29, 34
#: Labels of rows that are not skills.
_LABELS = {ALL_TASKS: "all tasks", NO_SKILL: "no skill"}
_UNIT = {
    "tasks": "tasks",
    "hours": "documented weekly hours",
    "headcount": "weekly hours of all people",
    "fte": "weekly hours of all full-time equivalents",
}
_HEADERS = {
    "tasks": ["", "tasks"],
    "hours": ["weekly", "hours"],
    "headcount": ["weekly hours,", "all people"],
    "fte": ["weekly hours,", "all FTE"],
}
_KNOWN = {
    "tasks": ["tasks with", "level"],
    "hours": ["tasks with", "hours, level"],
    "headcount": ["with hours,", "level, people"],
    "fte": ["with hours,", "level, FTE"],
}


def plot_skills(
    profiles: TaskProfiles,
    *,
    by: By = None,
    weight: Weight | None = None,
    states: Sequence[str] | None = None,
    groups: Sequence[str] | None = None,
    top: int = 15,
    privacy: Privacy | None = USUAL,
) -> alt.LayerChart:
    """Draw the work per skill by AI impact level, as shares, for the skills with the most work.

    Skills are sorted by the work of the tasks that have the skill. A task with several skills counts for each of them.
    Work without a level is hatched, at the end of the bar. The first row shows all tasks, each counted once, and the
    last one the tasks without skills. The chart contains names of skills, but no tasks or jobs.

    Parameters
    ----------
    profiles
        Task profiles with the columns read by `skills`.
    by
        Columns to group by. Each row is then a skill in a group. If None, all jobs are counted together.
    weight
        Quantity to add up: ``"tasks"``, ``"hours"`` (weekly), or hours times people (``"headcount"``) or times
        full-time equivalents (``"fte"``). The default is the one of `skills`.
    states
        Validation states to include. None means ``profiles.manifest["states"]``, or validated and suggested.
    groups
        Groups to draw, or None for all. The figures do not depend on the selection.
    top
        Number of skills to draw, 1 to 40.
    privacy
        Thresholds for suppressing the skills of small groups. If None, nothing is suppressed.

    Returns
    -------
    alt.LayerChart
        An Altair chart that you can customize or pass to `save`.

    Raises
    ------
    SchemaError
        If a required column is missing.
    ArgumentError
        If an argument is invalid or a group does not exist.

    Warns
    -----
    TpAnalyticsWarning
        If tasks in an unknown validation state are excluded.

    Examples
    --------
    >>> from tpanalytics import load_sample
    >>> chart = plot_skills(load_sample(), top=5)
    >>> chart.to_dict()["description"][:43]
    'Stacked bars of documented weekly hours by '
    """
    check_whole("top", top, "a whole number from 1 to 40", least=1, most=40)
    released = captions.released(skills, with_cache(profiles), privacy, by=by, weight=weight, states=states)
    meaning, labelled = about(released), pl.DataFrame(filter_groups(released, groups))
    if not meaning.jobs:
        return frame.no_jobs()
    unit = "tasks" if meaning.basis == "task" else meaning.basis
    rows = _rows(labelled, top)
    if not rows.filter("is_skill").height:
        return _nothing_to_draw(labelled, meaning)
    levels = level_order(labelled.filter(pl.col("tasks") > 0).get_column("ai_impact_level").to_list())
    y = _axis(rows)
    totals = labelled.filter(_is(ALL_TASKS))
    several = totals.get_column("group").n_unique() > 1
    rows, columns = _with_texts(rows, unit, several=several)
    subject = _subject(labelled, rows, totals, meaning, unit)
    notes = [*_footnotes(totals, meaning, unit), *grouping(profiles, by).overlap_notes(unit, meaning)]
    return theme.assemble(
        [
            *level_bars(_levels(labelled, rows, unit), y, levels, _tooltips(unit), width=_WIDTH),
            *frame.side_columns(rows, y, columns, _WIDTH, key="place"),
            theme.footer(captions.wrapped([*notes, *captions.source_line(profiles.manifest)])),
        ],
        title=_headline(rows, unit, f"{noun(meaning.by)} and skill" if several else "skill"),
        subtitle=f"Share of {_UNIT[unit]} by AI impact level · {subject}",
        description=_description(rows, levels, unit, subject, notes),
        width=_WIDTH,
        height=rows.height * (_ROW + 5 * (rows.get_column("label").list.len().max() == 2)),
    )


def _is(label: str) -> pl.Expr:
    return pl.col("skill_id").is_null() & (pl.col("skill") == label)


def _nothing_to_draw(labelled: pl.DataFrame, meaning: Meaning) -> theme.Chart:
    population = captions.jobs_and_tasks(meaning.jobs, meaning.tasks)
    if labelled.get_column("reason").eq("NOT_REQUESTED").any():
        headline, advice = (
            next(note for note in meaning.warnings if note.startswith("Skills")).rstrip(".").split(". ", 1)
        )
        return theme.empty_chart(headline, f"{advice} to draw the work per skill.")
    suppressed = [note for note in meaning.policy if "suppressed (" in note and not note.startswith("0 ")]
    if suppressed:
        return theme.empty_chart("All skills are suppressed (too few jobs or people)", suppressed[-1])
    if not labelled.get_column("tasks").sum():
        return theme.empty_chart("No tasks in these task profiles", f"Checked {population}.")
    return theme.empty_chart("No task has a skill", f"Checked {population}.")


def _rows(labelled: pl.DataFrame, top: int) -> pl.DataFrame:
    """Return the rows to draw: all tasks, the skills with the most work, and tasks without skills."""
    staff = [name for name in ("headcount", "fte") if name in labelled.columns]
    per_skill = (
        labelled.filter(pl.col("skill").is_not_null())
        .group_by("group", "skill_id", "skill", maintain_order=True)
        .agg(
            pl.col("jobs", *staff, "skill_share", "coverage", "data_grade", "reason").first(),
            pl.col("tasks").sum(),
            total=known_sum("amount"),
            h1=pl.col("share").filter(pl.col("ai_impact_level") == "H1").first(),
            has_share=pl.col("share").is_not_null().any(),
        )
        .with_columns(is_skill=~(_is(ALL_TASKS) | _is(NO_SKILL)))
    )
    by_size = per_skill.filter("is_skill").sort(
        pl.col("total").round(9), "tasks", "skill", "group", descending=[True, True, False, False], nulls_last=True
    )
    several = per_skill.get_column("group").n_unique() > 1
    all_tasks, no_skill = (per_skill.filter(_is(label)).head(0 if several else 1) for label in (ALL_TASKS, NO_SKILL))
    reason = pl.col("reason").replace_strict(NULL_REASONS, default=None, return_dtype=pl.String)
    rows = pl.concat([all_tasks, by_size.head(top), no_skill])
    names = [_label(row, several=several) for row in rows.iter_rows(named=True)]
    return rows.with_row_index("place", offset=1).with_columns(
        pl.col("place").cast(pl.Float64),
        pl.Series("label", names, dtype=pl.List(pl.String)),
        missing=pl.when(~pl.col("has_share")).then(reason),
    )


def _axis(rows: pl.DataFrame) -> alt.Y:
    rest = rows.filter(~pl.col("is_skill")).get_column("place").to_list()
    bold = {"condition": theme.when(f"indexof({rest}, datum.value) >= 0", "bold"), "value": "normal"}
    labels = rows.get_column("label").to_list()
    return frame.numbered_axis("place", labels, labelLimit=300, labelFontWeight=bold).sort(None)


def _label(row: dict[str, Any], *, several: bool) -> list[str]:
    if not row["is_skill"]:
        return [_LABELS[row["skill"]]]
    name = clean_text(row["skill"].strip()) or "(unnamed)"
    if several:
        return [textwrap.shorten(text, _NAME, placeholder=" …") for text in (name, clean_text(row["group"]) or "")]
    return textwrap.wrap(name, _NAME, max_lines=2, placeholder=" …")


def _levels(labelled: pl.DataFrame, rows: pl.DataFrame, unit: str) -> pl.DataFrame:
    keys = ["group", "skill_id", "skill"]
    drawn = rows.filter("has_share").select("place", *keys, name=pl.col("label").list.join(", "))
    levels = labelled.rename({"ai_impact_level": "level"}).join(drawn, on=keys, nulls_equal=True, maintain_order="left")
    columns = ["place", "name", "level", "share", "hours", "tasks", "tasks_with_hours", "jobs_at_level"]
    columns += ["amount"] * (unit not in ("tasks", "hours"))
    # The axis takes the order of the rows from the data.
    return levels.select(columns).sort("place", maintain_order=True)


def _with_texts(rows: pl.DataFrame, unit: str, *, several: bool) -> tuple[pl.DataFrame, list[SideColumn]]:
    """Format the number columns, and return their positions."""
    counts = ["fte", "headcount"] if unit == "fte" else ["headcount", "fte"]
    staff = next((name for name in counts if name in rows.columns), None)
    texts = {
        "total": pl.col("total").map_batches(
            _counts if unit == "tasks" else frame.hours_column, return_dtype=pl.String
        ),
        "part": frame.formatted("skill_share", percent),
        "served": frame.counts_as_text("jobs"),
        "known": frame.formatted("coverage", coverage_percent),
        "grade": pl.col("data_grade").fill_null(NONE),
    }
    whole = "group's" if several else "all"
    columns = [
        SideColumn("total", _HEADERS[unit], 78, muted=False),
        SideColumn("part", ["share of", f"{whole} {'tasks' if unit == 'tasks' else 'hours'}"], 154, muted=False),
        SideColumn("served", "jobs", 194, muted=False),
    ]
    if staff:
        texts["people"] = frame.counts_as_text(pl.col(staff).round(0).cast(pl.Int64))
        columns.append(SideColumn("people", "FTE" if staff == "fte" else "people", 244, muted=False))
    edge = columns[-1].edge
    columns += [SideColumn("known", _KNOWN[unit], edge + 86), SideColumn("grade", "grade", edge + 128)]
    return rows.with_columns(**texts), columns


def _counts(amounts: pl.Series) -> pl.Series:
    return pl.Series([NONE if n is None else f"{n:,.0f}" for n in amounts], dtype=pl.String)


def _tooltips(unit: str) -> list[alt.Tooltip]:
    times = {"headcount": "Weekly hours times people", "fte": "Weekly hours times FTE"}
    amount: dict[str, Any] = {"amount": ("Q", times[unit], ",.1f")} if unit in times else {}
    return captions.tooltips(
        *("level", "share", "hours", "tasks", "tasks_with_hours"),
        name=("N", "Skill", None),
        jobs_at_level=("Q", "Jobs", ","),
        **amount,
    )


def _subject(labelled: pl.DataFrame, rows: pl.DataFrame, totals: pl.DataFrame, meaning: Meaning, unit: str) -> str:
    """Describe what is drawn, such as "first 15 of 80 skills, 240 jobs, 5,500 tasks"."""
    of_skills = labelled.filter(pl.col("skill").is_not_null() & ~(_is(ALL_TASKS) | _is(NO_SKILL)))
    n, n_skills = rows.filter("is_skill").height, of_skills.select("group", "skill_id", "skill").n_unique()
    several = totals.height and totals.get_column("group").n_unique() > 1
    skills_or_pairs = (
        f"pair{'s' * (n_skills != 1)} of {noun(meaning.by)} and skill" if several else f"skill{'s' * (n_skills != 1)}"
    )
    drawn = f"{n_skills:,} {skills_or_pairs}"
    if n < n_skills:
        drawn = f"the {n} of {drawn} with the most {'tasks' if unit == 'tasks' else 'hours'}"
    if several:
        return drawn
    group = f"{clean_text(str(totals.item(0, 'group')))}, " if meaning.by else ""
    jobs = meaning.jobs if not meaning.by else totals.item(0, "jobs")
    return f"{group}{drawn}, {captions.jobs_and_tasks(jobs, total(totals, 'tasks'))}"


def _headline(rows: pl.DataFrame, unit: str, what: str) -> str:
    """Return a headline with the range of the H1 shares, ignoring grade C."""
    of_skills, of_all = rows.filter("is_skill"), rows.filter(_is(ALL_TASKS))
    if not of_skills.get_column("has_share").any():
        return f"AI impact of skills cannot be shown: {of_skills.item(0, 'missing') or 'no data'}"
    if not (of_skills.get_column("h1").fill_null(0.0) > 0).any():
        return "No task of these skills is rated H1, highly automatable"
    safe = of_skills.filter(pl.col("data_grade").is_in(["A", "B"]) & pl.col("h1").is_not_null()).sort("h1")
    if not safe.height:
        return "There is not enough data to compare the AI impact of skills"
    reference = f" (all tasks: {percent(of_all.item(0, 'h1'))})" if of_all.height else ""
    names = [", ".join(label) for label in safe.get_column("label").to_list()]
    low, high = percent(safe.item(0, "h1")), percent(safe.item(-1, "h1"))
    if safe.height == 1:
        return f"{names[0]}: {high} of {_UNIT[unit]} are highly automatable{reference}"
    known = " with enough data" if safe.height < of_skills.height else ""
    if low == high:
        return f"{high} of {_UNIT[unit]} are highly automatable in every {what}{known}{reference}"
    pairs = "pairs" if " and " in what else "skills"
    largest = f"{names[-1]} has the largest highly automatable share of the {safe.height} {pairs}"
    return f"{largest}{known or ' drawn'}, {high} of {_UNIT[unit]}{reference}"


def _footnotes(totals: pl.DataFrame, meaning: Meaning, unit: str) -> list[str]:
    validated = None if meaning.share_suggested is None else 1 - meaning.share_suggested
    known = {"hours": meaning.coverage.get("hours"), "a level": meaning.coverage.get("level")}
    coverage = captions.coverage_note({**known, "a skill": meaning.coverage.get("skill")}, validated, meaning=meaning)
    suppressed = [note for note in meaning.policy if "suppressed (" in note and not note.startswith("0 ")]
    return [
        *suppressed,
        *[FTE_NOTE] * (bool(suppressed) and FTE_NOTE in meaning.policy),
        f"{coverage} {captions.LEVELS_NOTE}{_without_tasks(totals, meaning)}",
        f"A task with several skills counts for each of them, so skills can add up to over 100%. {_missing(unit)}",
        captions.grade_note(NEEDED[unit]),
    ]


def _without_tasks(totals: pl.DataFrame, meaning: Meaning) -> str:
    """Return a sentence about jobs without tasks, or about the coverage if only some groups are drawn."""
    if meaning.by:
        return " Coverage is for all groups."
    jobs = meaning.jobs - int(totals.item(0, "jobs"))
    return f" {plural(jobs, 'job')} {'has' if jobs == 1 else 'have'} no tasks." if jobs else ""


def _missing(unit: str) -> str:
    return "" if unit == "tasks" else captions.MISSING_HOURS


def _description(rows: pl.DataFrame, levels: list[str], unit: str, subject: str, notes: list[str]) -> str:
    listed_levels = f" ({', '.join(levels)})" if levels else ""
    summary = (
        f"Stacked bars of {_UNIT[unit]} by AI impact level{listed_levels} for {subject}. "
        "Skills sorted by the work of their tasks, most first."
    )
    known = rows.filter(pl.col("has_share") & pl.col("h1").is_not_null())
    shares = [f"{', '.join(label)} {percent(h1)}" for label, h1 in known.select("label", "h1").rows()]
    unknown = [", ".join(label) for label in rows.filter(~pl.col("has_share")).get_column("label").to_list()]
    missing = [f"No figure is available for {listed(unknown)}."] if unknown else []
    h1 = [f"H1 shares: {listed(shares)}."] if shares else []
    return captions.alt_text(summary, " ".join(h1), " ".join([*missing, *notes[:2]]))
