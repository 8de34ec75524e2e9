import json

from discern.exporting.certificate import FORMAT


def test_a_run_is_exported_and_verified(run_cli, trained_run, tmp_path):
    file = tmp_path / "colours.onnx"
    code, text, _ = run_cli("export", trained_run, "--out", file)
    assert code == 0
    assert "same pixels: 36 of 36 labels agree" in text
    assert f"written: {file}" in text
    certificate = tmp_path / "colours.onnx.certificate.json"
    assert json.loads(certificate.read_text())["format"] == FORMAT
    code, text, _ = run_cli("export", trained_run, "--verify", file)
    assert code == 0
    assert f"verified: {file}" in text
    file.write_bytes(file.read_bytes() + b"\0")
    code, _, err = run_cli("export", trained_run, "--verify", file)
    assert code == 2
    assert "was changed after its certificate was issued" in err


def test_errors_are_for_people(run_cli, trained_run, tmp_path):
    for arguments, message in (
        (
            ["--format", "tflite"],
            "tflite is not written by discern: there are onnx, torch, html, state-dict, pth; for LiteRT",
        ),
        (["--verify", "x.onnx", "--format", "onnx"], "--verify FILE takes format, precision and views from"),
        (["--verify", "x.onnx", "--tta", "flip"], "leave out --format, --precision, --tta, --out and --runtime"),
        (["--tta", "mirror"], "tta is 'mirror'; expected none, flip, five"),
        (["--tta", "flip", "--format", "pth"], "export it to onnx or torch, or without the views by --tta none"),
        (["--verify", tmp_path / "x.onnx"], "no such file"),
        (["--public", tmp_path / "x", "--format", "onnx"], "--public DIR writes the bundle as it is"),
        (["--verify", trained_run / "split.csv"], "exported files end in .onnx (onnx), .pt2 (torch)"),
    ):
        code, _, err = run_cli("export", trained_run, *arguments)
        assert code == 2
        assert err.startswith("discern: ")
        assert message in err
        assert "Traceback" not in err
