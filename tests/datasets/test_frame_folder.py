from video_recommender.datasets import FrameFolderDataset
from video_recommender.media.frames import EncodedFrames


def test_frames_are_numbered_from_one_in_temporal_order(tmp_path):
    dataset = FrameFolderDataset(filepath=f"{tmp_path}/frames")

    dataset.save(EncodedFrames(tuple(str(number).encode() for number in range(1, 13))))

    assert [file.name for file in dataset.load().files] == [f"{number}.jpg" for number in range(1, 13)]
    assert [int(file.read_bytes()) for file in dataset.load().files] == list(range(1, 13))


def test_fewer_frames_replace_all_previous_frames(tmp_path):
    dataset = FrameFolderDataset(filepath=f"{tmp_path}/frames")

    dataset.save(EncodedFrames((b"1", b"2", b"3")))
    dataset.save(EncodedFrames((b"4",)))

    assert [file.read_bytes() for file in dataset.load().files] == [b"4"]


def test_folder_exists_once_it_is_saved(tmp_path):
    dataset = FrameFolderDataset(filepath=f"{tmp_path}/new/folder/frames")
    before = dataset.exists()

    dataset.save(EncodedFrames((b"1",)))

    assert not before
    assert dataset.exists()
