// The curves of a run: accuracy and loss by epoch, on training and validation pictures.

import { drawLevels } from "./levels.js";
import { draw } from "./svg.js";
import { make } from "./text.js";
import { percent, say, write } from "./words.js";

const WIDTH = 440;
const HEIGHT = 230;
const LEFT = 44;
const RIGHT = 12;
const TOP = 12;
const BOTTOM = 26;
const NUM_TICKS = 4;

export function drawCurves(history) {
  const loss = Math.max(...history.flatMap((row) => [row.train_loss, row.validation_loss]).filter(isNumber), 1e-6);
  return make(
    "div",
    { className: "curves" },
    drawChart(history, "accuracy", 1, (value) => percent(value)),
    drawChart(history, "loss", roundUp(loss), (value) => write(value, { maximumSignificantDigits: 3 })),
  );
}

const isNumber = (value) => typeof value === "number";

// The next of 1, 2, 2.5, 5 and 10 times a power of ten.
function roundUp(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return power * [1, 2, 2.5, 5, 10].find((step) => step * power >= value * 0.999);
}

function drawChart(history, name, top, write) {
  const last = Math.max(...history.map(({ epoch }) => epoch));
  const first = Math.min(1, ...history.map(({ epoch }) => epoch));
  const across = (epoch) => LEFT + ((WIDTH - LEFT - RIGHT) * (last === first ? 1 : epoch - first)) / (last - first || 2);
  const up = (value) => HEIGHT - BOTTOM - ((HEIGHT - TOP - BOTTOM) * Math.min(value, top)) / top;
  const chart = draw("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img" });
  chart.append(...drawAxes(top, up, write), ...drawEpochs(history, first, last, across), ...drawPhases(history, across));
  for (const part of ["train", "validation"]) {
    const points = history.filter((row) => isNumber(row[`${part}_${name}`]));
    chart.append(...drawLine(points.map((row) => [across(row.epoch), up(row[`${part}_${name}`])]), part));
  }
  const shown = (part) => (isNumber(history.at(-1)[`${part}_${name}`]) ? write(history.at(-1)[`${part}_${name}`]) : "–");
  const says = { name: say(name), train: shown("train"), validation: shown("validation") };
  chart.setAttribute("aria-label", say("curve_says", says));
  const keys = ["validation", "train"].map((part) => make("span", { className: `key ${part}`, textContent: say(`curve_${part}`) }));
  return make("figure", {}, make("figcaption", {}, make("strong", { textContent: say(name) }), ...keys), chart);
}

function drawAxes(top, up, write) {
  const ticks = Array.from({ length: NUM_TICKS + 1 }, (_, place) => (top * place) / NUM_TICKS);
  return drawLevels(ticks, { left: LEFT, right: WIDTH - RIGHT, y: up, write });
}

function drawEpochs(history, first, last, across) {
  const step = Math.ceil((last - first + 1) / 8);
  const marked = history.map(({ epoch }) => epoch).filter((epoch) => epoch === last || (epoch - first) % step === 0);
  const roomy = marked.filter((epoch) => epoch === last || last - epoch >= step);
  return roomy.map((epoch) => draw("text", { x: across(epoch), y: HEIGHT - 8, "text-anchor": "middle" }, String(epoch)));
}

// A line where a phase begins after another.
function drawPhases(history, across) {
  return history
    .filter((row, place) => place > 0 && row.phase !== history[place - 1].phase)
    .map((row, _, all) => across(row.epoch - 0.5))
    .map((x) => draw("line", { class: "phase", x1: x, x2: x, y1: TOP, y2: HEIGHT - BOTTOM }));
}

function drawLine(points, part) {
  const dots = points.length > 30 ? points.slice(-1) : points;
  return [
    draw("polyline", { class: `line ${part}`, points: points.map((point) => point.join(",")).join(" ") }),
    ...dots.map(([cx, cy]) => draw("circle", { class: part, cx, cy, r: 2.6 })),
  ];
}
