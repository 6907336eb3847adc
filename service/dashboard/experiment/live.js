/** An experiment's current runs and all their epochs, kept up to date by its event stream. */

import { getJson } from "../common/api.js";
import { followEvents } from "./stream.js";

const METRICS = [
  "train_loss",
  "train_accuracy",
  "validation_loss",
  "validation_accuracy",
  "test_loss",
  "test_accuracy",
];
const FINAL = ["completed", "failed", "cancelled"];
/** A run's speed is measured over its last epochs. */
const RECENT_EPOCHS = 3;
const RETRY_MS = 5_000;

export class LiveExperiment {
  experiment = null;
  isDeleted = false;
  /** By run id: `epochs` and every metric as lists of equal length. */
  curves = new Map();
  #runs = new Map();
  #recentSeconds = new Map();
  #hasHistory = false;
  #isLoading = false;
  #waiting = [];

  /** `onChange` is called after every change, `onTrouble` with the service's error, or null once resolved. */
  constructor(id, { signal, onChange, onTrouble }) {
    this.id = id;
    this.signal = signal;
    this.onChange = onChange;
    this.onTrouble = onTrouble;
  }

  /** Follow the experiment until it can no longer change. Throws when the API refuses. */
  follow() {
    const take = (events) => this.#take(events);
    const options = {
      last: ["end", "deleted"],
      signal: this.signal,
      onEvents: take,
      onTrouble: this.onTrouble,
    };
    return followEvents(`/experiments/${this.id}/events`, options);
  }

  get isOver() {
    return this.isDeleted || FINAL.includes(this.experiment?.status);
  }

  /** Seconds per epoch over the run's last epochs; null before the first. */
  secondsPerEpoch(runId) {
    const seconds = this.#recentSeconds.get(runId) ?? [];
    return seconds.length === 0 ? null : seconds.reduce((sum, value) => sum + value, 0) / seconds.length;
  }

  #take(events) {
    for (const { name, data } of events) {
      if (name === "experiment") this.#replace(data);
      else if (name === "run") this.#replaceRun(data);
      else if (name === "summary") Object.assign(this.experiment, data);
      else if (name === "epoch") this.#waiting.push(data);
      else if (name === "deleted") this.isDeleted = true;
    }
    if (this.#hasHistory) this.#addEpochs();
    this.onChange();
  }

  #replace(experiment) {
    this.experiment = experiment;
    this.#runs = new Map(experiment.runs.map((run, index) => [run.id, index]));
    // Events are buffered until the earlier epochs of all runs have been read: nothing is missed.
    this.#hasHistory = this.#hasCurves();
    if (!this.#hasHistory) this.#loadHistory();
  }

  #replaceRun(run) {
    this.experiment.runs[this.#runs.get(run.id)] = run;
  }

  /** Whether there is a curve of every run; those of seeds just added are still to be read. */
  #hasCurves() {
    return this.experiment.runs.every((run) => this.curves.has(run.id));
  }

  async #loadHistory() {
    if (this.#isLoading) return;
    this.#isLoading = true;
    try {
      const [curves, results] = await Promise.all([
        getJson(`/experiments/${this.id}/curves`, this.signal),
        getJson(`/experiments/${this.id}/results`, this.signal),
      ]);
      for (const run of curves.runs) this.curves.set(run.run_id, run);
      for (const { run_id: id, seconds, epochs } of results.runs) {
        if (epochs > 0) this.#recentSeconds.set(id, [seconds / epochs]);
      }
      this.#hasHistory = this.#hasCurves();
      if (this.#hasHistory) this.#addEpochs();
      this.onTrouble(null);
      this.onChange();
    } catch (error) {
      if (this.signal.aborted) return;
      // The frame shows lost connections.
      if (error.status !== 0) this.onTrouble(error);
      const timer = setTimeout(() => this.#loadHistory(), RETRY_MS);
      this.signal.addEventListener("abort", () => clearTimeout(timer), { once: true });
      return;
    } finally {
      this.#isLoading = false;
    }
    if (!this.#hasHistory) this.#loadHistory();
  }

  #addEpochs() {
    for (const epoch of this.#waiting) {
      const curve = this.curves.get(epoch.run_id);
      if (curve === undefined || epoch.epoch <= (curve.epochs.at(-1) ?? 0)) continue;
      curve.epochs.push(epoch.epoch);
      for (const name of METRICS) curve[name].push(epoch[name]);
      const recent = [...(this.#recentSeconds.get(epoch.run_id) ?? []), epoch.seconds];
      this.#recentSeconds.set(epoch.run_id, recent.slice(-RECENT_EPOCHS));
    }
    this.#waiting = [];
  }
}
