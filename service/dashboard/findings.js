/** Results and verdicts, asked for again as runs end and, less often, as epochs land. */

import { getJson } from "./api.js";
import { el, failure, fill, section } from "./dom.js";
import { decimal, percent, points, whole } from "./format.js";
import { listConfigurations } from "./looks.js";
import { readLabel, ResultsPanel } from "./results.js";
import { summarize } from "./traces.js";
import { Verdicts } from "./verdicts.js";

const LEAST_WAIT_MS = 2_500;

const CONFIGURATION_COLUMNS = [
  { title: "Configuration", sortBy: (row) => row.label, read: readLabel, isText: true },
  { title: "Seeds", sortBy: (row) => row.n, read: (row) => String(row.n) },
  { title: "Parameters", sortBy: (row) => row.parameters, read: (row) => whole(row.parameters) },
  { title: "Test accuracy", sortBy: (row) => row.mean, read: (row) => `${percent(row.mean)}${margin(row)}` },
  { title: "Lowest", sortBy: (row) => row.min, read: (row) => percent(row.min) },
  { title: "Highest", sortBy: (row) => row.max, read: (row) => percent(row.max) },
  { title: "Test loss", sortBy: (row) => row.loss, read: (row) => decimal(row.loss) },
  { title: "Train − test", sortBy: (row) => row.gap, read: (row) => points(row.gap) },
];

export class Findings {
  #asked = "";
  #timer;
  #isAsking = false;
  #failure = el("div");

  constructor(live, { signal }) {
    this.live = live;
    this.signal = signal;
    this.configurations = listConfigurations(live.experiment.runs);
    const hasSeeds = this.configurations.some(({ runIds }) => runIds.length > 1);
    this.verdicts = new Verdicts(this.configurations);
    this.results = new ResultsPanel({ id: live.id, configurationColumns: CONFIGURATION_COLUMNS, hasSeeds });
    this.elements = [
      this.#failure,
      section("Verdicts", this.verdicts.element),
      section("Results", this.results.element),
    ];
    signal.addEventListener("abort", () => clearTimeout(this.#timer));
  }

  /** Ask again if anything has changed since, a little later. */
  update() {
    const state = this.live.experiment.runs.map(({ epoch, status }) => `${epoch}${status}`).join();
    if (state === this.#asked || this.#isAsking) return;
    this.#isAsking = true;
    const isFirst = this.#asked === "";
    this.#timer = setTimeout(() => this.#ask(state), isFirst || this.live.isOver ? 0 : LEAST_WAIT_MS);
  }

  async #ask(state) {
    try {
      const path = `/experiments/${this.live.id}`;
      const [{ runs }, comparison] = await Promise.all(
        ["results", "comparison"].map((name) => getJson(`${path}/${name}`, this.signal)),
      );
      const rows = this.configurations.map((one) => summarizeConfiguration(one, runs));
      this.results.update({ runs, configurations: rows });
      this.verdicts.update(comparison, rows.filter(({ isDone }) => isDone));
      this.#asked = state;
      fill(this.#failure);
    } catch (error) {
      if (this.signal.aborted) return;
      fill(this.#failure, failure(error, () => this.update()));
    } finally {
      this.#isAsking = false;
    }
    if (this.#asked === state) this.update();
  }
}
