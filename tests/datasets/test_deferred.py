import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from kedro.io import AbstractDataset, DataCatalog, DatasetError

from video_recommender.datasets.deferred import DeferredDataset


def catalog_with(wrapped: dict) -> DataCatalog:
    definition = {
        "type": "video_recommender.datasets.deferred.DeferredDataset",
        "dataset": wrapped,
        "metadata": {"kedro-viz": {"layer": "models"}},
    }
    return DataCatalog.from_config({"kept": definition})


def test_what_is_saved_is_loaded_again(tmp_path: Path) -> None:
    catalog = catalog_with({"type": "json.JSONDataset", "filepath": str(tmp_path / "kept.json")})

    catalog.save("kept", {"seconds": 15})

    assert catalog.load("kept") == {"seconds": 15}


def test_existence_follows_the_file(tmp_path: Path) -> None:
    dataset = DeferredDataset(dataset={"type": "json.JSONDataset", "filepath": str(tmp_path / "kept.json")})

    before = dataset.exists()
    (tmp_path / "kept.json").write_text("{}")

    assert (before, dataset.exists()) == (False, True)


def test_catalog_and_existence_check_import_no_tensorflow(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "from kedro.io import DataCatalog\n"
        "wrapped = {'type': 'tensorflow.TensorFlowModelDataset', 'filepath': sys.argv[1]}\n"
        "deferred = {'type': 'video_recommender.datasets.deferred.DeferredDataset', 'dataset': wrapped}\n"
        "catalog = DataCatalog.from_config({'network': deferred})\n"
        "print(catalog.exists('network'), catalog['network'], 'tensorflow' in sys.modules)"
    )

    run = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "network.keras")], capture_output=True, text=True, check=True
    )

    assert run.stdout.startswith("False")
    assert run.stdout.rstrip().endswith("False")


def test_a_keras_network_is_saved_and_loaded(tmp_path: Path) -> None:
    import keras

    network = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    catalog = catalog_with({"type": "tensorflow.TensorFlowModelDataset", "filepath": str(tmp_path / "network.keras")})

    catalog.save("kept", network)

    for restored, original in zip(catalog.load("kept").get_weights(), network.get_weights(), strict=True):
        np.testing.assert_array_equal(restored, original)


def test_path_is_shown_as_in_other_datasets(tmp_path: Path) -> None:
    dataset = DeferredDataset(dataset={"type": "json.JSONDataset", "filepath": str(tmp_path / "kept.json")})

    assert str(dataset._filepath) == (tmp_path / "kept.json").as_posix()
    assert "kept.json" in repr(dataset)


def test_credentials_are_never_shown(tmp_path: Path) -> None:
    dataset = DeferredDataset(
        dataset={"type": "json.JSONDataset", "filepath": str(tmp_path / "kept.json"), "credentials": {"key": "secret"}}
    )

    assert "secret" not in repr(dataset)


def test_the_catalog_can_write_down_its_definition(tmp_path: Path) -> None:
    wrapped = {"type": "json.JSONDataset", "filepath": str(tmp_path / "kept.json")}
    dataset = DeferredDataset(dataset=wrapped, metadata={"kedro-viz": {"layer": "models"}})

    restored = AbstractDataset.from_config("restored", dataset._init_config())
    restored.save([1])

    assert dataset.load() == [1]


@pytest.mark.parametrize("wrapped", [{"filepath": "kept.json"}, {"type": "json.JSONDataset", "versioned": True}])
def test_a_definition_that_cannot_work_is_refused_at_once(wrapped: dict) -> None:
    with pytest.raises(DatasetError, match="A deferred dataset"):
        DeferredDataset(dataset=wrapped)
