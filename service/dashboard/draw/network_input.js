/** The 28×28 pixels the networks receive, with the saliency of one network as an overlay. */

import { el, fill, setText } from "../common/dom.js";

const SIZE = 28;
/** Overlay colours of pixels that support or oppose the prediction; safe for colour-blind readers. */
const SUPPORTS = [56, 168, 255];
const OPPOSES = [255, 122, 26];
/** Brightness of the ink below the overlay. */
const DIMMED = 0.4;

export class NetworkInput {
  #context;
  #grey = null;
  #canvas = el("canvas", { width: SIZE, height: SIZE, role: "img" });
  #caption = el("p", { class: "quiet" });
  #legend = el(
    "p",
    { class: "saliency-legend", hidden: true },
    el("span", { class: "supports" }, "supports the prediction"),
    el("span", { class: "opposes" }, "opposes it"),
  );
  #steps = el("ol");

  constructor() {
    this.#context = this.#canvas.getContext("2d");
    this.element = el(
      "figure",
      { class: "network-input" },
      this.#canvas,
      el("figcaption", {}, this.#caption, this.#legend),
      el("details", {}, el("summary", {}, "Preparation"), this.#steps),
    );
    this.clear();
  }

  clear() {
    this.#grey = null;
    this.#context.clearRect(0, 0, SIZE, SIZE);
    this.#say("Nothing drawn", "The networks’ input appears here: 28×28 pixels.");
    fill(this.#steps);
    this.#legend.hidden = true;
  }

  /** Show the picture of `preprocessing` without an overlay. */
  async show(preprocessing) {
    this.#grey = await readGrey(preprocessing.image);
    this.#paint(null);
    this.#say("The networks’ input", "The networks’ input: 28×28 pixels.");
    fill(this.#steps, preprocessing.steps.map((step) => el("li", {}, step)));
  }

  /** Show the answer of POST /predict/saliency. */
  async explain({ preprocessing, saliency, label, class_name: name }) {
    await this.show(preprocessing);
    this.#paint(saliency.flat());
    const caption = `Pixels behind the prediction of ${label}: ${name}`;
    this.#say(caption, caption);
  }

  #say(alternative, caption) {
    this.#canvas.setAttribute("aria-label", alternative);
    setText(this.#caption, caption);
  }

  #paint(shares) {
    this.#legend.hidden = shares === null;
    const strongest = Math.max(...(shares ?? [0]).map(Math.abs), 1e-9);
    const image = this.#context.createImageData(SIZE, SIZE);
    this.#grey.forEach((grey, index) => {
      const share = (shares?.[index] ?? 0) / strongest;
      const hue = share > 0 ? SUPPORTS : OPPOSES;
      const ink = shares === null ? grey : grey * DIMMED;
      // The root lifts faint values: one strong pixel would otherwise leave the others black.
      const weight = Math.sqrt(Math.abs(share));
      const pixel = hue.map((part) => ink * (1 - weight) + part * weight);
      image.data.set([...pixel, 255], index * 4);
    });
    this.#context.putImageData(image, 0, 0);
  }
}

/** Read the grey values of a data: URL, row by row. */
async function readGrey(address) {
  const picture = new Image();
  picture.src = address;
  await picture.decode();
  const canvas = el("canvas", { width: SIZE, height: SIZE });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(picture, 0, 0);
  const { data } = context.getImageData(0, 0, SIZE, SIZE);
  return Array.from({ length: SIZE * SIZE }, (_, index) => data[index * 4]);
}
