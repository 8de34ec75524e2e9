"""Huge pages where the process grows, on systems that have them."""

import subprocess
import sys
from pathlib import Path

import pytest

SETTING = Path("/sys/kernel/mm/transparent_hugepage/enabled")

GROW = """
from pathlib import Path
import torch
from discern.allocation import prefer_huge_pages

def count():
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return {line.split(":")[0]: int(line.split()[1]) // 1024 for line in lines[1:]}

before = count()
prefer_huge_pages()
asked = count()
values = torch.ones(256 * 2**20, dtype=torch.uint8)
print(asked["Rss"] - before["Rss"], count()["AnonHugePages"] - before["AnonHugePages"])
"""


@pytest.mark.skipif(
    not SETTING.exists() or "[never]" in SETTING.read_text(), reason="the system has no huge pages to give"
)
def test_what_the_process_grows_by_is_in_huge_pages_and_takes_nothing_before():
    done = subprocess.run([sys.executable, "-c", GROW], capture_output=True, text=True, check=True)
    asked, huge = map(int, done.stdout.split())
    assert asked < 10
    assert huge >= 200
