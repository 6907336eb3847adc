/** Results table: a row per run, or a row per configuration with the spread over its seeds. */

import { choice, el, setText } from "../common/dom.js";
import { fileLink } from "../common/downloads.js";
import { decimal, duration, margin, percent, points, whole } from "../common/format.js";
import { SortableTable } from "../common/table.js";

const RUN_COLUMNS = [
  { title: "Run", sortBy: (row) => row.label, read: readLabel, isText: true },
  { title: "Seed", sortBy: (row) => row.seed, read: (row) => String(row.seed) },
  { title: "Parameters", sortBy: (row) => row.parameters, read: (row) => whole(row.parameters) },
  { title: "Epochs", sortBy: (row) => row.epochs, read: (row) => String(row.epochs) },
  { title: "Best test", sortBy: (row) => row.best_test_accuracy, read: readBest },
  { ...accuracy("Test at best validation", "test_accuracy_at_best_validation"), isOptional: true },
  accuracy("Last test", "final_test_accuracy"),
  accuracy("Last-5 mean", "last_five_test_accuracy"),
  { title: "Last loss", sortBy: (row) => row.final_test_loss, read: (row) => decimal(row.final_test_loss) },
  accuracy("Last train", "final_train_accuracy"),
  { title: "Train − test", sortBy: (row) => row.accuracy_gap, read: (row) => points(row.accuracy_gap) },
  { title: "Time", sortBy: (row) => row.seconds, read: (row) => duration(row.seconds) },
];
const CONFIGURATION_COLUMNS = [
  { title: "Configuration", sortBy: (row) => row.label, read: readLabel, isText: true },
  {
    title: "Seeds",
    sortBy: (row) => row.num_completed,
    read: (row) => `${row.num_completed} of ${row.num_runs}`,
  },
  { title: "Parameters", sortBy: (row) => row.parameters, read: (row) => whole(row.parameters) },
  { title: "Test accuracy", sortBy: (row) => row.final_test_accuracy?.mean ?? null, read: readSpread },
  summary("Lowest", "final_test_accuracy", ({ min }) => percent(min), "min"),
  summary("Highest", "final_test_accuracy", ({ max }) => percent(max), "max"),
  {
    ...summary("At best validation", "test_accuracy_at_best_validation", ({ mean }) => percent(mean)),
    isOptional: true,
  },
  summary("Test loss", "final_test_loss", ({ mean }) => decimal(mean)),
  summary("Train − test", "accuracy_gap", ({ mean }) => points(mean)),
  {
    title: "Stability",
    hint: "Standard deviation of test accuracy over a run's last five epochs, in points: small is stable",
    sortBy: (row) => row.stability,
    read: (row) => points(row.stability),
  },
  summary("Time per run", "seconds", ({ mean }) => duration(mean)),
];
const LEGENDS = {
  configurations:
    "Means over the completed seeds, at the last epoch; test accuracy ± half its 95% interval. " +
    "Train − test and stability (how much test accuracy varies over the last five epochs) are in points.",
  runs:
    "Best test is the highest of all epochs (the epoch in brackets): picked on the test set, so optimistic. " +
    "Last-5 mean is the mean test accuracy of the last five epochs; train − test is in percentage points.",
};

export class ResultsPanel {
  #legend = el("p", { class: "quiet legend-line" });

  constructor({ id, hasSeeds }) {
    this.tables = {
      configurations: new SortableTable({ columns: CONFIGURATION_COLUMNS, name: "One row per configuration" }),
      runs: new SortableTable({ columns: RUN_COLUMNS, name: "One row per run" }),
    };
    const titles = { configurations: "By configuration", runs: "By run" };
    const mode = choice("Rows", "rows", titles, hasSeeds ? "configurations" : "runs");
    mode.addEventListener("change", ({ target }) => this.#show(target.value));
    const tables = Object.values(this.tables).map(({ element }) => element);
    const controls = el("div", { class: "row controls" }, mode);
    this.element = el("div", {}, controls, tables, this.#legend, resultLinks(id));
    this.#show(hasSeeds ? "configurations" : "runs");
  }

  update({ runs, configurations }) {
    this.tables.runs.update(runs);
    this.tables.configurations.update(configurations);
  }

  #show(chosen) {
    for (const [name, table] of Object.entries(this.tables)) table.element.hidden = name !== chosen;
    setText(this.#legend, LEGENDS[chosen]);
  }
}

function readLabel({ label, normalization }) {
  return [el("span", { class: `swatch norm-${normalization}` }), label];
}

function readBest(row) {
  const best = percent(row.best_test_accuracy);
  return row.best_test_epoch === null ? best : `${best} (${row.best_test_epoch})`;
}

function readSpread({ final_test_accuracy: found }) {
  return found === null ? "–" : `${percent(found.mean)}${margin(found)}`;
}

/** A column of one of a configuration's summaries; null before the first run has completed. */
function summary(title, name, read, figure = "mean") {
  return {
    title,
    sortBy: (row) => row[name]?.[figure] ?? null,
    read: (row) => (row[name] === null ? "–" : read(row[name])),
  };
}

function accuracy(title, name) {
  return { title, sortBy: (row) => row[name], read: (row) => percent(row[name]) };
}

function resultLinks(id) {
  const path = `/experiments/${id}/results`;
  const name = `experiment-${id}-results`;
  return el(
    "p",
    { class: "links" },
    "Download: ",
    fileLink("CSV", `${path}?format=csv`, { name: `${name}.csv` }),
    fileLink("CSV by configuration", `${path}?format=csv&by=configuration`, {
      name: `${name}-by-configuration.csv`,
    }),
    fileLink("Markdown", `${path}?format=markdown`, { name: `${name}.md` }),
    fileLink("LaTeX", `${path}?format=latex`, { name: `${name}.tex` }),
    fileLink("JSON", path, { name: `${name}.json` }),
  );
}
