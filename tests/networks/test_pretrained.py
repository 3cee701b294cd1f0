import os

import numpy as np
import pytest

from video_recommender.media.frames import Frames
from video_recommender.networks.pretrained import (
    KerasModel,
    build_network,
    class_embeddings,
    imagenet_class_names,
    last_layer_weights,
    run_in_subprocess,
)


def test_class_names_are_unique_regardless_of_case() -> None:
    names = imagenet_class_names()

    assert len(names) == 1000
    assert len({name.casefold() for name in names}) == 1000


def test_class_names_contain_no_commas_or_surrounding_spaces() -> None:
    assert not [name for name in imagenet_class_names() if "," in name or name != name.strip() or not name]


def test_class_names_are_in_the_order_of_imagenet() -> None:
    names = imagenet_class_names()

    assert {index: names[index] for index in (0, 134, 207, 285, 388, 517, 638, 639, 817, 967, 999)} == {
        0: "tench",
        134: "crane (bird)",
        207: "golden retriever",
        285: "Egyptian cat",
        388: "giant panda",
        517: "crane (machine)",
        638: "maillot",
        639: "tank suit",
        817: "sports car",
        967: "espresso",
        999: "toilet tissue",
    }


def test_embeddings_of_two_cat_breeds_are_more_similar_than_those_of_a_cat_and_a_car(lite0: KerasModel) -> None:
    embeddings = class_embeddings(last_layer_weights(lite0)[0].T, imagenet_class_names())
    centred = embeddings - embeddings.mean()

    cat, other_cat, car = (centred.loc[name] for name in ("tabby cat", "Egyptian cat", "sports car"))

    assert embeddings.shape == (1000, 1280)
    assert set(embeddings.dtypes) == {np.dtype("float32")}
    assert cat @ other_cat > 0.3 * np.linalg.norm(cat) * np.linalg.norm(other_cat)
    assert cat @ car < 0.1 * np.linalg.norm(cat) * np.linalg.norm(car)


def test_an_unknown_network_is_reported_with_the_available_ones() -> None:
    with pytest.raises(ValueError, match="Unknown network 'efficientnet-lite9': select efficientnet-lite0"):
        build_network("efficientnet-lite9")


def test_weights_that_cannot_be_downloaded_are_reported_with_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    import keras

    def unreachable(**_options: str) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr(keras.applications, "MobileNetV2", unreachable)

    with pytest.raises(ValueError, match="weights of MobileNetV2 cannot be downloaded: connect to the internet once"):
        build_network("MobileNetV2")


def test_a_keras_application_includes_its_preprocessing(monkeypatch: pytest.MonkeyPatch, photos: Frames) -> None:
    import keras

    untrained = keras.applications.MobileNetV2(weights=None)

    def download(**_options: str) -> KerasModel:
        return untrained

    download.__module__ = keras.applications.MobileNetV2.__module__
    monkeypatch.setattr(keras.applications, "MobileNetV2", download)

    network = build_network("MobileNetV2")

    expected = untrained(photos.astype(np.float32) / 127.5 - 1)
    np.testing.assert_allclose(np.asarray(network(photos)), np.asarray(expected), atol=1e-6)
    assert last_layer_weights(network)[0].shape == (1280, 1000)


def test_a_function_runs_in_another_process_and_its_exception_is_raised_here() -> None:
    assert run_in_subprocess(os.getpid) != os.getpid()
    with pytest.raises(ValueError, match="invalid literal"):
        run_in_subprocess(int, "many")


def test_a_killed_process_is_reported_with_a_likely_cause() -> None:
    with pytest.raises(RuntimeError, match="that runs _exit ended unexpectedly: check that 1 GB of memory is free"):
        run_in_subprocess(os._exit, 9)
