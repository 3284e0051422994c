"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const WIDTH = 480, HEIGHT = 250, LEFT = 52, RIGHT = 12, TOP = 8, BOTTOM = 22, COLOURS = 8;
  const hidden = new Set();
  let smoothing = 0, log = false;

  const svg = (name, attributes, parent) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    if (parent) parent.append(element);
    return element;
  };

  // Exponential moving average without the pull of its start towards zero.
  const smooth = (points, factor) => {
    if (factor === 0) return points;
    let sum = 0, weight = 0;
    return points.map(([step, value]) => {
      sum = factor * sum + (1 - factor) * value;
      weight = factor * weight + (1 - factor);
      return [step, sum / weight];
    });
  };

  const number = (value, percent) => {
    if (percent) return (100 * value).toFixed(2) + " %";
    if (value === 0) return "0";
    const size = Math.abs(value);
    if (size >= 1000) return value.toLocaleString("en", { maximumFractionDigits: 0 });
    return size < 1e-3 ? value.toExponential(3) : String(Number(value.toPrecision(5)));
  };

  const short = (value, percent) => {
    if (percent) return Number((100 * value).toPrecision(6)) + " %";
    const size = Math.abs(value);
    if (size >= 1e6) return Number((value / 1e6).toPrecision(4)) + "M";
    if (size >= 1e4) return Number((value / 1e3).toPrecision(4)) + "k";
    if (size > 0 && size < 1e-3) return Number(value.toPrecision(3)).toExponential();
    return String(Number(value.toPrecision(6)));
  };

  // Round numbers (1, 2 or 5 times a power of ten) from low to high.
  const ticks = (low, high, count) => {
    const raw = (high - low) / count, power = 10 ** Math.floor(Math.log10(raw));
    const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= raw * 0.999);
    const list = [];
    for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i++) list.push(i * step);
    return list;
  };

  const logTicks = (low, high) => {
    const list = [];
    const decades = Math.log10(high / low);
    const of = decades > 5 ? [1] : decades > 1 ? [1, 3] : [1, 2, 3, 5, 7];
    for (let e = Math.floor(Math.log10(low)); e <= Math.ceil(Math.log10(high)); e++)
      for (const m of of) if (m * 10 ** e >= low && m * 10 ** e <= high) list.push(m * 10 ** e);
    return list.length > 1 ? list : ticks(low, high, 4).filter((v) => v > 0);
  };

  const draw = (figure, chart) => {
    figure.querySelector("svg")?.remove();
    figure.querySelector(".tip")?.remove();
    const root = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": chart.title });
    figure.append(root);
    const usesLog = log && chart.series.every((s) => s.points.every((p) => p[1] > 0));
    const factor = chart.noisy ? smoothing : 0;
    const shown = chart.series.filter((s) => !hidden.has(s.run)).map((s) => ({ ...s, smooth: smooth(s.points, factor) }));
    if (shown.length === 0) {
      svg("text", { x: WIDTH / 2, y: HEIGHT / 2, class: "empty" }, root).textContent = "no run is shown";
      return;
    }
    const raw = factor > 0;
    const all = shown.flatMap((s) => (raw ? s.points.concat(s.smooth) : s.points));
    let [x0, x1, y0, y1] = [Infinity, -Infinity, Infinity, -Infinity];
    for (const [x, y] of all) { x0 = Math.min(x0, x); x1 = Math.max(x1, x); y0 = Math.min(y0, y); y1 = Math.max(y1, y); }
    if (x0 === x1) { x0 -= 1; x1 += 1; }
    if (y0 === y1) { const pad = Math.abs(y0) * 0.1 || 1; y0 -= pad; y1 += pad; }
    else if (usesLog) { const pad = (y1 / y0) ** 0.04; y0 /= pad; y1 *= pad; }
    else { const pad = (y1 - y0) * 0.05; y0 = y0 >= 0 ? Math.max(0, y0 - pad) : y0 - pad; y1 += pad; }
    const f = usesLog ? Math.log : (v) => v;
    const x = (v) => LEFT + ((v - x0) / (x1 - x0)) * (WIDTH - LEFT - RIGHT);
    const y = (v) => HEIGHT - BOTTOM - ((f(v) - f(y0)) / (f(y1) - f(y0))) * (HEIGHT - TOP - BOTTOM);
    for (const v of usesLog ? logTicks(y0, y1) : ticks(y0, y1, 5)) {
      svg("line", { x1: LEFT, x2: WIDTH - RIGHT, y1: y(v), y2: y(v), class: "grid" }, root);
      svg("text", { x: LEFT - 6, y: y(v) + 4, "text-anchor": "end" }, root).textContent = short(v, chart.percent);
    }
    for (const v of ticks(x0, x1, 6)) {
      if (v < 0) continue;
      const anchor = x(v) > WIDTH - RIGHT - 14 ? "end" : "middle";
      svg("text", { x: x(v), y: HEIGHT - 6, "text-anchor": anchor }, root).textContent = short(v);
    }
    const path = (points) => points.map(([a, b], i) => `${i ? "L" : "M"}${x(a).toFixed(1)} ${y(b).toFixed(1)}`).join("");
    for (const s of shown) {
      const kind = `c${s.run % COLOURS}${s.teacher || s.run >= COLOURS ? " dashed" : ""}`;
      if (raw) svg("path", { d: path(s.points), class: `curve raw ${kind}` }, root);
      svg("path", { d: path(s.smooth), class: `curve ${kind}` }, root);
      if (s.points.length === 1) svg("circle", { cx: x(s.points[0][0]), cy: y(s.points[0][1]), r: 3.5, class: `dot c${s.run % COLOURS}` }, root);
    }
    hover(figure, root, chart, shown, raw, x, y, x0, x1);
  };

  const nearest = (points, step) => {
    let low = 0, high = points.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (points[middle][0] < step) low = middle + 1; else high = middle;
    }
    return low > 0 && step - points[low - 1][0] <= points[low][0] - step ? low - 1 : low;
  };

  const hover = (figure, root, chart, shown, raw, x, y, x0, x1) => {
    const layer = svg("g", {}, root);
    const tip = document.createElement("div");
    tip.className = "tip";
    tip.hidden = true;
    figure.append(tip);
    const leave = () => { tip.hidden = true; layer.replaceChildren(); };
    root.addEventListener("pointerleave", leave);
    root.addEventListener("pointermove", (event) => {
      const box = root.getBoundingClientRect();
      const at = ((event.clientX - box.left) / box.width) * WIDTH;
      const wanted = x0 + ((at - LEFT) / (WIDTH - LEFT - RIGHT)) * (x1 - x0);
      // The step nearest to the pointer among all curves, then each curve's own point nearest to it.
      const candidates = shown.map((s) => s.points[nearest(s.points, wanted)][0]);
      const step = candidates.reduce((a, b) => (Math.abs(b - wanted) < Math.abs(a - wanted) ? b : a));
      layer.replaceChildren();
      svg("line", { x1: x(step), x2: x(step), y1: TOP, y2: HEIGHT - BOTTOM, class: "cursor" }, layer);
      tip.replaceChildren(document.createTextNode(`step ${number(step)}`));
      for (const s of shown) {
        const i = nearest(s.points, step), [px, value] = s.smooth[i];
        const colour = `c${s.run % COLOURS}`;
        svg("circle", { cx: x(px), cy: y(value), r: 3.5, class: `dot ${colour}` }, layer);
        const row = document.createElement("div"), key = document.createElement("i"), text = document.createElement("b");
        row.className = `run ${colour}`;
        text.textContent = number(value, chart.percent) + (raw ? ` (${number(s.points[i][1], chart.percent)})` : "");
        row.append(key, data.runs[s.run] + (s.teacher ? ", teacher" : "") + (px === step ? "" : ` at ${number(px)}`), text);
        tip.append(row);
      }
      tip.hidden = false;
      const frame = figure.getBoundingClientRect();
      const left = (x(step) / WIDTH) * box.width + box.left - frame.left;
      const flip = left > frame.width / 2;
      tip.style.left = flip ? "" : `${left + 14}px`;
      tip.style.right = flip ? `${frame.width - left + 14}px` : "";
      tip.style.top = `${box.top - frame.top + 12}px`;
    });
  };

  const figures = [...document.querySelectorAll("figure[data-chart]")];
  const redraw = () => figures.forEach((figure) => draw(figure, data.charts[figure.dataset.chart]));
  document.getElementById("smoothing").addEventListener("input", (event) => {
    smoothing = Number(event.target.value) / 100;
    document.getElementById("smoothed").textContent = smoothing.toFixed(2);
    redraw();
  });
  document.getElementById("log").addEventListener("change", (event) => { log = event.target.checked; redraw(); });
  document.getElementById("theme").addEventListener("click", () => {
    const root = document.documentElement;
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
  });
  for (const box of document.querySelectorAll("input[data-run]"))
    box.addEventListener("change", () => {
      const run = Number(box.dataset.run);
      if (box.checked) hidden.delete(run); else hidden.add(run);
      redraw();
    });
  redraw();
})();
