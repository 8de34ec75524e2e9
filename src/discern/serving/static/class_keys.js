// A button and a key for each class: 1 to 9, then the letters that no command has.

import { by, make } from "./text.js";

const KEYS = [..."123456789abdehijklmopqrtvwxy"];

let names = [];

// Buttons stay what they are while the classes do, so that the one in use keeps the focus.
export function showClasses(found, answer) {
  by("names").replaceChildren(...found.map((value) => make("option", { value })));
  if (found.length === names.length && found.every((name, place) => name === names[place])) return;
  names = found;
  by("classes").replaceChildren(...names.slice(0, KEYS.length).map((name, place) => drawClass(name, KEYS[place], answer)));
}

export const findClass = (key) => names[KEYS.indexOf(key)];

function drawClass(name, key, answer) {
  const button = make("button", { type: "button" }, make("kbd", {}, key.toUpperCase()), ` ${name}`);
  button.addEventListener("click", () => answer(name));
  return button;
}
