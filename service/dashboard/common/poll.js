/** Polling that pauses while the tab is hidden. */

import { el, fail, setText } from "./dom.js";

const FIRST_WAIT_MS = 2_000;
const LONGEST_WAIT_MS = 15_000;

/**
 * Call `refresh`, and again after as many milliseconds as it returns.
 *
 * A hidden tab does not poll, and catches up when shown. An error is shown in `place` while `isEmpty()`, and
 * by `trouble`, see below, once there is something to see.
 */
export function poll(refresh, { signal, place, isEmpty, trouble }) {
  let timer;
  let isAsking = false;
  let failures = 0;

  async function turn() {
    clearTimeout(timer);
    if (isAsking || signal.aborted) return;
    isAsking = true;
    let wait;
    try {
      wait = await refresh();
      failures = 0;
      trouble.show(null);
    } catch (error) {
      if (signal.aborted) return;
      wait = Math.min(FIRST_WAIT_MS * 2 ** failures, LONGEST_WAIT_MS);
      failures += 1;
      if (isEmpty()) fail(place, error, turn);
      else trouble.show(error, wait);
    } finally {
      isAsking = false;
    }
    if (!document.hidden) timer = setTimeout(turn, wait);
  }

  function onVisibility() {
    if (document.hidden) clearTimeout(timer);
    else turn();
  }
  document.addEventListener("visibilitychange", onVisibility, { signal });
  window.addEventListener("connection-healed", turn, { signal });
  signal.addEventListener("abort", () => clearTimeout(timer));
  turn();
}

/** A note for `poll` that says why the page is not refreshed; lost connections are shown by the frame. */
export function troubleLine() {
  const element = el("p", { class: "note failed", role: "status", hidden: true });
  function show(error, wait) {
    element.hidden = error === null || error.status === 0;
    if (element.hidden) return;
    const seconds = Math.round(wait / 1000);
    setText(element, `${error.message} This page may be out of date; the next try is in ${seconds} seconds.`);
  }
  return { element, show };
}
