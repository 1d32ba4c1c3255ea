"""What is rendered plays in a browser, which is pickier than ffmpeg."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, sync_playwright

from sordino.fingerprints.model import Region, Span
from sordino.pipelines.remedies.plan import Blur, Plan
from sordino.pipelines.remedies.render import render
from tests import synth

PLAY = """
async (name) => {
    const video = document.createElement("video");
    video.src = name;
    video.muted = true;  // or it would wait for a click
    document.body.append(video);
    await new Promise((done, fail) => {
        video.oncanplay = done;
        video.onerror = () => fail(new Error(video.error.message));
    });
    video.currentTime = 1.5;
    await new Promise((done) => { video.onseeked = done; });
    await video.play();
    await new Promise((done, fail) => {
        video.onended = done;
        video.onerror = () => fail(new Error(video.error.message));
    });
    const {totalVideoFrames} = video.getVideoPlaybackQuality();
    return {seconds: video.duration, width: video.videoWidth, frames: totalVideoFrames};
}
"""


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    assert chromium, "Debian's package chromium is needed"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser.new_page()
        browser.close()


@pytest.mark.parametrize("suffix", [".mp4", ".webm"])
@pytest.mark.parametrize(
    "plan",
    [
        Plan(mute=(Span(1, 2),)),
        Plan(blur=(Blur(Span(1, 2), Region(0.2, 0.2, 0.3, 0.3)),), blank=(Span(2, 2.5),)),
        Plan(mute=(Span(0, 1),), trim=(Span(1, 2),)),
    ],
    ids=["sound", "pictures", "both"],
)
def test_chromium_plays_what_is_rendered(page: Page, tmp_path: Path, plan: Plan, suffix: str) -> None:
    source = synth.clip(tmp_path / "clip.mp4", synth.speech_like(4, 1), synth.pictures(4, 2, fps=25), fps=25)
    out = render(source, tmp_path / f"out{suffix}", plan).out
    (tmp_path / "page.html").write_text("<!doctype html><body></body>")
    page.goto((tmp_path / "page.html").as_uri())
    played = page.evaluate(PLAY, out.name)
    left_s = 4 - sum(span.duration_s for span in plan.trim)
    assert played["seconds"] == pytest.approx(left_s, abs=0.1)
    assert played["width"] == 320
    assert played["frames"] > 20
