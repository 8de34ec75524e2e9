// Reads the folder again, and says what stands in the way of that.

import { getJson } from "./api.js";
import { update } from "./state.js";
import { by } from "./text.js";
import { say } from "./words.js";

export async function refresh() {
  try {
    update({ folder: await getJson("folder") });
    by("token-form").hidden = true;
    complain("");
    return true;
  } catch (error) {
    by("token-form").hidden = error.status !== 401;
    if (error.status === 401) by("token").focus();
    else complain(describe(error));
    return false;
  }
}

export function complain(text) {
  by("problem").textContent = text;
  by("problem").hidden = !text;
}

// Does what the user asked for, and says why if it cannot be done.
export async function attempt(work) {
  try {
    complain("");
    return await work();
  } catch (error) {
    complain(describe(error));
    by("problem").scrollIntoView({ block: "nearest" });
    return null;
  }
}

const describe = (error) => (error.status === 0 ? say("lost") : error.message);
