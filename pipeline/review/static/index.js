// The list of cases: search, filters, sorting, counts. The data is in cases.js (columns: pipeline/review/index.py).
"use strict";
(() => {
  const data = window.case2fhirCases;
  const byId = (id) => document.getElementById(id);
  const PAGE = 50;
  const ONSETS = [
    ["< 1 hour", 0, 1 / 24], ["< 1 day", 1 / 24, 1], ["1–7 days", 1, 7.001], ["1–4 weeks", 7.001, 28.5],
    ["1–3 months", 28.5, 92], ["3–12 months", 92, 366], ["> 1 year", 366, Infinity],
  ];
  const NOT_STATED = "not stated";

  /** A row by the names of its columns, and what follows from it. */
  class Case {
    constructor(row, order) {
      data.columns.forEach((name, i) => { this[name] = row[i]; });
      this.order = order;
    }
    get drugNames() { return this.suspects.map((i) => data.drugs[i]); }
    get reactionNames() { return this.reactions.map((i) => data.reactions[i]); }
    get strongest() { return this.pairs.reduce((best, pair) => (pair[2] >= 0 && pair[2] < best ? pair[2] : best), 99); }
    get firstOnset() { return this.onsets.reduce((best, days) => (days !== null && days < best ? days : best), Infinity); }
  }
  const cases = data.rows.map((row, order) => new Case(row, order));
  const fold = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
  let folded = null;
  /** Words of each case to search in; made when the first search comes. */
  const haystack = (item) => {
    folded = folded || cases.map((c) => fold([c.case, c.patient, c.title, ...c.drugNames, ...c.others.map((i) => data.drugs[i]), ...c.reactionNames].join("\n")));
    return folded[item.order];
  };

  // --- state, kept in the address so that a case page can lead back ------------------------------------------------

  const fields = ["search", "drug", "reaction", "outcome", "causality", "onset", "state"];
  const state = { sort: "", down: false, page: 0 };

  function restore() {
    const kept = new URLSearchParams(location.hash.slice(1));
    for (const field of fields) byId(field).value = kept.get(field) || "";
    state.sort = kept.get("sort") || "";
    state.down = kept.get("down") === "1";
    state.page = Number(kept.get("page")) || 0;
  }

  function keep() {
    const kept = new URLSearchParams();
    for (const field of fields) if (byId(field).value) kept.set(field, byId(field).value);
    if (state.sort) kept.set("sort", state.sort);
    if (state.down) kept.set("down", "1");
    if (state.page) kept.set("page", String(state.page));
    const hash = kept.toString() ? `#${kept}` : "";
    history.replaceState(null, "", location.pathname + location.search + hash);
    try {
      sessionStorage.setItem("case2fhir-list", hash);
    } catch (error) { /* then a case page leads back to the whole list */ }
  }

  // --- filters -----------------------------------------------------------------------------------------------------

  const onsetOf = (days) => (days === null ? NOT_STATED : (ONSETS.find(([, from, to]) => days >= from && days < to) || [NOT_STATED])[0]);
  const causalityOf = (pair) => (pair[2] < 0 ? "not assessed" : data.who_umc[pair[2]]);

  /** Positions of the names that a typed word means: the very name, or else all that contain it; null for any. */
  function meant(names, typed) {
    if (!typed) return null;
    const word = fold(typed.trim());
    const exact = names.findIndex((name) => fold(name) === word);
    if (exact >= 0) return new Set([exact]);
    return new Set(names.flatMap((name, i) => (fold(name).includes(word) ? [i] : [])));
  }

  const STATES = {
    published: (item) => !item.withheld,
    withheld: (item) => item.withheld,
    failed: (item) => item.failed > 0,
    serious: (item) => item.serious,
    none: (item) => !item.reactions.length,
  };

  function found() {
    const value = Object.fromEntries(fields.map((field) => [field, byId(field).value]));
    const words = fold(value.search).split(/\s+/).filter(Boolean);
    const drugs = meant(data.drugs, value.drug);
    const reactions = meant(data.reactions, value.reaction);
    const both = drugs && reactions;
    return cases.filter((item) =>
      (!drugs || item.suspects.some((i) => drugs.has(i))) &&
      (!reactions || item.reactions.some((i) => reactions.has(i))) &&
      (!both || !item.pairs.length || item.pairs.some(([drug, reaction]) => drugs.has(drug) && reactions.has(reaction))) &&
      (!value.outcome || item.outcomes.some((i) => data.outcomes[i] === value.outcome)) &&
      (!value.causality || item.pairs.some((pair) => causalityOf(pair) === value.causality)) &&
      (!value.onset || item.onsets.some((days) => onsetOf(days) === value.onset)) &&
      (!value.state || STATES[value.state](item)) &&
      words.every((word) => haystack(item).includes(word)));
  }

  // --- sorting -----------------------------------------------------------------------------------------------------

  const last = "\uffff";
  const KEYS = {
    patient: (item) => item.patient, suspects: (item) => item.drugNames[0] || last, reactions: (item) => item.reactionNames[0] || last,
    onset: (item) => item.firstOnset, causality: (item) => item.strongest, case: (item) => item.case,
  };
  const collator = new Intl.Collator("en", { numeric: true, sensitivity: "base" });

  function sorted(items) {
    const key = KEYS[state.sort];
    if (!key) return items;
    const keyed = items.map((item) => [key(item), item]);
    const compare = state.sort === "onset" || state.sort === "causality" ? (a, b) => a[0] - b[0] : (a, b) => collator.compare(a[0], b[0]);
    keyed.sort((a, b) => (state.down ? -compare(a, b) : compare(a, b)) || a[1].order - b[1].order);
    return keyed.map(([, item]) => item);
  }

  // --- showing -----------------------------------------------------------------------------------------------------

  function make(name, attributes, ...children) {
    const element = document.createElement(name);
    for (const [attribute, value] of Object.entries(attributes)) element.setAttribute(attribute, value);
    element.append(...children);
    return element;
  }
  const isolated = (text, name) => make("bdi", name ? { class: name } : {}, text);
  const badge = (text, name) => make("span", { class: `badge ${name || ""}` }, text);

  function joined(elements, by) {
    return elements.flatMap((element, i) => (i ? [by, element] : [element]));
  }

  function days(number) {
    if (number === Infinity) return "";
    const units = [[365.25, "y"], [30.4375, "mo"], [7, "wk"], [1, "d"], [1 / 24, "h"], [1 / 1440, "min"]];
    const fitting = units.filter(([size]) => number / size >= 0.99);
    const whole = fitting.find(([size]) => Math.abs(number / size - Math.round(number / size)) < 0.005);
    const [size, unit] = whole || fitting[0] || units[5];
    return `${Number((number / size).toFixed(1))} ${unit}`;
  }

  function tableRow(item) {
    const link = make("a", { href: `cases/${item.key.slice(1, 3)}/${item.key}.html` }, isolated(item.patient));
    const flags = [];
    if (item.withheld) flags.push(" ", badge("withheld", "bad"));
    else if (item.failed) flags.push(" ", badge("check failed", "warn"));
    if (item.serious) flags.push(" ", badge("serious"));
    const reactions = item.reactionNames.map((name, i) =>
      make("span", {}, isolated(name, "reaction"), item.outcomes[i] === data.outcomes.indexOf("unknown") ? "" : `: ${data.outcomes[item.outcomes[i]]}`));
    return make("tr", {},
      make("td", {}, link, ...flags),
      make("td", {}, ...joined(item.drugNames.map((name) => isolated(name, "drug")), ", ")),
      make("td", {}, ...(reactions.length ? joined(reactions, "; ") : [make("span", { class: "note" }, "none stated")])),
      make("td", {}, days(item.firstOnset)),
      make("td", {}, item.strongest < 99 ? badge(data.who_umc[item.strongest]) : ""),
      make("td", {}, isolated(item.case), make("span", { class: "note" }, isolated(item.title))));
  }

  function showRows(items) {
    const pages = Math.max(Math.ceil(items.length / PAGE), 1);
    state.page = Math.min(state.page, pages - 1);
    const shown = items.slice(state.page * PAGE, (state.page + 1) * PAGE);
    byId("rows").replaceChildren(...shown.map(tableRow));
    const whole = cases.length.toLocaleString("en");
    byId("found").textContent = items.length === cases.length ? `${whole} cases` : `${items.length.toLocaleString("en")} of ${whole} cases`;
    byId("page").textContent = `Page ${state.page + 1} of ${pages}`;
    byId("previous").disabled = state.page === 0;
    byId("next").disabled = state.page >= pages - 1;
    for (const head of document.querySelectorAll("[data-sort]")) {
      if (head.dataset.sort === state.sort) head.setAttribute("aria-sort", state.down ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    }
  }

  // --- charts ------------------------------------------------------------------------------------------------------

  const SVG = "http://www.w3.org/2000/svg";
  function draw(name, attributes, text) {
    const element = document.createElementNS(SVG, name);
    for (const [attribute, value] of Object.entries(attributes)) element.setAttribute(attribute, value);
    if (text !== undefined) element.textContent = text;
    return element;
  }

  function shortened(text, letters) {
    return text.length <= letters ? text : `${text.slice(0, letters - 1)}…`;
  }

  /** Bars below each other; an item is {label, count, choose, chosen} or {group}. Widths are in units of the picture. */
  function bars(where, items, labelled) {
    const width = Math.max(byId(where).clientWidth, 220);
    const step = 20;
    const most = Math.max(1, ...items.map((item) => item.count || 0));
    const height = Math.max(items.length, 1) * step + 2;
    const picture = draw("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "group" });
    items.forEach((item, i) => {
      if (item.group !== undefined) {
        picture.append(draw("text", { class: "group", x: 0, y: i * step + 14 }, shortened(item.group, 46)));
        return;
      }
      const bar = draw("g", { class: item.chosen ? "bar chosen" : "bar", role: "button", tabindex: 0, "aria-pressed": String(Boolean(item.chosen)), "aria-label": `${item.name || item.label}: ${item.count}` });
      const room = width - labelled - 44;
      bar.append(
        draw("title", {}, `${item.name || item.label}: ${item.count}`),
        draw("rect", { class: "ground", x: 0, y: i * step, width, height: step }),
        draw("text", { x: item.indent || 0, y: i * step + 14 }, shortened(item.label, Math.floor((labelled - (item.indent || 0)) / 6.3))),
        draw("rect", { class: "value", x: labelled, y: i * step + 4, width: item.count ? Math.max((room * item.count) / most, 1) : 0, height: step - 8, rx: 2 }),
        draw("text", { class: "count", x: labelled + (room * item.count) / most + 5, y: i * step + 14 }, item.count.toLocaleString("en")));
      bar.addEventListener("click", item.choose);
      bar.addEventListener("keydown", (event) => {
        if (event.key === "Enter" || event.key === " ") {
          event.preventDefault();
          const place = [...picture.querySelectorAll(".bar")].indexOf(bar);
          item.choose();
          const again = byId(where).querySelectorAll(".bar")[place];
          if (again) again.focus();
        }
      });
      picture.append(bar);
    });
    byId(where).replaceChildren(picture);
    if (!items.length) byId(where).replaceChildren(make("p", { class: "none" }, "none"));
  }

  function choose(field, value) {
    return () => {
      byId(field).value = byId(field).value === value ? "" : value;
      state.page = 0;
      update();
    };
  }

  function counted(values) {
    const counts = new Map();
    for (const value of values) counts.set(value, (counts.get(value) || 0) + 1);
    return counts;
  }
  const most = (counts, number) => [...counts].sort((a, b) => b[1] - a[1]).slice(0, number);

  function showCharts(items) {
    const byDrug = new Map();
    for (const item of items) {
      for (const [drug, reaction] of item.pairs) {
        if (!byDrug.has(drug)) byDrug.set(drug, []);
        byDrug.get(drug).push(reaction);
      }
    }
    const drugs = [...byDrug].sort((a, b) => b[1].length - a[1].length).slice(0, 4);
    const each = Math.floor(8 / Math.max(drugs.length, 1));
    bars("chart-pairs", drugs.flatMap(([drug, reactions]) => [
      { group: data.drugs[drug] },
      ...most(counted(reactions), each).map(([reaction, count]) => ({
        label: data.reactions[reaction], name: `${data.drugs[drug]}, ${data.reactions[reaction]}`, count, indent: 12,
        chosen: byId("drug").value === data.drugs[drug] && byId("reaction").value === data.reactions[reaction],
        choose() {
          const chosen = byId("drug").value === data.drugs[drug] && byId("reaction").value === data.reactions[reaction];
          byId("drug").value = chosen ? "" : data.drugs[drug];
          byId("reaction").value = chosen ? "" : data.reactions[reaction];
          state.page = 0;
          update();
        },
      })),
    ]), 190);
    const one = (where, field, labels, counts, labelled) => bars(where, labels.map((label) => ({
      label, count: counts.get(label) || 0, chosen: byId(field).value === label, choose: choose(field, label),
    })), labelled);
    one("chart-outcomes", "outcome", data.outcomes, counted(items.flatMap((item) => item.outcomes.map((i) => data.outcomes[i]))), 160);
    one("chart-causality", "causality", [...data.who_umc, "not assessed"], counted(items.flatMap((item) => item.pairs.map(causalityOf))), 110);
    one("chart-onset", "onset", [...ONSETS.map(([label]) => label), NOT_STATED], counted(items.flatMap((item) => item.onsets.map(onsetOf))), 110);
  }

  function update() {
    const items = found();
    showCharts(items);
    showRows(sorted(items));
    keep();
  }

  // --- start -------------------------------------------------------------------------------------------------------

  const options = (id, values) => byId(id).append(...values.map((value) => make("option", { value }, value)));
  options("outcome", data.outcomes);
  options("causality", [...data.who_umc, "not assessed"]);
  options("onset", [...ONSETS.map(([label]) => label), NOT_STATED]);
  const SUGGESTED = 300;
  for (const [id, names, of] of [["drugs", data.drugs, "suspects"], ["reactions", data.reactions, "reactions"]]) {
    options(id, most(counted(cases.flatMap((item) => item[of])), SUGGESTED).map(([i]) => names[i]).sort(collator.compare));
  }
  let waiting = 0;
  byId("filters").addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => { state.page = 0; update(); }, 120);
  });
  byId("filters").addEventListener("submit", (event) => event.preventDefault());
  byId("reset").addEventListener("click", () => {
    for (const field of fields) byId(field).value = "";
    state.page = 0;
    update();
  });
  for (const head of document.querySelectorAll("[data-sort] button")) {
    head.addEventListener("click", () => {
      const sort = head.parentElement.dataset.sort;
      if (state.sort !== sort) { state.sort = sort; state.down = false; }
      else if (!state.down) state.down = true;
      else { state.sort = ""; state.down = false; }
      state.page = 0;
      update();
    });
  }
  const turn = (by) => () => {
    state.page += by;
    update();
    byId("results").scrollIntoView({ block: "start" });
  };
  let resizing = 0;
  window.addEventListener("resize", () => {
    clearTimeout(resizing);
    resizing = setTimeout(() => showCharts(found()), 150);
  });
  byId("previous").addEventListener("click", turn(-1));
  byId("next").addEventListener("click", turn(1));
  window.addEventListener("hashchange", () => { restore(); update(); });
  restore();
  update();
  performance.mark("case2fhir-ready");
})();
