// Stop JupyterLab from handling keys pressed in the explorer. Arrow keys would leave the cell, and "d d" would delete it.
const keepKeys = event => event.target.setAttribute("data-lm-suppress-shortcuts", "true");

function announce(explorer) {
  for (const button of explorer.querySelectorAll(".widget-toggle-button")) {
    button.setAttribute("aria-pressed", String(button.classList.contains("mod-active")));
  }
  for (const group of explorer.querySelectorAll(".widget-toggle-buttons")) {
    group.setAttribute("role", "group");
    group.setAttribute("aria-label", group.querySelector(".widget-label")?.textContent ?? "");
  }
}

function render({ el }) {
  let removed = false;
  let observer;
  const attach = () => {
    const explorer = el.closest(".tpa-explorer");
    if (explorer) {
      explorer.addEventListener("focusin", keepKeys);
      observer = new MutationObserver(() => announce(explorer));
      observer.observe(explorer, { subtree: true, childList: true, attributes: true, attributeFilter: ["class"] });
      announce(explorer);
    } else if (!removed) {
      requestAnimationFrame(attach);
    }
  };
  attach();
  return () => { removed = true; observer?.disconnect(); };
}
export default { render };
