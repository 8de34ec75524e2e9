import dataclasses

import numpy as np
import pytest

from discern.exporting.certificate import Accuracy, Certificate, Comparison, Latency, compare, find_faults

SAME = Comparison(200, 1.0, 1e-6, 1e-7, ())


@pytest.fixture
def certificate():
    latency = Latency(40, 40, 1, 7, 8, 0.002, 0.001, 0.016, 0.008)
    accuracy = Accuracy("validation", 150, 0.96, 0.96)
    return Certificate(
        "onnx", "fp32", "onnxruntime 1", 1_500_000, "ab", {"validation": 200}, SAME, SAME, None, accuracy, latency
    )


def differing(count, of=200, difference=0.1):
    return Comparison(of, 1 - count / of, difference, 0.01, tuple(f"{number}.jpg" for number in range(count)))


def test_answers_are_compared_picture_by_picture():
    ours = np.array([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8], [0.7, 0.3]])
    theirs = np.array([[0.8, 0.2], [0.6, 0.4], [0.2, 0.8], [0.7, 0.3]])
    comparison = compare(["a", "b", "c", "d"], ours, theirs)
    assert comparison.label_agreement == 0.75
    assert comparison.differing == ("b",)
    assert comparison.largest_probability_difference == pytest.approx(0.2)
    assert comparison.mean_probability_difference == pytest.approx(0.6 / 8)


def test_answers_that_are_no_numbers_never_agree(certificate):
    comparison = compare(["a"], np.array([[0.9, 0.1]]), np.array([[np.nan, np.nan]]))
    assert comparison.differing == ("a",)
    assert find_faults(dataclasses.replace(certificate, same_pixels=comparison), 0.01)


def test_what_answers_alike_has_no_faults(certificate):
    assert find_faults(certificate, 0.01) == []
    assert find_faults(dataclasses.replace(certificate, precision="int8", same_pixels=differing(2)), 0.01) == []
    assert find_faults(dataclasses.replace(certificate, from_files=differing(2, difference=0.009)), 0.01) == []


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        ({"same_pixels": differing(1)}, "only 99.5 % of the labels agree on the same pixels, at least 100 % must"),
        ({"same_pixels": differing(1)}, "it answers differently on 0.jpg"),
        ({"precision": "int8", "same_pixels": differing(3)}, "only 98.5 % of the labels agree on the same pixels"),
        ({"precision": "int8", "same_pixels": differing(30)}, "9.jpg and 20 more"),
        ({"same_pixels": differing(0, difference=0.01)}, "probabilities differ by up to 0.01, at most 0.001"),
        ({"same_pixels": differing(0, difference=float("nan"))}, "probabilities differ by up to nan"),
        ({"from_files": differing(3)}, "only 98.5 % of the labels agree with those of discern predict"),
        (
            {"from_files": differing(0, difference=0.02)},
            "from files, probabilities differ from those of discern predict",
        ),
        (
            {"precision": "int8", "accuracy": Accuracy("validation", 150, 0.96, 0.94)},
            "accuracy on 150 validation pictures falls from 96.0 % to 94.0 %, by more than the 0.01 that max_drop "
            "accepts",
        ),
    ],
)
def test_faults_are_described(certificate, parts, text):
    assert text in "; ".join(find_faults(dataclasses.replace(certificate, **parts), 0.01))


def test_a_certificate_is_described_in_lines(certificate):
    certificate = dataclasses.replace(certificate, own_precision=("bf16", differing(1)))
    text = "\n".join(certificate.describe())
    assert "onnx fp32, 1.5 MB, proven on real pictures: 200 validation" in text
    assert "same pixels: 200 of 200 labels agree, probabilities differ by at most 1e-06" in text
    assert "discern's own bf16 beside its fp32: 199 of 200 labels agree" in text
    assert "accuracy on 150 validation pictures: 96.0 % (discern: 96.0 %)" in text
    assert "measured with onnxruntime 1" in text
    assert "one picture of 40 x 40 in 1 ms (discern: 2 ms), 8 at once in 8 ms (discern: 16 ms)" in text
