// Labels one picture after the other; every answer is on the server's disk before the next picture is shown.

import { getJson, getPicture, postJson, query } from "./api.js";
import { announce, end, listenToClassField, listenToKeys, load, once, showPicture } from "./asking.js";
import { findClass, showClasses } from "./class_keys.js";
import { showProgress } from "./label_progress.js";
import { showQuestion } from "./label_question.js";
import { closeGrid, findConfirmed, findToggle, isGridOpen, openGrid, showGrid } from "./look_alikes.js";
import { by, make } from "./text.js";
import { listenToLanguage, say } from "./words.js";
import { Zoom } from "./zoom.js";

const LOOK_AGAIN_SECONDS = 2;

let state = null;
let question = null;

const zoom = new Zoom(by("frame"), by("picture"), showDetails);

const address = (key, size) => `picture${query({ key, size })}`;

async function start() {
  const found = await load("labelling");
  if (!found) return;
  listenToKeys((key) => (isGridOpen() ? GRID_KEYS[key] ?? findToggle(key) : QUESTION_KEYS[key] ?? findAnswer(key)));
  listenToClassField(answer);
  await once(() => take(found));
  setTimeout(lookAgain, 1000 * LOOK_AGAIN_SECONDS);
}

// Nothing counts before the picture is there, so that no key answers a picture that nobody has seen.
async function take(found, said = "") {
  const isNew = state !== null && found.class_names.length > state.class_names.length;
  const news = isNew ? say("new_class", { label: found.class_names.at(-1) }) : said;
  state = found;
  question = found.question;
  closeGrid();
  by("class").value = "";
  showWords();
  if (question) {
    zoom.reset();
    await showPicture(address(question.key, "whole"), say("picture"));
    if (!state.class_names.length) by("class").focus();
  }
  announce(`${news} ${question ? `${say("next")} ${by("suggestion").hidden ? "" : by("suggested").textContent}` : say("left_nothing")}`);
}

// All that is in words: after an answer, and when another language is chosen.
function showWords() {
  showClasses(state.class_names, answer);
  showProgress(state, correct);
  showQuestion(question, state.class_names);
  showGrid();
}

// Who zooms sees the picture that is there until one with more pixels has come, if it comes.
async function showDetails() {
  const { key } = question;
  const source = await getPicture(address(key, "zoomed")).catch(() => null);
  if (!source) return;
  URL.revokeObjectURL(question?.key === key ? by("picture").src : source);
  if (question?.key === key) by("picture").src = source;
}

// Sends what answers the question, if there is one, and goes on with what is asked next.
const send = (path, given) => once(async () => question && take(await postJson(path, { key: question.key, ...given })));
const answer = (label) => send("answer", { label });
const answerWithout = (reason) => send("no-label", { reason });
const takeSuggestion = () => question?.suggestion && answer(question.suggestion);
const undo = () => once(async () => take(await postJson("undo", {}), say("undone")));

function findAnswer(key) {
  const name = findClass(key);
  return name && (() => answer(name));
}

const correct = (past) => once(() => take({ ...state, question: { key: past.key, past } }));

const offerGrid = () =>
  once(async () => {
    const found = await getJson("alike");
    if (found) openGrid(found);
    else announceAndShow(say("alike_none"));
  });

function announceAndShow(text) {
  announce(text);
  Object.assign(by("note"), { textContent: text, hidden: false });
}

const confirmGrid = () => once(async () => take(await postJson("confirm", findConfirmed())));

const leaveGrid = () => {
  closeGrid();
  showQuestion(question, state.class_names);
  by("kind").focus();
};

// What the classifier has learned since is shown; the question stays, so that nothing changes under a finger.
async function lookAgain() {
  if (state.progress.is_solving) {
    const found = await getJson("labelling").catch(() => null);
    if (found && found.progress.answered === state.progress.answered) {
      state = found;
      showProgress(state, correct);
    }
  }
  setTimeout(lookAgain, 1000 * LOOK_AGAIN_SECONDS);
}

const finish = () =>
  once(async () => {
    state = await postJson("finish", {});
    by("reached").hidden = true;
    end(`${say("finished", { file: state.file })} `, make("code", {}, state.next_step));
  });

const QUESTION_KEYS = {
  Enter: takeSuggestion,
  0: () => answerWithout("none"),
  n: () => answerWithout("unsure"),
  s: () => answerWithout("skip"),
  g: offerGrid,
  u: undo,
  z: () => zoom.toggle(),
  f: finish,
  c: () => by("class").focus(),
};
const GRID_KEYS = { Enter: confirmGrid, Escape: leaveGrid, u: undo, f: finish };

// Where a browser does not let the page copy, the command is selected to be copied by hand.
by("copy").addEventListener("click", () =>
  navigator.clipboard.writeText(state.next_step).then(
    () => (by("copy").textContent = say("copied")),
    () => getSelection().selectAllChildren(by("next-step")),
  ),
);
listenToLanguage(() => state && showWords());
start();
