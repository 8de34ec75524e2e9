// One picture after the other; every decision is on the server's disk before the next picture is shown.

import { getPicture } from "./api.js";
import { AskedPictures } from "./asked_pictures.js";
import { load } from "./asking.js";
import { by, make } from "./text.js";
import { hasWord, listenToLanguage, percent, say } from "./words.js";

const review = new AskedPictures({
  path: "review",
  locate: (place) => `review/${place}/0`,
  show,
  describe: (one) => `${nameKind(one)}: ${one.suggested ? say("perhaps_is", one) : one.label}`,
});

async function start() {
  const found = await load("review");
  if (!found) return;
  by("names").replaceChildren(...found.class_names.map((value) => make("option", { value })));
  review.begin(found, "relabel", (key) => KEYS[key]);
}

function show(one) {
  if (one.split && one.split !== "all") by("place").textContent += ` · ${nameSplit(one.split)}`;
  by("kind").textContent = nameKind(one);
  by("explanation").textContent = hasWord(`why_${one.kind}`) ? say(`why_${one.kind}`) : one.explanation;
  by("details").replaceChildren(...drawDetails(one));
  by("name").textContent = one.id;
  by("label").textContent = one.label || say("no_label");
  by("suggested").textContent = one.suggested ?? "";
  by("relabelled").textContent = say("it_is", { label: one.suggested });
  for (const id of ["suggested", "arrow", "relabel"]) by(id).hidden = !one.suggested;
  showDecision(one);
  by("beside").hidden = !one.related.length;
  by("related").replaceChildren(...one.related.map((other, place) => drawRelated(other, place + 1)));
}

// An audit of another version may have kinds that this page has no words for.
const nameKind = ({ kind, title }) => (hasWord(`kind_${kind}`) ? say(`kind_${kind}`) : title);

const nameSplit = (split) => (hasWord(`split_${split}`) ? say(`split_${split}`) : split);

// What an audit says is quoted as it stands there.
function drawDetails({ details, taken_for: answer }) {
  const parts = details.map((text) => make("span", { lang: "en" }, text));
  if (answer) parts.push(say("taken_for", { label: answer.label, confidence: percent(answer.confidence) }));
  return parts.flatMap((part, place) => (place ? ["; ", part] : [part]));
}

function showDecision({ decision }) {
  by("given").hidden = !decision;
  by("given").textContent = decision ? say(`decided_${decision.action}`, { label: decision.new }) : "";
  for (const action of ["keep", "relabel", "drop"]) by(action).classList.toggle("held", decision?.action === action);
}

function drawRelated(other, place) {
  const name = `${nameSplit(other.split)} ${other.id}`;
  const item = make("li", { title: other.id }, make("strong", {}, other.label), make("span", { className: "soft" }, name));
  getPicture(`review/${review.at}/${place}`).then(
    (source) => item.prepend(make("img", { src: source, alt: other.id })),
    () => item.prepend(make("span", { className: "gone" }, say("no_file"))),
  );
  return item;
}

function relabelToSuggested() {
  const { suggested } = review.current;
  if (suggested) review.answer("relabel", suggested);
  else by("class").focus();
}

const KEYS = {
  k: () => review.answer("keep"),
  r: relabelToSuggested,
  d: () => review.answer("drop"),
  n: () => review.goToOpen(review.at + 1),
};

listenToLanguage(() => review.showWords());
start();
