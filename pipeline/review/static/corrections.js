// Corrections, on served pages only: what a reviewer says of a fact is sent to the server that sent the page.
// What the page promises is said in pipeline/review/__init__.py; what the server answers, in pipeline/review/desk.py.
// Report text is untrusted: it is only ever set as textContent.
"use strict";
(() => {
  const body = document.body;
  if (!body.classList.contains("case")) return;
  const script = document.currentScript;
  const dataset = new URL(script.src).search.slice(1);
  const about = { report: body.dataset.reportId, case: body.dataset.caseId };
  const facts = new Map([...document.querySelectorAll("#facts .fact[data-fact]")].map((element) => [element.dataset.fact, element]));
  let state = null;
  let selected = null;

  const style = make("link", { rel: "stylesheet", href: "/corrections.css" });
  document.head.append(style);

  /** An element with attributes and children; strings become text. */
  function make(tag, attributes = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (value === true) element.setAttribute(name, "");
      else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
    }
    element.append(...children.filter((child) => child !== null && child !== undefined));
    return element;
  }

  const plain = (value) => String(value).replaceAll("_", " ");

  // --- talking to the server ---------------------------------------------------------------------------------------

  async function ask(path, options) {
    let answer;
    let document_;
    try {
      answer = await fetch(path, { credentials: "same-origin", ...options });
      document_ = await answer.json();
    } catch {
      throw new Error("The server does not answer: is `case2fhir review --serve` still running?");
    }
    if (!answer.ok) {
      const error = new Error(document_.error || `The server says ${answer.status}.`);
      error.stale = document_.stale;
      throw error;
    }
    return document_;
  }

  async function send(request) {
    const by = reviewer.value.trim();
    if (!by) {
      reviewer.focus();
      throw new Error("Say who you are first.");
    }
    const headers = { "Content-Type": "application/json", "X-Dataset": dataset };
    show(await ask("/api/corrections", { method: "POST", headers, body: JSON.stringify({ ...about, by, ...request }) }));
  }

  // --- the panel below the header ----------------------------------------------------------------------------------

  const reviewer = make("input", { id: "reviewer", autocomplete: "name", maxlength: "200", required: true });
  const addButton = make("button", { type: "button", id: "add-fact" }, "Add a fact…");
  const undoButton = make("button", { type: "button", id: "undo-last", disabled: true }, "Undo last");
  const status = make("p", { class: "status", role: "status" });
  const list = make("ol", { "aria-label": "Corrections of this case" });
  const count = make("summary");
  const folded = make("details", { hidden: true }, count, list);
  const panel = make(
    "section", { class: "corrections", "aria-labelledby": "corrections-title" },
    make("h2", { id: "corrections-title" }, "Corrections"),
    make("div", { class: "tools-row" }, make("label", {}, "Reviewer", reviewer), addButton, undoButton),
    status, folded,
  );
  (document.getElementById("checks") || document.getElementById("case-header")).after(panel);
  try { reviewer.value = localStorage.getItem("case2fhir-reviewer") || ""; } catch { /* not allowed: asked each time */ }
  reviewer.addEventListener("change", () => {
    try { localStorage.setItem("case2fhir-reviewer", reviewer.value.trim()); } catch { /* see above */ }
  });

  /** Say it below the buttons; `message` is a text, or texts and elements. */
  function tell(message, isError = false) {
    status.replaceChildren(...[message].flat());
    status.classList.toggle("error", isError);
  }

  const STATUS = {
    applied: "applied", text_changed: "not applied: the text of the report has changed",
    fact_missing: "not applied: no such fact is read there any more", ambiguous: "not applied: several facts are read there",
    conflicting: "not applied: another correction rules it out", case_withheld: "applied, and a check withholds the case", case_missing: "not applied: there is no such case any more",
    report_missing: "not applied: the report is not in the dataset",
  };

  const FEW = 3; // are shown unfolded, and so is what is pending or went wrong
  const WORDS = { unit: { a: "years", mo: "months", wk: "weeks", d: "days" } };
  const EXAMPLES = { time_to_onset: "P5W", duration: "P5W", start: "P2M or 2024-05-01", per: "d or 12.h", unit: "mg" };

  function standing(one) {
    if (one.undone) return "undone; gone with the next run";
    if (one.lost) return "no longer applies: the correction that made this fact was undone";
    if (one.pending && one.status === "applied") return "stored; applied by the next run";
    if (state.withheld && one.status === "applied") return STATUS.case_withheld;
    return STATUS[one.status] || one.status;
  }

  function show(answer) {
    state = answer;
    if (!reviewer.value) reviewer.value = answer.reviewer || "";
    for (const element of document.querySelectorAll(".corrected-note")) element.remove();
    list.replaceChildren();
    for (const one of answer.corrections) {
      const undo = make("button", { type: "button", "data-undo": one.id, "aria-label": `Undo: ${one.words}` }, "Undo");
      undo.addEventListener("click", () => withdraw([one.id]));
      const why = one.why ? make("span", { class: "note" }, make("bdi", {}, one.why)) : null;
      const said = make("span", { class: "said" }, make("bdi", {}, one.words), why);
      const who = make("span", { class: "note" }, make("bdi", {}, one.by), ` · ${one.at.replace("T", " ").replace("Z", " UTC")} · ${standing(one)}`);
      list.append(make("li", { class: one.undone ? "undone" : "", "data-correction": one.id }, said, who, one.undone ? null : undo));
      note(one);
    }
    const pending = answer.corrections.filter((one) => one.pending).length;
    const lost = answer.corrections.filter((one) => one.lost).length;
    folded.hidden = !answer.corrections.length;
    const trouble = answer.withheld || lost > 0 || answer.corrections.some((one) => one.status !== "applied");
    folded.open = folded.open || pending > 0 || trouble || answer.corrections.length <= FEW;
    count.textContent = answer.corrections.length === 1 ? "1 correction" : `${answer.corrections.length} corrections`;
    undoButton.disabled = !answer.corrections.some((one) => !one.undone);
    const parts = [];
    const stored = make("code", {}, answer.file);
    if (pending) parts.push(`${pending} not in the dataset yet. They are stored in `, stored, " and applied by ", make("code", {}, answer.run), "; then load this page again.");
    else if (answer.withheld) parts.push("A check withholds this case: correct what it names, or undo the correction that brought it about, and run again.");
    else if (trouble) parts.push("Not all of them are in the dataset: see below.");
    else if (answer.corrections.length) parts.push("All of them are in the dataset, and stored in ", stored, ".");
    else parts.push("None yet. They will be stored in ", stored, ".");
    if (lost) parts.push(` ${lost} no longer ${lost === 1 ? "applies" : "apply"}, since the fact was made by a correction that is undone: undo ${lost === 1 ? "it" : "them"}, too.`);
    tell(parts);
  }

  /** What was corrected of a fact, below it. */
  function note(one) {
    const row = one.pointer && nearest(one.pointer);
    if (!row || one.undone && !one.pending) return;
    const kind = one.lost ? "failed" : one.pending ? "pending" : one.status === "applied" ? "" : "failed";
    const holder = row.querySelector("dd") || row.lastElementChild;
    holder.append(make("span", { class: `corrected-note ${kind}` }, make("bdi", {}, one.words), ` – ${one.by}; ${standing(one)}`));
  }

  /** The row of a pointer, or of the fact that it is a field of. */
  function nearest(pointer) {
    for (let at = pointer; at; at = at.slice(0, Math.max(at.lastIndexOf("/"), 0))) if (facts.has(at)) return facts.get(at);
    return null;
  }

  async function withdraw(ids) {
    try {
      await send({ undo: ids });
      tell(["Undone. ", ...status.childNodes]);
      (document.querySelector("[data-undo]") || addButton).focus();
    } catch (error) {
      tell(error.message, true);
    }
  }

  undoButton.addEventListener("click", () => {
    const last = state.corrections.filter((one) => !one.undone).at(-1);
    if (last) withdraw([last.id]);
  });

  // --- words chosen in the narrative --------------------------------------------------------------------------------

  document.addEventListener("selectionchange", () => {
    const found = window.case2fhirReview && window.case2fhirReview.selection();
    const busy = document.querySelector("dialog[open]") || panel.contains(document.activeElement) || document.activeElement.closest(".correct-button");
    if (found) selected = { places: [found], words: String(document.getSelection()), drawn: true };
    else if (selected && selected.drawn && !busy) selected = null;
  });

  // Without a mouse: the marked words that the arrow keys went to last.
  document.addEventListener("focusin", (event) => {
    const mark = event.target.closest("#narrative mark[data-start]");
    if (!mark) return;
    const all = [...document.querySelectorAll("#narrative [data-start]")];
    const next = all[all.indexOf(mark) + 1];
    const end = Number(next ? next.dataset.start : document.getElementById("narrative").dataset.length);
    selected = { places: [[Number(mark.dataset.start), end]], words: mark.textContent, drawn: false };
  });

  const LONGEST = 200; // characters of a name, at most (pipeline/corrections/fields.py)
  const chosen = () => selected.words.replace(/\s+/g, " ").trim();

  /** The chosen words where they are only shown. */
  function quoted() {
    return chosen().length > 80 ? `${chosen().slice(0, 80)}…` : chosen();
  }

  /** The chosen words as a name to begin with; none where they are too long for one. */
  function suggested() {
    return selected && chosen().length <= LONGEST ? chosen() : null;
  }

  // --- the dialog ---------------------------------------------------------------------------------------------------

  let dialog = null;

  /** A modal dialog with a form; `submit` gets the name of the button that was pressed, and returns a request. */
  function open(title, parts, buttons, submit, from) {
    const error = make("p", { class: "error", role: "alert" });
    const why = make("textarea", { rows: "2", maxlength: "2000", name: "why" });
    const row = make("div", { class: "row" });
    for (const [name, label, primary] of buttons) row.append(make("button", { type: "submit", value: name, class: primary ? "primary" : null }, label));
    const cancel = make("button", { type: "button" }, "Cancel");
    row.append(cancel);
    const form = make("form", { method: "dialog", novalidate: true }, ...parts, make("label", {}, "Why (optional)", why), error, row);
    const heading = make("h2", { id: "correct-title" }, make("bdi", {}, title));
    dialog = make("dialog", { class: "correct-dialog", "aria-labelledby": "correct-title" }, heading, form);
    cancel.addEventListener("click", () => dialog.close());
    dialog.addEventListener("close", () => {
      dialog.remove();
      if (from.isConnected) from.focus();
    });
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const pressed = event.submitter ? event.submitter.value : buttons[0][0];
      try {
        const wishes = submit(pressed);
        if (!wishes.length) throw new Error("Nothing was changed.");
        await send({ wishes, why: why.value });
        dialog.close();
      } catch (problem) {
        error.textContent = problem.message + (problem.stale ? " Load the page again." : "");
      }
    });
    document.body.append(dialog);
    dialog.showModal();
    const first = form.querySelector("select, input, button");
    if (first) first.focus();
  }

  /** The control of a field, and how its value is read. */
  function control(field) {
    const label = plain(field.name);
    const value = field.value;
    if (field.type === "choices") {
      const boxes = field.choices.map((one) => make("input", { type: "checkbox", value: one, checked: (value || []).includes(one) }));
      const part = make("fieldset", {}, make("legend", {}, label), ...boxes.map((box) => make("label", { class: "check" }, box, plain(box.value))));
      return { field, part, read: () => boxes.filter((box) => box.checked).map((box) => box.value) };
    }
    let input;
    if (field.type === "choice" || field.type === "flag") {
      const options = field.type === "flag" ? ["true", "false"] : field.choices;
      input = make("select", { name: field.name });
      if (!options.includes(String(value)) || !field.required && !options.includes("unknown")) input.append(make("option", { value: "" }, "not stated"));
      for (const one of options) input.append(make("option", { value: one, selected: String(value) === one }, field.type === "flag" ? (one === "true" ? "yes" : "no") : (WORDS[field.name] || {})[one] || plain(one)));
    } else {
      input = make("input", { name: field.name, value: value === null || value === undefined ? "" : value, maxlength: LONGEST, placeholder: EXAMPLES[field.name], inputmode: field.type === "text" ? null : "decimal" });
    }
    const read = () => {
      const text = input.value.trim();
      if (text === "") return null;
      if (field.type === "flag") return text === "true";
      if (field.type === "number" || field.type === "whole") {
        if (!Number.isFinite(Number(text))) throw new Error(`${label} is a number.`);
        return Number(text);
      }
      return text;
    };
    return { field, part: make("label", {}, label, input), read };
  }

  const same = (a, b) => JSON.stringify(a ?? null) === JSON.stringify(b ?? null);

  /** Wishes for what was changed in the controls of a fact. */
  function changes(pointer, controls, places) {
    const wishes = [];
    for (const { field, read } of controls) {
      const value = read();
      if (same(value, field.value)) continue;
      const wish = value === null ? { do: "reject", pointer } : { do: "change", pointer, value, places };
      const named = pointer.endsWith(`/${field.name}`) ? {} : { field: field.name };
      wishes.push({ ...wish, ...named });
    }
    return wishes;
  }

  function evidenceBox() {
    if (!selected) return null;
    const box = make("input", { type: "checkbox", name: "evidence" });
    return { part: make("label", { class: "check" }, box, "It is read from the selected words: ", make("b", {}, make("bdi", {}, quoted()))), read: () => (box.checked ? selected.places : []) };
  }

  function choice(label, options) {
    const input = make("select", {}, make("option", { value: "" }, "–"), ...options.map((one) => make("option", { value: one.pointer }, one.name)));
    return { part: make("label", {}, label, input), input };
  }

  function correct(pointer, row, from) {
    const editor = state.editors[pointer];
    const label = `${row.dataset.label}: ${(row.querySelector(".value bdi") || row).textContent}`;
    if (editor.kind === "treatment") return treatments(pointer, editor, from);
    if (!editor.exists) return add(from, editor.kind);
    const controls = editor.fields.map(control);
    const evidence = evidenceBox();
    const parts = controls.map((one) => one.part);
    if (evidence && controls.length) parts.push(evidence.part);
    const whole = !/\/(role|action_taken|time_to_onset|outcome|seriousness|dechallenge|rechallenge|author_statement)$/.test(pointer);
    const list_ = pointer.startsWith("drugs/") ? state.drugs : state.reactions;
    const others = list_.filter((one) => one.pointer !== pointer);
    const mergeable = list_.some((one) => one.pointer === pointer) && others.length;
    const into = mergeable ? choice("The same as", others) : null;
    if (into) parts.push(into.part);
    const split = editor.kind === "reaction" && whole ? splitting(row) : null;
    if (split) parts.push(split.part);
    const buttons = [];
    if (controls.length || into || split) buttons.push(["save", "Save", true]);
    buttons.push(["accept", "Accept as it is"], ["reject", whole ? "Reject the fact" : "Not known"]);
    open(label, parts, buttons, (pressed) => {
      if (pressed !== "save") return [{ do: pressed, pointer }];
      if (into && into.input.value) return [{ do: "merge", pointer, into: into.input.value }];
      if (split && split.places().length) return [{ do: "split", pointer, places: split.places(), term: split.term() }];
      return changes(pointer, controls, evidence ? evidence.read() : []);
    }, from);
  }

  /** The places of a reaction, of which some may be another reaction. */
  function splitting(row) {
    const spans = (row.dataset.evidence || "").split(" ").filter(Boolean).map((span) => span.split("-").map(Number));
    if (spans.length < 2) return null;
    const boxes = spans.map((span) => [make("input", { type: "checkbox" }), span]);
    const term = make("input", { name: "term", maxlength: LONGEST });
    const part = make("details", {}, make("summary", {}, "Split: some of the words mean another reaction"),
      ...boxes.map(([box, span]) => make("label", { class: "check" }, box, make("bdi", {}, words(span)))), make("label", {}, "its term", term));
    return { part, term: () => term.value.trim(), places: () => boxes.filter(([box]) => box.checked).map(([, span]) => span) };
  }

  /** The words of a span: the stretches that begin in it. */
  function words([start, end]) {
    const inside = [...document.querySelectorAll("#narrative [data-start]")].filter((one) => Number(one.dataset.start) >= start && Number(one.dataset.start) < end);
    return inside.map((one) => one.textContent).join("").replace(/\s+/g, " ") || `${start}–${end}`;
  }

  function treatments(pointer, editor, from) {
    const reaction = pointer.slice(0, pointer.lastIndexOf("/"));
    const boxes = state.drugs.map((drug) => [make("input", { type: "checkbox", checked: editor.drugs.includes(drug.pointer) }), drug]);
    const part = make("fieldset", {}, make("legend", {}, "Given against the reaction"), ...boxes.map(([box, drug]) => make("label", { class: "check" }, box, make("bdi", {}, drug.name))));
    open("Treatments", [part], [["save", "Save", true]], () => boxes
      .filter(([box, drug]) => box.checked !== editor.drugs.includes(drug.pointer))
      .map(([box, drug]) => ({ do: box.checked ? "add" : "reject", kind: "treatment", drug: drug.pointer, reaction })), from);
  }

  const ADDABLE = ["drug", "reaction", "exposure", "indication", "history", "test", "age", "sex", "ethnicity", "assessment"];

  function add(from, only = null) {
    const kinds = only ? [only] : ADDABLE.filter((kind) => !(kind in { age: 1, sex: 1, ethnicity: 1 }) || !state.editors[`patient/${kind}`].exists);
    const kind = make("select", { name: "kind" }, ...kinds.map((one) => make("option", { value: one }, one === "assessment" ? "cause: drug and reaction" : one)));
    const place = make("p", { class: "help" }, selected ? make("span", {}, "Stands in the text as: ", make("b", {}, make("bdi", {}, quoted())))
      : "Select the words in the narrative first, then come back: a fact needs the words that state it.");
    const holder = make("div", { class: "fields" });
    let controls = [];
    let links = {};
    function fill() {
      controls = state.kinds[kind.value].map((field) => control({ ...field, value: field.name === "name" || field.name === "term" ? suggested() : field.name === "role" ? "concomitant" : null }));
      links = {};
      if (["exposure", "indication", "assessment"].includes(kind.value)) links.drug = choice("drug", state.drugs);
      if (kind.value === "assessment") links.reaction = choice("reaction", state.reactions);
      holder.replaceChildren(...Object.values(links).map((one) => one.part), ...controls.map((one) => one.part));
    }
    kind.addEventListener("change", fill);
    fill();
    open("Add a fact", [make("label", {}, "kind", kind), place, holder], [["save", "Add", true]], () => {
      if (!selected && kind.value !== "assessment") throw new Error("Select the words in the narrative first.");
      const wish = { do: "add", kind: kind.value, places: selected ? selected.places : [], values: {} };
      for (const [name, one] of Object.entries(links)) {
        if (!one.input.value) throw new Error(`Choose the ${name}.`);
        wish[name] = one.input.value;
      }
      for (const { field, read } of controls) {
        const value = read();
        if (value !== null && !(Array.isArray(value) && !value.length)) wish.values[field.name] = value;
      }
      return [wish];
    }, from);
  }

  addButton.addEventListener("click", () => { if (state) add(addButton); });

  // Coming back to the page after a run: it shows what was before.
  window.addEventListener("focus", async () => {
    try {
      if ((await ask("/api/dataset")).state !== dataset) tell("A run has replaced the dataset: load this page again to see it.", true);
    } catch { /* told when something is sent */ }
  });

  // --- begin --------------------------------------------------------------------------------------------------------

  ask(`/api/case?${new URLSearchParams(about)}`).then((answer) => {
    show(answer);
    for (const [pointer, row] of facts) {
      if (!(pointer in answer.editors)) continue;
      const button = make("button", { type: "button", class: "correct-button", "data-correct": pointer, "aria-label": `Correct ${row.dataset.label}: ${(row.querySelector(".value bdi") || row).textContent}` }, "correct");
      button.addEventListener("click", () => correct(pointer, row, button));
      (row.querySelector("dd") || row.lastElementChild).append(button);
    }
    body.classList.add("correctable");
  }).catch((error) => {
    addButton.disabled = true;
    tell(error.message, true);
  });
})();
