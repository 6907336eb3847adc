/** Inference: the running statistics of batch norm, updated once by the values on the page. */

import { el, fill, setText } from "../common/dom.js";
import { capitalize } from "../common/format.js";
import { readMathml } from "./mathml.js";

const NONE =
  "norm keeps no running statistics: at inference it computes mean and variance from the image itself, " +
  "as in training.";
const BATCH =
  "In training batch norm uses the statistics of the batch. At inference an output must not depend on the " +
  "other images: each channel uses a running mean and variance, which every training batch moves a little.";
const SINGLE = "A single value per channel has no unbiased variance: PyTorch refuses to train batch norm on it.";

export class Inference {
  #words = el("p", {});
  #steps = el("ol", { class: "steps" });
  #shown = null;
  element = el("div", {}, this.#words, this.#steps);

  /** Show the update of the channel of `place`, or why there is none. */
  show({ answer, normalization, place }) {
    const running = normalization === "batch" ? answer.inference?.channels[place.channel] : undefined;
    const words = answer.inference ? BATCH : SINGLE;
    setText(this.#words, normalization === "batch" ? words : `${capitalize(normalization)} ${NONE}`);
    if (running === this.#shown) return;
    this.#shown = running;
    fill(this.#steps, (running?.steps ?? []).map(makeStep));
  }
}

function makeStep({ name, words, mathml }) {
  return el(
    "li",
    {},
    el("p", {}, el("strong", {}, name), " ", el("span", { class: "quiet" }, words)),
    el("p", { class: "formula" }, mathml.map(readMathml)),
  );
}
