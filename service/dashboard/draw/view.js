/** Draw a digit, or upload a picture of one; every completed configuration predicts it meanwhile. */

import { getJson, postForm } from "../common/api.js";
import { announce, button, el, fail, field, fill, note, section, setText } from "../common/dom.js";
import { count } from "../common/format.js";
import { findMostFrequent, PredictionCards } from "../common/prediction_cards.js";
import { loadInto } from "../common/requests.js";
import { NetworkInput } from "./network_input.js";
import { Sketch } from "./sketch.js";

/** Shortest time between two requests while the pen moves. */
const PAUSE_MS = 120;
const LISTED_EXPERIMENTS = 100;

export function mount(main, { signal }) {
  const desk = new Desk(signal);
  const lead = "Every completed configuration predicts your digit while you draw.";
  fill(main, el("h1", {}, "Draw a digit"), el("p", { class: "lead" }, lead), desk.element);
  desk.start();
}

class Desk {
  #file = null; // an uploaded picture, or null to predict the sheet
  #explained = null; // the run whose prediction is explained
  #asked = new AbortController();
  #isAsking = false;
  #isStale = false;
  #isLifted = false;

  constructor(signal) {
    this.signal = signal;
    this.sketch = new Sketch({ onInk: () => this.#onInk(), onLift: () => this.#onLift() });
    this.networkInput = new NetworkInput();
    this.cards = new PredictionCards({ onExplain: (model) => this.#explain(model) });
    this.state = el("div");
    this.warnings = el("div");
    this.consensus = el("div", { class: "consensus", hidden: true });
    this.everyone = el("option", { value: "" }, "All finished experiments");
    this.experiments = el("select", { id: "experiment" }, this.everyone);
    this.source = el("p", { class: "quiet" });
    this.input = el("input", { type: "file", id: "file", accept: "image/*" });
    this.sheet = el("div", { class: "sheet" }, this.sketch.element);
    this.undo = button("Undo", () => this.#undo());
    this.clear = button("Clear", () => this.#clear());
    this.element = el(
      "div",
      { class: "desk" },
      this.#makeSheet(),
      section("Network input", this.networkInput.element),
      section("Or a picture", this.#makeUpload(), this.source),
      this.#makePredictions(),
    );
    this.#listen();
    this.#showState();
  }

  /** Check for trained networks, to say so before anything is drawn if there are none. */
  start() {
    loadInto(this.state, () => this.#findNetworks(), this.signal);
  }

  async #findNetworks() {
    const { experiments } = await getJson(`/experiments?limit=${LISTED_EXPERIMENTS}`, this.signal);
    const trained = experiments.filter(({ num_runs_by_status: runs }) => runs.completed > 0);
    fill(this.experiments, this.everyone, trained.map(describeExperiment));
    this.#invite(trained.length > 0 || experiments.length === LISTED_EXPERIMENTS);
  }

  #makeSheet() {
    return section("Sheet", this.sheet, el("div", { class: "row" }, this.undo, this.clear));
  }

  #makeUpload() {
    const hint = el("p", { class: "quiet" }, "Or drop one anywhere on the page, or paste one.");
    return el("div", {}, field("Picture file instead of a drawing", this.input), hint);
  }

  #makePredictions() {
    const menu = field("Experiments", this.experiments);
    const part = section("Predictions", this.consensus, this.state, this.cards.element, this.warnings, menu);
    part.classList.add("predictions");
    return part;
  }

  #listen() {
    const { signal } = this;
    this.input.addEventListener("change", () => this.#take(this.input.files));
    this.experiments.addEventListener("change", () => this.#onChoice());
    document.addEventListener("paste", (event) => this.#take(event.clipboardData.files), { signal });
    document.addEventListener("dragover", (event) => event.preventDefault(), { signal });
    document.addEventListener("drop", (event) => this.#drop(event), { signal });
    const catchUp = () => (this.#isReady ? this.#ask() : this.start());
    window.addEventListener("connection-healed", catchUp, { signal });
    signal.addEventListener("abort", () => this.#asked.abort());
  }

  #invite(canPredict) {
    const queue = el("a", { href: "#/new" }, "Queue an experiment");
    const none = note("empty", "No run is completed yet, so there is nothing to predict with. ", queue, ".");
    fill(this.state, canPredict ? note("empty", "Draw a digit: the predictions appear here.") : none);
  }

  #drop(event) {
    event.preventDefault();
    this.#take(event.dataTransfer.files);
  }

  async #take(files) {
    if (files.length === 0) return;
    this.#file = files[0];
    setText(this.source, `Picture: ${files[0].name}`);
    await this.sketch.lay(files[0]);
    this.#showState();
    this.#isLifted = true;
    this.#ask();
  }

  #onInk() {
    this.#file = null;
    setText(this.source, "");
    this.#showState();
    this.#ask();
  }

  #onLift() {
    this.#isLifted = true;
    this.#ask();
  }

  #onChoice() {
    this.#explained = null;
    this.cards.clear();
    if (this.#isReady) this.#ask();
  }

  #undo() {
    this.sketch.undo();
    if (this.sketch.isEmpty) this.#clear();
    else this.#onLift();
  }

  #clear() {
    this.#asked.abort();
    this.#asked = new AbortController();
    this.#file = null;
    this.#explained = null;
    this.input.value = "";
    this.sketch.clear();
    this.networkInput.clear();
    this.cards.clear();
    this.consensus.hidden = true;
    fill(this.warnings);
    this.#showState();
    setText(this.source, "");
    this.#invite(true);
  }

  #showState() {
    this.sheet.classList.toggle("is-empty", !this.#isReady);
    this.clear.disabled = !this.#isReady;
    this.undo.disabled = this.sketch.isEmpty;
  }

  get #isReady() {
    return this.#file !== null || !this.sketch.isEmpty;
  }

  /** Predict the sheet as it is now; if a request is pending, once more after it. */
  async #ask() {
    this.#isStale = true;
    if (this.#isAsking) return;
    this.#isAsking = true;
    while (this.#isStale && this.#isReady && !this.signal.aborted) {
      this.#isStale = false;
      await this.#predict(this.#asked.signal);
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
    this.#isAsking = false;
  }

  async #predict(signal) {
    const isLifted = this.#isLifted;
    this.#isLifted = false;
    try {
      const answer = await postForm("/predict", await this.#fillForm(), signal);
      if (signal.aborted) return;
      fill(this.state);
      fill(this.warnings, answer.warnings.map((sentence) => el("p", { class: "quiet" }, sentence)));
      this.cards.show(answer.models);
      this.#showConsensus(answer, isLifted);
      if (this.#explained === null) await this.networkInput.show(answer.preprocessing);
      else await this.#showSaliency(signal);
    } catch (error) {
      if (!signal.aborted) this.#refuse(error);
    }
  }

  async #fillForm(fields = { best_per_configuration: "true" }) {
    const form = new FormData();
    form.append("file", this.#file ?? (await this.sketch.toFile()), this.#file?.name ?? "drawing.png");
    for (const [name, value] of Object.entries(fields)) form.append(name, value);
    if (this.experiments.value !== "") form.append("experiment_id", this.experiments.value);
    return form;
  }

  #showConsensus(answer, isLifted) {
    const { value, words } = summarize(answer);
    fill(this.consensus, el("strong", { class: "digit" }, value), el("span", { class: "quiet" }, words));
    this.consensus.hidden = false;
    if (isLifted) announce(`${value}, ${words}.`);
  }

  #explain(model) {
    this.#explained = model;
    this.cards.markExplained(model?.run_id ?? null);
    if (model !== null) this.networkInput.element.scrollIntoView({ block: "nearest" });
    this.#ask();
  }

  async #showSaliency(signal) {
    const form = await this.#fillForm({ run_id: this.#explained.run_id });
    const answer = await postForm("/predict/saliency", form, signal);
    if (!signal.aborted) await this.networkInput.explain(answer);
  }

  #refuse(error) {
    this.#explained = null;
    this.cards.clear();
    this.consensus.hidden = true;
    fill(this.warnings);
    // A refused picture would be refused again.
    const mayPass = error.status === 0 || error.status >= 500;
    fail(this.state, error, mayPass && (() => this.#ask()));
    if (error.code !== "no_trained_model") return;
    this.state.append(el("p", {}, el("a", { href: "#/new" }, "Queue an experiment")));
  }
}

/** The answer in short: what stands large, and the words beside it. */
function summarize({ models, figures, is_digit: isDigit, is_unsure: isUnsure }) {
  if (figures.length > 1) {
    const value = figures.map(({ class_name: name }) => name).join(" ");
    return { value, words: `${figures.length} figures, line by line; below, the first` };
  }
  const { value, number } = findMostFrequent(models.map(({ class_name: name }) => name));
  if (!isDigit) return { value: "?", words: `probably no digit; nearest is ${value}` };
  const words = `predicted by ${number} of ${count(models.length, "configuration")}`;
  return { value, words: isUnsure ? `${words}, but unsure` : words };
}

function describeExperiment({ id, name, dataset }) {
  return el("option", { value: id }, `${id}: ${name} (${dataset})`);
}
