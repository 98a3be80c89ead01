"""Parse and describe error responses without exposing secrets."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

if TYPE_CHECKING:
    import requests

__all__ = ["error_text", "outline", "redirect_host", "secret_pattern"]


def error_text(response: requests.Response) -> tuple[str | None, str | None]:
    """Return the title and description in an error response from the API or the token endpoint."""
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
    """Describe a response body without quoting any values, which might include a token."""
    try:
        body = response.json()
    except (ValueError, RecursionError):
        start = response.text.strip()[:200]
        is_page = re.match(r"<(!doctype|html|head|body)", start, re.IGNORECASE)
        return repr(start) if is_page else "not JSON" if start else "empty"
    return (
        f"an object with the fields {', '.join(body)[:200] or '(none)'}" if isinstance(body, dict) else "not an object"
    )


def redirect_host(response: requests.Response) -> str:
    """Return the host that a response redirects to."""
    try:
        return urlsplit(response.headers.get("Location", "")).hostname or "an unknown host"
    except ValueError:
        return "an unknown host"


def secret_pattern(value: str) -> re.Pattern[str]:
    """Return a pattern that matches `value` as plain text, escaped, or decoded with the wrong encoding."""
    # Letters and digits are never changed. Other characters may appear as \u00e9, %C3%A9, &eacute; or mojibake.
    forms = [re.escape(form) for form in (value, json.dumps(value)[1:-1], quote(value, safe="", errors="replace"))]
    parts = re.findall(r"[A-Za-z0-9._~-]+|[^A-Za-z0-9._~-]+", value)
    plain = [re.match(r"[A-Za-z0-9._~-]", part) is not None for part in parts]
    if any(plain):
        first, last = plain.index(True), len(plain) - plain[::-1].index(True)
        forms.append(
            "".join(
                re.escape(part) if is_plain else f".{{1,{24 * len(part)}}}?"
                for part, is_plain in zip(parts[first:last], plain[first:last], strict=True)
            )
        )
    return re.compile("|".join(forms), re.DOTALL | re.IGNORECASE)
