/** The list of experiments, newest first, kept fresh, with the form to queue another beside it. */

import { getJson, writeCurl } from "./api.js";
import {
  el,
  failure,
  fill,
  note,
  progressBar,
  section,
  setStatus,
  setText,
  shellLine,
  statusBadge,
} from "./dom.js";
import { age, count, moment, percent, share } from "./format.js";
import { poll, troubleLine } from "./poll.js";
import { SubmitForm } from "./submit.js";

const PAGE_SIZE = 20;
const MAX_REFRESHED = 200;
const QUESTION = "Which normalization, with which regularization, makes a small digit classifier better?";
const ACTIVE = ["queued", "running"];

export function showExperiments(main, { signal }) {
  const list = new ExperimentList(signal);
  const trouble = troubleLine();
  fill(
    main,
    el("h1", {}, "Experiments"),
    el("p", { class: "lead" }, QUESTION),
    trouble.element,
    el("div", { class: "columns" }, list.element, section("New experiment", new SubmitForm(signal).element)),
  );
  poll(() => list.refresh(), {
    signal,
    onTrouble: (error, wait) => {
      if (error && list.isEmpty) list.fail(error);
      else trouble.show(error, wait);
    },
  });
}

class ExperimentList {
  #rows = new Map();
  #items = el("ul", { class: "experiments" });
  #state = el("div", {}, note("loading", "Loading experiments…"));
  #more = el("button", { type: "button", hidden: true }, "Load more");
  #moreState = el("div");
  #cursor = null;
  #shownPages = 1;

  constructor(signal) {
    this.signal = signal;
    const parts = [this.#state, this.#items, this.#more, this.#moreState];
    this.element = el("section", { "aria-label": "All experiments" }, parts);
    this.#more.addEventListener("click", () => this.#loadMore());
  }

  get isEmpty() {
    return this.#rows.size === 0;
  }

  /** Ask for what is shown again; returns when to do so next. */
  async refresh() {
    const limit = Math.min(this.#shownPages * PAGE_SIZE, MAX_REFRESHED);
    const page = await getJson(`/experiments?limit=${limit}`, this.signal);
    const isWhole = limit >= this.#rows.size;
    this.#show(page.experiments);
    this.#dropDeleted(page);
    if (isWhole) this.#setCursor(page.next_cursor);
    if (page.experiments.length === 0) this.#invite();
    else fill(this.#state);
    return page.experiments.some(({ status }) => ACTIVE.includes(status)) ? 4_000 : 15_000;
  }

  fail(error) {
    fill(this.#state, failure(error, () => this.refresh().catch((again) => this.fail(again))));
  }

  async #loadMore() {
    this.#more.disabled = true;
    try {
      const page = await getJson(`/experiments?limit=${PAGE_SIZE}&cursor=${this.#cursor}`, this.signal);
      this.#show(page.experiments);
      this.#shownPages += 1;
      this.#setCursor(page.next_cursor);
      fill(this.#moreState);
    } catch (error) {
      if (!this.signal.aborted) fill(this.#moreState, failure(error));
    }
    this.#more.disabled = false;
  }

  #setCursor(cursor) {
    this.#cursor = cursor;
    this.#more.hidden = cursor === null;
  }

  #show(experiments) {
    for (const experiment of experiments) {
      if (!this.#rows.has(experiment.id)) this.#insert(experiment.id);
      this.#rows.get(experiment.id).update(experiment);
    }
  }

  /** Of the stretch that `page` spans, what it no longer has was deleted. */
  #dropDeleted({ experiments, next_cursor: nextCursor }) {
    const present = new Set(experiments.map(({ id }) => id));
    const oldest = nextCursor === null ? 0 : Math.min(...present);
    for (const [id, row] of this.#rows) {
      if (id < oldest || present.has(id)) continue;
      row.element.remove();
      this.#rows.delete(id);
    }
  }

  /** Newest first: before the first row of an older experiment. */
  #insert(id) {
    const row = experimentRow(id);
    const older = Math.max(...[...this.#rows.keys()].filter((known) => known < id));
    this.#items.insertBefore(row.element, this.#rows.get(older)?.element ?? null);
    this.#rows.set(id, row);
  }

  #invite() {
    const shell = shellLine();
    shell.set(writeCurl(null));
    const words = "No experiment yet. Queue the study with the form, or from a shell:";
    fill(this.#state, note("empty", el("p", {}, words), shell.element));
  }
}

function experimentRow(id) {
  const link = el("a", { href: `#/experiments/${id}` });
  const facts = el("span", { class: "quiet" });
  const badge = statusBadge("queued");
  const bar = progressBar("Progress");
  const done = el("span", { class: "figure" });
  const best = el("span", { class: "figure strong" });
  const time = el("time", { class: "quiet" });
  const stall = el("p", { class: "error", hidden: true });
  const element = el(
    "li",
    {},
    el("div", { class: "what" }, el("h2", {}, link), facts),
    el("div", { class: "where" }, badge, time),
    el("div", { class: "bar" }, bar, done),
    el("div", { class: "best" }, best, el("span", { class: "quiet" }, "best test accuracy")),
    stall,
  );
  function update(experiment) {
    stall.hidden = experiment.stalled === null;
    setText(stall, experiment.stalled ?? "");
    setText(link, experiment.name);
    setText(facts, `${experiment.dataset} · ${count(experiment.num_runs, "run")} · no. ${experiment.id}`);
    setStatus(badge, experiment.status);
    bar.value = experiment.progress;
    bar.setAttribute("aria-label", `Progress of ${experiment.name}`);
    setText(done, share(experiment.progress));
    setText(best, percent(experiment.best_test_accuracy));
    time.dateTime = experiment.created_at;
    time.title = moment(experiment.created_at);
    setText(time, age(experiment.created_at));
  }
  return { element, update };
}
