// The state of the page, and what changes it.
"use strict";

const START = { colour: "niche", lit: [], open: [], filters: {}, sort: "sample", down: false, finding: null, together: false, several: false, size: 1, image: 0.8, views: {} };
const MOST_OPEN = 12;
explorer.state = structuredClone(START);

explorer.choice = () => explorer.choices().find((c) => c.id === explorer.state.colour) || explorer.choices()[0];
// the address may leave the comparison out
explorer.finding = () => explorer.state.finding && (explorer.about.findings.find((f) => f.id === explorer.state.finding)
  || explorer.about.findings.find((f) => f.id.startsWith(`${explorer.state.finding}/`)));

// ---- drawing
let asked = false;
explorer.redraw = () => {
  if (asked) return;
  asked = true;
  requestAnimationFrame(() => { asked = false; explorer.drawNow(); });
};
// While views move, only as many cells are drawn as the machine manages about 20 times a second; all once they rest
const pace = { part: 1, rest: 0 };
explorer.move = () => {
  clearTimeout(pace.rest);
  pace.rest = setTimeout(() => { pace.rest = 0; explorer.redraw(); }, 200);
  if (asked) return;
  asked = true;
  requestAnimationFrame((start) => {
    asked = false;
    explorer.drawNow(pace.rest ? pace.part : 1);
    requestAnimationFrame((end) => {
      const took = Math.min(400, end - start);
      pace.part = Math.max(0.01, Math.min(1, took > 60 ? pace.part * 40 / took : took < 30 ? pace.part * 1.3 : pace.part));
    });
  });
};
explorer.drawNow = (part = 1) => {
  explorer.drawing.draw(panels, { size: explorer.state.size, opacity: explorer.state.image, part });
  scaleBars();
};

// Colours, lists and sections as the state says
explorer.show = () => {
  const { state, drawing } = explorer, choice = explorer.choice();
  drawing.setPalette(explorer.palette(choice));
  drawing.setLit(new Set(state.lit));
  for (const panel of panels) if (!panel.broken) drawing.hold(panel.section, choice);
  byId("colour").value = choice.id;
  byId("sort").value = state.sort;
  byId("order").setAttribute("aria-pressed", state.down);
  byId("together").checked = state.together;
  byId("several").checked = state.several;
  byId("size").value = state.size;
  byId("image").value = state.image;
  byId("image-control").hidden = !panels.some((p) => p.section.picture);
  byId("empty").hidden = panels.length > 0;
  byId("empty").textContent = explorer.kept().length ? "Choose a section in the list." : "No section passes the filters.";
  fillSections(); fillScale(); fillNiches(); fillFindings(); fillBanner();
  for (const { element, target, section, broken } of panels) {
    const first = explorer.finding()?.variable; // what is compared is told first
    const about = explorer.about.variables.map((v, i) => [v.name, section.values[i]]).filter(([, v]) => v !== null)
      .sort((a, b) => (b[0] === first) - (a[0] === first)).slice(0, 4);
    element.querySelector(".who").textContent = [...(section.patient === section.sample ? [] : [section.patient]), ...about.map(([k, v]) => `${k} ${v}`)].join(" \u00b7 ");
    target.setAttribute("aria-label", `${section.sample}, ${section.cells} cells, ${broken ? "which cannot be shown" : `coloured by ${choice.label}. Arrows move, plus and minus zoom, Enter reads cells, v counts those in view`}.`);
  }
  layout();
  explorer.drawNow();
  explorer.remember();
};

// ---- sections
explorer.open = async (sample, { quiet = false } = {}) => {
  const { state } = explorer;
  if (!state.open.includes(sample)) {
    if (state.open.length >= MOST_OPEN) return say(`At most ${MOST_OPEN} sections fit side by side: close one first.`);
    state.open.push(sample);
  }
  const section = explorer.sections.get(sample), problem = await explorer.load(section).then(() => null, (error) => error);
  if (!state.open.includes(sample) || panels.some((p) => p.section === section)) return;
  const panel = newPanel(section), saved = own(state.views, sample);
  if (problem) {
    console.error(problem);
    panel.broken = true;
    panel.bar.remove();
    tellProblem(panel, problem.message, async () => {
      explorer.close(sample);
      await explorer.open(sample);
      panels.find((p) => p.section.sample === sample)?.target.focus();
    });
  }
  if (saved) Object.assign(panel, { view: { x: saved[0], y: saved[1], scale: saved[2] }, touched: true });
  panels.push(panel);
  panels.sort((a, b) => state.open.indexOf(a.section.sample) - state.open.indexOf(b.section.sample));
  byId("panels").append(panel.element);
  layout(); // others may be on their way for long, and it is drawn before they come
  if (!quiet) explorer.show();
  showPicture(panel);
};
function showPicture(panel) {
  explorer.loadPicture(panel.section).then((image) => image && explorer.redraw(), (error) => {
    console.error(error);
    tellProblem(panel, `No picture of the tissue: ${error.message}`, () => showPicture(panel), true);
  });
}
explorer.close = (sample) => {
  explorer.state.open = explorer.state.open.filter((s) => s !== sample);
  delete explorer.state.views[sample];
  const at = panels.findIndex((p) => p.section.sample === sample), focused = document.activeElement;
  const inside = panels[at]?.element.contains(focused), like = focused.classList.contains("close") ? ".close" : ".view";
  takeAway(sample);
  explorer.show();
  // who was in it by keyboard goes on in the next section, else in the list
  const next = panels[Math.min(at, panels.length - 1)];
  if (inside) (next?.element.querySelector(like) ?? listButton(sample))?.focus();
};
// Of a section that is no longer open nothing stays
function takeAway(sample) {
  const at = panels.findIndex((p) => p.section.sample === sample);
  if (at >= 0) {
    const [panel] = panels.splice(at, 1);
    explorer.stopReading(panel);
    panel.element.remove();
  }
  hideTip();
  explorer.drawing.drop(sample);
}
const listButton = (sample) => [...byId("list").querySelectorAll("button")].find((b) => b.dataset.sample === sample);
async function openOnly(samples) {
  for (const sample of explorer.state.open.filter((s) => !samples.includes(s))) takeAway(sample);
  explorer.state.open = [...samples];
  await Promise.all(samples.map((s) => explorer.open(s, { quiet: true })));
  explorer.show();
}
// The next section of the list in place of this one
explorer.step = async (panel, by) => {
  const kept = explorer.kept().map((s) => s.sample), own = panel.section.sample;
  const free = kept.filter((s) => s === own || !explorer.state.open.includes(s));
  const next = free[(free.indexOf(own) + by + free.length) % free.length];
  if (!next || next === own) return;
  await openOnly(explorer.state.open.map((s) => (s === own ? next : s)));
  panels.find((p) => p.section.sample === next)?.target.focus();
};

// ---- niches and findings
// A finding of which the niche is not lit is not what is shown
function leaveUnlit() {
  if (!explorer.state.lit.includes(explorer.finding()?.niche)) explorer.state.finding = null;
}
explorer.light = (niche, add) => {
  const { state } = explorer, on = state.lit.includes(niche);
  state.lit = add ? (on ? state.lit.filter((n) => n !== niche) : [...state.lit, niche]) : on && state.lit.length === 1 ? [] : [niche];
  leaveUnlit();
  explorer.show();
};
// Sections of a finding, those that pass the filters, and the ones of these (or of all) with most and least of its niche
explorer.sectionsOf = (finding) => {
  const all = explorer.about.sections.filter((s) => !finding.sections.length || finding.sections.includes(s.sample));
  const kept = explorer.kept(), passing = all.filter((s) => kept.includes(s)), part = (s) => share(s, [finding.niche]);
  const sorted = [...(passing.length ? passing : all)].sort((a, b) => part(b) - part(a)), n = Math.min(2, Math.floor(sorted.length / 2));
  return { all, passing, chosen: n ? [...sorted.slice(0, n), ...sorted.slice(-n)] : sorted };
};
explorer.follow = async (id) => {
  const { state } = explorer;
  state.finding = id;
  const finding = explorer.finding();
  state.finding = finding ? finding.id : null;
  if (!finding) { state.lit = []; return explorer.show(); }
  Object.assign(state, { lit: [finding.niche], colour: "niche", sort: "lit", down: true, views: {} });
  const { all, passing, chosen } = explorer.sectionsOf(finding);
  if (!passing.length) { state.filters = {}; fillFilters(); }
  await openOnly(chosen.map((s) => s.sample));
  say(`${finding.contrast}: ${counted(chosen.length, "section")} opened, those with most and least of the niche${
    !passing.length ? "; filters are off, no section passed them" : passing.length < all.length ? " of those that pass the filters" : ""}`);
};

// ---- chosen cells: counts of niches in a rectangle
explorer.choose = (panel, a, b) => {
  if (panel.broken) return;
  const { section } = panel, [cx, cy] = section.corner, { niche, type } = section.columns;
  const steps = (v, corner) => (v - corner) / section.step, counts = new Map(), types = new Map();
  let n = 0;
  explorer.within(section, steps(Math.min(a.x, b.x), cx), steps(Math.min(a.y, b.y), cy), steps(Math.max(a.x, b.x), cx), steps(Math.max(a.y, b.y), cy), (i) => {
    n++;
    counts.set(niche[i], (counts.get(niche[i]) || 0) + 1);
    if (type) types.set(type[i], (types.get(type[i]) || 0) + 1);
  });
  const rows = (map, name) => [...map].sort((x, y) => y[1] - x[1]).slice(0, 8)
    .map(([k, v]) => make("tr", {}, make("td", { text: name(k) }), make("td", { text: v.toLocaleString("en") }), make("td", { text: percent(v / n) })));
  byId("chosen").replaceChildren(make("p", { text: `${n.toLocaleString("en")} cells of ${section.sample}` }),
    make("table", {}, ...rows(counts, (k) => explorer.about.niches.find((x) => x.number === k).name)),
    ...(type ? [make("table", {}, ...rows(types, (k) => explorer.about.types[k]))] : []));
  byId("chosen-part").hidden = false;
  drawer("side", true); // on a tablet it may be out of sight
  byId("chosen-part").scrollIntoView({ block: "nearest" });
  const most = [...counts].sort((x, y) => y[1] - x[1]).slice(0, 3).map(([k, v]) => `${explorer.about.niches.find((x) => x.number === k).name} ${percent(v / n)}`);
  say([`${counted(n, "cell")} of ${section.sample}`, ...most].join(", "));
};
// Beside the sections on a wide screen, over them on others
function drawer(part, on) {
  byId(`show-${part}`).setAttribute("aria-expanded", document.body.classList.toggle(`with-${part}`, on));
}

const KEYS = [["drag, arrows", "move"], ["wheel, pinch, + and \u2212", "zoom"], ["0", "all of each section"], ["point, tap", "the cell"], ["Enter, then arrows", "read out the cell in the middle, then the next one; Esc or Enter ends it"],
  ["Shift and drag, Count cells (r)", "count the cells in a rectangle"], ["in a section: v", "count the cells that are in view"],
  ["in a section: n, p", "next, previous section of the list in place of this one"], ["in a section: x", "close it"], ["1 to 9", "light up a niche everywhere; Shift and click, or \"several\": more than one"], ["c", "next colouring"],
  ["Esc", "light up all"], ["s", "save as PNG"], ["?", "this help"]];

function globalKeys(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName) || byId("keys").open) return;
  const { state } = explorer;
  if (/^[1-9]$/.test(event.key) && explorer.about.niches.some((n) => n.number === +event.key)) explorer.light(+event.key, state.several);
  else if (event.key === "c") {
    const all = explorer.choices();
    state.colour = all[(all.findIndex((x) => x.id === explorer.choice().id) + 1) % all.length].id;
    explorer.show();
  } else if (event.key === "Escape") { Object.assign(state, { lit: [], finding: null }); byId("chosen-part").hidden = true; chooseByDragging(false); explorer.show(); }
  else if (event.key === "r") chooseByDragging(!choosing);
  else if (event.key === "0") fit();
  else if (event.key === "s") save();
  else if (event.key === "?") byId("keys").showModal();
}

function wire() {
  const { state } = explorer, on = (id, type, act) => byId(id).addEventListener(type, act);
  on("colour", "change", (e) => { explorer.state.colour = e.target.value; explorer.show(); });
  on("sort", "change", (e) => { explorer.state.sort = e.target.value; explorer.state.down = ["lit", "cells"].includes(e.target.value); explorer.show(); });
  on("order", "click", () => { explorer.state.down = !explorer.state.down; explorer.show(); });
  on("together", "change", (e) => { explorer.state.together = e.target.checked; explorer.remember(); });
  on("several", "change", (e) => { explorer.state.several = e.target.checked; explorer.remember(); });
  on("choose", "click", () => chooseByDragging(!choosing));
  on("forget", "click", () => { byId("chosen-part").hidden = true; byId("choose").focus(); });
  on("clear", "click", async () => { await explorer.clearFilters(); byId("filters").querySelector("summary").focus(); });
  on("size", "input", (e) => { explorer.state.size = +e.target.value; explorer.redraw(); explorer.remember(); });
  on("image", "input", (e) => { explorer.state.image = +e.target.value; explorer.redraw(); explorer.remember(); });
  on("fit", "click", fit);
  on("save", "click", save);
  on("link", "click", copyLink);
  on("help", "click", () => byId("keys").showModal());
  on("all", "click", () => { Object.assign(explorer.state, { lit: [], finding: null }); explorer.show(); byId("niches").querySelector("button").focus(); });
  for (const part of ["sections", "side"]) on(`show-${part}`, "click", () => drawer(part));
  byId("key-list").replaceChildren(...KEYS.flatMap(([key, what]) => [make("dt", { text: key }), make("dd", { text: what })]));
  document.addEventListener("keydown", globalKeys);
  new ResizeObserver(() => { layout(); explorer.redraw(); }).observe(byId("stage"));
  addEventListener("hashchange", () => go(recall()));
}

async function go(state) {
  const before = explorer.state.open;
  const follow = state.finding && !state.open.length ? state.finding : null;
  Object.assign(explorer.state, state, { open: before });
  for (const panel of panels) {
    const saved = own(state.views, panel.section.sample);
    panel.touched = !!saved;
    if (saved) panel.view = { x: saved[0], y: saved[1], scale: saved[2] };
  }
  fillFilters();
  if (follow && explorer.finding()) return explorer.follow(follow);
  leaveUnlit();
  const kept = explorer.kept().map((s) => s.sample), passing = (samples) => samples.filter((s) => kept.includes(s));
  const wanted = [state.open, before, kept.slice(0, 2)].map(passing).find((samples) => samples.length);
  await openOnly(wanted || []);
}

// What a reader should know of what is shown
function limitsOf(about) {
  const thinned = about.sections.filter((s) => s.shown < s.cells).length, rounded = about.features.filter((f) => !f.exact).length;
  return ["Shares have two decimals.", thinned ? `Cells drawn at random are shown of ${counted(thinned, "section")}.` : "All cells are shown.",
    "While a view moves, a slow machine shows a part of them.", `${counted(about.features.length, "feature")} in it (--explorer_genes).`, rounded ? `${rounded} of them are rounded to 255 levels.` : "",
    Math.max(about.niches.length, about.types.length) > 20 ? "Colours repeat after 20 niches or cell types; the shapes of dots tell them apart." : ""].filter(Boolean).join(" ");
}
function stop(text) {
  byId("empty").hidden = false;
  byId("empty").textContent = text;
}

explorer.start = async (about) => {
  try {
    explorer.about = about;
    for (const section of about.sections) explorer.sections.set(section.sample, section);
    const cells = about.sections.reduce((sum, s) => sum + s.cells, 0);
    byId("about").textContent = `${counted(about.sections.length, "section")}, ${cells.toLocaleString("en")} cells, ${counted(about.niches.length, "niche")}`;
    byId("limits").textContent = limitsOf(about);
    Object.assign(byId("caution"), { hidden: !about.caution, textContent: about.caution });
    explorer.drawing = new Drawing(byId("picture"));
    for (const [file, there] of Object.entries({ "cell.js": explorer.describe, "colours.js": explorer.choices, "filters.js": explorer.kept, "picture.js": explorer.image,
      "explorer.css": getComputedStyle(document.body).display === "flex" })) if (!there) throw missing(file);
    // a tablet takes the card away from a page that is out of sight
    byId("picture").addEventListener("webglcontextlost", (event) => event.preventDefault());
    byId("picture").addEventListener("webglcontextrestored", () => { history.replaceState(null, "", `#${address()}`); location.reload(); });
    fillSort(); fillColours(); wire();
    await go(recall());
    explorer.times.first = performance.now();
    document.body.dataset.ready = "true";
  } catch (error) {
    console.error(error);
    stop(error instanceof TypeError || error instanceof ReferenceError ? damaged("A file of the page, or data/cohort.js", error.message).message : error.message);
  }
};
addEventListener("load", () => { if (!explorer.about) stop(missing("data/cohort.js").message); });
