// The page: puts its parts to work.

import { decide, showAnswer } from "./answer.js";
import { Camera } from "./camera.js";
import { Classify } from "./classify.js";
import { startEngine } from "./engine.js";
import { showCard } from "./model_card.js";
import { listenToTabs } from "./tabs.js";
import { by } from "./text.js";
import { findThreshold, showPromise, showThresholds } from "./threshold.js";
import { showTitle } from "./title.js";
import { listenToLanguage, say } from "./words.js";

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
  showTitle(facts);
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

// For other scripts, and for the certificate: `await discern.classify(file)`.
window.discern = {
  facts,
  started: engine.then(() => performance.now()),
  async classify(picture) {
    const { probabilities, milliseconds } = await (await engine)(picture);
    return { ...decide(probabilities, facts.class_names, findThreshold(facts)), probabilities, milliseconds };
  },
};
