// The list of the commands that were started here, with what they printed.

import { getJson, postJson } from "./api.js";
import { attempt } from "./refresh.js";
import { state, watch } from "./state.js";
import { by, make } from "./text.js";
import { say, sayCount, write } from "./words.js";

export function showActivity() {
  const button = by("activity-open");
  button.addEventListener("click", () => {
    by("activity").hidden = !by("activity").hidden;
    button.setAttribute("aria-expanded", String(!by("activity").hidden));
    showList();
  });
  watch(["tasks"], () => {
    const running = state.tasks.filter((task) => task.state === "running").length;
    by("activity-state").textContent = running ? sayCount("running", running) : "";
    showList();
  });
}

function showList() {
  if (by("activity").hidden) return;
  const opened = new Set([...by("activity-list").querySelectorAll("details[open]")].map((one) => one.dataset.number));
  const items = state.tasks.map((task) => describe(task, opened.has(String(task.number))));
  by("activity-list").replaceChildren(...(items.length ? items : [make("li", { textContent: say("activity_none") })]));
}

function describe(task, isOpen) {
  const mark = make("span", { className: `mark ${task.state}`, textContent: say(`state_${task.state}`) });
  const when = make("span", { className: "soft small", textContent: write(new Date(task.started)) });
  const head = make("div", { className: "row" }, mark, make("code", { textContent: task.text }), when);
  if (task.state === "running") {
    const stop = make("button", { type: "button", textContent: say("stop") });
    stop.addEventListener("click", () => attempt(() => postJson(`tasks/${task.number}/stop`, {})));
    head.append(stop);
  }
  const lines = make("pre", { className: "lines", textContent: task.lines.join("\n") });
  const details = make("details", { open: isOpen }, make("summary", { textContent: say("output") }), lines);
  details.dataset.number = String(task.number);
  const read = () =>
    attempt(async () => (lines.textContent = (await getJson(`tasks/${task.number}/output`)).lines.join("\n")));
  details.addEventListener("toggle", () => details.open && read());
  return make("li", {}, head, details);
}

// The last lines of a command that has failed, for the tab that started it.
export function showFailure(task) {
  return make(
    "div",
    { className: "notice" },
    make("p", { textContent: say("failed", { command: `discern ${task.command}` }) }),
    make("pre", { className: "lines", textContent: task.lines.join("\n") }),
  );
}
