/** One set worked out step by step, one of its values normalized, and the whole tensor normalized. */

import { BlockGrid } from "./blocks.js";
import { el, fill, setText } from "../common/dom.js";
import { capitalize } from "../common/format.js";
import { readMathml } from "./mathml.js";
import { findSet, listPlaces, readAt, writeFigure, writeValue } from "./tensor.js";

/** Longer lists are a formula, without a chip to point at for each value. */
const MAX_CHIPS = 64;
const WRITTEN_DIGITS = 6;
const DEVIATION = "<mi>x</mi><mo>−</mo><mi>μ</mi>";
const SPREAD = "<msup><mi>σ</mi><mn>2</mn></msup><mo>+</mo><mi>ε</mi>";
const X_HAT = '<mover accent="true"><mi>x</mi><mo stretchy="false">^</mo></mover>';

export class Working {
  #label = el("p", { class: "set-label" });
  #steps = el("ol", { class: "steps" });
  #standardized = el("li", { tabindex: 0 });
  #scaled = el("li", { tabindex: 0 });
  #shown = "";

  /** `onLight` is called while a step is pointed at, `onPoint` with the place of a single value in it. */
  constructor({ onLight, onPoint, onPick }) {
    this.onLight = onLight;
    this.onPoint = onPoint;
    this.grid = new BlockGrid({
      label: "The tensor, normalized",
      makeCell: () => el("output"),
      onPoint,
      onPick: (place) => onPick(place),
    });
    this.steps = el("div", {}, this.#label, this.#steps);
    this.normalized = el("div", { class: "scroll" }, this.grid.element);
    for (const item of [this.#standardized, this.#scaled]) {
      listen(item, () => this.onLight(true), () => this.onLight(false));
    }
  }

  build(shape) {
    this.#shown = "";
    this.grid.build(shape);
  }

  /** Show the set of `place`; the steps stay as they are while another value of the same set is shown. */
  show({ answer, normalization, place, shape }) {
    const number = findSet(normalization, place, shape);
    const set = answer[normalization][number];
    const shown = JSON.stringify([normalization, number, set.values]);
    if (shown !== this.#shown) {
      this.#shown = shown;
      const sharing = set.count === 1 ? "a single value" : `${set.count} values share one mean`;
      setText(this.#label, `${capitalize(set.label)}: ${sharing}`);
      const places = listPlaces(normalization, number, shape);
      const steps = set.steps.map((step) => this.#makeStep(step, { set, places }));
      fill(this.#steps, steps, this.#standardized, this.#scaled);
    }
    this.#showLast({ answer, normalization, place, set });
    this.#showNormalized(answer, normalization);
  }

  #makeStep(step, { set, places }) {
    const isList = step.name === "values" && set.count <= MAX_CHIPS;
    const makeChips = () => set.values.map((value, index) => this.#makeChip(value, places[index]));
    const shown = isList ? makeChips() : step.mathml.map(readMathml);
    const element = el(
      "li",
      { tabindex: 0 },
      el("p", {}, el("strong", {}, step.name), " ", el("span", { class: "quiet" }, step.words)),
      el("p", { class: isList ? "chips" : "formula" }, shown),
    );
    listen(element, () => this.onLight(true), () => this.onLight(false));
    return element;
  }

  #makeChip(value, place) {
    const chip = el("span", { class: "chip-value" }, writeValue(value));
    chip.addEventListener("pointerenter", () => this.onPoint(place));
    chip.addEventListener("pointerleave", () => this.onPoint(null));
    return chip;
  }

  /** The value at `place` in place of the set's first, which the API works out. */
  #showLast({ answer, normalization, place, set }) {
    const value = readAt(answer.sample.pixels, place);
    const result = readAt(answer.normalized[normalization], place);
    const spread = `${write(set.variance)}<mo>+</mo>${write(answer.sample.eps)}`;
    const equals = [value, set.mean, set.variance, answer.sample.eps].every(isWrittenExactly) ? "=" : "≈";
    const standardized = [
      `${X_HAT}<mo>=</mo>${divide(DEVIATION, SPREAD)}`,
      `<mo>${equals}</mo>${divide(`${write(value)}<mo>−</mo>${bracket(set.mean)}`, spread)}`,
      `<mo>≈</mo>${write(result)}`,
    ];
    const scaled = [
      `<mi>y</mi><mo>=</mo><mi>γ</mi>${X_HAT}<mo>+</mo><mi>β</mi>`,
      `<mo>≈</mo><mn>1</mn><mo>·</mo>${bracket(result)}<mo>+</mo><mn>0</mn>`,
      `<mo>≈</mo>${write(result)}`,
    ];
    const words = "Subtract the mean, divide by the root of variance plus ε.";
    fillStep(this.#standardized, "normalized", words, standardized);
    fillStep(this.#scaled, "scaled and shifted", "γ and β are learned, and start as 1 and 0.", scaled);
  }

  #showNormalized(answer, normalization) {
    const tensor = answer.normalized[normalization];
    this.grid.color(normalization, answer);
    this.grid.update((cell, place) => setText(cell, writeFigure(readAt(tensor, place), 2)));
  }
}

/** Fill a step with its name, its words, and a formula in pieces of MathML. */
function fillStep(element, name, words, pieces) {
  const formula = pieces.map((piece) => readMathml(`<math displaystyle="true"><mrow>${piece}</mrow></math>`));
  fill(
    element,
    el("p", {}, el("strong", {}, name), " ", el("span", { class: "quiet" }, words)),
    el("p", { class: "formula" }, formula),
  );
}

function divide(top, variance) {
  return `<mfrac><mrow>${top}</mrow><msqrt>${variance}</msqrt></mfrac>`;
}

function write(value) {
  const size = `<mn>${round(Math.abs(value))}</mn>`;
  return value < 0 ? `<mrow><mo form="prefix">−</mo>${size}</mrow>` : size;
}

function round(value) {
  return Number(value.toFixed(WRITTEN_DIGITS));
}

function isWrittenExactly(value) {
  return round(value) === value;
}

function bracket(value) {
  return value < 0 ? `<mo stretchy="false">(</mo>${write(value)}<mo stretchy="false">)</mo>` : write(value);
}

function listen(element, enter, leave) {
  for (const event of ["pointerenter", "focus"]) element.addEventListener(event, enter);
  for (const event of ["pointerleave", "blur"]) element.addEventListener(event, leave);
}
