/** New experiment: the number of runs and the estimated duration follow the form. */

import { getJson, postJson, writeCurl } from "../common/api.js";
import { el, failure, fill, note, section, setText, shellLine } from "../common/dom.js";
import { ExperimentForm } from "./form.js";
import { about, count } from "../common/format.js";

/** Wait until the user has stopped typing. */
const TYPING_MS = 150;

export function mount(main, { signal }) {
  const title = el("h1", {}, "New experiment");
  const lead = "Choose what is compared; every configuration is trained once with every seed.";
  const place = el("div", {}, note("loading", "Loading…"));
  fill(main, title, el("p", { class: "lead" }, lead), place);

  async function load() {
    try {
      const paths = ["/datasets", "/presets"];
      const [{ datasets }, { presets }] = await Promise.all(paths.map((path) => getJson(path, signal)));
      const form = new ExperimentForm({ datasets, presets });
      fill(place, new NewExperiment(form, signal).element);
    } catch (error) {
      if (!signal.aborted) fill(place, failure(error, load));
    }
  }
  load();
}

class NewExperiment {
  #size = el("p", { class: "size" });
  #time = el("p", { class: "time" });
  #basis = el("p", { class: "quiet" });
  #hints = el("ul", { class: "hints" });
  #failure = el("div");
  #button = el("button", { class: "primary", form: "experiment" }, "Queue it");
  #shell = shellLine();
  #asking = new AbortController();
  #timer;
  #attempt = null;

  constructor(form, signal) {
    this.form = form;
    this.signal = signal;
    const summary = el("div", { "aria-live": "polite" }, this.#size, this.#time, this.#basis, this.#hints);
    const shell = el("div", {}, el("h3", {}, "The same from a shell"), this.#shell.element);
    const aside = el(
      "div",
      { class: "plan" },
      section("What it means", summary, this.#failure, this.#button, shell),
    );
    this.element = el("div", { class: "composer" }, form.element, aside);
    form.element.addEventListener("input", () => this.#plan(TYPING_MS));
    form.element.addEventListener("submit", (event) => this.#submit(event));
    window.addEventListener("connection-healed", () => this.#plan(0), { signal });
    signal.addEventListener("abort", () => this.#asking.abort());
    this.#plan(0);
  }

  /** Ask the service for the plan of the form; only the last request counts. */
  #plan(wait) {
    clearTimeout(this.#timer);
    this.#asking.abort();
    this.#asking = new AbortController();
    this.#attempt = null;
    this.#shell.set(writeCurl(this.form.body));
    this.#timer = setTimeout(() => this.#ask(this.#asking.signal), wait);
  }

  async #ask(signal) {
    try {
      const plan = await postJson("/experiments/plan", this.form.body, signal);
      if (signal.aborted) return;
      fill(this.#failure);
      this.#show(plan);
    } catch (error) {
      if (signal.aborted) return;
      fill(this.#failure, failure(error));
      this.#button.disabled = error.status !== 0;
      for (const line of [this.#size, this.#time, this.#basis]) setText(line, "");
      fill(this.#hints);
    }
  }

  #show({
    configurations,
    seeds,
    num_runs: runs,
    estimated_seconds: seconds,
    estimate_basis: basis,
    warnings,
  }) {
    const product = `${count(configurations.length, "configuration")} × ${count(seeds.length, "seed")}`;
    setText(this.#size, `${product} = ${count(runs, "run")}`);
    setText(this.#time, seconds === null ? "" : `About ${about(seconds)} once its turn has come.`);
    setText(this.#basis, basis);
    fill(
      this.#hints,
      warnings.map((sentence) => el("li", {}, sentence)),
    );
    this.#button.disabled = false;
  }

  async #submit(event) {
    event.preventDefault();
    this.#button.disabled = true;
    // Sent again with the same key after a lost answer, it queues nothing twice.
    this.#attempt ??= makeKey();
    try {
      const experiment = await postJson("/experiments", this.form.body, this.signal, this.#attempt);
      location.hash = `#/experiments/${experiment.id}`;
    } catch (error) {
      if (this.signal.aborted) return;
      fill(this.#failure, failure(error));
      this.#button.disabled = false;
    }
  }
}

/** `randomUUID` exists only on this machine's own pages and over TLS. */
function makeKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) =>
    byte.toString(16).padStart(2, "0"),
  ).join("");
}
