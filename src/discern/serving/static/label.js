// The class of one picture after the other; every answer is on the server's disk before the next picture is shown.

import { getJson, getPicture, postJson } from "./api.js";
import { make } from "./text.js";

const MAX_KEYS = 9;
const MAX_BUTTONS = 12;
const by = (id) => document.getElementById(id);

let pictures = [];
let names = [];
let at = 0;
let busy = false;
let over = false;

async function start() {
  let found;
  try {
    found = await getJson("/label");
  } catch (error) {
    showProblem(error.status === 401 ? "Open the whole link that discern fieldcheck printed: its token is missing here." : error.message);
    return;
  }
  pictures = found.pictures;
  names = found.class_names;
  by("title").textContent = found.name;
  by("file").textContent = found.file;
  by("names").replaceChildren(...names.map((value) => make("option", { value })));
  by("other").hidden = names.length <= MAX_BUTTONS;
  by("classes").replaceChildren(...names.slice(0, MAX_BUTTONS).map(drawClass));
  by("main").hidden = false;
  goToOpen(0);
}

function drawClass(name, place) {
  const key = place < MAX_KEYS ? [make("kbd", { textContent: place + 1 }), ` ${name}`] : [name];
  const button = make("button", { type: "button" }, ...key);
  button.dataset.name = name;
  button.addEventListener("click", () => answer("label", name));
  return button;
}

function show(place) {
  at = Math.max(0, Math.min(pictures.length - 1, place));
  const { id, answer: given } = pictures[at];
  by("place").textContent = `${at + 1} of ${pictures.length}`;
  by("kind").textContent = "What is it?";
  by("name").textContent = id;
  by("class").value = "";
  by("given").hidden = !given;
  by("given").textContent = given ? `Labelled: ${describe(given)}` : "";
  for (const button of by("classes").children) button.classList.toggle("held", given?.action === "label" && given.new === button.dataset.name);
  for (const action of ["none", "skip"]) by(action).classList.toggle("held", given?.action === action);
  showPicture(at);
  const done = pictures.filter(({ answer: one }) => one).length;
  by("progress").max = pictures.length;
  by("progress").value = done;
  by("count").textContent = `${done} of ${pictures.length} labelled`;
}

const describe = ({ action, new: label }) => ({ label, none: "none of these", skip: "cannot be told" })[action];

function showPicture(index) {
  by("picture").hidden = true;
  by("lost").hidden = true;
  getPicture(`/label/${index}`).then(
    (source) => {
      if (index !== at) return;
      by("picture").src = source;
      by("picture").alt = `picture ${index + 1}`;
      by("picture").hidden = false;
    },
    (error) => {
      if (index !== at) return;
      by("lost").textContent = error.message;
      by("lost").hidden = false;
    },
  );
  if (index + 1 < pictures.length) getPicture(`/label/${index + 1}`).then(URL.revokeObjectURL, () => {});
}

function goToOpen(from) {
  const order = pictures.map((_, place) => (from + place) % pictures.length);
  const next = order.find((place) => !pictures[place].answer);
  show(next ?? from);
  if (next === undefined) {
    by("kind").textContent = "All are labelled";
    by("finish").focus();
    say("All are labelled. Finish to see what holds there.");
  }
}

async function once(work) {
  if (busy || over) return;
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

const answer = (action, label = "") =>
  once(async () => {
    pictures[at].answer = await postJson(`/label/${at}`, { action, label });
    goToOpen(at);
  });

const undo = () =>
  once(async () => {
    const { index } = await postJson("/undo", {});
    pictures = (await getJson("/label")).pictures;
    show(index ?? at);
    say("Undone");
  });

const finish = () =>
  once(async () => {
    const { open } = await postJson("/finish", {});
    over = true;
    by("main").hidden = true;
    by("count").textContent = open ? `${open} are open; the same command goes on with them` : "All are labelled";
    say("Finished. The numbers are where discern fieldcheck was started.");
    showProblem("Finished. The numbers are where discern fieldcheck was started; you can close this page.");
  });

function say(text) {
  by("live").textContent = text;
}

function showProblem(text) {
  by("problem").textContent = text;
  by("problem").hidden = false;
}

const KEYS = {
  0: () => answer("none"),
  s: () => answer("skip"),
  u: undo,
  f: finish,
  c: () => by("class").focus(),
  ArrowLeft: () => show(at - 1),
  ArrowRight: () => show(at + 1),
};

document.addEventListener("keydown", (event) => {
  if (event.target.id === "class") {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || !pictures.length) return;
  const chosen = /^[1-9]$/.test(event.key) ? names[Number(event.key) - 1] : undefined;
  const act = chosen ? () => answer("label", chosen) : KEYS[event.key] ?? KEYS[event.key.toLowerCase()];
  if (!act) return;
  event.preventDefault();
  act();
});
by("none").addEventListener("click", KEYS[0]);
by("skip").addEventListener("click", KEYS.s);
by("undo").addEventListener("click", KEYS.u);
by("finish").addEventListener("click", KEYS.f);
by("back").addEventListener("click", KEYS.ArrowLeft);
by("next").addEventListener("click", KEYS.ArrowRight);
by("other").addEventListener("submit", (event) => {
  event.preventDefault();
  const label = by("class").value.trim();
  by("class").blur();
  if (label) answer("label", label);
});

start();
