// The card of one picture.

import { decide, showAnswer } from "./answer.js";
import { say } from "./words.js";

export class Card {
  constructor(file, facts) {
    this.file = file;
    this.facts = facts;
    this.probabilities = null;
    this.answer = null;
    this.problem = null;
    this.element = document.getElementById("result").content.firstElementChild.cloneNode(true);
    this.preview = URL.createObjectURL(file);
    this.find(".shown").src = this.preview;
    this.find(".shown").addEventListener("error", () => this.find(".shown").remove(), { once: true });
    this.find(".name").textContent = file.name;
  }

  find(selector) {
    return this.element.querySelector(selector);
  }

  async ask(engine) {
    try {
      const ask = await engine;
      this.probabilities = (await ask(this.file)).probabilities;
    } catch (error) {
      this.problem = error.problem ?? "problem_failed";
    }
  }

  show(threshold) {
    if (this.probabilities) this.answer = decide(this.probabilities, this.facts.class_names, threshold);
    this.element.className = this.problem ? "card failed" : this.answer ? "card" : "card working";
    if (this.answer) {
      showAnswer(this.element, this.answer);
      this.find(".shown")?.setAttribute("alt", say(this.answer.isUnknown ? "unknown" : "taken_for", this.answer));
    } else {
      this.find(".label").textContent = say(this.problem ? "failed" : "looking");
      this.find(".why").textContent = this.problem ? say(this.problem) : "";
    }
  }

  forget() {
    URL.revokeObjectURL(this.preview);
  }
}
