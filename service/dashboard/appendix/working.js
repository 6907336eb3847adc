/** One set worked out step by step, one of its values normalized, and the whole tensor normalized. */

import { BlockGrid } from "./blocks.js";
import { el, fill, setText } from "../common/dom.js";
import { capitalize } from "../common/format.js";
import { readMathml } from "./mathml.js";
import { findSet, listPlaces, readAt, writeFigure, writeValue } from "./tensor.js";

/** Longer lists are a formula, without a chip to point at for each value. */
const MAX_CHIPS = 64;

export class Working {
  #label = el("p", { class: "set-label" });
  #steps = el("ol", { class: "steps" });
  #last = el("li", { tabindex: 0 });
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
    listen(this.#last, () => this.onLight(true), () => this.onLight(false));
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
      fill(this.#steps, steps, this.#last);
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
      el("p", { class: isList ? "chips" : "formula" }, separate(shown)),
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

  #showLast({ answer, normalization, place, set }) {
    const value = readAt(answer.sample.pixels, place);
    const result = readAt(answer.normalized[normalization], place);
    const eps = answer.sample.eps === 0 ? "" : `<mo>+</mo>${write(answer.sample.eps)}`;
    const pieces = [
      divide("<mi>x</mi><mo>−</mo><mi>μ</mi>", "<msup><mi>σ</mi><mn>2</mn></msup><mo>+</mo><mi>ε</mi>"),
      `<mo>≈</mo>${divide(`${write(value)}<mo>−</mo>${bracket(set.mean)}`, write(set.variance) + eps)}`,
      `<mo>≈</mo>${write(result)}`,
    ].map((piece) => readMathml(`<math displaystyle="true"><mrow>${piece}</mrow></math>`));
    const words = "Subtract the mean from this value, and divide by σ.";
    fill(
      this.#last,
      el("p", {}, el("strong", {}, "normalized"), " ", el("span", { class: "quiet" }, words)),
      el("p", { class: "formula" }, separate(pieces)),
    );
  }

  #showNormalized(answer, normalization) {
    const tensor = answer.normalized[normalization];
    this.grid.color(normalization, answer);
    this.grid.update((cell, place) => setText(cell, writeFigure(readAt(tensor, place), 2)));
  }
}

/** Let a line break between nodes: at a space after a comma, elsewhere unseen. */
function separate(nodes) {
  return nodes.flatMap((node) => [node, node.textContent.endsWith(",") ? " " : el("wbr")]);
}

function divide(top, variance) {
  return `<mfrac><mrow>${top}</mrow><msqrt>${variance}</msqrt></mfrac>`;
}

function write(value) {
  const size = `<mn>${Number(Math.abs(value).toFixed(5))}</mn>`;
  return value < 0 ? `<mrow><mo form="prefix">−</mo>${size}</mrow>` : size;
}

function bracket(value) {
  return value < 0 ? `<mo stretchy="false">(</mo>${write(value)}<mo stretchy="false">)</mo>` : write(value);
}

function listen(element, enter, leave) {
  for (const event of ["pointerenter", "focus"]) element.addEventListener(event, enter);
  for (const event of ["pointerleave", "blur"]) element.addEventListener(event, leave);
}
