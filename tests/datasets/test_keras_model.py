import subprocess
import sys
import time

import numpy as np
import pytest

from video_recommender.datasets import KerasModelDataset


@pytest.fixture(scope="module")
def model():
    import keras

    keras.utils.set_random_seed(0)
    return keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="values")], name="network")


def test_what_is_saved_is_loaded_again(tmp_path, model) -> None:
    dataset = KerasModelDataset(filepath=str(tmp_path / "new" / "kept.keras"))
    observed = np.ones((4, 3), np.float32)

    assert not dataset.exists()
    dataset.save(model)

    assert dataset.exists()
    assert np.array_equal(dataset.load()(observed), model(observed))


def test_the_same_model_gives_the_same_bytes_whenever_it_is_saved(tmp_path, model) -> None:
    first, second = tmp_path / "first.keras", tmp_path / "second.keras"

    KerasModelDataset(filepath=str(first)).save(model)
    time.sleep(2.1)  # the times in a zip file go by two seconds
    KerasModelDataset(filepath=str(second)).save(model)

    assert first.read_bytes() == second.read_bytes()


def test_neither_building_nor_looking_for_it_imports_tensorflow(tmp_path) -> None:
    program = (
        "import sys; from video_recommender.datasets import KerasModelDataset; "
        f"KerasModelDataset(filepath={str(tmp_path / 'kept.keras')!r}).exists(); print(*sys.modules)"
    )

    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()

    assert "kedro.io" in loaded
    assert not {"keras", "tensorflow"} & set(loaded)
