// What the run's evaluation got wrong.

import { getJson, getPicture, query } from "./api.js";
import { nameSplit } from "./facts_list.js";
import { by, make } from "./text.js";
import { percent, say, sayCount } from "./words.js";

export async function showMistakes(model) {
  by("gallery").replaceChildren();
  by("mistakes-lead").textContent = say("looking");
  let found;
  try {
    found = await getJson(`mistakes${query({ model })}`);
  } catch (error) {
    by("mistakes-lead").textContent = error.status === 404 ? say("mistakes_none") : error.message;
    return;
  }
  const { count, split } = found;
  const values = { pictures: sayCount("pictures", found.pictures), split: nameSplit(split) };
  by("mistakes-lead").textContent = count ? sayCount("mistakes", count, values) : say("mistakes_none");
  by("gallery").replaceChildren(...found.mistakes.map((mistake) => draw(mistake, model)));
}

function draw(mistake, model) {
  const item = make("li", { title: mistake.id });
  const fill = () =>
    getPicture(`mistakes/${mistake.index}${query({ model })}`).then(
      (source) => item.prepend(make("img", { src: source, alt: mistake.id })),
      () => item.prepend(make("span", { className: "gone" }, mistake.id)),
    );
  new IntersectionObserver((entries, observer) => {
    if (!entries.some((entry) => entry.isIntersecting)) return;
    observer.disconnect();
    fill();
  }).observe(item);
  item.append(
    make("strong", {}, mistake.predicted),
    make("span", { className: "soft" }, say("mistake", { label: mistake.true, confidence: percent(mistake.confidence) })),
  );
  return item;
}
