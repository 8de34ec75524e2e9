"""Answers of the server are those of `discern predict`, for every kind of picture."""

import base64
import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image
from PIL.ExifTags import Base

from discern.engine.second_look import CLEAR_PROBABILITY
from discern.predictor.predictor import Predictor
from discern.runtime import choose_runtime
from discern.serving.app import create_app
from discern.serving.decoding import fit_upload
from discern.serving.limits import Limits
from discern.serving.schema import HeatMap
from discern.serving.served_model import compute_batch
from discern.serving.shrunk_picture import shrink_file
from discern.serving.uploads import Upload
from served import load_on_cpu
from serving_files import draw, draw_noise, encode


def _turned() -> bytes:
    exif = Image.Exif()
    exif[Base.Orientation] = 6
    wide = Image.new("RGB", (80, 40), (200, 50, 40))
    wide.paste(draw("blue"), (40, 0))
    return encode(wide, "JPEG", exif=exif, quality=95)


def _with_alpha() -> bytes:
    image = draw("green").convert("RGBA")
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    return encode(image)


def _sixteen_bit() -> bytes:
    values = np.linspace(0, 65535, 1600, dtype=np.uint16).reshape(40, 40)
    return encode(Image.fromarray(values))


def _animated() -> bytes:
    return encode(draw("red"), "GIF", save_all=True, append_images=[draw("blue"), draw("green")])


PICTURES = {
    "plain.png": encode(draw("red")),
    "photo.jpg": encode(draw("blue").resize((900, 700)), "JPEG", quality=90),
    "turned.jpg": _turned(),
    "grey.png": encode(draw("green").convert("L")),
    "palette.png": encode(draw("green").convert("P")),
    "alpha.png": _with_alpha(),
    "cmyk.jpg": encode(draw("red").convert("CMYK"), "JPEG"),
    "sixteen.png": _sixteen_bit(),
    "animated.gif": _animated(),
    "tiny.bmp": encode(draw("blue").resize((1, 1)), "BMP"),
    "photo.webp": encode(draw("red"), "WEBP"),
    "scan.tif": encode(draw("red"), "TIFF"),
}


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("kinds")
    for name, content in PICTURES.items():
        (place / name).write_bytes(content)
    return place


@pytest.mark.parametrize("name", PICTURES)
def test_one_picture_gets_the_answer_of_predict(client, predictor, folder, name):
    expected = predictor.predict(folder / name, top_k=3).iloc[0]
    answer = client.post("/predict", content=PICTURES[name], headers={"Content-Type": "image/any"}).json()
    (picture,) = answer["pictures"]
    assert picture["label"] == expected["label"]
    assert picture["confidence"] == pytest.approx(expected["confidence"], abs=1e-6)
    assert [place["label"] for place in picture["top"]] == [expected["label"], expected["label_2"], expected["label_3"]]
    assert picture["top"][2]["confidence"] == pytest.approx(expected["confidence_3"], abs=1e-6)
    assert picture["familiarity"] == pytest.approx(expected["familiarity"])
    assert picture["unfamiliar"] is bool(expected["unfamiliar"])


def test_a_large_photo_that_is_not_clear_is_decoded_whole_as_predict_does(client, predictor, tmp_path):
    content = encode(draw_noise(size=1200), "JPEG", quality=95)
    (tmp_path / "noise.jpg").write_bytes(content)
    expected = predictor.predict(tmp_path / "noise.jpg").iloc[0]
    reduced = fit_upload(Upload("noise.jpg", content), predictor.bundle, Limits())
    assert expected["confidence"] < CLEAR_PROBABILITY
    (first,) = compute_batch(predictor, [reduced])
    assert abs(first.probabilities.max() - expected["confidence"]) > 1e-5
    (picture,) = client.post("/predict", content=content).json()["pictures"]
    assert picture["label"] == expected["label"]
    assert picture["confidence"] == pytest.approx(expected["confidence"], abs=1e-6)


def test_deep_pictures_are_scaled_by_the_range_of_the_bundle(run, client, tmp_path):
    def load_deep(folder):
        bundle = load_on_cpu(folder).bundle
        deep = replace(bundle.preprocess, depth_range=(0.0, 500.0))
        return Predictor(replace(bundle, preprocess=deep), choose_runtime(device="cpu"))

    values = np.linspace(0, 500, 1600, dtype=np.uint16).reshape(40, 40)
    content = encode(Image.fromarray(values))
    (tmp_path / "deep.png").write_bytes(content)
    expected = load_deep(run).predict(tmp_path / "deep.png").iloc[0]
    with TestClient(create_app({"deep": run}, load_deep), base_url="http://localhost") as deep:
        (picture,) = deep.post("/predict", content=content).json()["pictures"]
    (as_dark,) = client.post("/predict", content=content).json()["pictures"]
    assert (picture["label"], picture["confidence"]) == (expected["label"], pytest.approx(expected["confidence"]))
    assert picture["confidence"] != pytest.approx(as_dark["confidence"], abs=1e-3)
    shown, as_dark = (
        np.asarray(Image.open(io.BytesIO(shrink_file(str(tmp_path / "deep.png"), depth_range))))
        for depth_range in ((0.0, 500.0), None)
    )
    assert (shown.max() > 240, as_dark.max() < 10) == (True, True)


def test_many_pictures_get_the_answers_of_predict_in_their_order(client, predictor, folder):
    paths = [folder / name for name in PICTURES]
    expected = predictor.predict(paths, max_error=0.8)
    files = [("files", (name, content)) for name, content in PICTURES.items()]
    found = client.post("/predict?max_error=0.8", files=files).json()
    assert [picture["name"] for picture in found["pictures"]] == list(PICTURES)
    for picture, row in zip(found["pictures"], expected.itertuples(), strict=True):
        assert picture["label"] == row.label
        assert picture["confidence"] == pytest.approx(row.confidence, abs=1e-6)
        assert picture["guess"] == row.guess
        assert picture["reason"] == row.reason
        assert picture["familiarity"] == pytest.approx(row.familiarity)
    assert "validation pictures had it" in found["promise"]


def test_noise_is_unknown_and_says_why(client, predictor):
    noise = draw_noise()
    expected = predictor.predict(noise, max_error=0.8).iloc[0]
    (picture,) = client.post("/predict?max_error=0.8", content=encode(noise)).json()["pictures"]
    assert (picture["label"], picture["reason"]) == ("unknown", expected["reason"])
    assert picture["reason"]


def test_an_error_that_cannot_be_supported_is_refused_with_the_lowest_that_can(client):
    answer = client.post("/predict?max_error=0.0001", content=encode(draw()))
    assert answer.status_code == 422
    assert "the lowest share that they support is" in answer.json()["error"]["reason"]


def test_the_most_alike_of_a_training_picture_is_itself(client, predictor, photos):
    bank = predictor.bundle.feature_bank
    row = 4
    content = Path(bank.frame["path"].iloc[row]).read_bytes()
    (picture,) = client.post("/predict?nearest=3", content=content).json()["pictures"]
    first, *others = picture["nearest"]
    assert (first["index"], first["id"]) == (row, bank.frame["id"].iloc[row])
    assert first["similarity"] == pytest.approx(1, abs=1e-3)
    assert len(others) == 2
    shown = client.get(f"/training/{row}")
    assert Image.open(io.BytesIO(shown.content)).size == (40, 40)


def test_a_heat_map_is_a_picture_of_the_same_proportions(client):
    (picture,) = client.post("/predict?explain=grad-cam", content=PICTURES["photo.jpg"]).json()["pictures"]
    assert picture["heat_map"]["label"] == picture["label"]
    kind, _, data = picture["heat_map"]["image"].partition(";base64,")
    image = Image.open(io.BytesIO(base64.b64decode(data)))
    assert kind == f"data:{image.get_format_mimetype()}"
    assert HeatMap.model_fields["image"].description == f"A {image.format} as a data: URL."
    assert image.size == (480, 373)


def test_pictures_of_the_run_are_what_their_media_type_says(client):
    shown = client.get("/training/0")
    assert shown.headers["content-type"] == Image.open(io.BytesIO(shown.content)).get_format_mimetype()


def test_wishes_that_make_no_sense_are_refused(client):
    content = encode(draw())
    assert (
        "no explanation method 'magic'"
        in client.post("/predict?explain=magic", content=content).json()["error"]["reason"]
    )
    refused = client.post("/predict?top_k=0&max_error=7", content=content)
    assert refused.status_code == 422
    assert "top_k" in refused.json()["error"]["reason"]
    assert "max_error" in refused.json()["error"]["reason"]
    unknown = client.post("/predict?model=birds", content=content)
    assert (unknown.status_code, unknown.json()["error"]["reason"]) == (
        404,
        "there is no model 'birds'; there are colours",
    )
    many = client.post("/predict?explain=grad-cam", files=[("files", ("a.png", content))] * 9)
    assert many.json()["error"]["reason"] == "heat maps of 9 pictures; at most 8 at once"


def test_the_model_tells_what_it_is_and_nothing_of_where_it_lies(client, run, photos):
    answer = client.get("/model")
    facts = answer.json()
    assert facts["class_names"] == ["blue", "green", "red"]
    assert facts["preprocess"]["image_size"] == 32
    assert facts["calibration"]["temperature"] > 0
    assert facts["scores"]["test"]["accuracy"]["low"] <= facts["scores"]["test"]["accuracy"]["value"]
    assert [one["max_error"] for one in facts["thresholds"]] == [0.01, 0.02, 0.05, 0.1]
    assert str(run.parent) not in answer.text
    assert str(photos) not in answer.text


def test_mistakes_are_those_of_the_evaluation(client, run):
    import pandas as pd

    rows = pd.read_csv(run / "evaluation" / "predictions.csv")
    reported = rows[rows["split"] == "test"]
    wrong = reported[reported["true"] != reported["predicted"]].sort_values(
        "confidence", ascending=False, kind="stable"
    )
    found = client.get("/mistakes").json()
    assert (found["split"], found["pictures"], found["count"]) == ("test", len(reported), len(wrong))
    assert [one["id"] for one in found["mistakes"]] == list(wrong["id"])
