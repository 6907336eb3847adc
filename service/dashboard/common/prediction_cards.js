/** Predictions of every configuration: a card each, with bars of the ten probabilities. */

import { button, el, fill, setText } from "./dom.js";
import { percent } from "./format.js";

/** More cards than this wait for a click. */
const MAX_CARDS = 24;
const DIGITS = Array.from({ length: 10 }, (_, digit) => digit);

export class PredictionCards {
  #cards = new Map();
  #list = el("ul", { class: "prediction-cards" });
  #more = button("", () => this.#showAll(), { class: "small", hidden: true });
  #limit = MAX_CARDS;
  #models = [];
  #explained = null;

  /**
   * `onExplain` receives the model to explain, or null to stop; without it the cards offer no explanation.
   * `truth` is the true class, if known.
   */
  constructor({ onExplain = null, truth = null }) {
    this.onExplain = onExplain;
    this.truth = truth;
    this.element = el("div", {}, this.#list, this.#more);
  }

  /** Show the models of POST /predict; existing cards update their bars. */
  show(models) {
    this.#models = models;
    const shown = models.slice(0, this.#limit);
    if (shown.map(({ run_id: id }) => id).join() !== [...this.#cards.keys()].join()) {
      this.#cards = new Map(shown.map((model) => [model.run_id, this.#makeCard(model)]));
      fill(this.#list, [...this.#cards.values()].map(({ element }) => element));
      this.#markExplained();
    }
    for (const model of shown) this.#cards.get(model.run_id).update(model);
    const rest = models.length - shown.length;
    this.#more.hidden = rest === 0;
    setText(this.#more, `Show ${rest} more`);
  }

  #showAll() {
    this.#limit = Infinity;
    this.show(this.#models);
  }

  clear() {
    this.#cards.clear();
    this.#models = [];
    this.#explained = null;
    this.#more.hidden = true;
    fill(this.#list);
  }

  /** Mark the run whose explanation is shown: its id or null. */
  markExplained(runId) {
    this.#explained = runId;
    this.#markExplained();
  }

  #markExplained() {
    for (const [runId, card] of this.#cards) card.setExplained(runId === this.#explained);
  }

  #makeCard(model) {
    const explain = () => this.onExplain(model.run_id === this.#explained ? null : model);
    return makeCard(model, { explain: this.onExplain && explain, truth: this.truth });
  }
}

function makeCard({ label, normalization, run_id: runId }, { explain, truth }) {
  const digit = el("strong", { class: "digit" });
  const certainty = el("span", { class: "quiet" });
  const bars = DIGITS.map((index) => makeBar(index));
  const why = button("Why?", explain, { class: "small" });
  why.setAttribute("aria-label", `Why does ${label} predict this? Show the pixels that mattered`);
  bars[truth]?.classList.add("truth");
  const swatch = el("i", { class: `swatch norm-${normalization}` });
  const name = el("span", { class: "name" }, label);
  const element = el(
    "li",
    { class: `prediction-card norm-${normalization}` },
    el("p", { class: "who", title: `Run ${runId}` }, swatch, name),
    el("p", { class: "prediction" }, digit, certainty, explain && why),
    el("ol", { class: "ten" }, bars),
  );
  function update({ digit: predicted, class_name: className, confidence, probabilities }) {
    setText(digit, className);
    element.classList.toggle("wrong", truth !== null && predicted !== truth);
    setText(certainty, percent(confidence, confidence >= 0.9995 ? 0 : 1));
    bars.forEach((bar, index) => {
      bar.firstChild.style.setProperty("--share", probabilities[index].toFixed(4));
      bar.classList.toggle("leads", index === predicted);
      bar.setAttribute("aria-label", `${index}: ${percent(probabilities[index], 1)}`);
      bar.title = `${index}: ${percent(probabilities[index], 2)}`;
    });
  }
  function setExplained(isExplained) {
    element.classList.toggle("explained", isExplained);
    why.setAttribute("aria-pressed", String(isExplained));
  }
  setExplained(false);
  return { element, update, setExplained };
}

function makeBar(index) {
  return el("li", {}, el("i"), el("span", { "aria-hidden": "true" }, String(index)));
}

/** The most frequent of `values`, the first of equals, and how often it occurs. */
export function findMostFrequent(values) {
  const votes = new Map();
  for (const value of values) votes.set(value, (votes.get(value) ?? 0) + 1);
  const [value, number] = [...votes].reduce((best, one) => (one[1] > best[1] ? one : best));
  return { value, number };
}
