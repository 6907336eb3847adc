/** Server-sent events, read with fetch: an EventSource could not carry the API token. */

import { openStream } from "../common/api.js";
import { reportSilence } from "../common/connection.js";

const RECONNECT_MS = 1_000;
/** The service sends something at least every 15 seconds. */
const SILENCE_MS = 40_000;
/** A hidden tab keeps its connection this long: a browser has only six for all its tabs. */
const HIDDEN_MS = 10_000;

/**
 * Pass all events at `path` to `onEvents`, in the groups in which they arrive, until one is named in `last`.
 *
 * A lost connection is reopened after the last event received. Nothing is requested while the page is hidden.
 * `onTrouble` receives the service's own errors, and null once they are resolved. Throws when the API
 * refuses.
 */
export async function followEvents(path, { last, signal, onEvents, onTrouble }) {
  let lastEventId = null;
  while (!signal.aborted) {
    await untilShown(signal);
    const patience = new Patience(signal);
    try {
      const headers = lastEventId === null ? {} : { "Last-Event-ID": lastEventId };
      const response = await openStream(path, { headers, signal: patience.signal });
      onTrouble(null);
      for await (const events of readEvents(response.body)) {
        patience.renew();
        lastEventId = events.findLast(({ id }) => id !== undefined)?.id ?? lastEventId;
        if (events.length > 0) onEvents(events);
        if (events.some(({ name }) => last.includes(name))) return;
      }
    } catch (error) {
      if (signal.aborted) return;
      if (error.status >= 400 && error.status < 500) throw error;
      if (error.status >= 500) onTrouble(error);
      else if (!patience.signal.aborted) reportSilence();
    } finally {
      patience.end();
    }
    await pause(RECONNECT_MS, signal);
  }
}

/** The events of a stream, grouped by chunk; a chunk that completes none gives an empty list. */
async function* readEvents(body) {
  let text = "";
  for await (const piece of readText(body)) {
    text += piece;
    const blocks = text.split(/\r?\n\r?\n/);
    text = blocks.pop();
    yield blocks.map(parseEvent).filter(({ data }) => data !== undefined);
  }
}

/** Not every browser can iterate over a stream. */
async function* readText(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  try {
    for (let piece = await reader.read(); !piece.done; piece = await reader.read()) yield piece.value;
  } finally {
    reader.cancel().catch(() => {});
  }
}

function parseEvent(block) {
  const fields = {};
  for (const line of block.split(/\r?\n/)) {
    const [, name, value] = line.match(/^([^:]*):? ?(.*)$/);
    if (name !== "") fields[name] = name === "data" && name in fields ? `${fields.data}\n${value}` : value;
  }
  const data = fields.data === undefined ? undefined : JSON.parse(fields.data);
  return { name: fields.event ?? "message", data, id: fields.id };
}

/** Close a connection that has been silent, or hidden, for too long. */
class Patience {
  #giveUp = new AbortController();
  #silence;
  #hidden;
  #onVisibility = () => {
    clearTimeout(this.#hidden);
    if (document.hidden) this.#hidden = setTimeout(() => this.#giveUp.abort(), HIDDEN_MS);
  };

  constructor(signal) {
    this.signal = AbortSignal.any([signal, this.#giveUp.signal]);
    document.addEventListener("visibilitychange", this.#onVisibility);
    this.renew();
  }

  renew() {
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => this.#giveUp.abort(), SILENCE_MS);
  }

  end() {
    clearTimeout(this.#silence);
    clearTimeout(this.#hidden);
    document.removeEventListener("visibilitychange", this.#onVisibility);
    this.#giveUp.abort();
  }
}

function untilShown(signal) {
  return new Promise((resolve) => {
    if (!document.hidden || signal.aborted) resolve();
    document.addEventListener("visibilitychange", () => !document.hidden && resolve(), { signal });
    signal.addEventListener("abort", () => resolve());
  });
}

/** Wait, but no longer than until the service answers again. */
function pause(milliseconds, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    const go = () => {
      clearTimeout(timer);
      resolve();
    };
    window.addEventListener("connection-healed", go, { signal, once: true });
    signal.addEventListener("abort", go, { once: true });
  });
}
