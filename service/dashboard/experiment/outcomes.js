/** The signs and words that verdicts are shown with. */

export const SIGNS = { better: "▲", worse: "▼", no_difference_found: "=", cannot_conclude: "?" };
export const OUTCOME_WORDS = {
  better: "better",
  worse: "worse",
  no_difference_found: "no difference found",
  cannot_conclude: "cannot conclude",
};
