/** What the networks made of a picture. */

import { el } from "./dom.js";
import { percent } from "./format.js";

/** More models than this are only counted. */
const MAX_MODELS = 12;

export class Reading {
  constructor(prediction) {
    const { digit, probabilities, models, preprocessing, warnings } = prediction;
    this.element = el(
      "div",
      { class: "reading" },
      el("div", { class: "answer" }, answer(prediction), seen(preprocessing)),
      warnings.map((sentence) => el("p", { class: "note warning" }, sentence)),
      bars(probabilities, digit),
      models.length > 1 ? modelTable(models) : null,
      el("details", {}, el("summary", {}, "How the picture was prepared"), steps(preprocessing)),
    );
  }
}

function answer({ digit, class_name: name, confidence, models: [model] }) {
  return el(
    "div",
    {},
    el("p", { class: "digit" }, name),
    name === String(digit) ? null : el("p", { class: "quiet" }, `class ${digit}`),
    el("p", {}, el("strong", {}, percent(confidence)), " sure"),
    el("p", { class: "quiet" }, `read by run ${model.run_id}, ${model.label}`),
  );
}

function seen(preprocessing) {
  const alt = "The picture as the network saw it";
  const picture = el("img", { src: preprocessing.image, width: 28, height: 28, alt });
  return el("figure", { class: "seen" }, picture, el("figcaption", { class: "quiet" }, "the network saw"));
}

function bars(probabilities, digit) {
  const items = probabilities.map((probability, index) =>
    el(
      "li",
      { class: index === digit ? "leads" : null },
      el("span", { class: "figure", "aria-hidden": "true" }, String(index)),
      el("meter", { min: 0, max: 1, value: probability, "aria-label": `Probability of ${index}` }),
      el("span", { class: "figure" }, percent(probability, 1)),
    ),
  );
  return el("ul", { class: "bars", "aria-label": "Probabilities" }, items);
}

function modelTable(models) {
  const rows = models.slice(0, MAX_MODELS).map((model) =>
    el(
      "tr",
      {},
      el("th", { scope: "row" }, `${model.run_id}: ${model.label}`),
      el("td", {}, model.class_name),
      el("td", {}, percent(model.confidence)),
    ),
  );
  const heads = ["Run", "Reads", "Sure"].map((title) => el("th", { scope: "col" }, title));
  heads[0].className = "text";
  const rest = models.length - rows.length;
  return el(
    "div",
    { class: "scroll", tabindex: 0, role: "group", "aria-label": "What each run reads" },
    el("table", {}, el("thead", {}, el("tr", {}, heads)), el("tbody", {}, rows)),
    rest > 0 ? el("p", { class: "quiet" }, `and ${rest} more`) : null,
  );
}

function steps(preprocessing) {
  return el("ol", {}, preprocessing.steps.map((step) => el("li", {}, step)));
}
