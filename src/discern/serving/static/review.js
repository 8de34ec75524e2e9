// One picture after the other; every decision is on the server's disk before the next picture is shown.

import { getJson, getPicture, postJson } from "./api.js";
import { announce, fetchAhead, listenToClassField, listenToKeys, load, once, showPicture, showProgress } from "./asking.js";
import { by, make } from "./text.js";

const LOCKED = "Open the whole link that discern review printed: its token is missing here.";
let candidates = [];
let at = 0;

async function start() {
  const found = await load("review", LOCKED);
  if (!found) return;
  candidates = found.candidates;
  by("title").textContent = found.name;
  by("file").textContent = found.file;
  by("classes").replaceChildren(...found.class_names.map((value) => make("option", { value })));
  by("main").hidden = false;
  listenToKeys((key) => KEYS[key]);
  listenToClassField((label) => decide("relabel", label));
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
  showProgress(candidates.filter(({ decision }) => decision).length, candidates.length, "decided");
}

function showDecision({ decision }) {
  by("decided").hidden = !decision;
  by("decided").textContent = decision ? `Decided: ${describe(decision)}` : "";
  for (const action of ["keep", "relabel", "drop"]) by(action).classList.toggle("held", decision?.action === action);
}

const describe = ({ action, new: label }) => (action === "relabel" ? `it is ${label}` : action);

function showPictures(one) {
  showPicture(`review/${at}/0`, one.id);
  if (at + 1 < candidates.length) fetchAhead(`review/${at + 1}/0`);
  by("beside").hidden = !one.related.length;
  by("related").replaceChildren(...one.related.map((other, place) => drawRelated(other, at, place + 1)));
}

function drawRelated(other, index, place) {
  const item = make("li", { title: other.id }, make("strong", {}, other.label), make("span", { className: "soft" }, `${other.split} ${other.id}`));
  getPicture(`review/${index}/${place}`).then(
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
    announce("All are decided. You can close the page.");
    by("kind").textContent = "All are decided";
  } else {
    show(next);
    announce(`${candidates[next].title}: ${candidates[next].label}${candidates[next].suggested ? `, perhaps ${candidates[next].suggested}` : ""}`);
  }
}

const decide = (action, label = "") =>
  once(async () => {
    candidates[at].decision = await postJson(`review/${at}`, { action, label });
    goToUndecided(at);
  });

const undo = () =>
  once(async () => {
    const { index } = await postJson("undo", {});
    // An earlier decision about the same picture, if there is one, holds again.
    candidates = (await getJson("review")).candidates;
    show(index ?? at);
    announce("Undone");
  });

function relabelToSuggested() {
  const { suggested } = candidates[at];
  if (suggested) decide("relabel", suggested);
  else by("class").focus();
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

start();
