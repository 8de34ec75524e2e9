// Pictures from the user to cards with answers.

import { describe } from "./answer.js";
import { Card } from "./card.js";
import { buildCsv } from "./csv.js";
import { listenForFiles } from "./files.js";
import { by, make } from "./text.js";
import { say, sayCount } from "./words.js";

export class Classify {
  constructor(facts, engine, findThreshold) {
    this.facts = facts;
    this.engine = engine;
    this.findThreshold = findThreshold;
    this.cards = [];
    this.turn = Promise.resolve();
    listenForFiles((files) => this.add(files));
    by("csv").addEventListener("click", () => this.downloadCsv());
    by("clear").addEventListener("click", () => this.clear());
  }

  add(files) {
    if (!files.length) return;
    const cards = files.map((file) => new Card(file, this.facts));
    this.cards.push(...cards);
    by("results").append(...cards.map(({ element }) => element));
    this.show();
    by("live").textContent = say("looking");
    this.turn = this.turn.then(() => this.ask(cards));
  }

  async ask(cards) {
    for (const card of cards) {
      if (!this.cards.includes(card)) return;
      await card.ask(this.engine);
      card.show(this.findThreshold());
      this.summarize();
    }
    by("live").textContent = cards.length === 1 ? this.describeCard(cards[0]) : by("summary").textContent;
  }

  describeCard({ answer, problem }) {
    return answer ? describe(answer) : say(problem);
  }

  // Everything again: another threshold or another language was chosen, or pictures came or went.
  show() {
    for (const card of this.cards) card.show(this.findThreshold());
    by("bar").hidden = !this.cards.length;
    by("results").classList.toggle("single", this.cards.length === 1);
    by("drop").classList.toggle("small-now", this.cards.length > 0);
    this.summarize();
  }

  summarize() {
    const counts = {
      answered: this.cards.filter(({ answer }) => answer && !answer.isUnknown).length,
      left_unknown: this.cards.filter(({ answer }) => answer?.isUnknown).length,
      not_read: this.cards.filter(({ problem }) => problem).length,
    };
    const parts = Object.entries(counts).map(([word, count]) => count && say(word, { count }));
    by("summary").textContent = [sayCount("pictures", this.cards.length), ...parts.filter(Boolean)].join(" · ");
  }

  clear() {
    for (const card of this.cards) card.forget();
    this.cards = [];
    by("results").replaceChildren();
    this.show();
    by("live").textContent = say("cleared");
    by("choose").focus();
  }

  downloadCsv() {
    const source = URL.createObjectURL(new Blob([buildCsv(this.cards)], { type: "text/csv" }));
    make("a", { href: source, download: `${this.facts.name}.csv` }).click();
    setTimeout(() => URL.revokeObjectURL(source), 1000);
  }
}
