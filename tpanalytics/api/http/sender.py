"""One way out for every request: tried again as agreed, and refusals worded without the secrets that were sent."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests

from tpanalytics.api.http.body import ResponseRejected
from tpanalytics.api.http.refusals import error_text, host_named, traces
from tpanalytics.api.http.retry import RETRIED, RetryPolicy, in_words, is_passing, seconds_asked
from tpanalytics.api.http.transport import disguised
from tpanalytics.api.settings import Secret
from tpanalytics.errors import ApiError, RateLimited, TpAnalyticsError, Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tpanalytics.api.http.transport import BoundedSession

__all__ = ["Sender"]

_OPTIONAL_SILENCE_SECONDS = 10.0


class Sender:
    """Sends requests over one session; safe to share between threads."""

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
        self._passing = deque[Secret](maxlen=32)

    def hide(self, secret: Secret) -> None:
        """Keep a token out of every message from now on; of many, the latest are remembered."""
        self._passing.append(secret)

    def send(
        self,
        method: str,
        url: str,
        what: str,
        *,
        on_wait: Callable[[str], None] | None = None,
        optional: bool = False,
        **parts: Any,
    ) -> requests.Response:
        """Send a request, named `what` in messages, until it is answered for good; an `optional` one is tried once."""
        tries, silence = (1, _OPTIONAL_SILENCE_SECONDS) if optional else (self._retry.tries, None)
        for attempt in range(tries):
            response, broken, final = None, "", attempt + 1 == tries
            try:
                response = self._session.exchange(method, disguised(url), silence_seconds=silence, **parts)
                broken = f"the service answered {response.status_code}"
            except requests.RequestException as error:
                broken, status = in_words(error), error.status if isinstance(error, ResponseRejected) else None
                final = final or not is_passing(error)
            if response is not None and response.status_code not in RETRIED:
                return response
            if final:
                break
            wait = self._retry.wait(attempt, None if response is None else seconds_asked(response.headers))
            if on_wait is not None:
                on_wait(f"{broken}; trying again in {wait:.0f} s")
            self._sleep(wait)
        if response is not None:
            return response
        # Raised outside the handler: the library's exception carries the request, and with it the secret.
        kind = Unreachable if status is None else ApiError
        tried = f"{method} {what} on {urlsplit(url).netloc}: {broken} (try {attempt + 1} of {tries})"
        raise kind(f"{tried}. Check the address and the network.", status=status, path=what)

    def refusal(self, response: requests.Response, method: str, path: str) -> TpAnalyticsError:
        """Return the error for an answer that the caller does not expect."""
        status = response.status_code
        title, description = error_text(response)
        request_id = self.redact(response.headers.get("X-Request-ID", ""))[:80] or None
        message = f"{method} {path}: the service answered {status}: {self.quote(response)}"
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
            asked = seconds_asked(response.headers)
            wish = f"it asks to wait {asked:.0f} s" if asked is not None else "it does not say how long to wait"
            limited = RateLimited(f"{message}; {wish}. Tried {self._retry.tries} times.", **details)
            limited.retry_after_seconds = asked
            return limited
        if 300 <= status < 400:
            return ApiError(
                f"{method} {path}: the service redirects to {self.redact(host_named(response))} ({status}); "
                "the token is not sent there. Check base_url.",
                **details,
            )
        tried = f". Tried {self._retry.tries} times" if status in RETRIED else ""
        return ApiError(f"{message}{tried}.", **details)

    def quote(self, response: requests.Response) -> str:
        """Quote the body of a refusal, without secrets."""
        title, description = error_text(response)
        if title or description:
            return self.redact(": ".join(part for part in (title, description) if part))[:300].rstrip(".")
        return repr(self.redact(response.text).strip()[:200]) if response.content else "(empty body)"

    def redact(self, text: str) -> str:
        """Replace every hidden secret by ``***``."""
        for secret in (*self._secrets, *self._passing):
            text = traces(secret.reveal()).sub("***", text)
        return text
