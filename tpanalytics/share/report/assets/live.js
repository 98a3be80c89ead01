(async function () {
  "use strict";
  const open = () => document.querySelectorAll("details.behind").forEach((one) => {
    if (!one.open) { one.open = true; one.dataset.opened = "for print"; }
  });
  const close = () => document.querySelectorAll("details[data-opened]").forEach((one) => {
    one.open = false; delete one.dataset.opened;
  });
  addEventListener("beforeprint", open);
  addEventListener("afterprint", close);
  // Where the library cannot be unpacked the pictures stay, which say the same.
  if (!("DecompressionStream" in window)) return;
  const packed = document.getElementById("library").textContent;
  const bytes = Uint8Array.from(atob(packed), (letter) => letter.charCodeAt(0));
  const unpacked = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  const vegaEmbed = new Function((await new Response(unpacked).text()) + "\nreturn vegaEmbed;")();
  for (const holder of document.querySelectorAll("script[data-spec]")) {
    const figure = document.querySelector('figure[data-chart="' + holder.dataset.spec + '"]');
    const spec = JSON.parse(holder.textContent);
    // One picture with one description, as the still it replaces, and none within it that has no words of its own.
    spec.config = {...spec.config, aria: false};
    try {
      await vegaEmbed(figure.querySelector(".live"), spec, {renderer: "svg", actions: false, ast: false});
      const drawn = figure.querySelector(".live svg");
      drawn.setAttribute("role", "img");
      drawn.setAttribute("aria-label", figure.querySelector("img").alt);
      drawn.querySelectorAll("[role]").forEach((mark) => {
        mark.removeAttribute("role"); mark.removeAttribute("aria-roledescription");
      });
      figure.classList.add("drawn");
    } catch (error) {
      console.error(error);
    }
  }
  document.documentElement.dataset.drawn = "all";
})();
