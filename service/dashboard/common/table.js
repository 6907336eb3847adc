/** A table sorted by the column whose heading was pressed. */

import { el, fill } from "./dom.js";

/** Tables with more rows scroll inside their card. */
const ROWS_IN_FULL = 24;

/**
 * A column has a `title`, `read(row)` for its cells (text or nodes) and `sortBy(row)`; one with `isText`
 * names its row; one with `isOptional` is shown if any row has a value.
 */
export class SortableTable {
  #rows = [];
  #column = null;
  #isDescending = false;
  #body = el("tbody");
  #headings;

  constructor({ columns, name }) {
    this.columns = columns;
    this.#headings = columns.map((column) => this.#makeHeading(column));
    const caption = el("caption", { class: "visually-hidden" }, `${name}; press a heading to sort by it`);
    const table = el("table", {}, caption, el("thead", {}, el("tr", {}, this.#headings)), this.#body);
    this.element = el("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": name }, table);
  }

  update(rows) {
    this.#rows = rows;
    this.element.classList.toggle("tall", rows.length > ROWS_IN_FULL);
    this.#show();
  }

  #makeHeading(column) {
    const button = el("button", { type: "button", title: column.hint }, column.title);
    button.addEventListener("click", () => this.#sortBy(column));
    return el("th", { scope: "col", class: column.isText ? "text" : null }, button);
  }

  /** Sort by a new column, numbers from high to low, or reverse the current column. */
  #sortBy(column) {
    this.#isDescending = column === this.#column ? !this.#isDescending : !column.isText;
    this.#column = column;
    this.#show();
  }

  #show() {
    const isShown = (column) => !column.isOptional || this.#rows.some((row) => column.sortBy(row) !== null);
    this.columns.forEach((column, index) => {
      const heading = this.#headings[index];
      heading.hidden = !isShown(column);
      if (column === this.#column) {
        heading.setAttribute("aria-sort", this.#isDescending ? "descending" : "ascending");
      } else heading.removeAttribute("aria-sort");
    });
    const shown = this.columns.filter(isShown);
    fill(
      this.#body,
      this.#sorted().map((row) =>
        el(
          "tr",
          {},
          shown.map((column) => makeCell(column, row)),
        ),
      ),
    );
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
  if (column.isText) return el("th", { scope: "row" }, column.read(row));
  return el("td", {}, column.read(row));
}
