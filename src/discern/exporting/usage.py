"""What a user of exported weights needs beside them: the facts as JSON, and an example in Python."""

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from string import Template

from discern.exporting.plain_network import PlainNetwork
from discern.exporting.weights_format import WeightsFile
from discern.files import write_atomically, write_json

logger = logging.getLogger("discern")


def save_usage(file: Path) -> None:
    """Write FILE.json, with class names and preprocessing, and FILE.py, which classifies pictures with them."""
    facts = _read_facts(WeightsFile(file, 1).metadata)
    write_json(file.with_name(f"{file.name}.json"), facts)
    example = file.with_name(f"{file.name}.py")
    write_atomically(example, _write_example(facts, is_pth=file.suffix == ".pth"))
    logger.info("class names and preprocessing: %s.json; an example to start from: python %s PICTURE", file, example)


def _read_facts(metadata: Mapping[str, str]) -> dict[str, object]:
    return {name: json.loads(value) if value[0] in "[{" else value for name, value in sorted(metadata.items())}


def _write_example(facts: Mapping[str, object], *, is_pth: bool) -> str:
    plain = PlainNetwork.model_validate(facts["network"])
    preprocessing = facts["preprocessing"]
    assert isinstance(preprocessing, dict)
    return _EXAMPLE.substitute(
        load="torch.load(WEIGHTS, weights_only=True)" if is_pth else "load_file(WEIGHTS)",
        imports="\n".join(_import_lines(plain, is_pth=is_pth)),
        network="\n".join(_build_lines(plain)),
        fit=_FITS[preprocessing["fit"]],
    )


def _import_lines(plain: PlainNetwork, *, is_pth: bool) -> list[str]:
    """Return the lines that import what builds and loads the network."""
    lines = [_IMPORTS[plain.library], "import torch", "from PIL import Image, ImageOps"]
    lines += [] if is_pth else ["from safetensors.torch import load_file"]
    return [*lines, "from torch import nn"] if plain.hidden_features else lines


def _build_lines(plain: PlainNetwork) -> list[str]:
    """Return the lines that build the network."""
    call = {
        "torchvision": f"torchvision.models.{plain.name}(num_classes=len(class_names))",
        "timm": f'timm.create_model("{plain.name}", num_classes=len(class_names))',
        "discern": f'RESNETS["{plain.name}"](num_classes=len(class_names), stem="{plain.stem}")',
    }[plain.library]
    lines = [f"network = {call}"]
    if plain.image_size:
        lines.append(f"network.set_input_size(({plain.image_size}, {plain.image_size}))")
    if plain.hidden_features:
        lines.append(f"widths = [network.{plain.classifier}.in_features, {', '.join(map(str, plain.hidden_features))}]")
        lines.append("layers = []")
        lines.append("for width_in, width_out in zip(widths, widths[1:]):")
        lines.append(f"    layers += [nn.Linear(width_in, width_out), nn.ReLU(), nn.Dropout({plain.dropout:g})]")
        lines.append(f"network.{plain.classifier} = nn.Sequential(*layers, nn.Linear(widths[-1], len(class_names)))")
    return lines


_IMPORTS = {
    "torchvision": "import torchvision",
    "timm": "import timm",
    "discern": "from discern.models.resnet_backbone import RESNETS  # torchvision and timm have no such network",
}

_FITS = {
    "squash": "    image = image.resize((size, size), Image.Resampling.BILINEAR)",
    "crop": "    image = ImageOps.fit(image, (size, size), Image.Resampling.BILINEAR)",
    "pad": """\
    width, height = (max(1, round(side * size / max(image.size))) for side in image.size)
    canvas = Image.new("RGB", (size, size), tuple(round(255 * value) for value in preprocessing["mean"]))
    canvas.paste(
        image.resize((width, height), Image.Resampling.BILINEAR), ((size - width) // 2, (size - height) // 2)
    )
    image = canvas""",
}

_EXAMPLE = Template('''\
"""Classifies pictures with the weights beside it, from which it has its name: python NAME.py PICTURE ..."""

import json
import sys
from pathlib import Path

import numpy as np
$imports

WEIGHTS = Path(__file__).with_suffix("")
facts = json.loads(Path(f"{WEIGHTS}.json").read_text(encoding="utf-8"))
class_names, preprocessing = facts["class_names"], facts["preprocessing"]

$network
network.load_state_dict($load)
network.eval()


def prepare(path):
    """Return a picture as an image (3, S, S) for the network."""
    size = preprocessing["image_size"]
    # Pictures with transparency or more than 8 bits need the rules in facts["decode_rules"].
    image = ImageOps.exif_transpose(Image.open(path)).convert("RGB")
$fit
    pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1) / 255
    mean, std = (torch.tensor(preprocessing[name]).view(3, 1, 1) for name in ("mean", "std"))
    return (pixels - mean) / std


if __name__ == "__main__":
    for path in sys.argv[1:]:
        with torch.inference_mode():
            probabilities = network(prepare(path)[None]).softmax(dim=1)[0]
        best = int(probabilities.argmax())
        print(f"{path}: {class_names[best]} {float(probabilities[best]):.4f}")
''')
