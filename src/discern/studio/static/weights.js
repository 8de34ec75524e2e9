// The choice of a pretrained network: the command's own, a file in the folder, or none.

import { fillChoices } from "./choice.js";
import { state } from "./state.js";

// `auto` says what the command chooses, and `none` what it does without any.
export function fillWeights(select, auto, none = null) {
  const files = state.folder.weights.map((place) => [place, place]);
  fillChoices(select, [["", auto], ...files, ...(none === null ? [] : [["none", none]])]);
}

export const readWeights = ({ value }) => ({ weights: value, backbone: guessNetwork(value) });

// Files of weights are named after their network, as timm has it.
function guessNetwork(place) {
  if (!place || place === "none") return "";
  const name = place.split("/").at(-1).replace(/\.safetensors$/, "").replace(/_in1k.*$/, "");
  return /^resnet\d+(-half)?$/.test(name) ? name : `timm:${name}`;
}
