"""The program of a consumer who has no discern, on files that are decoded by rules."""

import csv
import io
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from discern.workflows.predict import predict
from pictures import draw_photo


@pytest.fixture
def odd_files(tmp_path):
    """One picture in the forms that programs like to disagree on."""
    photo = draw_photo((200, 50, 40), 7, size=60).crop((0, 0, 60, 44))
    grey = np.asarray(photo.convert("L")).astype(np.uint16)
    turned = Image.Exif()
    turned[0x0112] = 6
    photo.save(tmp_path / "turned.jpg", exif=turned)
    photo.convert("L").save(tmp_path / "grey.png")
    photo.quantize(64).save(tmp_path / "palette.png")
    photo.convert("CMYK").save(tmp_path / "cmyk.jpg")
    Image.fromarray((grey * 257 - 100 * (grey > 128)).astype(np.uint16)).save(tmp_path / "sixteen_bit.png")
    seen = photo.convert("RGBA")
    seen.putalpha(Image.fromarray(np.linspace(0, 255, 60 * 44).reshape(44, 60).astype(np.uint8)))
    seen.save(tmp_path / "alpha.png")
    return sorted(tmp_path.iterdir())


def test_a_program_without_discern_answers_as_discern_does(exported_onnx, trained_run, odd_files, example):
    command = [sys.executable, str(example), str(exported_onnx), *map(str, odd_files)]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    rows = list(csv.reader(io.StringIO(output)))
    expected = predict(trained_run, odd_files, device="cpu").frame
    # The run computes in bf16 where the processor can, which moves probabilities by a few thousandths.
    assert [row[:2] for row in rows] == [list(pair) for pair in zip(expected["path"], expected["label"], strict=True)]
    np.testing.assert_allclose([float(row[2]) for row in rows], expected["confidence"], atol=0.02)


def test_the_program_imports_nothing_but_what_it_says(example):
    imported = [line.split()[1] for line in example.read_text().splitlines() if line.startswith(("import", "from"))]
    assert imported == ["json", "sys", "numpy", "onnxruntime", "PIL"]
