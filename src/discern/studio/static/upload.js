// Dropped and chosen files: folders are read to their depths, and everything is sent part by part.

import { postJson, request } from "./api.js";
import { attempt, refresh } from "./refresh.js";
import { update } from "./state.js";
import { by } from "./text.js";
import { say, sayCount } from "./words.js";

const PART_BYTES = 16 * 2 ** 20;
const AT_A_TIME = 4;

export function listenForUploads() {
  by("choose-folder").addEventListener("change", ({ target }) => take(target, listChosen(target.files)));
  by("choose-file").addEventListener("change", ({ target }) => take(target, listChosen(target.files)));
  const mark = (on) => by("drop").classList.toggle("over", on);
  const isOurs = (event) => !by("data").hidden && event.dataTransfer?.types.includes("Files");
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    if (isOurs(event)) mark(true);
  });
  document.addEventListener("dragleave", (event) => event.relatedTarget === null && mark(false));
  document.addEventListener("drop", async (event) => {
    event.preventDefault();
    mark(false);
    if (!isOurs(event)) return;
    // The entries must be taken before anything is waited for.
    const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry()).filter(Boolean);
    for (const entry of entries) await sendAll(entry.name, await listEntry(entry));
  });
}

async function take(input, uploads) {
  for (const [name, files] of uploads) await sendAll(name, files);
  input.value = "";
}

// Each file of a folder that was chosen has its path in it; other files stand alone.
function listChosen(files) {
  const uploads = new Map();
  for (const file of files) {
    const [top, ...rest] = (file.webkitRelativePath || file.name).split("/");
    const place = rest.length ? rest.join("/") : top;
    uploads.set(top, [...(uploads.get(top) ?? []), { place, file }]);
  }
  return uploads;
}

async function listEntry(entry, above = null) {
  const place = above === null ? "" : `${above}${entry.name}`;
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
    return [{ place: place || entry.name, file }];
  }
  const found = [];
  for (const inner of await readEntries(entry.createReader())) {
    found.push(...(await listEntry(inner, place ? `${place}/` : "")));
  }
  return found;
}

// A reader gives the entries of a folder by and by.
async function readEntries(reader) {
  const all = [];
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) return all;
    all.push(...some);
  }
}

async function sendAll(name, files) {
  const progress = by("upload");
  progress.hidden = false;
  const found = await attempt(async () => {
    const { key } = await postJson("uploads", { name });
    try {
      await sendFiles(key, files, progress);
      return await postJson(`uploads/${key}/finish`, {});
    } catch (error) {
      postJson(`uploads/${key}/cancel`, {}).catch(() => {});
      throw error;
    }
  });
  progress.hidden = true;
  by("upload-state").textContent = "";
  if (!found) return;
  const leftOut = found.left_out ? ` ${say("upload_left_out", found)}` : "";
  by("upload-state").textContent = sayCount("uploaded", found.files, found) + leftOut;
  await refresh();
  update({ source: found.place });
}

async function sendFiles(key, files, progress) {
  const waiting = files.values();
  let done = 0;
  const sendSome = async () => {
    for (const { place, file } of waiting) {
      await send(key, place, file);
      done += 1;
      progress.value = done / files.length;
      by("upload-state").textContent = say("uploading", { done, all: files.length });
    }
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, sendSome));
}

async function send(key, place, file) {
  for (let offset = 0; offset === 0 || offset < file.size; offset += PART_BYTES) {
    const query = new URLSearchParams({ place, offset });
    const body = file.slice(offset, offset + PART_BYTES);
    const headers = { "Content-Type": "application/octet-stream" };
    const { is_kept: isKept } = await (await request(`uploads/${key}/part?${query}`, { method: "POST", body, headers })).json();
    if (!isKept) return;
  }
}
