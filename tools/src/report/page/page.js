
"use strict";
(() => {
  const tip = document.createElement("div");
  tip.className = "tip";
  tip.hidden = true;
  tip.setAttribute("role", "status");
  document.body.append(tip);
  let shown = null;

  // The marks' own titles come late and not for keys; they are shown here instead.
  const texts = new WeakMap();
  for (const mark of document.querySelectorAll("svg .m")) {
    const title = mark.querySelector("title");
    texts.set(mark, title.textContent);
    title.remove();
  }

  const hide = () => {
    shown?.classList.remove("on");
    shown = null;
    tip.hidden = true;
  };

  const show = (mark) => {
    if (mark === shown) return;
    hide();
    shown = mark;
    mark.classList.add("on");
    tip.textContent = texts.get(mark);
    tip.hidden = false;
    place();
  };

  const place = () => {
    const at = shown.getBoundingClientRect(), own = tip.getBoundingClientRect(), gap = 8;
    const left = Math.min(Math.max(gap, at.left + at.width / 2 - own.width / 2), innerWidth - own.width - gap);
    const above = Math.max(0, at.top) - own.height - gap;
    const below = Math.min(at.bottom + gap, innerHeight - own.height - gap);
    tip.style.left = `${left}px`;
    tip.style.top = `${above >= gap ? above : below}px`;
  };

  // The mark under the pointer, or the nearest one a little way off.
  const nearest = (svg, event) => {
    if (event.target.classList.contains("m")) return event.target;
    let best = null, least = 18;
    for (const mark of svg.querySelectorAll(".m")) {
      const box = mark.getBoundingClientRect();
      const x = Math.max(box.left - event.clientX, 0, event.clientX - box.right);
      const y = Math.max(box.top - event.clientY, 0, event.clientY - box.bottom);
      const distance = Math.hypot(x, y);
      if (distance < least) { least = distance; best = mark; }
    }
    return best;
  };

  const walk = (svg, key) => {
    const marks = [...svg.querySelectorAll(".m")], at = marks.indexOf(shown), last = marks.length - 1;
    const next = {
      ArrowRight: at + 1, ArrowDown: at + 1, ArrowLeft: at < 0 ? last : at - 1, ArrowUp: at < 0 ? last : at - 1, Home: 0, End: last,
    }[key];
    if (next === undefined || last < 0) return false;
    const mark = marks[Math.min(Math.max(next, 0), last)];
    mark.scrollIntoView({ block: "nearest" });
    show(mark);
    return true;
  };

  for (const svg of document.querySelectorAll("svg")) {
    const point = (event) => {
      const mark = nearest(svg, event);
      if (mark) show(mark); else hide();
    };
    svg.addEventListener("pointermove", point);
    svg.addEventListener("pointerdown", point);
    svg.addEventListener("pointerleave", hide);
    svg.addEventListener("blur", hide);
    svg.addEventListener("keydown", (event) => {
      if (event.key === "Escape") hide();
      else if (walk(svg, event.key)) event.preventDefault();
    });
  }
  addEventListener("scroll", () => { if (shown) place(); }, { passive: true, capture: true });

  for (const element of document.querySelectorAll(".script, #theme")) element.hidden = false;
  document.getElementById("theme").addEventListener("click", () => {
    const root = document.documentElement;
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
  });
  addEventListener("beforeprint", () => {
    for (const element of document.querySelectorAll("details")) element.open = true;
  });
})();
