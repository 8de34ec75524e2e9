// The class of one picture after the other; every answer is on the server's disk before the next picture is shown.

import { getJson, postJson } from "./api.js";
import { announce, end, fetchAhead, listenToClassField, listenToKeys, load, once, showPicture, showProgress } from "./asking.js";
import { by, make } from "./text.js";

const LOCKED = "Open the whole link that discern fieldcheck printed: its token is missing here.";
const MAX_KEYS = 9;
const MAX_BUTTONS = 12;

let pictures = [];
let names = [];
let at = 0;

async function start() {
  const found = await load("label", LOCKED);
  if (!found) return;
  pictures = found.pictures;
  names = found.class_names;
  by("title").textContent = found.name;
  by("file").textContent = found.file;
  by("names").replaceChildren(...names.map((value) => make("option", { value })));
  by("other").hidden = names.length <= MAX_BUTTONS;
  by("classes").replaceChildren(...names.slice(0, MAX_BUTTONS).map(drawClass));
  by("main").hidden = false;
  listenToKeys((key) => KEYS[key] ?? (names[key - 1] && key <= MAX_KEYS ? () => answer("label", names[key - 1]) : undefined));
  listenToClassField((label) => answer("label", label));
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
  showPicture(`label/${at}`, `picture ${at + 1}`);
  if (at + 1 < pictures.length) fetchAhead(`label/${at + 1}`);
  showProgress(pictures.filter(({ answer: one }) => one).length, pictures.length, "labelled");
}

const describe = ({ action, new: label }) => ({ label, none: "none of these", skip: "cannot be told" })[action];

function goToOpen(from) {
  const order = pictures.map((_, place) => (from + place) % pictures.length);
  const next = order.find((place) => !pictures[place].answer);
  show(next ?? from);
  if (next === undefined) {
    by("kind").textContent = "All are labelled";
    by("finish").focus();
    announce("All are labelled. Finish to see what holds there.");
  }
}

const answer = (action, label = "") =>
  once(async () => {
    pictures[at].answer = await postJson(`label/${at}`, { action, label });
    goToOpen(at);
  });

const undo = () =>
  once(async () => {
    const { index } = await postJson("undo", {});
    pictures = (await getJson("label")).pictures;
    show(index ?? at);
    announce("Undone");
  });

const finish = () =>
  once(async () => {
    const { open } = await postJson("finish", {});
    by("count").textContent = open ? `${open} are open; the same command goes on with them` : "All are labelled";
    end("Finished. The numbers are where discern fieldcheck was started; you can close this page.");
  });

const KEYS = {
  0: () => answer("none"),
  s: () => answer("skip"),
  u: undo,
  f: finish,
  c: () => by("class").focus(),
  ArrowLeft: () => show(at - 1),
  ArrowRight: () => show(at + 1),
};

start();
