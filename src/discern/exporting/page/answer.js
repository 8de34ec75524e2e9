// From probabilities to an answer, and what is shown of it.

import { make, percent } from "./text.js";
import { language, say } from "./words.js";

const SVG = "http://www.w3.org/2000/svg";
const TOP = 5;

// An answer takes a confidence of `threshold`; below, it is unknown, and the most probable class is a guess.
export function decide(probabilities, classNames, threshold) {
  const top = probabilities
    .map((confidence, place) => ({ label: classNames[place], confidence }))
    .sort((one, other) => other.confidence - one.confidence)
    .slice(0, TOP);
  return { ...top[0], top, isUnknown: top[0].confidence < threshold };
}

export function describe({ label, confidence, isUnknown }) {
  const values = { label, confidence: percent(confidence, language()) };
  return isUnknown ? say("unknown_because", values) : say("answer", values);
}

export function showAnswer(element, answer) {
  const { label, isUnknown, top } = answer;
  element.classList.toggle("unknown", isUnknown);
  replaceText(element.querySelector(".label"), isUnknown ? say("unknown") : label);
  element.querySelector(".why").textContent = isUnknown ? describe(answer) : "";
  element.querySelector(".bars").replaceChildren(...top.map(drawBar));
}

// A screen reader reads again what is set again.
function replaceText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function drawBar({ label, confidence }) {
  const track = document.createElementNS(SVG, "svg");
  track.setAttribute("class", "track");
  track.setAttribute("viewBox", "0 0 100 4");
  track.setAttribute("preserveAspectRatio", "none");
  track.setAttribute("aria-hidden", "true");
  track.append(drawRectangle("ground", 100), drawRectangle("part", 100 * confidence));
  return make("li", {}, make("span", {}, label), make("span", { className: "of" }, percent(confidence, language())), track);
}

function drawRectangle(name, width) {
  const rectangle = document.createElementNS(SVG, "rect");
  rectangle.setAttribute("class", name);
  rectangle.setAttribute("width", String(width));
  rectangle.setAttribute("height", "4");
  return rectangle;
}
