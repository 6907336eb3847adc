/** Verdicts on pairs, as signs and words. */

export const SIGNS = { better: "▲", worse: "▼", practically_same: "≈", no_difference_found: "=", cannot_conclude: "?" };
export const OUTCOME_WORDS = {
  better: "better",
  worse: "worse",
  practically_same: "practically the same",
  no_difference_found: "no difference found",
  cannot_conclude: "cannot conclude",
};

/** Whether one of the two was found to be better. */
export function isDecided(outcome) {
  return outcome === "a_better" || outcome === "b_better";
}
