"""The gallery in a real browser."""

import shutil
from collections.abc import Iterator

import pytest
from coloured_videos import write_video
from playwright.sync_api import Browser, Error, Page, expect, sync_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PHONE = {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("Chromium is missing: install it, for example with `apt-get install chromium`")
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        except Error as error:
            pytest.skip(f"Chromium does not start: {error.message.splitlines()[0]}")
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser, served) -> Iterator[Page]:
    """A page of the gallery; errors of its scripts fail the test."""
    context = browser.new_context(base_url=served.address)
    context.set_default_timeout(10_000)
    page, errors = context.new_page(), []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    yield page
    context.close()
    assert [text for text in errors if "status of 4" not in text] == []


def wait_until(page: Page, condition: str) -> None:
    """Replace `Page.wait_for_function`, which the content security policy blocks."""
    for _ in range(100):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(50)
    raise AssertionError(condition)


def time_of(page: Page) -> float:
    return page.evaluate("document.querySelector('video').currentTime")


def test_a_user_can_search_play_seek_and_open_a_similar_video(page) -> None:
    page.goto("/")
    expect(page.get_by_role("status")).to_contain_text("25 videos")

    page.get_by_label("Category").select_option("fruit")
    page.get_by_label("Object").fill("tomato")
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_role("status")).to_contain_text("12 videos in fruit that show “tomato”")
    assert page.evaluate("[...document.images].slice(0, 8).every(image => image.complete && image.naturalWidth > 0)")

    page.get_by_role("link", name="Video 0").click()
    page.locator("video").wait_for()
    page.evaluate("document.querySelector('video').play()")
    wait_until(page, "document.querySelector('video').currentTime > 0.1")
    page.evaluate("document.querySelector('video').pause()")

    page.get_by_role("button", name="Go to 0:01: lime").click()
    wait_until(page, "!document.querySelector('video').seeking")
    assert time_of(page) == pytest.approx(1.0, abs=0.1)
    expect(page.locator(".timeline button[data-now]")).to_have_count(1)

    neighbour = page.get_by_role("region", name="Similar videos").get_by_role("link").first
    name = neighbour.inner_text().strip()
    neighbour.click()
    expect(page.get_by_role("heading", level=1)).to_have_text(name)


def test_the_timeline_can_be_used_with_the_keyboard(page) -> None:
    page.goto("/videos/fruit/clip-00")
    wait_until(page, "document.querySelector('video').readyState >= 2")

    page.get_by_role("button", name="Go to 0:01: lime").focus()
    page.keyboard.press("Enter")

    wait_until(page, "document.querySelector('video').currentTime > 0.9")


def test_a_chosen_file_gets_all_results(page, tmp_path) -> None:
    page.goto("/new")

    page.get_by_label("Drop a video here").set_input_files(write_video(tmp_path / "mine.mp4", "sky", "lime"))

    expect(page.get_by_role("status")).to_have_text("The analysis of mine.mp4 is complete.")
    expect(page.get_by_role("region", name="Similar videos").get_by_role("link")).to_have_count(10)
    page.get_by_role("button", name="Go to 0:01: lime").click()
    wait_until(page, "document.querySelector('video').currentTime > 0.9")


def test_a_dropped_file_is_analysed(page, tmp_path) -> None:
    page.goto("/new")
    content = list(write_video(tmp_path / "dropped.mp4", "tomato").read_bytes())

    dropped = page.evaluate_handle(
        """content => {
            const transfer = new DataTransfer();
            transfer.items.add(new File([new Uint8Array(content)], "dropped.mp4", { type: "video/mp4" }));
            return transfer;
        }""",
        content,
    )
    page.dispatch_event("#new-video", "drop", {"dataTransfer": dropped})

    expect(page.get_by_role("status")).to_have_text("The analysis of dropped.mp4 is complete.")


def test_a_file_that_is_no_video_shows_an_error(page, tmp_path) -> None:
    text = tmp_path / "letter.mp4"
    text.write_text("Dear reader")
    page.goto("/new")

    page.get_by_label("Drop a video here").set_input_files(text)

    expect(page.locator("#answer").get_by_role("alert")).to_contain_text("not a video")


def test_pages_fit_a_phone_and_have_accessible_names(page) -> None:
    page.set_viewport_size(PHONE)
    for path in ("/", "/videos/fruit/clip-00", "/videos/views/broken", "/new"):
        page.goto(path)

        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], path
        assert page.locator("img:not([alt]), img[alt='']").count() == 0
        unnamed = page.evaluate(
            """[...document.querySelectorAll("button, input, select, video, a")]
            .filter(one => !(one.labels?.length || one.textContent.trim() || one.getAttribute("aria-label")))
            .map(one => one.outerHTML)"""
        )
        assert unnamed == [], path


def test_pages_follow_the_colour_scheme_of_the_system(page) -> None:
    page.goto("/")
    brightness = {}
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        colour = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
        brightness[scheme] = sum(int(part) for part in colour.strip("rgb()").split(","))

    assert brightness["dark"] < 150
    assert brightness["light"] > 600


def test_a_format_that_the_browser_cannot_play_shows_a_download_link(page) -> None:
    page.route("**/files/**", lambda route: route.fulfill(body="of another format", content_type="video/mp4"))

    page.goto("/videos/fruit/clip-00")

    expect(page.get_by_role("alert")).to_contain_text("cannot play")
    expect(page.get_by_role("link", name="Download the video")).to_be_visible()


def test_a_section_without_data_shows_the_command(page, store) -> None:
    store.delete("recommendations")

    page.goto("/videos/fruit/clip-00")

    expect(page.get_by_role("region", name="Similar videos")).to_contain_text("kedro run --pipelines=recommendation")
