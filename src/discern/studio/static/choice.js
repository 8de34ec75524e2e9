// What is chosen stays chosen after a reload, in this tab of the browser.

import { state, update, watch } from "./state.js";
import { by, make } from "./text.js";

const KEY = `discern-studio ${location.pathname}`;

export const openTab = (name) => by(`tab-${name}`).click();

export function keepTab() {
  const kept = JSON.parse(sessionStorage.getItem(KEY) ?? "{}");
  Object.assign(state, kept);
  watch(["tab", "source", "run"], () => {
    const { tab, source, run } = state;
    sessionStorage.setItem(KEY, JSON.stringify({ tab, source, run }));
  });
  if (kept.tab && kept.tab !== "data") openTab(kept.tab);
}

// Fills a list of choices, and keeps the chosen one where it is still there.
export function fillChoices(select, choices, chosen = select.value) {
  select.replaceChildren(...choices.map(([value, text]) => make("option", { value, textContent: text })));
  if (choices.some(([value]) => value === chosen)) select.value = chosen;
}

// A list of the runs that can be used, which all tabs show with the same one chosen.
export function followRuns(select, accepts, changed) {
  select.addEventListener("change", () => update({ run: select.value }));
  watch(["folder", "run"], () => {
    const runs = state.folder.runs.filter(accepts).map((run) => [run.place, run.place]);
    fillChoices(select, runs, state.run);
    changed(select.value);
  });
}
