"""Answers for pictures from a file that `discern export` wrote; needs onnxruntime, numpy and Pillow, and not discern.

    python onnx_predict.py birds.onnx a.jpg b.png

To be done here: decode the picture, turn it upright and make it 8-bit RGB. The graph does all else: it resizes and
crops or pads, normalises, runs the network, calibrates, and gives probabilities in the order of the class names.
"""

import json
import sys

import numpy as np
import onnxruntime
from PIL import Image, ImageOps


def to_upright_rgb(image):
    """Return a picture as discern decodes it: upright, transparency on white, 16 bits divided by 257."""
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I"):  # 16-bit grey, which Pillow itself would cut off at 255
        return Image.fromarray(((np.asarray(image).astype(np.uint32) + 128) // 257).astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGB")


session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
class_names = json.loads(session.get_modelmeta().custom_metadata_map["class_names"])
for path in sys.argv[2:]:
    with Image.open(path) as image:
        pixels = np.asarray(to_upright_rgb(image))[None]  # uint8 (1, H, W, 3), of any height and width
    (probabilities,) = session.run(["probabilities"], {"images": pixels})
    best = int(probabilities[0].argmax())
    print(f"{path},{class_names[best]},{probabilities[0, best]:.6f}")
