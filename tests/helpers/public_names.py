"""The public functions, by the layer that defines them."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import tpanalytics as tpa

if TYPE_CHECKING:
    from collections.abc import Callable


def public_functions(layer: str) -> dict[str, Callable[..., Any]]:
    """Return the public functions of one layer, such as ``"measures"``, by name."""
    things = {name: getattr(tpa, name) for name in tpa.__all__}
    return {
        name: thing
        for name, thing in things.items()
        if inspect.isfunction(thing) and thing.__module__.startswith(f"tpanalytics.{layer}.")
    }
