// A case page: facts and words point to each other; resources are unpacked when they are opened.
// What the page promises to other scripts is said in pipeline/review/__init__.py.
"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const narrative = byId("narrative");
  const card = byId("evidence");
  const go = card.querySelector(".go");

  // --- facts and stretches -----------------------------------------------------------------------------------------

  const stretches = narrative
    ? [...narrative.querySelectorAll("[data-start]")].map((element) => ({ element, start: Number(element.dataset.start), facts: [] }))
    : [];
  const length = narrative ? Number(narrative.dataset.length) : 0;
  stretches.forEach((stretch, i) => {
    stretch.end = i + 1 < stretches.length ? stretches[i + 1].start : length;
  });
  const stretchOf = new Map(stretches.map((stretch) => [stretch.element, stretch]));

  /** The stretches over [start, end), which never cut one: evidence is where the text was cut. */
  function over(start, end) {
    let low = 0;
    let high = stretches.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (stretches[middle].end <= start) low = middle + 1;
      else high = middle;
    }
    const found = [];
    for (; low < stretches.length && stretches[low].start < end; low++) found.push(stretches[low]);
    return found;
  }

  const facts = new Map();
  for (const element of document.querySelectorAll("#facts .fact[data-fact]")) {
    const spans = (element.dataset.evidence || "").split(" ").filter(Boolean).map((span) => span.split("-").map(Number));
    const fact = {
      element, spans, pointer: element.dataset.fact,
      label: element.dataset.label, button: element.querySelector("button.value"),
      shown: (element.querySelector(".value bdi") || element).textContent,
      size: Math.min(...spans.map(([start, end]) => end - start)),
      rank: element.dataset.kind === "cause" ? 1 : 0, // what follows from facts comes after them
    };
    facts.set(fact.pointer, fact);
    for (const [start, end] of spans) for (const stretch of over(start, end)) if (!stretch.facts.includes(fact)) stretch.facts.push(fact);
  }
  for (const stretch of stretches) stretch.facts.sort((a, b) => a.rank - b.rank || a.size - b.size);
  const others = new Map();
  for (const element of document.querySelectorAll("[data-for]")) {
    const pointer = element.getAttribute("data-for");
    others.set(pointer, [...(others.get(pointer) || []), element]);
  }

  // --- showing -----------------------------------------------------------------------------------------------------

  let lit = [];
  let pinned = false;
  let chosen = null;

  function clear() {
    for (const element of lit) element.classList.remove("lit", "active", "here");
    for (const fact of facts.values()) if (fact.button) fact.button.setAttribute("aria-pressed", "false");
    lit = [];
    card.hidden = true;
  }

  function light(element, name) {
    element.classList.add(name);
    lit.push(element);
  }

  /** Bring an element into view within its own pane, never moving the page. */
  function reveal(element, pane) {
    if (!element || !pane || pane.scrollHeight <= pane.clientHeight + 1) return;
    const inner = element.getBoundingClientRect();
    const outer = pane.getBoundingClientRect();
    const bottom = Math.min(outer.bottom, window.innerHeight - (card.hidden ? 0 : card.offsetHeight));
    if (inner.top < outer.top + 20 || (inner.bottom > bottom - 20 && bottom > outer.top + 60)) {
      pane.scrollTop += inner.top - outer.top - outer.height / 3;
    }
  }

  const AROUND = 48;

  /** Words before or behind a stretch, from its neighbours: what an evidence reads like in its sentence. */
  function around(index, step) {
    let text = "";
    for (let i = index + step; i >= 0 && i < stretches.length && text.length < AROUND; i += step) {
      const more = stretches[i].element.textContent;
      text = step < 0 ? more + text : text + more;
    }
    if (text.length <= AROUND) return text;
    const whole = step < 0 ? text.slice(-AROUND).replace(/^\S*\s/, "") : text.slice(0, AROUND).replace(/\s\S*$/, "");
    return step < 0 ? `… ${whole}` : `${whole} …`;
  }

  /** A line of the card: the words from start to end in their sentence. */
  function quote(start, end) {
    const found = over(start, end);
    if (!found.length) return line("li", [["span", "outside the text"]]);
    const words = found.map((stretch) => stretch.element.textContent).join("");
    const first = stretches.indexOf(found[0]);
    return line("li", [["span", around(first, -1)], ["b", words], ["span", around(first + found.length - 1, 1)]]);
  }

  function line(tag, parts) {
    const element = document.createElement(tag);
    for (const [name, text] of parts) {
      const part = document.createElement(name);
      part.textContent = text;
      element.append(part);
    }
    return element;
  }

  /** The card, on the side where what is pointed at is not. */
  function say(title, lines, place, side) {
    card.classList.toggle("left", side === "left");
    const box = card.querySelector("div");
    const list = document.createElement("ul");
    list.append(...lines.slice(0, 6));
    if (lines.length > 6) list.append(line("li", [["span", `and ${lines.length - 6} more`]]));
    box.replaceChildren(title, list);
    go.hidden = !place;
    go.onclick = () => {
      openAround(place);
      place.scrollIntoView({ block: "center" });
      place.focus({ preventScroll: true });
    };
    card.hidden = false;
  }

  function mark(fact) {
    light(fact.element, "active");
    if (fact.button) fact.button.setAttribute("aria-pressed", String(pinned));
    for (const element of others.get(fact.pointer) || []) light(element, "active");
  }

  /** Show what a fact was read from. */
  function showFact(fact, quietly) {
    clear();
    mark(fact);
    const places = [];
    for (const [start, end] of fact.spans) {
      const found = over(start, end);
      if (found.length) places.push(found[0].element);
      for (const stretch of found) light(stretch.element, "lit");
    }
    const title = line("p", [["b", `${fact.label}: `], ["bdi", fact.shown]]);
    const quotes = fact.spans.map(([start, end]) => quote(start, end));
    if (!quotes.length) quotes.push(line("li", [["span", fact.element.classList.contains("absent") ? "The text does not state it." : "It follows from other facts."]]));
    say(title, quotes, places[0], quietly ? "right" : "left");
    reveal(places[0], byId("text-scroll"));
    if (quietly) reveal(fact.element, byId("facts-scroll"));
  }

  /** Show which facts rest on a stretch. */
  function showStretch(stretch) {
    clear();
    light(stretch.element, "lit");
    light(stretch.element, "here");
    for (const fact of stretch.facts) mark(fact);
    if (stretch.facts.length) {
      for (const [start, end] of stretch.facts[0].spans) {
        if (start <= stretch.start && stretch.end <= end) for (const other of over(start, end)) light(other.element, "lit");
      }
    }
    const title = line("p", [["q", stretch.element.textContent.trim()], ["span", stretch.element.title ? ` · ${stretch.element.title}` : ""]]);
    const lines = stretch.facts.map((fact) => line("li", [["b", `${fact.label}: `], ["bdi", fact.shown]]));
    const first = stretch.facts[0];
    say(title, lines, first && first.button, "right");
    if (first) reveal(first.element.closest("details:not([open])") || first.element, byId("facts-scroll"));
  }

  function showFor(pointer) {
    const fact = facts.get(pointer);
    if (fact) showFact(fact, true);
  }

  function show(target) {
    const element = target.closest("#facts .fact, #narrative mark, [data-for]");
    if (!element) return false;
    if (element.matches(".fact")) showFact(facts.get(element.dataset.fact));
    else if (element.matches("mark")) showStretch(stretchOf.get(element));
    else showFor(element.getAttribute("data-for"));
    return true;
  }

  let waiting = 0;
  document.addEventListener("mouseover", (event) => {
    clearTimeout(waiting);
    if (!pinned) waiting = setTimeout(() => pinned || show(event.target), 60);
  });
  document.addEventListener("mouseout", (event) => {
    clearTimeout(waiting);
    if (!pinned && event.target.closest("#facts .fact, #narrative mark, [data-for]") && !card.contains(event.relatedTarget)) clear();
  });
  document.addEventListener("focusin", (event) => {
    if (event.target.closest("#facts button.value, #narrative mark, a[data-for]") && event.target.matches(":focus-visible")) {
      pinned = false;
      show(event.target);
    }
  });
  document.addEventListener("click", (event) => {
    const element = event.target.closest("#facts button.value, #narrative mark, [data-for]");
    if (!element) return;
    if (element.matches("a[data-for]")) openAround((facts.get(element.getAttribute("data-for")) || {}).element);
    if (pinned && element === chosen && !element.matches("a") && !go.hidden) {
      go.click(); // the same once more: go there
      return;
    }
    pinned = true;
    chosen = element;
    show(element);
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") release();
  });
  card.querySelector(".close").addEventListener("click", release);

  function release() {
    pinned = false;
    clear();
  }

  /** What one is led to may lie in a closed part. */
  function openAround(element) {
    const closed = element && element.closest("details");
    if (closed) closed.open = true;
  }

  // --- keyboard in the narrative: one stop for Tab, arrows from word to word ----------------------------------------

  const marks = stretches.filter((stretch) => stretch.element.matches("mark:not(.plain)") && stretch.element.textContent.trim()).map((stretch) => stretch.element);
  marks.forEach((element, i) => {
    element.setAttribute("role", "button");
    element.tabIndex = i === 0 ? 0 : -1;
  });
  if (narrative) {
    narrative.addEventListener("keydown", (event) => {
      const at = marks.indexOf(event.target);
      if (at < 0) return;
      const to = { ArrowRight: at + 1, ArrowDown: at + 1, ArrowLeft: at - 1, ArrowUp: at - 1, Home: 0, End: marks.length - 1 }[event.key];
      if (to !== undefined) {
        event.preventDefault();
        const next = marks[Math.min(Math.max(to, 0), marks.length - 1)];
        event.target.tabIndex = -1;
        next.tabIndex = 0;
        next.focus({ preventScroll: true });
        const pane = byId("text-scroll");
        if (pane.scrollHeight > pane.clientHeight + 1) reveal(next, pane);
        else next.scrollIntoView({ block: "nearest" });
      } else if (event.key === "Enter" || event.key === " ") {
        event.preventDefault();
        event.target.click();
      }
    });
  }
  for (const button of document.querySelectorAll(".legend [data-toggle]")) {
    button.addEventListener("click", () => {
      const off = narrative.classList.toggle(`off-${button.dataset.toggle}`);
      button.setAttribute("aria-pressed", String(!off));
    });
  }

  // --- resources ---------------------------------------------------------------------------------------------------

  let unpacked = null;

  async function unpack() {
    const packed = Uint8Array.from(atob(byId("fhir-data").content.textContent.trim()), (letter) => letter.charCodeAt(0));
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
    return JSON.parse(await new Response(stream).text());
  }

  /**
   * JSON with line breaks; the tokens stay as they are, so that no number changes. An evidence, of which there are many
   * and which the page shows in its own way, keeps to one line.
   */
  function indented(json) {
    let depth = 0;
    const margin = () => `\n${"  ".repeat(depth)}`;
    return json.replace(/\{"url":"[^"]*\/derivation-reference","extension":\[\{[^\]]*\]\}|"(?:[^"\\]|\\.)*"|\{\}|\[\]|[{}[\],:]/g, (token) => {
      if (token === "{" || token === "[") { depth++; return token + margin(); }
      if (token === "}" || token === "]") { depth--; return margin() + token; }
      return token === "," ? token + margin() : token === ":" ? ": " : token;
    });
  }

  async function fill(details) {
    const pre = details.querySelector("pre");
    if (pre.textContent) return;
    try {
      unpacked = unpacked || unpack();
      pre.textContent = indented((await unpacked)[details.dataset.version][Number(details.dataset.index)]);
    } catch (error) {
      pre.textContent = "This browser cannot unpack the resources; they are in the folder fhir of the dataset.";
    }
  }

  for (const details of document.querySelectorAll("details.resource")) {
    details.addEventListener("toggle", () => { if (details.open) fill(details); });
    const button = details.querySelector(".copy");
    button.addEventListener("click", async () => {
      await fill(details);
      const pre = details.querySelector("pre");
      const selection = getSelection();
      let copied = true;
      try {
        await navigator.clipboard.writeText(pre.textContent);
      } catch (error) {
        selection.selectAllChildren(pre);
        copied = document.execCommand("copy");
      }
      button.textContent = copied ? "Copied" : "Press Ctrl+C";
      setTimeout(() => { button.textContent = "Copy"; }, 2000);
    });
  }

  // --- for other scripts -------------------------------------------------------------------------------------------

  /** Code points of the text before a place in the page; null outside the narrative. */
  function offset(node, at) {
    const element = (node.nodeType === Node.TEXT_NODE ? node.parentElement : node).closest("#narrative [data-start]");
    const stretch = element && stretchOf.get(element);
    if (!stretch) return null;
    if (element.matches(".hidden-character")) return at > 0 ? stretch.end : stretch.start;
    const before = node.nodeType === Node.TEXT_NODE ? node.data.slice(0, at) : at > 0 ? element.textContent : "";
    return stretch.start + [...before].length;
  }

  window.case2fhirReview = {
    facts: () => [...facts.keys()],
    show: showFor,
    selection() {
      const selection = getSelection();
      if (!selection.rangeCount || selection.isCollapsed) return null;
      const range = selection.getRangeAt(0);
      const start = offset(range.startContainer, range.startOffset);
      const end = offset(range.endContainer, range.endOffset);
      return start === null || end === null || start >= end ? null : [start, end];
    },
  };

  // Where the picture does not fit, its words do.
  const story = document.querySelector(".story");
  if (story && window.matchMedia("(max-width: 560px)").matches) story.open = true;

  const back = byId("back");
  try {
    const list = sessionStorage.getItem("case2fhir-list");
    if (list) back.href += list;
  } catch (error) { /* a browser that keeps nothing for files: the list opens without its filters */ }
})();
