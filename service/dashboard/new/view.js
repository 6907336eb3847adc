/** New experiment: the number of runs and the estimated duration follow the form. */

import { getJson, postJson, writeCurl } from "../common/api.js";
import { el, fail, fill, section, setText, shellLine } from "../common/dom.js";
import { about, count } from "../common/format.js";
import { LatestRequest, loadInto } from "../common/requests.js";
import { ExperimentForm } from "./form.js";

/** Wait until the user has stopped typing. */
const TYPING_MS = 150;

export function mount(main, { signal }) {
  const title = el("h1", {}, "New experiment");
  const lead = "Choose what to compare; every configuration is trained once with every seed.";
  const place = el("div");
  fill(main, title, el("p", { class: "lead" }, lead), place);

  async function load() {
    const paths = ["/datasets", "/presets"];
    const [{ datasets }, { presets }] = await Promise.all(paths.map((path) => getJson(path, signal)));
    const form = new ExperimentForm({ datasets, presets });
    fill(place, new NewExperiment(form, signal).element);
  }
  loadInto(place, load, signal);
}

class NewExperiment {
  #size = el("p", { class: "size" });
  #time = el("p", { class: "time" });
  #basis = el("p", { class: "quiet" });
  #hints = el("ul", { class: "hints" });
  #failure = el("div");
  #button = el("button", { class: "primary", form: "experiment" }, "Queue experiment");
  #shell = shellLine();
  #attempt = null;

  constructor(form, signal) {
    this.form = form;
    this.signal = signal;
    this.request = new LatestRequest(signal);
    const summary = el("div", { "aria-live": "polite" }, this.#size, this.#time, this.#basis, this.#hints);
    const shell = el("div", {}, el("h3", {}, "The same from a shell"), this.#shell.element);
    const plan = section("Plan", summary, this.#failure, this.#button, shell);
    this.element = el("div", { class: "composer" }, form.element, el("div", { class: "plan" }, plan));
    form.element.addEventListener("input", () => this.#plan(TYPING_MS));
    form.element.addEventListener("submit", (event) => this.#submit(event));
    window.addEventListener("connection-healed", () => this.#plan(0), { signal });
    this.#plan(0);
  }

  /** Ask the service for the plan of the form. */
  #plan(waitMs) {
    this.#attempt = null;
    const { body } = this.form;
    this.#shell.set(writeCurl(body));
    this.request.send((signal) => postJson("/experiments/plan", body, signal), {
      waitMs,
      show: (plan) => this.#show(plan),
      refuse: (error) => this.#refuse(error),
    });
  }

  #refuse(error) {
    fail(this.#failure, error);
    this.#button.disabled = error.status !== 0;
    for (const line of [this.#size, this.#time, this.#basis]) setText(line, "");
    fill(this.#hints);
  }

  #show({ configurations, seeds, num_runs: runs, warnings, ...estimate }) {
    const { estimated_seconds: seconds, estimate_basis: basis } = estimate;
    fill(this.#failure);
    const product = `${count(configurations.length, "configuration")} × ${count(seeds.length, "seed")}`;
    setText(this.#size, `${product} = ${count(runs, "run")}`);
    setText(this.#time, seconds === null ? "" : `About ${about(seconds)} once it starts.`);
    setText(this.#basis, basis);
    fill(this.#hints, warnings.map((sentence) => el("li", {}, sentence)));
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
      fail(this.#failure, error);
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
