/** An experiment's runs: a progress bar each, with state, speed and files. */

import { el, progressBar, setProgress, setStatus, setText, statusBadge } from "../common/dom.js";
import { fileLink } from "../common/downloads.js";
import { duration, percent, whole } from "../common/format.js";

export class RunList {
  #rows = new Map();

  constructor(live) {
    this.live = live;
    const { runs } = live.experiment;
    for (const run of runs) this.#rows.set(run.id, new RunRow(run));
    const items = [...this.#rows.values()].map(({ element }) => element);
    const frame = { class: "scroll runs-frame", tabindex: 0, role: "group", "aria-label": "Runs" };
    this.element = el("div", frame, el("ul", { class: "runs" }, items));
  }

  /** `trainSize` is the number of training images, including held-out ones; null if unknown. */
  update({ trainSize }) {
    const { runs, stalled } = this.live.experiment;
    const together = countTogether(runs);
    for (const run of runs) {
      const seconds = this.live.secondsPerEpoch(run.id);
      const images = trainSize === null ? null : trainSize - run.recipe.validation_size;
      const numTogether = together.get(run.worker) ?? 1;
      this.#rows.get(run.id)?.update(run, { stalled, seconds, images, numTogether });
    }
  }
}

/** Runs that each worker trains at once; an epoch's seconds are one run's share of the device's time. */
function countTogether(runs) {
  const counts = new Map();
  for (const { status, worker } of runs) {
    if (status === "running") counts.set(worker, (counts.get(worker) ?? 0) + 1);
  }
  return counts;
}

class RunRow {
  #badge = statusBadge("queued");
  #bar;
  #epochs = el("span", { class: "figure" });
  #pace = el("span", { class: "pace quiet" });
  #accuracy = el("span", { class: "figure strong" });
  #error = el("p", { class: "error", hidden: true });
  #weights;

  constructor({ id, label, seed, normalization }) {
    this.#bar = progressBar(`Epochs of ${label}, seed ${seed}`);
    const weights = { name: `run-${id}.safetensors`, label: `Weights of run ${id}` };
    this.#weights = fileLink("Weights", `/runs/${id}/weights`, weights);
    this.element = el(
      "li",
      {},
      el(
        "div",
        { class: "what" },
        el("span", { class: `swatch norm-${normalization}` }),
        el("span", { class: "name" }, label),
        el("span", { class: "quiet" }, `seed ${seed}`),
      ),
      el("div", { class: "where" }, this.#badge),
      el("div", { class: "bar" }, this.#bar, this.#epochs),
      this.#pace,
      el("div", { class: "best" }, this.#accuracy, el("span", { class: "visually-hidden" }, " test accuracy")),
      el(
        "div",
        { class: "links" },
        fileLink("Network", `/runs/${id}/architecture.png`, { label: `Network of run ${id}` }),
        this.#weights,
      ),
      this.#error,
    );
  }

  /** `stalled` is the reason shown for the whole experiment, not repeated for each run. */
  update(run, { stalled, seconds, images, numTogether }) {
    setStatus(this.#badge, run.status);
    setProgress(this.#bar, { status: run.status, progress: run.epoch / run.epochs });
    setText(this.#epochs, `${run.epoch} / ${run.epochs}`);
    setText(this.#pace, describePace(run, { seconds, images, numTogether }));
    this.#pace.title = run.device ?? "";
    setText(this.#accuracy, percent(run.test_accuracy));
    this.#weights.hidden = run.status !== "completed";
    const trouble = run.error ?? (run.stalled === stalled ? null : run.stalled);
    this.#error.hidden = trouble === null;
    setText(this.#error, trouble ?? "");
  }
}

/** Time left and speed while a run is running; its duration once it has ended. */
function describePace(run, { seconds, images, numTogether }) {
  const { status, epoch, epochs, started_at: from, finished_at: to } = run;
  const speed = seconds && images ? `${whole(Math.round(images / seconds))} images/s` : null;
  if (status === "running" && seconds) {
    const left = `${duration(seconds * numTogether * (epochs - epoch))} left`;
    return [left, speed].filter(Boolean).join(" · ");
  }
  const took = from && to ? `took ${duration((new Date(to) - new Date(from)) / 1000)}` : null;
  return status === "completed" ? [took, speed].filter(Boolean).join(" · ") : "";
}
