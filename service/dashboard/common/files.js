/** Pictures and downloads, fetched like everything else, so that token and errors work the same. */

import { getFile, hasToken } from "./api.js";
import { el, failure, fill, setText } from "./dom.js";

/** A picture of the API in a frame: `load` keeps the previous picture until the new one has arrived. */
export class Picture {
  #image = el("img", { hidden: true });
  #state = el("div");
  #address = null;
  #newest = 0;

  constructor({ signal, className = "" }) {
    this.signal = signal;
    this.element = el("div", { class: `picture ${className}` }, this.#image, this.#state);
    signal.addEventListener("abort", () => this.#release());
  }

  /** Show the picture at `path`; an answer that a newer call has overtaken is dropped. */
  async load(path, alt) {
    if (this.#image.hidden) this.say("Drawing…");
    this.#newest += 1;
    const turn = this.#newest;
    this.element.setAttribute("aria-busy", "true");
    try {
      const file = await getFile(path, this.signal);
      if (turn !== this.#newest || this.signal.aborted) return;
      this.#release();
      this.#address = URL.createObjectURL(file);
      this.#image.src = this.#address;
      this.#image.alt = alt;
      this.#image.hidden = false;
      fill(this.#state);
    } catch (error) {
      if (turn !== this.#newest || this.signal.aborted) return;
      this.#image.hidden = true;
      fill(
        this.#state,
        failure(error, () => this.load(path, alt)),
      );
    }
    this.element.removeAttribute("aria-busy");
  }

  /** Show a sentence in place of the picture. */
  say(sentence) {
    this.#newest += 1;
    this.element.removeAttribute("aria-busy");
    this.#image.hidden = true;
    fill(this.#state, el("p", { class: "note empty" }, sentence));
  }

  #release() {
    if (this.#address) URL.revokeObjectURL(this.#address);
    this.#address = null;
  }
}

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
