/** Entry: shows the view that the address's hash names, and ends the one before. */

import { el, fill } from "./dom.js";
import { showExperiment } from "./experiment.js";
import { showExperiments } from "./experiments.js";
import { showReader } from "./reader.js";
import { askForToken } from "./token.js";

/** A view is called with the main element, an AbortSignal that ends it, and the address's parts. */
const ROUTES = [
  { address: /^(#\/?)?$/, section: "experiments", title: "Experiments", show: showExperiments },
  { address: /^#\/experiments\/(\d+)$/, section: "experiments", title: "Experiment", show: showExperiment },
  { address: /^#\/read$/, section: "read", title: "Read a digit", show: showReader },
];
const NAME = "Normalization Lab";

const main = document.getElementById("main");
let leaving = new AbortController();

function showRoute({ isFirst = false } = {}) {
  leaving.abort();
  leaving = new AbortController();
  const route = ROUTES.find(({ address }) => address.test(location.hash));
  for (const link of document.querySelectorAll("nav [data-section]")) {
    if (link.dataset.section === route?.section) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  fill(main);
  document.title = `${route?.title ?? "Not found"} · ${NAME}`;
  if (route) {
    route.show(main, { signal: leaving.signal, parts: location.hash.match(route.address).slice(1) });
  } else {
    showMissing();
  }
  if (isFirst) return;
  window.scrollTo(0, 0);
  main.focus({ preventScroll: true });
}

function showMissing() {
  const back = el("a", { href: "#/" }, "All experiments");
  fill(main, el("h1", {}, "There is no such page"), el("p", {}, back));
}

// Following the skip link would change the hash, which names the view.
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});
askForToken(document.getElementById("banners"), () => showRoute());
window.addEventListener("hashchange", () => showRoute());
showRoute({ isFirst: true });
