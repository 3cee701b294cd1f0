"use strict";
// A video and its timeline: a click on a stretch of the timeline seeks, and what is seen now is marked.

document.addEventListener("click", (event) => {
  const stretch = event.target.closest(".timeline button");
  const video = document.querySelector("video");
  if (stretch && video) {
    video.currentTime = Number(stretch.dataset.start);
    video.scrollIntoView({ block: "nearest" });
  }
});

for (const video of document.querySelectorAll("video")) {
  const mark = () => {
    for (const timeline of document.querySelectorAll(".timeline")) {
      timeline.style.setProperty("--now", video.currentTime / Number(timeline.dataset.duration));
      for (const stretch of timeline.querySelectorAll("button")) {
        const isNow = Number(stretch.dataset.start) <= video.currentTime && video.currentTime < Number(stretch.dataset.end);
        stretch.toggleAttribute("data-now", isNow);
      }
    }
  };
  video.addEventListener("timeupdate", mark);
  video.addEventListener("seeked", mark);
  const showFormatError = () => {
    video.parentElement.querySelector("[role=alert]").hidden = false;
  };
  video.addEventListener("error", showFormatError);
  if (video.error) showFormatError(); // it failed before this script was loaded
}
