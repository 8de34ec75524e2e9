// The share of wrong answers that is allowed, and the confidence which that takes.

import { by, make } from "./text.js";
import { percent, say } from "./words.js";

export function findThreshold(facts) {
  return findChosen(facts)?.threshold ?? 0;
}

export function showThresholds(facts) {
  const select = by("max-error");
  const chosen = select.value;
  const options = facts.thresholds.map(({ max_error: share, threshold }) => {
    const words = say(threshold === null ? "error_unsupported" : "error_at_most", { share: percent(share) });
    return make("option", { value: share, disabled: threshold === null, textContent: words });
  });
  select.replaceChildren(make("option", { value: "", textContent: say("error_any") }), ...options);
  select.value = chosen;
  showPromise(facts);
}

export function showPromise(facts) {
  const point = findChosen(facts);
  by("promise").textContent = point
    ? say("promise", {
        threshold: percent(point.threshold),
        coverage: percent(point.coverage),
        pictures: point.pictures,
        error: percent(point.error),
        error_high: percent(point.error_high),
      })
    : "";
}

function findChosen(facts) {
  return facts.thresholds.find(({ max_error: share }) => String(share) === by("max-error").value);
}
