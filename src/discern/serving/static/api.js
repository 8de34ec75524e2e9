// What is asked of the server; the token, where one is needed, is kept for this tab alone.

import { say } from "./words.js";

// Two pages below one address, each with a server of its own, share what a tab keeps.
const TOKEN = `discern-token ${location.pathname}`;

// A link may bring the token behind #, which is never sent; it does not stay in the address.
if (location.hash.startsWith("#token=")) {
  sessionStorage.setItem(TOKEN, decodeURIComponent(location.hash.slice("#token=".length)));
  history.replaceState(null, "", location.pathname);
}

export class Refused extends Error {
  constructor(status, reason) {
    super(reason);
    this.status = status;
  }
}

export function useToken(token) {
  sessionStorage.setItem(TOKEN, token);
}

export const heldToken = () => sessionStorage.getItem(TOKEN) ?? "";

// A path is relative to the page, which may itself stand below another.
async function ask(path, options = {}) {
  const token = heldToken();
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  let response;
  try {
    response = await fetch(path, { ...options, headers: { ...options.headers, ...headers } });
  } catch {
    throw new Refused(0, say("gone"));
  }
  return response;
}

async function readProblem(response) {
  try {
    return (await response.json()).error?.reason ?? response.statusText;
  } catch {
    return response.statusText || `status ${response.status}`;
  }
}

// Returns an answer that can be read; any other is thrown as what the server says of it.
export async function request(path, options) {
  const response = await ask(path, options);
  if (!response.ok) throw new Refused(response.status, await readProblem(response));
  return response;
}

export const getJson = async (path) => (await request(path)).json();

export async function postJson(path, content) {
  const headers = { "Content-Type": "application/json" };
  return (await request(path, { method: "POST", body: JSON.stringify(content), headers })).json();
}

// Pictures are fetched with the token, which an <img> could not send.
export const getPicture = async (path) => URL.createObjectURL(await (await request(path)).blob());

export function query(parameters) {
  const given = Object.entries(parameters).filter(([, value]) => value !== undefined && value !== "");
  return given.length ? `?${new URLSearchParams(given)}` : "";
}

const pause = (seconds) => new Promise((resume) => setTimeout(resume, 1000 * seconds));

// Returns an answer for each file, in their order; a busy server is asked again.
export async function predict(files, parameters) {
  for (let attempt = 1; ; attempt += 1) {
    const form = new FormData();
    for (const file of files) form.append("files", file, file.name || "picture");
    const response = await ask(`predict${query(parameters)}`, { method: "POST", body: form });
    if (response.status === 503 && attempt < 10) {
      await pause(Number(response.headers.get("Retry-After")) || 1);
      continue;
    }
    const content = await response.json().catch(() => ({}));
    if (content.pictures) return content;
    const reason = content.error?.reason ?? response.statusText;
    throw new Refused(response.status, reason);
  }
}
