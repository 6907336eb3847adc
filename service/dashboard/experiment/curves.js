/** Live curves: four panels, with a legend to choose the configurations. */

import { Chart } from "./charts.js";
import { choice, el, setText, toggle } from "../common/dom.js";
import { capitalize, percent } from "../common/format.js";
import { lineSample, listConfigurations } from "./line_styles.js";
import { describeMetric, drawPanel, summarize } from "./traces.js";

const PANELS = ["train_accuracy", "test_accuracy", "train_loss", "test_loss"];
/** Epochs that arrive close together are drawn together. */
const LEAST_WAIT_MS = 400;

export class CurvesPanel {
  #hidden = new Set();
  #hiddenSeeds = new Set();
  #emphasized = null;
  #isLog = false;
  #drawnAt = 0;
  #timer;
  #state = el("p", { class: "note empty" }, "The curves begin with the first epoch.");

  constructor(live, { signal }) {
    this.live = live;
    this.configurations = listConfigurations(live.experiment.runs);
    this.hasSeeds = this.configurations.some(({ runIds }) => runIds.length > 1);
    this.isMean = this.hasSeeds;
    this.seeds = new SeedChips(live.experiment.runs, (seed, isShown) => this.#toggleSeed(seed, isShown));
    this.seeds.element.hidden = this.isMean;
    this.panels = PANELS.map((metric) => makePanel(metric, signal));
    const panels = this.panels.map(({ element }) => element);
    this.grid = el("div", { class: "panels", hidden: true }, panels);
    this.legend = new Legend(this.configurations, {
      onToggle: (labels, isShown) => this.#toggle(labels, isShown),
      onEmphasize: (label) => this.#emphasize(label),
    });
    const charts = el("div", {}, this.#state, this.grid);
    this.element = el("div", { class: "curves" }, this.#makeControls(), this.legend.element, charts);
    signal.addEventListener("abort", () => clearTimeout(this.#timer));
  }

  /** Schedule a redraw. */
  update() {
    if (this.live.curves.size === 0) return;
    this.legend.update(this.live.curves);
    clearTimeout(this.#timer);
    const wait = Math.max(0, this.#drawnAt + LEAST_WAIT_MS - performance.now());
    this.#timer = setTimeout(() => this.#draw(), wait);
  }

  /** The normalizations shown, as the service's figures take them; null for all. */
  get normalizations() {
    const shown = this.configurations.filter(({ label }) => !this.#hidden.has(label));
    const names = [...new Set(shown.map(({ normalization }) => normalization))];
    const all = new Set(this.configurations.map(({ normalization }) => normalization));
    return names.length === all.size || names.length === 0 ? null : names;
  }

  #makeControls() {
    const onLog = (isLog) => {
      this.#isLog = isLog;
      this.#draw();
    };
    const log = toggle("Log scale", onLog, { class: "chip plain", "aria-pressed": "false" });
    const titles = { mean: "Mean ± 95%", runs: "Every run" };
    const mode = choice("Lines", "lines", titles, this.isMean ? "mean" : "runs");
    mode.addEventListener("change", ({ target }) => {
      this.isMean = target.value === "mean";
      this.seeds.element.hidden = this.isMean;
      this.#draw();
    });
    return el("div", { class: "row controls" }, this.hasSeeds && [mode, this.seeds.element], log);
  }

  #toggle(labels, isShown) {
    for (const label of labels) {
      if (isShown) this.#hidden.delete(label);
      else this.#hidden.add(label);
    }
    this.legend.show(this.#hidden);
    this.#draw();
    this.onToggle?.();
  }

  #toggleSeed(seed, isShown) {
    if (isShown) this.#hiddenSeeds.delete(seed);
    else this.#hiddenSeeds.add(seed);
    this.#draw();
  }

  #emphasize(label) {
    if (label === this.#emphasized) return;
    this.#emphasized = label;
    this.update();
  }

  #draw() {
    this.#drawnAt = performance.now();
    const { curves } = this.live;
    const isEmpty = [...curves.values()].every(({ epochs }) => epochs.length === 0);
    const configurations = this.configurations.filter(({ label }) => !this.#hidden.has(label));
    const isHidden = !this.isMean && this.#hiddenSeeds.size === this.seeds.count;
    this.#state.hidden = !isEmpty && configurations.length > 0 && !isHidden;
    this.grid.hidden = !this.#state.hidden;
    if (!this.#state.hidden) {
      return setText(this.#state, isEmpty ? "The curves begin with the first epoch." : "Nothing selected.");
    }
    const { runs } = this.live.experiment;
    const options = {
      configurations,
      curves,
      completed: new Set(runs.filter(({ epoch, epochs }) => epoch === epochs).map(({ id }) => id)),
      isMean: this.isMean,
      // A mean is over all seeds, as in the tables.
      hiddenSeeds: this.isMean ? new Set() : this.#hiddenSeeds,
      isLog: this.#isLog,
      emphasized: this.#emphasized,
    };
    for (const { metric, chart, heading } of this.panels) {
      setText(heading, capitalize(describeMetric(metric, options).title));
      chart.draw(() => drawPanel({ metric, ...options }));
    }
  }
}

function makePanel(metric, signal) {
  const title = capitalize(metric.replace("_", " "));
  const heading = el("h3", {}, title);
  const chart = new Chart({ label: `${title} by epoch; the figures are in the table of results`, signal });
  const onEnlarge = (isWide) => {
    element.classList.toggle("is-wide", isWide);
    // Plotly resizes only when the window does.
    window.dispatchEvent(new Event("resize"));
  };
  const label = `Enlarge ${title.toLowerCase()}`;
  const enlarge = toggle("", onEnlarge, { class: "enlarge", "aria-pressed": "false", "aria-label": label });
  const head = el("div", { class: "panel-head" }, heading, enlarge);
  const element = el("div", { class: "panel" }, head, chart.element);
  return { metric, chart, heading, element };
}

/** Choice of seeds, where every run is a line. */
class SeedChips {
  constructor(runs, onToggle) {
    const seeds = [...new Set(runs.map(({ seed }) => seed))].sort((a, b) => a - b);
    this.count = seeds.length;
    const chips = seeds.map((seed) =>
      toggle(String(seed), (isShown) => onToggle(seed, isShown), { class: "chip plain" }),
    );
    const name = el("span", { class: "quiet" }, "Seeds");
    this.element = el("div", { class: "chips", role: "group", "aria-label": "Seeds" }, name, chips);
  }
}

class Legend {
  #entries = new Map();
  #groups = new Map();

  constructor(configurations, { onToggle, onEmphasize }) {
    this.configurations = configurations;
    const names = [...new Set(configurations.map(({ normalization }) => normalization))];
    for (const name of names) this.#groups.set(name, this.#makeGroup(name, onToggle));
    for (const one of configurations) this.#entries.set(one.label, makeEntry(one, onToggle, onEmphasize));
    const group = { class: "chips", role: "group", "aria-label": "Normalizations" };
    const chips = el("div", group, [...this.#groups.values()]);
    const entries = [...this.#entries.values()].map(({ button }) => el("li", {}, button));
    const list = el("ul", { class: "entries" }, entries);
    this.element = el("div", { class: "legend" }, names.length > 1 && chips, list);
  }

  /** Each configuration's mean of the latest test accuracies. */
  update(curves) {
    for (const { label, runIds } of this.configurations) {
      const values = runIds
        .map((id) => curves.get(id)?.test_accuracy.at(-1))
        .filter((value) => value !== undefined);
      const mean = values.length > 0 ? summarize(values).mean : null;
      setText(this.#entries.get(label).figure, percent(mean, 1));
    }
  }

  show(hidden) {
    for (const [label, { button }] of this.#entries) button.setAttribute("aria-pressed", !hidden.has(label));
    for (const [name, chip] of this.#groups) {
      chip.setAttribute("aria-pressed", !this.#labels(name).every((label) => hidden.has(label)));
    }
  }

  #labels(name) {
    const same = this.configurations.filter(({ normalization }) => normalization === name);
    return same.map(({ label }) => label);
  }

  #makeGroup(name, onToggle) {
    const children = [el("span", { class: `swatch norm-${name}` }), name];
    return toggle(children, (isShown) => onToggle(this.#labels(name), isShown), { class: "chip" });
  }
}

function makeEntry(configuration, onToggle, onEmphasize) {
  const { label } = configuration;
  const figure = el("span", { class: "figure" }, "–");
  const children = [lineSample(configuration), el("span", { class: "name" }, label), figure];
  const button = toggle(children, (isShown) => onToggle([label], isShown), { class: "entry" });
  for (const event of ["pointerenter", "focus"]) button.addEventListener(event, () => onEmphasize(label));
  for (const event of ["pointerleave", "blur"]) button.addEventListener(event, () => onEmphasize(null));
  return { button, figure };
}
