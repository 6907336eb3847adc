/** The appendix: change a value, and see which others share its mean, and how the statistics change. */

import { getJson, postJson } from "../common/api.js";
import { choice, el, fail, fill, section, setText } from "../common/dom.js";
import { capitalize } from "../common/format.js";
import { LatestRequest, loadInto } from "../common/requests.js";
import { TensorEditor } from "./editor.js";
import { Inference } from "./inference.js";
import { SharingPanels } from "./sharing.js";
import { findSet, NORMALIZATIONS, readAt, writeFigure, writeValue } from "./tensor.js";
import { Working } from "./working.js";

/** Wait until the user has stopped typing. */
const TYPING_MS = 200;
const LONGEST_FRACTION = 8;
const FIRST_PLACE = { image: 0, channel: 0, row: 0, column: 0 };
const LEAD =
  "Every normalization subtracts the mean μ of a set of values from each of them, and divides by their σ. " +
  "They differ only in which values make up a set. Point at a value to see which others share its mean; " +
  "change it to see what moves.";
const NAMES_NOTE = "The study calls channels 1 to 4 blue, green, yellow and brown.";

export function mount(main, { signal }) {
  const lesson = new Lesson(signal);
  fill(main, el("h1", {}, "Which values share a mean?"), el("p", { class: "lead" }, LEAD), lesson.element);
  lesson.start();
}

class Lesson {
  #normalization = "batch";
  #pinned = FIRST_PLACE;
  #pointed = null;
  #isSetPointed = false;
  #answer = null;

  constructor(signal) {
    this.signal = signal;
    this.request = new LatestRequest(signal);
    const onPoint = (place) => this.#point(place);
    const onPick = (place, name) => this.#pick(place, name);
    this.editor = new TensorEditor({
      onChange: () => this.#ask(TYPING_MS),
      onReshape: () => this.#onReshape(),
      onPoint,
      onPick,
    });
    this.panels = new SharingPanels({ onPoint, onPick });
    this.working = new Working({ onLight: (isPointed) => this.#lightSet(isPointed), onPoint, onPick });
    this.inference = new Inference();
    this.state = el("div");
    this.subject = el("p", { class: "subject" });
    this.choice = this.#makeChoice();
    this.sets = el("div", { class: "scroll tall" });
    this.notes = el("ul");
    this.element = el("div");
    const catchUp = () => (this.studyNotes ? this.#ask() : this.start());
    window.addEventListener("connection-healed", catchUp, { signal });
  }

  start() {
    loadInto(this.element, () => this.#begin(), this.signal);
  }

  /** Begin with the study's own sample. */
  async #begin() {
    const { sample, notes } = await getJson("/appendix", this.signal);
    this.studyNotes = notes;
    fill(this.element, this.#makeTop(), this.#makeBottom());
    this.editor.begin(sample.pixels);
  }

  #makeTop() {
    const tensor = section("The values", this.editor.element, this.state);
    return el("div", { class: "lesson" }, tensor, section("Shared means", this.subject, this.panels.element));
  }

  #makeBottom() {
    const steps = section("Step by step", this.choice, this.working.steps);
    const normalized = section("Normalized", this.working.normalized);
    const inference = section("At inference", this.inference.element);
    const results = el("div", {}, normalized, section("All sets", this.sets), inference);
    return el("div", { class: "lesson-steps" }, steps, results, section("Notes", this.notes));
  }

  #makeChoice() {
    const titles = Object.fromEntries(NORMALIZATIONS.map((name) => [name, capitalize(name)]));
    const options = choice("Normalization", "normalization", titles, this.#normalization);
    options.addEventListener("change", ({ target }) => this.#pick(null, target.value));
    return options;
  }

  #onReshape() {
    this.#answer = null;
    const { images, channels, rows, columns } = this.editor.shape;
    const { image, channel, row, column } = this.#pinned;
    const isInside = image < images && channel < channels && row < rows && column < columns;
    if (!isInside) this.#pinned = FIRST_PLACE;
    this.#pointed = null;
  }

  #ask(waitMs = 0) {
    this.element.classList.add("is-stale");
    this.request.send((signal) => postJson("/appendix", this.editor.request, signal), {
      waitMs,
      show: (answer) => this.#take(answer),
      // The last answer stays on the page, faded: it does not hold for these values.
      refuse: (error) => fail(this.state, error, error.status === 0 && (() => this.#ask())),
    });
  }

  #take(answer) {
    const { shape } = this.editor;
    if (this.#answer === null || JSON.stringify(this.shape) !== JSON.stringify(shape)) {
      this.shape = shape;
      this.panels.build(shape);
      this.working.build(shape);
    }
    this.#answer = answer;
    this.element.classList.remove("is-stale");
    fill(this.state);
    fill(this.notes, [...this.#listStudyNotes(answer), ...answer.notes].map((text) => el("li", {}, text)));
    this.#pick(null, this.#normalization);
  }

  /** Notes on the study's numbers hold only for its own values. */
  #listStudyNotes({ sample, notes }) {
    if (JSON.stringify(sample.pixels) !== JSON.stringify(this.editor.study) || sample.groups !== 2) return [];
    return [NAMES_NOTE, ...this.studyNotes.filter((text) => !notes.includes(text))];
  }

  #point(place) {
    if (this.#answer === null || place === this.#pointed) return;
    this.#pointed = place;
    this.#light();
  }

  #lightSet(isPointed) {
    this.#isSetPointed = isPointed;
    this.#light();
  }

  /** Pin a place, a normalization, or both. */
  #pick(place, name) {
    if (place !== null) this.#pinned = place;
    this.#normalization = name ?? this.#normalization;
    if (this.#answer === null) return;
    this.choice.querySelector(`[value="${this.#normalization}"]`).checked = true;
    this.panels.choose(this.#normalization);
    this.editor.grid.color(this.#normalization, this.#answer);
    this.#showSets();
    this.#light();
  }

  #light() {
    const place = this.#pointed ?? this.#pinned;
    const [answer, normalization, shape] = [this.#answer, this.#normalization, this.shape];
    const isPointing = this.#pointed !== null || this.#isSetPointed;
    const number = findSet(normalization, place, shape);
    this.panels.show({ place, shape, answer, isPointing });
    this.working.show({ answer, normalization, place, shape });
    this.inference.show({ answer, normalization, place });
    for (const { grid } of [this.editor, this.working]) {
      grid.light(normalization, number, { place, isStrong: isPointing });
    }
    const value = writeFigure(readAt(answer.sample.pixels, place));
    const where = `image ${place.image + 1}, channel ${place.channel + 1}`;
    setText(this.subject, `${value} in ${where} shares its mean with the framed values.`);
    for (const row of this.sets.querySelectorAll("[data-set]")) {
      row.classList.toggle("lit", Number(row.dataset.set) === number);
    }
  }

  #showSets() {
    const heads = ["Set", "n", "μ", "σ²", "σ"].map((text) => el("th", { scope: "col" }, text));
    heads[0].className = "text";
    const rows = this.#answer[this.#normalization].map((set, number) => this.#makeSetRow(set, number));
    fill(this.sets, el("table", {}, el("thead", {}, el("tr", {}, heads)), el("tbody", {}, rows)));
  }

  #makeSetRow(set, number) {
    const row = el(
      "tr",
      { "data-set": number },
      el("th", { scope: "row" }, set.label),
      el("td", {}, String(set.count)),
      makeFractionCell(set.mean_fraction, set.mean),
      makeFractionCell(set.variance_fraction, set.variance),
      el("td", {}, writeFigure(set.std)),
    );
    const place = { ...FIRST_PLACE, image: set.image ?? 0, channel: set.channels[0] };
    row.addEventListener("pointerenter", () => this.#point(place));
    row.addEventListener("pointerleave", () => this.#point(null));
    row.addEventListener("click", () => this.#pick(place));
    return row;
  }
}

/** The exact fraction where it is short, the decimal beside it as a tip. */
function makeFractionCell(fraction, value) {
  const isShort = fraction.length <= LONGEST_FRACTION;
  return el("td", { title: writeFigure(value, 8) }, isShort ? writeValue(fraction) : writeFigure(value));
}
