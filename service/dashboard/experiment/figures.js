/** The service's figures and the experiment's data, as files. */

import { getJson } from "../common/api.js";
import { el, field, fill } from "../common/dom.js";
import { fileLink } from "../common/downloads.js";

const FORMATS = ["png", "svg", "pdf"];
const OVERVIEW = { name: "overview", title: "All curves" };

export class FigureFiles {
  #menu = el("select", { id: "figure" }, el("option", { value: OVERVIEW.name }, OVERVIEW.title));
  #normalizations = null;

  constructor(id, signal) {
    this.id = id;
    this.links = FORMATS.map((format) => [format, fileLink(format.toUpperCase(), "")]);
    const name = `experiment-${id}-curves.json`;
    const curves = fileLink("Curves as JSON", `/experiments/${id}/curves`, { name });
    const links = el("p", { class: "links" }, this.links.map(([, link]) => link), curves);
    this.element = el("div", { class: "row figure-files" }, field("Figure as a file", this.#menu), links);
    this.#menu.addEventListener("change", () => this.#point());
    this.#point();
    this.#load(signal);
  }

  /** Leave the other normalizations out of the figures; null for none. */
  show(normalizations) {
    this.#normalizations = normalizations;
    this.#point();
  }

  async #load(signal) {
    try {
      const { plots } = await getJson(`/experiments/${this.id}/plots`, signal);
      fill(this.#menu, plots.map(({ name, title }) => el("option", { value: name }, title)));
      this.#point();
    } catch (error) {
      // The overview is available all the same.
      if (!signal.aborted) console.info(error.message);
    }
  }

  #point() {
    const name = this.#menu.value;
    const query = this.#normalizations === null ? "" : `?normalizations=${this.#normalizations.join()}`;
    for (const [format, link] of this.links) {
      link.href = `/experiments/${this.id}/plots/${name}.${format}${query}`;
      link.download = `experiment-${this.id}-${name}.${format}`;
    }
  }
}
