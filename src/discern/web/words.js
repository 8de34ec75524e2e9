// All words, in the language that is chosen.

import { make } from "./text.js";

const words = JSON.parse(document.getElementById("words").textContent);
const languages = Object.keys(words.name_of_language);
let chosen = navigator.languages.map((name) => name.slice(0, 2)).find((name) => languages.includes(name)) ?? "en";

export const language = () => chosen;

export function say(word, values = {}) {
  return words[word][chosen].replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

export function sayCount(word, count, values = {}) {
  return say(`${word}_${count === 1 ? "one" : "many"}`, { ...values, count: count.toLocaleString(chosen) });
}

// Fills the page, and again whenever another language is chosen.
export function listenToLanguage(changed) {
  const select = document.getElementById("language");
  select.replaceChildren(
    ...languages.map((name) =>
      make("option", { value: name, textContent: words.name_of_language[name], selected: name === chosen }),
    ),
  );
  const fill = () => {
    document.documentElement.lang = chosen;
    for (const element of document.querySelectorAll("[data-word]")) element.textContent = say(element.dataset.word);
    changed();
  };
  select.addEventListener("change", () => {
    chosen = select.value;
    fill();
  });
  fill();
}
