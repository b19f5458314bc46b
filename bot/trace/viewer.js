// Search and keys. The page is whole without this: it only finds, opens and moves.
(() => {
  "use strict";
  const main = document.querySelector("main");
  const bar = document.createElement("div");
  bar.className = "bar";
  const box = document.createElement("input");
  box.type = "search";
  box.placeholder = "Search ( / )";
  box.setAttribute("aria-label", "Search this page");
  const told = document.createElement("output");
  const keys = document.createElement("span");
  keys.className = "keys";
  keys.textContent = "j k move, Enter opens, / searches, Escape leaves";
  bar.append(box, told, keys);
  main.prepend(bar);

  const open = (node) => {
    for (let at = node.closest("details"); at; at = at.parentElement.closest("details")) at.open = true;
  };
  const show = (node) => {
    node.scrollIntoView({ block: "center" });
  };

  // --- search: the smallest elements that hold text
  const leaves = [...main.querySelectorAll("p, pre, dt, dd, li > code, td, summary, h1, h2, h3, .diff span")]
    .map((node) => [node, node.textContent.toLowerCase()]);
  let hits = [];
  let at = -1;
  const mark = (step) => {
    hits[at]?.classList.remove("hit");
    if (!hits.length) return;
    at = (at + step + hits.length) % hits.length;
    const node = hits[at];
    open(node.tagName === "SUMMARY" ? node.parentElement.parentElement : node);
    node.classList.add("hit");
    show(node);
    told.textContent = `${at + 1} of ${hits.length}`;
  };
  const search = () => {
    hits[at]?.classList.remove("hit");
    const wanted = box.value.trim().toLowerCase();
    hits = wanted ? leaves.filter(([, text]) => text.includes(wanted)).map(([node]) => node) : [];
    at = -1;
    told.textContent = !wanted ? "" : hits.length ? `${hits.length} found` : "nothing found";
  };
  box.addEventListener("input", search);
  box.addEventListener("keydown", (event) => {
    if (event.key === "Enter") mark(event.shiftKey ? -1 : 1);
    if (event.key === "Escape") {
      box.value = "";
      search();
      box.blur();
    }
  });

  // --- keys: from stop to stop, those that lie in a closed fold left out
  const stops = [...main.querySelectorAll(".stop")];
  const seen = (node) => node.getClientRects().length > 0;
  const aim = (node) => (node.tagName === "DETAILS" ? node.querySelector("summary") : node);
  let current = null;
  const move = (step) => {
    const visible = stops.filter(seen);
    if (!visible.length) return;
    const from = visible.indexOf(current);
    const to = from < 0 ? (step > 0 ? 0 : visible.length - 1) : Math.min(visible.length - 1, Math.max(0, from + step));
    current?.classList.remove("current");
    current = visible[to];
    current.classList.add("current");
    aim(current).focus({ preventScroll: true });
    show(aim(current));
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target === box) return;
    if (event.key === "j") move(1);
    else if (event.key === "k") move(-1);
    else if (event.key === "/") {
      event.preventDefault();
      box.focus();
      box.select();
    } else if (event.key === "Escape") {
      current?.classList.remove("current");
      current = null;
      document.activeElement.blur();
    }
  });

  // --- links to what lies in a closed fold
  const follow = () => {
    const target = location.hash && document.getElementById(location.hash.slice(1));
    if (!target) return;
    if (target.tagName === "DETAILS") target.open = true;
    open(target);
    show(target);
  };
  window.addEventListener("hashchange", follow);
  follow();
})();
