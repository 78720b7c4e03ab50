"use strict";
(() => {
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const say = (text) => { document.getElementById("status").textContent = text; };

  function pressable(cell, act) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...cell.childNodes);
    cell.append(button);
    button.addEventListener("click", act);
    return button;
  }

  // Sorting: within each group, since a control does not compete with a method.
  function key(row, index, kind) {
    const cell = row.cells[index];
    if (kind === "text") {
      return (cell.querySelector(".name") || cell).textContent.trim();
    }
    return cell.dataset.key === undefined ? null : Number(cell.dataset.key);
  }

  function compared(a, b, sign) {
    if (a === null || b === null) {
      return (a === null) - (b === null); // what is missing is last in either direction
    }
    const order = typeof a === "string" ? a.localeCompare(b, "en", { numeric: true }) : a - b;
    return sign * order;
  }

  function sort(head) {
    const table = head.closest("table");
    const kind = head.dataset.sort;
    const first = kind === "most" ? "descending" : "ascending";
    const other = first === "ascending" ? "descending" : "ascending";
    const direction = head.getAttribute("aria-sort") === first ? other : first;
    all("thead [aria-sort]", table).forEach((each) => each.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", direction);
    const sign = direction === "ascending" ? 1 : -1;
    for (const body of table.tBodies) {
      const rows = all("tr.entry", body).map((row) => [row, row.nextElementSibling]);
      rows.sort(([a], [b]) => compared(key(a, head.cellIndex, kind), key(b, head.cellIndex, kind), sign));
      body.append(...rows.flat());
    }
    const best = direction === "ascending" ? "best first" : "best last";
    const title = head.querySelector("button").firstChild.textContent.trim().replace("\u00a0†", "");
    say(`Sorted by ${title}, ${kind === "best" ? best : direction}.`);
  }

  // One row's settings, command and figures.
  function toggle(button, more) {
    const open = button.getAttribute("aria-expanded") !== "true";
    button.setAttribute("aria-expanded", String(open));
    more.classList.toggle("open", open);
    more.querySelector("details").open = open;
  }

  function discloses(row) {
    const more = document.getElementById(`${row.id}-more`);
    const name = row.querySelector(".name");
    const button = pressable(name, () => toggle(button, more));
    button.setAttribute("aria-expanded", "false");
    button.setAttribute("aria-controls", more.id);
  }

  // Filters.
  const chosen = (name) => document.getElementById(`filter-${name}`).value;

  function filterRows(section, needs) {
    for (const row of all("tr.entry", section)) {
      const reads = row.dataset.reads;
      row.hidden = Boolean(needs) && reads !== "always" && reads !== needs;
      row.nextElementSibling.hidden = row.hidden;
      const number = row.id.split("-row-")[1];
      all(`.point[data-number="${number}"]`, section).forEach((mark) => {
        mark.classList.toggle("filtered", row.hidden);
      });
    }
    for (const body of all("tbody", section)) {
      const group = body.querySelector(":scope > .group");
      if (group) {
        group.hidden = !body.querySelector(":scope > .entry:not([hidden])");
      }
    }
  }

  function filter() {
    const [board, scope, needs] = ["board", "scope", "needs"].map(chosen);
    const sections = all("main > section");
    for (const section of sections) {
      const other = (board && section.dataset.board !== board) || (scope && section.dataset.scope !== scope);
      section.hidden = Boolean(other);
      filterRows(section, needs);
    }
    const shown = sections.filter((section) => !section.hidden);
    const rows = shown.flatMap((section) => all("tr.entry:not([hidden])", section)).length;
    const kept = needs ? " Controls, reference models and the paper’s rows always stay." : "";
    say(`${shown.length} of ${sections.length} boards, ${rows} rows.${kept}`);
  }

  document.documentElement.classList.add("js");
  all(".scroll > table > thead .title").forEach((title) => {
    const head = title.closest("th");
    pressable(title, () => sort(head));
  });
  all("tr.entry").forEach(discloses);
  const form = document.getElementById("filters");
  form.hidden = false;
  form.addEventListener("change", filter);
  form.addEventListener("submit", (event) => event.preventDefault());
  // The fields have their first values only after the event.
  form.addEventListener("reset", () => setTimeout(filter));
  filter();
})();
