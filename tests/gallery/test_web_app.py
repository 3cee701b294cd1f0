"""The pages of the gallery, tested without a browser."""

import tempfile
from pathlib import Path

import pytest
from coloured_videos import write_video

VIDEO = "fruit/clip-00"
BROKEN = "views/broken"
SAME_ORIGIN = {"Origin": "http://127.0.0.1:8765"}


@pytest.fixture
def temporary_files(tmp_path, monkeypatch) -> Path:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def upload(client, content, **headers):
    return client.post("/new", content=content, headers={**SAME_ORIGIN, **headers})


def test_the_grid_shows_and_counts_videos(client) -> None:
    page = client.get("/")

    assert page.status_code == 200
    assert "25 videos" in page.text
    assert f'href="/videos/{VIDEO}"' in page.text
    assert "Not usable: It is no video" in page.text


def test_the_grid_is_filtered(client) -> None:
    page = client.get("/", params={"category": "views", "shows": "sky"})

    assert "12 videos in views that show “sky”, sorted by importance of the object" in page.text


def test_search_terms_are_escaped(client) -> None:
    page = client.get("/", params={"shows": "<script>alert(1)</script>", "category": '"><b>'})

    assert "<script>alert" not in page.text
    assert "<b>" not in page.text


def test_names_and_titles_of_videos_are_escaped(client, store, made) -> None:
    name = 'views/100 % "new"? <b>#1</b> ñ'
    manifest = made["video_manifest"].replace(
        {"video_id": {BROKEN: name}, "title": {"Video 0": "<b>Bold</b> & 'quoted'"}}
    )
    store.save("video_manifest", manifest)

    grid = client.get("/").text
    address = next(part.split('"')[0] for part in grid.split('href="') if part.startswith("/videos/views/100"))

    assert "<b>" not in grid
    assert client.get(address).status_code == 200
    assert "<b>" not in client.get(f"/videos/{VIDEO}").text


@pytest.mark.parametrize("page", ["0", "-1", "many"])
def test_an_invalid_page_number_gets_an_error_page(client, page) -> None:
    answer = client.get("/", params={"page": page})

    assert answer.status_code == 422
    assert "invalid parameter" in answer.text


def test_a_video_page_shows_all_results(client) -> None:
    page = client.get(f"/videos/{VIDEO}")

    assert page.status_code == 200
    for text in ("<video", "Objects over time", "Go to 0:00", "fruit", "cats-long", "similarity", "shared:"):
        assert text in page.text


@pytest.mark.parametrize(
    ("missing", "command"),
    [("recommendations", "recommendation"), ("ad_policy", "advertising"), ("detections", "detection")],
)
def test_a_section_without_data_shows_the_command_that_creates_it(client, store, missing, command) -> None:
    store.delete(missing)

    page = client.get(f"/videos/{VIDEO}")

    assert page.status_code == 200
    assert f"kedro run --pipelines={command}<" in page.text


def test_without_a_corpus_every_page_shows_the_command_that_creates_it(client, store) -> None:
    store.delete("video_manifest")

    assert {client.get(path).status_code for path in ("/", f"/videos/{VIDEO}")} == {503}
    assert all("kedro run<" in client.get(path).text for path in ("/", "/new", f"/videos/{VIDEO}"))


def test_an_unreadable_manifest_shows_what_to_do(client, store) -> None:
    store.corrupt("video_manifest")

    page = client.get("/")

    assert page.status_code == 503
    assert "cannot be read (not a table). Delete it" in page.text


def test_incompatible_results_show_what_to_do(client, store) -> None:
    store.save("object_space", object())

    page, answer = client.get(f"/videos/{VIDEO}"), client.get("/new")

    assert (page.status_code, answer.status_code) == (200, 500)
    assert "kedro run<" in page.text
    assert "kedro run<" in answer.text
    assert "similarity" in page.text, "the page shows the other sections"


def test_range_requests_return_part_of_a_video_file(client, video_files) -> None:
    part = client.get(f"/files/{VIDEO}", headers={"Range": "bytes=4-7"})

    assert part.status_code == 206
    assert part.content == video_files[VIDEO].read_bytes()[4:8] == b"ftyp"
    assert part.headers["content-type"] == "video/mp4"


def test_a_range_beyond_the_end_is_rejected(client) -> None:
    assert client.get(f"/files/{VIDEO}", headers={"Range": "bytes=999999999-"}).status_code == 416


@pytest.mark.parametrize("kind", ["videos", "files", "thumbnails"])
@pytest.mark.parametrize("name", ["../../etc/passwd", "..%2f..%2fetc%2fpasswd", "%2fetc%2fpasswd", "fruit", "a%00b"])
def test_unknown_video_ids_are_not_found(client, kind, name) -> None:
    assert client.get(f"/{kind}/{name}").status_code == 404


def test_thumbnails_with_a_version_are_cached_permanently(client) -> None:
    page = client.get("/").text
    address = page.split(f'src="/thumbnails/{VIDEO}')[1].split('"')[0]

    thumbnail = client.get(f"/thumbnails/{VIDEO}{address}")

    assert thumbnail.headers["content-type"] == "image/jpeg"
    assert "immutable" in thumbnail.headers["cache-control"]
    assert client.get(f"/thumbnails/{VIDEO}").headers["cache-control"] == "private, no-cache"


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:8765", "", "[", "localhost@evil.example"])
def test_other_host_names_are_rejected(client, host) -> None:
    assert client.get("/", headers={"Host": host}).status_code == 400


@pytest.mark.parametrize("host", ["localhost:8765", "127.0.0.1", "[::1]:8765"])
def test_loopback_host_names_are_accepted(client, host) -> None:
    assert client.get("/", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [{"Origin": "http://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "http://[::"}],
)
def test_cross_origin_uploads_are_rejected(client, video_files, headers) -> None:
    assert client.post("/new", content=video_files[VIDEO].read_bytes(), headers=headers).status_code == 403


def test_pages_load_nothing_from_other_hosts(client) -> None:
    headers = client.get("/").headers

    assert headers["content-security-policy"].startswith("default-src 'self'")
    assert headers["x-content-type-options"] == "nosniff"
    assert "http://" not in client.get("/").text
    assert "https://" not in client.get("/").text


def test_a_new_video_gets_all_results_and_is_deleted(client, video_files, temporary_files) -> None:
    answer = upload(client, video_files["views/clip-03"].read_bytes())

    assert answer.status_code == 200
    for text in ("Objects over time", "sky", "views", "similarity 1.00", "shared:", "run --pipelines=advertising"):
        assert text in answer.text
    assert list(temporary_files.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"", 422),
        (b"plain text", 415),
        (b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n", 415),
        (b"ffconcat version 1.0\nfile video.mp4\n", 415),
        (b"\x80\x04\x95\x10\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix", 415),
        (b"\xff\xd8\xff\xe0\x00\x10JFIF", 415),
        (b"x" * 1_000_001, 413),
    ],
    ids=["empty", "text", "playlist", "list of files", "pickle", "image", "too large"],
)
def test_uploads_that_are_too_large_or_no_video_are_rejected(client, temporary_files, content, status) -> None:
    answer = upload(client, content)

    assert answer.status_code == status
    assert 'role="alert"' in answer.text
    assert str(temporary_files) not in answer.text
    assert list(temporary_files.iterdir()) == []


def test_a_video_over_the_duration_limit_is_rejected(client, tmp_path) -> None:
    answer = upload(client, write_video(tmp_path / "long.mp4", "sky", seconds=70).read_bytes())

    assert (answer.status_code, "longer than 1 minutes" in answer.text) == (422, True)


def test_a_truncated_video_is_rejected(client, video_files) -> None:
    content = video_files[VIDEO].read_bytes()

    answer = upload(client, content[: len(content) // 3])

    assert answer.status_code in {415, 422}


def test_one_video_is_analysed_at_a_time(client, analyst, video_files) -> None:
    with analyst.reserved():
        answer = upload(client, video_files[VIDEO].read_bytes())

    assert answer.status_code == 409
    assert upload(client, video_files[VIDEO].read_bytes()).status_code == 200


@pytest.mark.parametrize(
    ("missing", "command"),
    [("recommender", "recommendation"), ("object_classifier", "detection"), ("object_space", "feature_engineering")],
)
def test_a_missing_model_shows_the_command_that_creates_it(client, store, video_files, missing, command) -> None:
    store.delete(missing)

    assert f"kedro run --pipelines={command}<" in client.get("/new").text
    answer = upload(client, video_files[VIDEO].read_bytes())
    assert (answer.status_code, f"kedro run --pipelines={command}<" in answer.text) == (503, True)
