/** One experiment, live: progress, curves, verdicts, results and runs. */

import { getJson } from "../common/api.js";
import { Actions } from "./actions.js";
import { loadPlotly } from "./charts.js";
import { CurvesPanel } from "./curves.js";
import {
  announce,
  el,
  failure,
  fill,
  note,
  progressBar,
  section,
  setProgress,
  setStatus,
  setText,
  statusBadge,
} from "../common/dom.js";
import { fileLink } from "../common/downloads.js";
import { FigureFiles } from "./figures.js";
import { Findings } from "./findings.js";
import { age, count, duration, moment, share } from "../common/format.js";
import { LiveExperiment } from "./live.js";
import { RunList } from "./runs.js";

const NAME = "Normalization Lab";
const AGE_STEP_MS = 10_000;

export function mount(main, { signal, parts: [id] }) {
  const trouble = el("div");
  let over = new AbortController();
  let view = null;
  let made = "";
  const live = new LiveExperiment(id, {
    signal,
    onChange: () => {
      if (live.isDeleted) return showDeleted();
      const { runs, warnings: words } = live.experiment;
      const wanted = JSON.stringify([runs.map((run) => run.id), words]);
      // Made anew when seeds were added or learning rates chosen.
      if (made !== wanted) {
        over.abort();
        over = new AbortController();
        made = wanted;
        view = new ExperimentView(live, AbortSignal.any([signal, over.signal]));
        fill(main, trouble, ...view.parts);
        document.title = `${live.experiment.name} · ${NAME}`;
      }
      view.update();
    },
    onTrouble: (error) => fill(trouble, error && failure(error)),
  });

  function showDeleted() {
    over.abort();
    announce("Experiment deleted.");
    const back = el("a", { href: "#/" }, "All experiments");
    const words = note("empty", el("p", {}, "Experiment deleted."), el("p", {}, back));
    fill(main, el("h1", {}, `Experiment ${id}`), words);
  }

  async function follow() {
    // Large, and needed soon; if it fails, the charts say so.
    loadPlotly().catch(() => {});
    fill(main, el("h1", {}, `Experiment ${id}`), trouble, note("loading", "Loading…"));
    try {
      await live.follow();
    } catch (error) {
      if (signal.aborted) return;
      const back = el("p", {}, el("a", { href: "#/" }, "All experiments"));
      fill(main, el("h1", {}, `Experiment ${id}`), failure(error, follow), back);
    }
  }

  follow();
}

class ExperimentView {
  #badge = statusBadge("queued");
  #bar = progressBar("Progress of the whole experiment");
  #done = el("span", { class: "figure" });
  #left = el("span", { class: "quiet" });
  #time = el("time");
  #stall = el("p", { class: "error", role: "status", hidden: true });
  #announced = "";
  #trainSize = null;

  constructor(live, signal) {
    const { experiment } = live;
    this.live = live;
    this.signal = signal;
    this.actions = new Actions({
      id: live.id,
      onDone: (changed) => Object.assign(live.experiment, changed) && this.update(),
      onDeleted: () => (location.hash = "#/"),
    });
    this.curves = new CurvesPanel(live, { signal });
    this.findings = new Findings(live, { signal });
    this.runs = new RunList(live);
    const figures = new FigureFiles(live.id, signal);
    this.curves.onToggle = () => figures.show(this.curves.normalizations);
    this.parts = [
      this.#makeHeader(experiment),
      warnings(experiment),
      section("Curves", this.curves.element, figures.element),
      ...this.findings.elements,
      section("Runs", this.runs.element),
    ];
    this.#findTrainSize(experiment.dataset);
    const clock = setInterval(() => setText(this.#time, age(experiment.created_at)), AGE_STEP_MS);
    signal.addEventListener("abort", () => clearInterval(clock));
  }

  update() {
    const { experiment } = this.live;
    const { status, progress } = experiment;
    setStatus(this.#badge, status);
    setProgress(this.#bar, { status, progress });
    setText(this.#done, share(progress));
    setText(this.#left, this.#describeRest());
    this.#stall.hidden = experiment.stalled === null;
    setText(this.#stall, experiment.stalled ?? "");
    this.actions.update(experiment);
    this.curves.update();
    this.runs.update({ trainSize: this.#trainSize });
    this.findings.update();
    this.#announce(experiment);
  }

  #makeHeader(experiment) {
    const { id, name, dataset, runs, created_at: created, num_runs: size } = experiment;
    this.#time.dateTime = created;
    this.#time.title = moment(created);
    setText(this.#time, age(created));
    const seeds = new Set(runs.map(({ seed }) => seed)).size;
    const extent = [count(size, "run"), count(seeds, "seed"), count(runs[0]?.epochs ?? 0, "epoch")];
    const facts = `${dataset} · ${extent.join(", ")} · `;
    const mistakes = el("a", { href: `#/experiments/${id}/mistakes` }, "Misclassified images");
    const label = "Report of the whole experiment";
    const report = fileLink("Report", `/experiments/${id}/report`, { label });
    report.target = "_blank";
    const words = el("span", { class: "quiet" }, facts, this.#time);
    return el(
      "header",
      { class: "title" },
      el("p", { class: "crumbs" }, el("a", { href: "#/" }, "Experiments"), ` / no. ${id}`),
      el("div", { class: "heading" }, el("h1", {}, name), this.actions.element),
      el("p", { class: "facts" }, this.#badge, words, mistakes, report),
      el("div", { class: "bar" }, this.#bar, this.#done, this.#left),
      this.#stall,
    );
  }

  /** Time left, at the current workers' speed. */
  #describeRest() {
    const { runs } = this.live.experiment;
    const running = runs.filter(({ status }) => status === "running");
    if (running.length === 0) return "";
    const known = runs.map(({ id }) => this.live.secondsPerEpoch(id)).filter((seconds) => seconds !== null);
    if (known.length === 0) return "";
    const usual = known.reduce((sum, seconds) => sum + seconds, 0) / known.length;
    const open = runs.filter(({ status }) => status === "running" || status === "queued");
    const epochs = open.reduce((sum, run) => sum + run.epochs - run.epoch, 0);
    const numWorkers = new Set(running.map(({ worker }) => worker)).size;
    return `about ${duration((usual * epochs) / numWorkers)} left`;
  }

  /** Announce every tenth of the progress, not every epoch. */
  #announce({ id, status, progress }) {
    const sentence = `${status}, ${Math.floor(progress * 10 + 1e-9) * 10}% done`;
    if (sentence === this.#announced) return;
    if (this.#announced !== "") announce(`Experiment ${id}: ${sentence}`);
    this.#announced = sentence;
  }

  async #findTrainSize(dataset) {
    try {
      const { datasets } = await getJson("/datasets", this.signal);
      this.#trainSize = datasets.find(({ name }) => name === dataset)?.train_size ?? null;
      this.update();
    } catch (error) {
      // Without it only the speed is unknown.
      if (!this.signal.aborted) console.info(error.message);
    }
  }
}

function warnings({ warnings: sentences }) {
  if (sentences.length === 0) return el("div");
  const items = sentences.map((sentence) => el("li", {}, sentence));
  return note("warning", el("h2", {}, "Read with care"), el("ul", {}, items));
}
