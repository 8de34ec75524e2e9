// Try: a classifier answers pictures, on the page of discern serve.

import { followRuns } from "./choice.js";
import { CommandLine } from "./command_line.js";
import { PageFrame } from "./page_frame.js";
import { by } from "./text.js";

export function startTry() {
  const command = new CommandLine(by("try-command"));
  const frame = new PageFrame(by("try-frame"), { form: by("try-form"), command: "serve" });
  const wish = () => ({ command: "serve", run: by("try-run").value });
  by("try-form").addEventListener("submit", (event) => {
    event.preventDefault();
    frame.open(wish(), by("try-run").value);
  });
  followRuns(by("try-run"), (run) => run.is_complete, (run) => {
    by("try-form").hidden = !run || by("try-frame").hasChildNodes();
    by("try-none").hidden = Boolean(run);
    command.show(run ? wish() : null);
  });
}
