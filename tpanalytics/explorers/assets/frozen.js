(async function () {
  "use strict";
  const read = (id) => JSON.parse(document.getElementById(id).textContent);
  const entries = read("entries"), controls = read("page-controls"), state = { ...entries[0].at };
  const form = document.getElementById("controls"), chart = document.getElementById("chart");
  // Browsers that cannot decompress the library only show the first chart.
  if (!("DecompressionStream" in window)) { return; }
  const bytes = Uint8Array.from(atob(document.getElementById("library").textContent), (letter) => letter.charCodeAt(0));
  const unpacked = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  const vegaEmbed = new Function((await new Response(unpacked).text()) + "\nreturn vegaEmbed;")();
  let turn = 0, view = null;

  const group = (name, label, options) => {
    const set = document.createElement("fieldset"), legend = document.createElement("legend");
    legend.textContent = label;
    set.append(legend);
    for (const [text, value] of options) {
      const item = document.createElement("label"), input = document.createElement("input");
      Object.assign(input, { type: "radio", name, value, checked: state[name] === value });
      input.addEventListener("change", () => { state[name] = value; draw(); });
      item.append(input, text);
      set.append(item);
    }
    return set;
  };
  const list = (name, label, options) => {
    const set = document.createElement("fieldset"), legend = document.createElement("legend");
    const select = document.createElement("select");
    legend.textContent = label;
    select.name = name;
    select.setAttribute("aria-label", label);
    for (const [text, value] of options) { select.add(new Option(text, value, false, state[name] === value)); }
    select.addEventListener("change", () => { state[name] = select.value; draw(); });
    set.append(legend, select);
    return set;
  };
  for (const [name, { label, options, value }] of Object.entries(controls)) {
    state[name] ??= (options.find(([, other]) => other === value) ?? options[0])[1];
    const set = (options.length > 6 ? list : group)(name, label, options);
    set.id = "control-" + name;
    form.append(set);
  }
  form.addEventListener("submit", (event) => event.preventDefault());

  async function draw() {
    const current = ++turn;
    const entry = entries.find(({ at }) => Object.entries(at).every(([name, value]) => state[name] === value));
    for (const name of Object.keys(controls)) { document.getElementById("control-" + name).hidden = !(name in entry.at); }
    document.getElementById("description").textContent = entry.spec.description;
    document.getElementById("python").textContent = entry.code;
    const next = document.createElement("div");
    const options = { renderer: "svg", actions: { export: true, source: false, compiled: false, editor: false } };
    const embedded = await vegaEmbed(next, structuredClone(entry.spec), options);
    if (current !== turn) { embedded.finalize(); return; }
    view?.finalize();
    view = embedded;
    chart.removeAttribute("role");
    chart.removeAttribute("aria-label");
    next.querySelector("summary")?.setAttribute("aria-label", "Save chart as image");
    chart.replaceChildren(next);
    document.documentElement.dataset.drawn = String(current);
  }
  await draw();
})();
