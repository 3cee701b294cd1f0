import av
import numpy as np
import pandas as pd
import pytest
from skimage import data

from video_recommender.incremental import per_partition
from video_recommender.media.frames import EncodedFrames
from video_recommender.media.sampling import PreprocessingOptions, ShotOptions
from video_recommender.media.video import VideoError, VideoFile
from video_recommender.pipelines.preprocessing.nodes import extract_frames, select_usable_videos, summarise_frames
from video_recommender.storage.partitions import Partitions

OPTIONS = PreprocessingOptions(size=32)
PICTURE = np.ascontiguousarray(data.coffee()[:48, :64])


@pytest.fixture
def videos(tmp_path):
    """Return two clips of one second, and a text file."""
    for name in ("cat", "dog"):
        with av.open(str(tmp_path / f"{name}.mp4"), "w") as container:
            stream = container.add_stream("mpeg4", rate=12)
            stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
            for _ in range(12):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(PICTURE, format="rgb24")))
            container.mux(stream.encode())
    (tmp_path / "text.mp4").write_text("no video")
    return Partitions.from_values(
        {f"pets/{name}": VideoFile(tmp_path / f"{name}.mp4") for name in ("cat", "dog", "text")}
    )


def listed(**status):
    return pd.DataFrame(
        [{"video_id": f"pets/{name}", "status": word, "sha256": name} for name, word in status.items()],
        columns=["video_id", "status", "sha256"],
    )


def sample(videos, options=OPTIONS):
    """Return the frames of each video as the catalog loads them."""
    node = per_partition(extract_frames, inputs=["videos", "options"], outputs="frames", name="extract_frames")
    saved = {key: partition for update in node.func(videos, options) for key, partition in update.items()}
    states = {key: partition.state._replace(digest=key) for key, partition in saved.items()}
    return Partitions.from_values({key: partition.value for key, partition in saved.items()}, states)


def test_frames_are_extracted_from_a_video(videos):
    extracted = extract_frames(videos.load("pets/cat"), OPTIONS)

    assert isinstance(extracted.frames, EncodedFrames)
    assert extracted.frames.decode().shape == (3, 32, 32, 3)
    assert extracted.properties == {"frames": 3, "frames_per_second": 3.0}


def test_only_usable_videos_are_selected(videos):
    selected = select_usable_videos(videos, listed(cat="ok", dog="duplicate", text="unreadable"))

    assert list(selected) == ["pets/cat"]


def test_a_file_that_is_not_a_video_is_unreadable(videos):
    with pytest.raises(VideoError, match=r"text\.mp4") as raised:
        extract_frames(videos.load("pets/text"), OPTIONS)

    assert raised.value.status == "unreadable"


def test_the_manifest_has_the_status_of_each_video(videos):
    manifest = summarise_frames(sample(videos.restrict(["pets/cat", "pets/text"]))).set_index("video_id")

    assert manifest["status"].to_dict() == {"pets/cat": "ok", "pets/text": "unreadable"}
    assert manifest["frames"].to_dict() == {"pets/cat": 3, "pets/text": 0}
    assert "text.mp4" in manifest.loc["pets/text", "error"]
    assert manifest["fingerprint"].nunique() == 2


def test_the_manifest_has_the_shot_and_time_of_each_frame(videos):
    options = PreprocessingOptions(size=32, sampling="shots", shots=ShotOptions(frames_per_shot=2))

    manifest = summarise_frames(sample(videos, options)).set_index("video_id")

    assert manifest.loc["pets/cat", ["frames", "shots", "shot_numbers", "times_s"]].tolist() == [
        2,
        1,
        "1,1",
        "0.25,0.75",
    ]
    assert manifest.loc["pets/text", ["frames", "shot_numbers", "times_s"]].tolist() == [0, "", ""]
    assert pd.isna(manifest.loc["pets/text", "shots"])


def test_no_videos_give_an_empty_manifest():
    assert summarise_frames(Partitions()).empty
