"""Read a claim like "Finance > Sales" against the families there are."""

from __future__ import annotations

import difflib

from tpanalytics.errors import SchemaError

__all__ = ["no_family", "read_claim"]


def read_claim(claim: str, families: list[str]) -> tuple[str, str, str]:
    """Give the family on the left, ``>`` or ``<``, and the family on the right.

    A name may hold any sign, these two as well; it may stand in double quotes, and in capitals or not where only one
    family is meant.

    Raises
    ------
    SchemaError
        If it is no such claim, a family is not known, both are the same, or it can be read in several ways.
    """
    if not isinstance(claim, str):
        raise SchemaError(f"claim={claim!r}: give it as text, like 'Finance > Sales'.")
    cuts = [i for i, sign in enumerate(claim) if sign in "<>"]
    if not cuts:
        raise SchemaError(f"claim={claim!r}: put > or < between two families, like 'Finance > Sales'.")
    sides = [(_family(claim[:i], families), claim[i], _family(claim[i + 1 :], families)) for i in cuts]
    ways = sorted({(left, sign, right) for left, sign, right in sides if left is not None and right is not None})
    if len(ways) > 1:
        listed = " or ".join(f'"{left}" {sign} "{right}"' for left, sign, right in ways)
        raise SchemaError(f"claim={claim!r} can be read as {listed}; put the families in double quotes.")
    if ways:
        left, sign, right = ways[0]
        if left == right:
            raise SchemaError(f"claim={claim!r}: both sides are {left!r}; compare two families.")
        return left, sign, right
    # The cut at which most is known is the one that was meant.
    best = max(range(len(cuts)), key=lambda i: (sides[i][0] is not None) + (sides[i][2] is not None))
    texts = claim[: cuts[best]].strip(), claim[cuts[best] + 1 :].strip()
    found = sides[best][0], sides[best][2]
    unknown = [text for text, family in zip(texts, found, strict=True) if family is None]
    raise SchemaError(f"claim={claim!r}: {'; '.join(no_family(text, families) for text in unknown)}.")


def _family(text: str, families: list[str]) -> str | None:
    text = text.strip()
    for name in (text, text[1:-1] if len(text) > 1 and text[0] == text[-1] == '"' else text):
        if name in families:
            return name
        alike = [family for family in families if family.strip().casefold() == name.strip().casefold()]
        if len(alike) == 1:
            return alike[0]
    return None


def no_family(text: str, families: list[str]) -> str:
    """Say that no family is called so, and which are called nearly so."""
    by_fold = {family.casefold(): family for family in families}
    holding = [fold for fold in by_fold if text.casefold() and text.casefold() in fold]
    alike = difflib.get_close_matches(text.casefold(), by_fold, n=3, cutoff=0.5)
    near = [by_fold[fold] for fold in [*dict.fromkeys([*holding, *alike])][:5]]
    shown = near or families[:10]
    more = f" and {len(families) - len(shown)} more" if not near and len(families) > len(shown) else ""
    said = ("near it is" if len(near) == 1 else "near it are") if near else "there are"
    return f"no family is called {text!r}; {said} {', '.join(map(repr, shown)) or 'none'}{more}"
