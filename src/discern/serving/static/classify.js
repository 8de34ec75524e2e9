// Pictures from the user to cards with answers.

import { predict } from "./api.js";
import { buildCsv } from "./csv.js";
import { listenForFiles } from "./files.js";
import { describe, ResultCard } from "./result_card.js";
import { by, make } from "./text.js";
import { say, sayCount } from "./words.js";

const AT_ONCE = 8;

export class Classify {
  constructor() {
    this.cards = [];
    this.facts = {};
    this.round = 0;
    this.chain = Promise.resolve();
    listenForFiles((files) => this.add(files));
    by("csv").addEventListener("click", () => this.downloadCsv());
    by("clear").addEventListener("click", () => this.clear());
  }

  settings() {
    return { model: this.facts.name, max_error: by("max-error").value, top_k: 5 };
  }

  useModel(facts) {
    this.facts = facts;
    this.askAgain();
  }

  add(files) {
    if (!files.length) return;
    const cards = files.map((file) => new ResultCard(file, () => this.settings()));
    this.cards.push(...cards);
    by("results").append(...cards.map((card) => card.element));
    this.arrange();
    this.ask(cards);
  }

  askAgain() {
    this.round += 1;
    for (const card of this.cards) card.wait();
    if (this.cards.length) this.ask(this.cards);
  }

  // One request after the other, so that the first answers are there before the last pictures are sent.
  ask(cards) {
    const { round } = this;
    this.chain = this.chain.then(async () => {
      for (let start = 0; start < cards.length && round === this.round; start += AT_ONCE) {
        await this.askSome(cards.slice(start, start + AT_ONCE), round);
      }
      if (round === this.round) this.announce(cards);
    });
  }

  async askSome(cards, round) {
    by("live").textContent = say("looking");
    try {
      const { pictures } = await predict(
        cards.map((card) => card.file),
        this.settings(),
      );
      if (round === this.round) cards.forEach((card, place) => card.show(pictures[place], this.facts));
    } catch (error) {
      // What came back is the fault of all together, such as their size: each is tried by itself.
      if (cards.length > 1 && error.status === 413) {
        for (const card of cards) await this.askSome([card], round);
      } else if (round === this.round) {
        for (const card of cards) card.fail(error.message);
      }
    }
    this.arrange();
  }

  announce(cards) {
    const [card] = cards;
    by("live").textContent = cards.length === 1 ? describe(card.answer) : this.summarise();
  }

  summarise() {
    const counts = {
      answered: this.cards.filter(({ answer }) => answer && !answer.error && !answer.reason).length,
      left_unknown: this.cards.filter(({ answer }) => answer?.reason).length,
      not_read: this.cards.filter(({ answer }) => answer?.error).length,
    };
    const parts = Object.entries(counts).map(([word, count]) => count && say(word, { count }));
    return [sayCount("pictures", this.cards.length), ...parts.filter(Boolean)].join(" · ");
  }

  arrange() {
    by("bar").hidden = !this.cards.length;
    by("summary").textContent = this.summarise();
    by("results").classList.toggle("single", this.cards.length === 1);
    by("drop").classList.toggle("small-now", this.cards.length > 0);
  }

  showWords() {
    for (const card of this.cards) card.showWords();
    this.arrange();
  }

  clear() {
    this.round += 1;
    for (const card of this.cards) URL.revokeObjectURL(card.preview);
    this.cards = [];
    by("results").replaceChildren();
    this.arrange();
    by("live").textContent = say("cleared");
    by("choose").focus();
  }

  downloadCsv() {
    const source = URL.createObjectURL(new Blob([buildCsv(this.cards)], { type: "text/csv" }));
    make("a", { href: source, download: "answers.csv" }).click();
    setTimeout(() => URL.revokeObjectURL(source), 1000);
  }
}
