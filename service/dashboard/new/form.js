/** Form of a new experiment: its fields, each with a hint, and the request they make. */

import { el, fill } from "../common/dom.js";
import { whole } from "../common/format.js";

const NORMALIZATIONS = ["batch", "group", "layer", "instance", "none"];
const PENALTIES = { none: "none", l1: "L1", l2: "L2", "l1+l2": "L1 + L2" };
const GRID = "grid";
/** Defaults of fields left empty, where no preset says otherwise. */
const USUAL = {
  seeds: 1,
  epochs: 25,
  batch_size: 128,
  learning_rate: 0.04,
  momentum: 0.9,
  rotation_degrees: 6.9,
  translation_pixels: 0,
  scaling_percent: 0,
  validation_size: "a twelfth of all",
  priority: 0,
};
const DROPOUT_HINT = "Share of activations dropped in training; separate several by commas to compare them.";
const SEEDS_HINT = "Each fixes initial weights and data order. With fewer than six, no verdict is possible.";
/** Fields of the recipe: title and hint. */
const RECIPE = {
  batch_size: ["Batch size", "Images per training step; batch norm computes its statistics over them."],
  learning_rate: ["Learning rate", "Initial step size; the schedule changes it during training."],
  momentum: ["Momentum", "Share of the previous step carried into the next."],
  rotation_degrees: ["Rotation", "Maximum rotation of training images in degrees, either way."],
  translation_pixels: ["Translation", "Maximum shift of training images in pixels, in each direction."],
  scaling_percent: ["Scaling", "Maximum change of their size in percent, either way."],
  validation_size: ["Validation images", "Held out of training, to guide it in place of the test set."],
  priority: ["Priority", "From −100 to 100; the highest in the queue is trained first."],
};
const SCHEDULES = {
  "": "default: plateau",
  plateau: "plateau: lower when the validation loss stops falling",
  onecycle: "onecycle: up, then down to zero",
  constant: "constant: unchanged",
};

export class ExperimentForm {
  #grid;

  constructor({ datasets, presets }) {
    this.presets = new Map(presets.map((preset) => [preset.name, preset]));
    this.#grid = el(
      "div",
      { class: "grid-fields" },
      checks("Normalizations", "normalization", pairUp(NORMALIZATIONS), NORMALIZATIONS.slice(0, -1)),
      hint("The layer after each 3×3 convolution; “none” leaves it out."),
      checks("Penalties", "penalty", PENALTIES, ["none", "l2"]),
      hint("Added to the loss: L1 is 0.0001·Σ|w|, L2 is 0.001·Σw². Each goes with every normalization."),
      text("dropout", "Dropout", DROPOUT_HINT, { placeholder: "0.01" }),
    );
    this.element = el(
      "form",
      { id: "experiment", class: "card composer-form", novalidate: true },
      presetChoice(presets),
      this.#grid,
      el(
        "div",
        { class: "fields" },
        described("dataset", "Data set", "Images to train and test on.", datasetMenu(datasets)),
        text("name", "Name", "To find it again; generated if left empty.", { maxlength: 200 }),
        number("seeds", "Seeds", SEEDS_HINT, { min: 1 }),
        number("epochs", "Epochs", "Passes over the training set.", { min: 1 }),
      ),
      el("details", {}, el("summary", {}, "Recipe and priority"), el("div", { class: "fields" }, makeRecipe())),
    );
    this.element.addEventListener("input", () => this.#fit());
    this.#fit();
  }

  /** The request's body; empty fields are left to the service. */
  get body() {
    const data = new FormData(this.element);
    const preset = data.get("preset");
    const body = { ...(preset === GRID ? { grid: readGrid(data) } : { preset }) };
    for (const name of ["name", "dataset", "schedule"]) {
      const value = data.get(name).trim();
      if (value !== "") body[name] = value;
    }
    for (const name of ["seeds", "epochs", ...Object.keys(RECIPE)]) {
      const value = data.get(name).trim();
      // The browser hides text that is no number; the service's error says what would be right.
      if (this.element.elements[name].validity.badInput) body[name] = "no number";
      else if (value !== "") body[name] = Number(value);
    }
    return body;
  }

  /** Adapt the form to the chosen preset: the grid's fields, and the defaults of empty fields. */
  #fit() {
    const preset = this.presets.get(new FormData(this.element).get("preset"));
    this.#grid.hidden = preset !== undefined;
    const usual = { ...USUAL, ...(preset && { seeds: preset.num_seeds, ...preset.request }) };
    for (const name of ["seeds", "epochs", ...Object.keys(RECIPE)]) {
      this.element.elements[name].placeholder = String(usual[name]);
    }
  }
}

function readGrid(data) {
  const grid = { normalization: data.getAll("normalization"), penalty: data.getAll("penalty") };
  const parts = data.get("dropout").split(",").map((part) => part.trim());
  const dropout = parts.filter((part) => part !== "");
  // Text that is no number is sent as it is: the service says what is wrong with it.
  const read = (part) => (Number.isNaN(Number(part)) ? part : Number(part));
  if (dropout.length > 0) grid.dropout = dropout.map(read);
  return grid;
}

function presetChoice(presets) {
  const card = (value, title, sentence, isChosen) => {
    const input = el("input", { type: "radio", name: "preset", value, checked: isChosen });
    const words = el("span", {}, el("strong", {}, title), el("span", { class: "quiet" }, sentence));
    return el("label", { class: "preset" }, input, words);
  };
  const own = card(GRID, "Your own grid", "Every normalization selected below with every penalty.", true);
  const cards = presets.map(({ name, title, description }) => card(name, title, description, false));
  return el("fieldset", { class: "presets" }, el("legend", {}, "What to compare"), own, cards);
}

function makeRecipe() {
  const make = ([name, [title, sentence]]) => number(name, title, sentence, { step: "any" });
  const options = Object.entries(SCHEDULES).map(([value, title]) => el("option", { value }, title));
  const schedule = el("select", { id: "schedule", name: "schedule" }, options);
  const words = "Change of the learning rate over the epochs.";
  return [...Object.entries(RECIPE).map(make), described("schedule", "Schedule", words, schedule)];
}

function datasetMenu(datasets) {
  const options = datasets.map(({ name, title, train_size: size, is_present: isPresent }) => {
    const state = isPresent ? `${whole(size)} images` : "downloaded first";
    return el("option", { value: name }, `${title} (${state})`);
  });
  const menu = el("select", { id: "dataset", name: "dataset" });
  fill(menu, options);
  menu.value = (datasets.find((one) => one.is_present) ?? datasets[0])?.name;
  return menu;
}

function checks(legend, name, titles, chosen) {
  const boxes = Object.entries(titles).map(([value, title]) => {
    const swatch = name === "normalization" && el("span", { class: `swatch norm-${value}` });
    const input = el("input", { type: "checkbox", name, value, checked: chosen.includes(value) });
    return el("label", {}, input, swatch, title);
  });
  return el("fieldset", { class: "checks" }, el("legend", {}, legend), boxes);
}

function number(name, title, sentence, attributes) {
  const input = { type: "number", id: name, name, inputmode: "decimal", ...attributes };
  return described(name, title, sentence, el("input", input));
}

function text(name, title, sentence, attributes) {
  return described(name, title, sentence, el("input", { type: "text", id: name, name, ...attributes }));
}

/** A control with its label above and its hint below. */
function described(id, title, sentence, control) {
  control.setAttribute("aria-describedby", `${id}-hint`);
  const words = el("p", { class: "hint", id: `${id}-hint` }, sentence);
  return el("div", { class: "field" }, el("label", { for: id }, title), control, words);
}

function hint(sentence) {
  return el("p", { class: "hint quiet" }, sentence);
}

function pairUp(names) {
  return Object.fromEntries(names.map((name) => [name, name]));
}
