/** Workers, queue, versions and data sets. */

import { getJson } from "../common/api.js";
import { el, fill, note, section, setText, statusBadge } from "../common/dom.js";
import { age, count, duration, moment, whole } from "../common/format.js";
import { poll, troubleLine } from "../common/poll.js";

const WAIT_MS = 3_000;
const STATUSES = ["running", "queued", "paused", "completed", "failed", "cancelled"];
/** Number of queued runs shown. */
const MAX_LISTED = 5;

export function mount(main, { signal }) {
  const trouble = troubleLine();
  const view = new SystemView(signal);
  fill(main, el("div", { class: "heading" }, el("h1", {}, "System")), trouble.element, view.element);
  poll(() => view.refresh(), { signal, place: view.state, isEmpty: () => view.parts.hidden, trouble });
}

class SystemView {
  state = el("div", {}, note("loading", "Loading…"));
  #counts = el("dl", { class: "counts" });
  #queue = el("div");
  #workers = el("ul", { class: "workers" });
  #datasets = el("ul", { class: "datasets" });
  #facts = el("dl", { class: "facts-list" });

  constructor(signal) {
    this.signal = signal;
    const parts = el(
      "div",
      { class: "system" },
      section("Workers", this.#workers),
      section("Queue", this.#counts, this.#queue),
      section("Data sets", this.#datasets),
      section("Versions", this.#facts),
    );
    parts.hidden = true;
    this.parts = parts;
    this.element = el("div", {}, this.state, parts);
  }

  /** Refresh everything; returns when to do so next. */
  async refresh() {
    const open = (status) => getJson(`/experiments?status=${status}&limit=${MAX_LISTED}`, this.signal);
    const [system, { workers }, { datasets }, running, queued] = await Promise.all([
      ...["/system", "/workers", "/datasets"].map((path) => getJson(path, this.signal)),
      open("running"),
      open("queued"),
    ]);
    const details = await Promise.all(
      running.experiments.map(({ id }) => getJson(`/experiments/${id}`, this.signal)),
    );
    this.#showWorkers(workers, details.flatMap(({ runs }) => runs));
    this.#showQueue(system.num_runs_by_status, [...running.experiments, ...queued.experiments]);
    fill(this.#datasets, datasets.map(describeDataset));
    this.#showFacts(system);
    fill(this.state);
    this.parts.hidden = false;
    return WAIT_MS;
  }

  #showWorkers(workers, runs) {
    const items = workers.map((worker) => {
      const own = runs.filter((run) => run.worker === worker.id && run.status === "running");
      return workerItem(worker, own);
    });
    const none = note("warning", "No worker is running. Start one with: ", el("code", {}, "python -m worker"));
    fill(this.#workers, items.length > 0 ? items : el("li", {}, none));
  }

  #showQueue(counts, experiments) {
    const shown = STATUSES.filter((status) => counts[status] > 0);
    const numbers = shown.map((status) =>
      el("div", {}, el("dt", {}, statusBadge(status)), el("dd", {}, whole(counts[status]))),
    );
    fill(this.#counts, numbers.length > 0 ? numbers : note("empty", "No run yet."));
    const items = experiments.slice(0, MAX_LISTED).map(({ id, name, status }) => {
      const link = el("a", { href: `#/experiments/${id}` }, name);
      return el("li", {}, link, " ", el("span", { class: "quiet" }, status));
    });
    const empty = el("p", { class: "quiet" }, "The queue is empty.");
    fill(this.#queue, items.length > 0 ? el("ul", {}, items) : empty);
  }

  #showFacts({ versions, database, device, default_dataset: dataset }) {
    const facts = { ...versions, Database: database, Device: device, "Default data set": dataset };
    const rows = Object.entries(facts).flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]);
    // Built once, to keep the reader's selection.
    if (this.#facts.childElementCount === 0) fill(this.#facts, rows);
  }
}

/** `runs` are those that the worker trains, several if they share its device. */
function workerItem(worker, runs) {
  const busy = runs.length > 0 ? "training" : "idle";
  const state = worker.is_stalled ? "stalled" : worker.is_alive ? busy : "silent";
  const words = {
    stalled: `No progress on its job for ${duration(worker.idle_seconds ?? 0)}.`,
    silent: `No heartbeat for ${duration(worker.silent_seconds)}.`,
    idle: "Waiting for runs.",
    training: "",
  };
  const since = el("time", { class: "quiet", datetime: worker.started_at, title: moment(worker.started_at) });
  setText(since, `started ${age(worker.started_at)}`);
  return el(
    "li",
    {},
    el("div", {}, el("strong", {}, worker.id), " ", el("span", { class: `state state-${state}` }, state)),
    el("div", { class: "quiet" }, worker.device),
    el("div", {}, words[state], runs.length > 0 && describeWork(runs)),
    since,
  );
}

function describeWork(runs) {
  const [{ experiment_id: id, label, seed, epoch, epochs }] = runs;
  const others = runs.length > 1 ? ` and ${runs.length - 1} more` : "";
  const link = el("a", { href: `#/experiments/${id}` }, `${label}, seed ${seed}`);
  return el("span", {}, link, others, el("span", { class: "quiet" }, ` · epoch ${epoch} of ${epochs}`));
}

function describeDataset({ name, title, train_size: train, test_size: test, is_present: isPresent }) {
  const [state, words] = isPresent ? ["idle", "present"] : ["absent", "downloaded on first use"];
  return el(
    "li",
    {},
    el("div", {}, el("strong", {}, title), " ", el("code", { class: "quiet" }, name)),
    el("div", { class: "quiet" }, `${count(train, "training image")}, ${count(test, "test image")}`),
    el("div", { class: `state state-${state}` }, words),
  );
}
