// What there is to know of the model.

import { describeCounts, describeRange, drawFacts, drawNames, drawTable, drawThresholds, nameSplit } from "./facts_list.js";
import { by } from "./text.js";
import { percent, say, sayCount, writeDigits } from "./words.js";

export function showCard(facts) {
  const { preprocess, decode, limits } = facts;
  const entries = [
    ["card_model", say("card_model_on", { network: nameNetwork(facts.architecture), device: facts.device, precision: facts.precision })],
    ["card_classes", drawNames(facts.class_names)],
    ["card_sees", say("card_sees_how", { size: preprocess.image_size, fit: say(`fit_${preprocess.fit}`) })],
    ["card_pictures", describePictures(facts)],
    ["card_scores", drawScores(facts.scores)],
    ["card_confidence", describeCalibration(facts.calibration)],
    ["card_unknown", drawThresholds(facts.thresholds)],
    ["card_not_for", say("card_not_for_what")],
    ["card_weights", Object.entries(facts.weights).map(([name, value]) => `${name} ${value.slice(0, 60)}`).join("; ")],
    ["card_largest", say("card_largest_what", { pixels: decode.max_pixels, pictures: limits.pictures })],
  ];
  by("card").replaceChildren(...drawFacts(facts.name, entries));
}

const nameNetwork = ({ backbone, head }) => (head ? `${backbone} + ${head}` : backbone);

function describePictures({ counts, feature_bank_pictures: kept }) {
  return [describeCounts(counts), kept && sayCount("card_compared", kept)].filter(Boolean).join("; ");
}

function describeCalibration({ count, temperature, ece_before: before, ece_after: after }) {
  if (!count) return say("card_not_calibrated");
  const calibrated = sayCount("card_calibrated", count, { temperature: writeDigits(temperature, 2) });
  if (before === null) return calibrated;
  return `${calibrated}; ${say("card_calibration_error", { before: percent(before), after: percent(after) })}`;
}

function drawScores(scores) {
  const splits = Object.entries(scores).filter(([, score]) => score?.accuracy);
  if (!splits.length) return null;
  const rows = splits.flatMap(([split, score]) => [
    [nameSplit(split), say("accuracy"), ...drawScore(score.accuracy)],
    ["", "macro F1", ...drawScore(score.macro_f1)],
  ]);
  return drawTable(["", "", "", say("interval")], rows);
}

const drawScore = (score) => [percent(score.value), describeRange(score)];
