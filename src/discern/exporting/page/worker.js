// The network, in a worker: whatever it takes, the page goes on.

import { decode } from "./decode.js";
import { fitPicture } from "./fitting.js";

let runtime;
let session;
let facts;
let turn = Promise.resolve();

self.addEventListener("message", ({ data }) => {
  turn = turn.then(() => reply(data));
});

async function reply({ id, start, picture }) {
  try {
    self.postMessage({ id, ...(start ? await begin(start) : await answer(picture)) });
  } catch (error) {
    self.postMessage({ id, problem: error.problem ?? "problem_failed", details: String(error) });
  }
}

// All that the runtime needs is handed over: it may fetch nothing, and has one thread, since a page that was opened
// from a file shares no memory between threads.
async function begin({ library, binary, model, known }) {
  facts = known;
  runtime = await import(library);
  runtime.env.wasm.numThreads = 1;
  runtime.env.wasm.wasmBinary = binary;
  session = await runtime.InferenceSession.create(new Uint8Array(model), { executionProviders: ["wasm"] });
  return {};
}

async function answer(picture) {
  const start = performance.now();
  const { image_size: side } = facts.preprocess;
  const pixels = fitPicture(await decode(picture, facts.max_pixels), facts.preprocess);
  const images = new runtime.Tensor("uint8", pixels, [1, side, side, 3]);
  const { probabilities } = await session.run({ images }, ["probabilities"]);
  return { probabilities: [...probabilities.data], milliseconds: performance.now() - start };
}
