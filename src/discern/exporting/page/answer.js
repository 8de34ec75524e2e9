// From probabilities to an answer, and what is shown of it.

import { drawBar } from "./svg.js";
import { percent, say } from "./words.js";

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
  const values = { label, confidence: percent(confidence) };
  return isUnknown ? say("unknown_because", values) : say("answer", values);
}

export function showAnswer(element, answer) {
  const { label, isUnknown, top } = answer;
  element.classList.toggle("unknown", isUnknown);
  replaceText(element.querySelector(".label"), isUnknown ? say("unknown") : label);
  element.querySelector(".why").textContent = isUnknown ? describe(answer) : "";
  element.querySelector(".bars").replaceChildren(...top.map(drawConfidence));
}

// A screen reader reads again what is set again.
function replaceText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

const drawConfidence = ({ label, confidence }) => drawBar(label, percent(confidence), confidence);
