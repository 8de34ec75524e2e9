// Drawings.

import { make, percent } from "./text.js";

const SVG = "http://www.w3.org/2000/svg";

export function draw(tag, attributes, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  element.append(...children);
  return element;
}

// A class with its confidence, for a list of class `bars`.
export function drawBar({ label, confidence }, language = "en") {
  const track = draw(
    "svg",
    { class: "track", viewBox: "0 0 100 4", preserveAspectRatio: "none", "aria-hidden": true },
    draw("rect", { class: "ground", width: 100, height: 4 }),
    draw("rect", { class: "part", width: 100 * confidence, height: 4 }),
  );
  return make("li", {}, make("span", {}, label), make("span", { className: "of" }, percent(confidence, language)), track);
}
