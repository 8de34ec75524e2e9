// Reads the folder again, and says what stands in the way of that.

import { getJson } from "./api.js";
import { update } from "./state.js";
import { by } from "./text.js";

export async function refresh() {
  try {
    update({ folder: await getJson("folder") });
    by("token-form").hidden = true;
    complain("");
    return true;
  } catch (error) {
    by("token-form").hidden = error.status !== 401;
    if (error.status === 401) by("token").focus();
    else complain(error.message);
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
    complain(error.message);
    by("problem").scrollIntoView({ block: "nearest" });
    return null;
  }
}
