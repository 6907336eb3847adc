/** Plotly, loaded with the first chart, and the look that all charts share. */

import { el, failure, fill, note } from "../common/dom.js";

const CONFIG = { responsive: true, displaylogo: false, displayModeBar: false, scrollZoom: false };

let loading = null;

/** Plotly's own object; a failed load is tried again by the next call. */
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

/** The colour that a token such as `--ink` has in the theme at hand. */
export function readColor(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/** The same colour, let through: `alpha` is 0–1. */
export function fade(color, alpha) {
  return color.replace(/^rgba?\((\d+, \d+, \d+).*\)$/, `rgba($1, ${alpha})`);
}

/** What every chart's layout begins with, in the colours of the theme at hand. */
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

/** A chart that `describe` gives as `{ traces, layout }`; drawn again for another theme by itself. */
export class Chart {
  #describe = null;
  #canvas = el("div", { class: "canvas" });
  #state = el("div", {}, note("loading", "Drawing…"));
  #isDrawn = false;

  /** `label` is what it shows, for those who cannot see it. */
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
      // Another call may have come in the meantime, with something newer to show.
      if (this.signal.aborted || describe !== this.#describe) return;
      const { traces, layout } = describe();
      fill(this.#state);
      await plotly.react(this.#canvas, traces, layout, CONFIG);
      this.#isDrawn = true;
      if (this.signal.aborted) plotly.purge(this.#canvas);
    } catch (error) {
      if (this.signal.aborted) return;
      fill(
        this.#state,
        failure(error, () => this.draw(describe)),
      );
    }
  }
}
