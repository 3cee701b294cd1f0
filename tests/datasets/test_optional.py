import pytest

from video_recommender.datasets import OptionalDataset


@pytest.fixture
def dataset(tmp_path):
    return OptionalDataset(dataset={"type": "json.JSONDataset", "filepath": f"{tmp_path}/ads.json"})


def test_what_was_never_made_is_none(dataset):
    assert not dataset.exists()
    assert dataset.load() is None


def test_what_was_made_is_loaded(dataset):
    dataset.save({"seconds": 15})

    assert dataset.exists()
    assert dataset.load() == {"seconds": 15}


def test_its_fingerprint_tells_whether_it_is_there_and_what_it_holds(dataset):
    told = [dataset.fingerprint()]
    for seconds in (15, 30):
        dataset.save({"seconds": seconds})
        told.append(dataset.fingerprint())

    assert len(set(told)) == 3
