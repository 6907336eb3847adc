/** Predictions of every configuration: a card each, with bars of the ten probabilities. */

import { el, fill, setText } from "./dom.js";
import { percent } from "./format.js";

/** More cards than this wait for a click. */
const MAX_CARDS = 24;
const DIGITS = Array.from({ length: 10 }, (_, digit) => digit);

export class AnswerCards {
  #cards = new Map();
  #list = el("ul", { class: "answers" });
  #more = el("button", { type: "button", class: "small", hidden: true });
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
    this.#more.addEventListener("click", () => {
      this.#limit = Infinity;
      this.show(this.#models);
    });
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
    const toggle = () => this.onExplain(model.run_id === this.#explained ? null : model);
    return makeCard(model, { toggle: this.onExplain && toggle, truth: this.truth });
  }
}

function makeCard({ label, normalization, run_id: runId }, { toggle, truth }) {
  const digit = el("strong", { class: "digit" });
  const sure = el("span", { class: "quiet" });
  const bars = DIGITS.map((index) => makeBar(index));
  const why = el("button", { type: "button", class: "small", on: { click: toggle } }, "Why?");
  why.setAttribute("aria-label", `Why does ${label} read this? Show which pixels mattered`);
  bars[truth]?.classList.add("truth");
  const swatch = el("i", { class: `swatch norm-${normalization}` });
  const name = el("span", { class: "name" }, label);
  const element = el(
    "li",
    { class: `answer-card norm-${normalization}` },
    el("p", { class: "who", title: `Run ${runId}` }, swatch, name),
    el("p", { class: "reads" }, digit, sure, toggle && why),
    el("ol", { class: "ten" }, bars),
  );
  function update({ digit: read, class_name: className, confidence, probabilities }) {
    setText(digit, className);
    element.classList.toggle("wrong", truth !== null && read !== truth);
    setText(sure, percent(confidence, confidence >= 0.9995 ? 0 : 1));
    bars.forEach((bar, index) => {
      bar.firstChild.style.setProperty("--share", probabilities[index].toFixed(4));
      bar.classList.toggle("leads", index === read);
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

/** Agreement of the models: the most frequent prediction, and how many models make it. */
export function findConsensus(models) {
  const votes = new Map();
  for (const { class_name: name } of models) votes.set(name, (votes.get(name) ?? 0) + 1);
  const [name, count] = [...votes].reduce((best, one) => (one[1] > best[1] ? one : best));
  return { name, count, total: models.length };
}
