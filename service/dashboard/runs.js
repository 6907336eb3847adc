/** An experiment's runs: a bar each, where it stands, and its files. */

import { el, progressBar, setStatus, setText, statusBadge } from "./dom.js";
import { fileLink } from "./files.js";
import { percent } from "./format.js";

/** More rows than this scroll inside their card. */
const ROWS_IN_FULL = 16;

export class RunList {
  #rows = new Map();

  constructor({ runs }) {
    for (const run of runs) this.#rows.set(run.id, runRow(run));
    const items = [...this.#rows.values()].map(({ element }) => element);
    const list = el("ul", { class: "runs" }, items);
    const frame = { class: "scroll tall", tabindex: 0, role: "group", "aria-label": "Runs" };
    this.element = items.length > ROWS_IN_FULL ? el("div", frame, list) : list;
  }

  update({ runs, stalled }) {
    for (const run of runs) this.#rows.get(run.id)?.update(run, stalled);
  }
}

function runRow({ id, label, seed, normalization }) {
  const badge = statusBadge("queued");
  const bar = progressBar(`Epochs of ${label}, seed ${seed}`);
  const epochs = el("span", { class: "figure" });
  const accuracy = el("span", { class: "figure strong" });
  const error = el("p", { class: "error", hidden: true });
  const trained = trainedLinks(id);
  const element = el(
    "li",
    {},
    el("div", { class: "what" }, runName({ label, seed, normalization })),
    el("div", { class: "where" }, badge),
    el("div", { class: "bar" }, bar, epochs),
    el("div", { class: "best" }, accuracy, el("span", { class: "quiet" }, "test accuracy")),
    el("div", { class: "links" }, architectureLink(id), trained),
    error,
  );
  /** `stalled` is what is said of the whole experiment, and need not be said of each run again. */
  function update(run, stalled) {
    setStatus(badge, run.status);
    bar.value = run.epoch / run.epochs;
    setText(epochs, `${run.epoch} / ${run.epochs}`);
    setText(accuracy, percent(run.test_accuracy));
    trained.hidden = run.status !== "completed";
    const trouble = run.error ?? (run.stalled === stalled ? null : run.stalled);
    error.hidden = trouble === null;
    setText(error, trouble ?? "");
  }
  return { element, update };
}

function runName({ label, seed, normalization }) {
  return [
    el("span", { class: `swatch norm-${normalization}` }),
    el("span", { class: "name" }, label),
    el("span", { class: "quiet" }, `seed ${seed}`),
  ];
}

function architectureLink(id) {
  return fileLink("Architecture", `/runs/${id}/architecture.png`, { label: `Architecture of run ${id}` });
}

/** What there is only once a run is completed. */
function trainedLinks(id) {
  return el(
    "span",
    { class: "links", hidden: true },
    fileLink("Mistakes", `/runs/${id}/misclassified.png`, { label: `Mistakes of run ${id}` }),
    fileLink("Weights", `/runs/${id}/weights`, {
      name: `run-${id}.safetensors`,
      label: `Weights of run ${id}`,
    }),
  );
}
