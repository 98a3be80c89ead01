// vl-convert bundles this file with Vega, which defines `vegaEmbed`.
const OPTIONS = { renderer: "svg", actions: { export: true, source: false, compiled: false, editor: false } };

// Convert a point selection signal to the format used in specifications, which is an array with one object per mark.
function selected(fields, signal) {
  return (signal?.[fields[0]] ?? []).map((_, row) =>
    Object.fromEntries(fields.map((field) => [field, signal[field][row]])));
}

function render({ model, el }) {
  let view = null, revision = null, removed = false;

  const values = () => {
    const params = model.get("params");
    return params.revision === model.get("revision") ? params.values : {};
  };

  // Write parameter changes to the model, which updates other views of the widget.
  function listen(embedded, spec, current) {
    for (const { name, select } of spec.params ?? []) {
      embedded.view.addSignalListener(name, (_, signal) => {
        if (current !== model.get("revision")) { return; }
        const value = select ? selected(select.fields, signal) : signal;
        if (JSON.stringify(value) === JSON.stringify(values()[name])) { return; }
        model.set("params", { revision: current, values: { ...values(), [name]: value } });
        model.save_changes();
      });
    }
  }

  async function embed() {
    const current = revision = model.get("revision"), spec = structuredClone(model.get("spec")), changed = values();
    for (const param of spec.params ?? []) {
      if (param.name in changed) { param.value = changed[param.name]; }
    }
    const next = document.createElement("div");
    let embedded = null;
    try {
      embedded = await vegaEmbed(next, spec, OPTIONS);
      listen(embedded, spec, current);
      next.querySelector("summary")?.setAttribute("aria-label", "Save chart as image");
    } catch (error) {
      next.setAttribute("role", "alert");
      next.textContent = `The chart could not be drawn: ${error.message}.`;
      console.error(error);
    }
    if (current !== revision || removed) {
      embedded?.finalize();
      return;
    }
    // Replace the previous chart once the new one is complete, so the page doesn't flicker or scroll.
    const focused = el.contains(document.activeElement) ? document.activeElement : null;
    view?.finalize();
    view = embedded;
    el.replaceChildren(next);
    if (focused) { next.querySelector(focused.name ? `[name="${focused.name}"]` : focused.localName)?.focus(); }
  }

  function follow() {
    if (!view || revision !== model.get("revision")) { return; }
    for (const { name, select } of model.get("spec").params ?? []) {
      if (!select && name in values()) { view.view.signal(name, values()[name]); }
    }
    view.view.runAsync();
  }

  model.on("change:revision", embed);
  model.on("change:params", follow);
  embed();
  return () => {
    removed = true;
    model.off("change:revision", embed);
    model.off("change:params", follow);
    view?.finalize();
  };
}
export default { render };
