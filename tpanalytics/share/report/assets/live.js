(async function () {
  "use strict";
  const open = () => document.querySelectorAll("details.behind").forEach((details) => {
    if (!details.open) { details.open = true; details.dataset.opened = "for print"; }
  });
  const close = () => document.querySelectorAll("details[data-opened]").forEach((details) => {
    details.open = false; delete details.dataset.opened;
  });
  addEventListener("beforeprint", open);
  addEventListener("afterprint", close);
  // Keep the images if the browser cannot decompress the library.
  if (!("DecompressionStream" in window)) return;
  const packed = document.getElementById("library").textContent;
  const bytes = Uint8Array.from(atob(packed), (letter) => letter.charCodeAt(0));
  const unpacked = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  const vegaEmbed = new Function((await new Response(unpacked).text()) + "\nreturn vegaEmbed;")();
  for (const holder of document.querySelectorAll("script[data-spec]")) {
    const figure = document.querySelector('figure[data-chart="' + holder.dataset.spec + '"]');
    const spec = JSON.parse(holder.textContent);
    // Describe the chart as a single image, like the one it replaces, and hide its marks from screen readers.
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
