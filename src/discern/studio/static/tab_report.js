// Report: the pages that trainings, audits and comparisons have written.

import { getJson } from "./api.js";
import { fillChoices } from "./choice.js";
import { CommandLine } from "./command_line.js";
import { PageFrame } from "./page_frame.js";
import { attempt } from "./refresh.js";
import { state, update, watch } from "./state.js";
import { by } from "./text.js";

export function startReport() {
  const command = new CommandLine(by("report-command"));
  const frame = new PageFrame(by("report-frame"));
  let shown = "";
  by("report-page").addEventListener("change", ({ target }) => update({ report: target.value }));
  watch(["folder", "report", "tab"], async () => {
    const pages = listPages();
    fillChoices(by("report-page"), pages, state.report ?? `${state.run}/report.html`);
    const page = by("report-page").value;
    by("report-none").hidden = pages.length > 0;
    if (state.tab !== "report") return;
    const made = findTime(page);
    if (`${page} ${made}` === shown) return;
    shown = `${page} ${made}`;
    await showPage(page, frame);
    const run = page.replace(/\/report\.html$/, "");
    command.show(page.endsWith("/report.html") ? { command: "report", run } : null);
  });
}

function listPages() {
  const { runs, pages } = state.folder;
  const reports = runs.filter((run) => run.has_report).map(({ place }) => [`${place}/report.html`, place]);
  return [...reports, ...pages.filter(({ page }) => page).map(({ page, place }) => [page, place])];
}

// When the page was last written, so that a new report is shown.
function findTime(page) {
  const { runs, pages } = state.folder;
  return [...runs, ...pages].find(({ place }) => page.startsWith(`${place}/`))?.made;
}

async function showPage(page, frame) {
  by("report-alone").hidden = !page;
  if (!page) return frame.close();
  const found = await attempt(() => getJson(`link?${new URLSearchParams({ place: page })}`));
  if (!found) return;
  by("report-alone").href = found.link;
  frame.show(found.link, page);
}
