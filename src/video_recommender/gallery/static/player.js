"use strict";
// Connects a video with its timeline: a click on a span seeks to it, and the spans at the current time are highlighted.

document.addEventListener("click", (event) => {
  const span = event.target.closest(".timeline button");
  const video = document.querySelector("video");
  if (span && video) {
    video.currentTime = Number(span.dataset.start);
    video.scrollIntoView({ block: "nearest" });
  }
});

for (const video of document.querySelectorAll("video")) {
  const highlight = () => {
    for (const timeline of document.querySelectorAll(".timeline")) {
      timeline.style.setProperty("--now", video.currentTime / Number(timeline.dataset.duration));
      for (const span of timeline.querySelectorAll("button")) {
        const isNow = Number(span.dataset.start) <= video.currentTime && video.currentTime < Number(span.dataset.end);
        span.toggleAttribute("data-now", isNow);
      }
    }
  };
  video.addEventListener("timeupdate", highlight);
  video.addEventListener("seeked", highlight);
  const showFormatError = () => {
    video.parentElement.querySelector("[role=alert]").hidden = false;
  };
  video.addEventListener("error", showFormatError);
  if (video.error) showFormatError(); // loading failed before this script ran
}
