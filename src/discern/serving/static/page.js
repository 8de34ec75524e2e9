// The page: asks what is served, and puts its parts to work.

import { getJson, query, useToken } from "./api.js";
import { Classify } from "./classify.js";
import { startCamera } from "./live.js";
import { showMistakes } from "./mistakes.js";
import { showCard } from "./model_card.js";
import { listenToTabs } from "./tabs.js";
import { by, make } from "./text.js";
import { showPromise, showThresholds } from "./threshold.js";
import { showTitle } from "./title.js";
import { listenToLanguage, say } from "./words.js";

const classify = new Classify();
startCamera(classify);
let facts = null;

listenToTabs((view) => {
  if (view === "mistakes" && facts) showMistakes(facts.name);
});
listenToLanguage(() => facts && showWords());
by("max-error").addEventListener("change", () => {
  showPromise(facts);
  classify.askAgain();
});
by("model").addEventListener("change", ({ target }) => start(target.value));
by("token-form").addEventListener("submit", (event) => {
  event.preventDefault();
  useToken(by("token").value);
  start();
});

async function start(model) {
  try {
    facts = await getJson(`model${query({ model })}`);
  } catch (error) {
    by("token-form").hidden = error.status !== 401;
    by("subtitle").textContent = error.status === 401 ? say("token_from") : error.message;
    if (error.status === 401) by("token").focus();
    return;
  }
  by("token-form").hidden = true;
  by("model-choice").hidden = facts.models.length < 2;
  by("model").replaceChildren(
    ...facts.models.map((name) => make("option", { value: name, textContent: name, selected: name === facts.name })),
  );
  document.title = `${facts.name} · discern`;
  // Another model may not promise what was chosen.
  by("max-error").value = "";
  showWords();
  classify.useModel(facts);
}

// All that is in words: of another model, and in another language.
function showWords() {
  showTitle(facts);
  showThresholds(facts);
  showCard(facts);
  classify.showWords();
  if (!by("mistakes").hidden) showMistakes(facts.name);
}

start();
