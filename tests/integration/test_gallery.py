"""The gallery of a finished project."""

import pytest
from fastapi.testclient import TestClient

from video_recommender.gallery.command import create_project_app

VIDEO = "space/clip-001"


@pytest.fixture
def client(project) -> TestClient:
    return TestClient(create_project_app(project.root, None, 10), base_url="http://localhost:8765")


def test_every_page_has_all_its_parts(client) -> None:
    grid, video = client.get("/"), client.get(f"/videos/{VIDEO}")

    assert (grid.status_code, video.status_code) == (200, 200)
    assert "12 videos" in grid.text
    assert "kedro run" not in grid.text + video.text
    assert video.text.count("similarity") == 10
    assert client.get(f"/files/{VIDEO}", headers={"Range": "bytes=0-99"}).status_code == 206


def test_thumbnails_are_stored_in_the_data_folder(client, project) -> None:
    assert client.get(f"/thumbnails/{VIDEO}").content.startswith(b"\xff\xd8")
    assert len(list((project.data / "08_reporting" / "gallery_thumbnails").glob("*.jpg"))) == 1


def test_a_new_video_has_all_results(client, clips) -> None:
    answer = client.post("/new", content=(clips / "animals" / "clip-001.mp4").read_bytes())

    assert answer.status_code == 200
    assert "kedro run" not in answer.text
    assert answer.text.count("similarity") == 10
