// Follows the commands by server-sent events; an EventSource could not send the token.

import { request } from "./api.js";
import { complain, refresh } from "./refresh.js";
import { state, update } from "./state.js";
import { say } from "./words.js";

const PAUSE_SECONDS = 2;

let isFollowing = false;

export async function followTasks() {
  if (isFollowing) return;
  isFollowing = true;
  let isLost = false;
  for (;;) {
    try {
      for await (const tasks of readEvents(await request("events"))) {
        if (isLost) await refresh();
        isLost = false;
        take(tasks);
      }
    } catch {
      isLost = true;
      complain(say("gone"));
      await new Promise((resume) => setTimeout(resume, 1000 * PAUSE_SECONDS));
    }
  }
}

async function* readEvents(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    text += value;
    const events = text.split("\n\n");
    text = events.pop();
    for (const event of events) if (event.startsWith("data: ")) yield JSON.parse(event.slice(6));
  }
}

// A command that has ended has left something in the folder.
function take(tasks) {
  const running = new Set(state.tasks.filter((task) => task.state === "running").map((task) => task.number));
  const hasEnded = tasks.some((task) => running.has(task.number) && task.state !== "running");
  update({ tasks });
  if (hasEnded) refresh();
}
