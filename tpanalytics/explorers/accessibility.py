"""What a keyboard and a screen reader need of an explorer, and the widgets do not give by themselves."""

from __future__ import annotations

import anywidget

__all__ = ["Reach"]

_SCRIPT = """
// Else JupyterLab takes keys pressed in the explorer for its own: arrows leave the cell, and "d d" deletes it.
const own = event => event.target.setAttribute("data-lm-suppress-shortcuts", "true");

function say(explorer) {
  for (const button of explorer.querySelectorAll(".widget-toggle-button")) {
    button.setAttribute("aria-pressed", String(button.classList.contains("mod-active")));
  }
  for (const group of explorer.querySelectorAll(".widget-toggle-buttons")) {
    group.setAttribute("role", "group");
    group.setAttribute("aria-label", group.querySelector(".widget-label")?.textContent ?? "");
  }
}

function render({ el }) {
  let gone = false;
  let seen;
  const claim = () => {
    const explorer = el.closest(".tpa-explorer");
    if (explorer) {
      explorer.addEventListener("focusin", own);
      seen = new MutationObserver(() => say(explorer));
      seen.observe(explorer, { subtree: true, childList: true, attributes: true, attributeFilter: ["class"] });
      say(explorer);
    } else if (!gone) {
      requestAnimationFrame(claim);
    }
  };
  claim();
  return () => { gone = true; seen?.disconnect(); };
}
export default { render };
"""


class Reach(anywidget.AnyWidget):
    """Shows nothing; keeps keys pressed in the explorer there, and says which buttons are pressed."""

    _esm = _SCRIPT
