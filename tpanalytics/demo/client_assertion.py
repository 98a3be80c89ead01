"""Client assertion (private key JWT) checks for the demo server."""

from __future__ import annotations

import threading
import time
from typing import Any

__all__ = ["Assertions"]

_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_CLAIMS = ("iss", "sub", "aud", "iat", "exp", "jti")
_LEEWAY_SECONDS = 60
_MAX_LIFETIME_SECONDS = 300


class Assertions:
    """Validator for assertions signed with a private key. Each assertion is only accepted once."""

    def __init__(self, public_key: str, clock_skew_seconds: float = 0.0) -> None:
        self._key = public_key
        self._skew = clock_skew_seconds
        self._seen: set[str] = set()
        self._lock = threading.Lock()

    def refusal(self, body: dict[str, Any], audience: str) -> str | None:
        """Return why a token request's assertion is refused, or None if it's valid."""
        import jwt

        if body.get("client_assertion_type") != _TYPE:
            return f"client_assertion_type must be {_TYPE}."
        if "client_secret" in body:
            return "This client signs in with a key. client_secret must not be sent."
        # Times are checked in _refusal_of, which allows for clock skew.
        options: Any = {"require": list(_CLAIMS), "verify_exp": False, "verify_iat": False, "verify_nbf": False}
        try:
            claims = jwt.decode(
                str(body.get("client_assertion")), self._key, algorithms=["RS256"], audience=audience, options=options
            )
        except jwt.MissingRequiredClaimError as error:
            return f"The assertion lacks {error.claim}."
        except jwt.InvalidAudienceError:
            return "The assertion's aud is not this token endpoint."
        except jwt.InvalidTokenError:
            return "The assertion is not signed with this client's key."
        return self._refusal_of(claims, str(body.get("client_id")))

    def _refusal_of(self, claims: dict[str, Any], client_id: str) -> str | None:
        now = time.time() + self._skew
        issued, expires = claims["iat"], claims["exp"]
        if not claims["iss"] == claims["sub"] == client_id:
            return "The assertion's iss and sub must be the client_id."
        if not all(isinstance(moment, (int, float)) for moment in (issued, expires)):
            return "The assertion's iat and exp must be numbers."
        if expires <= now:
            return "The assertion has expired."
        if issued > now + _LEEWAY_SECONDS:
            return "The assertion is from the future."
        if expires - issued > _MAX_LIFETIME_SECONDS:
            return "The assertion is valid for more than 5 minutes."
        with self._lock:
            if str(claims["jti"]) in self._seen:
                return "The assertion was used before."
            self._seen.add(str(claims["jti"]))
        return None
