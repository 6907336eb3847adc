/** Polling that pauses while the tab is hidden. */

import { el, setText } from "./dom.js";

const FIRST_WAIT_MS = 2_000;
const LONGEST_WAIT_MS = 15_000;

/**
 * Call `ask`, and again after as many milliseconds as it returns; null ends it.
 *
 * A hidden tab does not poll, and catches up when shown. When `ask` throws, `onTrouble` receives the error
 * and the wait until the next try, and null once it works again.
 */
export function poll(ask, { signal, onTrouble }) {
  let timer;
  let isAsking = false;
  let isOver = false;
  let failures = 0;

  async function turn() {
    clearTimeout(timer);
    if (isAsking || isOver || signal.aborted) return;
    isAsking = true;
    let wait;
    try {
      wait = await ask();
      failures = 0;
      onTrouble(null);
    } catch (error) {
      if (signal.aborted) return;
      wait = Math.min(FIRST_WAIT_MS * 2 ** failures, LONGEST_WAIT_MS);
      failures += 1;
      onTrouble(error, wait);
    } finally {
      isAsking = false;
    }
    isOver = wait === null;
    if (!isOver && !document.hidden) timer = setTimeout(turn, wait);
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

/** A note for `onTrouble` that says what went wrong; lost connections are shown by the frame. */
export function troubleLine() {
  const element = el("p", { class: "note failed", role: "status", hidden: true });
  function show(error, wait) {
    element.hidden = error === null || error.status === 0;
    if (element.hidden) return;
    const seconds = Math.round(wait / 1000);
    setText(element, `${error.message} What you see may be old; trying again every ${seconds} seconds.`);
  }
  return { element, show };
}
