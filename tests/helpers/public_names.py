"""Public functions by layer."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import tpanalytics as tpa

if TYPE_CHECKING:
    from collections.abc import Callable


def public_functions(layer: str) -> dict[str, Callable[..., Any]]:
    """Return the public functions of one layer, such as ``"measures"``, by name."""
    public = {name: getattr(tpa, name) for name in tpa.__all__}
    return {
        name: function
        for name, function in public.items()
        if inspect.isfunction(function) and function.__module__.startswith(f"tpanalytics.{layer}.")
    }
