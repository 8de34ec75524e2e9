// A picture fitted to the square that the network sees, level by level as Pillow does it for `discern predict`.
// Source: precompute_coeffs, normalize_coeffs_8bpc and ImagingResampleHorizontal_8bpc of Pillow's Resample.c.

const WEIGHT_BITS = 22;
const ONE = 1 << WEIGHT_BITS;
const HALF = 1 << (WEIGHT_BITS - 1);

// Takes RGBA pixels and returns RGB pixels, both row by row.
export function fitPicture({ data, width, height }, { image_size: side, fit, fill }) {
  const { seen, target } = place(width, height, side, fit);
  const columns = computeWeights(width, seen.left, seen.right, target.width);
  const rows = computeWeights(height, seen.top, seen.bottom, target.height);
  const picture = { pixels: data, width, height, step: 4 };
  // Pillow 13 takes the rows first in high pictures; rounding between the passes makes the order visible.
  const isHigh = height - target.height > 2 * Math.max(width - target.width, 0);
  const fitted = isHigh
    ? resampleAcross(resampleDown(picture, rows, columns), shift(columns))
    : resampleDown(resampleAcross(picture, columns, rows), shift(rows));
  return target.width === side && target.height === side ? fitted.pixels : fillAround(fitted, target, side, fill);
}

// Which part of a picture is seen, and where in the square it goes.
function place(width, height, side, fit) {
  if (fit === "crop") {
    const shorter = Math.min(width, height);
    const [left, top] = [(width - shorter) / 2, (height - shorter) / 2];
    return {
      seen: { left, top, right: left + shorter, bottom: top + shorter },
      target: { left: 0, top: 0, width: side, height: side },
    };
  }
  const seen = { left: 0, top: 0, right: width, bottom: height };
  if (fit === "squash") return { seen, target: { left: 0, top: 0, width: side, height: side } };
  const scale = side / Math.max(width, height);
  const [inner, outer] = [width, height].map((length) => Math.max(1, roundHalfToEven(length * scale)));
  return {
    seen,
    target: { left: (side - inner) >> 1, top: (side - outer) >> 1, width: inner, height: outer },
  };
}

// As Python rounds.
function roundHalfToEven(value) {
  const below = Math.floor(value);
  if (value - below !== 0.5) return Math.round(value);
  return below % 2 === 0 ? below : below + 1;
}

// For each place of an axis: the first pixel that it gathers from, and what each pixel gives, in 22 bits.
function computeWeights(length, start, end, places) {
  const scale = (end - start) / places;
  const reach = Math.max(scale, 1);
  return Array.from({ length: places }, (_, place) => {
    const centre = start + (place + 0.5) * scale;
    const first = Math.max(0, Math.trunc(centre - reach + 0.5));
    const last = Math.min(length, Math.trunc(centre + reach + 0.5));
    const triangle = Array.from({ length: last - first }, (_, tap) =>
      Math.max(0, 1 - Math.abs((tap + first - centre + 0.5) * (1 / reach))),
    );
    const sum = triangle.reduce((total, value) => total + value, 0);
    return { first, values: Int32Array.from(triangle, (value) => Math.trunc(0.5 + (value / sum) * ONE)) };
  });
}

// The first pass leaves only the lines that the second one gathers from.
function shift(weights) {
  const start = weights[0].first;
  return weights.map(({ first, values }) => ({ first: first - start, values }));
}

function linesOf(weights, length) {
  if (!weights) return [0, length];
  const last = weights.at(-1);
  return [weights[0].first, last.first + last.values.length];
}

function resampleAcross({ pixels, width, height, step }, weights, next) {
  const [start, end] = linesOf(next, height);
  const result = { width: weights.length, height: end - start, step: 3 };
  result.pixels = new Uint8Array(result.width * result.height * 3);
  for (let row = start; row < end; row += 1) {
    for (let place = 0; place < weights.length; place += 1) {
      const { first, values } = weights[place];
      const to = ((row - start) * weights.length + place) * 3;
      gather(pixels, (row * width + first) * step, step, values, result.pixels, to);
    }
  }
  return result;
}

function resampleDown({ pixels, width, step }, weights, next) {
  const [start, end] = linesOf(next, width);
  const result = { width: end - start, height: weights.length, step: 3 };
  result.pixels = new Uint8Array(result.width * result.height * 3);
  for (let place = 0; place < weights.length; place += 1) {
    const { first, values } = weights[place];
    for (let column = start; column < end; column += 1) {
      const to = (place * result.width + column - start) * 3;
      gather(pixels, (first * width + column) * step, width * step, values, result.pixels, to);
    }
  }
  return result;
}

function gather(pixels, start, stride, values, result, to) {
  let [red, green, blue] = [HALF, HALF, HALF];
  for (let tap = 0, from = start; tap < values.length; tap += 1, from += stride) {
    const weight = values[tap];
    red += Math.imul(pixels[from], weight);
    green += Math.imul(pixels[from + 1], weight);
    blue += Math.imul(pixels[from + 2], weight);
  }
  result[to] = red >> WEIGHT_BITS;
  result[to + 1] = green >> WEIGHT_BITS;
  result[to + 2] = blue >> WEIGHT_BITS;
}

function fillAround(fitted, target, side, fill) {
  const pixels = new Uint8Array(side * side * 3);
  for (let place = 0; place < pixels.length; place += 3) pixels.set(fill, place);
  for (let row = 0; row < target.height; row += 1) {
    const line = fitted.pixels.subarray(row * target.width * 3, (row + 1) * target.width * 3);
    pixels.set(line, ((target.top + row) * side + target.left) * 3);
  }
  return pixels;
}
