/** The factors of a grid one by one: does each matter, and which of its levels is better? */

import { el } from "../common/dom.js";
import { capitalize, margin, percent, points } from "../common/format.js";
import { isDecided, SIGNS } from "./verdict_words.js";

/** Takes `factors` of the API's comparison; returns null if there are none. */
export function makeFactors(factors) {
  const names = Object.keys(factors?.averages ?? {}).filter((name) => factors.averages[name].length > 0);
  if (names.length === 0) return null;
  const overall = new Map(factors.overall.map((one) => [one.factor, one]));
  return el(
    "div",
    { class: "factors" },
    names.map((name) => makeFactor(name, factors.averages[name], overall.get(name))),
    factors.warnings.map((sentence) => el("p", { class: "caution" }, sentence)),
  );
}

function makeFactor(name, averages, overall) {
  const [{ averaged_over: settings }] = averages;
  const isAveraged = settings.length > 1;
  const over = isAveraged ? `averaged over ${settings.length} settings of the rest` : "all else equal";
  return el(
    "div",
    { class: "factor" },
    el("h4", {}, `Does ${name} matter?`),
    overall && describeOverall(overall),
    el("ul", {}, averages.map(makeEffect)),
    el("p", { class: "quiet" }, `Points of test accuracy, ${over}; ± holds for all that is judged at once.`),
  );
}

function describeOverall({ verdict, level_means: means }) {
  const levels = Object.entries(means).sort(([, a], [, b]) => b - a);
  const figures = levels.map(([level, mean]) => `${level} ${percent(mean)}`).join(" · ");
  return [el("p", { class: "strong" }, capitalize(verdict), "."), el("p", { class: "quiet" }, figures)];
}

/** The better level comes first, so that every difference is positive. */
function makeEffect(effect) {
  const { a_level: a, b_level: b, difference, outcome, verdict } = effect;
  const simultaneous = { ci_low: effect.simultaneous_low, ci_high: effect.simultaneous_high };
  const [first, second, size] = (difference ?? 0) < 0 ? [b, a, -difference] : [a, b, difference];
  const name = isDecided(outcome) ? "better" : outcome;
  return el(
    "li",
    { title: verdict },
    el("span", { class: `pair ${name}`, "aria-hidden": true }, SIGNS[name]),
    el("span", { class: "name" }, `${first} over ${second}`),
    el("span", { class: "figure" }, size === null ? "–" : `+${points(size)}${margin(simultaneous)}`),
    el("span", { class: "visually-hidden" }, `: ${verdict}`),
  );
}
