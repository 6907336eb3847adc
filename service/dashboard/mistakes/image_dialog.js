/** Dialog of one test image with the ten probabilities of every run, and buttons to its neighbours. */

import { getJson } from "../common/api.js";
import { button, el, fail, fill, note, setText } from "../common/dom.js";
import { count } from "../common/format.js";
import { PredictionCards } from "../common/prediction_cards.js";
import { LatestRequest } from "../common/requests.js";

export class ImageDialog {
  #images = [];
  #place = 0;
  #title = el("h2", { id: "image-title" });
  #picture = el("img", { alt: "", width: 28, height: 28 });
  #summary = el("p", { class: "quiet" });
  #body = el("div", { class: "image-answers" });

  constructor(experimentId, signal) {
    this.path = `/experiments/${experimentId}/images`;
    this.request = new LatestRequest(signal);
    this.previous = button("Previous", () => this.#go(-1));
    this.next = button("Next", () => this.#go(1));
    const shut = () => this.element.close();
    const close = button("Close", shut, { class: "primary" });
    const head = el("div", {}, this.#title, this.#summary);
    this.element = el(
      "dialog",
      { class: "image-dialog", "aria-labelledby": "image-title" },
      el("header", {}, this.#picture, head),
      this.#body,
      el("div", { class: "row" }, this.previous, this.next, close),
    );
    this.element.addEventListener("keydown", (event) => {
      if (event.key === "ArrowLeft") this.#go(-1);
      if (event.key === "ArrowRight") this.#go(1);
    });
    this.element.addEventListener("click", (event) => event.target === this.element && shut());
    this.element.addEventListener("close", () => this.request.abort());
    signal.addEventListener("abort", shut);
  }

  /** Show the image at `place` among `images` of GET /experiments/{id}/misclassified. */
  open(images, place) {
    this.#images = images;
    this.#place = place;
    this.element.showModal();
    this.#load();
  }

  #go(step) {
    const place = this.#place + step;
    if (place < 0 || place >= this.#images.length) return;
    this.#place = place;
    this.#load();
  }

  #load() {
    const { index, image } = this.#images[this.#place];
    this.#picture.src = image;
    this.previous.disabled = this.#place === 0;
    this.next.disabled = this.#place === this.#images.length - 1;
    setText(this.#title, `Test image ${index}`);
    setText(this.#summary, "");
    fill(this.#body, note("loading", "Loading…"));
    this.request.send((signal) => getJson(`${this.path}/${index}`, signal), {
      show: (answer) => this.#show(answer),
      refuse: (error) => fail(this.#body, error, () => this.#load()),
    });
  }

  #show({ index, true: truth, class_names: names, runs }) {
    const right = runs.filter(({ predicted }) => predicted === truth).length;
    setText(this.#title, `Test image ${index}: ${names[truth]}`);
    setText(this.#summary, `${right} of ${count(runs.length, "run")} classify it correctly.`);
    const cards = new PredictionCards({ truth });
    cards.show(runs.map((run) => describeRun(run, names)));
    fill(this.#body, cards.element);
    this.#body.scrollTop = 0;
  }
}

/** A run as the prediction cards take it, by label and seed. */
function describeRun({ label, seed, predicted, ...run }, names) {
  return { ...run, label: `${label}, seed ${seed}`, digit: predicted, class_name: names[predicted] };
}
