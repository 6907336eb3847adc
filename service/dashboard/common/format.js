/** Formats of numbers and times. */

const AGES = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
const UNITS = [
  ["year", 31_536_000],
  ["month", 2_592_000],
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
];
const NONE = "–";

/** 0.9915 → 99.15%. */
export function percent(fraction, digits = 2) {
  return fraction === null || fraction === undefined ? NONE : `${(fraction * 100).toFixed(digits)}%`;
}

/** Share of work done, rounded down, so that 100% means done. */
export function share(fraction) {
  return `${Math.floor(fraction * 100 + 1e-9)}%`;
}

export function decimal(value, digits = 4) {
  return value === null || value === undefined ? NONE : value.toFixed(digits);
}

/** A difference of two fractions in percentage points: -0.0391 → −3.91. */
export function points(difference) {
  return decimal(difference && difference * 100, 2).replace("-", "−");
}

/** The same with its sign: 0.0391 → +3.91. */
export function signedPoints(difference) {
  return `${difference > 0 ? "+" : ""}${points(difference)}`;
}

/** Half the width of an interval of fractions, in percentage points: " ± 0.31", or nothing without one. */
export function margin({ ci_low: low, ci_high: high }) {
  return low === null ? "" : ` ± ${points((high - low) / 2)}`;
}

export function whole(value) {
  return value === null || value === undefined ? NONE : value.toLocaleString("en");
}

/** Capitalize the first letter. */
export function capitalize(text) {
  return text[0].toUpperCase() + text.slice(1);
}

/** 1 run, 4 runs. */
export function count(number, noun) {
  return `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;
}

/** 74 → 1:14; 3,700 → 1:01:40. */
export function duration(seconds) {
  const total = Math.round(seconds);
  const parts = [Math.floor(total / 3600), Math.floor(total / 60) % 60, total % 60];
  const shown = parts[0] > 0 ? parts : parts.slice(1);
  return shown.map((part, index) => (index === 0 ? String(part) : String(part).padStart(2, "0"))).join(":");
}

/** An approximate duration in words: 74 → 74 seconds; 3,700 → 1 h 2 min. */
export function about(seconds) {
  if (seconds < 90) return count(Math.max(1, Math.round(seconds)), "second");
  const minutes = Math.round(seconds / 60);
  if (minutes < 90) return count(minutes, "minute");
  return `${Math.floor(minutes / 60).toLocaleString("en")} h ${minutes % 60} min`;
}

/** The age of an ISO time. */
export function age(iso) {
  const seconds = (Date.now() - new Date(iso).getTime()) / 1000;
  for (const [unit, size] of UNITS) {
    if (seconds >= size) return AGES.format(-Math.floor(seconds / size), unit);
  }
  return "just now";
}

/** An ISO time in the reader's time zone. */
export function moment(iso) {
  return new Date(iso).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" });
}
