"""A traceback that shows local variables, as notebooks and error trackers keep it, shows neither secret nor token."""

from __future__ import annotations

import traceback
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

import tpanalytics as tpa
from tpanalytics.demo.server import Tenant

if TYPE_CHECKING:
    from collections.abc import Callable

SECRET = "S3CR3T-canary"
QUICK = tpa.RetryPolicy(tries=2, base=0)


def told(act: Callable[[], Any]) -> str:
    """Give the whole traceback of what `act` raises, with the variables of our own frames."""
    with pytest.raises(tpa.TpAnalyticsError) as caught:
        act()
    shown = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    ours = [frame for frame in shown.stack if "tpanalytics" in frame.filename and "tests" not in frame.filename]
    assert ours
    return "".join(f"{frame.name} {frame.locals}" for frame in ours) + str(caught.value)


@pytest.mark.parametrize("broken", ["token endpoint", "export", "answer", "setting", "address"])
def test_no_local_variable_shows_a_secret(broken: str) -> None:
    with Tenant(client_secret=SECRET) as tenant:
        settings = dict(tenant.settings)
        match broken:
            case "token endpoint":
                tenant.token_faults[0] = lambda reply: replace(reply, cut_at=0)
            case "export":
                tenant.faults[0] = lambda reply: replace(reply, status=400)
            case "answer":
                tenant.faults[0] = lambda reply: replace(reply, body=b"<html>")
            case "setting":
                del settings["tenant"]
            case "address":
                settings["base_url"] = "http://elsewhere.example"
        said = told(lambda: tpa.load_task_profiles(tpa.connect(**settings, retry=QUICK), progress=False))
        assert SECRET not in said
        assert "tok-" not in said
        assert all(token not in said for token in tenant._tokens)
