import cv2
import pandas as pd
import pytest

from video_recommender.media.frames import FrameFolder
from video_recommender.pipelines.deduplication.nodes import find_near_duplicates, hash_frames, select_corpus
from video_recommender.schemas import Corpus, FrameHashes, NearDuplicates
from video_recommender.similarity.duplicates import DeduplicationOptions
from video_recommender.storage.partitions import Partitions, PartitionState

OPTIONS = DeduplicationOptions()


@pytest.fixture
def frames(tmp_path, camera, make_copy):
    """Return frames of a video, a copy, another video, and a video whose preprocessing failed."""
    video = camera.record("cat")
    videos = {"pets/cat": video, "mirror/cat": make_copy(video), "food/cup": camera.record("cup")}
    folders = {}
    states = {"food/lost": PartitionState("lost", "unreadable", "It is no video")}
    for video_id, images in videos.items():
        folder = tmp_path / video_id
        folder.mkdir(parents=True)
        for number, image in enumerate(images, start=1):
            cv2.imwrite(str(folder / f"{number}.jpg"), image[..., ::-1])
        folders[video_id] = FrameFolder(folder)
        states[video_id] = PartitionState(properties={"frames": len(images), "frames_per_second": 3.0})
    return Partitions.from_values(folders, states)


@pytest.fixture
def manifest(frames):
    rows = [
        {
            "video_id": video_id,
            "category": video_id.split("/")[0],
            "status": state.status,
            "duration_s": 6.0 if video_id == "pets/cat" else 5.0,
            "width": 320,
            "height": 240,
            "group": f"uploader of {video_id}",
            "title": "A video",
        }
        for video_id, state in frames.states.items()
    ]
    return pd.DataFrame(rows)


def hashes_of(frames):
    return Partitions.from_values({video_id: hash_frames(frames[video_id]()) for video_id in frames})


def test_the_frames_of_a_video_are_hashed(frames):
    table = FrameHashes.validate(hash_frames(frames["pets/cat"]()))

    assert table["frame"].tolist() == list(range(1, 19))


def test_the_offset_is_computed_from_the_times_of_sampled_shots(frames, manifest):
    """The offset is correct even if the times are not evenly spaced."""
    times_s = [number + number**2 / 50 for number in range(18)]
    states = dict(frames.states)
    for video_id, times in {"pets/cat": times_s, "mirror/cat": [time - 1 for time in times_s]}.items():
        listed = ",".join(map(str, times))
        states[video_id] = PartitionState(properties={"frames": 18, "frames_per_second": 3.0, "times_s": listed})
    shots = Partitions(states, frames.load)
    hashes = Partitions.from_values(
        {video_id: hash_frames(frames["pets/cat"]()) for video_id in ("pets/cat", "mirror/cat")}
    )

    duplicates = find_near_duplicates(hashes, shots, manifest, OPTIONS)

    assert duplicates["offset_s"].item() == pytest.approx(1.0)


def test_a_copy_is_listed_with_its_original(frames, manifest):
    duplicates = find_near_duplicates(hashes_of(frames), frames, manifest, OPTIONS)

    assert NearDuplicates.validate(duplicates)[["video_id", "repeats"]].to_dict("records") == [
        {"video_id": "mirror/cat", "repeats": "pets/cat"}
    ]
    assert duplicates["matched_share"].item() > 0.7


def test_a_video_without_frames_is_not_a_duplicate(frames, manifest):
    hashes = hashes_of(frames)

    assert find_near_duplicates(hashes, frames.restrict(["mirror/cat", "food/cup"]), manifest, OPTIONS).empty
    lost = Partitions({**frames.states, "mirror/cat": PartitionState(status="unfinished")}, frames.load)
    assert find_near_duplicates(hashes, lost, manifest, OPTIONS).empty


@pytest.mark.parametrize("exclude", [True, False])
def test_a_copy_is_in_the_group_of_its_original_and_used_only_if_configured(frames, manifest, exclude):
    duplicates = find_near_duplicates(hashes_of(frames), frames, manifest, OPTIONS)

    corpus = select_corpus(manifest, duplicates, DeduplicationOptions(exclude_duplicates=exclude))

    described = Corpus.validate(corpus).set_index("video_id")
    assert described.index.tolist() == ["food/cup", "mirror/cat", "pets/cat"]
    assert described["is_used"].tolist() == [True, not exclude, True]
    assert described.loc["mirror/cat", "repeats"] == "pets/cat"
    assert described.loc["mirror/cat", "group"] == described.loc["pets/cat", "group"]
    assert described.loc["food/cup", "group"] == "uploader of food/cup"


def test_without_copies_every_usable_video_is_used(manifest):
    nothing = find_near_duplicates(Partitions(), Partitions(), manifest, OPTIONS)

    corpus = select_corpus(manifest, nothing, OPTIONS)

    assert nothing.empty
    assert corpus["is_used"].all()
    assert corpus["group"].tolist() == manifest.query("status == 'ok'")["group"].tolist()


def test_a_copy_is_used_in_its_own_group_if_its_original_has_been_removed(frames, manifest):
    duplicates = find_near_duplicates(hashes_of(frames), frames, manifest, OPTIONS)
    assert duplicates["repeats"].tolist() == ["pets/cat"]

    corpus = select_corpus(manifest[manifest["video_id"] != "pets/cat"], duplicates, OPTIONS).set_index("video_id")

    assert corpus.loc["mirror/cat", "is_used"]
    assert corpus.loc["mirror/cat", "group"] == "uploader of mirror/cat"
    assert corpus.loc["food/cup", "group"] == "uploader of food/cup"
