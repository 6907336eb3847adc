/** The form that queues an experiment: the study, or a grid of normalizations × penalties. */

import { getJson, postJson, writeCurl } from "./api.js";
import { el, failure, field, fill, setText, shellLine } from "./dom.js";
import { count, whole } from "./format.js";

const NORMALIZATIONS = ["batch", "group", "layer", "instance", "none"];
const PENALTIES = ["none", "l1", "l2", "l1+l2"];
const STUDY_SIZE = 4;
const MAX_RUNS = 1_000;
const MAX_EPOCHS = 1_000;
const DEFAULTS = { seeds: 1, epochs: 25 };
/** The fewest seeds from which an exact paired test can conclude anything. */
const SEEDS_TO_CONCLUDE = 6;
const TOO_FEW_SEEDS = `From fewer than ${SEEDS_TO_CONCLUDE} seeds no difference can be concluded.`;

export class SubmitForm {
  #dataset = el("select", { id: "dataset", name: "dataset", required: true });
  #gridFields = el(
    "div",
    { class: "grid-fields" },
    checks("Normalizations", "normalization", NORMALIZATIONS, ["batch", "group", "layer"]),
    checks("Penalties", "penalty", PENALTIES, ["none", "l2"]),
  );
  #size = el("output", { for: "seeds epochs", "aria-live": "polite" });
  #hint = el("p", { class: "quiet" });
  #button = el("button", { class: "primary" }, "Queue it");
  #outcome = el("div");
  #shell = shellLine();

  constructor(signal) {
    this.signal = signal;
    const [seeds, epochs] = [number("Seeds", "seeds", MAX_RUNS), number("Epochs", "epochs", MAX_EPOCHS)];
    this.element = el(
      "form",
      { class: "submit" },
      field("Data set", this.#dataset),
      designChoice(),
      this.#gridFields,
      el("div", { class: "row" }, seeds, epochs),
      el("p", { class: "size" }, this.#size),
      this.#hint,
      this.#button,
      this.#outcome,
      el("div", {}, el("p", { class: "quiet" }, "The same from a shell:"), this.#shell.element),
    );
    this.element.addEventListener("input", () => this.#update());
    this.element.addEventListener("submit", (event) => this.#submit(event));
    this.#update();
    this.#loadDatasets();
  }

  #update() {
    const plan = readPlan(this.element);
    this.#gridFields.hidden = !plan.isGrid;
    setText(this.#size, describeSize(plan));
    const isShort = plan.seeds < SEEDS_TO_CONCLUDE && plan.configurations > 1;
    setText(this.#hint, isShort ? TOO_FEW_SEEDS : "");
    this.#shell.set(writeCurl(plan.body));
    this.#button.disabled = !isPossible(plan) || this.#dataset.value === "";
  }

  async #submit(event) {
    event.preventDefault();
    this.#button.disabled = true;
    try {
      const experiment = await postJson("/experiments", readPlan(this.element).body);
      if (!this.signal.aborted) location.hash = `#/experiments/${experiment.id}`;
    } catch (error) {
      fill(this.#outcome, failure(error));
      this.#button.disabled = false;
    }
  }

  async #loadDatasets() {
    try {
      const { datasets } = await getJson("/datasets", this.signal);
      fill(this.#dataset, datasets.map(describeDataset));
      this.#dataset.value = (datasets.find((one) => one.is_present) ?? datasets[0])?.name;
      fill(this.#outcome);
    } catch (error) {
      if (this.signal.aborted) return;
      fill(this.#outcome, failure(error, () => this.#loadDatasets()));
    }
    this.#update();
  }
}

function describeDataset({ name, title, train_size: size, is_present: isPresent }) {
  const state = isPresent ? `${whole(size)} images` : "to be downloaded first";
  return el("option", { value: name }, `${title} (${state})`);
}

/** What the form asks for: how many configurations, seeds and epochs, and the request body. */
function readPlan(form) {
  const data = new FormData(form);
  const isGrid = data.get("design") === "grid";
  const [seeds, epochs] = [Number(data.get("seeds")), Number(data.get("epochs"))];
  const grid = { normalization: data.getAll("normalization"), penalty: data.getAll("penalty") };
  const body = { dataset: data.get("dataset") ?? undefined };
  if (isGrid) body.grid = grid;
  if (seeds !== DEFAULTS.seeds) body.seeds = seeds;
  if (epochs !== DEFAULTS.epochs) body.epochs = epochs;
  const configurations = isGrid ? grid.normalization.length * grid.penalty.length : STUDY_SIZE;
  return { isGrid, configurations, seeds, epochs, body };
}

function isPossible({ configurations, seeds, epochs }) {
  const isCount = (value, most) => Number.isInteger(value) && value >= 1 && value <= most;
  return isCount(configurations * seeds, MAX_RUNS) && isCount(seeds, MAX_RUNS) && isCount(epochs, MAX_EPOCHS);
}

function describeSize(plan) {
  const { configurations, seeds, epochs } = plan;
  if (configurations === 0) return "Tick at least one normalization and one penalty.";
  if (configurations * seeds > MAX_RUNS) {
    return `${whole(configurations * seeds)} runs are too many; an experiment can have ${whole(MAX_RUNS)}.`;
  }
  if (!isPossible(plan)) return `Seeds and epochs are whole numbers from 1 to ${whole(MAX_EPOCHS)}.`;
  const product = `${count(configurations, "configuration")} × ${count(seeds, "seed")}`;
  return `${product} = ${count(configurations * seeds, "run")} of ${count(epochs, "epoch")}`;
}

function designChoice() {
  const option = (value, text, isChosen) =>
    el("label", {}, el("input", { type: "radio", name: "design", value, checked: isChosen }), text);
  return el(
    "fieldset",
    {},
    el("legend", {}, "Configurations"),
    option("study", "The study: batch + L1 + L2, group + L1, layer + L2, instance + L1 + L2", true),
    option("grid", "A grid: every normalization with every penalty", false),
  );
}

function checks(legend, name, values, chosen) {
  const boxes = values.map((value) =>
    el("label", {}, el("input", { type: "checkbox", name, value, checked: chosen.includes(value) }), value),
  );
  return el("fieldset", { class: "checks" }, el("legend", {}, legend), boxes);
}

function number(label, name, most) {
  const bounds = { min: 1, max: most, value: DEFAULTS[name], required: true };
  return field(label, el("input", { type: "number", id: name, name, ...bounds }));
}
