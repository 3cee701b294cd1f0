"use strict";
// Uploads a new video and inserts the results. The browser plays its local file, because the server deletes the upload.

const form = document.getElementById("new-video");
if (form) {
  const input = form.querySelector("input[type=file]");
  const button = form.querySelector("button");
  const progress = document.getElementById("progress");
  const answer = document.getElementById("answer");
  const playback = document.getElementById("playback");
  const player = playback.querySelector("video");

  const showStatus = (text, isError) => {
    progress.textContent = text;
    progress.classList.toggle("error", isError);
  };

  const play = (file) => {
    URL.revokeObjectURL(player.src);
    playback.querySelector("[role=alert]").hidden = true;
    player.src = URL.createObjectURL(file);
    player.setAttribute("aria-label", file.name);
    playback.hidden = false;
  };

  const analyse = async () => {
    const file = input.files[0];
    if (!file || button.disabled) return;
    answer.replaceChildren();
    if (file.size > Number(form.dataset.maxBytes)) {
      showStatus(`${file.name} is larger than ${form.dataset.maxBytes / 1e6} MB.`, true);
      return;
    }
    play(file);
    button.disabled = true;
    progress.setAttribute("aria-busy", "true");
    showStatus(`Analysing ${file.name} …`, false);
    try {
      const response = await fetch(form.action, { method: "POST", body: file, headers: { "Content-Type": "application/octet-stream" } });
      answer.innerHTML = await response.text();
      showStatus(response.ok ? `The analysis of ${file.name} is complete.` : "", false);
      answer.querySelector("h2")?.focus({ preventScroll: true });
    } catch {
      showStatus("The upload failed: another video is being analysed, or the gallery is not running. Try again.", true);
    } finally {
      button.disabled = false;
      progress.removeAttribute("aria-busy");
    }
  };

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    analyse();
  });
  input.addEventListener("change", analyse);
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    form.toggleAttribute("data-over", true);
  });
  document.addEventListener("dragleave", () => form.toggleAttribute("data-over", false));
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    form.toggleAttribute("data-over", false);
    if (event.dataTransfer.files.length && !button.disabled) {
      input.files = event.dataTransfer.files;
      analyse();
    }
  });
}
