/** State of the connection to the service, shown once for the whole page. */

import { announce, button, el, fill, setText } from "./dom.js";

const WAITS_SECONDS = [1, 2, 4, 8, 15];
const PROBE_PATIENCE_MS = 5_000;

let place = null;
let isLost = false;
let failures = 0;
let timer;

/** Show in `place` that the connection is lost, while it is. */
export function watchConnection(element) {
  place = element;
  window.addEventListener("offline", () => reportSilence());
  window.addEventListener("online", () => isLost && probe());
  document.addEventListener("visibilitychange", () => isLost && !document.hidden && probe());
}

/** Note that the service answered. */
export function reportAnswer() {
  if (!isLost) return;
  isLost = false;
  failures = 0;
  clearTimeout(timer);
  fill(place);
  announce("Connected again.");
  window.dispatchEvent(new CustomEvent("connection-healed"));
}

/** Retry until the service answers; `connection-healed` then tells the views to catch up. */
export function reportSilence() {
  if (isLost) return;
  isLost = true;
  failures = 0;
  countDown();
}

async function probe() {
  clearTimeout(timer);
  try {
    // Any answer will do, even a refusal.
    await fetch("/healthz", { cache: "no-store", signal: AbortSignal.timeout(PROBE_PATIENCE_MS) });
    reportAnswer();
  } catch {
    failures += 1;
    if (isLost) countDown();
  }
}

function countDown() {
  const wait = WAITS_SECONDS[Math.min(failures, WAITS_SECONDS.length - 1)];
  const when = el("span", { "aria-hidden": "true" });
  const again = button("Try now", probe, { class: "small" });
  const words = el("p", {}, el("strong", {}, "Connection lost. "), "This page may be out of date. ", when);
  // Unchanged words are read out only once.
  const line = place.querySelector(".lost") ?? el("div", { class: "note failed lost" }, words, again);
  if (!line.isConnected) fill(place, line);
  tick(line.querySelector("span"), wait);
}

function tick(when, seconds) {
  clearTimeout(timer);
  setText(when, seconds > 0 ? `Reconnecting in ${seconds} s.` : "Reconnecting…");
  timer = setTimeout(() => (seconds > 0 ? tick(when, seconds - 1) : probe()), seconds > 0 ? 1_000 : 0);
}
