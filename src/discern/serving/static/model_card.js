// What there is to know of the model.

import { countOf, make, percent } from "./text.js";

const SHOWN_NAMES = 12;
const WAYS = { crop: "its central square", pad: "all of it, padded to a square", squash: "all of it, squashed to a square" };

export function showCard(place, facts) {
  const entries = [
    ["Model", `${describeNetwork(facts.architecture)}, on ${facts.device} in ${facts.precision}`],
    ["Classes", drawNames(facts.class_names)],
    ["Sees", `a picture at ${facts.preprocess.image_size} × ${facts.preprocess.image_size} pixels, ${WAYS[facts.preprocess.fit]}; phone photos upright, transparency on white`],
    ["Trained on", describeCounts(facts)],
    ["Scores", drawScores(facts.scores)],
    ["Confidence", describeCalibration(facts.calibration)],
    ["Unknown", drawThresholds(facts.thresholds)],
    ["Not for", "pictures of another kind than those it was trained on: other subjects, cameras, framing or quality."],
    ["Pretrained weights", Object.entries(facts.weights).map(([name, value]) => `${name} ${value.slice(0, 60)}`).join("; ")],
    ["Largest picture", `${facts.decode.max_pixels.toLocaleString("en")} pixels; ${countOf(facts.limits.pictures, "picture")} at once`],
  ];
  const list = make("dl");
  for (const [name, value] of entries.filter(([, value]) => value)) {
    list.append(make("dt", {}, name), make("dd", {}, value));
  }
  place.replaceChildren(make("p", { className: "lead" }, facts.name), list);
}

// Many names would push all else off the screen.
function drawNames(names) {
  const all = names.join(", ");
  if (names.length <= SHOWN_NAMES) return `${names.length}: ${all}`;
  const some = names.slice(0, SHOWN_NAMES).join(", ");
  return make("details", {}, make("summary", {}, `${names.length}, such as ${some}`), make("p", {}, all));
}

function describeNetwork({ backbone, head }) {
  return head ? `${backbone} with a ${head} head` : backbone;
}

function describeCounts({ counts, feature_bank_pictures: kept }) {
  const parts = Object.entries(counts).filter(([, count]) => count).map(([split, count]) => `${count} ${split}`);
  const compared = kept ? `; ${countOf(kept, "training picture")} to compare with` : "";
  return parts.length ? parts.join(", ") + compared : "";
}

function describeCalibration({ count, temperature, ece_before: before, ece_after: after }) {
  if (!count) return "not calibrated";
  const gain = before === null ? "" : `; error of the confidences ${percent(after)}, before ${percent(before)}`;
  return `calibrated on ${countOf(count, "validation picture")}, temperature ${temperature.toFixed(2)}${gain}`;
}

function drawScores(scores) {
  const splits = Object.entries(scores).filter(([, score]) => score?.accuracy);
  if (!splits.length) return null;
  const rows = splits.flatMap(([split, score]) => [
    drawRow(split, "accuracy", score.accuracy),
    drawRow("", "macro F1", score.macro_f1),
  ]);
  return drawTable(["", "", "", "95\u202f% interval"], rows);
}

function drawRow(split, name, { value, low, high }) {
  return [split, name, percent(value), `${percent(low)} to ${percent(high)}`];
}

function drawThresholds(thresholds) {
  if (thresholds.every(({ reason }) => reason)) return "the validation pictures promise nothing";
  const rows = thresholds.map(({ max_error: share, reason, threshold, coverage }) =>
    reason
      ? [`at most ${percent(share)}`, "cannot be supported", ""]
      : [`at most ${percent(share)}`, percent(threshold), percent(coverage)],
  );
  return drawTable(["wrong answers", "confidence needed", "answered on validation"], rows);
}

function drawTable(names, rows) {
  return make(
    "table",
    {},
    make("thead", {}, make("tr", {}, ...names.map((name) => make("th", { scope: "col" }, name)))),
    make("tbody", {}, ...rows.map((row) => make("tr", {}, ...row.map((cell) => make("td", {}, cell))))),
  );
}
