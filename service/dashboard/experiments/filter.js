/** Filter of the list, kept in the address, so that it survives a reload and can be shared. */

import { getJson } from "../common/api.js";
import { el, fill } from "../common/dom.js";

const STATUSES = ["running", "queued", "paused", "completed", "failed", "cancelled"];
const NAMES = ["search", "status", "dataset"];
/** Wait until the user has stopped typing. */
const TYPING_MS = 200;

export class ListFilter {
  #search = el("input", {
    type: "search",
    id: "search",
    placeholder: "Search by name or number",
    maxlength: 100,
  });
  #status = menu("status", "Any status", STATUSES);
  #dataset = menu("dataset", "Any data set", []);
  #rest;

  constructor({ signal, onChange }) {
    this.onChange = onChange;
    const named = (label, control) =>
      el("div", {}, el("label", { for: control.id, class: "visually-hidden" }, label), control);
    this.element = el(
      "form",
      { class: "filter", role: "search", on: { submit: (event) => event.preventDefault() } },
      named("Search experiments", this.#search),
      named("Status", this.#status),
      named("Data set", this.#dataset),
    );
    const given = readAddress();
    this.#search.value = given.get("search") ?? "";
    if (STATUSES.includes(given.get("status"))) this.#status.value = given.get("status");
    this.#offerDatasets(given.get("dataset") ? [given.get("dataset")] : []);
    this.#dataset.value = given.get("dataset") ?? "";
    this.#search.addEventListener("input", () => {
      clearTimeout(this.#rest);
      this.#rest = setTimeout(() => this.#apply(), TYPING_MS);
    });
    for (const control of [this.#status, this.#dataset]) {
      control.addEventListener("change", () => this.#apply());
    }
    signal.addEventListener("abort", () => clearTimeout(this.#rest));
    this.#loadDatasets(signal);
  }

  get isActive() {
    return this.#values.size > 0;
  }

  /** The filter as part of a query string. */
  get query() {
    return this.isActive ? `&${this.#values}` : "";
  }

  clear() {
    for (const control of [this.#search, this.#status, this.#dataset]) control.value = "";
    this.#apply();
    this.#search.focus();
  }

  get #values() {
    const controls = [this.#search, this.#status, this.#dataset];
    const given = NAMES.map((name, index) => [name, controls[index].value.trim()]);
    return new URLSearchParams(given.filter(([, value]) => value !== ""));
  }

  #apply() {
    // Replaced without a history entry and without reloading the view.
    history.replaceState(null, "", this.isActive ? `#/?${this.#values}` : "#/");
    this.onChange();
  }

  async #loadDatasets(signal) {
    try {
      const { datasets } = await getJson("/datasets", signal);
      this.#offerDatasets(datasets.map(({ name }) => name));
    } catch (error) {
      // The list below shows the error; without names there is nothing to choose from.
      if (!signal.aborted) console.info(error.message);
    }
  }

  #offerDatasets(names) {
    const chosen = this.#dataset.value;
    const options = names.map((name) => el("option", { value: name }, name));
    fill(this.#dataset, el("option", { value: "" }, "Any data set"), options);
    this.#dataset.value = names.includes(chosen) ? chosen : "";
  }
}

function menu(id, everything, values) {
  const options = values.map((value) => el("option", { value }, value));
  return el("select", { id }, el("option", { value: "" }, everything), options);
}

function readAddress() {
  return new URLSearchParams(location.hash.split("?")[1] ?? "");
}
