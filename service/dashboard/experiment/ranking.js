/** Configurations ranked by mean test accuracy, with intervals and verdicts. */

import { el } from "../common/dom.js";
import { count, margin, percent } from "../common/format.js";
import { lineSample } from "./line_styles.js";
import { isDecided } from "./verdict_words.js";

/** Rank `labels` by the API's `results`; null without data. `findPair` returns the verdict on two. */
export function makeRanking(labels, { results, findPair, styles }) {
  const rows = labels
    .map((label) => results.find((row) => row.label === label))
    .filter((row) => row?.final_test_accuracy)
    .map(({ label, final_test_accuracy: found }) => ({ label, ...found }))
    .sort((a, b) => b.mean - a.mean);
  if (rows.length === 0) return null;
  const ends = rows.flatMap(({ mean, ci_low: low, ci_high: high }) => [low ?? mean, high ?? mean]);
  const scale = makeScale(Math.min(...ends), Math.min(1, Math.max(...ends)));
  const items = rows.map((row, place) => {
    const remark = place === 0 ? null : describeLead(findPair(rows[0].label, row.label));
    return rankedItem(row, { lineStyle: styles.get(row.label), scale, remark });
  });
  const axis = el("p", { class: "scale quiet" }, el("span", {}, scale.from), el("span", {}, scale.to));
  return el("div", {}, el("ol", { class: "ranking" }, items), axis);
}

function rankedItem({ label, mean, n, ...interval }, { lineStyle, scale, remark }) {
  const { ci_low: low, ci_high: high } = interval;
  const whisker = el("span", { class: `whisker norm-${lineStyle?.normalization}`, "aria-hidden": true });
  whisker.style.setProperty("--low", scale.at(low ?? mean));
  whisker.style.setProperty("--high", scale.at(high ?? mean));
  whisker.style.setProperty("--mean", scale.at(mean));
  return el(
    "li",
    {},
    el(
      "div",
      { class: "ranked" },
      lineStyle && lineSample(lineStyle),
      el("span", { class: "name" }, label),
      el("span", { class: "figure strong" }, `${percent(mean)}${margin(interval)}`),
    ),
    whisker,
    el("span", { class: "remark quiet" }, [count(n, "seed"), remark].filter(Boolean).join(" · ")),
  );
}

function makeScale(low, high) {
  const room = Math.max((high - low) * 0.08, 0.0005);
  const [from, to] = [Math.max(0, low - room), Math.min(1, high + room)];
  return {
    from: percent(from, 1),
    to: percent(to, 1),
    at: (value) => String(Math.min(1, Math.max(0, (value - from) / (to - from)))),
  };
}

/** Describe the verdict on the leader and this configuration. */
function describeLead(pair) {
  if (pair === undefined) return null;
  if (pair.outcome === "practically_same") return "practically the same as the first";
  return isDecided(pair.outcome) ? "behind the first" : "not distinguishable from the first";
}
