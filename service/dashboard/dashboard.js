/** Entry point: mounts the view named by the address's hash, and unmounts the previous one. */

import { watchConnection } from "./common/connection.js";
import { el, failure, fill, note } from "./common/dom.js";
import { askForToken } from "./common/token.js";

/** `mount` receives the main element, a signal that ends the view, and the address's parts. */
const ROUTES = [
  {
    address: /^(?:#\/?)?(?:\?.*)?$/,
    section: "experiments",
    title: "Experiments",
    load: () => import("./experiments/view.js"),
  },
  { address: /^#\/new$/, section: "new", title: "New experiment", load: () => import("./new/view.js") },
  {
    address: /^#\/experiments\/(\d+)$/,
    section: "experiments",
    title: "Experiment",
    load: () => import("./experiment/view.js"),
  },
  {
    address: /^#\/experiments\/(\d+)\/mistakes$/,
    section: "experiments",
    title: "Misclassified",
    load: () => import("./mistakes/view.js"),
  },
  { address: /^#\/draw$/, section: "draw", title: "Draw a digit", load: () => import("./draw/view.js") },
  { address: /^#\/appendix$/, section: "appendix", title: "Appendix", load: () => import("./appendix/view.js") },
  { address: /^#\/system$/, section: "system", title: "System", load: () => import("./system/view.js") },
];
const NAME = "Normalization Lab";

const main = document.getElementById("main");
let leaving = new AbortController();

async function showRoute({ isFirst = false } = {}) {
  leaving.abort();
  leaving = new AbortController();
  const { signal } = leaving;
  const route = ROUTES.find(({ address }) => address.test(location.hash));
  for (const link of document.querySelectorAll("nav [data-section]")) {
    if (link.dataset.section === route?.section) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = `${route?.title ?? "Not found"} · ${NAME}`;
  if (!isFirst) {
    window.scrollTo(0, 0);
    main.focus({ preventScroll: true });
  }
  if (route) await showView(route, signal);
  else showMissing();
}

async function showView(route, signal) {
  fill(main, note("loading", "Loading…"));
  try {
    const { mount } = await route.load();
    if (signal.aborted) return;
    fill(main);
    mount(main, { signal, parts: location.hash.match(route.address).slice(1) });
  } catch (error) {
    if (signal.aborted) return;
    console.warn(error);
    // A browser may remember that a module failed to load until the page is reloaded.
    const reload = () => location.reload();
    window.addEventListener("connection-healed", reload, { signal });
    fill(main, failure(new Error("This view could not be loaded."), reload));
  }
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
watchConnection(document.getElementById("connection"));
askForToken(document.getElementById("banners"), () => showRoute());
window.addEventListener("hashchange", () => showRoute());
await showRoute({ isFirst: true });
// Preload the other views, which are small: navigation is then fast, even offline.
for (const { load } of ROUTES) load().catch(() => {});
