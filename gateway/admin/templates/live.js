// Keeps the feed up to date: asks for its own page again, and puts in the rows that are new.
// Nothing here is needed: without it the link "Refresh" does the same.
"use strict";
(() => {
  const EVERY = 3000;  // milliseconds; longer where an answer takes long
  const table = document.getElementById("live");
  const says = document.getElementById("live-says");
  const pause = document.getElementById("live-pause");
  const refresh = document.getElementById("live-refresh");
  if (!table) return;
  let paused = false;

  const put = (rows) => {
    const body = table.tBodies[0];
    let place = body.firstElementChild;
    let fresh = 0;
    for (const row of rows) {
      const known = document.getElementById(row.id);
      if (known && known === place) {
        place = place.nextElementSibling;
        if (known.innerHTML !== row.innerHTML && !known.contains(document.activeElement)) known.innerHTML = row.innerHTML;
      } else if (!known) {
        row.classList.add("fresh");
        body.insertBefore(row, place);
        fresh += 1;
      }
    }
    while (body.rows.length > Math.max(rows.length, 50)) body.lastElementChild.remove();
    return fresh;
  };

  const look = async () => {
    if (paused || document.hidden) return 0;
    const began = performance.now();
    try {
      const answer = await fetch(location.href, { headers: { accept: "text/html" }, redirect: "error" });
      if (!answer.ok) throw new Error(String(answer.status));
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const rows = [...page.querySelectorAll("#live > tbody > tr")].map((row) => document.importNode(row, true));
      const fresh = put(rows);
      if (fresh) says.textContent = fresh === 1 ? "1 new decision" : `${fresh} new decisions`;
      else if (says.dataset.lost) says.textContent = "Live";
      delete says.dataset.lost;
    } catch {
      if (!says.dataset.lost) says.textContent = "Not up to date: the gateway does not answer, or you are signed out";
      says.dataset.lost = "yes";
    }
    return performance.now() - began;
  };

  pause.addEventListener("click", () => {
    paused = !paused;
    pause.textContent = paused ? "Go on" : "Pause";
    says.textContent = paused ? "Paused" : "Live";
    if (!paused) look();
  });
  refresh.hidden = true;
  pause.hidden = false;
  says.textContent = "Live";
  const again = async () => {
    const took = await look();
    setTimeout(again, Math.max(EVERY, 10 * took));
  };
  setTimeout(again, EVERY);
})();
