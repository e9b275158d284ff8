"use strict";
// Narrows a board (models x metrics) down: search, tag, baseline, mark, columns, detail.
// What is chosen stands in the hash; the keys are find, tag, base, mark, view, and
// more and less (repeated): columns added to those that the page shows, and taken away.
(function () {
  const { el, state, load, number, say } = window.harness;
  const tools = document.getElementById("tools");
  const board = tools && document.getElementById(tools.dataset.for);
  if (!board) return;

  const part = (id) => document.getElementById(id);
  const find = part("find"), tag = part("tag"), base = part("base"), mark = part("badge");
  const menu = part("columns"), shown = part("shown");
  const rows = [...board.tBodies[0].rows];
  const head = board.tHead.rows[0];
  const leading = [...head.cells].filter((th) => !th.dataset.first).length; // model, mean rank
  const tagsOf = (node) => (node.dataset.tags ? node.dataset.tags.split("\t") : []);
  const MARKS = {
    lora: "LoRA", quant: "quantized", baseline: "a baseline", judge: "scored by a judge",
    kin: "judge of the same family", stale: "stale", partial: "incomplete", checkpoint: "checkpoint",
  };

  let columns = [...head.cells].slice(leading).map(described);
  const usual = columns.map((column) => column.id);
  let more = null; // all columns, once data/board.js is there
  const texts = new Map(rows.map((row) => [row, row.cells[0].textContent.toLowerCase()]));
  const marks = new Map(
    rows.map((row) => [row, [...row.querySelectorAll(".badge")].map((badge) => badge.classList[1])]),
  );

  function nameOf(row) {
    return row.cells[0].querySelector("bdi").textContent;
  }

  function described(th) {
    const task = th.querySelector(".task");
    return {
      id: th.dataset.id,
      th,
      task: task ? task.textContent : "",
      label: th.querySelector("[data-label]").textContent,
      text: th.textContent.toLowerCase(),
    };
  }

  // ------------------------------------------------------------------ choices

  function options(select, values) {
    if (!values.length) select.closest(".field").hidden = true;
    for (const [value, text] of values) select.append(el("option", { value }, text));
  }

  function fill() {
    const bases = [...new Set(rows.map((row) => row.dataset.base).filter(Boolean))].sort();
    options(base, bases.map((name) => [name, name]));
    const known = Object.keys(MARKS).filter((kind) =>
      rows.some((row) => marks.get(row).includes(kind)),
    );
    options(mark, known.map((kind) => [kind, MARKS[kind]]));
  }

  function fillMenu() {
    const sheet = menu.querySelector(".sheet");
    const groups = new Map();
    for (const column of more || columns) {
      const name = column.task || "Metrics";
      if (!groups.has(name)) groups.set(name, []);
      groups.get(name).push(column);
    }
    const chosen = new Set(chosenColumns());
    sheet.replaceChildren(
      el(
        "p",
        { class: "row" },
        el("button", { type: "button", onclick: () => choose((more || columns).map((c) => c.id)) }, "All"),
        el("button", { type: "button", onclick: () => choose([]) }, "None"),
        el("button", { type: "button", onclick: () => choose(usual) }, "As at first"),
      ),
      ...[...groups].map(([name, group]) =>
        el(
          "fieldset",
          {},
          el("legend", {}, name),
          group.map((column) =>
            el(
              "label",
              { class: "check" },
              el("input", {
                type: "checkbox",
                value: column.id,
                checked: chosen.has(column.id),
                onchange: ticked,
              }),
              el("span", {}, column.label),
            ),
          ),
        ),
      ),
    );
  }

  function ticked() {
    choose([...menu.querySelectorAll("input:checked")].map((box) => box.value));
  }

  function choose(ids) {
    state.set({
      more: ids.filter((id) => !usual.includes(id)),
      less: usual.filter((id) => !ids.includes(id)),
    });
    for (const box of menu.querySelectorAll("input")) box.checked = ids.includes(box.value);
    show();
  }

  function chosenColumns() {
    const less = state.all("less");
    return usual.filter((id) => !less.includes(id)).concat(state.all("more"));
  }

  // ------------------------------------------------------------------ further columns

  /** Columns that the page does not print are built from data/board.js. */
  async function loadMore() {
    if (more || !tools.dataset.more) return;
    const data = await load(tools.dataset.more, "board");
    if (more) return;
    more = data.columns.map((column) => ({
      ...column,
      task: [column.task_label, column.variant].filter(Boolean).join(" · "),
    }));
    const cells = new Map(
      data.cells.map((cell) => [JSON.stringify([cell.task, cell.variant, cell.model]), cell]),
    );
    const names = new Map(data.models.map((model) => [model.id, model.name]));
    data.columns.forEach((column, at) => (more[at].cellOf = (model) => {
      for (const key of [model, names.get(model)]) {
        const cell = cells.get(JSON.stringify([column.task, column.variant, key]));
        if (cell && Object.hasOwn(cell.metrics, column.metric)) return cell.metrics[column.metric];
      }
      return null;
    }));
  }

  function addColumn(column) {
    const better = column.neutral ? "" : column.higher ? "higher is better" : "lower is better";
    const th = el(
      "th",
      { scope: "col", dataset: { id: column.id, first: column.higher ? "down" : "up" } },
      column.href
        ? el("a", { class: "task", href: column.href }, column.task)
        : el("span", { class: "task" }, column.task),
      el("span", { dataset: { label: "" } }, column.label),
      el("small", {}, better),
    );
    if (column.note) th.dataset.note = column.note;
    head.append(th);
    const found = rows.map((row) => column.cellOf(row.dataset.id));
    const ends = found.flatMap((each) => each || []).length
      ? found.filter(Boolean).flatMap(([value, low, high]) => [value, low, high]).filter((x) => x !== null)
      : [];
    const low = Math.min(...ends), high = Math.max(...ends);
    rows.forEach((row, at) => row.append(extraCell(found[at], low, high)));
    columns.push(described(th));
  }

  function extraCell(found, least, most) {
    if (!found) return el("td", { dataset: { v: "" }, class: "gap" }, "not run");
    const [value, low, high, n, failed] = found;
    const share = (x) => String((x - least) / (most - least));
    const between = low !== null && high !== null;
    return el(
      "td",
      { dataset: { v: value === null ? "" : value } },
      el("b", {}, number(value)),
      between && [" ", el("i", {}, `[${number(low)}, ${number(high)}]`)],
      between && most > least && value !== null &&
        el("span", {
          class: "whisker",
          style: { "--a": share(low), "--b": share(high), "--v": share(value) },
        }),
      el("small", {}, `n ${n} `, failed ? el("b", { class: "failed" }, `${failed} failed`) : null),
    );
  }

  // ------------------------------------------------------------------ showing

  function matches(text, node) {
    return text.includes(find.value.trim().toLowerCase());
  }

  /** Rows and columns that the search means: of each only if one of them fits. */
  function searched() {
    if (!find.value.trim()) return { rows: null, columns: null };
    const found = rows.filter((row) => matches(texts.get(row)));
    const across = columns.filter((column) => matches(column.text));
    if (found.length) return { rows: new Set(found), columns: null };
    return across.length ? { rows: null, columns: new Set(across) } : { rows: new Set(), columns: null };
  }

  function show() {
    const ids = new Set(chosenColumns());
    if (more) {
      const missing = more.filter((c) => ids.has(c.id) && !columns.some((each) => each.id === c.id));
      missing.forEach(addColumn);
      if (missing.length) board.harness.dress();
    }
    const wanted = tag ? tag.value : "";
    const tagged = wanted && columns.some((column) => tagsOf(column.th).includes(wanted));
    const marked = wanted && rows.some((row) => tagsOf(row).includes(wanted));
    const search = searched();
    let across = 0, down = 0;
    for (const column of columns) {
      const on =
        ids.has(column.id) &&
        (!tagged || tagsOf(column.th).includes(wanted)) &&
        (!search.columns || search.columns.has(column));
      across += on;
      const at = column.th.cellIndex;
      if (column.th.hidden === !on) continue;
      column.th.hidden = !on;
      for (const row of rows) row.cells[at].hidden = !on;
    }
    for (const row of rows) {
      const on =
        (!search.rows || search.rows.has(row)) &&
        (!marked || tagged || tagsOf(row).includes(wanted)) &&
        (!base.value || row.dataset.base === base.value || nameOf(row) === base.value) &&
        (!mark.value || marks.get(row).includes(mark.value));
      row.hidden = !on;
      down += on;
    }
    const all = down === rows.length && across === usual.length;
    const text = `${down} of ${rows.length} models, ${across} ${across === 1 ? "column" : "columns"}`;
    shown.textContent = all ? `${rows.length} models` : text;
    return text;
  }

  function changed() {
    state.set({
      find: find.value.trim() || null,
      tag: tag ? tag.value : null,
      base: base.value,
      mark: mark.value,
    });
    say(show());
  }

  function view(name) {
    board.classList.toggle("compact", name === "compact");
    for (const button of tools.querySelectorAll("[data-view]")) {
      button.setAttribute("aria-pressed", String(button.dataset.view === name));
    }
  }

  async function restore() {
    find.value = state.get("find") || "";
    for (const [select, key] of [[tag, "tag"], [base, "base"], [mark, "mark"]]) {
      if (!select) continue;
      const value = state.get(key) || "";
      select.value = [...select.options].some((option) => option.value === value) ? value : "";
    }
    view(state.get("view") === "compact" ? "compact" : "");
    show();
    if (chosenColumns().some((id) => !columns.some((c) => c.id === id))) {
      try {
        await loadMore();
        show();
        board.harness.restore();
      } catch (error) {
        shown.textContent = error.message;
      }
    }
  }

  function reset() {
    state.set({ find: null, tag: null, base: null, mark: null, view: null, sort: null });
    state.set({ more: null, less: null });
    restore();
    board.harness.restore();
    say("Everything is shown again");
  }

  async function opened() {
    if (!menu.open) return;
    try {
      await loadMore();
    } catch (error) {
      shown.textContent = error.message; // the columns of the page can still be chosen
    }
    fillMenu();
    menu.querySelector(".sheet").scrollIntoView({ block: "nearest" });
  }

  fill();
  find.addEventListener("input", changed);
  for (const select of [tag, base, mark]) if (select) select.addEventListener("change", changed);
  menu.addEventListener("toggle", opened);
  part("reset").addEventListener("click", reset);
  for (const button of tools.querySelectorAll("[data-view]")) {
    button.addEventListener("click", () => {
      view(button.dataset.view);
      state.set({ view: button.dataset.view });
    });
  }
  state.listen(restore);
  restore();
})();
