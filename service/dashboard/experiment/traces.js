/** Plotly traces from the runs' metrics: a line per run, or the mean of the seeds with its 95% band. */

import { baseLayout, fade } from "./charts.js";
import { styleLine } from "./line_styles.js";

/** Student's t, 0.975 quantile, by degrees of freedom from 1; beyond the table, the nearest larger value. */
const T_975 = [
  12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.16, 2.145, 2.131,
  2.12, 2.11, 2.101, 2.093, 2.086, 2.08, 2.074, 2.069, 2.064, 2.06, 2.056, 2.052, 2.048, 2.045, 2.042,
];
const MANY_LINES = 8;
const FEW_EPOCHS = 15;
const FEW_BANDS = 4;

/** Each metric's title, unit, number format, transformation and upper limit. */
export function describeMetric(metric, { isLog }) {
  const [subset, quantity] = metric.split("_");
  const isAccuracy = quantity === "accuracy";
  // Accuracies near 100% overlap; their errors on a log scale do not.
  if (isAccuracy && isLog) {
    const read = (value) => (1 - value) * 100;
    return { title: `${subset} error`, unit: "%", read, format: ".2f", most: 100 };
  }
  if (isAccuracy) {
    return { title: `${subset} accuracy`, unit: "%", read: (value) => value * 100, format: ".2f", most: 100 };
  }
  return { title: `${subset} loss`, unit: "", read: (value) => value, format: ".4f", most: Infinity };
}

/** Mean and half width of the 95% interval of a list; no width for fewer than two. */
export function summarize(values) {
  const n = values.length;
  const mean = values.reduce((sum, value) => sum + value, 0) / n;
  if (n < 2) return { n, mean, margin: null };
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (n - 1);
  return { n, mean, margin: T_975[Math.min(n - 1, T_975.length) - 1] * Math.sqrt(variance / n) };
}

/**
 * One panel: `configurations` are those shown, `curves` the metrics by run id.
 *
 * `isMean` shows means with bands of the runs in `completed`, and single lines for the others: a mean over
 * fewer and fewer seeds would jump where one ends. Runs of `hiddenSeeds` are left out. `emphasized`
 * is the label whose lines stand out.
 */
export function drawPanel(options) {
  const { metric, configurations, curves, completed, isMean, hiddenSeeds, isLog, emphasized } = options;
  const { unit, read, format, most } = describeMetric(metric, { isLog });
  const isCrowded = configurations.length > MANY_LINES || (!isMean && curves.size > MANY_LINES);
  const bandAlpha = configurations.length > FEW_BANDS && emphasized === null ? 0.08 : 0.16;
  const traces = configurations.flatMap((configuration) => {
    const isFaint = emphasized !== null && configuration.label !== emphasized;
    const look = { ...styleLine(configuration), isFaint, bandAlpha, label: configuration.label };
    const runs = configuration.runIds
      .map((id) => curves.get(id))
      .filter((run) => run?.epochs.length > 0 && !hiddenSeeds.has(run.seed));
    const lines = runs.map((run) => ({
      id: run.run_id,
      seed: run.seed,
      x: run.epochs,
      y: run[metric].map(read),
    }));
    const isSingle = configuration.runIds.length === 1;
    const averaged = isMean && !isSingle ? lines.filter(({ id }) => completed.has(id)) : [];
    const others = lines.filter((line) => !averaged.includes(line));
    return [
      ...(averaged.length > 0 ? drawMean(averaged, look, { unit, format, isLog }) : []),
      ...others.map((line) => drawRun(line, look, { unit, format, isSingle, isLog })),
    ];
  });
  // Bands lie behind all lines.
  traces.sort((a, b) => Number(Boolean(b.fill)) - Number(Boolean(a.fill)));
  const layout = baseLayout();
  layout.hovermode = isCrowded ? "closest" : "x unified";
  layout.xaxis = {
    ...layout.xaxis,
    title: { text: "epoch", standoff: 6 },
    unifiedhovertitle: { text: "<b>epoch %{x}</b>" },
    rangemode: "tozero",
    nticks: 8,
  };
  layout.yaxis = { ...layout.yaxis, type: isLog ? "log" : "linear", ticksuffix: unit, nticks: 6 };
  const range = isLog ? null : findRange(traces, most);
  if (range) layout.yaxis.range = range;
  // The zoom is kept when new epochs arrive; another scale resets it.
  layout.uirevision = isLog ? "log" : "linear";
  return { traces, layout };
}

/**
 * The range to show: all lines, and the parts of bands that are near them and possible.
 *
 * Intervals of two or three seeds can be wider than everything else.
 */
function findRange(traces, most) {
  const heights = (wanted) => traces.filter(({ fill }) => Boolean(fill) === wanted).flatMap(({ y }) => y);
  const lines = heights(false).filter(Number.isFinite);
  if (lines.length === 0) return null;
  const [low, high] = findEnds(lines);
  const room = Math.max((high - low) * 0.25, high * 0.002);
  const [lowest, highest] = findEnds([low, high, ...heights(true)]);
  const margin = (high - low) * 0.05 + high * 0.001;
  return [
    Math.max(-margin, low - margin - Math.min(room, low - lowest)),
    Math.min(most + margin, high + margin + Math.min(room, highest - high)),
  ];
}

/** Minimum and maximum, even of more numbers than one call can take. */
function findEnds(values) {
  return values.reduce(([low, high], value) => [Math.min(low, value), Math.max(high, value)], [
    Infinity,
    -Infinity,
  ]);
}

function drawRun({ seed, x, y }, look, { unit, format, isSingle, isLog }) {
  const name = isSingle ? look.label : `${look.label}, seed ${seed}`;
  return makeLine(look, {
    name,
    x,
    y: isLog ? y.map((value) => (value > 0 ? value : null)) : y,
    width: isSingle ? 2 : 1.4,
    opacity: isSingle ? 1 : 0.75,
    hovertemplate: `%{y:${format}}${unit}<extra>${escape(name)}</extra>`,
  });
}

function drawMean(runs, look, { unit, format, isLog }) {
  const epochs = [...new Set(runs.flatMap(({ x }) => x))].sort((a, b) => a - b);
  const at = epochs.map((epoch) => {
    const values = runs.map(({ x, y }) => y[x.indexOf(epoch)]).filter((value) => value !== undefined);
    return summarize(values);
  });
  const floor = (value) => (isLog && value <= 0 ? null : value);
  const mean = makeLine(look, {
    name: look.label,
    x: epochs,
    y: at.map((point) => floor(point.mean)),
    width: 2.2,
    opacity: 1,
    customdata: at.map(({ n, margin }) => [
      margin === null ? "" : ` ± ${margin.toFixed(Number(format[1]))}`,
      n === 1 ? "1 seed" : `${n} seeds`,
    ]),
    hovertemplate:
      `%{y:${format}}${unit}%{customdata[0]} (%{customdata[1]})` + `<extra>${escape(look.label)}</extra>`,
  });
  const isBanded = at.some(({ margin }) => margin !== null) && !look.isFaint;
  return isBanded ? [drawBand(epochs, at, look, isLog), mean] : [mean];
}

function drawBand(epochs, at, look, isLog) {
  const known = at
    .map((point, index) => ({ ...point, epoch: epochs[index] }))
    .filter(({ margin }) => margin !== null);
  const least = Math.min(...known.map(({ mean }) => mean).filter((mean) => mean > 0));
  // A log scale cannot show an interval's end below 0.
  const low = known.map(({ mean, margin }) => (isLog ? Math.max(mean - margin, least / 10) : mean - margin));
  const high = known.map(({ mean, margin }) => mean + margin);
  const there = known.map(({ epoch }) => epoch);
  return {
    x: [...there, ...there.toReversed()],
    y: [...high, ...low.toReversed()],
    mode: "lines",
    line: { width: 0 },
    fill: "toself",
    fillcolor: fade(look.color, look.bandAlpha),
    hoverinfo: "skip",
    name: `${look.label}, 95% interval`,
  };
}

function makeLine(look, { width, opacity, ...trace }) {
  return {
    ...trace,
    mode: trace.x.length <= FEW_EPOCHS ? "lines+markers" : "lines",
    line: { color: look.color, dash: look.dash, width: look.isFaint ? 1 : width },
    marker: { symbol: look.marker, size: 5, color: look.color },
    opacity: look.isFaint ? 0.15 : opacity,
  };
}

/** Escape tags in a name, which plotly would interpret. */
function escape(text) {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll("%{", "% {");
}
