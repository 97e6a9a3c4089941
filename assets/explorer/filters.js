// Filters and order of the sections: which are listed, and with that which may be open.
// A filter of text is the list of wanted values, null for sections without one; of numbers [from, to, what of those without: "with", "only" or nothing].
"use strict";

// Sections that pass all filters, in the chosen order
explorer.kept = () => {
  const { filters, sort, down } = explorer.state;
  const passes = (section) => Object.entries(filters).every(([name, wanted]) => {
    const value = valueOf(section, name), variable = explorer.about.variables.find((v) => v.name === name);
    if (!variable) return true;
    if (variable.kind !== "number") return wanted.includes(value);
    if (value === null) return wanted[2] === "with" || wanted[2] === "only";
    return wanted[2] !== "only" && (wanted[0] === null || value >= wanted[0]) && (wanted[1] === null || value <= wanted[1]);
  });
  const key = (section) => {
    if (sort === "lit") return explorer.state.lit.length ? share(section, explorer.state.lit) : 0;
    if (sort === "cells" || sort === "patient" || sort === "sample") return section[sort];
    return valueOf(section, sort.slice(4));
  };
  const compare = (a, b) => {
    const u = key(a), v = key(b);
    if (u === null || v === null || u === undefined || v === undefined) return (u == null) - (v == null);
    return (typeof u === "string" ? u.localeCompare(v, undefined, { numeric: true }) : u - v) * (down ? -1 : 1);
  };
  return explorer.about.sections.filter(passes).sort((a, b) => compare(a, b) || a.number - b.number);
};

// A filter has changed: what it leaves out is closed
explorer.filter = async () => {
  const { open } = explorer.state, kept = explorer.kept().map((s) => s.sample), left = open.filter((s) => kept.includes(s));
  if (left.length === open.length && open.length) return explorer.show();
  await openOnly(left.length ? left : kept.slice(0, 2));
  if (left.length < open.length) say(`${counted(open.length - left.length, "section")} closed: not in the filter`);
};
explorer.clearFilters = () => {
  explorer.state.filters = {};
  fillFilters();
  return explorer.filter();
};

function setFilter(variable, wanted) {
  const others = Object.entries(explorer.state.filters).filter(([name]) => name !== variable.name);
  explorer.state.filters = Object.fromEntries(wanted ? [...others, [variable.name, wanted]] : others);
  return explorer.filter();
}
function numberFilter(variable, wanted, unknown) {
  const [low, high] = [0, 1].map((i) => make("input", { type: "number", step: "any", "aria-label": `${variable.name}, ${i ? "to" : "from"}`,
    placeholder: i ? "to" : "from", value: wanted && wanted[i] !== null ? wanted[i] : "" }));
  const others = make("select", { "aria-label": `sections without ${variable.name}` },
    ...[["with", "shown"], ["", "hidden"], ["only", "alone"]].map(([value, text]) => make("option", { value, text })));
  others.value = wanted ? wanted[2] || "" : "with";
  const read = (event) => {
    const both = [low, high].map((e) => (e.value === "" ? null : Number(e.value))), ranged = both.some((v) => v !== null);
    // who begins to ask for numbers means sections that have one
    if (event.target !== others && ranged && !own(explorer.state.filters, variable.name)) others.value = "";
    setFilter(variable, !ranged && (others.value === "with" || !unknown) ? null : unknown ? [...both, others.value] : both);
  };
  for (const element of [low, high, others]) element.addEventListener("change", read);
  return [make("span", { class: "range" }, low, high), ...(unknown ? [make("label", {}, "not known ", others)] : [])];
}
function textFilter(variable, wanted, unknown) {
  const ticks = [...variable.values, ...(unknown ? [null] : [])].map((value) => {
    const tick = make("input", { type: "checkbox", value: value ?? "" });
    tick.checked = !wanted || wanted.includes(value);
    return { tick, value };
  });
  for (const { tick } of ticks) {
    tick.addEventListener("change", () => {
      const chosen = ticks.filter((t) => t.tick.checked).map((t) => t.value);
      setFilter(variable, chosen.length === ticks.length ? null : chosen);
    });
  }
  return ticks.map(({ tick, value }) => make("label", {}, tick, value === null ? make("em", { text: " not known" }) : ` ${value}`));
}
function fillFilters() {
  const boxes = explorer.about.variables.map((variable, i) => {
    const unknown = explorer.about.sections.some((s) => s.values[i] === null);
    const make_inputs = variable.kind === "number" ? numberFilter : textFilter;
    return make("fieldset", {}, make("legend", { text: variable.name }), ...make_inputs(variable, own(explorer.state.filters, variable.name), unknown));
  });
  byId("filter-list").replaceChildren(...(boxes.length ? boxes : [make("p", { text: "The tables hold no variable that tells sections apart." })]));
}
