// What all tabs share, and who is to hear of a change of it.

import { language } from "./words.js";

export const state = { folder: null, tasks: [], tab: "data", source: null, run: null };

const watchers = [];

// Calls a function whenever one of the named parts changes.
export function watch(names, react) {
  watchers.push({ names, react });
}

// Calls a function when what it shows of the named parts has changed, or the language: nothing that somebody is about to
// click is drawn anew for nothing.
export function watchShown(names, find, react) {
  let last = "";
  watch(names, () => {
    const shown = JSON.stringify([language(), find()]);
    if (shown === last) return;
    last = shown;
    react();
  });
}

export const tasksOf = (command) => state.tasks.filter((task) => task.command === command);

export function update(changes) {
  const changed = Object.keys(changes).filter((name) => state[name] !== changes[name]);
  Object.assign(state, changes);
  if (!state.folder) return;
  for (const { names, react } of watchers) if (names.some((name) => changed.includes(name))) react();
}
