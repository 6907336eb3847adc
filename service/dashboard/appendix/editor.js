/** The tensor to type into: its size, the groups, eps, and a field for each value. */

import { BlockGrid, describePlace } from "./blocks.js";
import { button, el, field } from "../common/dom.js";
import { MAX_SIZE, readAt, readShape, readValue, resize, shuffle, writeValue } from "./tensor.js";

const STEPPERS = { images: "Images (N)", channels: "Channels (C)", rows: "Rows (H)", columns: "Columns (W)" };
const HINT = "↑ and ↓ change a value by 1; with Ctrl, the arrows go from value to value.";
/** Keys that move between values while Ctrl or Alt is held. */
const MOVES = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

export class TensorEditor {
  #pixels;
  study;
  #counts = {};

  /** `onChange` is called when a value or a setting changes, after `onReshape` where all of them may. */
  constructor({ onChange, onReshape, onPoint, onPick }) {
    this.onChange = onChange;
    this.onReshape = onReshape;
    const makeCell = (place) => this.#makeCell(place);
    this.grid = new BlockGrid({ label: "The tensor", makeCell, onPoint, onPick });
    this.groups = numberField("groups", { min: 1, step: 1, value: 2 });
    this.eps = numberField("eps", { min: 0, step: "any", value: 0 });
    for (const input of [this.groups, this.eps]) input.addEventListener("input", () => this.onChange());
    this.element = el(
      "div",
      { class: "editor" },
      el("div", { class: "scroll" }, this.grid.element),
      el("p", { class: "quiet keys" }, HINT),
      el("div", { class: "sizes" }, Object.entries(STEPPERS).map((entry) => this.#makeStepper(...entry))),
      el(
        "div",
        { class: "row" },
        field("Groups (group norm)", this.groups),
        field("ε, added to the variance", this.eps),
      ),
      el(
        "div",
        { class: "row" },
        button("Study sample", () => this.#replace(this.study)),
        button("Random values", () => this.#replace(shuffle(this.#pixels))),
      ),
    );
  }

  /** Start with the study's pixels, to which a button returns. */
  begin(pixels) {
    this.study = pixels;
    this.#replace(pixels);
  }

  /** The body of POST /appendix, including text that is not a number: the API refuses it with a reason. */
  get request() {
    return { pixels: this.#pixels, groups: readValue(this.groups.value), eps: readValue(this.eps.value) };
  }

  /** The size, and the number of groups, 1 where the channels cannot be split as asked. */
  get shape() {
    const shape = readShape(this.#pixels);
    const groups = Number(this.groups.value);
    const fits = Number.isInteger(groups) && groups > 0 && shape.channels % groups === 0;
    return { ...shape, groups: fits ? groups : 1 };
  }

  #replace(pixels) {
    this.#pixels = structuredClone(pixels);
    this.onReshape();
    this.grid.build(this.shape);
    for (const [name, { output, buttons }] of Object.entries(this.#counts)) {
      const size = this.shape[name];
      output.value = size;
      buttons[0].disabled = size === 1;
      buttons[1].disabled = size === MAX_SIZE[name];
    }
    this.onChange();
  }

  #makeCell(place) {
    const value = readAt(this.#pixels, place);
    const input = el("input", {
      type: "text",
      inputmode: "decimal",
      autocomplete: "off",
      "aria-label": describePlace(place),
      value: writeValue(value),
    });
    input.addEventListener("input", () => this.#write(place, input));
    input.addEventListener("keydown", (event) => this.#onKey(event, place, input));
    input.addEventListener("focus", () => input.select());
    return input;
  }

  #write({ image, channel, row, column }, input) {
    const value = readValue(input.value);
    this.#pixels[image][channel][row][column] = value;
    input.toggleAttribute("aria-invalid", typeof value !== "number");
    this.onChange();
  }

  #onKey(event, place, input) {
    const move = MOVES[event.key];
    if (!move) return;
    if (event.ctrlKey || event.altKey) {
      event.preventDefault();
      this.#goFrom(place, move);
    } else if (move[0] !== 0 && typeof readValue(input.value) === "number") {
      event.preventDefault();
      input.value = writeValue(Number((readValue(input.value) - move[0]).toFixed(9)));
      this.#write(place, input);
    }
  }

  /** Go to the value above, below, left or right of one, over the edges of the blocks. */
  #goFrom({ image, channel, row, column }, [down, right]) {
    const { rows, columns } = this.shape;
    const [y, x] = [image * rows + row + down, channel * columns + column + right];
    const [toImage, toChannel] = [Math.floor(y / rows), Math.floor(x / columns)];
    this.grid.find({ image: toImage, channel: toChannel, row: y % rows, column: x % columns })?.focus();
  }

  #makeStepper(name, label) {
    const output = el("output", { "aria-label": label });
    const resizeBy = (by) => ({ ...this.shape, [name]: this.shape[name] + by });
    const change = (by) => this.#replace(resize(this.#pixels, resizeBy(by)));
    const buttons = [
      ["−", "Fewer", -1],
      ["+", "More", 1],
    ].map(([sign, word, by]) => button(sign, () => change(by), { "aria-label": `${word} ${name}` }));
    this.#counts[name] = { output, buttons };
    return el("div", { class: "stepper" }, el("span", {}, label), buttons[0], output, buttons[1]);
  }
}

function numberField(id, attributes) {
  return el("input", { type: "number", id, ...attributes });
}
