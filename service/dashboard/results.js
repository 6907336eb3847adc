/** The table of findings, sorted by the column whose heading was pressed. */

import { el, fill } from "./dom.js";
import { decimal, duration, percent, points, whole } from "./format.js";

/** Heading, how a row's cell reads, and what it is sorted by; an optional one shows where any row has it. */
const COLUMNS = [
  { title: "Run", sortBy: (row) => row.label, read: (row) => row.label, isText: true },
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
/** More rows than this scroll inside their card. */
const ROWS_IN_FULL = 24;
const LEGEND =
  "Best test is the highest of all epochs (which one in brackets): picked on the test set, so optimistic. " +
  "The loss is the test set's; last-5 mean is the mean test accuracy of the last five epochs; " +
  "train − test is in percentage points.";

export class ResultsTable {
  #rows = [];
  #column = null;
  #isDescending = false;
  #body = el("tbody");
  #frame;
  #headings = COLUMNS.map((column) => this.#makeHeading(column));

  constructor() {
    const caption = el("caption", { class: "unseen" }, "A row a run; press a heading to sort by it");
    const head = el("thead", {}, el("tr", {}, this.#headings));
    const table = el("table", {}, caption, head, this.#body);
    const frame = { class: "scroll", tabindex: 0, role: "group", "aria-label": "Results" };
    this.#frame = el("div", frame, table);
    this.element = el("div", {}, this.#frame, el("p", { class: "quiet legend" }, LEGEND));
  }

  update({ runs }) {
    this.#rows = runs;
    this.#frame.classList.toggle("tall", runs.length > ROWS_IN_FULL);
    this.#show();
  }

  #makeHeading(column) {
    const button = el("button", { type: "button" }, column.title);
    button.addEventListener("click", () => this.#sortBy(column));
    return el("th", { scope: "col", class: column.isText ? "text" : null }, button);
  }

  /** By a new column, the highest figure or first name first; by the same one, the other way round. */
  #sortBy(column) {
    this.#isDescending = column === this.#column ? !this.#isDescending : !column.isText;
    this.#column = column;
    this.#show();
  }

  #show() {
    const isShown = (column) => !column.isOptional || this.#rows.some((row) => column.sortBy(row) !== null);
    COLUMNS.forEach((column, index) => {
      const heading = this.#headings[index];
      heading.hidden = !isShown(column);
      const order = this.#isDescending ? "descending" : "ascending";
      if (column === this.#column) heading.setAttribute("aria-sort", order);
      else heading.removeAttribute("aria-sort");
    });
    const shown = COLUMNS.filter(isShown);
    const rows = this.#sorted().map((row) => el("tr", {}, shown.map((column) => makeCell(column, row))));
    fill(this.#body, rows);
  }

  #sorted() {
    if (this.#column === null) return this.#rows;
    const { sortBy } = this.#column;
    const known = this.#rows.filter((row) => sortBy(row) !== null);
    const unknown = this.#rows.filter((row) => sortBy(row) === null);
    known.sort((a, b) => (sortBy(a) < sortBy(b) ? -1 : Number(sortBy(a) > sortBy(b))));
    return [...(this.#isDescending ? known.reverse() : known), ...unknown];
  }
}

function makeCell(column, row) {
  if (!column.isText) return el("td", {}, column.read(row));
  const swatch = el("span", { class: `swatch norm-${row.normalization}` });
  return el("th", { scope: "row" }, swatch, column.read(row));
}

function readBest(row) {
  const best = percent(row.best_test_accuracy);
  return row.best_test_epoch === null ? best : `${best} (${row.best_test_epoch})`;
}

function accuracy(title, name) {
  return { title, sortBy: (row) => row[name], read: (row) => percent(row[name]) };
}
