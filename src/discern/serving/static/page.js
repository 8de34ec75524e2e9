// The page: asks what is served, and puts its parts to work.

import { getJson, query, useToken } from "./api.js";
import { Classify } from "./classify.js";
import { startCamera } from "./live.js";
import { showMistakes } from "./mistakes.js";
import { showCard } from "./model_card.js";
import { listenToTabs } from "./tabs.js";
import { by, countOf, make } from "./text.js";

const MAX_NAMES = 6;

const classify = new Classify();
startCamera(classify);
let facts = null;

listenToTabs((view) => {
  if (view === "mistakes" && facts) showMistakes(facts.name);
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
    by("subtitle").textContent = error.status === 401 ? "The token comes from whoever runs this server." : error.message;
    if (error.status === 401) by("token").focus();
    return;
  }
  by("token-form").hidden = true;
  by("model-choice").hidden = facts.models.length < 2;
  by("model").replaceChildren(
    ...facts.models.map((name) => make("option", { value: name, textContent: name, selected: name === facts.name })),
  );
  const names = facts.class_names;
  by("title").textContent = names.length <= 3 ? `${capitalise(listNames(names, "or"))}?` : "Which is it?";
  const some = names.slice(0, MAX_NAMES).join(", ");
  by("subtitle").textContent = `${facts.name} tells ${countOf(names.length, "class", "classes")} apart: ${some}${names.length > MAX_NAMES ? ", …" : ""}`;
  document.title = `${facts.name} · discern`;
  classify.useModel(facts);
  showCard(by("card"), facts);
  if (!by("mistakes").hidden) showMistakes(facts.name);
}

function listNames(names, last) {
  return names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} ${last} ${names.at(-1)}`;
}

const capitalise = (text) => text.charAt(0).toUpperCase() + text.slice(1);

start();
