// What cells are coloured by: for every choice the column of codes, and the colour of each code.
"use strict";

const MISSING = [200, 200, 200];
// matplotlib's viridis and tab20, as in the report's figures
const VIRIDIS = ["440154", "482475", "414487", "355f8d", "2a788e", "21918c", "22a884", "44bf70", "7ad151", "bddf26", "fde725"];
const TAB20 = ["1f77b4", "ff7f0e", "2ca02c", "d62728", "9467bd", "8c564b", "e377c2", "bcbd22", "17becf", "aec7e8",
  "ffbb78", "98df8a", "ff9896", "c5b0d5", "c49c94", "f7b6d2", "dbdb8d", "9edae5", "7f7f7f", "c7c7c7"];

const rgb = (hex) => [0, 2, 4].map((i) => parseInt(hex.replace("#", "").slice(i, i + 2), 16));
const css = (colour) => `rgb(${colour.join(",")})`;

function viridis(t) {
  const at = Math.max(0, Math.min(1, t)) * (VIRIDIS.length - 1), i = Math.min(VIRIDIS.length - 2, Math.floor(at));
  const a = rgb(VIRIDIS[i]), b = rgb(VIRIDIS[i + 1]);
  return a.map((v, k) => Math.round(v + (b[k] - v) * (at - i)));
}

// All choices: id (in the address), label, group of the menu, column, kind, and value(code)
explorer.choices = () => {
  const about = explorer.about, list = [];
  list.push({ id: "niche", label: about.caution ? "Niche (arbitrary cut)" : "Niche", group: "Tissue", column: "niche", kind: "niche" });
  if (about.types.length) list.push({ id: "type", label: "Cell type", group: "Tissue", column: "type", kind: "type" });
  about.features.forEach((f, i) => list.push({
    id: `feature:${f.name}`, label: f.name, column: `feature${i}`, kind: "feature", feature: f,
    group: { counts: "Genes (counts)", onehot: "Cell types", binary: "Markers", protein: "Proteins" }[f.kind] || "Markers (intensity)",
    value: (code) => (code < f.levels.length ? f.levels[code] : null),
  }));
  const hundredths = (code) => (code === 255 ? null : code / 100);
  about.contexts.forEach((name, i) => list.push({
    id: `score:${name}`, label: `Attention to ${name}`, group: "Semantic scores", column: `score${i}`, kind: "share", value: hundredths,
  }));
  const words = { stability: "Stability (assignment confidence)", fit: "Fit" };
  for (const name of about.columns) list.push({ id: name, label: words[name], group: "Certainty", column: name, kind: "share", value: hundredths });
  return list;
};

const CODES = 1024; // of a palette: more niches than anybody looks at
// Shapes of dots by matplotlib's names: a circle, and another one each time that a list of colours repeats, as in the report's maps
const SHAPES = "o^sD";

// Colour, and as a fourth number the shape, of each code of a choice
explorer.palette = (choice) => {
  const table = new Uint8Array(CODES * 4);
  const put = (code, colour, shape) => { if (code < CODES) table.set([...colour, shape], code * 4); };
  const named = explorer.named(choice);
  if (named) for (const { code, colour, shape } of named) put(code, rgb(colour), shape);
  else for (let code = 0; code < 256; code++) put(code, explorer.shade(choice, code), 0);
  return table;
};

// Niches or cell types of a choice: code, name, colour (hex) and shape; null where it is coloured by numbers
explorer.named = (choice) => {
  const { niches, types } = explorer.about;
  if (choice.kind === "niche") return niches.map((n) => ({ code: n.number, name: n.name, colour: n.colour, shape: Math.max(0, SHAPES.indexOf(n.shape)) }));
  if (choice.kind === "type") return types.map((name, i) => ({ code: i, name, colour: `#${TAB20[i % TAB20.length]}`, shape: Math.floor(i / TAB20.length) % SHAPES.length }));
  return null;
};

// Colours of numbers: 0 to 1 for shares; features from the lowest value to the 99th percentile, counts by log(1 + x)
explorer.shade = (choice, code) => {
  const value = choice.value(code);
  if (value === null || value === undefined) return MISSING;
  if (choice.kind === "share") return viridis(value);
  const scale = choice.feature.kind === "counts" ? Math.log1p : (v) => v;
  const low = scale(choice.feature.levels[0]), high = scale(choice.feature.high);
  return viridis(high > low ? (scale(value) - low) / (high - low) : 0);
};
