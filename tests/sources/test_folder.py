import os
import random
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from video_recommender.sources.listing import list_folder, unique_slugs, video_ids


def place(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"video")


def ids(root):
    return [video.video_id for video in list_folder(root)]


def test_each_sub_folder_is_a_category_by_its_real_name(tmp_path):
    place(tmp_path, "Wild Cats/Big One.MP4", "Dogs/b.webm", "Dogs/a.mkv", "plain.avi")

    videos = list_folder(tmp_path)

    assert [(video.category, video.video_id, Path(video.source)) for video in videos] == [
        ("Dogs", "dogs/a", tmp_path / "Dogs/a.mkv"),
        ("Dogs", "dogs/b", tmp_path / "Dogs/b.webm"),
        (None, "unlabelled/plain", tmp_path / "plain.avi"),
        ("Wild Cats", "wild-cats/big-one", tmp_path / "Wild Cats/Big One.MP4"),
    ]


def test_deeper_folders_belong_to_the_category_at_the_top(tmp_path):
    place(tmp_path, "dogs/2024/may/beagle.mp4")

    (video,) = list_folder(tmp_path)

    assert (video.category, video.video_id) == ("dogs", "dogs/beagle")


def test_videos_of_one_deeper_folder_are_one_group(tmp_path):
    place(tmp_path, "dogs/may/one.mp4", "dogs/may/two.mp4", "dogs/june/three.mp4", "dogs/four.mp4", "five.mp4")

    assert {video.video_id: video.group for video in list_folder(tmp_path)} == {
        "dogs/one": "dogs/may",
        "dogs/two": "dogs/may",
        "dogs/three": "dogs/june",
        "dogs/four": "dogs/four",
        "unlabelled/five": "unlabelled/five",
    }


@pytest.mark.parametrize("named", ["videos", "videos/dogs"])
def test_the_video_folder_of_the_project_is_rejected_as_a_source(tmp_path, named):
    place(tmp_path, "videos/dogs/a.mp4", "videos/.state/1.jsonl")

    with pytest.raises(ValueError, match="stores its own copies and links"):
        list_folder(tmp_path / named)


def test_folders_of_the_project_inside_a_source_are_ignored(tmp_path):
    place(tmp_path, "dogs/a.mp4", "data/videos/dogs/a.mp4", "data/videos/.state/1.jsonl")

    assert ids(tmp_path) == ["dogs/a"]


def test_hidden_and_other_files_are_ignored(tmp_path):
    place(tmp_path, "dogs/a.mp4", "dogs/.b.mp4", ".trash/c.mp4", "dogs/notes.txt", "dogs/a.mp4.part", "dogs/mp4")

    assert ids(tmp_path) == ["dogs/a"]


@pytest.mark.parametrize("suffix", ["mp4", "webm", "mkv", "avi", "mov", "gif", "m4v", "mpg", "ts", "wmv", "ogv", "Mp4"])
def test_common_containers_are_videos(tmp_path, suffix):
    place(tmp_path, f"dogs/a.{suffix}")

    assert ids(tmp_path) == ["dogs/a"]


def test_unusual_names_become_valid_slugs(tmp_path):
    place(tmp_path, "-rf/--help.mp4", "Кошки/кот №1.mp4", "a..b/x ...mp4", "emoji/😀.mp4", "dogs/" + 200 * "x" + ".mp4")

    assert ids(tmp_path) == ["a-b/x", f"dogs/{80 * 'x'}", "emoji/untitled", "koshki/kot-no1", "rf/help"]


def test_names_with_equal_slugs_all_get_a_digest(tmp_path):
    place(tmp_path, "dogs/My Dog.mp4", "dogs/my_dog.mp4", "dogs/my-dog.webm", "dogs/other.mp4", "cats/my dog.mp4")

    identifiers = ids(tmp_path)

    assert identifiers[0] == "cats/my-dog"
    assert identifiers[-1] == "dogs/other"
    assert len(set(identifiers)) == 5
    assert all(re.fullmatch(r"dogs/my-dog-[0-9a-f]{6}", identifier) for identifier in identifiers[1:4])


def test_categories_with_equal_slugs_get_different_folders(tmp_path):
    place(tmp_path, "Big Cats/a.mp4", "big_cats/b.mp4")

    videos = list_folder(tmp_path)

    assert {video.category for video in videos} == {"Big Cats", "big_cats"}
    assert len({video.video_id.split("/")[0] for video in videos}) == 2


def test_a_category_named_unlabelled_differs_from_no_category(tmp_path):
    place(tmp_path, "a.mp4", "Unlabelled/b.mp4")

    folders = {video.category: video.video_id.split("/")[0] for video in list_folder(tmp_path)}

    assert folders[None] == "unlabelled"
    assert re.fullmatch("unlabelled-[0-9a-f]{6}", folders["Unlabelled"])


def test_names_that_windows_reserves_are_not_used(tmp_path):
    place(tmp_path, "con/nul.mp4", "con/com1.mp4", "con/console.mp4")

    parts = [part for identifier in ids(tmp_path) for part in identifier.split("/")]

    assert not {"con", "nul", "com1"} & set(parts)
    assert "console" in parts


def test_links_are_followed_without_cycles(tmp_path):
    place(tmp_path, "elsewhere/beagle.mp4", "videos/cats/tabby.mp4")
    (tmp_path / "videos/dogs").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "videos/cats/again").symlink_to(tmp_path / "videos")
    (tmp_path / "videos/cats/gone.mp4").symlink_to(tmp_path / "nowhere.mp4")

    assert ids(tmp_path / "videos") == ["cats/gone", "cats/tabby", "dogs/beagle"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_named_pipe_is_ignored(tmp_path):
    place(tmp_path, "dogs/a.mp4")
    os.mkfifo(tmp_path / "dogs/pipe.mp4")

    assert ids(tmp_path) == ["dogs/a"]


def test_a_name_that_is_not_unicode_gets_a_slug(tmp_path):
    try:
        place(tmp_path, "dogs/" + os.fsdecode(b"caf\xe9") + ".mp4")
    except OSError:
        pytest.skip("this file system accepts only Unicode names")

    assert ids(tmp_path) == ["dogs/caf"]


def test_the_digest_changes_only_with_the_file(tmp_path):
    place(tmp_path, "dogs/a.mp4", "dogs/b.mp4")
    before = {video.video_id: video.digest for video in list_folder(tmp_path)}
    (tmp_path / "dogs/a.mp4").write_bytes(b"another video")

    after = {video.video_id: video.digest for video in list_folder(tmp_path)}

    assert after["dogs/a"] != before["dogs/a"]
    assert after["dogs/b"] == before["dogs/b"]


def test_a_relative_folder_gives_absolute_paths(tmp_path, monkeypatch):
    place(tmp_path, "videos/dogs/a.mp4")
    monkeypatch.chdir(tmp_path)

    (video,) = list_folder("videos")

    assert Path(video.source) == tmp_path / "videos/dogs/a.mp4"


@pytest.mark.parametrize(
    ("name", "complaint"),
    [("gone", "does not exist"), ("file", "is a file"), ("empty", r"contains no video \(1 other")],
)
def test_an_unusable_folder_raises_an_error_with_the_remedy(tmp_path, name, complaint):
    place(tmp_path, "file", "empty/dogs/notes.txt")

    with pytest.raises(ValueError, match=complaint) as raised:
        list_folder(tmp_path / name)

    assert str(tmp_path / name) in str(raised.value)
    assert "--params=ingestion.folder.path=" in str(raised.value)


path_parts = st.text(st.characters(exclude_characters="/\0", codec="utf-8"), min_size=1, max_size=100).filter(
    lambda part: part not in {".", ".."}
)
relative_paths = st.lists(
    st.builds(Path, path_parts) | st.builds(Path, path_parts, path_parts), unique=True, max_size=12
)


@given(relative_paths)
def test_identifiers_are_valid_and_unique_even_if_case_is_ignored(paths):
    identifiers = video_ids(paths)

    assert identifiers.keys() == set(paths)
    assert len({identifier.lower() for identifier in identifiers.values()}) == len(paths)
    assert all(
        re.fullmatch(r"[a-z0-9][a-z0-9-]*/[a-z0-9][a-z0-9-]*", identifier) for identifier in identifiers.values()
    )
    assert all(len(part) <= 100 for identifier in identifiers.values() for part in identifier.split("/"))


@given(relative_paths, st.integers())
def test_identifiers_do_not_depend_on_the_order(paths, seed):
    shuffled = random.Random(seed).sample(paths, len(paths))

    assert video_ids(shuffled) == video_ids(paths)


@given(st.lists(st.sampled_from(["a", "A", "a!", "b", "ä", "", "?", "con"]), unique=True))
def test_a_slug_is_plain_unless_another_one_is_equal(names):
    slugs = unique_slugs({name: name for name in names})

    for name, slug in slugs.items():
        alone = unique_slugs({name: name})[name]
        assert slug == alone or re.fullmatch(alone + "-[0-9a-f]{6}", slug)
    assert len(set(slugs.values())) == len(names)
