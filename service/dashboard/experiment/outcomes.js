/** Signs and words of verdicts. */

export const SIGNS = { better: "▲", worse: "▼", no_difference_found: "=", cannot_conclude: "?" };
export const OUTCOME_WORDS = {
  better: "better",
  worse: "worse",
  no_difference_found: "no difference found",
  cannot_conclude: "cannot conclude",
};
