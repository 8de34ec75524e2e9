// Pages in frames: those that a command serves, and reports.

import { heldToken, postJson } from "./api.js";
import { attempt } from "./refresh.js";
import { state, tasksOf, watch } from "./state.js";
import { make } from "./text.js";
import { say } from "./words.js";

export class PageFrame {
  // `form` makes room for a page that it has opened. A page that `command` serves already is shown at once, as after a
  // reload. `describeNext` returns what can be done when a page has done its work.
  constructor(place, { form = null, command = null, describeNext = () => [] } = {}) {
    this.place = place;
    this.form = form;
    this.command = command;
    this.describeNext = describeNext;
    this.number = null;
    watch(["tasks"], () => this.follow());
  }

  // Starts a command that serves a page, and shows it as soon as it is there.
  async open(wish, title) {
    this.close();
    const task = await attempt(() => postJson("tasks", wish));
    if (task) this.expect(task, title);
  }

  expect({ number }, title) {
    this.number = number;
    this.title = title;
    this.say(say("frame_opening"), make("progress", {}));
    this.follow();
  }

  follow() {
    if (this.command) this.findServed();
    const task = state.tasks.find(({ number }) => number === this.number);
    if (!task) return;
    if (task.page) this.showOnce(task);
    else if (task.state !== "running") this.end(task);
  }

  findServed() {
    const task = tasksOf(this.command).find((one) => one.state === "running" && !one.is_stopping);
    this.command = null;
    if (task && this.number === null) this.expect(task, task.words[1]);
  }

  showOnce({ page }) {
    if (this.place.querySelector("iframe")) return;
    const frame = this.show(`${page}#token=${encodeURIComponent(heldToken())}`, this.title, () => this.stop());
    if (this.form) this.form.hidden = true;
    // Its keys work at once.
    frame.addEventListener("load", () => frame.contentWindow.focus());
  }

  show(address, title, close) {
    const frame = make("iframe", { src: address, title });
    const button = make("button", { type: "button", className: "quiet", textContent: say("frame_close") });
    button.addEventListener("click", close);
    const bar = make("div", { className: "bar" }, make("p", { textContent: title }), button);
    this.place.replaceChildren(make("div", { className: "frame" }, ...(close ? [bar] : []), frame));
    return frame;
  }

  end(task) {
    this.close();
    const output = make("pre", { className: "lines", textContent: task.lines.join("\n") });
    this.say(say("frame_ended"), ...(task.state === "failed" ? [output] : task.state === "done" ? this.describeNext(task) : []));
  }

  stop() {
    const { number } = this;
    this.close();
    if (number !== null) attempt(() => postJson(`tasks/${number}/stop`, {}));
  }

  close() {
    this.number = null;
    if (this.form) this.form.hidden = false;
    this.place.replaceChildren();
  }

  say(text, ...more) {
    this.place.replaceChildren(make("div", { className: "frame" }, make("p", { className: "soft", textContent: text }), ...more));
  }
}
