"""A button that hands a file to the browser; its bytes are made on the click, and kept nowhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anywidget
import traitlets

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Download"]

_SCRIPT = """
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
"""
_KINDS = {
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".pdf": "application/pdf",
    ".html": "text/html",
    ".json": "application/json",
    ".csv": "text/csv",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".parquet": "application/vnd.apache.parquet",
}


class Download(anywidget.AnyWidget):
    """A button; `make` gives name and bytes of the file, or None where it could not be made and has said so."""

    _esm = _SCRIPT
    label = traitlets.Unicode("Download").tag(sync=True)

    def __init__(self, make: Callable[[], tuple[str, bytes] | None], **how: Any) -> None:
        super().__init__(**how)
        self._make = make
        self.on_msg(self._asked)

    def _asked(self, *_: Any) -> None:
        try:
            made = self._make()
        except BaseException:
            self.send({})  # the button can be pressed again
            raise
        if made is None:
            self.send({})
            return
        name, content = made
        self.send({"name": name, "mime": _KINDS["." + name.rsplit(".", 1)[1]]}, buffers=[content])
