// Train: a form with few choices, and the run that it starts, while it trains.

import { postJson } from "./api.js";
import { fillChoices } from "./choice.js";
import { CommandLine } from "./command_line.js";
import { attempt } from "./refresh.js";
import { RunView } from "./run_view.js";
import { state, tasksOf, update, watch, watchShown } from "./state.js";
import { nameSource } from "./tab_data.js";
import { by, make } from "./text.js";
import { fillWeights, readWeights } from "./weights.js";
import { say } from "./words.js";

const FIELDS = ["budget", "weights", "backbone", "recipe", "name", "settings"];

export function startTrain() {
  const command = new CommandLine(by("train-command"));
  const view = new RunView(by("run-view"));
  const showWish = () => command.show(by("train-source").value ? buildWish() : null);
  by("train-form").addEventListener("input", showWish);
  by("train-weights").addEventListener("change", () => {
    by("train-backbone").value = readWeights(by("train-weights")).backbone;
    showWish();
  });
  by("train-source").addEventListener("change", ({ target }) => update({ source: target.value }));
  by("train-run").addEventListener("change", ({ target }) => update({ run: target.value }));
  by("train-form").addEventListener("submit", async (event) => {
    event.preventDefault();
    const task = await attempt(() => postJson("tasks", buildWish()));
    if (!task) return;
    update({ run: task.place });
    by("run-part").scrollIntoView({ block: "start" });
  });
  watch(["folder", "source"], () => {
    fillForm();
    showWish();
  });
  watchShown(["folder", "run", "tasks"], () => [state.run, state.folder.runs, listTrainings()], () => showRuns(view));
}

const listTrainings = () => tasksOf("train").map(({ place, state: how, is_stopping: stops }) => ({ place, how, stops }));

function buildWish() {
  const values = Object.fromEntries(FIELDS.map((name) => [name, by(`train-${name}`).value]));
  const fixes = [...by("train-fixes").querySelectorAll("input:checked")].map(({ value }) => value);
  return { command: "train", source: by("train-source").value, fixes, ...values };
}

function fillForm() {
  const { sources, recipes } = state.folder;
  const usable = sources.filter(({ kind, is_around_runs: isAroundRuns, problem }) => kind !== "heap" && !isAroundRuns && !problem);
  const choices = usable.map((source) => [source.place, nameSource(source)]);
  fillChoices(by("train-source"), choices.length ? choices : [["", say("learn_none")]], state.source);
  by("train-form").querySelector("button").disabled = !choices.length;
  fillWeights(by("train-weights"), say("weights_fetched"), say("weights_none"));
  fillChoices(by("train-recipe"), recipes.map((name) => [name, name]));
  fillFixes();
}

// What an audit of these pictures proposes, and what was decided about it, which holds unless it is left out.
function fillFixes() {
  const audits = state.folder.pages.filter(({ source }) => source === by("train-source").value);
  const files = audits.flatMap(({ fixes }) => fixes);
  const before = new Map([...by("train-fixes").querySelectorAll("input")].map(({ value, checked }) => [value, checked]));
  by("train-fixes").hidden = !files.length;
  const boxes = files.map((value) => {
    const isDecided = value.endsWith("/overrides.csv");
    const box = make("input", { type: "checkbox", value, checked: before.get(value) ?? isDecided });
    const text = say(isDecided ? "fixes_decided" : "fixes_proposed");
    return make("label", { className: "check" }, box, ` ${text}: `, make("code", { textContent: value }));
  });
  by("train-fixes").replaceChildren(by("train-fixes").querySelector("legend"), ...boxes);
}

function showRuns(view) {
  const training = listTrainings().filter(({ how }) => how === "running");
  const places = [...new Set([...training, ...state.folder.runs].map(({ place }) => place))];
  const failed = listTrainings().find(({ place }) => place === state.run);
  if (failed && !places.includes(failed.place)) places.unshift(failed.place);
  by("run-part").hidden = !places.length;
  fillChoices(by("train-run"), places.map((place) => [place, place]), state.run);
  view.show(by("train-run").value);
}
