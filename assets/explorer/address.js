// The state of the page in its address: a link holds the view.
"use strict";

// Only what differs from the start
function address() {
  const parts = {};
  for (const [name, value] of Object.entries(explorer.state)) {
    if (name !== "views" && JSON.stringify(value) !== JSON.stringify(START[name])) parts[name] = value;
  }
  const views = panels.filter((p) => p.touched).map(({ section, view }) => [section.sample, [view.x, view.y, view.scale].map((v) => +v.toPrecision(6))]);
  if (views.length) parts.views = Object.fromEntries(views);
  return Object.entries(parts).map(([k, v]) => `${k}=${encodeURIComponent(typeof v === "string" ? v : JSON.stringify(v))}`).join("&");
}
let remembering;
explorer.remember = () => {
  clearTimeout(remembering);
  remembering = setTimeout(() => {
    const hash = address();
    if (`#${hash}` !== location.hash) history.replaceState(null, "", `#${hash}`);
  }, 150);
};
// What the address says; what is no longer there is passed over
function recall() {
  const state = structuredClone(START);
  for (const part of location.hash.slice(1).split("&").filter(Boolean)) {
    const [name, ...rest] = part.split("=");
    if (!Object.hasOwn(START, name)) continue;
    let value;
    try {
      value = decodeURIComponent(rest.join("="));
      if (typeof START[name] !== "string" && name !== "finding") value = JSON.parse(value);
    } catch { continue; }
    if (value === null) continue;
    if (name === "finding" || (Array.isArray(value) === Array.isArray(START[name]) && typeof value === typeof START[name])) state[name] = value;
  }
  const sound = (values, fine) => Object.fromEntries(Object.entries(values).filter(([, v]) => Array.isArray(v) && fine(v)));
  state.filters = sound(state.filters, () => true);
  state.views = sound(state.views, (v) => v.length === 3 && v.every(Number.isFinite) && v[2] > 0);
  state.open = [...new Set(state.open)].filter((s) => explorer.sections.has(s)).slice(0, MOST_OPEN);
  state.lit = [...new Set(state.lit)].filter((n) => explorer.about.niches.some((x) => x.number === n));
  for (const name of ["size", "image"]) state[name] = Math.max(+byId(name).min, Math.min(+byId(name).max, state[name]));
  return state;
}

async function copyLink() {
  history.replaceState(null, "", `#${address()}`);
  try { await navigator.clipboard.writeText(location.href); say("The address of this view is copied"); }
  catch { say("Copy the address from the browser's address bar: it holds this view"); }
}
