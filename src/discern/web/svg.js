// Drawings.

import { make } from "./text.js";

const SVG = "http://www.w3.org/2000/svg";

export function draw(tag, attributes, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  element.append(...children);
  return element;
}

// A name with a share (0 to 1) as text and as a bar, for a list of class `bars`.
export function drawBar(name, text, share) {
  const track = draw(
    "svg",
    { class: "track", viewBox: "0 0 100 4", preserveAspectRatio: "none", "aria-hidden": true },
    draw("rect", { class: "ground", width: 100, height: 4 }),
    draw("rect", { class: "part", width: 100 * share, height: 4 }),
  );
  return make("li", {}, make("span", {}, name), make("span", { className: "of" }, text), track);
}
