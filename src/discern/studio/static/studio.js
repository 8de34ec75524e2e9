// The page: asks what is in the folder, follows the commands, and puts its tabs to work.

import { useToken } from "./api.js";
import { showActivity } from "./activity.js";
import { keepTab } from "./choice.js";
import { followTasks } from "./events.js";
import { state, update, watch } from "./state.js";
import { startCompare } from "./tab_compare.js";
import { startData } from "./tab_data.js";
import { startExport } from "./tab_export.js";
import { startLabel } from "./tab_label.js";
import { startReport } from "./tab_report.js";
import { startTrain } from "./tab_train.js";
import { startTry } from "./tab_try.js";
import { listenToTabs } from "./tabs.js";
import { by } from "./text.js";
import { refresh } from "./refresh.js";
import { listenToLanguage } from "./words.js";

listenToLanguage(() => state.folder && update({ folder: { ...state.folder }, tasks: [...state.tasks] }));
listenToTabs((name) => update({ tab: name }));
for (const start of [showActivity, startData, startLabel, startTrain, startReport, startTry, startCompare, startExport]) {
  start();
}
keepTab();

by("token-form").addEventListener("submit", (event) => {
  event.preventDefault();
  useToken(by("token").value);
  begin();
});
watch(["folder"], () => {
  by("title").textContent = state.folder.name || state.folder.folder;
  by("subtitle").textContent = state.folder.folder;
  document.title = `${state.folder.name} · discern studio`;
});
// Others may have written to the folder, such as a command in a terminal.
document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && refresh());

async function begin() {
  if (await refresh()) followTasks();
}

begin();
