// What is known of a cell: of the one under the pointer, or of one that the keyboard has come to.
"use strict";

let question = 0; // a later question makes an earlier one void
const TOO_FAR = -1;

function cellAt(panel, place) {
  if (panel.broken) return TOO_FAR;
  return explorer.nearest(panel.section, place.x, place.y, Math.max(0.8 * panel.section.spacing, 8 / panel.view.scale));
}

function hover(panel, event) {
  const cell = cellAt(panel, placeOf(panel, event));
  if (cell === TOO_FAR) return hideTip();
  return tell(panel, cell, event.clientX, event.clientY);
}

// Show what is known of a cell beside a place of the window; returns it in words
async function tell(panel, cell, left, top) {
  const ticket = ++question, { section } = panel;
  const ids = await explorer.ids(section).catch(() => []);
  if (ticket !== question) return "";
  const id = ids[cell] ?? "(the ids in its file are damaged)", rows = explorer.describe(section, cell), tip = byId("tip");
  tip.replaceChildren(make("strong", { text: id }), make("dl", {}, ...rows.flatMap(([name, value]) => [make("dt", { text: name }), make("dd", { text: value })])));
  tip.dataset.cell = id;
  tip.dataset.sample = section.sample;
  tip.hidden = false;
  placeTip(left, top);
  return [id, ...rows.slice(1).map(([name, value]) => (name === "Niche" ? value : `${name} ${value}`))].join(", ");
}
function placeTip(left, top) {
  const tip = byId("tip"), { width, height } = tip.getBoundingClientRect();
  tip.style.left = `${Math.max(4, Math.min(left + 14, innerWidth - width - 4))}px`;
  tip.style.top = `${top + 14 + height < innerHeight ? top + 14 : Math.max(4, top - height - 10)}px`;
}
function hideTip() { question++; byId("tip").hidden = true; }

// ---- by keyboard: Enter goes to the cell in the middle, arrows from there to the next one
const windowPlace = (panel, cell) => {
  const { section, view, box } = panel, stage = byId("stage").getBoundingClientRect();
  const along = (axis, k) => section.corner[k] + section.step * section.columns[axis][cell];
  const px = box.width / 2 + (along("x", 0) - view.x) * view.scale, py = box.height / 2 + (along("y", 1) - view.y) * view.scale;
  return { px, py, left: stage.left + box.left + px, top: stage.top + box.top + py };
};
explorer.read = async (panel, cell) => {
  if (cell === TOO_FAR) return;
  panel.reading = cell;
  let at = windowPlace(panel, cell);
  if (at.px < 20 || at.py < 20 || at.px > panel.box.width - 20 || at.py > panel.box.height - 20) {
    pan(panel, panel.box.width / 2 - at.px, panel.box.height / 2 - at.py);
    at = windowPlace(panel, cell);
  }
  placeMarks();
  const words = await tell(panel, cell, at.left, at.top);
  if (words) byId("heard").textContent = words;
};
explorer.startReading = (panel) => {
  if (panel.broken) return;
  const { x, y } = panel.view, reach = 2 * Math.max(...panel.section.extent, panel.section.spacing);
  return explorer.read(panel, explorer.nearest(panel.section, x, y, reach));
};
explorer.stopReading = (panel) => {
  if (panel.reading === null) return;
  panel.reading = null;
  byId("heard").textContent = "";
  hideTip();
  placeMarks();
};
const DIRECTIONS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
// Whether a key was meant for the cell that is read
function readingKey(panel, key) {
  if (panel.reading === null) {
    if (key !== "Enter") return false;
    explorer.startReading(panel);
  } else if (key === "Enter" || key === "Escape") explorer.stopReading(panel);
  else if (DIRECTIONS[key]) {
    const next = explorer.toward(panel.section, panel.reading, ...DIRECTIONS[key]);
    if (next === TOO_FAR) byId("heard").textContent = "No further cell in this direction";
    else explorer.read(panel, next);
  } else return false;
  return true;
}
function placeMarks() {
  for (const panel of panels) {
    panel.mark.hidden = panel.reading === null;
    if (panel.reading === null) continue;
    const { px, py, left, top } = windowPlace(panel, panel.reading);
    Object.assign(panel.mark.style, { left: `${px}px`, top: `${py}px` });
    placeTip(left, top);
  }
}

// Values of a cell as the tables have them; numbers with as many digits as are stored
explorer.describe = (section, cell) => {
  const about = explorer.about, columns = section.columns, rows = [["Sample", section.sample]];
  const niche = about.niches.find((n) => n.number === columns.niche[cell]);
  rows.push(["Niche", niche.name]);
  if (columns.type) rows.push(["Cell type", about.types[columns.type[cell]]]);
  const share = (code) => (code === 255 ? "not known" : (code / 100).toFixed(2));
  for (const name of about.columns) rows.push([name === "fit" ? "Fit" : "Stability", share(columns[name][cell])]);
  about.contexts.forEach((name, i) => rows.push([`Attention to ${name}`, share(columns[`score${i}`][cell])]));
  const shown = explorer.choice();
  about.features.forEach((f, i) => {
    const value = f.levels[columns[`feature${i}`][cell]];
    if (value === undefined) { if (shown.feature === f) rows.push([f.name, "not measured"]); } else if (value || shown.feature === f) rows.push([f.name, f.exact ? String(value) : `about ${+value.toPrecision(4)}`]);
  });
  return rows;
};
