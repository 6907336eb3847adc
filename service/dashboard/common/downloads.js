/** Downloads, fetched like everything else, so that token and errors work the same. */

import { getFile, hasToken } from "./api.js";
import { el, setText } from "./dom.js";

/** A link to a file of the API, saved as `name` if given; `label` says more than `text`. */
export function fileLink(text, path, { name = null, label = null } = {}) {
  const link = el("a", { href: path, "aria-label": label, download: name });
  setText(link, text);
  link.addEventListener("click", (event) => {
    // A link cannot carry the token, so the page fetches the file itself.
    if (!hasToken()) return;
    event.preventDefault();
    saveFile(link.getAttribute("href"), link.download).catch(({ message }) => {
      link.after(el("span", { class: "error", role: "alert" }, message));
    });
  });
  return link;
}

async function saveFile(path, name) {
  const address = URL.createObjectURL(await getFile(path));
  el("a", { href: address, download: name || path.split("/").pop().split("?")[0] }).click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}
