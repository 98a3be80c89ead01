"""What changed in each family, before and after, and whether the work changed or what is known of it (C14)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import altair as alt
import polars as pl

from tpanalytics.charts._core import captions, change_captions, group_rows, theme
from tpanalytics.charts._core import exposure_captions as of_index
from tpanalytics.formatting import NONE, covered, hours, listed
from tpanalytics.measures._core.checks import check_choice
from tpanalytics.measures._core.metadata import NONE_BECAUSE, grade
from tpanalytics.measures.about import about
from tpanalytics.measures.compare import compare
from tpanalytics.measures.compare_exposure import compare_exposure
from tpanalytics.measures.privacy.policy import USUAL
from tpanalytics.schema import COUNTED_STATES, NO_FAMILY

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tpanalytics.measures._core.metadata import Meaning
    from tpanalytics.measures.privacy.policy import Privacy
    from tpanalytics.schema import TaskProfiles

__all__ = ["Changing", "plot_change_by_family"]

Changing = Literal["hours", "exposure"]

_WIDTH, _ROW = 400, 30
_WORDS = {"hours": "H1 hours", "exposure": "exposure"}
_BASIS = {
    "hours": "Weekly hours rated H1, highly automatable, for one incumbent of each job",
    "exposure": "Exposure index, 0 to 1: share of described weekly hours, weighted by AI impact level",
}
#: Words for what a difference tells of.
_WORK, _MEASURED = "work", "measurement"


def plot_change_by_family(
    before: TaskProfiles,
    after: TaskProfiles,
    *,
    value: Changing = "hours",
    states: Sequence[str] = COUNTED_STATES,
    privacy: Privacy | None = USUAL,
) -> alt.LayerChart:
    """Draw what each job family was before and is after, as an arrow from one to the other.

    Families come in order of their change, the largest rise first. Where the share of tasks of which hours and level
    are known moved by more than 5 points, the arrow is dashed and the row says "measurement" rather than "work": what
    is known changed, and the difference is part of that. A family without a figure on one side keeps its row and says
    why; one that either snapshot must hide keeps its row and tells nothing.

    Parameters
    ----------
    before, after
        The two snapshots, as for `compare` and `compare_exposure`.
    value
        ``"hours"``: hours at H1, as `compare` gives them; ``"exposure"``: the exposure index, as `compare_exposure`
        does. A job that is in both counts on both sides in its family after.
    states
        Validation states that count.
    privacy
        How few jobs or people a figure may tell of; None hides nothing.

    Returns
    -------
    alt.LayerChart
        Restyle it as any Altair chart; write it with `save`.

    Raises
    ------
    SchemaError
        If a column is missing, or `value` is none of its values.

    Warns
    -----
    TpAnalyticsWarning
        If tasks are in a state that is neither counted nor ``rejected``.

    Examples
    --------
    >>> from tpanalytics import load_sample
    >>> chart = plot_change_by_family(load_sample("2026-05"), load_sample("2026-11"))
    >>> chart.to_dict()["description"][:45]
    'Arrows from before to after of H1 hours for 1'
    """
    check_choice("value", value, Changing)
    if value == "hours":
        result = compare(before, after, states=states)
        names = {"was": "before", "now": "after"}
    else:
        result = compare_exposure(before, after, states=states)
        names = {"was": "exposure_before", "now": "exposure_after"}
    meaning = about(result)
    whole = result.rename({old: new for new, old in names.items()}).filter(pl.col("scope") == "all")
    shown = change_captions.families_of(
        result.rename({old: new for new, old in names.items()}), before, after, states, privacy
    )
    if shown.height == 0:
        return change_captions.no_jobs()
    hidden = captions.hidden_note(shown, privacy)
    totals = not shown.select(captions.is_hidden().all()).item()
    families = _families(theme.drawable(shown), value)
    everyone = result.filter(pl.col("scope") == "family")
    order = families.get_column("job_family").to_list()
    footer = (
        [*_together(whole, value), *change_captions.policy(meaning, weighed=value == "exposure"), *_graded()]
        if totals
        else []
    )
    return theme.finish(
        [
            *_arrows(families, order, value),
            *_beside(families, order, value),
            theme.footer([*hidden, *footer, *change_captions.sources(before, after)], below=44),
        ],
        title=_finding(families, value),
        subtitle=f"{_BASIS[value]} · {change_captions.population(everyone, totals=totals)}",
        description=_description(families, everyone, whole, meaning, value, totals=totals),
        width=_WIDTH,
        height=len(order) * group_rows.row_height(order, _ROW),
    )


def _families(shown: pl.DataFrame, value: Changing) -> pl.DataFrame:
    """Order the families by their change and write out what stands beside them."""
    write = _writer(value)
    change = pl.col("now") - pl.col("was")
    # From nothing at all that was known there is no change, whatever came.
    why = pl.col("reason").replace_strict({**NONE_BECAUSE, **of_index.WHY}, default=None, return_dtype=pl.String)
    families = (
        shown.with_columns(
            change=change,
            measured=change_captions.moved(),
            data_grade=grade(pl.min_horizontal("coverage_before", "coverage_after")),
        )
        .with_columns(hidden=captions.is_hidden())
        .sort(
            "hidden", pl.col("change").is_null(), pl.col("change").round(9), "job_family",
            descending=[False, False, True, False],
        )
    )  # fmt: skip
    digits = group_rows.decimals(families.get_column("change").to_list())
    texts = []
    for row in families.select("was", "now", "change", "measured", "coverage_before", "coverage_after").rows(
        named=True
    ):
        known = [row["coverage_before"], row["coverage_after"]]
        texts.append(
            {
                "rise": _signed(row["change"], value, digits),
                "rate": change_captions.relative(row["change"], row["was"]),
                "known": NONE if known == [None, None] else f"{covered(known[0])} → {covered(known[1])}",
                "shows": NONE if None in known or row["change"] is None else _MEASURED if row["measured"] else _WORK,
                "one": f"before {write(row['was'])}, after {write(row['now'])}",
            }
        )
    schema = dict.fromkeys(("rise", "rate", "known", "shows", "one"), pl.String)
    return (
        families.hstack(pl.DataFrame(texts, schema=schema))
        .with_columns(graded=pl.col("data_grade").fill_null(NONE))
        .with_columns(
            missing=pl.when("hidden")
            .then(pl.lit(captions.WHY_HIDDEN))
            .when(pl.col("change").is_null())
            .then(
                pl.when(pl.col("was").is_null() & pl.col("now").is_null())
                .then(why)
                .otherwise(pl.concat_str("one", why.fill_null("not known on one side"), separator=": "))
            )
        )
        .with_columns(captions.unless_hidden("rise", "rate", "known", "shows", "graded"))
    )


def _signed(change: float | None, value: Changing, digits: int | None = None) -> str:
    return change_captions.signed_hours(change, digits) if value == "hours" else change_captions.signed(change)


def _writer(value: Changing) -> Callable[[float | None], str]:
    return hours if value == "hours" else of_index.figure


def _arrows(families: pl.DataFrame, order: list[str], value: Changing) -> list[alt.Chart]:
    y = group_rows.family_axis(order)
    rows = families.filter(pl.col("change").is_not_null()).select(
        "job_family",
        "was",
        "now",
        "rise",
        "rate",
        "known",
        "measured",
        head=pl.when(pl.col("change") > 0)
        .then(pl.lit("triangle-right"))
        .when(pl.col("change") < 0)
        .then(pl.lit("triangle-left"))
        .otherwise(pl.lit("circle")),
    )
    ends = [*rows.get_column("was"), *rows.get_column("now")]
    low, high = min(ends, default=0.0), max(ends, default=1.0)
    room = (high - low or abs(high) or 1.0) * 0.06
    scale = alt.Scale(domain=[max(0.0, low - room), high + room], nice=False)
    axis = (
        alt.Axis(title="hours a week at H1", titleAnchor="start", tickCount=6)
        if value == "hours"
        else alt.Axis(title=None, tickCount=6, format=".2~f")
    )
    if not rows.height:
        axis = alt.Axis(title=None, labels=False, grid=False)
    x = alt.X("was:Q", scale=scale, axis=axis)
    dashed = alt.StrokeDashValue([1, 0], condition=theme.when("datum.measured", [3, 3]))
    number = ",.1f" if value == "hours" else ".2f"
    tooltip = [
        alt.Tooltip("job_family:N", title="Job family"),
        alt.Tooltip("was:Q", title="Before", format=number),
        alt.Tooltip("now:Q", title="After", format=number),
        alt.Tooltip("rise:N", title="Change"),
        alt.Tooltip("rate:N", title="Of what was"),
        alt.Tooltip("known:N", title="Hours and level known"),
    ]
    drawn = alt.Chart(rows)
    line = drawn.mark_rule(strokeWidth=2, stroke=theme.ACCENT).encode(x=x, x2=alt.X2("now:Q"), y=y, strokeDash=dashed)
    start = drawn.mark_point(
        shape="circle", size=64, fill="#FFFFFF", stroke=theme.ACCENT, strokeWidth=1.6, opacity=1
    ).encode(x=x, y=y, tooltip=tooltip)
    end = drawn.mark_point(size=110, fill=theme.ACCENT, stroke=theme.ACCENT, strokeWidth=1, opacity=1).encode(
        x=alt.X("now:Q", scale=scale, axis=axis), y=y, shape=alt.Shape("head:N", scale=None), tooltip=tooltip
    )
    key = "ring: before, arrowhead: after; dashed where what is known moved by more than 5 points"
    return [line, start, end, *([theme.note(key, x=0, y=-12, fontSize=10.5)] * bool(rows.height))]


def _beside(families: pl.DataFrame, order: list[str], value: Changing) -> list[alt.Chart]:
    y = group_rows.family_axis(order)
    unit = ["change,", "a week"] if value == "hours" else "change"
    columns = [
        ("rise", unit, _WIDTH + 66, False),
        ("rate", ["of what", "was"], _WIDTH + 122, False),
        ("known", ["tasks with hours,", "level"], _WIDTH + 222, True),
        ("shows", ["tells", "of"], _WIDTH + 312, True),
        ("grade", "grade", _WIDTH + 356, True),
    ]
    rows = families.select("job_family", "rise", "rate", "known", "shows", grade="graded")
    marks = [
        mark
        for field, header, x, muted in columns
        for mark in group_rows.column(rows, y, field, header, x, muted=muted)
    ]
    return [*marks, *group_rows.remarks(families, y, "missing")]


def _finding(families: pl.DataFrame, value: Changing) -> str:
    """Say what changed most among the families of which enough is known, and as much as before."""
    shown = families.filter(~pl.col("hidden"))
    if not shown.height:
        return captions.ALL_HIDDEN
    if not shown.select((pl.col("tasks_before") + pl.col("tasks_after")).sum()).item():
        return "No task is described, before or after"
    both = shown.filter(pl.col("change").is_not_null(), pl.col("job_family") != NO_FAMILY)
    if not both.height:
        return f"No family has {_WORDS[value]} that are known both before and after".replace(
            "exposure that are", "an exposure that is"
        )
    safe = both.filter(pl.col("data_grade").is_in(["A", "B"]))
    if not safe.height:
        return f"Too little is known to say how the {_WORDS[value]} of job families changed"
    steady = safe.filter(~pl.col("measured"))
    if not steady.height:
        return f"In every family what is known moved by more than 5 points: no change in {_WORDS[value]} is work alone"
    row = max(steady.rows(named=True), key=lambda row: abs(round(row["change"], 9)))
    words, write = _WORDS[value], _writer(value)
    where = "Where about as much is known as before, " if steady.height < both.height else ""
    of_shown = " of those shown" if shown.height < families.height else ""
    if round(row["change"], 1 if value == "hours" else 2) == 0:
        return _begun(f"{where}no family{of_shown} has another {words} than before".replace("another H1", "other H1"))
    most = "rose" if row["change"] > 0 else "fell"
    if both.height > 1 and steady.height > 1:
        most = f"{most} most"
    alike = steady.filter(pl.col("change").round(9) == round(row["change"], 9)).get_column("job_family").to_list()
    if len(alike) > 1:
        named = listed(alike) if len(alike) <= 3 else f"{len(alike)} families alike"
        return _begun(f"{where}{words} {most} in {named}{of_shown}: {row['rise']} each")
    by = change_captions.relative(row["change"], row["was"]) if value == "hours" else row["rise"]
    change = f"from {write(row['was'])} to {write(row['now'])}" + (f" ({by})" if by != NONE else "")
    return _begun(f"{where}{words} {most} in {row['job_family']}{of_shown * (steady.height > 1)}: {change}")


def _begun(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}"


def _together(whole: pl.DataFrame, value: Changing) -> list[str]:
    row = whole.row(0, named=True)
    if row["was"] is None or row["now"] is None:
        return []
    write = _writer(value)
    change = row["now"] - row["was"]
    rate = f"{change_captions.relative(change, row['was'])} of what was"
    said = f"All together: {write(row['was'])} before, {write(row['now'])} after ({_signed(change, value)}, {rate})."
    return [said]


def _graded() -> list[str]:
    return [
        "More known is no change in work: read dashed arrows beside the bridge, which sets newly measured hours apart.",
        "Grade by the lower share of tasks with hours and level: A from 90 %, B from 70 %, C below; quote no C alone.",
    ]


def _description(
    families: pl.DataFrame,
    everyone: pl.DataFrame,
    whole: pl.DataFrame,
    meaning: Meaning,
    value: Changing,
    *,
    totals: bool,
) -> str:
    built = (
        f"Arrows from before to after of {_WORDS[value]} for {change_captions.population(everyone, totals=totals)}. "
        "Families in order of their change, the largest rise first."
    )
    both = families.filter(pl.col("change").is_not_null())
    write = _writer(value)
    said = []
    if both.height:
        said.append(
            "Changes: "
            + listed(
                f"{row['job_family']} from {write(row['was'])} to {write(row['now'])} ({row['rise']}, {row['rate']})"
                for row in both.rows(named=True)
            )
            + "."
        )
    if totals:
        said += [*_together(whole, value), *change_captions.policy(meaning, weighed=value == "exposure")]
    shape = []
    measured = both.filter("measured")
    if measured.height:
        known = (f"{family} ({known})" for family, known in measured.select("job_family", "known").rows())
        shape.append(f"What is known moved by more than 5 points, so that it tells of measurement, in {listed(known)}.")
    unknown = families.filter(pl.col("change").is_null() & ~pl.col("hidden"))
    if unknown.height:
        shape.append(f"No change can be shown for {listed(unknown.get_column('job_family'))}.")
    return theme.described(built, " ".join(said), " ".join([*shape, *captions.hidden_names(families)]))
