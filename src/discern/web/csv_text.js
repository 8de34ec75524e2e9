// Tables as text for other programs.

export function writeCsv(rows) {
  return rows.map((row) => row.map(quote).join(",")).join("\r\n") + "\r\n";
}

// A cell that begins like a formula would be computed by a spreadsheet; the names come from anywhere.
function quote(cell) {
  if (cell === undefined || cell === null) return "";
  if (typeof cell === "number") return String(Number(cell.toPrecision(6)));
  if (typeof cell === "boolean") return cell ? "True" : "False";
  const text = /^[=+\-@\t\r]/.test(cell) ? `'${cell}` : cell;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
