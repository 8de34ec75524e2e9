// The card of one picture: what it is, how sure that is, and on demand why.

import { getPicture, predict, query } from "./api.js";
import { drawBar } from "./svg.js";
import { make, percent } from "./text.js";

const SHOWN_CLASSES = 5;
const NEIGHBOURS = 5;

export class ResultCard {
  constructor(file, settings) {
    this.file = file;
    this.settings = settings;
    this.answer = null;
    this.element = document.getElementById("result").content.firstElementChild.cloneNode(true);
    this.preview = URL.createObjectURL(file);
    const shown = this.find(".shown");
    shown.src = this.preview;
    shown.addEventListener("error", () => this.replaceShown(), { once: true });
    this.find(".name").textContent = file.name || "pasted picture";
    this.find(".heat").addEventListener("click", () => this.toggleHeat());
    this.find(".alike").addEventListener("click", () => this.toggleAlike());
    this.wait();
  }

  // A browser shows fewer kinds of pictures than the server reads.
  replaceShown() {
    const shown = this.find(".shown");
    shown.hidden = true;
    shown.after(make("span", { className: "gone" }, "no preview"));
  }

  find(selector) {
    return this.element.querySelector(selector);
  }

  wait() {
    this.answer = null;
    this.heat = null;
    this.element.className = "card working";
    this.find(".label").textContent = "Looking…";
    this.find(".why").textContent = "";
    this.find(".familiarity").textContent = "";
    this.find(".note").textContent = "";
    this.find(".bars").replaceChildren();
    this.find(".actions").hidden = true;
    this.find(".neighbours").hidden = true;
    this.find(".neighbours").replaceChildren();
    this.find(".alike").setAttribute("aria-expanded", "false");
    this.showHeat(false);
  }

  show(answer, facts) {
    this.answer = answer;
    this.element.className = "card";
    if (answer.error) {
      this.fail(answer.error.reason);
      return;
    }
    const isUnknown = Boolean(answer.reason);
    this.element.classList.toggle("unknown", isUnknown);
    this.find(".label").textContent = answer.label;
    this.find(".why").textContent = isUnknown ? explainUnknown(answer) : "";
    this.find(".familiarity").textContent = describeFamiliarity(answer);
    this.find(".familiarity").classList.toggle("low", Boolean(answer.unfamiliar));
    this.find(".shown").alt = isUnknown ? "Unknown" : `Taken for ${answer.label}`;
    const bars = answer.top.slice(0, SHOWN_CLASSES).map((one) => drawBar(one.label, percent(one.confidence), one.confidence));
    this.find(".bars").replaceChildren(...bars);
    this.find(".actions").hidden = false;
    this.find(".alike").hidden = !facts.feature_bank_pictures;
  }

  fail(reason) {
    this.answer = this.answer ?? { error: { reason } };
    this.element.className = "card failed";
    this.find(".label").textContent = "Not answered";
    this.find(".why").textContent = reason;
    this.find(".familiarity").textContent = "";
    this.find(".shown").alt = "Not answered";
    this.find(".bars").replaceChildren();
    this.find(".actions").hidden = true;
  }

  async toggleHeat() {
    const button = this.find(".heat");
    if (button.getAttribute("aria-pressed") === "true") {
      this.showHeat(false);
      return;
    }
    if (!this.heat) {
      const asked = await this.askMore(button, { explain: "auto" });
      this.heat = asked?.heat_map ?? null;
    }
    if (this.heat) this.showHeat(true);
  }

  showHeat(on) {
    this.find(".heat").setAttribute("aria-pressed", String(on));
    this.find(".shown").src = on ? this.heat.image : this.preview;
    if (on) {
      this.find(".shown").hidden = false;
      this.find("figure .gone")?.remove();
      this.find(".shown").alt = `Where the evidence for ${this.heat.label} lies`;
      this.note(`Bright: evidence for ${this.heat.label}. What was cropped away is pale.`);
    } else {
      this.note("");
    }
  }

  async toggleAlike() {
    const button = this.find(".alike");
    const list = this.find(".neighbours");
    if (!list.childElementCount) {
      const asked = await this.askMore(button, { nearest: NEIGHBOURS });
      if (!asked) return;
      list.replaceChildren(...asked.nearest.map((one) => this.drawNeighbour(one)));
    }
    list.hidden = !list.hidden;
    button.setAttribute("aria-expanded", String(!list.hidden));
    this.note(list.hidden ? "" : "The training pictures that are most like it.");
  }

  async askMore(button, wanted) {
    button.disabled = true;
    try {
      const { pictures } = await predict([this.file], { ...this.settings(), ...wanted });
      return pictures[0];
    } catch (error) {
      this.note(error.message);
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
    item.append(make("span", {}, `${one.label}, similarity ${one.similarity.toFixed(2)}`));
    return item;
  }

  note(text) {
    this.find(".note").textContent = text;
  }
}

export function explainUnknown(answer) {
  const why =
    answer.reason === "not sure enough"
      ? `Only ${percent(answer.confidence)} sure, which is too little for the error you allow.`
      : `It is ${answer.reason}.`;
  return `${why} The best guess is ${answer.guess}.`;
}

// Of pictures like those trained on, at most this share is as unlike them as this one.
function describeFamiliarity({ familiarity, unfamiliar }) {
  if (familiarity === undefined) return "";
  const shown = `Familiarity ${Number(familiarity.toPrecision(2))}`;
  return unfamiliar ? `${shown}: unlike the training pictures` : shown;
}
