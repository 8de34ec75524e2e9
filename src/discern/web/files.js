// Files from the user: chosen, photographed, dropped or pasted.

import { by } from "./text.js";

export function listenForFiles(add) {
  for (const id of ["choose", "photograph"]) {
    by(id).addEventListener("change", ({ target }) => {
      add([...target.files]);
      target.value = "";
    });
  }
  document.addEventListener("paste", ({ clipboardData }) => add([...(clipboardData?.files ?? [])]));
  const mark = (on) => by("drop").classList.toggle("over", on);
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    mark(true);
  });
  document.addEventListener("dragleave", (event) => event.relatedTarget === null && mark(false));
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    mark(false);
    add([...event.dataTransfer.files]);
  });
}
