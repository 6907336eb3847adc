/** A tensor drawn as blocks: a row an image, a column a channel, each block colored by its set. */

import { el } from "../common/dom.js";
import { findSet, listAllBlocks } from "./tensor.js";

export class BlockGrid {
  #blocks = [];
  #cells = new Map();
  #here = null;
  #shape = null;

  /**
   * `makeCell` makes the element of a place; `onPoint` is given the place under the pointer, or null when
   * the pointer leaves; `onPick` the place clicked or focused.
   */
  constructor({ label, isLabelled = true, makeCell, onPoint, onPick = () => {} }) {
    this.isLabelled = isLabelled;
    this.makeCell = makeCell;
    this.element = el("div", { class: "blocks", role: "group", "aria-label": label });
    const find = ({ target }) => this.#read(target.closest("[data-place]"));
    this.element.addEventListener("pointerover", (event) => onPoint(find(event)));
    this.element.addEventListener("pointerleave", () => onPoint(null));
    this.element.addEventListener("focusin", (event) => onPick(find(event)));
    this.element.addEventListener("click", (event) => find(event) && onPick(find(event)));
  }

  /** Draw an empty tensor of the shape. */
  build(shape) {
    this.#shape = shape;
    this.#cells.clear();
    this.#blocks = listAllBlocks(shape).map((block) => ({ block, element: this.#makeBlock(block) }));
    this.element.style.setProperty("--channels", shape.channels);
    this.element.style.setProperty("--columns", shape.columns);
    this.element.style.setProperty("--cells", shape.channels * shape.columns);
    const rows = Array.from({ length: shape.images }, (_, image) => [
      this.isLabelled ? makeAxis("image", image) : [],
      this.#blocks.filter(({ block }) => block.image === image).map(({ element }) => element),
    ]);
    this.element.classList.toggle("labelled", this.isLabelled);
    this.element.replaceChildren(...(this.isLabelled ? this.#makeHeads() : []), ...rows.flat(2));
  }

  /** Call `change` with each cell and its place. */
  update(change) {
    for (const { element, place } of this.#cells.values()) change(element, place);
  }

  /** Color each block as its set in the API's answer. */
  color(normalization, answer) {
    for (const { block, element } of this.#blocks) {
      element.dataset.hue = answer[normalization][findSet(normalization, block, this.#shape)].color;
    }
  }

  /** Highlight the blocks of one set and, unless it is null, the cell at `place`. */
  light(normalization, number, { place = null, isStrong = false } = {}) {
    this.element.classList.toggle("dimming", isStrong);
    for (const { block, element } of this.#blocks) {
      element.classList.toggle("lit", findSet(normalization, block, this.#shape) === number);
    }
    this.#here?.classList.remove("here");
    this.#here = place && (this.#cells.get(writePlace(place))?.element ?? null);
    this.#here?.classList.add("here");
  }

  find(place) {
    return this.#cells.get(writePlace(place))?.element;
  }

  #makeHeads() {
    const heads = Array.from({ length: this.#shape.channels }, (_, channel) => makeAxis("channel", channel));
    return [el("span"), ...heads];
  }

  #makeBlock(block) {
    const { rows, columns } = this.#shape;
    const cells = Array.from({ length: rows * columns }, (_, index) => {
      const place = { ...block, row: Math.floor(index / columns), column: index % columns };
      const element = this.makeCell(place);
      element.dataset.place = writePlace(place);
      this.#cells.set(element.dataset.place, { element, place });
      return element;
    });
    return el("div", { class: "block" }, cells);
  }

  #read(cell) {
    return cell ? this.#cells.get(cell.dataset.place).place : null;
  }
}

/** The word is hidden where there is no room for it. */
function makeAxis(word, index) {
  return el("span", { class: "axis" }, el("i", {}, `${word} `), String(index + 1));
}

/** A place in words that count from 1. */
export function describePlace({ image, channel, row, column }) {
  return `image ${image + 1}, channel ${channel + 1}, row ${row + 1}, column ${column + 1}`;
}

function writePlace({ image, channel, row, column }) {
  return [image, channel, row, column].join();
}
