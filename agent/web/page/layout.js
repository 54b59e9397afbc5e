// Keeps an open page up to date. Every page is whole without it.
"use strict";
(() => {
  const body = document.body;
  const address = body.dataset.address || location.pathname + location.search;

  // A page that answers to a button has an address of its own to be loaded again from.
  if (address !== location.pathname + location.search) {
    history.replaceState(null, "", address);
  }

  // The words of package words.
  const relative = (at, now) => {
    const ahead = at > now;
    const s = Math.floor(Math.abs(at - now) / 1000);
    if (!ahead && s < 5) return "just now";
    if (s < 1) return "now";
    const text = s < 60 ? s + " s" : s < 3600 ? Math.floor(s / 60) + " min" : s < 129600 ? Math.floor(s / 3600) + " h" : Math.floor(s / 86400) + " days";
    return ahead ? "in " + text : text + " ago";
  };
  const two = (a, x, b, y) => b ? a + x + " " + String(b).padStart(2, "0") + y : a + x;
  const duration = (ms) => {
    const s = Math.max(0, Math.floor(ms / 1000));
    if (s < 60) return s + "s";
    if (s < 3600) return two(Math.floor(s / 60), "m", s % 60, "s");
    if (s < 86400) return two(Math.floor(s / 3600), "h", Math.floor(s % 3600 / 60), "m");
    return Math.floor(s / 86400) + "d " + Math.floor(s % 86400 / 3600) + "h";
  };
  const set = (element, text) => { if (element.textContent !== text) element.textContent = text; };
  const tick = () => {
    const now = Date.now();
    for (const e of document.querySelectorAll("time[data-ago]")) set(e, relative(Date.parse(e.dateTime), now));
    for (const e of document.querySelectorAll("[data-since]")) set(e, duration(now - Number(e.dataset.since)));
  };
  setInterval(() => { if (!document.hidden) tick(); }, 1000);

  // refresh fetches the page anew and exchanges the parts that differ, without
  // closing what is open or losing the focus.
  const exchange = (fresh) => {
    for (const old of document.querySelectorAll("[data-part]")) {
      const next = fresh.querySelector(`[data-part="${old.dataset.part}"]`);
      if (!next) continue;
      for (const d of old.querySelectorAll("details[id]")) {
        const same = next.querySelector("#" + CSS.escape(d.id));
        if (same) same.open = d.open;
      }
      if (next.isEqualNode(old)) continue;
      const focused = old.contains(document.activeElement) ? document.activeElement : null;
      let find = "";
      if (focused) {
        const link = focused.getAttribute("href"), form = focused.form && focused.form.getAttribute("action");
        find = link ? `a[href="${CSS.escape(link)}"]` : form ? `form[action="${CSS.escape(form)}"] button` : "";
      }
      const added = document.importNode(next, true);
      old.replaceWith(added);
      if (find) added.querySelector(find)?.focus({preventScroll: true});
    }
    tick();
  };
  let fetching = false, again = false;
  const refresh = async () => {
    if (fetching) { again = true; return; }
    fetching = true;
    try {
      const answer = await fetch(location.pathname + location.search, {cache: "no-store", credentials: "same-origin"});
      if (answer.ok) exchange(new DOMParser().parseFromString(await answer.text(), "text/html"));
    } catch { /* the agent is away: the stream says when it is back */ }
    fetching = false;
    if (again) { again = false; refresh(); }
  };

  // listen keeps a stream open while the page is looked at: a browser has few
  // connections to one host, and hidden pages must not hold them all.
  const listen = (open) => {
    let stream = null;
    const update = () => {
      if (document.hidden) { stream?.close(); stream = null; } else if (!stream) { stream = open(); }
    };
    document.addEventListener("visibilitychange", update);
    addEventListener("pagehide", () => { stream?.close(); stream = null; });
    addEventListener("pageshow", update);
    update();
    return () => { document.removeEventListener("visibilitychange", update); stream?.close(); };
  };
  window.agentPage = {refresh, listen};

  const kinds = (body.dataset.live || "").split(" ").filter(Boolean);
  if (kinds.length) {
    let opened = 0;
    listen(() => {
      const stream = new EventSource("/events");
      stream.addEventListener("change", (e) => { if (kinds.includes(e.data)) refresh(); });
      // What happened while nobody listened is on a fresh page.
      stream.addEventListener("open", () => { if (opened++) refresh(); });
      return stream;
    });
  }

  // The filter answers while one types.
  const filter = document.querySelector("form.filter");
  if (filter) {
    let timer = 0;
    const apply = async () => {
      const query = new URLSearchParams(new FormData(filter));
      if (!query.get("q")) query.delete("q");
      const text = query.toString();
      history.replaceState(null, "", "/" + (text ? "?" + text : ""));
      await refresh();
    };
    filter.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(apply, 150); });
    filter.addEventListener("submit", (e) => { e.preventDefault(); clearTimeout(timer); apply(); });
    document.addEventListener("keydown", (e) => {
      if (e.key === "/" && !e.ctrlKey && !e.metaKey && !e.altKey && !/^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement.tagName)) {
        e.preventDefault();
        filter.querySelector("input[type=search]").focus();
      }
    });
  }

  document.addEventListener("submit", (e) => {
    const question = e.target.dataset.confirm;
    if (question && !confirm(question)) { e.preventDefault(); return; }
    if (e.target.method === "post") {
      // Twice pressed is once meant. After the event: a disabled button is not sent.
      const button = e.submitter;
      setTimeout(() => { if (button) button.disabled = true; });
      addEventListener("pageshow", () => { if (button) button.disabled = false; });
    }
  });
})();
