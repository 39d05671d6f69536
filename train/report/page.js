"use strict";
// Draws the page from the data that lies in it. Text of a run goes in through textContent alone, never as markup.
(() => {
const data = JSON.parse(document.getElementById("data").textContent);
const { runs, charts } = data;
const many = runs.length > 1;
for (const run of runs) for (const curve of [run.elapsed, ...Object.values(run.curves)])
  if (!curve.spread) curve.low = curve.high = curve.mean;
const view = { axis: "step", smooth: 0, log: false, zoom: null, hidden: new Set(), hiddenRuns: new Set() };
const colour = (i) => `var(--c${i % 8})`;

function add(parent, tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in made && name !== "style") made[name] = value; else made.setAttribute(name, value);
  }
  made.append(...children);
  parent.append(made);
  return made;
}
function draw(parent, tag, attributes = {}, text) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (text !== undefined) made.textContent = text;
  parent.append(made);
  return made;
}

// --- Numbers ---
const trim = (text) => text.includes(".") ? text.replace(/\.?0+$/, "") : text;
function scaled(value, base, units) {
  let i = 0;
  while (Math.abs(value) >= base && i + 1 < units.length) { value /= base; i++; }
  return [value, units[i]];
}
function plain(value) {
  const size = Math.abs(value);
  if (size === 0) return "0";
  if (size >= 1e6 || size < 1e-3) return value.toExponential(2).replace(/\.?0+e/, "e").replace("e+", "e");
  return trim(value.toPrecision(size < 1 ? 3 : 4));
}
const seconds = (value) => {
  const size = Math.abs(value);
  if (size < 120) return trim(value.toFixed(size < 10 ? 1 : 0)) + " s";
  if (size < 7200) return trim((value / 60).toFixed(1)) + " min";
  if (size < 72 * 3600) return trim((value / 3600).toFixed(1)) + " h";
  return trim((value / 86400).toFixed(1)) + " d";
};
const formats = {
  plain,
  count: (v) => { const [n, u] = scaled(v, 1000, ["", "k", "M", "G", "T", "P"]); return trim(n.toPrecision(4)) + u; },
  bytes: (v) => { const [n, u] = scaled(v, 1024, ["B", "KiB", "MiB", "GiB", "TiB"]); return trim(n.toPrecision(4)) + " " + u; },
  share: (v) => trim((100 * v).toPrecision(3)) + " %",
  ms: (v) => Math.abs(v) < 1000 ? trim(v.toPrecision(3)) + " ms" : seconds(v / 1000),
};
const axes = {
  step: (v) => v < 1e5 ? String(Math.round(v)) : formats.count(v),
  tokens: formats.count,
  time: seconds,
};

// --- Where a step lies on the axis ---
function position(run, step) {
  if (view.axis === "tokens") return step * run.tokens_per_step;
  if (view.axis !== "time") return step;
  const { x, mean } = run.elapsed;
  let low = 0, high = x.length - 1;
  if (high < 0) return NaN;
  while (low < high) { const mid = (low + high) >> 1; if (x[mid] < step) low = mid + 1; else high = mid; }
  if (low === 0 || x[low] <= step) return mean[low];
  return mean[low - 1] + (mean[low] - mean[low - 1]) * (step - x[low - 1]) / (x[low] - x[low - 1]);
}

function smoothed(values) {
  if (!view.smooth) return values;
  let sum = 0, weight = 0;
  return values.map((value) => {
    sum = view.smooth * sum + (1 - view.smooth) * value;
    weight = view.smooth * weight + 1 - view.smooth;
    return sum / weight;
  });
}

function niceTicks(low, high, count, steps = [1, 2, 5, 10]) {
  const rough = (high - low) / count, power = 10 ** Math.floor(Math.log10(rough));
  const step = steps.map((s) => s * power).find((s) => s >= rough * 0.999) || 10 * power;
  const ticks = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high * (1 + 1e-12) + step * 1e-9; i++) ticks.push(i * step);
  return ticks;
}
function byteTicks(low, high, count) {
  const unit = 1024 ** Math.floor(Math.log(Math.max(high, 1)) / Math.log(1024));
  return niceTicks(low / unit, high / unit, count).map((tick) => tick * unit);
}
function timeTicks(low, high, count) {
  const rough = (high - low) / count;
  const step = [1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 10800, 21600, 43200, 86400].find((s) => s >= rough);
  if (!step || rough < 1) return niceTicks(low, high, count);
  const ticks = [];
  for (let t = Math.ceil(low / step) * step; t <= high; t += step) ticks.push(t);
  return ticks;
}
function logTicks(low, high) {
  const from = Math.floor(Math.log10(low)), to = Math.ceil(Math.log10(high));
  const wanted = to - from > 6 ? [1] : to - from > 2 ? [1, 3] : [1, 2, 3, 5, 7];
  const ticks = [];
  for (let e = from; e <= to; e++) for (const m of wanted) { const t = m * 10 ** e; if (t >= low && t <= high) ticks.push(t); }
  return ticks.length > 1 ? ticks : niceTicks(low, high, 4);
}

// --- Charts ---
const drawn = [];

class Chart {
  constructor(parent, spec) {
    this.spec = spec;
    this.card = add(parent, "section", { className: "card chart" + (spec.wide ? " wide" : "") });
    const head = add(this.card, "div", { className: "head" });
    add(head, "h3", { textContent: spec.title });
    if (spec.unit) add(head, "span", { className: "soft", textContent: spec.unit });
    this.series = [];
    runs.forEach((run, r) => spec.series.forEach((series, s) => {
      const curve = run.curves[series.key];
      if (curve && curve.x.length) this.series.push({ ...series, id: spec.title + "/" + series.key, run, r, s, curve, tint: colour(many ? r : s) });
    }));
    const labels = new Map(this.series.map((s) => [s.key, s]));
    if (labels.size > 1) {
      const keys = add(head, "div", { className: "keys" });
      for (const s of labels.values()) {
        const key = add(keys, "button", { className: "key", type: "button", "aria-pressed": true });
        const tint = many ? "var(--soft)" : s.tint;
        add(key, "i", { className: s.dots ? "dots" : "", style: `background:${tint}` });
        key.append(s.label);
        key.onclick = () => {
          const hide = !view.hidden.has(s.id);
          if (hide) view.hidden.add(s.id); else view.hidden.delete(s.id);
          key.setAttribute("aria-pressed", !hide);
          this.render();
        };
      }
    }
    this.svg = draw(this.card, "svg", { role: "img", "aria-label": spec.title });
    this.tip = add(this.card, "div", { className: "tip", hidden: true });
    this.svg.addEventListener("pointermove", (e) => this.move(e));
    this.svg.addEventListener("pointerleave", () => { if (!this.drag) hover(null); });
    this.svg.addEventListener("pointerdown", (e) => this.press(e));
    this.svg.addEventListener("pointerup", (e) => this.release(e));
    this.svg.addEventListener("dblclick", () => zoomTo(null));
  }

  visible() { return this.series.filter((s) => !view.hidden.has(s.id) && !view.hiddenRuns.has(s.r)); }

  render() {
    const W = Math.max(280, this.card.clientWidth - 26), H = this.spec.wide ? Math.min(360, Math.max(230, W * 0.36)) : 200;
    const box = this.box = { left: 54, right: W - 10, top: 8, bottom: H - 22 };
    const svg = this.svg;
    svg.replaceChildren();
    svg.setAttribute("viewBox", `0 0 ${W} ${H}`);
    const shown = this.visible();
    for (const s of shown) {
      s.px = s.curve.x.map((step) => position(s.run, step));
      s.line = s.dots ? s.curve.mean : smoothed(s.curve.mean);
    }
    const [x0, x1] = view.zoom || extent();
    let low = Infinity, high = -Infinity;
    const log = view.log && this.spec.log;
    for (const s of shown) s.px.forEach((x, i) => {
      if (!(x >= x0 && x <= x1)) return;
      const from = view.smooth && !s.dots ? s.line[i] : s.curve.low[i], to = view.smooth && !s.dots ? s.line[i] : s.curve.high[i];
      if (!log || from > 0) low = Math.min(low, from);
      high = Math.max(high, to);
    });
    if (!(low <= high) || !(x1 >= x0)) {
      draw(svg, "text", { x: W / 2, y: H / 2, "text-anchor": "middle" }, "nothing recorded here");
      this.scale = null;
      return;
    }
    if (this.spec.zero && !log) low = Math.min(0, low);
    if (low === high) { const room = Math.abs(low) * 0.05 || 1; high += room; if (!this.spec.zero) low -= room; }
    else if (log) { const room = (high / low) ** 0.04; low /= room; high *= room; }
    else { const room = (high - low) * 0.05; high += room; if (!(this.spec.zero && low === 0)) low -= room; }
    const width = x1 - x0 || 1;
    const X = (x) => box.left + (x - x0) / width * (box.right - box.left);
    const f = log ? Math.log : (v) => v;
    const Y = (y) => box.bottom - (f(y) - f(low)) / (f(high) - f(low)) * (box.bottom - box.top);
    this.scale = { X, Y, x0, x1, back: (px) => x0 + (px - box.left) / (box.right - box.left) * width };

    const format = formats[this.spec.format];
    const ticks = log ? logTicks : this.spec.format === "bytes" ? byteTicks : niceTicks;
    for (const t of ticks(low, high, this.spec.wide ? 6 : 4)) {
      draw(svg, "line", { x1: box.left, x2: box.right, y1: Y(t), y2: Y(t), stroke: "var(--grid)" });
      draw(svg, "text", { x: box.left - 7, y: Y(t) + 4, "text-anchor": "end" }, format(t));
    }
    const across = Math.max(2, Math.floor((box.right - box.left) / 95));
    let end = -Infinity;
    for (const t of view.axis === "time" ? timeTicks(x0, x1, across) : niceTicks(x0, x1, across)) {
      const text = axes[view.axis](t), half = text.length * 3.2;
      const x = Math.min(X(t), W - half - 1);
      if (x - half < end + 8) continue;
      draw(svg, "line", { x1: X(t), x2: X(t), y1: box.bottom, y2: box.bottom + 4, stroke: "var(--line)" });
      draw(svg, "text", { x, y: box.bottom + 16, "text-anchor": "middle" }, text);
      end = x + half;
    }
    draw(svg, "line", { x1: box.left, x2: box.right, y1: box.bottom, y2: box.bottom, stroke: "var(--line)" });

    const clip = "clip" + drawn.indexOf(this);
    draw(draw(svg, "clipPath", { id: clip }), "rect", { x: box.left, y: box.top - 3, width: box.right - box.left, height: box.bottom - box.top + 6 });
    const inner = draw(svg, "g", { "clip-path": `url(#${clip})` });
    this.markers(inner, X);
    const floor = log ? low : -Infinity;
    for (const s of shown) {
      const path = (values) => {
        let d = "", pen = "M";
        s.px.forEach((x, i) => {
          if (!Number.isFinite(x)) return;
          d += `${pen}${X(x).toFixed(1)} ${Y(Math.max(values[i], floor)).toFixed(1)}`;
          pen = "L";
        });
        return d;
      };
      if (s.curve.spread) {
        let band = path(s.curve.high);
        for (let i = s.px.length - 1; i >= 0; i--)
          if (Number.isFinite(s.px[i])) band += `L${X(s.px[i]).toFixed(1)} ${Y(Math.max(s.curve.low[i], floor)).toFixed(1)}`;
        draw(inner, "path", { d: band + "Z", fill: s.tint, "fill-opacity": 0.22, stroke: s.tint, "stroke-opacity": 0.4, "stroke-width": 0.8 });
      }
      if (view.smooth && !s.dots) draw(inner, "path", { d: path(s.curve.mean), fill: "none", stroke: s.tint, opacity: 0.3 });
      draw(inner, "path", { d: path(s.line), fill: "none", stroke: s.tint, "stroke-width": s.dots ? 1.5 : 1.7, "stroke-linejoin": "round",
        ...(many && s.dots ? { "stroke-dasharray": "5 3" } : {}) });
      if ((s.dots && s.px.length <= 120) || s.px.length === 1) s.px.forEach((x, i) => {
        if (Number.isFinite(x)) draw(inner, "circle", { cx: X(x), cy: Y(Math.max(s.line[i], floor)), r: 3, fill: s.tint, stroke: "var(--card)" });
      });
    }
    this.overlay = draw(svg, "g");
  }

  // Restarts and the like as lines, checkpoints as ticks on the axis.
  markers(parent, X) {
    const { box } = this;
    runs.forEach((run, r) => {
      if (view.hiddenRuns.has(r)) return;
      for (const event of run.events) {
        const x = X(position(run, event.step));
        if (!(x >= box.left && x <= box.right)) continue;
        if (event.kind === "checkpoint") {
          if (!many && this.spec.wide) draw(parent, "path", { d: `M${x - 3} ${box.bottom + 3}h6l-3 -6z`, fill: "var(--soft)", opacity: 0.7 });
        } else if (event.kind) {
          const tint = event.kind === "fault" ? "var(--bad)" : many ? colour(r) : "var(--warn)";
          const line = draw(parent, "line", { x1: x, x2: x, y1: box.top, y2: box.bottom, stroke: tint, "stroke-dasharray": "3 3", opacity: 0.8 });
          draw(line, "title", {}, `step ${event.step}: ${event.text}`);
          if (this.spec.wide && !many) draw(parent, "text", { x: x + 4, y: box.top + 9, style: `fill:${tint}` }, event.name);
        }
      }
    });
  }

  at(event) {
    const frame = this.svg.getBoundingClientRect();
    return (event.clientX - frame.left) * this.svg.viewBox.baseVal.width / frame.width;
  }
  press(event) {
    if (!this.scale || event.pointerType === "touch" || event.button !== 0) return;
    this.drag = this.at(event);
    this.svg.setPointerCapture(event.pointerId);
  }
  move(event) {
    if (!this.scale) return;
    const px = Math.max(this.box.left, Math.min(this.box.right, this.at(event)));
    hover(this.scale.back(px), this);
    if (this.drag !== undefined) {
      const from = Math.min(this.drag, px);
      draw(this.overlay, "rect", { x: from, y: this.box.top, width: Math.abs(px - this.drag), height: this.box.bottom - this.box.top,
        fill: "var(--accent)", opacity: 0.14 });
    }
  }
  release(event) {
    if (this.drag === undefined) return;
    const px = Math.max(this.box.left, Math.min(this.box.right, this.at(event))), from = Math.max(this.box.left, this.drag);
    this.drag = undefined;
    if (Math.abs(px - from) > 6) zoomTo([this.scale.back(Math.min(px, from)), this.scale.back(Math.max(px, from))]);
  }

  // The nearest point of each curve; the tooltip only where the pointer is.
  point(x, active) {
    if (!this.scale) return;
    this.overlay.replaceChildren();
    this.tip.hidden = true;
    if (x === null || x < this.scale.x0 || x > this.scale.x1) return;
    const { X, Y } = this.scale, format = formats[this.spec.format], rows = [];
    draw(this.overlay, "line", { x1: X(x), x2: X(x), y1: this.box.top, y2: this.box.bottom, stroke: "var(--soft)", opacity: 0.5 });
    let step = null;
    for (const s of this.visible()) {
      let best = -1;
      s.px.forEach((p, i) => { if (Number.isFinite(p) && (best < 0 || Math.abs(p - x) <= Math.abs(s.px[best] - x))) best = i; });
      if (best < 0 || s.px[best] < this.scale.x0 || s.px[best] > this.scale.x1) continue;
      draw(this.overlay, "circle", { cx: X(s.px[best]), cy: Y(s.line[best]), r: 3.5, fill: s.tint, stroke: "var(--card)" });
      if (!s.dots || step === null) step = s.curve.x[best];
      const { low, high } = s.curve;
      rows.push([s, best, s.curve.spread && low[best] !== high[best] ? `${format(low[best])} to ${format(high[best])}` : ""]);
    }
    if (!active || !rows.length) return;
    this.tip.replaceChildren();
    add(this.tip, "div", { className: "soft", textContent: (many ? "" : `step ${step}`) + (view.axis === "step" ? (many ? `step ${Math.round(x)}` : "") : `${many ? "" : ", "}${axes[view.axis](x)}`) });
    for (const [s, i, range] of rows) {
      const row = add(this.tip, "div");
      add(row, "i", { style: `background:${s.tint}` });
      row.append([many ? s.run.name : "", this.spec.series.length > 1 || !many ? s.label : ""].filter(Boolean).join(" · ") + (s.dots && !many ? ` at ${s.curve.x[i]}` : ""));
      add(row, "b", { textContent: format(s.line[i]) });
      if (range) add(this.tip, "div", { className: "soft", textContent: `\u2003${range}` });
    }
    this.tip.hidden = false;
    const scale = this.svg.getBoundingClientRect().width / this.svg.viewBox.baseVal.width;
    const left = this.svg.offsetLeft || 12, px = 12 + X(x) * scale, wide = this.tip.offsetWidth;
    this.tip.style.left = (px + wide + 26 > this.card.clientWidth ? Math.max(4, px - wide - 12) : px + 14) + "px";
    this.tip.style.top = "42px";
  }
}

function extent() {
  let low = Infinity, high = -Infinity;
  runs.forEach((run, r) => {
    if (view.hiddenRuns.has(r)) return;
    for (const curve of Object.values(run.curves)) if (curve.x.length) {
      for (const step of [curve.first, curve.x[curve.x.length - 1]]) {
        const x = position(run, step);
        if (Number.isFinite(x)) { low = Math.min(low, x); high = Math.max(high, x); }
      }
    }
  });
  return [low, high];
}
function hover(x, source) { for (const chart of drawn) chart.point(x, chart === source); }
function zoomTo(range) { view.zoom = range; reset.disabled = !range; renderAll(); }
function renderAll() { for (const chart of drawn) chart.render(); }

// --- The page ---
const header = add(document.body, "header"), main = add(document.body, "main");
const pill = (parent, run) => add(parent, "span", { className: "pill " + run.state, textContent: run.state_text });
if (many) {
  add(header, "h1", { textContent: `${runs.length} runs` });
} else {
  const [run] = runs;
  pill(add(header, "h1", { textContent: run.name }), run);
  add(header, "p", { className: "sub", textContent: run.about });
  if (run.share < 1) add(add(header, "div", { className: "progress" }), "i", { style: `width:${100 * run.share}%` });
  const tiles = add(header, "div", { className: "tiles" });
  for (const [label, value, note] of run.figures) {
    const tile = add(tiles, "div", { className: "card tile" });
    add(tile, "div", { className: "label", textContent: label, title: label });
    add(tile, "div", { className: "value", textContent: value });
    add(tile, "div", { className: "note", textContent: note || "\u00a0" });
  }
}
if (many) {
  const labels = [...new Set(runs.flatMap((run) => run.figures.map(([label]) => label)))];
  const table = add(add(add(header, "div", { className: "card", style: "margin-top:14px;padding:8px 0 4px" }), "div", { className: "scroll" }), "table");
  const top = add(table, "tr");
  add(top, "th", { textContent: "run" });
  for (const label of labels) add(top, "th", { className: "number", textContent: label });
  runs.forEach((run, r) => {
    const row = add(table, "tr"), cell = add(row, "td", { style: "min-width:220px" });
    const key = add(cell, "button", { className: "key", type: "button", "aria-pressed": true, title: run.about });
    add(key, "i", { className: "dots", style: `background:${colour(r)}` });
    add(key, "span", { textContent: run.name, style: "color:var(--ink);font-size:13px" });
    pill(cell, run);
    key.onclick = () => {
      const hide = !view.hiddenRuns.has(r);
      if (hide) view.hiddenRuns.add(r); else view.hiddenRuns.delete(r);
      key.setAttribute("aria-pressed", !hide);
      renderAll();
    };
    for (const label of labels) {
      const figure = run.figures.find(([name]) => name === label);
      add(row, "td", { className: "number", textContent: figure ? figure[1] : "", title: figure ? figure[2] : "" });
    }
  });
}

const tools = add(main, "div", { className: "tools" });
const axisChoice = add(tools, "div", { className: "choice", role: "group", "aria-label": "horizontal axis" });
for (const axis of Object.keys(axes)) {
  if (axis === "time" && !runs.every((run) => run.elapsed.x.length)) continue;
  if (axis === "tokens" && !runs.every((run) => run.tokens_per_step > 0)) continue;
  const button = add(axisChoice, "button", { type: "button", textContent: axis, "aria-pressed": axis === view.axis });
  button.onclick = () => {
    view.axis = axis;
    for (const other of axisChoice.children) other.setAttribute("aria-pressed", other === button);
    zoomTo(null);
  };
}
const smoothing = add(add(tools, "label", {}, "smoothing"), "input", { type: "range", min: 0, max: 0.98, step: 0.02, value: 0 });
smoothing.oninput = () => { view.smooth = Number(smoothing.value); renderAll(); };
const logBox = document.createElement("input");
logBox.type = "checkbox";
add(tools, "label", {}, logBox, "logarithmic");
logBox.onchange = () => { view.log = logBox.checked; renderAll(); };
const reset = add(tools, "button", { type: "button", textContent: "whole run", disabled: true });
reset.onclick = () => zoomTo(null);
add(tools, "span", { className: "soft", textContent: "drag across a curve to zoom" });

const grid = add(main, "div", { className: "charts" });
for (const spec of charts) {
  const chart = new Chart(grid, spec);
  if (chart.series.length) drawn.push(chart); else chart.card.remove();
}

// --- Samples ---
const sampleSteps = [...new Set(runs.flatMap((run) => run.samples.map((s) => s.step)))].sort((a, b) => a - b);
if (sampleSteps.length) {
  add(main, "h2", { textContent: "What it writes" });
  const bar = add(main, "div", { className: "steps" }), shelf = add(main, "div", { className: "samples" });
  const back = add(bar, "button", { type: "button", textContent: "‹", title: "the evaluation before" });
  const slider = add(bar, "input", { type: "range", min: 0, max: sampleSteps.length - 1, value: sampleSteps.length - 1, "aria-label": "evaluation" });
  const next = add(bar, "button", { type: "button", textContent: "›", title: "the next evaluation" });
  const label = add(bar, "span", { className: "soft" });
  const show = () => {
    const i = Number(slider.value), step = sampleSteps[i];
    label.textContent = `step ${step}, evaluation ${i + 1} of ${sampleSteps.length}`;
    back.disabled = i === 0;
    next.disabled = i === sampleSteps.length - 1;
    shelf.replaceChildren();
    runs.forEach((run, r) => {
      const latest = new Map();
      for (const s of run.samples) if (s.step <= step) latest.set(s.number, s);
      for (const s of latest.values()) {
        const card = add(shelf, "div", { className: "card sample" });
        if (many || s.step !== step) add(card, "h3", { textContent: (many ? run.name + ", " : "") + `step ${s.step}`, style: many ? `color:${colour(r)}` : "" });
        add(add(card, "p"), "b", { textContent: s.prompt }).after(s.text);
      }
    });
  };
  const go = (by) => { slider.value = Number(slider.value) + by; show(); };
  back.onclick = () => go(-1);
  next.onclick = () => go(1);
  slider.oninput = show;
  show();
}

// --- Events ---
add(main, "h2", { textContent: "Events" });
{
  const table = add(add(add(main, "div", { className: "card", style: "padding:0 0 6px" }), "div", { className: "scroll tall" }), "table"), top = add(table, "tr");
  for (const title of ["time", ...(many ? ["run"] : []), "step", "event"]) add(top, "th", { textContent: title, className: title === "step" ? "number" : "" });
  const all = runs.flatMap((run, r) => run.events.map((event) => ({ ...event, run, r }))).sort((a, b) => a.time - b.time);
  for (const event of all) {
    const row = add(table, "tr", { className: event.kind });
    const time = event.time ? new Date(event.time * 1000) : null, two = (n) => String(n).padStart(2, "0");
    add(row, "td", { style: "white-space:nowrap", className: "soft", textContent: time ? `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())} ${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}` : "" });
    if (many) add(row, "td", { textContent: event.run.name, style: `color:${colour(event.r)}` });
    add(row, "td", { className: "number", textContent: event.step });
    add(row, "td", { textContent: event.text });
  }
  const left = runs.reduce((sum, run) => sum + run.events_left_out, 0);
  if (left) add(main, "p", { className: "soft", textContent: `${left} older events are left out; events.jsonl has them all.` });
}

// --- Config ---
add(main, "h2", { textContent: "Config" });
if (!many) {
  const groups = new Map();
  for (const [key, value] of runs[0].config) {
    const dot = key.lastIndexOf("."), group = dot < 0 ? "run" : key.slice(0, dot);
    if (!groups.has(group)) groups.set(group, []);
    groups.get(group).push([key.slice(dot + 1), value]);
  }
  const columns = add(main, "div", { className: "config" });
  for (const [group, entries] of groups) {
    const card = add(columns, "div", { className: "card group" });
    add(card, "h3", { textContent: group });
    for (const [key, value] of entries) {
      const line = add(card, "div");
      add(line, "span", { textContent: key });
      add(line, "span", { textContent: value });
    }
  }
} else {
  const maps = runs.map((run) => new Map(run.config));
  const keys = [...new Set(runs.flatMap((run) => run.config.map(([key]) => key)))];
  const differs = (key) => maps.some((map) => map.get(key) !== maps[0].get(key));
  const only = document.createElement("input");
  only.type = "checkbox";
  only.checked = keys.some(differs);
  add(main, "label", { className: "soft" }, only, " only what differs");
  const table = add(add(add(main, "div", { className: "card", style: "margin-top:8px;padding:6px 0" }), "div", { className: "scroll" }), "table");
  const fill = () => {
    table.replaceChildren();
    const top = add(table, "tr");
    add(top, "th", { textContent: "key" });
    runs.forEach((run, r) => add(top, "th", { textContent: run.name, style: `color:${colour(r)}` }));
    for (const key of keys) {
      if (only.checked && !differs(key)) continue;
      const row = add(table, "tr");
      add(row, "td", { textContent: key });
      for (const map of maps) add(row, "td", { textContent: map.has(key) ? map.get(key) : "", className: differs(key) ? "" : "same" });
    }
  };
  only.onchange = fill;
  fill();
}

add(document.body, "footer", { textContent: data.made });
renderAll();
let width = 0;
new ResizeObserver(() => { if (grid.clientWidth !== width) { width = grid.clientWidth; renderAll(); } }).observe(grid);
})();
