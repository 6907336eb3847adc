/** Misclassified test images: across all runs, or of one run. */

import { getJson } from "../common/api.js";
import { button, el, fail, field, fill, note, section, setText } from "../common/dom.js";
import { fileLink } from "../common/downloads.js";
import { count, percent, whole } from "../common/format.js";
import { findMostFrequent } from "../common/prediction_cards.js";
import { LatestRequest, loadInto } from "../common/requests.js";
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

  constructor(id, signal) {
    this.path = `/experiments/${id}/misclassified`;
    this.signal = signal;
    this.request = new LatestRequest(signal);
    this.lead = el("p", { class: "lead" });
    this.element = el("div");
    this.state = el("div", { role: "status" });
    this.tiles = el("ul", { class: "mistakes" });
    this.more = button("", () => this.#load(this.#images.length), { hidden: true });
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
  }

  start() {
    loadInto(this.element, () => this.#begin(), this.signal);
  }

  async #begin() {
    this.#answer = await getJson(`${this.path}?limit=${PAGE_SIZE}`, this.signal);
    if (this.#answer.num_runs === 0) {
      const words = "No run is completed yet; misclassified images appear when the first one is.";
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
    const wrong = tests - agreement[0];
    const by = runs === 1 ? "the one run" : `at least one of ${count(runs, "run")}`;
    const shared = every.length === 0 ? "none" : whole(every.length);
    const all = runs === 1 ? "" : ` Every run misclassifies ${shared} of them.`;
    setText(this.lead, `${whole(wrong)} of ${count(tests, "test image")} are misclassified by ${by}.${all}`);
    const unfinished = this.#answer.unfinished_run_ids.length;
    if (unfinished > 0) this.lead.append(` ${count(unfinished, "unfinished run")} not counted.`);
    fill(this.agreement, ...(runs > 1 ? makeAgreement(agreement) : []));
  }

  #fillFilters() {
    const { missed_only_by: only, runs, class_names: names } = this.#answer;
    const across = [option("missed_by=any", "any run"), option("missed_by=every", "every run")];
    const alone = only.map(({ normalization: name, by_most: { length } }) =>
      option(`missed_by=${name}`, `only runs with ${name === "none" ? "no" : name} norm (${whole(length)})`),
    );
    const own = runs.map(({ run_id: id, label, seed, num_misclassified: wrong }) =>
      option(`run_id=${id}`, `run ${id}: ${label}, seed ${seed} (${whole(wrong)})`),
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
    const filters = el(
      "div",
      { class: "row mistake-filters" },
      field("Misclassified by", this.who),
      field("True class", this.truth),
      field("Predicted class", this.predicted),
      button("Reset", () => this.#reset()),
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

  /** The filter as a query; the choices of `who` are queries themselves. */
  get #query() {
    const query = new URLSearchParams(this.who.value);
    if (this.truth.value !== "") query.set("true", this.truth.value);
    if (this.predicted.value !== "") query.set("predicted", this.predicted.value);
    return query;
  }

  #load(offset = 0) {
    this.tiles.setAttribute("aria-busy", "true");
    const address = `${this.path}?${this.#query}&limit=${PAGE_SIZE}&offset=${offset}`;
    this.request.send((signal) => getJson(address, signal), {
      show: (answer) => this.#show(answer, offset),
      refuse: (error) => {
        this.tiles.removeAttribute("aria-busy");
        fail(this.state, error, () => this.#load(offset));
      },
    });
  }

  #show(answer, offset = 0) {
    this.tiles.removeAttribute("aria-busy");
    const tiles = answer.images.map((image, index) => this.#makeTile(image, offset + index));
    this.#images = [...this.#images.slice(0, offset), ...answer.images];
    if (offset === 0) fill(this.tiles, tiles);
    else this.tiles.append(...tiles);
    const rest = answer.num_images - this.#images.length;
    this.more.hidden = rest === 0;
    setText(this.more, `Show ${whole(Math.min(rest, PAGE_SIZE))} more of ${whole(answer.num_images)}`);
    const isEmpty = answer.num_images === 0;
    const words = el("p", { class: "quiet" }, count(answer.num_images, "image"));
    fill(this.state, isEmpty ? note("empty", "No image matches the filter.") : words);
    this.#link();
    // The first image of the next page.
    if (offset > 0) tiles[0]?.querySelector("button").focus();
  }

  #link() {
    const runId = this.#query.get("run_id");
    const sheet = runId ? `/runs/${runId}/misclassified.png` : `${this.path}.png?${this.#query}`;
    const files = [
      fileLink("PNG", sheet, { name: "misclassified.png" }),
      fileLink("JSON", `${this.path}?${this.#query}&limit=500`, { name: "misclassified.json" }),
    ];
    fill(this.links, "Download: ", ...files);
  }

  #makeTile({ index, true: truth, image, answers }, place) {
    const names = this.#answer.class_names;
    const runId = this.#query.get("run_id");
    const shown = answers.filter(({ run_id: id }) => runId === null || id === Number(runId));
    const { value: prediction } = findMostFrequent(shown.map(({ predicted }) => predicted));
    const same = shown.filter(({ predicted }) => predicted === prediction);
    const confidence = percent(Math.max(...same.map((one) => one.confidence)), 0);
    const isShared = runId === null && this.#answer.num_runs > 1;
    const share = isShared ? `${answers.length} of ${this.#answer.num_runs} runs` : null;
    const [from, to] = [names[truth], names[prediction]];
    const what = `Test image ${index}: ${from} classified as ${to}, ${confidence} confident`;
    const label = share === null ? what : `${what}, misclassified by ${share}`;
    const open = () => this.dialog.open(this.#images, place);
    return el(
      "li",
      {},
      el(
        "button",
        { type: "button", class: "tile", "aria-label": label, on: { click: open } },
        el("img", { src: image, alt: "", width: 28, height: 28 }),
        el("span", { class: "taken" }, from, " → ", el("b", {}, to)),
        el("span", { class: "quiet" }, isShared ? `up to ${confidence}` : confidence),
        share && el("span", { class: "quiet" }, share),
      ),
    );
  }
}

/** Bars of how many images exactly k runs misclassify; k = 0 would dwarf all others. */
function makeAgreement(agreement) {
  const most = Math.max(...agreement.slice(1), 1);
  const bars = agreement.slice(1).map((images, index) => {
    const bar = el("i");
    bar.style.setProperty("--share", images / most);
    const share = `${index + 1} of ${count(agreement.length - 1, "run")}`;
    const words = `${count(images, "image")} misclassified by ${share}`;
    const [number, runs] = [el("span", {}, whole(images)), el("b", {}, String(index + 1))];
    return el("li", { title: words, "aria-label": words }, number, bar, runs);
  });
  return [
    el("h3", {}, "Images by number of runs that misclassify them"),
    el("div", { class: "scroll" }, el("ol", { class: "agreement" }, bars)),
  ];
}

function option(value, text) {
  return el("option", { value }, text);
}
