"""Breadcrumb navigation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.helpers.explorer_widget import control
from tpanalytics.schema import COUNTED_STATES

if TYPE_CHECKING:
    import tpanalytics as tpa


def test_buttons_lead_back_to_the_family_and_to_all_families(explorer: tpa.Explorer) -> None:
    breadcrumb = explorer._breadcrumb
    assert breadcrumb.layout.display == "none"
    control(explorer, "view").value = "tasks"
    control(explorer, "group").value = "Finance"
    name, job = explorer._facts.visible_jobs("Finance", COUNTED_STATES)[0]
    control(explorer, "job").value = job
    texts = [getattr(child, "description", "") or child.value for child in breadcrumb.children]
    assert texts == ["All job families", "\u203a", "Finance", "\u203a", name]
    breadcrumb.children[2].click()
    assert (explorer.state["group"], explorer.state["job"]) == ("Finance", None)
    assert control(explorer, "job").value is None
    breadcrumb.children[0].click()
    assert explorer.state["group"] is None
    assert breadcrumb.layout.display == "none"
