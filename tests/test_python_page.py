"""The examples of docs/how-to/use_from_python.md run as they stand."""

import os
import re
import subprocess
import sys
from pathlib import Path

from pictures import draw_photos

PAGE = Path(__file__).resolve().parents[1] / "docs" / "how-to" / "use_from_python.md"


def test_the_examples_run_one_after_another(tmp_path):
    draw_photos(tmp_path / "photos")
    code = "\n".join(re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL))
    (tmp_path / "page.py").write_text(code)
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    result = subprocess.run(
        [sys.executable, "page.py"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr[-3000:]
    for figure in ("curves.png", "runs/own/explanations", "runs/own/export/own.onnx", "audited/audit.html"):
        assert (tmp_path / figure).exists()
    assert "top_two" in (tmp_path / "runs/custom/report.html").read_text()
    assert "did you mean training.epochs" in result.stdout
