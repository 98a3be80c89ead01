// vl-convert bundles this file with Vega, so that `vegaEmbed` is there without a network.
const OPTIONS = { renderer: "svg", actions: { export: true, source: false, compiled: false, editor: false } };

// A point selection as a specification states it: one object per mark.
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

  // What was moved in the chart is written to the model; a second view of the widget follows from there.
  function listen(embedded, spec, mine) {
    for (const { name, select } of spec.params ?? []) {
      embedded.view.addSignalListener(name, (_, signal) => {
        if (mine !== model.get("revision")) { return; }
        const value = select ? selected(select.fields, signal) : signal;
        if (JSON.stringify(value) === JSON.stringify(values()[name])) { return; }
        model.set("params", { revision: mine, values: { ...values(), [name]: value } });
        model.save_changes();
      });
    }
  }

  async function embed() {
    const mine = revision = model.get("revision"), spec = structuredClone(model.get("spec")), moved = values();
    for (const param of spec.params ?? []) {
      if (param.name in moved) { param.value = moved[param.name]; }
    }
    const next = document.createElement("div");
    let embedded = null;
    try {
      embedded = await vegaEmbed(next, spec, OPTIONS);
      listen(embedded, spec, mine);
      next.querySelector("summary")?.setAttribute("aria-label", "Save the chart as a picture");
    } catch (error) {
      next.setAttribute("role", "alert");
      next.textContent = `The chart could not be drawn: ${error.message}.`;
      console.error(error);
    }
    if (mine !== revision || removed) {
      embedded?.finalize();
      return;
    }
    // The finished chart replaces the one before in one step: the page neither flickers nor scrolls.
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
