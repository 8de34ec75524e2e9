"use strict";

// Sortable tables: each heading becomes a button, which works with mouse, touch and keyboard.
for (const table of document.querySelectorAll("table.sortable")) {
  const headings = [...table.tHead.rows[0].cells];
  headings.forEach((heading, column) => {
    if (heading.tagName !== "TH") return;
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    heading.append(button);
    button.addEventListener("click", () => sortBy(table, headings, column));
  });
}

function sortBy(table, headings, column) {
  const direction = headings[column].getAttribute("aria-sort") === "ascending" ? "descending" : "ascending";
  const isNumber = headings[column].classList.contains("number");
  const rows = [...table.tBodies[0].rows].map((row) => ({ row, value: readValue(row.cells[column], isNumber) }));
  rows.sort((one, other) => compare(one.value, other.value, direction === "ascending" ? 1 : -1));
  table.tBodies[0].append(...rows.map((entry) => entry.row));
  headings.forEach((heading) => heading.removeAttribute("aria-sort"));
  headings[column].setAttribute("aria-sort", direction);
}

function readValue(cell, isNumber) {
  const text = cell.dataset.value ?? cell.textContent.trim();
  if (!isNumber) return text;
  const number = parseFloat(text.replace(/\s/g, ""));
  return Number.isNaN(number) ? null : number;
}

// Rows without a value come last in both directions.
function compare(one, other, sign) {
  if (one === null || other === null) return (one === null) - (other === null);
  if (typeof one === "number") return sign * (one - other);
  return sign * one.localeCompare(other, undefined, { numeric: true });
}

// All folded parts are open on paper.
const opened = new Set();
window.addEventListener("beforeprint", () => {
  for (const part of document.querySelectorAll("details:not([open])")) {
    opened.add(part);
    part.open = true;
  }
});
window.addEventListener("afterprint", () => {
  for (const part of opened) part.open = false;
  opened.clear();
});

// The table of contents marks the section on the screen.
const links = new Map([...document.querySelectorAll(".contents a")].map((link) => [link.hash.slice(1), link]));
const watcher = new IntersectionObserver(
  (entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      for (const link of links.values()) link.removeAttribute("aria-current");
      links.get(entry.target.id)?.setAttribute("aria-current", "true");
    }
  },
  { rootMargin: "0px 0px -75% 0px" },
);
for (const section of document.querySelectorAll("main > section[id]")) watcher.observe(section);
