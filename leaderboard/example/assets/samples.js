// The page samples: all samples of a task with the scores of some models, and each of them.
"use strict";

(() => {
  if (document.body.dataset.page !== "samples") return;
  const { el, state, number } = harness;
  const explore = harness.explore;
  const { fill, fault, chooser, typed, manyOf, count } = explore;
  const FEW = 4; // models that are chosen at first: each costs a file of scores
  const tools = document.getElementById("choose");
  const found = document.getElementById("found");

  let all = null;
  let change = null;
  let list = null;

  // --------------------------------------------------------------------------- the state

  const places = () => {
    const seen = new Map();
    for (const cell of all.cells) seen.set(JSON.stringify([cell.task, cell.variant]), [cell.task, cell.variant]);
    return [...seen.values()];
  };

  /** What the state asks for, with what it leaves open filled in; throws where it asks for what
   * is not there. */
  function chosen() {
    const known = places();
    if (!known.length) throw new Error("No samples were published");
    const task = state.get("task") ?? known[0][0];
    const variants = known.filter((one) => one[0] === task).map((one) => one[1]);
    if (!variants.length) throw new explore.Absent(`There is no task “${task}” on this site`);
    const variant = variants.includes(state.get("variant") ?? "") ? state.get("variant") ?? "" : variants[0];
    const cells = all.cells.filter((c) => c.task === task && c.variant === variant);
    const order = (cell) => all.models.findIndex((m) => m.name === cell.model || m.id === cell.model);
    cells.sort((a, b) => order(a) - order(b));
    const ids = cells.map((cell) => idOf(cell.model));
    const asked = state.all("m").filter((m) => ids.includes(m));
    const picked = asked.length ? asked : ids.slice(0, FEW);
    const chosenCells = picked.map((id) => cells[ids.indexOf(id)]);
    const metrics = metricsOf(task, variant, chosenCells);
    const wanted = state.get("metric");
    const primary = all.tasks.find((one) => one.name === task)?.primary;
    const metric = [wanted, primary].find((key) => metrics.some((one) => one[0] === key)) ?? metrics[0]?.[0] ?? "";
    return { task, variant, variants, cells, ids, picked, chosenCells, metrics, metric };
  }

  const idOf = (model) => explore.modelOf(all, model)?.id ?? model;
  const nameOf = (model) => explore.modelOf(all, model)?.name ?? model;

  /** [metric, words], those of the board first, in its order. */
  function metricsOf(task, variant, cells) {
    const here = all.columns.filter((c) => c.task === task && c.variant === variant);
    const seen = new Map(here.map((column) => [column.metric, column.label || column.metric]));
    for (const cell of cells) {
      for (const metric of Object.keys(cell.metrics)) if (!seen.has(metric)) seen.set(metric, metric);
    }
    return [...seen];
  }

  function upwards({ task, variant, metric }) {
    const column = all.columns.find((c) => c.task === task && c.variant === variant && c.metric === metric);
    return column ? column.higher || column.neutral : true;
  }

  // ---------------------------------------------------------------------------- choosers

  function draw() {
    let now;
    try {
      now = chosen();
    } catch (error) {
      fill(found, fault(error));
      return;
    }
    drawTools(now);
    const order = () => ordered(now);
    const models = now.chosenCells.map((cell) => ({ name: nameOf(cell.model), cell, map: null }));
    const keys = ["sort", "best", "only", "q", "class", "said"].map((key) => state.get(key));
    const marks = [...(models.length > 1 ? [["first", models.length === 2 ? "each other" : models[0].name]] : []),
      ["reference", "the reference"], ["none", "nothing"]];
    const against = marks.some(([key]) => key === state.get("marks")) ? state.get("marks") : models.length === 2 ? "first" : "none";
    mapped(models).then(() => list.show({
      key: JSON.stringify([now.task, now.variant, now.picked, now.metric, keys]),
      models, metric: now.metric, order, against, marks,
      title: now.variant ? `${now.task} [${now.variant}]` : now.task,
      lines: (numbers) => lines(now, numbers),
      words: (n) => `${count(n)} of ${count(models[0].cell.n)} samples, ${sortWords(now)}`,
    }), (error) => fill(found, fault(error)));
  }

  async function mapped(models) {
    for (const model of models) model.map = await explore.mapping(models[0].cell, model.cell);
  }

  let opened = null;

  function drawTools(now) {
    const inside = tools.contains(document.activeElement) ? document.activeElement.closest("[data-tool]") : null;
    const tool = (name, node) => { node.dataset.tool = name; return node; };
    const fresh = { i: null, sample: null, page: null };
    const tasks = [...new Set(places().map((one) => one[0]))];
    const models = now.cells.map((cell, at) => ({ key: now.ids[at], text: nameOf(cell.model) }));
    const parts = [
      el("div", { class: "toolbar" },
        tool("task", chooser("Task", tasks.map((t) => [t, t]), now.task, (task) =>
          change({ ...fresh, task, variant: null, metric: null, class: null, said: null }, { push: true }))),
        now.variants.length > 1 ? tool("variant", chooser("Variant", now.variants.map((v) => [v, v || "(none)"]), now.variant,
          (variant) => change({ ...fresh, task: now.task, variant }, { push: true }))) : null,
        tool("metric", chooser("Metric", now.metrics, now.metric, (metric) => change({ metric, page: null })))),
      tool("models", manyOf("Models", models, now.picked, (m) => {
        const kept = models.map((one) => one.key).filter((key) => m.includes(key));
        if (kept.length) change({ m: kept, page: null });
        else drawTools(now);
      })),
    ];
    fill(tools, parts);
    drawFilters(now, tool, fresh);
    refocus(inside);
  }

  /** The same control as before, after all were made anew. */
  function refocus(before) {
    if (!before) return;
    const again = document.querySelector(`[data-tool="${before.dataset.tool}"]`);
    if (!again) return;
    const at = [...before.querySelectorAll("input, select, button")].indexOf(opened);
    const inputs = [...again.querySelectorAll("input, select, button")];
    (inputs[at] || inputs[0])?.focus();
  }
  document.addEventListener("focusin", (event) => { opened = event.target; });

  function drawFilters(now, tool, fresh) {
    const filters = document.getElementById("filters");
    filters.hidden = state.get("i") !== null || state.get("sample") !== null;
    if (filters.hidden || filters.contains(document.activeElement)) return; // nobody is interrupted
    const only = [["", "all"], ["failed", "failed"], ...(now.picked.length > 1 ? [["differ", "models disagree"]] : [])];
    const sorts = [["", "worst first"], ...(now.picked.length > 1 ? [["spread", "largest difference first"]] : []), ["data", "as in the data"],
      ...now.picked.map((id, at) => [`model:${id}`, `worst of ${nameOf(now.chosenCells[at].model)}`])];
    fill(filters,
      chooser("Show", only, state.get("only") ?? "", (value) => change({ ...fresh, only: value })),
      chooser("Order", sorts, state.get("sort") ?? "", (sort) => change({ ...fresh, sort })),
      el("span", { id: "classes", class: "row" }),
      typed("Find id, text or cluster", state.get("q") ?? "", (q) => change({ ...fresh, q })));
    classes(now, fresh);
  }

  /** Filters that only some tasks have: by the reference's class, by the letter answered. */
  async function classes(now, fresh) {
    try {
      const [index, ...scores] = await Promise.all([explore.indexOf(now.chosenCells[0]), ...(state.get("i") === null ? now.chosenCells.map(explore.scoresOf) : [])]);
      const node = document.getElementById("classes");
      if (!node || node.childElementCount) return;
      const targets = index.targets ? [...new Set(index.targets)].sort() : [];
      const letters = [...new Set(scores.flatMap((one) => one.answers || []))].filter((l) => l !== null).sort();
      const either = (label, key, values) => chooser(label, [["", "any"], ...values.map((v) => [v, v])], state.get(key) ?? "",
        (value) => change({ ...fresh, [key]: value }));
      fill(node, targets.length > 1 ? either("Reference", "class", targets) : null,
        letters.length > 1 ? either("Any model answered", "said", letters) : null);
    } catch (error) {
      // the list tells what could not be loaded
    }
  }

  // ---------------------------------------------------------------------------- the list

  let loaded = null; // what lines() reads; order() has always run before

  async function load(now) {
    const first = now.chosenCells[0];
    const [index, ...scores] = await Promise.all([explore.indexOf(first), ...now.chosenCells.map(explore.scoresOf)]);
    const maps = await Promise.all(now.chosenCells.map((cell) => explore.mapping(first, cell)));
    const at = (map, i) => (map ? map[i] : i);
    const values = scores.map((one, k) => {
      const column = explore.valuesOf(one, now.metric);
      return maps[k] ? index.ids.map((_, i) => column[maps[k][i]] ?? null) : column;
    });
    const failed = scores.map((one, k) => {
      const set = new Set(one.failed);
      return (i) => set.has(at(maps[k], i));
    });
    const letters = scores.map((one, k) => (i) => (one.answers ? one.answers[at(maps[k], i)] ?? null : null));
    const binary = values.every((list) => list.length > 0) && explore.isYesNo(...values) && upwards(now);
    return { index, values, failed, letters, binary };
  }

  async function ordered(now) {
    loaded = await load(now);
    const { index, values, failed, letters } = loaded;
    const up = upwards(now) ? 1 : -1;
    const keys = new Float64Array(index.n);
    const sort = state.get("sort") ?? "";
    const only = state.get("only");
    const text = (state.get("q") ?? "").toLowerCase();
    const cls = state.get("class");
    const said = state.get("said");
    const chosenModel = sort.startsWith("model:") ? now.picked.indexOf(sort.slice(6)) : -1;
    const kept = [];
    for (let i = 0; i < index.n; i += 1) {
      const here = values.map((list) => list[i]).filter((v) => v !== null && v !== undefined);
      const spread = here.length > 1 ? Math.max(...here) - Math.min(...here) : 0;
      if (only === "failed" && !failed.some((one) => one(i))) continue;
      if (only === "differ" && spread <= 1e-9 && (here.length === 0 || here.length === values.length)) continue;
      if (text && !matches(index, i, text)) continue;
      if (cls && index.targets && index.targets[i] !== cls) continue;
      if (said && !letters.some((one) => one(i) === said)) continue;
      kept.push(i);
      if (sort === "spread") keys[i] = -spread;
      else if (sort === "data") keys[i] = i;
      else if (chosenModel >= 0) keys[i] = worth([values[chosenModel][i]], up);
      else keys[i] = worth(values.map((list) => list[i]), up);
    }
    return kept.sort((a, b) => keys[a] - keys[b] || a - b);
  }

  /** The mean, less is worse; where a model has no score, nothing is worse. */
  function worth(values, up) {
    let sum = 0;
    for (const value of values) {
      if (value === null || value === undefined) return -Infinity;
      sum += value;
    }
    return (up * sum) / values.length;
  }

  const matches = (index, i, text) => [index.ids, index.titles, index.clusters].some((list) =>
    list && list[i] !== null && list[i] !== undefined && String(list[i]).toLowerCase().includes(text));

  function sortWords(now) {
    const sort = state.get("sort") ?? "";
    if (sort === "data") return "as in the data";
    if (sort === "spread") return `largest difference in ${now.metric} first`;
    const at = sort.startsWith("model:") ? now.picked.indexOf(sort.slice(6)) : -1;
    return `worst ${now.metric}${at < 0 ? "" : ` of ${nameOf(now.chosenCells[at].model)}`} first`;
  }

  function scoreCell(k, i) {
    const value = loaded.values[k][i];
    const letter = loaded.letters[k](i);
    const said = letter === null ? null : el("span", { class: "muted" }, ` ${letter}`);
    if (value === null || value === undefined) {
      return el("span", { class: loaded.failed[k](i) ? "failed" : "muted" }, loaded.failed[k](i) ? "failed" : "-");
    }
    if (loaded.binary) return el("span", { class: value ? "yes" : "no" }, value ? "right" : "wrong", said);
    return el("span", {}, number(value), said);
  }

  function lines(now, numbers) {
    const { index, values } = loaded;
    const names = now.chosenCells.map((cell) => nameOf(cell.model));
    const spread = names.length > 1 && !loaded.binary;
    const head = ["Sample", ...(index.targets ? ["Reference"] : []),
      ...names.map((text) => ({ text, n: true })), ...(spread ? [{ text: "Spread", n: true }] : [])];
    const rows = numbers.map((i) => {
      const here = values.map((list) => list[i]).filter((v) => v !== null && v !== undefined);
      return [list.opener(i, index),
        ...(index.targets ? [index.targets[i]] : []),
        ...names.map((_, k) => scoreCell(k, i)),
        ...(spread ? [here.length > 1 ? number(Math.max(...here) - Math.min(...here)) : "-"] : [])];
    });
    return { caption: `Samples with ${now.metric} of ${names.join(", ")}`, head, rows };
  }

  // --------------------------------------------------------------------------- the start

  explore.board().then((board) => {
    all = board;
    const page = explore.follow(draw);
    change = page.change;
    list = explore.browser(found, change);
    page.start();
  }, (error) => fill(found, fault(error)));
})();
