// What the server answers to the frames of the camera.

import { predict } from "./api.js";
import { Camera, grabFrame } from "./camera.js";
import { explainUnknown, nameAnswer } from "./result_card.js";
import { drawBar } from "./svg.js";
import { percent, say } from "./words.js";

export function startCamera(classify) {
  return new Camera({
    async look(video) {
      const frame = new File([await grabFrame(video, { type: "image/jpeg", quality: 0.9 })], "camera.jpg");
      return (await predict([frame], classify.settings())).pictures[0];
    },
    show: showAnswer,
    keep: (file) => classify.add([file]),
    say,
  });
}

function showAnswer(panel, answer) {
  const isUnknown = Boolean(answer.reason);
  panel.classList.toggle("unknown", isUnknown);
  // A screen reader reads again what is set again.
  const label = panel.querySelector(".label");
  if (label.textContent !== nameAnswer(answer)) label.textContent = nameAnswer(answer);
  panel.querySelector(".why").textContent = isUnknown ? explainUnknown(answer) : "";
  const bars = answer.top.map((one) => drawBar(one.label, percent(one.confidence), one.confidence));
  panel.querySelector(".bars").replaceChildren(...bars);
}
