/** List of experiments, newest first, kept up to date, filtered and searched by the service. */

import { getJson, writeCurl } from "../common/api.js";
import { button, el, fail, fill, note, shellLine } from "../common/dom.js";
import { poll, troubleLine } from "../common/poll.js";
import { ListFilter } from "./filter.js";
import { ExperimentRow } from "./row.js";

const PAGE_SIZE = 30;
const MAX_REFRESHED = 200;
const QUESTION = "Which normalization, with which regularization, makes a small digit classifier better?";
const ACTIVE = ["queued", "running"];

export function mount(main, { signal }) {
  const trouble = troubleLine();
  const filter = new ListFilter({ signal, onChange: show });
  const place = el("section", { "aria-label": "All experiments" });
  const queue = el("a", { class: "button primary", href: "#/new" }, "New experiment");
  const title = el("div", {}, el("h1", {}, "Experiments"), el("p", { class: "quiet" }, QUESTION));
  fill(main, el("div", { class: "heading" }, title, queue), filter.element, trouble.element, place);

  let leaving = new AbortController();
  function show() {
    leaving.abort();
    leaving = new AbortController();
    const list = new ExperimentList({ filter, signal: AbortSignal.any([signal, leaving.signal]) });
    fill(place, list.element);
    list.follow(trouble);
  }
  show();
}

class ExperimentList {
  #rows = new Map();
  #items = el("ul", { class: "experiments" });
  #state = el("div", {}, note("loading", "Loading experiments…"));
  #more = button("Load more", () => this.#loadMore(), { hidden: true });
  #moreState = el("div");
  #cursor = null;
  #shownPages = 1;
  #isLoading = false;

  constructor({ filter, signal }) {
    this.filter = filter;
    this.signal = signal;
    this.element = el("div", {}, this.#state, this.#items, this.#more, this.#moreState);
    // Load the next page before the end of this one is reached.
    const nearEnd = new IntersectionObserver(
      (entries) => entries.some(({ isIntersecting }) => isIntersecting) && this.#loadMore(),
      { rootMargin: "600px" },
    );
    nearEnd.observe(this.#more);
    signal.addEventListener("abort", () => nearEnd.disconnect());
  }

  follow(trouble) {
    const isEmpty = () => this.#rows.size === 0;
    poll(() => this.#refresh(), { signal: this.signal, place: this.#state, isEmpty, trouble });
  }

  /** Refresh the rows shown; returns when to do so next. */
  async #refresh() {
    const limit = Math.min(this.#shownPages * PAGE_SIZE, MAX_REFRESHED);
    const page = await getJson(`/experiments?limit=${limit}${this.filter.query}`, this.signal);
    const isWhole = limit >= this.#rows.size;
    this.#show(page.experiments);
    this.#dropMissing(page);
    if (isWhole) this.#setCursor(page.next_cursor);
    if (this.#rows.size > 0) fill(this.#state);
    else if (this.filter.isActive) this.#sayNoneMatches();
    else this.#invite();
    return page.experiments.some(({ status }) => ACTIVE.includes(status)) ? 2_000 : 10_000;
  }

  async #loadMore() {
    if (this.#isLoading || this.#cursor === null) return;
    this.#isLoading = true;
    try {
      const path = `/experiments?limit=${PAGE_SIZE}&cursor=${this.#cursor}${this.filter.query}`;
      const page = await getJson(path, this.signal);
      this.#show(page.experiments);
      this.#shownPages += 1;
      this.#setCursor(page.next_cursor);
      fill(this.#moreState);
    } catch (error) {
      if (!this.signal.aborted) fail(this.#moreState, error, () => this.#loadMore());
    }
    this.#isLoading = false;
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

  /** Remove rows within the range of `page` that it no longer contains: deleted, or filtered out. */
  #dropMissing({ experiments, next_cursor: nextCursor }) {
    const present = new Set(experiments.map(({ id }) => id));
    const oldest = nextCursor === null ? 0 : Math.min(...present);
    for (const [id, row] of this.#rows) {
      if (id < oldest || present.has(id)) continue;
      row.element.remove();
      this.#rows.delete(id);
    }
  }

  /** Insert newest first: before the first row of an older experiment. */
  #insert(id) {
    const row = new ExperimentRow(id);
    const older = Math.max(...[...this.#rows.keys()].filter((known) => known < id));
    this.#items.insertBefore(row.element, this.#rows.get(older)?.element ?? null);
    this.#rows.set(id, row);
  }

  #sayNoneMatches() {
    const clear = button("Show all", () => this.filter.clear());
    fill(this.#state, note("empty", el("p", {}, "No experiment matches the filter."), clear));
  }

  #invite() {
    const shell = shellLine();
    shell.set(writeCurl(null));
    const link = el("a", { href: "#/new" }, "Queue one");
    const words = el("p", {}, "No experiment yet. ", link, ", or the study from a shell:");
    fill(this.#state, note("empty", words, shell.element));
  }
}
