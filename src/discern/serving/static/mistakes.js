// What the run's evaluation got wrong.

import { getJson, getPicture, query } from "./api.js";
import { countOf, make, percent } from "./text.js";

const lead = document.getElementById("mistakes-lead");
const gallery = document.getElementById("gallery");

export async function showMistakes(model) {
  gallery.replaceChildren();
  lead.textContent = "Loading…";
  let found;
  try {
    found = await getJson(`mistakes${query({ model })}`);
  } catch (error) {
    lead.textContent = error.status === 404 ? "There are no mistakes to show." : error.message;
    return;
  }
  lead.textContent = `${countOf(found.count, "mistake")} among ${countOf(found.pictures, "picture")} of the ${found.split} split, the most confident first`;
  gallery.replaceChildren(...found.mistakes.map((mistake) => draw(mistake, model)));
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
    make("span", { className: "soft" }, `${percent(mistake.confidence)} sure; it is ${mistake.true}`),
  );
  return item;
}
