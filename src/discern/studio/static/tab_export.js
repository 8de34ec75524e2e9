// Export: a classifier as one file, and how it is served.

import { postJson } from "./api.js";
import { showFailure } from "./activity.js";
import { followRuns } from "./choice.js";
import { CommandLine } from "./command_line.js";
import { attempt } from "./refresh.js";
import { state, tasksOf, watchShown } from "./state.js";
import { by, make } from "./text.js";
import { say, writeDigits } from "./words.js";

const MEBIBYTE = 2 ** 20;

export function startExport() {
  const command = new CommandLine(by("export-command"));
  const serving = new CommandLine(by("serve-command"));
  const wish = () => ({
    command: "export",
    run: by("export-run").value,
    format: by("export-format").value,
    precision: by("export-precision").value,
  });
  const showWish = () => command.show(by("export-run").value ? wish() : null);
  by("export-form").addEventListener("input", showWish);
  by("export-form").addEventListener("submit", (event) => {
    event.preventDefault();
    attempt(() => postJson("tasks", wish()));
  });
  followRuns(by("export-run"), (run) => run.is_complete, (run) => {
    by("export-form").hidden = by("serve-part").hidden = !run;
    by("export-none").hidden = Boolean(run);
    if (run) serving.showText(`discern serve ${quote(run)}`);
    showWish();
    showExports();
  });
  watchShown(["tasks"], () => tasksOf("export"), showExports);
}

const quote = (text) => (/^[\w./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'"'"'`)}'`);

function showExports() {
  const run = state.folder.runs.find(({ place }) => place === by("export-run").value);
  const tasks = tasksOf("export").filter(({ place }) => place === run?.place);
  const items = (run?.exports ?? []).map(showFile);
  if (tasks[0]?.state === "failed") items.unshift(make("li", {}, showFailure(tasks[0])));
  if (tasks[0]?.state === "running") items.unshift(make("li", { className: "item" }, say("exporting"), make("progress", {})));
  by("exports-part").hidden = !items.length;
  by("exports").replaceChildren(...items);
}

function showFile({ name, bytes, link }) {
  const size = bytes < MEBIBYTE ? `${writeDigits(bytes / 1024, 1)} KiB` : `${writeDigits(bytes / MEBIBYTE, 1)} MiB`;
  const load = make("a", { className: "button", href: link, download: name, textContent: say("download") });
  return make(
    "li",
    { className: "item" },
    make("span", { className: "name", textContent: name }),
    make("span", { className: "soft small", textContent: size }),
    make("div", { className: "row" }, load),
  );
}
