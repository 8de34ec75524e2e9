// The answers as a table for other programs.

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
  return [header, ...rows].map((row) => row.map(quote).join(",")).join("\r\n") + "\r\n";
}

// A cell that begins like a formula would be computed by a spreadsheet; the names come from anywhere.
function quote(cell) {
  if (cell === undefined || cell === null) return "";
  if (typeof cell === "number") return String(Number(cell.toPrecision(6)));
  if (typeof cell === "boolean") return cell ? "True" : "False";
  const text = /^[=+\-@\t\r]/.test(cell) ? `'${cell}` : cell;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
