"""What tests of training share: a split table of drawn photos, and no determinism left behind."""

import pytest
import torch

from discern.data.sources.load import load_table
from discern.data.splitting.split import split_table


@pytest.fixture(scope="module")
def table(photos):
    return split_table(load_table(photos), fractions=(0.6, 0.4, 0.0), seed=0)[0]


@pytest.fixture(autouse=True)
def _leave_determinism_off():
    yield
    torch.use_deterministic_algorithms(False)
