/** One experiment: how far it is, its runs, curves, results and mistakes, kept fresh until it ends. */

import { getJson } from "./api.js";
import {
  announce,
  el,
  failure,
  fill,
  note,
  progressBar,
  section,
  setStatus,
  setText,
  statusBadge,
} from "./dom.js";
import { fileLink, Picture } from "./files.js";
import { age, count, moment, share } from "./format.js";
import { PlotPanel } from "./plots.js";
import { poll, troubleLine } from "./poll.js";
import { ResultsTable } from "./results.js";
import { RunList } from "./runs.js";

const ACTIVE_WAIT_MS = 2_000;
const PAUSED_WAIT_MS = 10_000;
const NAME = "Normalization Lab";

export function mount(main, { signal, parts: [id] }) {
  const trouble = troubleLine();
  let view = null;

  async function refresh() {
    const experiment = await getJson(`/experiments/${id}`, signal);
    if (view === null) {
      view = new ExperimentView(experiment, signal);
      fill(main, trouble.element, ...view.parts);
      document.title = `${experiment.name} · ${NAME}`;
    }
    await view.update(experiment);
    return chooseWait(experiment.status);
  }

  function start() {
    fill(main, el("h1", {}, `Experiment ${id}`), note("loading", "Loading…"));
    poll(() => refresh().catch(giveUpIfMissing), { signal, onTrouble });
  }

  function giveUpIfMissing(error) {
    if (signal.aborted || error.status !== 404) throw error;
    const back = el("p", {}, el("a", { href: "#/" }, "All experiments"));
    fill(main, el("h1", {}, `Experiment ${id}`), failure(error), back);
    return null;
  }

  function onTrouble(error, wait) {
    if (error && view === null) fill(main, el("h1", {}, `Experiment ${id}`), trouble.element);
    trouble.show(error, wait);
  }

  start();
}

function chooseWait(status) {
  if (status === "queued" || status === "running") return ACTIVE_WAIT_MS;
  return status === "paused" ? PAUSED_WAIT_MS : null;
}

class ExperimentView {
  #badge = statusBadge("queued");
  #bar = progressBar("Progress of the whole experiment");
  #done = el("span", { class: "figure" });
  #time = el("time");
  #stall = el("p", { class: "error", role: "status", hidden: true });
  #warnings = el("div");
  #announced = "";
  #shownEpochs = null;
  #shownMistakes = 0;

  constructor(experiment, signal) {
    this.id = experiment.id;
    this.signal = signal;
    this.runs = new RunList(experiment);
    this.plots = new PlotPanel(experiment, signal);
    this.results = new ResultsTable();
    this.mistakes = new Picture({ signal });
    this.mistakes.say("The most confident mistakes appear here when the first run is completed.");
    this.mistakeLinks = mistakeLinks(this.id);
    this.parts = [
      this.#makeHeader(experiment),
      this.#warnings,
      section("Runs", this.runs.element),
      section("Curves", this.plots.element),
      section("Results", this.results.element, resultLinks(this.id)),
      section("Misclassified", this.mistakes.element, this.mistakeLinks),
    ];
  }

  /** Show what has changed; results are asked for again as epochs land, mistakes as runs end. */
  async update(experiment) {
    setStatus(this.#badge, experiment.status);
    this.#bar.value = experiment.progress;
    setText(this.#done, share(experiment.progress));
    setText(this.#time, age(experiment.created_at));
    this.#stall.hidden = experiment.stalled === null;
    setText(this.#stall, experiment.stalled ?? "");
    this.#warn(experiment.warnings);
    this.#announce(experiment);
    this.runs.update(experiment);
    this.plots.update(experiment);
    this.#updateMistakes(experiment);
    const epochs = experiment.runs.map((run) => `${run.epoch}${run.status}`).join();
    if (epochs === this.#shownEpochs) return;
    this.results.update(await getJson(`/experiments/${this.id}/results`, this.signal));
    this.#shownEpochs = epochs;
  }

  #makeHeader(experiment) {
    this.#time.dateTime = experiment.created_at;
    this.#time.title = moment(experiment.created_at);
    const seeds = new Set(experiment.runs.map(({ seed }) => seed)).size;
    const size = `${count(experiment.num_runs, "run")}, ${count(seeds, "seed")}`;
    const facts = el("span", { class: "quiet" }, `${experiment.dataset} · ${size} · `, this.#time);
    return el(
      "header",
      { class: "title" },
      el("p", { class: "quiet" }, el("a", { href: "#/" }, "Experiments"), ` / no. ${experiment.id}`),
      el("h1", {}, experiment.name),
      el("p", { class: "facts" }, this.#badge, facts),
      el("div", { class: "bar" }, this.#bar, this.#done),
      this.#stall,
    );
  }

  #warn(warnings) {
    if (this.#warnings.childElementCount > 0 || warnings.length === 0) return;
    const items = warnings.map((sentence) => el("li", {}, sentence));
    fill(this.#warnings, note("warning", el("h2", {}, "Read with care"), el("ul", {}, items)));
  }

  /** Tell screen readers of every tenth of the way, not of every epoch. */
  #announce({ status, progress }) {
    const sentence = `${status}, ${Math.floor(progress * 10 + 1e-9) * 10}% done`;
    if (sentence === this.#announced) return;
    if (this.#announced !== "") announce(`Experiment ${this.id}: ${sentence}`);
    this.#announced = sentence;
  }

  #updateMistakes({ runs }) {
    const completed = runs.filter(({ status }) => status === "completed").length;
    if (completed === this.#shownMistakes) return;
    this.#shownMistakes = completed;
    this.mistakeLinks.hidden = completed === 0;
    const alt = `Test images that ${count(completed, "run")} got wrong, with what each is and was taken for`;
    this.mistakes.load(`/experiments/${this.id}/misclassified.png`, alt);
  }
}

function resultLinks(id) {
  const path = `/experiments/${id}/results`;
  const name = `experiment-${id}-results`;
  return el(
    "p",
    { class: "links" },
    "Download: ",
    fileLink("CSV", `${path}?format=csv`, { name: `${name}.csv` }),
    fileLink("Markdown", `${path}?format=markdown`, { name: `${name}.md` }),
    fileLink("JSON", path, { name: `${name}.json` }),
  );
}

function mistakeLinks(id) {
  const path = `/experiments/${id}/misclassified`;
  const name = `experiment-${id}-misclassified`;
  return el(
    "p",
    { class: "links", hidden: true },
    "Download: ",
    fileLink("PNG", `${path}.png`, { name: `${name}.png` }),
    fileLink("JSON", path, { name: `${name}.json` }),
  );
}
