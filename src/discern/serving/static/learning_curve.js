// The share of right answers on the pictures kept apart, with its interval, by the labels that were learned from.

import { drawLevels } from "./levels.js";
import { draw } from "./svg.js";
import { percent, say, write } from "./words.js";

const WIDTH = 420;
const HEIGHT = 220;
const LEFT = 46;
const RIGHT = 12;
const TOP = 10;
const BOTTOM = 40;
const STEPS = [1, 2, 5];
const TICKS = 5;

export function drawCurve(points) {
  const last = points.at(-1);
  const step = chooseStep(last.labels);
  const most = step * Math.ceil(last.labels / step);
  const lowest = Math.min(...points.map(({ accuracy }) => accuracy.low));
  const gap = lowest < 0.5 ? 0.2 : 0.1;
  const floor = 1 - gap * Math.ceil((1 - lowest) / gap);
  const x = (labels) => LEFT + ((WIDTH - LEFT - RIGHT) * labels) / most;
  const y = (share) => TOP + ((HEIGHT - TOP - BOTTOM) * (1 - share)) / (1 - floor);
  const path = points.map(({ labels, accuracy }) => `${x(labels)},${y(accuracy.value)}`).join(" ");
  return draw(
    "svg",
    { class: "curve", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": `${say("curve_title")}: ${describe(last)}` },
    ...drawShares(gap, floor, y),
    ...drawLabels(step, most, x),
    draw("polyline", { class: "line", points: path }),
    ...points.map((point) => drawPoint(point, x(point.labels), y)),
  );
}

function drawShares(gap, floor, y) {
  const shares = Array.from({ length: Math.round((1 - floor) / gap) + 1 }, (_, place) => 1 - place * gap);
  const write = (share) => percent(Math.max(0, share));
  return drawLevels(shares, { left: LEFT, right: WIDTH - RIGHT, y, write });
}

function drawLabels(step, most, x) {
  const ticks = Array.from({ length: most / step + 1 }, (_, place) => place * step);
  const base = HEIGHT - BOTTOM;
  return [
    draw("line", { class: "axis", x1: LEFT, x2: WIDTH - RIGHT, y1: base, y2: base }),
    ...ticks.map((tick) => draw("text", { x: x(tick), y: base + 16, "text-anchor": "middle" }, write(tick))),
    draw("text", { x: (LEFT + WIDTH - RIGHT) / 2, y: HEIGHT - 6, "text-anchor": "middle" }, say("curve_labels")),
  ];
}

function drawPoint(point, x, y) {
  const { value, low, high } = point.accuracy;
  return draw(
    "g",
    {},
    draw("title", {}, describe(point)),
    draw("line", { class: "interval", x1: x, x2: x, y1: y(low), y2: y(high) }),
    draw("circle", { class: "point", cx: x, cy: y(value), r: 3.5 }),
  );
}

function describe({ labels, accuracy: { value, low, high } }) {
  const [accuracy, from, to] = [value, low, high].map(percent);
  return say("curve_point", { accuracy, low: from, high: to, labels });
}

// The smallest of 1, 2, 5, 10, 20, ... that takes no more than so many ticks.
function chooseStep(most) {
  const power = 10 ** Math.max(0, Math.floor(Math.log10(most / TICKS)));
  return power * ([...STEPS, 10].find((step) => step * power * TICKS >= most) ?? 10);
}
