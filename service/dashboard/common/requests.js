/** Requests of a view: loaded once, or sent again and again where only the latest counts. */

import { fail, fill, note } from "./dom.js";

/** Show in `place` that `load` is under way and, if it throws, its error with a button to try again. */
export async function loadInto(place, load, signal) {
  fill(place, note("loading", "Loading…"));
  try {
    await load();
  } catch (error) {
    if (!signal.aborted) fail(place, error, () => loadInto(place, load, signal));
  }
}

export class LatestRequest {
  #controller = new AbortController();
  #timer;

  /** `signal` ends the view, and the request with it. */
  constructor(signal) {
    signal.addEventListener("abort", () => this.abort());
  }

  /** Drop the request that is waiting or under way. */
  abort() {
    clearTimeout(this.#timer);
    this.#controller.abort();
  }

  /**
   * Send a request in place of the previous one.
   *
   * `ask` is given a signal, `show` the answer, `refuse` the error. With `waitMs`, it is sent only after so
   * long without another, as when the user pauses typing.
   */
  send(ask, { show, refuse, waitMs = 0 }) {
    this.abort();
    this.#controller = new AbortController();
    const { signal } = this.#controller;
    this.#timer = setTimeout(async () => {
      try {
        const answer = await ask(signal);
        if (!signal.aborted) show(answer);
      } catch (error) {
        if (!signal.aborted) refuse(error);
      }
    }, waitMs);
  }
}
