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

/** A configuration's figures over its seeds, at the last epoch recorded; of completed runs once there are any. */
function summarizeConfiguration({ label, normalization }, runs) {
  const own = runs.filter((run) => run.label === label);
  const completed = own.filter(({ status }) => status === "completed");
  const counted = (completed.length > 0 ? completed : own).filter((run) => run.final_test_accuracy !== null);
  const row = { label, normalization, parameters: own[0].parameters, n: counted.length, isDone: completed.length > 0 };
  if (counted.length === 0) {
    return { ...row, mean: null, low: null, high: null, min: null, max: null, loss: null, gap: null };
  }
  const accuracies = counted.map((run) => run.final_test_accuracy);
  const { mean, margin: half } = summarize(accuracies);
  const average = (name) => summarize(counted.map((run) => run[name])).mean;
  return {
    ...row,
    mean,
    low: half === null ? null : mean - half,
    high: half === null ? null : mean + half,
    min: Math.min(...accuracies),
    max: Math.max(...accuracies),
    loss: average("final_test_loss"),
    gap: average("accuracy_gap"),
  };
}

function margin({ mean, high }) {
  return high === null ? "" : ` ± ${((high - mean) * 100).toFixed(2)}`;
}
