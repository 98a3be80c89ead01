"""What a refusal says, in words that are safe to print."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

if TYPE_CHECKING:
    import requests

__all__ = ["error_text", "host_named", "outline", "traces"]


def error_text(response: requests.Response) -> tuple[str | None, str | None]:
    """Read title and description from the documented list of errors, or the token endpoint's object."""
    try:
        body = response.json()
    except (ValueError, RecursionError):
        return None, None
    first = body[0] if isinstance(body, list) and body else body
    if not isinstance(first, dict):
        return None, None
    title, description = (
        first.get("title", first.get("error")),
        first.get("description", first.get("error_description")),
    )
    return (str(title) if title else None, str(description) if description else None)


def outline(response: requests.Response) -> str:
    """Describe a body without any value in it: it may be a token under another name."""
    try:
        body = response.json()
    except (ValueError, RecursionError):
        start = response.text.strip()[:200]
        return repr(start) if start.startswith("<") else "no JSON" if start else "empty"
    return f"an object with {', '.join(body)[:200] or 'nothing'}" if isinstance(body, dict) else "no JSON object"


def host_named(response: requests.Response) -> str:
    """Return the host a redirect points to."""
    try:
        return urlsplit(response.headers.get("Location", "")).hostname or "elsewhere"
    except ValueError:
        return "elsewhere"


def traces(value: str) -> re.Pattern[str]:
    """Compile the pattern that finds `value` however it was escaped or decoded on its way back."""
    # Letters and digits stay; any other character may have become \u00e9, %C3%A9, &eacute;, or two wrong ones.
    ways = [re.escape(way) for way in (value, json.dumps(value)[1:-1], quote(value, safe="", errors="replace"))]
    parts = re.findall(r"[A-Za-z0-9._~-]+|[^A-Za-z0-9._~-]+", value)
    plain = [re.match(r"[A-Za-z0-9._~-]", part) is not None for part in parts]
    if any(plain):
        first, last = plain.index(True), len(plain) - plain[::-1].index(True)
        ways.append(
            "".join(
                re.escape(part) if kept else f".{{1,{24 * len(part)}}}?"
                for part, kept in zip(parts[first:last], plain[first:last], strict=True)
            )
        )
    return re.compile("|".join(ways), re.DOTALL | re.IGNORECASE)
