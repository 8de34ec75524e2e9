// What the pages share that ask about one picture after the other.

import { getJson, getPicture } from "./api.js";
import { by } from "./text.js";
import { say } from "./words.js";

let isBusy = false;
let isOver = false;
let wanted = null;
let isPointing = false;

// Returns what the page starts with, once it is open, or shows why there is none.
export async function load(path) {
  try {
    const found = await getJson(path);
    by("title").textContent = found.name;
    document.title = `${found.name} · discern`;
    by("file").textContent = found.file;
    by("main").hidden = false;
    return found;
  } catch (error) {
    showProblem(error.status === 401 ? say("locked") : error.message);
    return null;
  }
}

// Does one thing at a time, since a key that is pressed meanwhile was meant for the picture before.
export async function once(work) {
  if (isBusy || isOver) return;
  setBusy(true);
  by("problem").hidden = true;
  try {
    await work();
  } catch (error) {
    showProblem(error.message);
  } finally {
    setBusy(false);
  }
}

function setBusy(busy) {
  isBusy = busy;
  by("main").ariaBusy = String(busy);
}

export function end(text, ...more) {
  isOver = true;
  by("main").hidden = true;
  showProblem(text);
  by("problem").append(...more);
}

export function announce(text) {
  by("live").textContent = text;
}

export function showProblem(text) {
  by("problem").textContent = text;
  by("problem").hidden = false;
}

// Resolves when it is shown, or when it is said why it is not.
export async function showPicture(path, alt) {
  wanted = path;
  showFrame(true);
  by("picture").hidden = true;
  try {
    const source = await getPicture(path);
    URL.revokeObjectURL(path === wanted ? by("picture").src : source);
    if (path !== wanted) return;
    Object.assign(by("picture"), { src: source, alt, hidden: false });
    await by("picture").decode();
  } catch (error) {
    if (path !== wanted) return;
    by("lost").textContent = error.message;
    showFrame(false);
  }
}

function showFrame(isThere) {
  by("frame").hidden = !isThere;
  by("lost").hidden = isThere;
}

// The server and the browser keep it, so that it is there when it is its turn.
export function fetchAhead(path) {
  getPicture(path).then(URL.revokeObjectURL, () => {});
}

export function showCount(done, all) {
  by("progress").max = all;
  by("progress").value = done;
  by("count").textContent = say("count", { done, all });
}

// A key does what `find` returns for it, and a button with `data-key` what its key does.
export function listenToKeys(find) {
  document.addEventListener("pointerdown", () => (isPointing = true));
  document.addEventListener("keydown", (event) => {
    const { key, target } = event;
    if (key === "Tab") isPointing = false;
    if (target.matches("input, select")) {
      if (key === "Escape") target.blur();
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    // Who came to a button by keys means it; who has clicked one before means the page.
    if (!isPointing && target.matches("button, a, summary") && (key === "Enter" || key === " ")) return;
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
