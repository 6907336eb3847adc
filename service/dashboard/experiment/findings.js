/** Results and verdicts, refreshed as runs end and, less often, as epochs arrive. */

import { getJson } from "../common/api.js";
import { el, fail, fill, section } from "../common/dom.js";
import { listConfigurations } from "./line_styles.js";
import { ResultsPanel } from "./results.js";
import { Verdicts } from "./verdicts.js";

const LEAST_WAIT_MS = 2_500;

export class Findings {
  #asked = "";
  #timer;
  #isAsking = false;
  #failure = el("div");

  constructor(live, { signal }) {
    this.live = live;
    this.signal = signal;
    const configurations = listConfigurations(live.experiment.runs);
    const hasSeeds = configurations.some(({ runIds }) => runIds.length > 1);
    this.verdicts = new Verdicts(configurations, { onReference: () => this.#askAgain() });
    this.results = new ResultsPanel({ id: live.id, hasSeeds });
    this.elements = [
      this.#failure,
      section("Verdicts", this.verdicts.element),
      section("Results", this.results.element),
    ];
    signal.addEventListener("abort", () => clearTimeout(this.#timer));
  }

  /** Refresh a little later, if anything has changed. */
  update() {
    const state = this.live.experiment.runs.map(({ epoch, status }) => `${epoch}${status}`).join();
    if (state === this.#asked || this.#isAsking) return;
    this.#isAsking = true;
    const isFirst = this.#asked === "";
    this.#timer = setTimeout(() => this.#ask(state), isFirst || this.live.isOver ? 0 : LEAST_WAIT_MS);
  }

  /** Refresh at once: the reader has changed a choice. */
  #askAgain() {
    clearTimeout(this.#timer);
    this.#isAsking = true;
    this.#ask(this.#asked);
  }

  async #ask(state) {
    try {
      const path = `/experiments/${this.live.id}`;
      const { reference } = this.verdicts;
      const query = reference === null ? "" : `?reference=${encodeURIComponent(reference)}`;
      const asked = [`${path}/results`, `${path}/comparison${query}`].map((address) =>
        getJson(address, this.signal),
      );
      const [results, comparison] = await Promise.all(asked);
      if (reference !== this.verdicts.reference) return;
      this.results.update(results);
      this.verdicts.update(comparison, results.configurations);
      this.#asked = state;
      fill(this.#failure);
    } catch (error) {
      if (!this.signal.aborted) fail(this.#failure, error, () => this.update());
    } finally {
      this.#isAsking = false;
    }
    if (this.#asked === state) this.update();
  }
}
