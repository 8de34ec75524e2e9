// Label: pictures without labels get some, on the page of discern label.

import { fillChoices, openTab } from "./choice.js";
import { CommandLine } from "./command_line.js";
import { PageFrame } from "./page_frame.js";
import { state, update, watch } from "./state.js";
import { nameSource } from "./tab_data.js";
import { by, make } from "./text.js";
import { fillWeights, readWeights } from "./weights.js";
import { say } from "./words.js";

export function startLabel() {
  const command = new CommandLine(by("label-command"));
  const frame = new PageFrame(by("label-frame"), { form: by("label-form"), command: "label", describeNext: offerTraining });
  const wish = () => ({
    command: "label",
    source: by("label-source").value,
    classes: by("label-classes").value,
    goal: by("label-goal").value,
    ...readWeights(by("label-weights")),
  });
  const showWish = () => command.show(by("label-source").value ? wish() : null);
  by("label-form").addEventListener("input", showWish);
  by("label-source").addEventListener("change", ({ target }) => update({ source: target.value }));
  by("label-form").addEventListener("submit", (event) => {
    event.preventDefault();
    if (by("label-source").value) frame.open(wish(), by("label-source").value);
  });
  watch(["folder", "source"], () => {
    const heaps = state.folder.sources.filter(({ kind }) => kind === "heap").map((source) => [source.place, nameSource(source)]);
    fillChoices(by("label-source"), heaps.length ? heaps : [["", say("label_none")]], state.source);
    by("label-form").querySelector("button").disabled = !heaps.length;
    fillWeights(by("label-weights"), say("weights_here"));
    showWish();
  });
}

function offerTraining({ place }) {
  const button = make("button", { type: "button", className: "main", textContent: say("train_on_labels") });
  button.addEventListener("click", () => {
    update({ source: `${place}/labels.csv` });
    openTab("train");
  });
  return [button];
}
