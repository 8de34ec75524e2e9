// What there is to say of a model: facts by their names, and small tables.

import { make } from "./text.js";
import { hasWord, percent, say, sayCount } from "./words.js";

const SHOWN_NAMES = 12;

// Entries are pairs of a word and what is said; those that say nothing are left out.
export function drawFacts(name, entries) {
  const list = make("dl");
  for (const [word, value] of entries.filter(([, value]) => value)) {
    list.append(make("dt", {}, say(word)), make("dd", {}, value));
  }
  return [make("p", { className: "lead" }, name), list];
}

// Many names would push all else off the screen.
export function drawNames(names) {
  const all = names.join(", ");
  if (names.length <= SHOWN_NAMES) return `${names.length}: ${all}`;
  const some = names.slice(0, SHOWN_NAMES).join(", ");
  return make("details", {}, make("summary", {}, `${names.length}: ${some}, …`), make("p", {}, all));
}

export function describeCounts(counts) {
  return Object.entries(counts)
    .filter(([, count]) => count)
    .map(([split, count]) => `${sayCount("pictures", count)} (${nameSplit(split)})`)
    .join(", ");
}

export const nameSplit = (split) => (hasWord(`split_${split}`) ? say(`split_${split}`) : split);

export const describeRange = ({ low, high }) => say("range", { low: percent(low), high: percent(high) });

export function drawThresholds(thresholds) {
  if (thresholds.every(({ threshold }) => threshold === null)) return say("card_no_promise");
  const rows = thresholds.map(({ max_error: share, threshold, coverage }) =>
    threshold === null
      ? [percent(share), say("unsupported"), ""]
      : [share, threshold, coverage].map((value) => percent(value)),
  );
  return drawTable([say("wrong_at_most"), say("confidence_needed"), say("answered_on_validation")], rows);
}

export function drawTable(names, rows) {
  return make(
    "table",
    {},
    make("thead", {}, make("tr", {}, ...names.map((name) => make("th", { scope: "col" }, name)))),
    make("tbody", {}, ...rows.map((row) => make("tr", {}, ...row.map((cell) => make("td", {}, cell))))),
  );
}
