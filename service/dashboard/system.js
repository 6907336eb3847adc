/** Who works, what waits, which versions and data sets there are. */

import { getJson } from "./api.js";
import { el, fill, note, section } from "./dom.js";
import { poll, troubleLine } from "./poll.js";

const WAIT_MS = 3_000;

export function mount(main, { signal }) {
  const trouble = troubleLine();
  const workers = el("div", {}, note("loading", "Loading…"));
  fill(main, el("h1", {}, "System"), trouble.element, section("Workers", workers));
  async function refresh() {
    const { workers: all } = await getJson("/workers", signal);
    fill(workers, all.map(({ id, device }) => el("p", {}, `${id} · ${device}`)));
    return WAIT_MS;
  }
  poll(refresh, { signal, onTrouble: trouble.show });
}
