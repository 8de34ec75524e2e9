// One picture after the other; every decision is on the server's disk before the next picture is shown.

import { getJson, getPicture, postJson } from "./api.js";
import { by, make } from "./text.js";

let candidates = [];
let at = 0;
let busy = false;

async function start() {
  let found;
  try {
    found = await getJson("/review");
  } catch (error) {
    showProblem(error.status === 401 ? "Open the whole link that discern review printed: its token is missing here." : error.message);
    return;
  }
  candidates = found.candidates;
  by("title").textContent = found.name;
  by("file").textContent = found.file;
  by("classes").replaceChildren(...found.class_names.map((value) => make("option", { value })));
  by("main").hidden = false;
  goToUndecided(0);
}

function show(place) {
  at = Math.max(0, Math.min(candidates.length - 1, place));
  const one = candidates[at];
  by("place").textContent = `${at + 1} of ${candidates.length}${one.split && one.split !== "all" ? ` · ${one.split}` : ""}`;
  by("kind").textContent = one.title;
  by("details").textContent = one.details.join("; ");
  by("explanation").textContent = one.explanation;
  by("name").textContent = one.id;
  by("label").textContent = one.label || "no label";
  by("suggested").textContent = one.suggested ?? "";
  for (const id of ["suggested", "arrow"]) by(id).hidden = !one.suggested;
  by("relabel").hidden = !one.suggested;
  by("relabel").lastElementChild.textContent = `It is ${one.suggested}`;
  by("class").value = "";
  showDecision(one);
  showPictures(one);
  const done = candidates.filter(({ decision }) => decision).length;
  by("progress").max = candidates.length;
  by("progress").value = done;
  by("count").textContent = `${done} of ${candidates.length} decided`;
}

function showDecision({ decision }) {
  by("decided").hidden = !decision;
  by("decided").textContent = decision ? `Decided: ${describe(decision)}` : "";
  for (const action of ["keep", "relabel", "drop"]) by(action).classList.toggle("held", decision?.action === action);
}

const describe = ({ action, new: label }) => (action === "relabel" ? `it is ${label}` : action);

function showPictures(one) {
  const index = at;
  by("picture").hidden = true;
  by("lost").hidden = true;
  getPicture(`/review/${index}/0`).then(
    (source) => {
      if (index !== at) return;
      by("picture").src = source;
      by("picture").alt = one.id;
      by("picture").hidden = false;
    },
    (error) => {
      if (index !== at) return;
      by("lost").textContent = error.message;
      by("lost").hidden = false;
    },
  );
  by("beside").hidden = !one.related.length;
  by("related").replaceChildren(...one.related.map((other, place) => drawRelated(other, index, place + 1)));
  if (index + 1 < candidates.length) getPicture(`/review/${index + 1}/0`).then(URL.revokeObjectURL, () => {});
}

function drawRelated(other, index, place) {
  const item = make("li", { title: other.id }, make("strong", {}, other.label), make("span", { className: "soft" }, `${other.split} ${other.id}`));
  getPicture(`/review/${index}/${place}`).then(
    (source) => item.prepend(make("img", { src: source, alt: other.id })),
    () => item.prepend(make("span", { className: "gone" }, "no file")),
  );
  return item;
}

function goToUndecided(from) {
  const order = candidates.map((_, place) => (from + place) % candidates.length);
  const next = order.find((place) => !candidates[place].decision);
  if (next === undefined) {
    show(from);
    say("All are decided. You can close the page.");
    by("kind").textContent = "All are decided";
  } else {
    show(next);
    say(`${candidates[next].title}: ${candidates[next].label}${candidates[next].suggested ? `, perhaps ${candidates[next].suggested}` : ""}`);
  }
}

async function once(work) {
  if (busy) return;
  busy = true;
  try {
    await work();
    by("problem").hidden = true;
  } catch (error) {
    showProblem(error.message);
  } finally {
    busy = false;
  }
}

const decide = (action, label = "") =>
  once(async () => {
    candidates[at].decision = await postJson(`/review/${at}`, { action, label });
    goToUndecided(at);
  });

const undo = () =>
  once(async () => {
    const { index } = await postJson("/undo", {});
    // An earlier decision about the same picture, if there is one, holds again.
    candidates = (await getJson("/review")).candidates;
    show(index ?? at);
    say("Undone");
  });

function relabelToSuggested() {
  const { suggested } = candidates[at];
  if (suggested) decide("relabel", suggested);
  else by("class").focus();
}

function say(text) {
  by("live").textContent = text;
}

function showProblem(text) {
  by("problem").textContent = text;
  by("problem").hidden = false;
}

const KEYS = {
  k: () => decide("keep"),
  r: relabelToSuggested,
  d: () => decide("drop"),
  u: undo,
  c: () => by("class").focus(),
  n: () => goToUndecided(at + 1),
  ArrowLeft: () => show(at - 1),
  ArrowRight: () => show(at + 1),
};

document.addEventListener("keydown", (event) => {
  if (event.target.id === "class") {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || !candidates.length) return;
  const act = KEYS[event.key] ?? KEYS[event.key.toLowerCase()];
  if (!act) return;
  event.preventDefault();
  act();
});
by("keep").addEventListener("click", KEYS.k);
by("relabel").addEventListener("click", KEYS.r);
by("drop").addEventListener("click", KEYS.d);
by("undo").addEventListener("click", KEYS.u);
by("back").addEventListener("click", KEYS.ArrowLeft);
by("next").addEventListener("click", KEYS.ArrowRight);
by("undecided").addEventListener("click", KEYS.n);
by("other").addEventListener("submit", (event) => {
  event.preventDefault();
  const label = by("class").value.trim();
  by("class").blur();
  if (label) decide("relabel", label);
});

start();
