// The horizontal lines of a chart, with what they stand for at their left ends.

import { draw } from "./svg.js";

// `y` gives the height of a value in the drawing, `write` its text.
export function drawLevels(values, { left, right, y, write }) {
  return values.flatMap((value) => [
    draw("line", { class: "grid", x1: left, x2: right, y1: y(value), y2: y(value) }),
    draw("text", { x: left - 6, y: y(value) + 4, "text-anchor": "end" }, write(value)),
  ]);
}
