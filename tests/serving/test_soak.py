"""The soak, in small: mixed good and hostile requests leave memory and answers as they are."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_mixed_requests_get_right_answers_and_memory_stays_flat(run, photos):
    pictures = [str(photos / colour / f"{number}.png") for colour in ("blue", "red") for number in range(3)]
    command = [sys.executable, "-m", "benchmarks.soak", str(run), *pictures, "--requests", "300"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("300 requests, 0 wrong answers")
