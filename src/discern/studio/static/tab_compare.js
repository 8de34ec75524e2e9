// Compare: all runs in a table, and two of them on the same pictures.

import { getJson, postJson } from "./api.js";
import { showFailure } from "./activity.js";
import { CommandLine } from "./command_line.js";
import { attempt } from "./refresh.js";
import { state, tasksOf, watch, watchShown } from "./state.js";
import { draw } from "./svg.js";
import { by, make } from "./text.js";
import { percent, say } from "./words.js";

const COLUMNS = ["run", "accuracy", "pictures", "recipe", "network"];

const MAX_DIFFS = 5;

let chosen = [];

export function startCompare() {
  const command = new CommandLine(by("compare-command"));
  const wish = () => ({ command: "diff", first: chosen[0], second: chosen[1] });
  const showWish = () => {
    by("diff").disabled = chosen.length < 2;
    by("diff-hint").hidden = chosen.length > 1;
    command.show(chosen.length < 2 ? null : wish());
  };
  by("diff").addEventListener("click", () => attempt(() => postJson("tasks", wish())));
  watch(["folder"], () => {
    const { runs } = state.folder;
    chosen = chosen.filter((place) => runs.some((run) => run.place === place));
    by("compare-none").hidden = runs.length > 0;
    by("compare-part").hidden = !runs.length;
    showTable(showWish);
    showWish();
  });
  watchShown(["folder", "tasks", "tab"], () => [state.tab, listDiffs(), tasksOf("diff")], showDiffs);
}

function showTable(changed) {
  const heads = COLUMNS.map((name) => make("th", { scope: "col", textContent: say(`column_${name}`) }));
  const rows = state.folder.runs.map((run) => showRow(run, changed));
  by("runs").replaceChildren(
    make("thead", {}, make("tr", {}, make("td"), ...heads)),
    make("tbody", {}, ...rows),
  );
}

function showRow(run, changed) {
  const box = make("input", { type: "checkbox", checked: chosen.includes(run.place), disabled: !run.accuracy });
  box.setAttribute("aria-label", say("choose_run", { run: run.place }));
  const row = make("tr", { className: box.checked ? "chosen" : "" }, make("td", {}, box));
  box.addEventListener("change", () => {
    // The first of two makes room for a third.
    chosen = box.checked ? [...chosen.slice(-1), run.place] : chosen.filter((place) => place !== run.place);
    showTable(changed);
    changed();
  });
  const name = make("th", { scope: "row", textContent: run.place });
  const count = run.pictures === null ? "" : `${run.pictures} ${run.split}`;
  const cells = [count, run.recipe ?? "", run.backbone ?? ""].map((text) => make("td", { textContent: text }));
  row.append(name, make("td", {}, ...showAccuracy(run)), ...cells);
  return row;
}

function showAccuracy({ accuracy, is_complete: isComplete }) {
  if (!accuracy) return isComplete ? [] : [say("not_complete")];
  const { value, low, high } = accuracy;
  const line = (name, from, to) => draw("line", { class: name, x1: 160 * from, x2: 160 * to, y1: 8, y2: 8 });
  const drawing = draw("svg", { viewBox: "-8 0 176 16", "aria-hidden": true });
  drawing.append(line("ground", 0, 1), line("range", low, high), draw("circle", { cx: 160 * value, cy: 8, r: 4.5 }));
  return [make("strong", { textContent: percent(value) }), ` ${percent(low)} – ${percent(high)}`, drawing];
}

const listDiffs = () => state.folder.pages.filter(({ kind }) => kind === "diff").slice(0, MAX_DIFFS);

async function showDiffs() {
  if (state.tab !== "compare") return;
  const tasks = tasksOf("diff");
  const failed = tasks[0]?.state === "failed" ? [showFailure(tasks[0])] : [];
  const running = tasks.some((task) => task.state === "running") ? [make("progress", {})] : [];
  const shown = await Promise.all(listDiffs().map(showDiff));
  by("diffs").replaceChildren(...failed, ...running, ...shown.flat());
}

async function showDiff({ place }) {
  const diff = await getJson(`comparison?${new URLSearchParams({ place })}`).catch(() => null);
  if (!diff) return [];
  const [, first, second] = tasksOf("diff").find((task) => task.place === place)?.words ?? [];
  const scores = {
    ...{ a: percent(diff.accuracy_a.value), b: percent(diff.accuracy_b.value), count: diff.count },
    ...{ only_a: diff.only_a_right, only_b: diff.only_b_right },
  };
  const parts = [
    make("h2", { textContent: first ? say("diff_sides", { first, second }) : place }),
    make("p", { className: "lead", textContent: diff.verdict }),
    make("p", { className: "soft", textContent: say("diff_scores", scores) }),
  ];
  if (diff.picture) {
    const picture = make("img", { src: diff.picture, alt: say("diff_picture"), loading: "lazy" });
    parts.push(make("details", {}, make("summary", { textContent: say("diff_picture") }), picture));
  }
  return [make("div", { className: "diff" }, ...parts)];
}
