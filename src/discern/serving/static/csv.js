// The answers as a table for other programs.

import { writeCsv } from "./csv_text.js";

const PLACES = 5;

export function buildCsv(cards) {
  const places = Array.from({ length: PLACES - 1 }, (_, place) => place + 2);
  const header = ["name", "label", "confidence", "familiarity", "unfamiliar", "guess", "reason", "error"];
  for (const place of places) header.push(`label_${place}`, `confidence_${place}`);
  const rows = cards.map(({ file, answer }) => {
    const top = answer?.top ?? [];
    const row = [
      file.name,
      answer?.label,
      answer?.confidence,
      answer?.familiarity,
      answer?.unfamiliar,
      answer?.guess,
      answer?.reason,
      answer?.error?.reason,
    ];
    for (const place of places) row.push(top[place - 1]?.label, top[place - 1]?.confidence);
    return row;
  });
  return writeCsv([header, ...rows]);
}
