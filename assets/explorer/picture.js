// A picture of the view, to be saved: sections, titles, scale bars, legend.
"use strict";

const ROW = 20, TOP = 40, BAR = 140; // pixels of an entry of the legend, where the first one is, and the length of a bar of colours

// Entries for what the open sections show, in the order of the lists; null where colours are of numbers
function legendOf(choice) {
  const named = explorer.named(choice), { lit } = explorer.state, codes = new Set();
  if (!named) return null;
  for (const { section } of panels.filter((p) => !p.broken)) {
    const { niche, [choice.column]: code } = section.columns;
    for (let i = 0; i < code.length; i++) if (!lit.length || lit.includes(niche[i])) codes.add(code[i]);
  }
  const entries = named.filter((entry) => codes.has(entry.code));
  return lit.length ? [...entries, { name: "other niches", colour: "#d4d4d4", shape: 0 }] : entries;
}

function drawShape(c, shape, x, y, r) {
  c.beginPath();
  if (shape === 0) c.arc(x, y, r, 0, 7);
  else if (shape === 2) c.rect(x - r, y - r, 2 * r, 2 * r);
  else {
    const corners = shape === 1 ? [[0, -r], [r, r], [-r, r]] : [[0, -r], [r, 0], [0, r], [-r, 0]];
    for (const [u, v] of corners) c.lineTo(x + u, y + v);
  }
  c.fill();
}

explorer.image = () => {
  explorer.drawNow();
  const ratio = window.devicePixelRatio || 1, gl = explorer.drawing.canvas, choice = explorer.choice(), legend = legendOf(choice);
  const canvas = make("canvas"), c = canvas.getContext("2d");
  const font = "13px sans-serif", bold = "600 13px sans-serif", small = "12px sans-serif";
  c.font = font;
  // as many columns of the legend as its entries need
  const rows = Math.max(1, Math.floor((gl.height / ratio - TOP) / ROW)), columns = Math.max(1, Math.ceil((legend?.length ?? 0) / rows));
  const widths = (legend ?? []).map(({ name }) => c.measureText(name).width + 36);
  c.font = bold;
  const column = Math.min(300, Math.max(170, c.measureText(choice.label).width / columns + 12, ...widths));
  Object.assign(canvas, { width: gl.width + Math.ceil((14 + columns * column) * ratio), height: gl.height });
  c.fillStyle = "#fff";
  c.fillRect(0, 0, canvas.width, canvas.height);
  c.drawImage(gl, 0, 0);
  c.scale(ratio, ratio);
  const text = (words, x, y, like = font) => { c.font = like; c.fillStyle = "#222"; c.fillText(words, x, y); };
  const fitting = (words, room, like = font) => {
    c.font = like;
    let n = words.length;
    while (n > 1 && c.measureText(words.slice(0, n)).width > room) n--;
    return n < words.length ? `${words.slice(0, n - 1)}\u2026` : words;
  };
  for (const panel of panels) {
    const { left, top, height, width } = panel.box, bar = barOf(panel);
    c.save();
    c.beginPath();
    c.rect(left, top - TITLE, width, height + TITLE);
    c.clip();
    text(`${panel.section.sample}  ${panel.element.querySelector(".who").textContent}`, left + 8, top - 8, bold);
    if (panel.broken) text("The cells cannot be shown", left + 12, top + 24);
    else {
      c.fillStyle = "#222";
      c.fillRect(left + 12, top + height - 14, bar.pixels, 3);
      text(bar.label, left + 20 + bar.pixels, top + height - 9, small);
    }
    c.restore();
  }
  const x = gl.width / ratio + 14;
  text(fitting(choice.label, columns * column - 12, bold), x, 22, bold);
  (legend ?? []).forEach(({ name, colour, shape }, i) => {
    const left = x + column * Math.floor(i / rows), top = TOP + ROW * (i % rows);
    c.fillStyle = colour;
    drawShape(c, shape, left + 6, top, 5.5);
    text(fitting(name, column - 24), left + 18, top + 4.5);
  });
  if (!legend) {
    for (let i = 0; i < BAR; i++) { c.fillStyle = css(viridis(i / (BAR - 1))); c.fillRect(x + i, 34, 1, 12); }
    const ends = document.querySelectorAll("#scale .ends span");
    text(ends[0].textContent, x, 62, small);
    c.textAlign = "right";
    text(ends[2].textContent, x + BAR, 62, small);
  }
  return canvas;
};
function save() {
  explorer.image().toBlob((blob) => {
    const a = make("a", { href: URL.createObjectURL(blob), download: `explorer_${explorer.state.colour.replace(/\W+/g, "_")}.png` });
    a.click();
    setTimeout(() => URL.revokeObjectURL(a.href), 10000);
    say("Saved as PNG");
  });
}
