// The page: puts its parts to work.

import { decide, showAnswer } from "./answer.js";
import { Camera } from "./camera.js";
import { Classify } from "./classify.js";
import { startEngine } from "./engine.js";
import { showCard } from "./model_card.js";
import { listenToTabs } from "./tabs.js";
import { by } from "./text.js";
import { findThreshold, showPromise, showThresholds } from "./threshold.js";
import { listenToLanguage, say, sayCount } from "./words.js";

const MAX_NAMES = 6;

const facts = JSON.parse(by("facts").textContent);
const engine = startEngine(facts);
const classify = new Classify(facts, engine, () => findThreshold(facts));
new Camera({
  async look(video) {
    const { probabilities } = await (await engine)(await createImageBitmap(video));
    return decide(probabilities, facts.class_names, findThreshold(facts));
  },
  show: showAnswer,
  keep: (file) => classify.add([file]),
  say,
});

listenToTabs(() => {});
listenToLanguage(() => {
  showTitle();
  showThresholds(facts);
  showCard(facts);
  classify.show();
});
by("max-error").addEventListener("change", () => {
  showPromise(facts);
  classify.show();
});
engine.then(
  () => (by("live").textContent = say("ready")),
  (error) => {
    by("trouble").textContent = `${say("trouble")} (${error.message})`;
    by("trouble").hidden = false;
  },
);

function showTitle() {
  const names = facts.class_names;
  const question = `${names.slice(0, -1).join(", ")} ${say("or")} ${names.at(-1)}?`;
  by("title").textContent = names.length <= 3 ? question.charAt(0).toUpperCase() + question.slice(1) : say("title");
  const some = names.slice(0, MAX_NAMES).join(", ") + (names.length > MAX_NAMES ? ", …" : "");
  by("subtitle").textContent = say("subtitle", { name: facts.name, classes: sayCount("classes", names.length), some });
}

// For other scripts, and for the certificate: `await discern.classify(file)`.
window.discern = {
  facts,
  started: engine.then(() => performance.now()),
  async classify(picture) {
    const { probabilities, milliseconds } = await (await engine)(picture);
    return { ...decide(probabilities, facts.class_names, findThreshold(facts)), probabilities, milliseconds };
  },
};
