// What the page asks of the worker.

export class Refused extends Error {
  constructor({ problem, details }) {
    super(details);
    this.problem = problem;
  }
}

// Starts the worker; the promise is fulfilled with a function from a picture to its probabilities.
export async function startEngine(facts) {
  const [binary, model] = await Promise.all([unpack("runtime"), unpack("model")]);
  const source = new Blob([takeText("worker")], { type: "text/javascript" });
  const ask = connect(new Worker(URL.createObjectURL(source)));
  // A worker of a page from a file may import from nowhere else.
  const library = `data:text/javascript;base64,${takeText("library")}`;
  await ask({ start: { library, binary, model, known: facts } }, [binary, model]);
  return (picture) => ask({ picture }, picture instanceof ImageBitmap ? [picture] : []);
}

function connect(worker) {
  const waiting = new Map();
  let last = 0;
  worker.addEventListener("message", ({ data: { id, ...reply } }) => {
    const { resolve, reject } = waiting.get(id);
    waiting.delete(id);
    if (reply.problem) reject(new Refused(reply));
    else resolve(reply);
  });
  worker.addEventListener("error", ({ message }) => {
    for (const { reject } of waiting.values()) reject(new Refused({ problem: "problem_failed", details: message }));
    waiting.clear();
  });
  return (message, handedOver) =>
    new Promise((resolve, reject) => {
      last += 1;
      waiting.set(last, { resolve, reject });
      worker.postMessage({ id: last, ...message }, handedOver);
    });
}

// The parts of the page that are unpacked are no longer needed as text.
function takeText(id) {
  const element = document.getElementById(id);
  element.remove();
  return element.textContent;
}

function unpack(id) {
  const text = atob(takeText(id));
  const packed = new Uint8Array(text.length);
  for (let place = 0; place < text.length; place += 1) packed[place] = text.charCodeAt(place);
  return new Response(new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();
}
