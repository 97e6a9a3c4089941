// The lists beside the sections: sections in their order, colours, niches, findings.
"use strict";

const share = (section, niches) => niches.reduce((sum, n) => sum + section.counts[n - 1], 0) / section.cells;
const percent = (v) => `${(100 * v).toFixed(v < 0.1 ? 1 : 0)} %`;
const counted = (n, what) => `${n.toLocaleString("en")} ${what}${n === 1 ? "" : "s"}`;
let silence;
function say(text) {
  byId("said").textContent = text;
  clearTimeout(silence);
  silence = setTimeout(() => { byId("said").textContent = ""; }, 6000);
}

function valueOf(section, name) {
  return section.values[explorer.about.variables.findIndex((v) => v.name === name)];
}

function fillSort() {
  const options = [["sample", "sample"], ["patient", "patient"], ["cells", "cells"], ["lit", "lit niches"],
    ...explorer.about.variables.map((v) => [`var:${v.name}`, v.name])];
  byId("sort").replaceChildren(...options.map(([value, text]) => make("option", { value, text })));
}

// Fill a list; who was at a button of it by keyboard is at the same one afterwards
function refill(list, ...items) {
  const name = (button) => JSON.stringify(button.dataset), before = list.contains(document.activeElement) && name(document.activeElement);
  list.replaceChildren(...items);
  if (before) [...list.querySelectorAll("button")].find((button) => name(button) === before)?.focus();
}

// A dot of a legend: its colour, and its shape where colours repeat
function dotOf({ colour, shape }) {
  const dot = make("i", { class: `dot ${["", "triangle", "square", "diamond"][shape]}` });
  dot.style.background = colour;
  return dot;
}
function nicheDot(number) {
  return dotOf(explorer.named({ kind: "niche" }).find((n) => n.code === number));
}

function composition(section) {
  const lit = explorer.state.lit, strip = make("span", { class: "strip", "aria-hidden": "true" });
  explorer.about.niches.forEach((niche) => {
    const part = section.counts[niche.number - 1] / section.cells;
    if (!part) return;
    const shown = !lit.length || lit.includes(niche.number), repeats = SHAPES.indexOf(niche.shape) > 0;
    const piece = make("i", { class: shown && repeats ? `hatch ${SHAPES.indexOf(niche.shape) === 2 ? "other" : ""}` : "", title: `${niche.name}: ${percent(part)}` });
    Object.assign(piece.style, { width: `${100 * part}%`, backgroundColor: shown ? niche.colour : "#d4d4d4" });
    strip.append(piece);
  });
  return strip;
}

function fillSections() {
  const { sort, lit, open } = explorer.state, kept = explorer.kept(), all = explorer.about.sections.length;
  const listed = kept.map((section) => {
    const extra = sort.startsWith("var:") ? valueOf(section, sort.slice(4)) : null;
    const notes = [section.patient === section.sample ? "" : section.patient, extra ?? "",
      lit.length ? percent(share(section, lit)) : sort === "cells" ? section.cells.toLocaleString("en") : ""].filter((t) => t !== "");
    const button = make("button", { "aria-pressed": open.includes(section.sample), "data-sample": section.sample,
      onclick: () => (explorer.state.open.includes(section.sample) ? explorer.close(section.sample) : explorer.open(section.sample)) },
    make("span", { class: "name", text: section.sample }), make("span", { class: "notes", text: notes.join(" \u00b7 ") }), composition(section));
    return make("li", {}, button);
  });
  refill(byId("list"), ...listed);
  byId("clear").hidden = !Object.keys(explorer.state.filters).length;
  byId("kept").textContent = kept.length === all ? `(${counted(all, "section")})` : `(${kept.length} of ${counted(all, "section")})`;
}

function fillColours() {
  const groups = new Map();
  for (const choice of explorer.choices()) {
    if (!groups.has(choice.group)) groups.set(choice.group, make("optgroup", { label: choice.group }));
    groups.get(choice.group).append(make("option", { value: choice.id, text: choice.label }));
  }
  byId("colour").replaceChildren(...groups.values());
}

function fillScale() {
  const choice = explorer.choice(), scale = byId("scale");
  if (choice.kind === "niche") return scale.replaceChildren();
  if (choice.kind === "type") {
    return scale.replaceChildren(make("ul", { class: "types" }, ...explorer.named(choice).map((type) => make("li", {}, dotOf(type), ` ${type.name}`))));
  }
  const stops = Array.from({ length: 11 }, (_, i) => css(viridis(i / 10))).join(",");
  const bar = make("div", { class: "gradient" });
  bar.style.background = `linear-gradient(to right, ${stops})`;
  const ends = choice.kind === "share" ? ["0", "1"] : [String(+choice.feature.levels[0].toPrecision(3)), `${+choice.feature.high.toPrecision(3)} and more`];
  const note = choice.kind === "share" ? "" : choice.feature.kind === "counts" ? "counts, log" : "";
  return scale.replaceChildren(bar, make("div", { class: "ends" }, make("span", { text: ends[0] }), make("span", { text: note }), make("span", { text: ends[1] })));
}

function fillNiches() {
  const total = explorer.about.niches.reduce((sum, n) => sum + n.cells, 0), lit = explorer.state.lit;
  refill(byId("niches"), ...explorer.about.niches.map((niche) => {
    const about = [niche.cell_types, niche.markers, niche.reading && (explorer.about.caution ? niche.reading : `reproducibility ${niche.reading}`)].filter(Boolean).join("\n");
    return make("li", {}, make("button", { "aria-pressed": lit.includes(niche.number), "data-niche": niche.number, title: about,
      onclick: (event) => explorer.light(niche.number, explorer.state.several || event.shiftKey || event.ctrlKey || event.metaKey) },
    nicheDot(niche.number), make("span", { class: "name", text: niche.name }), make("span", { class: "notes", text: percent(niche.cells / total) }),
    make("small", { text: niche.cell_types || niche.markers || "" })));
  }));
  byId("all").hidden = !lit.length;
}

const number = (v) => (v === null ? "" : Math.abs(v) >= 0.001 || v === 0 ? String(+v.toPrecision(3)) : v.toExponential(1));
// Which groups are compared, where a contrast has several pairs
const among = (f) => explorer.about.findings.some((o) => o.contrast === f.contrast && o.comparison !== f.comparison) ? `, ${f.comparison}` : "";
function fillFindings() {
  const { findings, niches } = explorer.about;
  byId("findings-part").hidden = !findings.length;
  refill(byId("findings"), ...findings.slice(0, explorer.allFindings ? findings.length : 6).map((f) => {
    const niche = niches.find((n) => n.number === f.niche);
    const what = f.feature === "proportion" ? "" : ` ${f.feature}`;
    return make("li", {}, make("button", { "aria-pressed": explorer.state.finding === f.id, "data-finding": f.id, title: `${f.sentence} ${f.caveat}`.trim(),
      class: f.found ? "found" : "", onclick: () => explorer.follow(explorer.state.finding === f.id ? null : f.id) },
    nicheDot(f.niche), make("span", { class: "name", text: `${f.contrast}: ${niche.name}${what}${among(f)}` }),
    make("span", { class: "notes", text: f.q === null ? `p = ${number(f.p)}` : `q = ${number(f.q)}` }),
    ...(f.caveat ? [make("small", { text: "not to be interpreted" })] : [])));
  }), ...(findings.length > 6 ? [make("li", {}, make("button", { class: "more", text: explorer.allFindings ? "fewer" : `all ${findings.length} tests`,
    onclick: () => { explorer.allFindings = !explorer.allFindings; fillFindings(); } }))] : []));
}

function fillBanner() {
  const finding = explorer.finding(), banner = byId("banner");
  banner.hidden = !finding;
  if (!finding) return;
  const niche = explorer.about.niches.find((n) => n.number === finding.niche);
  const numbers = [`effect ${number(finding.effect)} (95 % CI ${number(finding.ci_low)} to ${number(finding.ci_high)})`, `p = ${number(finding.p)}`,
    finding.q === null ? "" : `q = ${number(finding.q)}`].filter(Boolean).join(", ");
  const { open } = explorer.state, wanted = explorer.sectionsOf(finding).chosen;
  const shown = open.length === wanted.length && wanted.every((section) => open.includes(section.sample));
  refill(banner, make("strong", { text: `${finding.contrast}: ${niche.name}` }), make("span", { text: finding.sentence || `${finding.comparison}: ${numbers}` }),
    make("em", { text: [finding.found ? "" : "Not significant.", finding.caveat, shown ? "Open: sections with most and least of it." : "Other sections are open."].filter(Boolean).join(" ") }),
    ...(shown ? [] : [make("button", { text: "Open its sections", "data-act": "open", onclick: () => openAgain(finding) })]),
    make("button", { class: "close", "aria-label": "Leave this finding", text: "\u00d7", onclick: () => leaveFinding(finding) }));
}
// The button goes, and what is left of the banner is beside it
async function openAgain(finding) {
  await explorer.follow(finding.id);
  byId("banner").querySelector("button")?.focus();
}
// The banner goes: back to the finding in the list
async function leaveFinding(finding) {
  await explorer.follow(null);
  [...byId("findings").querySelectorAll("button")].find((button) => button.dataset.finding === finding.id)?.focus();
}
