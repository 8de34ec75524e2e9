// All words and numbers, in the language that is chosen.

import { make } from "./text.js";

const KEY = "discern-language";

const words = JSON.parse(document.getElementById("words").textContent);
const languages = Object.keys(words.name_of_language);
let chosen = [recall(), ...navigator.languages.map((name) => name.slice(0, 2))].find((name) => languages.includes(name)) ?? "en";

export const language = () => chosen;

export const hasWord = (word) => word in words;

export const write = (number, options) => number.toLocaleString(chosen, options);

export function say(word, values = {}) {
  const fill = (value) => (typeof value === "number" ? write(value) : value);
  return words[word][chosen].replace(/\{(\w+)\}/g, (_, name) => fill(values[name]));
}

export function sayCount(word, count, values = {}) {
  return say(`${word}_${count === 1 ? "one" : "many"}`, { ...values, count });
}

export const writeDigits = (number, digits) =>
  write(number, { minimumFractionDigits: digits, maximumFractionDigits: digits });

export function percent(share) {
  const value = 100 * share;
  if (value >= 99.95 && share < 1) return `>${writeDigits(99.9, 1)}\u202f%`;
  if (value < 0.1 && share > 0) return `<${writeDigits(0.1, 1)}\u202f%`;
  return `${writeDigits(value, (value > 99 && value < 100) || (value > 0 && value < 1) ? 1 : 0)}\u202f%`;
}

export function fillWords(element) {
  for (const one of element.querySelectorAll("[data-word]")) one.textContent = say(one.dataset.word);
  for (const one of element.querySelectorAll("[data-label]")) one.ariaLabel = say(one.dataset.label);
}

// Fills the page, and again whenever another language is chosen, here or in a page that frames this one or is framed.
export function listenToLanguage(changed) {
  const select = document.getElementById("language");
  select.replaceChildren(
    ...languages.map((name) =>
      make("option", { value: name, textContent: words.name_of_language[name], selected: name === chosen }),
    ),
  );
  const fill = () => {
    document.documentElement.lang = chosen;
    fillWords(document);
    changed();
  };
  const choose = (name) => {
    chosen = name;
    select.value = name;
    fill();
  };
  select.addEventListener("change", () => {
    choose(select.value);
    keep(chosen);
  });
  addEventListener("storage", ({ key, newValue }) => key === KEY && languages.includes(newValue) && choose(newValue));
  fill();
}

// Some browsers let a page keep nothing, and say so by an error.
function recall() {
  try {
    return sessionStorage.getItem(KEY);
  } catch {
    return null;
  }
}

function keep(name) {
  try {
    sessionStorage.setItem(KEY, name);
  } catch {
    // The choice holds until the page is closed.
  }
}
