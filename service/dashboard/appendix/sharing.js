/** The four normalizations side by side: which blocks share a mean, and one value normalized. */

import { BlockGrid } from "./blocks.js";
import { button, el, setText } from "../common/dom.js";
import { capitalize, count } from "../common/format.js";
import { findSet, NORMALIZATIONS, readAt, writeFigure } from "./tensor.js";

/** Decimals that fit beside the blocks. */
const DIGITS = 3;
const RULES = {
  batch: "One mean per channel, over all images.",
  group: "One mean per image and group of channels.",
  layer: "One mean per image, over all channels.",
  instance: "One mean per image and channel.",
};

export class SharingPanels {
  #panels = new Map();

  /** `onPoint` is given the place pointed at or null, `onPick` a place or null, and the normalization. */
  constructor({ onPoint, onPick }) {
    for (const name of NORMALIZATIONS) this.#panels.set(name, makePanel(name, { onPoint, onPick }));
    const panels = [...this.#panels.values()].map(({ element }) => element);
    this.element = el("div", { class: "sharing" }, panels);
  }

  build(shape) {
    for (const { grid } of this.#panels.values()) grid.build(shape);
  }

  /** Mark the normalization that is worked out. */
  choose(normalization) {
    for (const [name, { element, chooser }] of this.#panels) {
      element.classList.toggle("chosen", name === normalization);
      chooser.setAttribute("aria-pressed", String(name === normalization));
    }
  }

  /** Highlight the set of `place` in each panel, and show the value there normalized. */
  show({ place, shape, answer, isPointing }) {
    for (const [name, panel] of this.#panels) {
      const number = findSet(name, place, shape);
      panel.grid.color(name, answer);
      panel.grid.light(name, number, { place, isStrong: isPointing });
      const set = answer[name][number];
      const sets = answer[name].length;
      setText(panel.size, `${count(sets, "set")} of ${count(set.count, "value")}`);
      setText(panel.mean, writeFigure(set.mean, DIGITS));
      setText(panel.spread, writeFigure(set.std, DIGITS));
      setText(panel.before, `${writeFigure(readAt(answer.sample.pixels, place), DIGITS)} becomes`);
      setText(panel.after, writeFigure(readAt(answer.normalized[name], place), DIGITS));
    }
  }
}

function makePanel(name, { onPoint, onPick }) {
  const grid = new BlockGrid({
    label: `Values that share a mean in ${name} norm`,
    isLabelled: false,
    makeCell: () => el("i"),
    onPoint,
    onPick: (place) => onPick(place, name),
  });
  const chooser = button(`${capitalize(name)} norm`, () => onPick(null, name));
  const figures = Object.fromEntries(["mean", "spread", "after"].map((key) => [key, el("dd")]));
  const before = el("dt");
  const size = el("p", { class: "quiet" });
  const element = el(
    "article",
    { class: "norm-panel", "data-normalization": name },
    el("h3", {}, chooser),
    el("p", { class: "rule" }, RULES[name]),
    grid.element,
    el(
      "dl",
      {},
      el("div", {}, el("dt", {}, "μ"), figures.mean),
      el("div", {}, el("dt", {}, "σ"), figures.spread),
      el("div", { class: "result" }, before, figures.after),
    ),
    size,
  );
  return { element, grid, chooser, size, before, ...figures };
}
