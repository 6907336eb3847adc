/** The table of findings: a row a run, or a row a configuration with the spread over its seeds. */

import { choice, el, setText } from "./dom.js";
import { fileLink } from "./files.js";
import { decimal, duration, percent, points, whole } from "./format.js";
import { SortableTable } from "./table.js";

const RUN_COLUMNS = [
  { title: "Run", sortBy: (row) => row.label, read: readLabel, isText: true },
  { title: "Seed", sortBy: (row) => row.seed, read: (row) => String(row.seed) },
  { title: "Parameters", sortBy: (row) => row.parameters, read: (row) => whole(row.parameters) },
  { title: "Epochs", sortBy: (row) => row.epochs, read: (row) => String(row.epochs) },
  { title: "Best test", sortBy: (row) => row.best_test_accuracy, read: readBest },
  {
    ...accuracy("Test at best validation", "test_accuracy_at_best_validation"),
    isOptional: true,
  },
  accuracy("Last test", "final_test_accuracy"),
  accuracy("Last-5 mean", "last_five_test_accuracy"),
  { title: "Last loss", sortBy: (row) => row.final_test_loss, read: (row) => decimal(row.final_test_loss) },
  accuracy("Last train", "final_train_accuracy"),
  { title: "Train − test", sortBy: (row) => row.accuracy_gap, read: (row) => points(row.accuracy_gap) },
  { title: "Time", sortBy: (row) => row.seconds, read: (row) => duration(row.seconds) },
];
const LEGENDS = {
  configurations:
    "Mean over the seeds ± half the width of its 95 % interval (Student's t); at the last epoch. Train − test " +
    "is in percentage points.",
  runs:
    "Best test is the highest of all epochs (which one in brackets): picked on the test set, so optimistic. " +
    "Last-5 mean is the mean test accuracy of the last five epochs; train − test is in percentage points.",
};

export class ResultsPanel {
  #legend = el("p", { class: "quiet legend-line" });

  constructor({ id, configurationColumns, hasSeeds }) {
    this.tables = {
      configurations: new SortableTable({ columns: configurationColumns, name: "A row a configuration" }),
      runs: new SortableTable({ columns: RUN_COLUMNS, name: "A row a run" }),
    };
    const titles = { configurations: "By configuration", runs: "By run" };
    const mode = choice("Rows", "rows", titles, hasSeeds ? "configurations" : "runs");
    mode.addEventListener("change", ({ target }) => this.#show(target.value));
    const tables = Object.values(this.tables).map(({ element }) => element);
    this.element = el("div", {}, el("div", { class: "row controls" }, mode), tables, this.#legend, resultLinks(id));
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

export function readLabel({ label, normalization }) {
  return [el("span", { class: `swatch norm-${normalization}` }), label];
}

function readBest(row) {
  const best = percent(row.best_test_accuracy);
  return row.best_test_epoch === null ? best : `${best} (${row.best_test_epoch})`;
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
    fileLink("Markdown", `${path}?format=markdown`, { name: `${name}.md` }),
    fileLink("JSON", path, { name: `${name}.json` }),
  );
}
