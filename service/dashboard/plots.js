/** The curves as the service draws them: which plot, which normalizations, and the files. */

import { el, field, fill } from "./dom.js";
import { fileLink, Picture } from "./files.js";

const PLOTS = [
  ["overview", "All four plots"],
  ["test-accuracy", "Test accuracy"],
  ["train-accuracy", "Train accuracy"],
  ["test-loss", "Test loss"],
  ["train-loss", "Train loss"],
];
const FORMATS = ["png", "svg", "pdf"];
/** Drawing costs the service a moment, so a fast run's epochs are drawn together. */
const LEAST_WAIT_MS = 4_000;
/** More runs than this get no plots of their own in the menu; the API has them all the same. */
const MAX_SINGLE_RUNS = 40;

export class PlotPanel {
  #drawn = "";
  #drawnAt = 0;
  #experiment;

  constructor(experiment, signal) {
    this.id = experiment.id;
    this.#experiment = experiment;
    this.picture = new Picture({ signal, className: "plot" });
    this.picture.say("Curves appear here with the first epoch.");
    this.menu = plotMenu(experiment.runs);
    this.toggles = normalizationToggles(experiment.runs);
    this.links = FORMATS.map((format) => [format, fileLink(format.toUpperCase(), "")]);
    for (const control of [this.menu, this.toggles]) {
      control.addEventListener("change", () => this.#draw({ isForced: true }));
    }
    this.element = el(
      "div",
      {},
      el("div", { class: "row controls" }, field("Plot", this.menu), this.toggles),
      this.picture.element,
      el("p", { class: "links" }, "Download: ", this.links.map(([, link]) => link)),
    );
    this.#pointLinks();
  }

  /** Draw again if epochs have landed since, but only every few seconds while more may come. */
  update(experiment) {
    this.#experiment = experiment;
    const isActive = ["queued", "running"].includes(experiment.status);
    this.#draw({ isForced: !isActive });
  }

  #draw({ isForced }) {
    const epochs = this.#experiment.runs.reduce((sum, { epoch }) => sum + epoch, 0);
    this.#pointLinks();
    if (this.#chosen !== null && this.#chosen.length === 0) {
      this.picture.say("Every normalization is left out; tick one.");
      this.#drawn = "";
      return;
    }
    const state = `${epochs} ${this.#path("svg")}`;
    const isEarly = performance.now() - this.#drawnAt < LEAST_WAIT_MS;
    if (epochs === 0 || state === this.#drawn || (isEarly && !isForced)) return;
    this.#drawn = state;
    this.#drawnAt = performance.now();
    const title = this.menu.selectedOptions[0].textContent;
    const alt = `${title} of ${this.#experiment.name}, by epoch; the figures are in the table of results`;
    this.picture.load(this.#path("svg"), alt);
  }

  /** The normalizations ticked; null where they have no say: all are, or the plot is of one run. */
  get #chosen() {
    if (this.menu.value.startsWith("run-")) return null;
    const boxes = [...this.toggles.querySelectorAll("input")];
    const chosen = boxes.filter(({ checked }) => checked).map(({ value }) => value);
    return chosen.length === boxes.length ? null : chosen;
  }

  #path(format) {
    const query = this.#chosen ? `?normalizations=${this.#chosen.join()}` : "";
    return `/experiments/${this.id}/plots/${this.menu.value}.${format}${query}`;
  }

  #pointLinks() {
    for (const [format, link] of this.links) {
      link.href = this.#path(format);
      link.download = `experiment-${this.id}-${this.menu.value}.${format}`;
    }
  }
}

function plotMenu(runs) {
  const options = PLOTS.map(([name, title]) => el("option", { value: name }, title));
  const menu = el("select", { id: "plot" }, options);
  if (runs.length <= MAX_SINGLE_RUNS) {
    const singles = runs.flatMap(({ id, label, seed }) =>
      ["accuracy", "loss"].map((quantity) =>
        el("option", { value: `run-${id}-${quantity}` }, `${label}, seed ${seed}: ${quantity}`),
      ),
    );
    menu.append(el("optgroup", { label: "One run, train and test" }, singles));
  }
  // Four plots side by side cannot be read on a phone.
  if (matchMedia("(max-width: 40rem)").matches) menu.value = "test-accuracy";
  return menu;
}

function normalizationToggles(runs) {
  const names = [...new Set(runs.map(({ normalization }) => normalization))];
  const boxes = names.map((name) =>
    el(
      "label",
      {},
      el("input", { type: "checkbox", value: name, checked: true }),
      el("span", { class: `swatch norm-${name}` }),
      name,
    ),
  );
  const set = el("fieldset", { class: "checks", hidden: names.length < 2 });
  fill(set, el("legend", {}, "Normalizations"), boxes);
  return set;
}
