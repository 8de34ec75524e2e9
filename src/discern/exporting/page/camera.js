// Live answers to what the camera sees.

import { decide, showAnswer } from "./answer.js";
import { by } from "./text.js";
import { say } from "./words.js";

export class Camera {
  constructor(facts, engine, findThreshold, keep) {
    this.facts = facts;
    this.engine = engine;
    this.findThreshold = findThreshold;
    this.panel = by("camera");
    this.video = by("video");
    this.stream = null;
    by("watch").hidden = !navigator.mediaDevices?.getUserMedia;
    by("watch").addEventListener("click", () => this.start());
    by("stop").addEventListener("click", () => this.stop());
    by("keep").addEventListener("click", () => this.keepFrame(keep));
  }

  async start() {
    if (!this.panel.hidden) return;
    this.panel.hidden = false;
    this.panel.querySelector(".label").textContent = say("looking");
    try {
      this.stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
    } catch {
      this.fail("problem_camera");
      return;
    }
    // It may have been stopped while the browser asked for leave.
    if (this.panel.hidden) this.stop();
    else await this.watch().catch(() => this.stream && this.fail("problem_failed"));
  }

  async watch() {
    this.video.srcObject = this.stream;
    await this.video.play();
    by("keep").focus();
    const engine = await this.engine;
    while (this.stream) await this.look(engine);
  }

  fail(problem) {
    this.panel.querySelector(".label").textContent = say("failed");
    this.panel.querySelector(".why").textContent = say(problem);
  }

  async look(engine) {
    const { probabilities } = await engine(await createImageBitmap(this.video));
    const answer = decide(probabilities, this.facts.class_names, this.findThreshold());
    if (this.stream) showAnswer(this.panel, answer);
    await new Promise(requestAnimationFrame);
  }

  stop() {
    for (const track of this.stream?.getTracks() ?? []) track.stop();
    this.stream = null;
    this.video.srcObject = null;
    this.panel.hidden = true;
    this.panel.querySelector(".why").textContent = "";
    this.panel.querySelector(".bars").replaceChildren();
    by("watch").focus();
  }

  async keepFrame(keep) {
    if (!this.stream) return;
    const canvas = new OffscreenCanvas(this.video.videoWidth, this.video.videoHeight);
    canvas.getContext("2d").drawImage(this.video, 0, 0);
    const time = new Date().toTimeString().slice(0, 8).replaceAll(":", ".");
    keep(new File([await canvas.convertToBlob()], `${time}.png`, { type: "image/png" }));
  }
}
