/** Plotly, loaded with the first chart, and the common look of all charts. */

import { el, fail, fill, note } from "../common/dom.js";

const CONFIG = { responsive: true, displaylogo: false, displayModeBar: false, scrollZoom: false };

let loading = null;

/** Load plotly; a failed load is tried again by the next call. */
export function loadPlotly() {
  loading ??= new Promise((resolve, reject) => {
    const address = document.querySelector('meta[name="plotly"]').content;
    const script = el("script", { src: address });
    script.addEventListener("load", () => resolve(window.Plotly));
    script.addEventListener("error", () => {
      loading = null;
      script.remove();
      reject(new Error("The charts could not be loaded; the figures are in the tables."));
    });
    document.head.append(script);
  });
  return loading;
}

/** The colour of a token such as `--ink` in the current theme. */
export function readColor(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/** The same colour with transparency; `alpha` is 0–1. */
export function fade(color, alpha) {
  return color.replace(/^rgba?\((\d+, \d+, \d+).*\)$/, `rgba($1, ${alpha})`);
}

/** The common part of every chart's layout, in the current theme's colours. */
export function baseLayout() {
  const axis = {
    gridcolor: readColor("--line"),
    linecolor: readColor("--line"),
    zerolinecolor: readColor("--line"),
    automargin: true,
  };
  return {
    paper_bgcolor: "rgba(0, 0, 0, 0)",
    plot_bgcolor: "rgba(0, 0, 0, 0)",
    font: { family: getComputedStyle(document.body).fontFamily, size: 12, color: readColor("--ink") },
    margin: { t: 8, r: 8, b: 36, l: 48 },
    showlegend: false,
    hoverlabel: {
      bgcolor: readColor("--card"),
      bordercolor: readColor("--line"),
      font: { color: readColor("--ink") },
    },
    xaxis: { ...axis },
    yaxis: { ...axis },
  };
}

/** A chart described by `describe` as `{ traces, layout }`; redrawn when the theme changes. */
export class Chart {
  #describe = null;
  #canvas = el("div", { class: "canvas" });
  #state = el("div", {}, note("loading", "Drawing…"));
  #isDrawn = false;

  /** `label` is the accessible name. */
  constructor({ label, signal, className = "" }) {
    this.signal = signal;
    this.element = el("div", { class: `chart ${className}`, role: "img", "aria-label": label });
    this.element.append(this.#state, this.#canvas);
    window.addEventListener("theme-changed", () => this.#describe && this.draw(this.#describe), { signal });
    signal.addEventListener("abort", () => this.#isDrawn && window.Plotly.purge(this.#canvas));
  }

  async draw(describe) {
    this.#describe = describe;
    try {
      const plotly = await loadPlotly();
      // A newer call may have come in the meantime.
      if (this.signal.aborted || describe !== this.#describe) return;
      const { traces, layout } = describe();
      fill(this.#state);
      await plotly.react(this.#canvas, traces, layout, CONFIG);
      this.#isDrawn = true;
      if (this.signal.aborted) plotly.purge(this.#canvas);
    } catch (error) {
      if (!this.signal.aborted) fail(this.#state, error, () => this.draw(describe));
    }
  }
}
