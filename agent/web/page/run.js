// Follows the log of a run that is going.
"use strict";
(() => {
  const log = document.querySelector(".log[data-events]");
  if (!log) return;
  // More rows than this make a page slow; the plain text has them all.
  const most = 20000;
  const {refresh, listen} = window.agentPage;
  const live = document.querySelector(".live");
  const follow = document.getElementById("follow");
  document.querySelector(".follow").hidden = false;
  live.hidden = false;

  const beyond = () => log.getBoundingClientRect().bottom - innerHeight;
  const atEnd = () => beyond() < 80;
  let jumping = 0;
  const jump = () => {
    const by = beyond() + 16;
    if (by > 0) { jumping = Date.now(); scrollBy(0, by); }
  };
  // Whoever scrolls up wants to read; whoever comes back to the end wants to follow.
  addEventListener("scroll", () => { if (Date.now() - jumping > 150) follow.checked = atEnd(); }, {passive: true});
  follow.addEventListener("change", () => { if (follow.checked) jump(); });

  let rows = log.querySelectorAll(".ln").length;
  const append = (html) => {
    const part = document.createElement("div");
    part.className = "part";
    part.innerHTML = html; // drawn and escaped by the agent, like the page itself
    rows += part.querySelectorAll(".ln").length;
    log.append(part);
    document.querySelector(".quiet-log")?.remove();
    while (rows > most && log.children.length > 1) {
      rows -= log.firstElementChild.querySelectorAll(".ln").length;
      log.firstElementChild.remove();
    }
    if (follow.checked) jump();
  };

  const stop = listen(() => {
    const stream = new EventSource(log.dataset.events + "?after=" + encodeURIComponent(log.dataset.at));
    stream.addEventListener("log", (e) => {
      if (e.lastEventId) log.dataset.at = e.lastEventId;
      append(e.data);
    });
    stream.addEventListener("state", refresh);
    stream.addEventListener("end", () => {
      stream.close();
      stop();
      live.hidden = true;
      document.querySelector(".follow").hidden = true;
      refresh();
    });
    return stream;
  });
  if (follow.checked && rows > 0) jump();
})();
