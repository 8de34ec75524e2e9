// How far the labelling is: the promise, the curve, the labels of each class, and the last answers.

import { showCount } from "./asking.js";
import { drawCurve } from "./learning_curve.js";
import { drawBar } from "./svg.js";
import { by, make } from "./text.js";
import { showThumbnail } from "./thumbnails.js";
import { percent, say, sayCount, write } from "./words.js";

const REASONS = ["none", "unsure", "skip"];
const SHOWN_ANSWERS = 5;

export function showProgress({ progress, next_step: nextStep }, correct) {
  const { answered, pictures, goal, goal_reached: isReached, curve } = progress;
  showCount(answered, pictures);
  by("reached").hidden = !isReached;
  by("next-step").textContent = nextStep;
  by("goal").textContent = say("goal", { answered: percent(goal.answered), wrong: percent(goal.wrong) });
  by("goal").classList.toggle("kept", isReached);
  by("promise").textContent = describePromise(progress);
  by("forecast").textContent = describeForecast(progress);
  by("solving").textContent = progress.is_solving ? say("solving") : "";
  by("curve").replaceChildren(curve.length ? drawCurve(curve) : make("p", { className: "soft small" }, say("curve_none")));
  showCounts(progress);
  showHistory(progress.history.slice(0, SHOWN_ANSWERS), correct);
}

export const describeAnswer = ({ label, reason }) => label || say(reason);

function describePromise({ promise, goal, kept_apart: count, next_look: next }) {
  const test = next ? [sayCount("next_test", next)] : [];
  if (!promise) return [say("promise_none", { count }), ...test].join(" ");
  const parts = [say("promise", { wrong: percent(goal.wrong), ...describeInterval("answered", promise.answered) })];
  if (promise.error) parts.push(say("promise_error", { wanted: percent(goal.answered), ...describeInterval("error", promise.error) }));
  if (promise.error_high < 1) parts.push(say("promise_checked", { error: percent(promise.error_high) }));
  return [...parts, say("promise_from", { count: promise.pictures }), ...test].join(" ");
}

const describeInterval = (name, { value, low, high }) => ({ [name]: percent(value), low: percent(low), high: percent(high) });

function describeForecast({ forecast, goal_reached: isReached, is_in_reach: isInReach, next_look: next }) {
  if (isReached) return say("forecast_reached");
  if (!isInReach) return say("forecast_never");
  if (!next) return say("forecast_over");
  return forecast ? say("forecast", { low: forecast[0], high: forecast[1] }) : say("forecast_none");
}

function showCounts({ counts, reasons }) {
  const most = Math.max(1, ...Object.values(counts));
  const bars = Object.entries(counts).map(([name, count]) => drawBar(name, write(count), count / most));
  by("counts").replaceChildren(...(bars.length ? bars : [make("li", { className: "soft" }, say("none_yet"))]));
  const given = REASONS.filter((reason) => reasons[reason]);
  by("reasons").textContent = given.map((reason) => say(`reason_${reason}`, { count: reasons[reason] })).join(" · ");
}

function showHistory(history, correct) {
  const items = history.map((past, place) => {
    const label = `${describeAnswer(past)}, ${say("picture_of", { number: place + 1 })}`;
    const button = make("button", { className: "past", ariaLabel: label }, showThumbnail(past.key), make("span", {}, describeAnswer(past)));
    button.addEventListener("click", () => correct(past));
    return make("li", {}, button);
  });
  by("history").replaceChildren(...(items.length ? items : [make("li", { className: "soft" }, say("none_yet"))]));
}
