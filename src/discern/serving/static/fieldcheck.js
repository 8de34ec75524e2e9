// The class of one picture after the other; every answer is on the server's disk before the next picture is shown.

import { postJson } from "./api.js";
import { AskedPictures } from "./asked_pictures.js";
import { end, load, once } from "./asking.js";
import { by, make } from "./text.js";
import { listenToLanguage, say, sayCount } from "./words.js";

const MAX_KEYS = 9;
const MAX_BUTTONS = 12;

let names = [];

const check = new AskedPictures({ path: "label", locate: (place) => `label/${place}`, show, describe: () => say("next") });

async function start() {
  const found = await load("label");
  if (!found) return;
  names = found.class_names;
  by("names").replaceChildren(...names.map((value) => make("option", { value })));
  by("other").hidden = names.length <= MAX_BUTTONS;
  by("classes").replaceChildren(...names.slice(0, MAX_BUTTONS).map(drawClass));
  check.begin(found, "label", (key) => KEYS[key] ?? (names[key - 1] && key <= MAX_KEYS ? () => answer(names[key - 1]) : undefined));
}

const answer = (name) => check.answer("label", name);

function drawClass(name, place) {
  const key = place < MAX_KEYS ? [make("kbd", { textContent: place + 1 }), ` ${name}`] : [name];
  const button = make("button", { type: "button" }, ...key);
  button.dataset.name = name;
  button.addEventListener("click", () => answer(name));
  return button;
}

function show({ id, decision }) {
  by("kind").textContent = say("what");
  by("name").textContent = id;
  by("given").hidden = !decision;
  by("given").textContent = decision ? say("given", { answer: describe(decision) }) : "";
  for (const button of by("classes").children) {
    button.classList.toggle("held", decision?.action === "label" && decision.new === button.dataset.name);
  }
  for (const action of ["none", "skip"]) by(action).classList.toggle("held", decision?.action === action);
}

const describe = ({ action, new: label }) => (action === "label" ? label : say(action));

const finish = () =>
  once(async () => {
    const { open } = await postJson("finish", {});
    by("count").textContent = open ? sayCount("open", open) : say("over");
    end(say("finished"));
  });

const KEYS = { 0: () => check.answer("none"), s: () => check.answer("skip"), f: finish };

listenToLanguage(() => check.showWords());
start();
