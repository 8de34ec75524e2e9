// What is asked, why, and what the classifier suggests; without a question, that nothing is left.

import { describeAnswer } from "./label_progress.js";
import { by } from "./text.js";
import { say, sayCount } from "./words.js";

export function showQuestion(question, names) {
  const suggestion = question?.suggestion;
  by("why").textContent = question ? describeWhy(question) : "";
  by("kind").textContent = say(!question ? "left_nothing" : question.past ? "correct" : "what");
  const notes = [
    !names.length && say("no_class"),
    question?.is_hidden && say("hidden"),
    question?.duplicates && sayCount("duplicates", question.duplicates),
  ];
  by("note").textContent = notes.filter(Boolean).join(" ");
  by("note").hidden = !by("note").textContent;
  by("suggestion").hidden = !suggestion;
  by("suggested").textContent = suggestion ? say("suggested", { label: suggestion }) : "";
  if (question) return;
  for (const id of ["frame", "lost"]) by(id).hidden = true;
  by("finish").focus();
}

function describeWhy({ why, between, past }) {
  if (past) return say("correct_why", { answer: describeAnswer(past) });
  return between ? say("why_between", { one: between[0], other: between[1] }) : say(`why_${why}`);
}
