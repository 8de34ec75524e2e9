// Small pictures by their keys, each fetched once as long as it may be shown again soon.

import { getPicture, query } from "./api.js";
import { make } from "./text.js";

const MAX_KEPT = 60;
const kept = new Map();

// What shows it has the words, so that it needs none of its own.
export function showThumbnail(key) {
  if (!kept.has(key)) {
    const image = make("img", { alt: "" });
    image.addEventListener("load", () => URL.revokeObjectURL(image.src), { once: true });
    getPicture(`picture${query({ key, size: "small" })}`).then((source) => (image.src = source), () => {});
    kept.set(key, image);
    if (kept.size > MAX_KEPT) kept.delete(kept.keys().next().value);
  }
  return kept.get(key);
}
