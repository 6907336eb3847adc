/** Verdicts: a ranking, and a verdict for every pair of configurations. */

import { el, fill, note } from "../common/dom.js";
import { capitalize, decimal, signedPoints } from "../common/format.js";
import { makeFactors } from "./factors.js";
import { makeRanking } from "./ranking.js";
import { isDecided, OUTCOME_WORDS, SIGNS } from "./verdict_words.js";

const ENOUGH_FOR_A_MATRIX = 2;

export class Verdicts {
  #ranking = el("div");
  #matrix = el("div");
  #detail = el("div", { class: "verdict", "aria-live": "polite" });
  #warnings = el("div");
  #scope = el("p", { class: "quiet" });
  #factors = el("div");
  #chosen = null;

  /** `onReference` is called when the choice of pairs changes, see `reference`. */
  constructor(configurations, { onReference }) {
    this.styles = new Map(configurations.map((one) => [one.label, one]));
    const makeOption = ({ label }) => el("option", { value: label }, `${label} with each other`);
    this.menu = el("select", { id: "reference" }, el("option", { value: "" }, "Every pair"));
    this.menu.append(...configurations.map(makeOption));
    this.menu.addEventListener("change", onReference);
    const menu = el("div", { class: "reference" }, this.menu);
    this.element = el(
      "div",
      { class: "verdicts" },
      this.#warnings,
      el("div", {}, el("h3", {}, "Ranking"), this.#ranking),
      el("div", {}, el("h3", {}, "Pairs"), menu, this.#scope, this.#matrix, this.#detail),
      this.#factors,
    );
    this.menu.setAttribute("aria-label", "Pairs to compare; fewer pairs leave more power");
    fill(this.#ranking, note("empty", "Verdicts appear when the first runs are completed."));
  }

  /** The configuration that all others are compared with; none for every pair. */
  get reference() {
    return this.menu.value || null;
  }

  /** Takes the API's comparison and the configurations of its results. */
  update(comparison, results) {
    const pairs = indexPairs(comparison.pairs);
    this.#warn(comparison.warnings);
    fill(this.#scope, comparison.method.scope);
    const findPair = (a, b) => pairs.get(key(a, b));
    const ranking = makeRanking(comparison.configurations, { results, findPair, styles: this.styles });
    fill(this.#ranking, ranking ?? note("empty", "Nothing to rank yet: no run is completed."));
    this.#compare(comparison, pairs);
    const factors = makeFactors(comparison.factors);
    fill(this.#factors, factors && el("h3", {}, "Factor by factor"), factors);
  }

  #warn(warnings) {
    const items = warnings.map((sentence) => el("li", {}, sentence));
    fill(this.#warnings, items.length > 0 && note("warning", el("ul", {}, items)));
  }

  #compare({ configurations }, pairs) {
    if (configurations.length < ENOUGH_FOR_A_MATRIX) {
      return fill(this.#matrix, note("empty", "There is only one configuration, so nothing to compare."));
    }
    const numbers = configurations.map((_, index) => String(index + 1));
    const head = numbers.map((number, index) =>
      el(
        "th",
        { scope: "col", title: configurations[index] },
        el("span", { "aria-hidden": true }, number),
        hidden(configurations[index]),
      ),
    );
    const rows = configurations.map((label, index) => {
      if (this.reference !== null && this.reference !== label) return null;
      const name = el("th", { scope: "row" }, el("span", { class: "number" }, numbers[index]), label);
      return el("tr", {}, name, configurations.map((other) => this.#makeCell(label, other, pairs)));
    });
    const caption = el(
      "caption",
      { class: "visually-hidden" },
      "How the row's configuration does against the column's",
    );
    const table = el(
      "table",
      { class: "matrix" },
      caption,
      el("thead", {}, el("tr", {}, el("td"), head)),
      el("tbody", {}, rows.filter(Boolean)),
    );
    fill(
      this.#matrix,
      el("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": "Every pair" }, table),
      matrixLegend(),
    );
    if (!pairs.has(this.#chosen))
      fill(this.#detail, el("p", { class: "quiet" }, "Select a cell for its figures."));
    else this.#show(pairs.get(this.#chosen));
  }

  #makeCell(label, other, pairs) {
    const pair = pairs.get(key(label, other));
    if (pair === undefined) return el("td", { class: "self" });
    const outcome = readOutcome(pair, label);
    const difference = pair.a === label ? pair.difference : -pair.difference;
    const button = el(
      "button",
      {
        type: "button",
        class: `pair ${outcome}`,
        "aria-label": `${label} against ${other}: ${pair.verdict}`,
        title: pair.verdict,
      },
      el("span", { "aria-hidden": true }, SIGNS[outcome]),
      el("small", {}, pair.difference === null ? "" : signedPoints(difference)),
    );
    button.addEventListener("click", () => {
      this.#chosen = key(label, other);
      this.#show(pair);
    });
    return el("td", {}, button);
  }

  #show(pair) {
    const facts = [
      ["Difference", pair.difference === null ? "–" : `${signedPoints(pair.difference)} points`],
      ["95% interval, this pair alone", describeInterval(pair.ci_low, pair.ci_high)],
      ["Interval with all judged at once", describeInterval(pair.simultaneous_low, pair.simultaneous_high)],
      ["95% interval with other test images", describeInterval(pair.images_low, pair.images_high)],
      ["Exact p", decimal(pair.p_value, 3)],
      ["Adjusted p", `${decimal(pair.p_adjusted, 3)} for ${pair.num_tests} tests`],
      ["Smallest p possible", `${decimal(pair.smallest_p, 3)} with ${pair.num_seeds} seeds`],
      ["Effect size", decimal(pair.effect_size, 2)],
    ];
    fill(
      this.#detail,
      el("h3", {}, `${pair.a} against ${pair.b}`),
      el("p", { class: "strong" }, `${capitalize(pair.verdict)}.`),
      el("p", {}, pair.scope),
      el("dl", {}, facts.flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)])),
      pair.to_settle && el("p", { class: "quiet" }, `What would settle it: ${pair.to_settle}.`),
      pair.warnings.map((sentence) => el("p", { class: "caution" }, sentence)),
    );
  }
}

function matrixLegend() {
  const items = Object.entries(OUTCOME_WORDS).map(([name, words]) =>
    el("li", {}, el("span", { class: `pair ${name}` }, SIGNS[name]), words),
  );
  return el("ul", { class: "outcomes quiet" }, items);
}

function readOutcome({ outcome, a }, label) {
  if (!isDecided(outcome)) return outcome;
  return (outcome === "a_better") === (a === label) ? "better" : "worse";
}

function describeInterval(low, high) {
  return low === null ? "–" : `${signedPoints(low)} to ${signedPoints(high)}`;
}

function indexPairs(pairs) {
  return new Map(
    pairs.flatMap((pair) => [
      [key(pair.a, pair.b), pair],
      [key(pair.b, pair.a), pair],
    ]),
  );
}

function key(a, b) {
  return JSON.stringify([a, b]);
}

function hidden(text) {
  return el("span", { class: "visually-hidden" }, text);
}
