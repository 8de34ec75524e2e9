// The heading of a page that classifies: which classes it tells apart.

import { by } from "./text.js";
import { say, sayCount } from "./words.js";

const MAX_NAMES = 6;

export function showTitle({ name, class_names: names }) {
  const first = names.slice(0, -1).join(", ");
  const question = `${first}${first && ` ${say("or")} `}${names.at(-1)}?`;
  by("title").textContent = names.length <= 3 ? question.charAt(0).toUpperCase() + question.slice(1) : say("title");
  const some = names.slice(0, MAX_NAMES).join(", ") + (names.length > MAX_NAMES ? ", …" : "");
  by("subtitle").textContent = say("subtitle", { name, classes: sayCount("classes", names.length), some });
}
