import importlib.metadata
import io
import pickle
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest

from video_recommender.media.frames import Frames
from video_recommender.networks.efficientnet_lite import (
    VARIANTS,
    build_efficientnet_lite,
    read_state_dict,
    verify_weights,
)
from video_recommender.networks.pretrained import (
    KerasModel,
    imagenet_class_names,
)

LITE0 = VARIANTS["efficientnet-lite0"]
OBJECTS = (
    {"tabby cat", "tiger cat", "Egyptian cat"},
    {"espresso", "cup", "coffee mug"},
    {"missile", "projectile", "space shuttle"},
)


@pytest.fixture(scope="module")
def weights_file() -> Path:
    return Path(str(importlib.metadata.distribution(LITE0.distribution).locate_file(LITE0.weights_file)))


def best_names(model: KerasModel, images: Frames, count: int) -> list[set[str]]:
    names = np.array(imagenet_class_names())
    best = np.argsort(-np.asarray(model(images)))[:, :count]
    return [set(names[row]) for row in best]


def test_a_cat_a_cup_and_a_rocket_are_classified_correctly(lite0: KerasModel, photos: Frames) -> None:
    assert all(predicted <= expected for predicted, expected in zip(best_names(lite0, photos, 1), OBJECTS, strict=True))


def test_the_larger_network_reads_larger_images_and_recognises_the_same_objects(photos: Frames) -> None:
    import keras

    lite2 = build_efficientnet_lite("efficientnet-lite2")
    larger = np.asarray(keras.ops.image.resize(photos, lite2.input_shape[1:3]))

    assert lite2.input_shape == (None, 260, 260, 3)
    assert all(predicted & expected for predicted, expected in zip(best_names(lite2, larger, 3), OBJECTS, strict=True))


def test_probabilities_of_an_image_sum_to_one(lite0: KerasModel, photos: Frames) -> None:
    assert np.asarray(lite0(photos)).sum(axis=1) == pytest.approx(np.ones(3), abs=1e-5)


def test_saving_does_not_change_the_network(lite0: KerasModel, photos: Frames, tmp_path: Path) -> None:
    import keras

    lite0.save(tmp_path / "network.keras")
    loaded = keras.models.load_model(tmp_path / "network.keras")

    np.testing.assert_array_equal(np.asarray(loaded(photos)), np.asarray(lite0(photos)))


@pytest.mark.parametrize("damage", [lambda content: content[:-1], lambda content: content[:-1] + b"\xff"])
def test_a_truncated_or_edited_weights_file_is_reported_by_name(damage, weights_file: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "lite0.pth"
    damaged.write_bytes(damage(weights_file.read_bytes()))

    with pytest.raises(ValueError, match=r"lite0\.pth is damaged"):
        verify_weights(damaged, LITE0.sha256)


def test_a_missing_weights_file_is_reported_by_name(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"lite0\.pth is missing: reinstall"):
        verify_weights(tmp_path / "lite0.pth", LITE0.sha256)


class Malicious:
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple:
        return Path.mkdir, (self.folder / "executed",)


def legacy_file(state_dict: object) -> io.BytesIO:
    parts = (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}, state_dict, [])
    return io.BytesIO(b"".join(pickle.dumps(part, protocol=2) for part in parts))


def test_a_weights_file_cannot_execute_code(tmp_path: Path) -> None:
    with pytest.raises(pickle.UnpicklingError, match="which is not allowed"):
        read_state_dict(legacy_file(OrderedDict(weight=Malicious(tmp_path))))

    assert not (tmp_path / "executed").exists()


def test_code_in_the_header_of_a_weights_file_is_not_executed(tmp_path: Path) -> None:
    with pytest.raises(pickle.UnpicklingError, match="which is not allowed"):
        read_state_dict(io.BytesIO(pickle.dumps(Malicious(tmp_path))))

    assert not (tmp_path / "executed").exists()


def test_a_file_of_another_format_is_rejected() -> None:
    with pytest.raises(pickle.UnpicklingError, match="not in the format of PyTorch"):
        read_state_dict(io.BytesIO(pickle.dumps("something else")))
