"""Downloads with `kedro run` from a server on the loopback address."""

import os
import signal
import time

import pytest
import yaml
from click.testing import CliRunner
from web_server import Web, page, slow, video

from video_recommender.cli import cli


@pytest.fixture
def web(project):
    """A server with the videos of the project."""
    with Web() as started:
        for file in sorted(project.videos.rglob("*.mp4")):
            started.answers[f"/{file.relative_to(project.videos)}"] = video(file.read_bytes())
        yield started


def configure(project, web, **web_options):
    """Create an environment `web` that downloads from the server, and secret credentials."""
    things = {"sources": [web.url(path) for path in web.answers if path.startswith("/things")]}
    space = {"sources": [web.url("/space/page"), web.url("/space/gone.mp4")]}
    links = "".join(f'<video src="{path}"></video>' for path in web.answers if path.startswith("/space"))
    web.answers["/space/page"] = page(f"<html><title>Stars</title><body>{links}</body></html>")
    options = {
        "categories": {"things": things, "space": space},
        "target": 4,
        "filters": {"min_seconds": 0, "min_height": 16},
        "rate_limits": {"retries": 1, "sleep_between_videos_s": [0, 0]},
        **web_options,
    }
    environment = project.root / "conf" / "web"
    environment.mkdir()
    ingestion = {"ingestion": {"source": "web", "web": options}, "workers": {"backend": "sequential"}}
    (environment / "parameters.yml").write_text(yaml.safe_dump(ingestion))
    cookies = project.root / "conf" / "local" / "cookies.txt"
    cookies.write_text("# Netscape HTTP Cookie File\n127.0.0.1\tFALSE\t/\tFALSE\t0\tSESSION\ts3cret-cookie\n")
    secrets = {"web": {"cookies": str(cookies), "proxy": ""}}
    (project.root / "conf" / "local" / "credentials.yml").write_text(yaml.safe_dump(secrets))


def kedro_run(*arguments):
    """Call the project's `kedro run` in this process."""
    result = CliRunner().invoke(cli, ["run", "--env=web", *arguments])
    return result.exit_code, result.output


def test_videos_are_downloaded_without_revealing_secrets(project, web):
    configure(project, web)

    code, output = kedro_run("--pipelines=ingestion,preprocessing")

    assert code == 0, output
    assert "things: 4 of 4 videos downloaded, target reached" in output
    assert "space: 4 of 4 videos downloaded, target reached" in output
    manifest = project.load("video_manifest").set_index("video_id")
    assert manifest["category"].value_counts().to_dict() == {"things": 4, "space": 4}
    assert manifest["status"].eq("ok").all()
    assert set(manifest["title"]) >= {"Stars (1)", "clip-001"}
    assert manifest["webpage_url"].str.startswith(web.url("/")).all()
    assert project.load("frame_manifest")["frames"].min() >= 3
    assert "s3cret-cookie" in web.asked[0].headers["Cookie"]
    files = [file for file in project.root.rglob("*") if file.is_file() and "local" not in file.parts]
    assert [file for file in files if b"s3cret" in file.read_bytes()] == []
    assert "s3cret" not in output


def test_a_killed_download_is_resumed(project, web):
    for path in list(web.answers):
        if path.startswith("/things"):
            content = (project.videos / path.lstrip("/")).read_bytes() + bytes(300_000)
            web.answers[path] = slow(content, seconds=1.0, pieces=10)
    configure(project, web)
    downloads, partial = project.data / "01_raw/downloads", project.data / "01_raw/partial_downloads"

    process = project.start("--env=web", "--pipelines=ingestion")
    deadline = time.monotonic() + 60
    while not (list(downloads.glob("things/*.mp4")) and any(has_begun(file) for file in partial.glob("*.part"))):
        assert process.poll() is None, process.stdout.read()
        assert time.monotonic() < deadline
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    done = {file: file.stat().st_mtime_ns for file in downloads.glob("things/*.mp4")}
    asked = len(web.asked)
    code, output = kedro_run("--pipelines=ingestion")

    assert code == 0, output
    assert {file: file.stat().st_mtime_ns for file in done} == done, "a complete download was repeated"
    assert project.load("video_manifest")["category"].value_counts().to_dict() == {"things": 4, "space": 4}
    assert any(request.first_byte for request in web.asked[asked:]), "the partial download was not resumed"
    assert list(partial.iterdir()) == []


def has_begun(file):
    try:
        return file.stat().st_size > 50_000
    except FileNotFoundError:
        return False


def test_an_unreachable_network_is_reported_without_a_traceback(project, web):
    configure(project, web, rate_limits={"retries": 0, "sleep_between_videos_s": [0, 0]})
    web.stop()

    code, output = kedro_run("--pipelines=ingestion")

    assert code == 1
    assert "Error: No remaining site can be reached" in output
    assert "Traceback" not in output
