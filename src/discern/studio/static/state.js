// What all tabs share, and who is to hear of a change of it.

export const state = { folder: null, tasks: [], tab: "data", source: null, run: null };

const watchers = [];

// Calls a function now if all is known that it needs, and whenever one of the named parts changes.
export function watch(names, react) {
  watchers.push({ names, react });
}

export function update(changes) {
  const changed = Object.keys(changes).filter((name) => state[name] !== changes[name]);
  Object.assign(state, changes);
  if (!state.folder) return;
  for (const { names, react } of watchers) if (names.some((name) => changed.includes(name))) react();
}
