// A file, or a frame of the camera, as upright pixels.

export class Unreadable extends Error {
  constructor(problem) {
    super(problem);
    this.problem = problem;
  }
}

// The browser decodes, and turns a photo upright by its EXIF. Colour profiles are ignored, as in training.
export async function decode(picture, maxPixels) {
  const bitmap = picture instanceof ImageBitmap ? picture : await open(picture);
  try {
    const { width, height } = bitmap;
    if (width * height > maxPixels) throw new Unreadable("problem_too_large");
    return drawOnWhite(bitmap, width, height);
  } finally {
    bitmap.close();
  }
}

async function open(file) {
  try {
    return await createImageBitmap(file, { imageOrientation: "from-image", colorSpaceConversion: "none" });
  } catch {
    throw new Unreadable("problem_unreadable");
  }
}

function drawOnWhite(bitmap, width, height) {
  const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  if (!context) throw new Unreadable("problem_too_large");
  context.imageSmoothingEnabled = false;
  context.fillStyle = "#ffffff";
  context.fillRect(0, 0, width, height);
  context.drawImage(bitmap, 0, 0);
  return context.getImageData(0, 0, width, height);
}
