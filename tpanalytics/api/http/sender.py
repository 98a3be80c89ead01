"""Send requests with retries, and build error messages that don't contain secrets."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests

from tpanalytics.api.http.body import ResponseRejected
from tpanalytics.api.http.refusals import error_text, outline, redirect_host, secret_pattern
from tpanalytics.api.http.retry import RETRY_STATUSES, RetryPolicy, describe_error, is_transient, parse_retry_after
from tpanalytics.api.http.transport import as_https
from tpanalytics.api.settings import Secret
from tpanalytics.errors import ApiError, RateLimited, TpAnalyticsError, Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tpanalytics.api.http.transport import BoundedSession

__all__ = ["Sender"]

_OPTIONAL_SILENCE_SECONDS = 10.0


class Sender:
    """A thread-safe sender that uses a single session."""

    def __init__(
        self,
        session: BoundedSession,
        retry: RetryPolicy,
        sleep: Callable[[float], None],
        secrets: Iterable[Secret],
    ) -> None:
        self._session = session
        self._retry = retry
        self._sleep = sleep
        self._secrets = tuple(secrets)
        self._tokens = deque[Secret](maxlen=32)

    def hide(self, token: Secret) -> None:
        """Redact the given token in all subsequent messages."""
        self._tokens.append(token)

    def send(
        self,
        method: str,
        url: str,
        name: str,
        *,
        on_wait: Callable[[str], None] | None = None,
        optional: bool = False,
        **parts: Any,
    ) -> requests.Response:
        """Send a request, retrying unless it's `optional`. Messages refer to the request as `name`."""
        tries, silence = (1, _OPTIONAL_SILENCE_SECONDS) if optional else (self._retry.tries, None)
        for attempt in range(tries):
            response, problem, final = None, "", attempt + 1 == tries
            try:
                response = self._session.exchange(method, as_https(url), silence_seconds=silence, **parts)
                problem = f"the service returned {response.status_code}"
            except requests.RequestException as error:
                problem, status = describe_error(error), error.status if isinstance(error, ResponseRejected) else None
                final = final or not is_transient(error)
            if response is not None and response.status_code not in RETRY_STATUSES:
                return response
            if final:
                break
            wait = self._retry.wait(attempt, None if response is None else parse_retry_after(response.headers))
            if on_wait is not None:
                on_wait(f"{problem}; retrying in {wait:.0f} s")
            self._sleep(wait)
        if response is not None:
            return response
        # Raise outside the handler. The original exception refers to the request, including the secret.
        kind = Unreachable if status is None else ApiError
        message = f"{method} {name} on {urlsplit(url).netloc}: {problem} (attempt {attempt + 1} of {tries})"
        raise kind(f"{message}. Check the address and the network.", status=status, path=name)

    def refusal(
        self, response: requests.Response, method: str, path: str, *, may_have_token: bool = False
    ) -> TpAnalyticsError:
        """Return an error for an unexpected response."""
        status = response.status_code
        title, description = error_text(response)
        request_id = self.redact(response.headers.get("X-Request-ID", ""))[:80] or None
        message = (
            f"{method} {path}: the service returned {status}: {self.quote(response, may_have_token=may_have_token)}"
        )
        if request_id:
            message += f" (request {request_id})"
        details: dict[str, Any] = {
            "status": status,
            "path": path,
            "title": self.redact(title) if title else None,
            "description": self.redact(description) if description else None,
            "request_id": request_id,
        }
        if status == 429:
            seconds = parse_retry_after(response.headers)
            wait = f"after {seconds:.0f} s" if seconds is not None else "later"
            limited = RateLimited(
                f"{message}. Gave up after {self._retry.tries} attempts; try again {wait}.", **details
            )
            limited.retry_after_seconds = seconds
            return limited
        if 300 <= status < 400:
            return ApiError(
                f"{method} {path}: the service redirects to {self.redact(redirect_host(response))} ({status}), "
                "where the token is not sent. Check `base_url` and `token_url`.",
                **details,
            )
        attempts = f". Gave up after {self._retry.tries} attempts; try again later" if status in RETRY_STATUSES else ""
        return ApiError(f"{message}{attempts}.", **details)

    def quote(self, response: requests.Response, *, may_have_token: bool = False) -> str:
        """Return a quote from an error response, with secrets redacted.

        If the response may have a new token, which can't be redacted, only the fields for errors are quoted.
        """
        title, description = error_text(response)
        if title or description:
            return self.redact(": ".join(part for part in (title, description) if part))[:300].rstrip(".")
        if may_have_token:
            return f"the body is {self.redact(outline(response))}"
        return repr(self.redact(response.text).strip()[:200]) if response.content else "(empty body)"

    def redact(self, text: str) -> str:
        """Replace any secrets and tokens with ``***``."""
        for secret in (*self._secrets, *self._tokens):
            text = secret_pattern(secret.reveal()).sub("***", text)
        return text
