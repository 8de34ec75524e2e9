// One run: how far it is while it trains, its curves, and what can be done with it.

import { getJson, postJson } from "./api.js";
import { showFailure } from "./activity.js";
import { openTab } from "./choice.js";
import { drawCurves } from "./curves.js";
import { attempt } from "./refresh.js";
import { tasksOf, update } from "./state.js";
import { make } from "./text.js";
import { percent, say, sayCount, writeDigits } from "./words.js";

const WAIT_MILLISECONDS = 1000;

export class RunView {
  constructor(place) {
    this.place = place;
    this.run = "";
  }

  // Shows a run; one that trains is asked about again and again.
  show(run) {
    clearTimeout(this.timer);
    if (run !== this.run) this.place.replaceChildren();
    this.run = run;
    if (run) this.read();
  }

  async read() {
    const { run } = this;
    const task = tasksOf("train").find(({ place }) => place === run);
    // A run that is about to begin has no folder yet, and one that failed early never has.
    const { run: facts } = await getJson(`run?${new URLSearchParams({ place: run })}`).catch(() => ({ run: null }));
    if (run !== this.run) return;
    this.place.replaceChildren(this.build(facts, task));
    const isRunning = facts?.is_running || task?.state === "running";
    clearTimeout(this.timer);
    if (isRunning) this.timer = setTimeout(() => this.read(), WAIT_MILLISECONDS);
  }

  build(facts, task) {
    const parts = [showState(facts, task), ...showButtons(this.run, facts, task)];
    if (task?.state === "failed" && !facts?.is_complete) parts.push(showFailure(task));
    if (facts?.history.length > 1) parts.push(drawCurves(facts.history));
    return make("div", { className: "run" }, ...parts);
  }
}

function showState(facts, task) {
  const isRunning = facts?.is_running || task?.state === "running";
  const [text, more] = isRunning ? describeProgress(facts, task) : describeEnd(facts);
  const head = make("p", { className: "state" }, make("strong", { textContent: text }), make("span", { className: "soft", textContent: more }));
  if (!isRunning) return head;
  const bar = make("progress", { max: 1 });
  const share = findShare(facts?.progress);
  if (share !== null) bar.value = share;
  bar.setAttribute("aria-label", text);
  return make("div", {}, head, bar);
}

function describeProgress(facts, task) {
  if (task?.is_stopping) return [say("run_stopping"), ""];
  const progress = facts?.progress;
  if (!progress && !facts?.history.length) return [say("run_preparing"), task?.lines.at(-1) ?? ""];
  if (!progress || progress.part === "results") return [say("run_results"), ""];
  const epoch = say(progress.fold ? "run_fold" : "run_epoch", progress);
  return [`${epoch}, ${say("run_phase", progress)}`, describeLeft(progress.seconds_left)];
}

function describeLeft(seconds) {
  if (seconds === null) return say("left_unknown");
  if (seconds < 100) return say("left_seconds", { count: Math.ceil(seconds) });
  if (seconds < 5400) return say("left_minutes", { count: Math.ceil(seconds / 60) });
  return say("left_hours", { count: writeDigits(seconds / 3600, 1) });
}

function findShare(progress) {
  if (!progress || progress.part === "results" || !progress.epochs) return null;
  return (progress.epoch - 1 + progress.batch / progress.batches) / progress.epochs;
}

function describeEnd(facts) {
  if (facts?.is_complete) return [say("run_complete"), facts.accuracy ? describeAccuracy(facts) : ""];
  const epochs = facts?.history.length;
  if (!facts) return [say("run_failed"), ""];
  return [epochs ? say("run_stopped", { epochs: sayCount("epochs", epochs) }) : say("run_stopped_early"), ""];
}

function describeAccuracy({ accuracy, pictures, split }) {
  const name = { test: say("split_test"), validation: say("split_validation") }[split] ?? split;
  const { value, low, high } = accuracy;
  const shares = { accuracy: percent(value), low: percent(low), high: percent(high) };
  return say("accuracy_of", { ...shares, pictures: sayCount("pictures", pictures), split: name });
}

function showButtons(run, facts, task) {
  const buttons = [];
  const add = (word, work, isMain = false) => {
    const button = make("button", { type: "button", textContent: say(word), className: isMain ? "main" : "" });
    button.addEventListener("click", () => attempt(work));
    buttons.push(button);
  };
  const isOurs = task?.state === "running";
  if (task?.is_stopping) return [];
  if (facts?.is_running || isOurs) {
    if (facts?.is_asked_to_finish) buttons.push(make("p", { className: "soft", textContent: say("finish_asked") }));
    else if (facts?.progress?.part === "training") add("finish", () => postJson("finish", { place: run }));
    if (isOurs) add("stop_run", () => postJson(`tasks/${task.number}/stop`, {}));
    else buttons.push(make("p", { className: "soft small", textContent: say("elsewhere") }));
  } else if (facts?.is_complete) {
    const go = (tab) => () => {
      update({ run, report: `${run}/report.html` });
      openTab(tab);
    };
    if (facts.has_report) add("to_report", go("report"), true);
    add("to_try", go("try"));
    add("to_export", go("export"));
  } else if (facts) {
    add("resume", () => postJson("tasks", { command: "resume", run }), true);
  }
  return buttons.length ? [make("div", { className: "row" }, ...buttons)] : [];
}
