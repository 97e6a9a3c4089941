// Open sections side by side: their places, what the pointer, fingers and keys do to them, scale bars, the cell under the pointer.
"use strict";

const panels = []; // {section, view, box, element, bar}

const byId = (id) => document.getElementById(id);
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "text") element.textContent = value;
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

// Boxes for n sections in the stage, as near to squares as may be
function gridOf(n, width, height) {
  let best = { columns: 1, rows: n, side: 0 };
  for (let columns = 1; columns <= n; columns++) {
    const rows = Math.ceil(n / columns), side = Math.min(width / columns, height / rows);
    if (side > best.side) best = { columns, rows, side };
  }
  return best;
}

const TITLE = 26; // pixels above each section
function layout() {
  const stage = byId("stage"), width = stage.clientWidth, height = stage.clientHeight;
  const { columns, rows } = gridOf(Math.max(1, panels.length), width, height);
  const w = width / columns, h = height / rows;
  panels.forEach((panel, i) => {
    const left = (i % columns) * w, top = Math.floor(i / columns) * h;
    Object.assign(panel.element.style, { left: `${left}px`, top: `${top}px`, width: `${w}px`, height: `${h}px` });
    panel.box = { left, top: top + TITLE, width: w, height: Math.max(20, h - TITLE) };
    if (!panel.touched) panel.view = fitted(panel); // else somebody has chosen what to see
    else panel.view.scale = scaleWithin(panel, panel.view.scale); // an address may hold any
  });
}

function fitted({ section, box }) {
  const [w, h] = section.extent.map((v) => Math.max(v, section.spacing));
  return { x: section.corner[0] + section.extent[0] / 2, y: section.corner[1] + section.extent[1] / 2,
    scale: 0.88 * Math.min(box.width / w, (box.height - 24) / h) };
}

// The nearest scale at which something can be seen
function scaleWithin({ section, box }, scale) {
  const [w, h] = section.extent.map((v) => Math.max(v, section.spacing)); // one cell has no extent
  return Math.max(0.1 * Math.min(box.width / w, box.height / h), Math.min(200 / section.spacing, scale));
}

// Move a view (and all others with "move together": the same way on the screen, and the same zoom)
function change(panel, act) {
  for (const other of explorer.state.together ? panels : [panel]) { act(other); other.touched = true; }
  hideStill();
  explorer.move();
  explorer.remember();
}
// What the pointer has asked for is elsewhere once views move; the cell that is read by keyboard takes its words along
function hideStill() {
  if (panels.every((panel) => panel.reading === null)) hideTip();
}
function pan(panel, dx, dy) {
  change(panel, ({ view }) => { view.x -= dx / view.scale; view.y -= dy / view.scale; });
}
function zoom(panel, factor, px = panel.box.width / 2, py = panel.box.height / 2) {
  change(panel, (other) => {
    const { view, box } = other, scale = scaleWithin(other, view.scale * factor);
    view.x += (px - box.width / 2) * (1 / view.scale - 1 / scale);
    view.y += (py - box.height / 2) * (1 / view.scale - 1 / scale);
    view.scale = scale;
  });
}
function fit() {
  for (const panel of panels) panel.touched = false;
  hideStill();
  layout();
  explorer.redraw();
  explorer.remember();
}

// Where a pointer is: pixels in the panel, and in units of the section
function placeOf(panel, event) {
  const stage = byId("stage").getBoundingClientRect(), { box, view } = panel;
  const px = event.clientX - stage.left - box.left, py = event.clientY - stage.top - box.top;
  return { px, py, x: view.x + (px - box.width / 2) / view.scale, y: view.y + (py - box.height / 2) / view.scale };
}

let choosing = false; // whether to drag is to choose cells: with Shift it always is
function chooseByDragging(on) {
  choosing = on;
  byId("choose").setAttribute("aria-pressed", on);
  document.body.classList.toggle("choosing", on);
}

function newPanel(section) {
  const title = make("div", { class: "title" },
    make("strong", { text: section.sample }), make("span", { class: "who" }),
    make("button", { class: "close", title: `Close ${section.sample}`, "aria-label": `Close ${section.sample}`, text: "\u00d7",
      onclick: () => explorer.close(section.sample) }));
  const bar = make("div", { class: "scale-bar" }, make("i"), make("span"));
  const box = make("div", { class: "box", hidden: "" });
  const mark = make("div", { class: "mark", hidden: "" });
  // keys are its own business, whatever a reader of the screen does with them elsewhere
  const view = make("div", { class: "view", tabindex: "0", role: "application" }, bar, box, mark);
  const panel = { section, view: null, box: null, element: make("div", { class: "panel" }, title, view), bar, selection: box, mark, target: view, reading: null, broken: false };
  listen(panel);
  return panel;
}
// What a section cannot show, in its own place, and how to ask for it again; light: it can be done without
function tellProblem(panel, text, again, light = false) {
  const words = make("p", { class: "problem", role: "alert", text, onpointerdown: (event) => event.stopPropagation() });
  const gone = () => { words.remove(); panel.target.focus(); };
  words.append(make("button", { text: "Try again", onclick: () => { gone(); again(); } }));
  if (light) words.append(make("button", { class: "close", "aria-label": "Close this message", text: "\u00d7", onclick: gone }));
  panel.target.append(words);
}

function listen(panel) {
  const { target } = panel, fingers = new Map();
  let start = null, moved = false;
  target.addEventListener("wheel", (event) => {
    event.preventDefault();
    const { px, py } = placeOf(panel, event);
    zoom(panel, Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0015)), px, py);
  }, { passive: false });
  target.addEventListener("pointerdown", (event) => {
    target.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, event);
    start = { ...placeOf(panel, event), choose: event.shiftKey || choosing };
    moved = false;
    explorer.stopReading(panel);
    hideTip();
  });
  target.addEventListener("pointermove", (event) => {
    const before = fingers.get(event.pointerId);
    if (!before) { if (event.pointerType === "mouse") hover(panel, event); return; }
    if (fingers.size === 2) {
      panel.selection.hidden = true;
      start.choose = false;
      const other = [...fingers.values()].find((f) => f.pointerId !== event.pointerId);
      const apart = (a, b) => Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY);
      const { px, py } = placeOf(panel, { clientX: (event.clientX + other.clientX) / 2, clientY: (event.clientY + other.clientY) / 2 });
      zoom(panel, apart(event, other) / Math.max(1, apart(before, other)), px, py);
      pan(panel, (event.clientX - before.clientX) / 2, (event.clientY - before.clientY) / 2);
    } else if (start.choose) drawSelection(panel, start, placeOf(panel, event));
    else pan(panel, event.clientX - before.clientX, event.clientY - before.clientY);
    moved ||= Math.hypot(event.clientX - before.clientX, event.clientY - before.clientY) > 0;
    fingers.set(event.pointerId, event);
  });
  const end = (event) => {
    if (!fingers.delete(event.pointerId)) return;
    panel.selection.hidden = true;
    if (moved && start.choose && event.type === "pointerup") explorer.choose(panel, start, placeOf(panel, event));
    else if (!moved && event.type === "pointerup") hover(panel, event);
  };
  target.addEventListener("pointerup", end);
  target.addEventListener("pointercancel", end);
  // a finger that is lifted leaves too, and has just asked for the cell
  target.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && hideTip());
  target.addEventListener("dblclick", (event) => { const { px, py } = placeOf(panel, event); zoom(panel, 2, px, py); });
  target.addEventListener("keydown", (event) => keys(panel, event));
  target.addEventListener("blur", () => explorer.stopReading(panel));
}

const STEP = 60;
function keys(panel, event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target !== panel.target) return;
  const act = {
    ArrowLeft: () => pan(panel, STEP, 0), ArrowRight: () => pan(panel, -STEP, 0), ArrowUp: () => pan(panel, 0, STEP), ArrowDown: () => pan(panel, 0, -STEP),
    "+": () => zoom(panel, 1.3), "=": () => zoom(panel, 1.3), "-": () => zoom(panel, 1 / 1.3), 0: fit, Home: fit,
    n: () => explorer.step(panel, 1), p: () => explorer.step(panel, -1), x: () => explorer.close(panel.section.sample),
    v: () => chooseSeen(panel),
  }[event.key];
  const taken = !panel.broken && readingKey(panel, event.key);
  if (!taken) act?.();
  if (taken || act) { event.preventDefault(); event.stopPropagation(); }
}
function chooseSeen(panel) {
  const { view, box } = panel, u = box.width / 2 / view.scale, v = box.height / 2 / view.scale;
  explorer.choose(panel, { x: view.x - u, y: view.y - v }, { x: view.x + u, y: view.y + v });
}

function drawSelection(panel, a, b) {
  const box = panel.selection;
  box.hidden = false;
  Object.assign(box.style, { left: `${Math.min(a.px, b.px)}px`, top: `${Math.min(a.py, b.py)}px`,
    width: `${Math.abs(a.px - b.px)}px`, height: `${Math.abs(a.py - b.py)}px` });
}

// The largest of 1, 2, 5 times a power of ten that takes at most a quarter of the width
function barOf(panel) {
  const target = Math.min(panel.box.width / 4, 160) / panel.view.scale, power = 10 ** Math.floor(Math.log10(target));
  const length = [5, 2, 1].map((s) => s * power).find((v) => v <= target * (1 + 1e-9));
  const number = (v) => String(+v.toPrecision(3));
  const label = explorer.about.unit !== "um" ? `${number(length)} coordinate units (unknown)`
    : length >= 1000 ? `${number(length / 1000)} mm` : `${number(length)} \u00b5m`;
  return { pixels: length * panel.view.scale, label };
}
function scaleBars() {
  for (const panel of panels) {
    const { pixels, label } = barOf(panel), [line, text] = panel.bar.children;
    line.style.width = `${pixels}px`;
    text.textContent = label;
  }
  placeMarks();
}
