// Data: what there is to learn from, brought here, looked through, and mended by decisions.

import { postJson } from "./api.js";
import { openTab } from "./choice.js";
import { CommandLine } from "./command_line.js";
import { showFailure } from "./activity.js";
import { PageFrame } from "./page_frame.js";
import { attempt } from "./refresh.js";
import { state, tasksOf, update, watch, watchShown } from "./state.js";
import { by, make } from "./text.js";
import { listenForUploads } from "./upload.js";
import { fillWeights, readWeights } from "./weights.js";
import { say, sayCount } from "./words.js";

const MAX_NAMES = 8;

export const nameSource = ({ place }) => (place === "." ? say("this_folder") : place);

export function startData() {
  const command = new CommandLine(by("data-command"));
  const frame = new PageFrame(by("data-frame"), { command: "review" });
  const weights = by("audit-weights");
  const wish = () => ({ command: "audit", source: state.source, ...readWeights(weights), quick: weights.value === "none" });
  const showWish = () => {
    const source = state.folder.sources.find(({ place }) => place === state.source);
    by("data-actions").hidden = !source || source.kind === "heap";
    command.show(by("data-actions").hidden ? null : wish());
  };
  listenForUploads();
  weights.addEventListener("change", showWish);
  by("audit").addEventListener("click", () => attempt(() => postJson("tasks", wish())));
  watch(["folder", "source"], () => {
    showSources();
    fillWeights(weights, say("weights_here"), say("audit_quick"));
    showWish();
  });
  watchShown(["folder", "tasks"], () => [listAudits(), tasksOf("audit")], () => showAudits(frame));
}

const listAudits = () => state.folder.pages.filter(({ kind }) => kind === "audit");

function showSources() {
  const { sources } = state.folder;
  by("sources-none").hidden = sources.length > 0;
  if (!sources.some(({ place }) => place === state.source)) update({ source: sources[0]?.place ?? null });
  by("sources").replaceChildren(...sources.map(showSource));
}

function showSource(source) {
  const isChosen = source.place === state.source;
  const name = make("button", { type: "button", className: "name", textContent: nameSource(source) });
  name.setAttribute("aria-pressed", String(isChosen));
  name.addEventListener("click", () => update({ source: source.place }));
  const next = make("button", { type: "button", textContent: say(source.kind === "heap" ? "label_it" : "train_on") });
  next.disabled = source.is_around_runs || Boolean(source.problem);
  next.addEventListener("click", () => {
    update({ source: source.place });
    openTab(source.kind === "heap" ? "label" : "train");
  });
  return make(
    "li",
    { className: `item${isChosen ? " chosen" : ""}` },
    make("span", { className: "kind", textContent: say(`kind_${source.kind}`) }),
    name,
    make("span", { className: "soft small", textContent: describe(source) }),
    ...(source.is_around_runs ? [explainWayAround()] : []),
    make("div", { className: "row" }, next),
  );
}

function explainWayAround() {
  const command = make("code", { textContent: state.folder.command_around });
  return make("p", { className: "small" }, `${say("source_is_root")} `, command);
}

function describe(source) {
  const parts = [];
  if (source.pictures !== null) parts.push(sayCount("pictures", source.pictures));
  const names = source.class_names;
  if (names.length) {
    const some = names.slice(0, MAX_NAMES).join(", ") + (names.length > MAX_NAMES ? ", …" : "");
    parts.push(`${sayCount("classes", names.length)}: ${some}`);
  }
  if (source.problem) parts.push(source.problem);
  return parts.join(" · ");
}

function showAudits(frame) {
  const audits = listAudits();
  const tasks = tasksOf("audit");
  const failed = tasks[0]?.state === "failed" ? [make("li", {}, showFailure(tasks[0]))] : [];
  const running = tasks.filter((task) => task.state === "running").map(showRunning);
  by("audits-part").hidden = !audits.length && !running.length && !failed.length;
  by("audits").replaceChildren(...failed, ...running, ...audits.map((audit) => showAudit(audit, frame)));
}

function showRunning({ place, lines }) {
  const last = make("span", { className: "soft small", textContent: lines.at(-1) ?? "" });
  return make("li", { className: "item" }, make("span", { className: "name", textContent: place }), make("progress", {}), last);
}

function showAudit({ place, page, to_review: toReview }, frame) {
  const report = make("button", { type: "button", textContent: say("audit_report") });
  report.addEventListener("click", () => {
    update({ report: page });
    openTab("report");
  });
  const review = make("button", { type: "button", textContent: say("audit_review") });
  review.disabled = !toReview;
  review.addEventListener("click", async () => {
    await frame.open({ command: "review", run: place }, place);
    by("data-frame").scrollIntoView({ block: "start" });
  });
  const name = make("span", { className: "name", textContent: place });
  const text = toReview ? sayCount("to_review", toReview) : say("audit_none");
  const found = make("span", { className: "soft small", textContent: text });
  return make("li", { className: "item" }, name, found, make("div", { className: "row" }, report, review));
}
