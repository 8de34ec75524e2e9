// What there is to know of the model.

import { by, make, percent } from "./text.js";
import { language, say, sayCount } from "./words.js";

const SHOWN_NAMES = 12;

export function showCard(facts) {
  const entries = [
    ["card_model", facts.network],
    ["card_classes", drawNames(facts.class_names)],
    ["card_sees", say("card_sees_how", { size: facts.preprocess.image_size, fit: say(`fit_${facts.preprocess.fit}`) })],
    ["card_pictures", describeCounts(facts.counts)],
    ["card_scores", drawScores(facts.scores)],
    ["card_unknown", drawThresholds(facts.thresholds)],
    ["card_not_for", say("card_not_for_what")],
    ["card_weights", facts.weights],
    ["card_file", say("card_file_what", facts)],
  ];
  const list = make("dl");
  for (const [word, value] of entries.filter(([, value]) => value)) {
    list.append(make("dt", {}, say(word)), make("dd", {}, value));
  }
  by("card").replaceChildren(make("p", { className: "lead" }, facts.name), list);
}

// Many names would push all else off the screen.
function drawNames(names) {
  const all = names.join(", ");
  if (names.length <= SHOWN_NAMES) return `${names.length}: ${all}`;
  const some = names.slice(0, SHOWN_NAMES).join(", ");
  return make("details", {}, make("summary", {}, `${names.length}: ${some}, …`), make("p", {}, all));
}

function describeCounts(counts) {
  return Object.entries(counts)
    .filter(([, count]) => count)
    .map(([split, count]) => `${sayCount("pictures", count)} (${nameSplit(split)})`)
    .join(", ");
}

function nameSplit(split) {
  return ["train", "validation", "test"].includes(split) ? say(`split_${split}`) : split;
}

function drawScores(scores) {
  if (!scores.length) return null;
  const rows = scores.map(({ split, count, accuracy }) => [
    nameSplit(split),
    sayCount("pictures", count),
    percent(accuracy.value, language()),
    say("range", { low: percent(accuracy.low, language()), high: percent(accuracy.high, language()) }),
  ]);
  const table = drawTable(["", "", say("accuracy"), say("interval")], rows);
  const isChosenWith = scores.every(({ split }) => split === "validation");
  return make("div", {}, table, isChosenWith ? make("p", { className: "soft small" }, say("too_optimistic")) : "");
}

function drawThresholds(thresholds) {
  if (thresholds.every(({ threshold }) => threshold === null)) return say("card_no_promise");
  const rows = thresholds.map(({ max_error: share, threshold, coverage }) =>
    threshold === null
      ? [percent(share, language()), say("unsupported"), ""]
      : [share, threshold, coverage].map((value) => percent(value, language())),
  );
  return drawTable([say("wrong_at_most"), say("confidence_needed"), say("answered_on_validation")], rows);
}

function drawTable(names, rows) {
  return make(
    "table",
    {},
    make("thead", {}, make("tr", {}, ...names.map((name) => make("th", { scope: "col" }, name)))),
    make("tbody", {}, ...rows.map((row) => make("tr", {}, ...row.map((cell) => make("td", {}, cell))))),
  );
}
