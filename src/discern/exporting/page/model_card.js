// What there is to know of the model.

import { describeCounts, describeRange, drawFacts, drawNames, drawTable, drawThresholds, nameSplit } from "./facts_list.js";
import { by, make } from "./text.js";
import { percent, say, sayCount } from "./words.js";

export function showCard(facts) {
  const entries = [
    ["card_model", facts.network],
    ["card_head", facts.features === "last" ? null : say(`card_head_reads_${facts.features}`)],
    ["card_classes", drawNames(facts.class_names)],
    ["card_sees", say("card_sees_how", { size: facts.preprocess.image_size, fit: say(`fit_${facts.preprocess.fit}`) })],
    ["card_pictures", describeCounts(facts.counts)],
    ["card_scores", drawScores(facts.scores)],
    ["card_unknown", drawThresholds(facts.thresholds)],
    ["card_not_for", say("card_not_for_what")],
    ["card_weights", facts.weights],
    ["card_file", say("card_file_what", facts)],
  ];
  by("card").replaceChildren(...drawFacts(facts.name, entries));
}

function drawScores(scores) {
  if (!scores.length) return null;
  const rows = scores.map(({ split, count, accuracy }) => [
    nameSplit(split),
    sayCount("pictures", count),
    percent(accuracy.value),
    describeRange(accuracy),
  ]);
  const table = drawTable(["", "", say("accuracy"), say("interval")], rows);
  const isChosenWith = scores.every(({ split }) => split === "validation");
  return make("div", {}, table, isChosenWith ? make("p", { className: "soft small" }, say("too_optimistic")) : "");
}
