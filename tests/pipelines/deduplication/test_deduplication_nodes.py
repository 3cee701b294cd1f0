import cv2
import pandas as pd
import pytest
from video_recommender.incremental.parallel import WorkerOptions

from video_recommender.media.frames import FrameFolder
from video_recommender.pipelines.deduplication.nodes import find_near_duplicates, hash_frames, select_corpus
from video_recommender.schemas import Corpus, FrameHashes, NearDuplicates
from video_recommender.similarity.duplicates import DeduplicationOptions
from video_recommender.storage.partitions import PartitionRecord, Partitions, StoredPartition

HERE = WorkerOptions(backend="sequential")
OPTIONS = DeduplicationOptions()


@pytest.fixture
def frames(tmp_path, filming, make_copy):
    """A film, a copy of it, another film, and one whose frames could not be had."""
    film = filming.film("cat")
    films = {"pets/cat": film, "mirror/cat": make_copy(film), "food/cup": filming.film("cup")}
    stored = {"food/lost": StoredPartition(PartitionRecord("lost", "unreadable", "It is no video"), lambda: None)}
    for video_id, pictures in films.items():
        folder = tmp_path / video_id
        folder.mkdir(parents=True)
        for number, picture in enumerate(pictures, start=1):
            cv2.imwrite(str(folder / f"{number}.jpg"), picture[..., ::-1])
        record = PartitionRecord(video_id, details={"frames": len(pictures), "frames_per_second": 3.0})
        stored[video_id] = StoredPartition(record, lambda folder=folder: FrameFolder(folder))
    return Partitions(stored)


@pytest.fixture
def manifest(frames):
    rows = [
        {
            "video_id": video_id,
            "category": video_id.split("/")[0],
            "status": stored.record.status,
            "duration_s": 6.0 if video_id == "pets/cat" else 5.0,
            "width": 320,
            "height": 240,
            "group": f"uploader of {video_id}",
            "title": "A film",
        }
        for video_id, stored in frames.items()
    ]
    return pd.DataFrame(rows)


def hashes_of(frames, stored=None):
    deletions, *updates = hash_frames(frames, stored or Partitions(), HERE)
    return deletions, {video_id: partition for update in updates for video_id, partition in update.items()}


def kept(made):
    return Partitions({name: StoredPartition(new.record, lambda new=new: new.content) for name, new in made.items()})


def test_the_frames_of_each_video_are_hashed_once(frames):
    _, made = hashes_of(frames)

    assert made.keys() == {"pets/cat", "mirror/cat", "food/cup"}
    table = FrameHashes.validate(made["pets/cat"].content)
    assert table["frame"].tolist() == list(range(1, 19))
    assert table["time_s"].iloc[3] == pytest.approx(1.0)
    assert hashes_of(frames, kept(made))[1] == {}


def test_frames_that_were_taken_from_shots_keep_their_times(frames):
    record = PartitionRecord("shots", details={"frames": 18, "times_s": ",".join(str(n * n) for n in range(18))})
    shots = Partitions({"pets/cat": StoredPartition(record, frames["pets/cat"].load)})

    assert hashes_of(shots)[1]["pets/cat"].content["time_s"].tolist() == [n * n for n in range(18)]


def test_a_copy_is_flagged_with_the_video_that_it_repeats(frames, manifest):
    duplicates = find_near_duplicates(kept(hashes_of(frames)[1]), manifest, OPTIONS)

    assert NearDuplicates.validate(duplicates)[["video_id", "repeats"]].to_dict("records") == [
        {"video_id": "mirror/cat", "repeats": "pets/cat"}
    ]
    assert duplicates["matched_share"].item() > 0.7


@pytest.mark.parametrize("exclude", [True, False])
def test_a_copy_is_excluded_or_else_belongs_to_the_group_of_its_original(frames, manifest, exclude):
    duplicates = find_near_duplicates(kept(hashes_of(frames)[1]), manifest, OPTIONS)

    corpus = select_corpus(manifest, duplicates, DeduplicationOptions(exclude_duplicates=exclude))

    described = Corpus.validate(corpus).set_index("video_id")
    assert described.index.tolist() == ["food/cup", "mirror/cat", "pets/cat"]
    assert described["is_used"].tolist() == [True, not exclude, True]
    assert described.loc["mirror/cat", "repeats"] == "pets/cat"
    assert described.loc["mirror/cat", "group"] == described.loc["pets/cat", "group"]
    assert described.loc["food/cup", "group"] == "uploader of food/cup"


def test_without_copies_every_usable_video_counts(manifest):
    nothing = find_near_duplicates(Partitions(), manifest, OPTIONS)

    corpus = select_corpus(manifest, nothing, OPTIONS)

    assert nothing.empty
    assert corpus["is_used"].all()
    assert corpus["group"].tolist() == manifest.query("status == 'ok'")["group"].tolist()


def test_a_copy_whose_original_has_gone_since_counts_and_keeps_its_group(frames, manifest):
    duplicates = find_near_duplicates(kept(hashes_of(frames)[1]), manifest, OPTIONS)
    assert duplicates["repeats"].tolist() == ["pets/cat"]

    corpus = select_corpus(manifest[manifest["video_id"] != "pets/cat"], duplicates, OPTIONS).set_index("video_id")

    assert corpus.loc["mirror/cat", "is_used"]
    assert corpus.loc["mirror/cat", "group"] == "uploader of mirror/cat"
    assert corpus.loc["food/cup", "group"] == "uploader of food/cup"
