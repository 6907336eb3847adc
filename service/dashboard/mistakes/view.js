/** Misclassified test images: across all runs, or of one run. */

import { getJson } from "../common/api.js";
import { el, failure, field, fill, note, section, setText } from "../common/dom.js";
import { fileLink } from "../common/files.js";
import { count, percent, whole } from "../common/format.js";
import { ImageDialog } from "./image_dialog.js";

const PAGE_SIZE = 60;

export function mount(main, { signal, parts: [id] }) {
  const gallery = new Gallery(id, signal);
  const back = el("a", { href: `#/experiments/${id}` }, `Experiment ${id}`);
  const crumbs = el("p", { class: "crumbs" }, back, " / misclassified");
  fill(main, crumbs, el("h1", {}, "Misclassified"), gallery.lead, gallery.element);
  gallery.start();
}

class Gallery {
  #answer = null;
  #images = [];
  #asked = new AbortController();

  constructor(id, signal) {
    this.path = `/experiments/${id}/misclassified`;
    this.signal = signal;
    this.lead = el("p", { class: "lead" });
    this.element = el("div");
    this.state = el("div", { role: "status" });
    this.tiles = el("ul", { class: "mistakes" });
    this.more = el("button", { type: "button", hidden: true, on: { click: () => this.#loadMore() } });
    this.who = el("select", { id: "who" });
    this.truth = el("select", { id: "truth" });
    this.predicted = el("select", { id: "predicted" });
    this.agreement = el("div");
    this.links = el("p", { class: "links" });
    this.dialog = new ImageDialog(id, signal);
    for (const select of [this.who, this.truth, this.predicted]) {
      select.addEventListener("change", () => this.#load());
    }
    const catchUp = () => (this.#answer?.num_runs > 0 ? this.#load() : this.start());
    window.addEventListener("connection-healed", catchUp, { signal });
    signal.addEventListener("abort", () => this.#asked.abort());
  }

  async start() {
    fill(this.element, note("loading", "Loading…"));
    try {
      this.#answer = await getJson(`${this.path}?limit=${PAGE_SIZE}`, this.signal);
    } catch (error) {
      if (!this.signal.aborted) fill(this.element, failure(error, () => this.start()));
      return;
    }
    if (this.#answer.num_runs === 0) {
      const words = "No run has finished yet; what the runs get wrong is known when the first one has.";
      fill(this.element, note("empty", words));
      return;
    }
    this.#describe();
    this.#fillFilters();
    fill(this.element, this.#makeFilters(), this.#makeGrid(), this.dialog.element);
    this.#show(this.#answer);
  }

  #describe() {
    const { num_runs: runs, num_test: tests, agreement, missed_by_every_run: every } = this.#answer;
    const missed = tests - agreement[0];
    const by = runs === 1 ? "the one run" : `at least one of ${count(runs, "run")}`;
    const shared = every.length === 0 ? "none" : whole(every.length);
    const all = runs === 1 ? "" : ` Every run misses ${shared} of them.`;
    setText(this.lead, `${whole(missed)} of ${count(tests, "test image")} are misread by ${by}.${all}`);
    const unfinished = this.#answer.unfinished_run_ids.length;
    if (unfinished > 0) this.lead.append(` ${count(unfinished, "run")} not finished yet: not counted.`);
    fill(this.agreement, ...(runs > 1 ? makeAgreement(agreement) : []));
  }

  #fillFilters() {
    const { missed_only_by: only, runs, class_names: names } = this.#answer;
    const everyone = "every run: everyone misses these";
    const across = [option("missed_by=any", "any run"), option("missed_by=every", everyone)];
    const alone = only.map(({ normalization: name, by_most: { length } }) =>
      option(`missed_by=${name}`, `${name === "none" ? "no" : name} norm alone (${whole(length)})`),
    );
    const own = runs.map(({ run_id: id, label, seed, num_misclassified: missed }) =>
      option(`run_id=${id}`, `run ${id}: ${label}, seed ${seed} (${whole(missed)})`),
    );
    const groups = [
      el("optgroup", { label: "Across runs" }, across, only.length > 1 ? alone : []),
      el("optgroup", { label: "One run" }, own),
    ];
    fill(this.who, groups);
    const classes = names.map((name, digit) => option(digit, name));
    fill(this.truth, option("", "any"), classes);
    fill(this.predicted, option("", "any"), classes.map((one) => one.cloneNode(true)));
  }

  #makeFilters() {
    const reset = el("button", { type: "button", on: { click: () => this.#reset() } }, "Reset");
    const filters = el(
      "div",
      { class: "row mistake-filters" },
      field("Missed by", this.who),
      field("It is", this.truth),
      field("Taken for", this.predicted),
      reset,
    );
    return section("Filter", filters, this.agreement);
  }

  #makeGrid() {
    const part = section("Images", this.state, this.tiles, this.more, this.links);
    part.classList.add("gallery");
    return part;
  }

  #reset() {
    this.who.value = "missed_by=any";
    this.truth.value = this.predicted.value = "";
    this.#load();
  }

  get #query() {
    const parts = [this.who.value];
    if (this.truth.value !== "") parts.push(`true=${this.truth.value}`);
    if (this.predicted.value !== "") parts.push(`predicted=${this.predicted.value}`);
    return parts.join("&");
  }

  async #load(offset = 0) {
    this.#asked.abort();
    this.#asked = new AbortController();
    const { signal } = this.#asked;
    this.tiles.setAttribute("aria-busy", "true");
    try {
      const page = `limit=${PAGE_SIZE}&offset=${offset}`;
      const answer = await getJson(`${this.path}?${this.#query}&${page}`, signal);
      if (!signal.aborted) this.#show(answer, offset);
    } catch (error) {
      if (!signal.aborted) fill(this.state, failure(error, () => this.#load(offset)));
    }
    if (!signal.aborted) this.tiles.removeAttribute("aria-busy");
  }

  #loadMore() {
    this.#load(this.#images.length);
  }

  #show(answer, offset = 0) {
    const tiles = answer.images.map((image, index) => this.#makeTile(image, offset + index));
    this.#images = [...this.#images.slice(0, offset), ...answer.images];
    if (offset === 0) fill(this.tiles, tiles);
    else this.tiles.append(...tiles);
    const rest = answer.num_images - this.#images.length;
    this.more.hidden = rest === 0;
    setText(this.more, `Show ${whole(Math.min(rest, PAGE_SIZE))} more of ${whole(answer.num_images)}`);
    const isEmpty = answer.num_images === 0;
    const words = el("p", { class: "quiet" }, count(answer.num_images, "image"));
    fill(this.state, isEmpty ? note("empty", "No image fits.") : words);
    this.#link();
    // The first image of the next page.
    if (offset > 0) tiles[0]?.querySelector("button").focus();
  }

  #link() {
    const sheet = this.#query.startsWith("run_id")
      ? `/runs/${this.who.value.split("=")[1]}/misclassified.png`
      : `${this.path}.png?${this.#query}`;
    const files = [
      fileLink("PNG", sheet, { name: "misclassified.png" }),
      fileLink("JSON", `${this.path}?${this.#query}&limit=500`, { name: "misclassified.json" }),
    ];
    fill(this.links, "Download: ", ...files);
  }

  #makeTile({ index, true: truth, image, answers }, place) {
    const names = this.#answer.class_names;
    const own = this.who.value.startsWith("run_id=") ? this.who.value.slice("run_id=".length) : null;
    const asked = answers.filter(({ run_id: id }) => own === null || String(id) === own);
    const taken = findMostFrequent(asked);
    const same = asked.filter(({ predicted }) => predicted === taken);
    const sure = `${percent(Math.max(...same.map(({ confidence }) => confidence)), 0)} sure`;
    const isShared = own === null && this.#answer.num_runs > 1;
    const share = isShared ? `${answers.length} of ${this.#answer.num_runs} runs` : null;
    const [from, to] = [names[truth], names[taken]];
    const what = `Test image ${index}: ${from}, taken for ${to}, ${sure}`;
    const label = share === null ? what : `${what}, missed by ${share}`;
    const open = () => this.dialog.open(this.#images, place);
    return el(
      "li",
      {},
      el(
        "button",
        { type: "button", class: "tile", "aria-label": label, on: { click: open } },
        el("img", { src: image, alt: "", width: 28, height: 28 }),
        el("span", { class: "taken" }, from, " → ", el("b", {}, to)),
        el("span", { class: "quiet" }, isShared ? `up to ${sure}` : sure),
        share && el("span", { class: "quiet" }, share),
      ),
    );
  }
}

function findMostFrequent(answers) {
  const votes = new Map();
  for (const { predicted } of answers) votes.set(predicted, (votes.get(predicted) ?? 0) + 1);
  return [...votes].reduce((best, one) => (one[1] > best[1] ? one : best))[0];
}

/** Bars of how many images exactly k runs misclassify; k = 0 would dwarf all others. */
function makeAgreement(agreement) {
  const most = Math.max(...agreement.slice(1), 1);
  const bars = agreement.slice(1).map((images, index) => {
    const bar = el("i");
    bar.style.setProperty("--share", images / most);
    const words = `${count(images, "image")} missed by ${index + 1} of ${count(agreement.length - 1, "run")}`;
    const [number, runs] = [el("span", {}, whole(images)), el("b", {}, String(index + 1))];
    return el("li", { title: words, "aria-label": words }, number, bar, runs);
  });
  return [
    el("h3", {}, "Images by how many runs miss them"),
    el("div", { class: "scroll" }, el("ol", { class: "agreement" }, bars)),
  ];
}

function option(value, text) {
  return el("option", { value }, text);
}
