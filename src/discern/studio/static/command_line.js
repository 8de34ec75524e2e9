// Shows the command that does the same, to copy.

import { postJson } from "./api.js";
import { state } from "./state.js";
import { make } from "./text.js";
import { say } from "./words.js";

const WAIT_MILLISECONDS = 150;

export class CommandLine {
  constructor(place) {
    this.place = place;
    this.asked = 0;
  }

  // Shows the command of a wish; null shows nothing.
  show(wish) {
    this.asked += 1;
    const mine = this.asked;
    clearTimeout(this.timer);
    if (!wish) return this.place.replaceChildren();
    this.timer = setTimeout(async () => {
      const text = await postJson("preview", wish).then(({ text }) => text, (error) => error.message);
      if (mine === this.asked) this.showText(text);
    }, WAIT_MILLISECONDS);
  }

  showText(text) {
    const copy = make("button", { type: "button", textContent: say("copy") });
    copy.addEventListener("click", async () => {
      await copyText(text);
      copy.textContent = say("copied");
      setTimeout(() => (copy.textContent = say("copy")), 1500);
    });
    this.place.replaceChildren(
      make("p", { className: "soft small", textContent: say("same_command", { folder: state.folder.folder }) }),
      make("div", { className: "typed" }, make("code", { textContent: text }), copy),
    );
  }
}

// The clipboard is there on this machine and over https alone.
async function copyText(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const field = make("textarea", { value: text });
  document.body.append(field);
  field.select();
  document.execCommand("copy");
  field.remove();
}
