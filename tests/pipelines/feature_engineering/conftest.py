"""A small network's last layer: two dogs, two seats and two fruits resemble each other."""

import numpy as np
import pandas as pd
import pytest

KINDS = {"beagle": 0, "labrador": 0, "sofa": 1, "armchair": 1, "banana": 2, "lemon": 2}


@pytest.fixture(scope="session")
def class_embeddings() -> pd.DataFrame:
    random = np.random.default_rng(7)
    kinds = random.normal(size=(3, 32))
    rows = np.array([kinds[kind] for kind in KINDS.values()]) + 0.4 * random.normal(size=(6, 32)) + 5
    return pd.DataFrame(
        rows.astype(np.float32),
        index=pd.Index(list(KINDS), name="class_name"),
        columns=[f"feature_{number:04}" for number in range(32)],
    )
