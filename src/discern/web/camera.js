// Live answers to what the camera sees.

import { by } from "./text.js";

export class Camera {
  // `look` returns the answer to what a video shows, `show` draws it in the panel, `keep` takes a picture as a file, and
  // `say` has the words of the page.
  constructor({ look, show, keep, say }) {
    this.look = look;
    this.show = show;
    this.say = say;
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
    this.panel.querySelector(".label").textContent = this.say("looking");
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
    while (this.stream) {
      const answer = await this.look(this.video);
      if (this.stream) this.show(this.panel, answer);
      await new Promise(requestAnimationFrame);
    }
  }

  fail(problem) {
    this.panel.querySelector(".label").textContent = this.say("failed");
    this.panel.querySelector(".why").textContent = this.say(problem);
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
    const time = new Date().toTimeString().slice(0, 8).replaceAll(":", ".");
    keep(new File([await grabFrame(this.video)], `${time}.png`, { type: "image/png" }));
  }
}

export function grabFrame(video, options = {}) {
  const canvas = new OffscreenCanvas(video.videoWidth, video.videoHeight);
  canvas.getContext("2d").drawImage(video, 0, 0);
  return canvas.convertToBlob(options);
}
