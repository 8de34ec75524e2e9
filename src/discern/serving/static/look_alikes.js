// A grid of pictures that look alike, to confirm with one key after others were taken out.

import { by, make } from "./text.js";
import { showThumbnail } from "./thumbnails.js";
import { say } from "./words.js";

const KEYS = "123456789abc";

let grid = null;
let taken = new Set();

export const isGridOpen = () => grid !== null;

export function openGrid(found) {
  grid = found;
  taken = new Set(found.keys);
  by("alike").hidden = false;
  by("shown").hidden = true;
  by("question").hidden = true;
  by("alike-pictures").replaceChildren(...found.keys.map(drawPicture));
  showGrid();
  by("alike-kind").focus();
}

export function closeGrid() {
  grid = null;
  by("alike").hidden = true;
  by("shown").hidden = false;
  by("question").hidden = false;
  by("alike-pictures").replaceChildren();
}

// Also when another language is chosen.
export function showGrid() {
  if (!grid) return;
  const { label, keys } = grid;
  by("alike-kind").textContent = say("alike_kind", { label });
  by("confirmed").textContent = say(`confirm_${["none", "one"][taken.size] ?? "many"}`, { count: taken.size, label });
  [...by("alike-pictures").querySelectorAll("button")].forEach((button, place) => {
    button.ariaPressed = String(taken.has(keys[place]));
    button.ariaLabel = say("picture_of", { number: place + 1 });
  });
}

export const findConfirmed = () => ({ keys: grid.keys.filter((key) => taken.has(key)), label: grid.label });

// Returns what a key does here.
export function findToggle(key) {
  const picture = grid.keys[KEYS.indexOf(key)];
  return key.length === 1 && picture ? () => toggle(picture) : undefined;
}

function drawPicture(key, place) {
  const button = make("button", { type: "button", className: "alike" }, showThumbnail(key), make("kbd", {}, KEYS[place].toUpperCase()));
  button.addEventListener("click", () => toggle(key));
  return make("li", {}, button);
}

function toggle(key) {
  if (!taken.delete(key)) taken.add(key);
  showGrid();
}
