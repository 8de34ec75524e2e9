// The card of one picture: what it is, how sure that is, and on demand why.

import { getPicture, predict, query } from "./api.js";
import { drawBar } from "./svg.js";
import { make } from "./text.js";
import { fillWords, percent, say, write, writeDigits } from "./words.js";

const SHOWN_CLASSES = 5;
const NEIGHBOURS = 5;
const NOT_SURE = "not sure enough";

export class ResultCard {
  constructor(file, settings) {
    this.file = file;
    this.settings = settings;
    this.element = document.getElementById("result").content.firstElementChild.cloneNode(true);
    this.preview = URL.createObjectURL(file);
    const shown = this.find(".shown");
    shown.src = this.preview;
    shown.addEventListener("error", () => this.replaceShown(), { once: true });
    this.find(".heat").addEventListener("click", () => this.toggleHeat());
    this.find(".alike").addEventListener("click", () => this.toggleAlike());
    this.wait();
  }

  // A browser shows fewer kinds of pictures than the server reads.
  replaceShown() {
    const shown = this.find(".shown");
    shown.hidden = true;
    shown.after(make("span", { className: "gone" }, say("no_preview")));
  }

  find(selector) {
    return this.element.querySelector(selector);
  }

  wait() {
    this.answer = null;
    this.heat = null;
    this.nearest = null;
    this.find(".neighbours").hidden = true;
    this.find(".alike").setAttribute("aria-expanded", "false");
    this.showHeat(false);
    this.showWords();
  }

  show(answer, facts) {
    this.answer = answer;
    this.find(".alike").hidden = !facts.feature_bank_pictures;
    this.showWords();
  }

  fail(reason) {
    this.answer = this.answer ?? { error: { reason } };
    this.showWords();
  }

  // All that is in words: of another answer, and in another language.
  showWords() {
    const { answer } = this;
    fillWords(this.element);
    this.find(".name").textContent = this.file.name || say("pasted");
    this.element.className = answer ? "card" : "card working";
    this.element.classList.toggle("failed", Boolean(answer?.error));
    this.element.classList.toggle("unknown", Boolean(answer?.reason));
    this.find(".label").textContent = answer ? nameAnswer(answer) : say("looking");
    this.find(".why").textContent = answer ? explain(answer) : "";
    this.find(".familiarity").textContent = answer ? describeFamiliarity(answer) : "";
    this.find(".familiarity").classList.toggle("low", Boolean(answer?.unfamiliar));
    this.find(".familiarity").title = say("familiarity_what");
    const top = answer?.top?.slice(0, SHOWN_CLASSES) ?? [];
    this.find(".bars").replaceChildren(...top.map((one) => drawBar(one.label, percent(one.confidence), one.confidence)));
    this.find(".actions").hidden = !answer?.top;
    this.find(".neighbours").replaceChildren(...(this.nearest ?? []).map((one) => this.drawNeighbour(one)));
    this.find(".shown").alt = this.describeShown();
    this.find(".note").textContent = this.writeNote();
  }

  describeShown() {
    if (this.isHeatShown) return say("heat_shown", this.heat);
    if (!this.answer) return "";
    return this.answer.label && !this.answer.reason ? say("taken_for", this.answer) : nameAnswer(this.answer);
  }

  get isHeatShown() {
    return this.find(".heat").getAttribute("aria-pressed") === "true";
  }

  async toggleHeat() {
    if (!this.isHeatShown && !this.heat) {
      const asked = await this.askMore(this.find(".heat"), { explain: "auto" });
      if (!asked) return;
      this.heat = asked.heat_map;
    }
    this.showHeat(!this.isHeatShown);
    this.showWords();
  }

  showHeat(on) {
    this.find(".heat").setAttribute("aria-pressed", String(on));
    this.find(".shown").src = on ? this.heat.image : this.preview;
    this.writeNote = () => (on ? say("heat_what", this.heat) : "");
    if (!on) return;
    this.find(".shown").hidden = false;
    this.find("figure .gone")?.remove();
  }

  async toggleAlike() {
    const button = this.find(".alike");
    const list = this.find(".neighbours");
    if (!this.nearest) {
      const asked = await this.askMore(button, { nearest: NEIGHBOURS });
      if (!asked) return;
      this.nearest = asked.nearest;
    }
    list.hidden = !list.hidden;
    button.setAttribute("aria-expanded", String(!list.hidden));
    this.writeNote = () => (list.hidden ? "" : say("alike_what"));
    this.showWords();
  }

  async askMore(button, wanted) {
    button.disabled = true;
    try {
      const { pictures } = await predict([this.file], { ...this.settings(), ...wanted });
      return pictures[0];
    } catch (error) {
      this.writeNote = () => error.message;
      this.showWords();
      return null;
    } finally {
      button.disabled = false;
      button.focus();
    }
  }

  drawNeighbour(one) {
    const item = make("li", { title: one.id });
    const { model } = this.settings();
    getPicture(`training/${one.index}${query({ model })}`).then(
      (source) => item.prepend(make("img", { src: source, alt: one.id })),
      () => item.prepend(make("span", { className: "gone" }, one.id)),
    );
    item.append(make("span", {}, say("neighbour", { label: one.label, similarity: writeDigits(one.similarity, 2) })));
    return item;
  }
}

export function nameAnswer({ error, reason, label }) {
  if (error) return say("failed");
  return reason ? say("unknown") : label;
}

export function explainUnknown({ reason, confidence, guess }) {
  return say(reason === NOT_SURE ? "unknown_because" : "unknown_unfamiliar", { confidence: percent(confidence), label: guess });
}

// What a screen reader says of an answer.
export function describe(answer) {
  if (answer.error) return `${say("failed")}: ${answer.error.reason}`;
  if (answer.reason) return `${say("unknown")}. ${explainUnknown(answer)}`;
  return say("answer", { label: answer.label, confidence: percent(answer.confidence) });
}

function explain(answer) {
  if (answer.error) return answer.error.reason;
  return answer.reason ? explainUnknown(answer) : "";
}

// Of pictures like those trained on, at most this share is as unlike them as this one.
function describeFamiliarity({ familiarity, unfamiliar }) {
  if (familiarity === undefined) return "";
  const share = write(familiarity, { maximumSignificantDigits: 2 });
  return say(unfamiliar ? "familiarity_low" : "familiarity", { share });
}
