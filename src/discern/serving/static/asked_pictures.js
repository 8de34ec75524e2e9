// Pictures in an order, each of which is asked about until it has an answer; keys lead from one to the other.

import { getJson, postJson } from "./api.js";
import { announce, fetchAhead, listenToClassField, listenToKeys, once, showCount, showPicture } from "./asking.js";
import { by } from "./text.js";
import { say } from "./words.js";

export class AskedPictures {
  // The server lists them at `path`. `locate` returns the address of a picture by its place, `show` says in words what is
  // asked about one, and `describe` returns what a screen reader says of it.
  constructor({ path, locate, show, describe }) {
    Object.assign(this, { path, locate, show, describe });
    this.pictures = [];
    this.at = 0;
    this.isOver = false;
  }

  // Begins with what the server has said; `find` returns what other keys do than those that lead on.
  begin(found, label, find) {
    this.pictures = found.pictures;
    const keys = {
      c: () => by("class").focus(),
      u: () => this.undo(),
      ArrowLeft: () => this.goTo(this.at - 1),
      ArrowRight: () => this.goTo(this.at + 1),
    };
    listenToKeys((key) => keys[key] ?? find(key));
    listenToClassField((name) => this.answer(label, name));
    this.goToOpen(0);
  }

  get current() {
    return this.pictures[this.at];
  }

  goTo(place, isOver = false) {
    this.at = Math.max(0, Math.min(this.pictures.length - 1, place));
    this.isOver = isOver;
    by("class").value = "";
    this.showWords();
    showPicture(this.locate(this.at), say("picture"));
    if (this.at + 1 < this.pictures.length) fetchAhead(this.locate(this.at + 1));
  }

  goToOpen(from) {
    const order = this.pictures.map((_, place) => (from + place) % this.pictures.length);
    const next = order.find((place) => !this.pictures[place].decision);
    this.goTo(next ?? from, next === undefined);
    announce(this.isOver ? say("over_next") : this.describe(this.current));
    // A page that nothing ends has no such button.
    if (this.isOver) by("finish")?.focus();
  }

  // All that is in words: at another picture, and when another language is chosen.
  showWords() {
    if (!this.pictures.length) return;
    by("place").textContent = say("place", { place: this.at + 1, all: this.pictures.length });
    showCount(this.pictures.filter(({ decision }) => decision).length, this.pictures.length);
    this.show(this.current);
    if (this.isOver) by("kind").textContent = say("over");
  }

  answer(action, label = "") {
    return once(async () => {
      this.current.decision = await postJson(`${this.path}/${this.at}`, { action, label });
      this.goToOpen(this.at);
    });
  }

  // An earlier answer about the same picture, if there is one, holds again.
  undo() {
    return once(async () => {
      const { index } = await postJson("undo", {});
      this.pictures = (await getJson(this.path)).pictures;
      this.goTo(index ?? this.at);
      announce(say("undone"));
    });
  }
}
