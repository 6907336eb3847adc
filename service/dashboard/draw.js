/** Reading a digit: draw, choose, drop or paste a picture, and see what a trained network makes of it. */

import { postForm } from "./api.js";
import { el, failure, field, fill, note, section, setText } from "./dom.js";
import { Reading } from "./reading.js";
import { Sketch } from "./sketch.js";

const NORMALIZATIONS = ["batch", "group", "layer", "instance", "none"];
/** A 5 has two strokes: wait for the second before reading. */
const PEN_REST_MS = 450;

export function mount(main, { signal }) {
  const desk = new Desk(signal);
  const lead = "Draw one, or choose, drop or paste a picture, and a trained network reads it.";
  fill(
    main,
    el("h1", {}, "Read a digit"),
    el("p", { class: "lead" }, lead),
    el(
      "div",
      { class: "reader" },
      section("Picture", desk.element),
      section("Reading", desk.result),
      section("Options", desk.options),
    ),
  );
}

class Desk {
  #picture = null; // a file given, or null when the sheet is what counts
  #asked = new AbortController();
  #rest;

  constructor(signal) {
    this.signal = signal;
    this.sketch = new Sketch({ onStroke: () => this.#onStroke() });
    this.result = el("div", { "aria-live": "polite" });
    this.models = modelMenu();
    this.source = el("p", { class: "quiet" });
    this.input = el("input", { type: "file", id: "file", accept: "image/*" });
    this.element = el("div", {}, this.sketch.element, this.#makeButtons(), this.source);
    this.options = el(
      "div",
      {},
      field("Picture file instead of a drawing", this.input),
      field("Read by", this.models),
    );
    this.#listen();
    this.#clear();
  }

  #makeButtons() {
    const read = el("button", { type: "button", class: "primary" }, "Read");
    const clear = el("button", { type: "button" }, "Clear");
    read.addEventListener("click", () => this.#read());
    clear.addEventListener("click", () => this.#clear());
    return el("div", { class: "row" }, read, clear);
  }

  #listen() {
    const { signal } = this;
    this.input.addEventListener("change", () => this.#take(this.input.files));
    this.models.addEventListener("change", () => this.#isReady && this.#read());
    document.addEventListener("paste", (event) => this.#take(event.clipboardData.files), { signal });
    document.addEventListener("dragover", (event) => event.preventDefault(), { signal });
    document.addEventListener("drop", (event) => this.#drop(event), { signal });
    signal.addEventListener("abort", () => this.#forget());
  }

  get #isReady() {
    return this.#picture !== null || !this.sketch.isEmpty;
  }

  #drop(event) {
    event.preventDefault();
    this.#take(event.dataTransfer.files);
  }

  #onStroke() {
    this.#picture = null;
    setText(this.source, "");
    clearTimeout(this.#rest);
    this.#rest = setTimeout(() => this.#read(), PEN_REST_MS);
  }

  async #take(files) {
    if (files.length === 0) return;
    this.#forget();
    this.#picture = files[0];
    setText(this.source, `Picture: ${files[0].name}`);
    await this.sketch.lay(files[0]);
    this.#read();
  }

  #clear() {
    this.#forget();
    this.#picture = null;
    this.input.value = "";
    this.sketch.clear();
    setText(this.source, "");
    fill(this.result, note("empty", "The reading appears here as soon as the pen is lifted."));
  }

  /** Drop a reading that is under way or about to be. */
  #forget() {
    clearTimeout(this.#rest);
    this.#asked.abort();
    this.#asked = new AbortController();
  }

  async #read() {
    this.#forget();
    if (!this.#isReady) {
      fill(this.result, note("empty", "There is nothing to read yet: draw a digit or choose a picture."));
      return;
    }
    const { signal } = this.#asked;
    const form = new FormData();
    form.append("file", this.#picture ?? (await this.sketch.toFile()), this.#picture?.name ?? "drawing.png");
    if (this.models.value !== "") form.append("normalization", this.models.value);
    this.result.setAttribute("aria-busy", "true");
    try {
      fill(this.result, new Reading(await postForm("/predict", form, signal)).element);
    } catch (error) {
      if (signal.aborted) return;
      fill(this.result, this.#explain(error));
    }
    this.result.removeAttribute("aria-busy");
  }

  #explain(error) {
    // What was wrong with the picture will be wrong with it again.
    const mayPass = error.status === 0 || error.status >= 500;
    if (error.code !== "no_trained_model") return failure(error, mayPass && (() => this.#read()));
    const link = el("a", { href: "#/" }, "Queue an experiment");
    return note("failed", el("p", {}, error.message), el("p", {}, link));
  }
}

function modelMenu() {
  const options = NORMALIZATIONS.map((name) => {
    const which = name === "none" ? "without normalization" : `with ${name} normalization`;
    return el("option", { value: name }, `every run ${which}`);
  });
  return el("select", { id: "models" }, el("option", { value: "" }, "the best trained run"), options);
}
