// The answers as a table, with the columns of `discern predict`.

import { writeCsv } from "./csv_text.js";
import { say } from "./words.js";

const PLACES = [2, 3, 4, 5];

export function buildCsv(cards) {
  const header = ["name", "label", "confidence", "guess", "reason", "error"];
  for (const place of PLACES) header.push(`label_${place}`, `confidence_${place}`);
  return writeCsv([header, ...cards.map(buildRow)]);
}

function buildRow({ file, answer, problem }) {
  if (!answer) return [file.name, ...Array(4), problem ? say(problem) : undefined];
  const { label, confidence, isUnknown, top } = answer;
  const row = [file.name, isUnknown ? "unknown" : label, confidence, label, isUnknown ? "not sure enough" : "", ""];
  for (const place of PLACES) row.push(top[place - 1]?.label, top[place - 1]?.confidence);
  return row;
}
