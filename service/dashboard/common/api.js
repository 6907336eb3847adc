/** Client of the service's API: answers are JSON or files, failures an ApiError with a sentence. */

import { reportAnswer, reportSilence } from "./connection.js";

const PATIENCE_MS = 60_000;
const TOKEN_KEY = "lab-api-token";

/** The API's error sentence, or ours if it gave none; `status` is 0 if nothing answered. */
export class ApiError extends Error {
  constructor(status, code, detail) {
    super(detail);
    this.name = "ApiError";
    this.status = status;
    this.code = code;
  }
}

/** Whether there is a token to send. */
export function hasToken() {
  return sessionStorage.getItem(TOKEN_KEY) !== null;
}

/** Send `token` until the tab is closed. */
export function keepToken(token) {
  sessionStorage.setItem(TOKEN_KEY, token);
}

export async function getJson(path, signal) {
  return (await send(path, { signal })).json();
}

export async function getFile(path, signal) {
  return (await send(path, { signal })).blob();
}

/** Open a stream of events for as long as `signal` lasts. */
export async function openStream(path, { headers, signal }) {
  return send(path, { headers: { Accept: "text/event-stream", ...headers }, signal, isEndless: true });
}

export async function removeAt(path, signal) {
  await send(path, { method: "DELETE", signal });
}

/** Post `body` as JSON, or nothing; sent again with the same `key`, it takes effect once. */
export async function postJson(path, body, signal, key) {
  const headers = { "Content-Type": "application/json", ...(key && { "Idempotency-Key": key }) };
  return (await send(path, { method: "POST", headers, body: JSON.stringify(body), signal })).json();
}

export async function postForm(path, form, signal) {
  return (await send(path, { method: "POST", body: form, signal })).json();
}

/** The curl command that posts `body` (nothing for the study) to /experiments. */
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
