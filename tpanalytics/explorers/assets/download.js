function render({ model, el }) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "jupyter-button widget-button tpa-download-button";
  button.style.width = "auto";
  const label = () => { button.textContent = model.get("label"); };
  label();
  model.on("change:label", label);
  button.addEventListener("click", () => { button.disabled = true; model.send({ wanted: true }); });
  const receive = (message, buffers) => {
    button.disabled = false;
    if (!message.name) { return; }
    const url = URL.createObjectURL(new Blob([buffers[0]], { type: message.mime }));
    const link = document.createElement("a");
    link.href = url;
    link.download = message.name;
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(url), 10000);
  };
  model.on("msg:custom", receive);
  el.append(button);
  return () => { model.off("msg:custom", receive); model.off("change:label", label); };
}
export default { render };
