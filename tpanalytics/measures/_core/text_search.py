"""Look for words in the texts of tasks, alike on every engine.

Engines differ in how they write letters small. Of plain letters none differs, so tasks of these are decided where they
lie; texts with any other letter come home and are decided here.
"""

from __future__ import annotations

import functools
import operator
import unicodedata
from typing import TYPE_CHECKING, Any

import narwhals as nw
import polars as pl

from tpanalytics.errors import SchemaError
from tpanalytics.schema import to_polars

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["PLAIN", "folded", "has_no_text", "hold_all", "may_hold_all", "read_words", "with_texts"]

#: Letters that every engine writes small alike, and that stand for themselves: Latin, Cyrillic, Chinese, Japanese and
#: Korean ones, and punctuation; ends of ranges. Left out are those with a rule of their own, like ß, and marks that
#: join with the letter before them.
PLAIN = (
    ("\x00", "\xb4"),
    ("\xb6", "\xde"),
    ("\xe0", "\u012f"),
    ("\u0131", "\u0148"),
    ("\u014a", "\u017e"),
    ("\u0400", "\u0481"),
    ("\u048a", "\u052f"),
    ("\u2010", "\u206f"),
    ("\u3000", "\u3029"),
    ("\u3030", "\u3096"),
    ("\u309b", "\u30ff"),
    ("\u3400", "\u9fff"),
    ("\uac00", "\ud7a3"),
)
_NOT_PLAIN = "[^" + "".join(rf"{low}-{high}" for low, high in PLAIN).replace("\x00", r"\x00") + "]"


def read_words(text: str) -> list[str]:
    """Part a text into the words that are looked for, each once, without case.

    Raises
    ------
    SchemaError
        If there is none.
    """
    words = list(dict.fromkeys(folded(text).split())) if isinstance(text, str) else []
    if not words:
        raise SchemaError(
            f"text={text!r}: give a word that the tasks hold, or several, like 'invoice' or 'check invoices'."
        )
    return words


def folded(text: str) -> str:
    """Take case away, and put letters and their marks together."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())


def with_texts(tasks: Any) -> Any:
    """Make ``task`` of the tasks a text wherever they lie, empty where there is none.

    Raises
    ------
    SchemaError
        If it is no text.
    """
    text, dtype = nw.col("task"), tasks.collect_schema()["task"]
    if dtype in (nw.String, nw.Categorical, nw.Enum, nw.Object):
        # Some pandas make text of what is missing, too, when it is cast.
        known = nw.when(~text.is_null()).then(text.cast(nw.String)).otherwise(nw.lit(""))
        return tasks.with_columns(task=known)
    # An engine may call a column without any value a number.
    if to_polars(tasks.select(known=(~text.is_null()).sum()).to_native()).item():
        raise SchemaError(f"tasks: task must be text, and is {dtype}. Cast it first.")
    return tasks.with_columns(task=nw.lit(""))


def has_no_text() -> Any:
    """Tell the tasks that have no text."""
    return nw.col("task").str.strip_chars() == ""


def may_hold_all(words: Sequence[str]) -> Any:
    """Tell on the engine the tasks that hold all words, and those of which it cannot be told there."""
    small = nw.col("task").str.to_lowercase()
    plainly = functools.reduce(operator.and_, (small.str.contains(word, literal=True) for word in words))
    return plainly | nw.col("task").str.contains(_NOT_PLAIN)


def hold_all(tasks: pl.DataFrame, words: Sequence[str]) -> pl.DataFrame:
    """Keep of the tasks that `may_hold_all` those that do."""
    unsure = pl.col("task").str.contains(_NOT_PLAIN)
    texts = tasks.filter(unsure).get_column("task").unique().to_list()
    without = [text for text in texts if not all(word in small for small in [folded(text)] for word in words)]
    return tasks.filter(~pl.col("task").is_in(without)) if without else tasks
