import pandas as pd
import pytest
from example_points import small_class_embeddings


@pytest.fixture(scope="session")
def class_embeddings() -> pd.DataFrame:
    return small_class_embeddings()
