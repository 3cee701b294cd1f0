import pytest

from video_recommender.datasets import OptionalDataset


@pytest.fixture
def dataset(tmp_path):
    return OptionalDataset(dataset={"type": "json.JSONDataset", "filepath": f"{tmp_path}/ads.json"})


def test_a_missing_file_is_loaded_as_none(dataset):
    assert not dataset.exists()
    assert dataset.load() is None


def test_saved_content_is_loaded(dataset):
    dataset.save({"seconds": 15})

    assert dataset.exists()
    assert dataset.load() == {"seconds": 15}


def test_the_description_contains_the_file_and_no_credentials(tmp_path):
    entry = {"type": "json.JSONDataset", "filepath": f"{tmp_path}/ads.json", "credentials": {"key": "secret"}}

    shown = repr(OptionalDataset(dataset=entry))

    assert "ads.json" in shown
    assert "secret" not in shown
