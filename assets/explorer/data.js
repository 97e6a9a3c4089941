// What the scripts in data/ hand over: the list of sections, and the cells of each, loaded when they are needed.
"use strict";

const explorer = { about: null, sections: new Map(), times: {} };

// What an object has under a name that users bring: a column or a sample may be called constructor or __proto__
const own = (object, name) => (Object.hasOwn(object, name) ? object[name] : undefined);

explorer.cohort = (about) => explorer.start(about);

// Promises of sections that are on their way, by number
const waiting = new Map();

// What a script hands over that nobody waits for is of another explorer
function hand(key, content) {
  const entry = waiting.get(key);
  if (entry) Object.assign(entry, { done: true }).resolve(content);
}
explorer.section = (content) => hand(content.number, content);
explorer.picture = (content) => hand(`picture ${content.number}`, content.data);

const missing = (file) => new Error(`${file} is missing or cannot be read: copy the whole folder of the explorer.`);
const damaged = (file, why = "") => new Error(`${file} is damaged, or of another explorer${why && ` (${why})`}: copy the folder again, or build it again.`);

// A file that fails may be mended, and is asked for again then
function loadScript(key, file) {
  if (!waiting.has(key)) {
    const entry = {}, failed = (error) => { waiting.delete(key); entry.reject(error); };
    entry.promise = new Promise((resolve, reject) => Object.assign(entry, { resolve, reject }));
    waiting.set(key, entry);
    const script = document.createElement("script");
    script.src = file;
    script.onload = () => { script.remove(); if (!entry.done) failed(damaged(file)); };
    script.onerror = () => { script.remove(); failed(missing(file)); };
    document.head.append(script);
  }
  return waiting.get(key).promise;
}

async function unpacked(text) {
  const letters = atob(text), bytes = new Uint8Array(letters.length);
  for (let i = 0; i < letters.length; i++) bytes[i] = letters.charCodeAt(i);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  try { return new Uint8Array(await new Response(stream).arrayBuffer()); } catch { throw new Error("it cannot be unpacked"); }
}

// Every second bit of a number, the lowest first
function everySecondBit(v) {
  v &= 0x55555555;
  for (const [shift, mask] of [[1, 0x33333333], [2, 0x0f0f0f0f], [4, 0x00ff00ff], [8, 0x0000ffff]]) v = (v | (v >>> shift)) & mask;
  return v;
}

// Places from the steps between them along a curve of which the even bits are x, and the odd ones y
function placesOf(gaps) {
  const x = new Uint16Array(gaps.length), y = new Uint16Array(gaps.length);
  let at = 0;
  for (let i = 0; i < gaps.length; i++) {
    at = (at + gaps[i]) >>> 0;
    x[i] = everySecondBit(at);
    y[i] = everySecondBit(at >>> 1);
  }
  return { x, y };
}

// The columns of a section by name (Uint8Array, Uint16Array)
async function columnsOf(section, content) {
  if (content.digest !== section.digest) throw new Error("not of the same build");
  const bytes = await unpacked(content.data), columns = {};
  let at = 0;
  for (const [name, width, n] of content.fields) {
    if (width === 1) {
      columns[name] = bytes.subarray(at, at + n);
    } else {
      const values = width === 2 ? new Uint16Array(n) : new Uint32Array(n);
      for (let k = 0; k < width; k++) for (let i = 0; i < n; i++) values[i] |= bytes[at + k * n + i] << (8 * k);
      columns[name] = values;
    }
    at += width * n;
  }
  for (const name of ["gap", ...explorer.choices().map((c) => c.column)]) {
    if (columns[name]?.length !== section.shown) throw new Error(`${name}: ${columns[name]?.length ?? 0} of ${section.shown} cells`);
  }
  Object.assign(columns, placesOf(columns.gap));
  delete columns.gap;
  // of the last score the sum of all is stored
  const scores = explorer.about.contexts.map((_, i) => columns[`score${i}`]), last = scores.pop();
  for (const score of scores) for (let i = 0; i < last.length; i++) last[i] -= score[i];
  return columns;
}

// A section with its columns, which are unpacked once
explorer.load = async (section) => {
  if (!section.columns) {
    const content = await loadScript(section.number, section.file);
    try {
      section.columns = await columnsOf(section, content);
      section.packedIds = content.ids;
      section.index = gridIndex(section);
    } catch (error) {
      section.columns = null;
      waiting.delete(section.number);
      throw damaged(section.file, error.message);
    }
  }
  return section;
};

explorer.ids = async (section) => {
  if (!section.ids) {
    const { length, data } = section.packedIds, bytes = await unpacked(data), text = new TextDecoder();
    if (length) {
      const n = bytes.length / length, id = new Uint8Array(length);
      section.ids = Array.from({ length: n }, (_, i) => text.decode(id.map((_, k) => bytes[k * n + i])));
    } else section.ids = JSON.parse(text.decode(bytes));
    section.packedIds = null;
  }
  return section.ids;
};

explorer.loadPicture = async (section) => {
  if (!section.picture || section.image) return section.image;
  const image = new Image();
  image.src = await loadScript(`picture ${section.number}`, section.picture.file);
  try { await image.decode(); } catch { waiting.delete(`picture ${section.number}`); throw damaged(section.picture.file); }
  section.image = image;
  return image;
};

// Cells by squares of the section, to find the one under the pointer
function gridIndex(section) {
  const { x, y } = section.columns, n = x.length;
  const side = Math.max(1, Math.min(512, Math.round(Math.sqrt(n / 4))));
  let most = 1;
  for (let i = 0; i < n; i++) most = Math.max(most, x[i] + 1, y[i] + 1);
  const width = most / side;
  const start = new Uint32Array(side * side + 1), square = new Uint32Array(n);
  for (let i = 0; i < n; i++) {
    square[i] = Math.floor(y[i] / width) * side + Math.floor(x[i] / width);
    start[square[i] + 1]++;
  }
  for (let i = 0; i < side * side; i++) start[i + 1] += start[i];
  const cells = new Uint32Array(n), next = start.slice();
  for (let i = 0; i < n; i++) cells[next[square[i]]++] = i;
  return { side, width, start, cells };
}

// Calls found(cell) for every cell in a rectangle of steps
explorer.within = (section, left, top, right, bottom, found) => {
  const { side, width, start, cells } = section.index, { x, y } = section.columns;
  const low = (v) => Math.max(0, Math.min(side - 1, Math.floor(v / width)));
  for (let row = low(top); row <= low(bottom); row++) {
    for (let at = start[row * side + low(left)]; at < start[row * side + low(right) + 1]; at++) {
      const i = cells[at];
      if (x[i] >= left && x[i] <= right && y[i] >= top && y[i] <= bottom) found(i);
    }
  }
};

// The cell nearest to a place of the section (units), within reach; -1 for none
explorer.nearest = (section, px, py, reach) => {
  const { x, y } = section.columns, [cx, cy] = section.corner, step = section.step;
  const u = (px - cx) / step, v = (py - cy) / step, r = reach / step;
  let best = -1, least = r * r;
  explorer.within(section, u - r, v - r, u + r, v + r, (i) => {
    const d = (x[i] - u) ** 2 + (y[i] - v) ** 2;
    if (d <= least) { least = d; best = i; }
  });
  return best;
};

// The next cell in a direction (dx, dy: 1, 0 or -1), the nearest with a preference for those straight ahead; -1 at the border
explorer.toward = (section, cell, dx, dy) => {
  const { x, y } = section.columns, most = Math.max(...section.extent) / section.step + 1;
  for (let reach = 2 * section.spacing / section.step; ; reach *= 2) {
    let best = -1, least = Infinity;
    explorer.within(section, x[cell] - reach, y[cell] - reach, x[cell] + reach, y[cell] + reach, (i) => {
      const u = x[i] - x[cell], v = y[i] - y[cell], along = u * dx + v * dy, across = Math.abs(u * dy) + Math.abs(v * dx);
      if (along > 0 && across <= along && along + 2 * across < least) { least = along + 2 * across; best = i; }
    });
    if (best >= 0 || reach > most) return best;
  }
};
