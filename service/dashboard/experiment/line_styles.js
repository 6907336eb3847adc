/** Look of configurations, as in the service's figures: colour by normalization, dashes by penalty. */

import { readColor } from "./charts.js";
import { el } from "../common/dom.js";

const DASHES = { none: "solid", l1: "dash", l2: "dot", "l1+l2": "dashdot" };
const OTHER_DASH = "longdashdot";
const MARKERS = ["circle", "square", "triangle-up", "diamond", "triangle-down", "cross", "x", "star"];

/**
 * List the configurations of an experiment's runs, in the order of the runs.
 *
 * Those with the same normalization and penalty differ in their markers.
 */
export function listConfigurations(runs) {
  const found = new Map();
  const rivals = new Map();
  for (const { id, label, normalization, penalty } of runs) {
    if (!found.has(label)) {
      const look = `${normalization} ${penalty}`;
      const place = rivals.get(look) ?? 0;
      rivals.set(look, place + 1);
      found.set(label, {
        label,
        normalization,
        penalty,
        marker: MARKERS[place % MARKERS.length],
        runIds: [],
      });
    }
    found.get(label).runIds.push(id);
  }
  return [...found.values()];
}

/** The line style for plotly, in the current theme. */
export function styleLine({ normalization, penalty, marker }) {
  return {
    color: readColor(`--norm-${normalization}`) || readColor("--quiet"),
    dash: DASHES[penalty] ?? OTHER_DASH,
    marker,
  };
}

/** A sample of the configuration's line, for legends and tables. */
export function lineSample({ normalization, penalty }) {
  const dash = penalty in DASHES ? penalty.replace("+", "-") : "other";
  return el("span", { class: `sample norm-${normalization} dash-${dash}`, "aria-hidden": true });
}
