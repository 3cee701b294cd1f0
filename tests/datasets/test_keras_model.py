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


def test_a_saved_model_is_loaded_unchanged(tmp_path, model) -> None:
    dataset = KerasModelDataset(filepath=str(tmp_path / "new" / "kept.keras"))
    observed = np.ones((4, 3), np.float32)

    assert not dataset.exists()
    dataset.save(model)

    assert dataset.exists()
    assert np.array_equal(dataset.load()(observed), model(observed))


def test_equal_models_have_equal_bytes_at_any_time(tmp_path, model) -> None:
    first, second = tmp_path / "first.keras", tmp_path / "second.keras"

    KerasModelDataset(filepath=str(first)).save(model)
    time.sleep(2.1)  # time stamps in a zip file have a resolution of two seconds
    KerasModelDataset(filepath=str(second)).save(model)

    assert first.read_bytes() == second.read_bytes()


def test_creating_the_dataset_and_checking_its_existence_import_no_tensorflow(tmp_path) -> None:
    program = (
        "import sys; from video_recommender.datasets import KerasModelDataset; "
        f"KerasModelDataset(filepath={str(tmp_path / 'kept.keras')!r}).exists(); print(*sys.modules)"
    )

    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()

    assert "kedro.io" in loaded
    assert not {"keras", "tensorflow"} & set(loaded)
