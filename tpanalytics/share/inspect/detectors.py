"""Detectors for secrets, personal data, paths, free text and small groups."""

from __future__ import annotations

import math
import re
from collections import Counter
from itertools import takewhile
from typing import TYPE_CHECKING

import polars as pl

from tpanalytics.formatting import plural
from tpanalytics.share.inspect.findings import Finding, Piece, snake_case

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tpanalytics.measures.privacy.policy import Privacy

__all__ = ["detected"]

_SENSITIVE_NAMES = (
    "client_?secret|secret_?key|api_?key|access_?key|access_?token|refresh_?token|id_?token|bearer_?token|auth_?token"
    "|private_?key|signing_?key|passwords?|passwd|passphrase|credentials?"
)
#: Pattern for each kind of secret.
_SECRETS = {
    "signed token": r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*",
    "bearer token": r"(?i)\bbearer\s+[A-Za-z0-9._~+/-]{16,}=*",
    "private key": r"-----BEGIN [A-Z ]*PRIVATE KEY-----",
    "password in a URL": r"\b[a-z][a-z0-9+.-]{2,12}://[^\s/:@'\"<>]{1,80}:[^\s/@'\"<>]{3,200}@[\w.-]+",
    "API key": r"\b(?:AKIA[0-9A-Z]{16}|gh[pousr]_[A-Za-z0-9]{30,}|glpat-[\w-]{20,}|xox[abp]-[\w-]{20,})",
}
_NAMED = "field named like a secret"
_NAMED_SECRET = re.compile(
    rf"(?i)(?<![a-z])(?:{_SENSITIVE_NAMES.replace('_?', '[_ -]?')}|authorization)[\"']?\s{{0,3}}(?:=>|[:=])\s{{0,3}}"
    r"(?:(?P<quote>[\"'])(?P<quoted>[^\"'\n]{6,400})(?P=quote)|(?P<bare>[A-Za-z0-9._~+/=-]{16,400}))"
)
_SECRET_COLUMN = re.compile(rf"(?:\w+_)?(?:{_SENSITIVE_NAMES})")
_PLACEHOLDER = re.compile(r"(?i)^[\W_]+$|\.\.\.|…|[<{$*]|\b(?:your|example|secret|changeme|dummy|placeholder)\b|x{4,}")
_PATHS = re.compile(
    r"\bfile:/{1,3}[^\s\"'<>]{2,}"
    r"|(?<![\w.:/~%-])/(?:home|Users|root|tmp|mnt|media|opt|srv|var|private|Volumes|workspaces?)/[^\s\"'<>|`]{2,}"
    r"|(?<![A-Za-z0-9])[A-Za-z]:\\{1,2}[\w.$ -]{2,}[^\s\"'<>|]*"
    r"|(?<![A-Za-z0-9])[A-Za-z]:/(?:Users|Documents)[^\s\"'<>|]*"
    r"|(?<![\\\w])\\\\[\w.-]{2,}\\[\w$.-]{2,}[^\s\"'<>|]*"
)
_EMAIL = re.compile(r"(?<![\w.+/-])[A-Za-z0-9_][\w.+-]{0,63}@(?:[A-Za-z0-9-]{1,63}\.){1,6}[A-Za-z]{2,24}\b")
_NOT_PERSONAL = re.compile(
    r"(?i)@(?:[\w-]+\.)*(?:example\.\w+|\w+\.(?:invalid|test|example|png|svg|jpe?g|gif|js|css))$"
)
_PERSONAL_COLUMN = re.compile(
    r"(?:employee|person|worker|user|staff|personnel|incumbent)_?(?:id|ids|key|number|no|nr|name|external_id)"
    r"|employees?|first_?name|last_?name|sur_?name|given_?name|full_?name|birth_?(?:day|date)|date_of_birth"
    r"|e_?mails?|e_?mail_address|(?:tele)?phone(?:_number)?|salary|gender|sex|nationality|ssn"
)
_RATIONALE_COLUMN = re.compile(r"(?:\w+_)?(?:rationales?|justifications?|reasoning|free_?text|feedback)")
_COMMENT_COLUMN = re.compile(r"(?:\w+_)?(?:comments?|remarks?|notes?)")
#: Name columns. Job and task names can be whole sentences, so we don't report them as free text.
_NAME_COLUMN = re.compile(r"(?:\w+_)?(?:tasks?|jobs?|names?|titles?|labels?|skills?)(?:_(?:names?|titles?|labels?))?")
#: A long sentence has at least this many characters and spaces. This many sentences block sharing.
_MIN_LENGTH, _MIN_SPACES, _MIN_SENTENCES = 60, 8, 50
_JOB_LEVEL = ("job_id", "job_external_id", "external_id", "job_name", "job")
_TASK_LEVEL = ("task_id", "task_external_id", "task_key", "task_name", "task")
_FAMILY = {"job_family", "family", "family_name", "job_family_name", "group"}
#: Columns that follow the columns of a result that name the group.
_AFTER_GROUP = {"jobs", "level", "ai_impact_level", "tasks", "hours", "headcount", "scope"}
#: First columns of tables that are not by group, such as the position of the dots of a chart.
_NOT_GROUPS = {"skill", "skill_id", "rank", "long", "index"}
#: Columns still shown in suppressed rows.
_UNSUPPRESSED = {
    *_FAMILY,
    "job_family_id",
    "job_family_group",
    "level",
    "jobs",
    "headcount",
    "basis",
    "reason",
    "scope",
}


def _redacted(text: str, shown: int = 4) -> str:
    start = text[:shown] if len(text) > 2 * shown else ""
    return f"{start}… ({len(text)} characters)"


def detected(piece: Piece, privacy: Privacy) -> Iterator[Finding]:
    """Yield all findings in a piece."""
    if piece.table is None:
        if piece.listed and piece.text.strip():
            yield Finding(piece.where, "text", f"{len(piece.text.strip()):,} characters", "note")
        yield from _in_text(piece.where, piece.text, cells=False)
        return
    table = piece.table
    if piece.listed:
        names = ", ".join(_shortened(name) for name in table.columns[:12])
        more = f", … ({table.width} columns)" if table.width > 12 else ""
        yield Finding(piece.where, "rows", f"{plural(table.height, 'row')}: {names}{more}", "note")
        yield from _single_jobs(piece.where, table)
        yield from _small_groups(piece.where, table, privacy)
    yield from _in_text(f"{piece.where}, headers", "\n".join(table.columns), cells=False)
    for name in table.columns:
        values = table.get_column(name).drop_nulls().unique(maintain_order=True)
        where = f"{piece.where}, {_shortened(name)}"
        if values.len():
            yield from _by_name(where, snake_case(name), values)
            yield from _in_text(where, "\n".join(values.to_list()), cells=piece.listed)
            if piece.listed:
                yield from _sentences(where, snake_case(name), values)


def _shortened(name: str) -> str:
    name = " ".join(name.split())
    return name if len(name) <= 40 else f"{name[:12]}… ({len(name)} characters)"


def _in_text(where: str, text: str, *, cells: bool) -> Iterator[Finding]:
    secrets = [(kind, value) for kind, pattern in _SECRETS.items() for value in re.findall(pattern, text)]
    for match in _NAMED_SECRET.finditer(text):
        value = match["quoted"] or match["bare"]
        if not _PLACEHOLDER.search(value) and (match["quoted"] or _is_random(value)):
            secrets.append((_NAMED, value))
    for kind in dict.fromkeys(kind for kind, _ in secrets):
        values = [value for other, value in secrets if other == kind]
        yield Finding(where, "secret", f"{kind}: {_example(_redacted(values[0]), len(set(values)))}", "stop")
    if paths := list(dict.fromkeys(_PATHS.findall(text))):
        yield Finding(where, "absolute path", _example(_redacted(paths[0], 6), len(paths)), "look")
    addresses = [address for address in dict.fromkeys(_EMAIL.findall(text)) if not _NOT_PERSONAL.search(address)]
    if addresses:
        description = f"email address: {_example(_redacted(addresses[0], 1), len(addresses))}"
        yield Finding(where, "personal data", description, "stop" if cells else "look")


def _example(text: str, n: int) -> str:
    return text if n == 1 else f"{text} and {n - 1:,} more"


def _is_random(value: str) -> bool:
    """Return whether a value looks random: high entropy, with both letters and digits."""
    bits = -sum(n / len(value) * math.log2(n / len(value)) for n in Counter(value).values())
    return bits >= 3.2 and any(c.isdigit() for c in value) and any(c.isalpha() for c in value)


def _by_name(where: str, name: str, values: pl.Series) -> Iterator[Finding]:
    """Yield findings based on the column name."""
    texts = values.filter(values.str.contains(r"\p{L}"))
    if _SECRET_COLUMN.fullmatch(name) and values.str.len_chars().max() >= 6:  # type: ignore[operator]  # not empty
        secrets = [value for value in values if not _PLACEHOLDER.search(value)]
        if secrets:
            yield Finding(where, "secret", f"{_NAMED}: {_example(_redacted(secrets[0]), len(secrets))}", "stop")
    if _PERSONAL_COLUMN.fullmatch(name):
        yield Finding(where, "personal data", f"column of personal data, {plural(values.len(), 'value')}", "stop")
    sentences = texts.filter(texts.str.len_chars() >= 12)
    if sentences.len() and _RATIONALE_COLUMN.fullmatch(name):
        yield Finding(where, "free text", f"rationales: {_redacted(sentences[0], 6)}", "stop")
    elif sentences.len() and _COMMENT_COLUMN.fullmatch(name):
        yield Finding(where, "free text", f"comments: {_redacted(sentences[0], 6)}", "look")


def _sentences(where: str, name: str, values: pl.Series) -> Iterator[Finding]:
    """Yield a finding if at least half the values are long sentences. Code and text with numbers don't count."""
    if any(pattern.fullmatch(name) for pattern in (_RATIONALE_COLUMN, _COMMENT_COLUMN, _NAME_COLUMN)):
        return
    spaces, excluded = values.str.count_matches(r"\s"), values.str.contains(r"\d|^import \w+( as \w+)?\n")
    long = values.filter((values.str.len_chars() >= _MIN_LENGTH) & (spaces >= _MIN_SPACES) & ~excluded)
    if 2 * long.len() >= values.len() and long.len() >= 2:
        description = f"{plural(long.len(), 'long sentence')}: {_redacted(long[0], 6)}"
        yield Finding(where, "free text", description, "stop" if long.len() >= _MIN_SENTENCES else "look")


def _single_jobs(where: str, table: pl.DataFrame) -> Iterator[Finding]:
    names = {snake_case(name): name for name in table.columns}
    for what, keys in (("task-level rows", _TASK_LEVEL), ("job-level rows", _JOB_LEVEL)):
        column = next((names[key] for key in keys if key in names), None)
        if column is not None:
            n = table.get_column(column).n_unique()
            kind = what.split("-")[0]
            yield Finding(where, what, f"{plural(table.height, 'row')} for {plural(n, kind)}, by {column}", "look")


def _small_groups(where: str, table: pl.DataFrame, privacy: Privacy) -> Iterator[Finding]:
    """Yield a finding if any small groups aren't suppressed."""
    names = {snake_case(name): name for name in table.columns}
    is_small = pl.lit(value=False)
    for column, minimum in (("jobs", privacy.min_jobs), ("headcount", privacy.min_headcount)):
        if column in names:
            number = _number(names[column])
            # If no value exceeds 1, these are shares of headcount.
            is_small |= (number > 0) & (number < minimum) & ((number.max() > 1) | (column == "jobs"))
    groups = _group_columns(names)
    unsuppressed = {*_UNSUPPRESSED, *groups}
    visible = [_number(name).is_not_null() for key, name in names.items() if key not in unsuppressed]
    if not visible or not {"jobs", "headcount"} & set(names):
        return
    small = table.filter((is_small & pl.any_horizontal(visible)).fill_null(value=False))
    if small.height:
        by_group = bool(groups) and not {*_JOB_LEVEL, *_TASK_LEVEL} & set(names)
        parts = by_group and _is_distribution(table, [names[key] for key in groups], names, privacy)
        limits = f"fewer than {privacy.min_jobs} jobs or {privacy.min_headcount:g} people"
        description = f"{plural(small.height, 'row')} with {limits}{', part of a larger group' if parts else ''}"
        yield Finding(where, "small groups", description, "stop" if by_group and not parts else "look")


def _group_columns(names: Iterable[str]) -> list[str]:
    """Return the columns that name a row's group: job families, or the first columns of a result by group."""
    known = [name for name in names if name in _FAMILY]
    if known:
        return known[:1]
    first = list(takewhile(lambda name: name not in _AFTER_GROUP, names))
    following = next((name for name in names if name in _AFTER_GROUP), None)
    return first if following in ("jobs", "level", "ai_impact_level") and not _NOT_GROUPS & set(first) else []


def _is_distribution(table: pl.DataFrame, groups: list[str], names: dict[str, str], privacy: Privacy) -> bool:
    """Return whether the rows split the jobs of each group, as in a distribution."""
    if "jobs" not in names or {"level", "ai_impact_level"} & names.keys():
        return False
    jobs = table.group_by(groups).agg(rows=pl.len(), jobs=_number(names["jobs"]).sum())
    return bool(jobs.select((pl.col("rows") > 1).any() & (pl.col("jobs") >= privacy.min_jobs).all()).item())


def _number(column: str) -> pl.Expr:
    """Parse formatted numbers, ignoring separators, units and percent signs. Other text becomes null."""
    text = pl.col(column).str.replace_all(r"[,\s\u{a0}\u{202f}']", "")
    return text.str.extract(r"^(-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)\D{0,6}$").cast(pl.Float64, strict=False)
