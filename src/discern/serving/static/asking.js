// What the pages share that ask about one picture after the other.

import { getJson, getPicture } from "./api.js";
import { by } from "./text.js";

let isBusy = false;
let isOver = false;
let wanted = null;

// Returns what the page starts with, or shows why there is none.
export async function load(path, command) {
  try {
    return await getJson(path);
  } catch (error) {
    const isLocked = error.status === 401;
    showProblem(isLocked ? `Open the whole link that ${command} printed: its token is missing here.` : error.message);
    return null;
  }
}

// Does one thing at a time, since a key that is pressed meanwhile was meant for the picture before.
export async function once(work) {
  if (isBusy || isOver) return;
  isBusy = true;
  try {
    await work();
    by("problem").hidden = true;
  } catch (error) {
    showProblem(error.message);
  } finally {
    isBusy = false;
  }
}

export function end(text) {
  isOver = true;
  by("main").hidden = true;
  showProblem(text);
}

export function announce(text) {
  by("live").textContent = text;
}

export function showProblem(text) {
  by("problem").textContent = text;
  by("problem").hidden = false;
}

export function showPicture(path, alt) {
  wanted = path;
  by("picture").hidden = true;
  by("lost").hidden = true;
  getPicture(path).then(
    (source) => {
      URL.revokeObjectURL(path === wanted ? by("picture").src : source);
      if (path !== wanted) return;
      by("picture").src = source;
      by("picture").alt = alt;
      by("picture").hidden = false;
    },
    (error) => {
      if (path !== wanted) return;
      by("lost").textContent = error.message;
      by("lost").hidden = false;
    },
  );
}

// The server and the browser keep it, so that it is there when it is its turn.
export function fetchAhead(path) {
  getPicture(path).then(URL.revokeObjectURL, () => {});
}

export function showProgress(done, all, word) {
  by("progress").max = all;
  by("progress").value = done;
  by("count").textContent = `${done} of ${all} ${word}`;
}

// A key does what `find` returns for it, and a button with `data-key` what its key does.
export function listenToKeys(find) {
  document.addEventListener("keydown", (event) => {
    const { key, target } = event;
    if (target.matches("input, select")) {
      if (key === "Escape") target.blur();
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    if (target.matches("button, a, summary") && (key === "Enter" || key === " ")) return;
    const act = find(key) ?? find(key.toLowerCase());
    if (!act) return;
    event.preventDefault();
    act();
  });
  document.addEventListener("click", ({ target }) => {
    const button = target.closest("[data-key]");
    if (button) find(button.dataset.key)?.();
  });
}

// The name of a class, written into the field.
export function listenToClassField(give) {
  by("other").addEventListener("submit", (event) => {
    event.preventDefault();
    const label = by("class").value.trim();
    by("class").blur();
    if (label) give(label);
  });
}
