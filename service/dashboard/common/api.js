/** The service's API: every answer is JSON or a file, every failure an ApiError that carries a sentence. */

import { reportAnswer, reportSilence } from "./connection.js";

const PATIENCE_MS = 60_000;
const TOKEN_KEY = "lab-api-token";

/** The API's own words, or ours when it gave none; `status` is 0 when nothing answered. */
export class ApiError extends Error {
  constructor(status, code, detail) {
    super(detail);
    this.name = "ApiError";
    this.status = status;
    this.code = code;
  }
}

/** Whether the API was given a token to ask with. */
export function hasToken() {
  return sessionStorage.getItem(TOKEN_KEY) !== null;
}

/** Ask with `token` until the tab is closed. */
export function keepToken(token) {
  sessionStorage.setItem(TOKEN_KEY, token);
}

export async function getJson(path, signal) {
  return (await send(path, { signal })).json();
}

export async function getFile(path, signal) {
  return (await send(path, { signal })).blob();
}

/** A stream of events; it lasts for as long as `signal` does. */
export async function openStream(path, { headers, signal }) {
  return send(path, { headers: { Accept: "text/event-stream", ...headers }, signal, isEndless: true });
}

export async function removeAt(path, signal) {
  await send(path, { method: "DELETE", signal });
}

/** Post `body` as JSON, or nothing; sent again with the same `key`, it does what it does only once. */
export async function postJson(path, body, signal, key) {
  const headers = { "Content-Type": "application/json", ...(key && { "Idempotency-Key": key }) };
  return (await send(path, { method: "POST", headers, body: JSON.stringify(body), signal })).json();
}

export async function postForm(path, form, signal) {
  return (await send(path, { method: "POST", body: form, signal })).json();
}

/** The curl line that sends `body` (nothing for the study) to POST /experiments. */
export function writeCurl(body) {
  const data = body ? `-d '${JSON.stringify(body).replaceAll("'", "'\\''")}'` : "-X POST";
  const token = hasToken() ? '-H "Authorization: Bearer $LAB_API_TOKEN" ' : "";
  return `curl ${token}${data} ${location.origin}/experiments`;
}

async function send(path, options) {
  const response = await fetchPatiently(path, options);
  if (response.ok) return response;
  const body = await response.json().catch(() => ({}));
  const detail = body.detail ?? `The service answered ${response.status} to ${path}.`;
  if (response.status === 401) window.dispatchEvent(new CustomEvent("token-needed"));
  throw new ApiError(response.status, body.error ?? "no_json", detail);
}

async function fetchPatiently(path, { signal, headers = {}, isEndless = false, ...options }) {
  const signals = [...(isEndless ? [] : [AbortSignal.timeout(PATIENCE_MS)]), ...(signal ? [signal] : [])];
  const token = sessionStorage.getItem(TOKEN_KEY);
  const authorization = token === null ? {} : { Authorization: `Bearer ${token}` };
  try {
    const response = await fetch(path, {
      ...options,
      headers: { Accept: "*/*", ...headers, ...authorization },
      signal: AbortSignal.any(signals),
    });
    reportAnswer();
    return response;
  } catch (error) {
    if (signal?.aborted) throw error;
    reportSilence();
    throw new ApiError(0, "no_answer", "The service does not answer.");
  }
}
