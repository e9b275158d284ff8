// The page history: a metric over runs or checkpoints, with what gates said of each.
"use strict";

(() => {
  if (document.body.dataset.page !== "history") return;
  const { el, state, number, say } = harness;
  const explore = harness.explore;
  const { fill, fault, chooser, manyOf, table, count, interval } = explore;
  const OUTCOMES = ["PASS", "FAIL", "INCONCLUSIVE", "ERROR", "no gate"]; // in the theme's order
  const MOST = 4; // series that are chosen at first
  const [tools, charts, result] = ["choose", "charts", "result"].map((id) => document.getElementById(id));
  const template = charts.querySelector("figure.chart");

  let all = null;
  let points = null;
  let change = null;

  const wordsOf = (id) => {
    const column = all.columns.find((c) => c.id === id);
    return column ? `${column.task_label || column.task}: ${column.label || column.metric}` : id;
  };

  function chosen() {
    const columns = [...new Set(points.map((p) => p.column))];
    const most = (id) => points.filter((p) => p.column === id).length;
    const primary = columns.filter((id) => all.columns.find((c) => c.id === id)?.primary);
    const first = [...(primary.length ? primary : columns)].sort((a, b) => most(b) - most(a))[0];
    const column = columns.includes(state.get("c")) ? state.get("c") : first;
    const here = points.filter((p) => p.column === column);
    const size = new Map();
    for (const p of here) size.set(p.series, (size.get(p.series) || 0) + 1);
    const names = [...size.keys()].sort((a, b) => size.get(b) - size.get(a) || (a < b ? -1 : 1));
    const asked = state.all("s").filter((s) => size.has(s));
    const series = asked.length ? names.filter((s) => asked.includes(s)) : names.slice(0, MOST);
    return { columns, column, here, names, size, series };
  }

  /** Over steps if all points of the series have one and nothing else was asked for. */
  function overSteps(list) {
    const steps = list.length > 0 && list.every((p) => p.step !== null);
    return steps && state.get("over") !== "time";
  }

  function draw() {
    if (!points.length) {
      fill(result, el("p", { class: "note" }, "There is no history yet: it begins with the second run of a model on a task."));
      return;
    }
    const now = chosen();
    drawTools(now);
    drawCharts(now);
    drawTable(now);
    say(`${now.series.length} series of ${wordsOf(now.column)}`);
  }

  function drawTools(now) {
    const controls = () => [...tools.querySelectorAll("select, input")];
    const inside = tools.contains(document.activeElement) ? controls().indexOf(document.activeElement) : -1;
    const steps = now.here.some((p) => p.step !== null);
    const items = now.names.map((name) => ({ key: name, text: `${name} (${count(now.size.get(name))})` }));
    fill(tools, el("div", { class: "toolbar" },
      chooser("Metric", now.columns.map((c) => [c, wordsOf(c)]), now.column, (c) => change({ c, s: null })),
      steps ? chooser("Over", [["", "steps of the training"], ["time", "time"]], state.get("over") ?? "", (over) => change({ over })) : null),
    manyOf("Models and trainings (points)", items, now.series, (s) => change({ s: s.length ? s : null })));
    if (inside >= 0) controls()[inside]?.focus();
  }

  const listOf = (now, series) => now.here.filter((p) => p.series === series)
    .sort((a, b) => (overSteps(now.here.filter((q) => q.series === series)) ? a.step - b.step : 0) || (a.when < b.when ? -1 : 1));

  /** One chart a series: a line belongs to one model or training. */
  function drawCharts(now) {
    if (!template) return;
    const kept = new Map([...charts.children].map((node) => [node.dataset.series, node]));
    fill(charts, now.series.map((series) => {
      const list = listOf(now, series).filter((p) => p.value !== null);
      const figure = kept.get(series) ?? explore.copyOf(template, { series });
      const steps = overSteps(list);
      const values = list.map((p) => ({ label: p.model === series ? p.run : p.model, at: steps ? p.step : p.when, value: p.value,
        low: p.low, high: p.high, kind: p.outcome ?? "no gate", text: `${number(p.value)} ${interval(p.low, p.high)}` }));
      const kinds = OUTCOMES.filter((kind) => values.some((v) => v.kind === kind));
      const told = kinds.map((kind) => `${kind} ${values.filter((v) => v.kind === kind).length}`).join(", ");
      const words = values.length ? `${wordsOf(now.column)}: ${values[0].text} at first, ${values[values.length - 1].text} at last, ${values.length} points. Gates: ${told}.` : "";
      explore.redraw(figure, values, { title: series, words, edit: (spec) => {
        explore.rekind(spec, OUTCOMES, kinds);
        explore.retitle(spec, { x: steps ? "step" : "time (UTC)", y: wordsOf(now.column) });
        for (const node of explore.objects(spec)) {
          if (node.field !== "at" || !node.type) continue;
          node.type = steps ? "quantitative" : "temporal";
          const { type, ...rest } = node.scale;
          node.scale = steps ? { ...rest, zero: false } : { type: "utc", padding: rest.padding };
        }
      } });
      return figure;
    }));
  }

  function drawTable(now) {
    const lists = now.series.flatMap((series) => listOf(now, series));
    const some = (holds) => lists.some(holds);
    const columns = [
      ["Series", (p) => el("bdi", {}, p.series)],
      some((p) => p.model !== p.series) && ["Model", (p) => el("bdi", {}, p.model)],
      ["When (UTC)", (p) => el("span", { class: "when" }, p.when.slice(0, 16).replace("T", " "))],
      some((p) => p.step !== null) && [{ text: "Step", n: true }, (p) => ({ text: p.step === null ? "" : count(p.step), v: p.step })],
      [{ text: "Value", n: true }, (p) => ({ text: number(p.value), v: p.value })],
      [{ text: "95 % interval", n: true }, (p) => ({ text: interval(p.low, p.high), v: p.low })],
      [{ text: "n", n: true }, (p) => ({ text: count(p.n), v: p.n })],
      ["Gate", (p) => (p.outcome ? el("span", { class: `verdict ${p.outcome}` }, p.outcome) : el("span", { class: "muted" }, "no gate"))],
      some((p) => p.reasons.length) && ["Why", (p) => p.reasons.join("; ")],
      ["Run", (p) => el("code", {}, p.run)],
    ].filter(Boolean);
    fill(result, table(`${wordsOf(now.column)}, oldest first`, columns.map((column) => column[0]),
      lists.map((p) => columns.map((column) => column[1](p))), { id: "points" }));
  }

  // --------------------------------------------------------------------------- the start

  Promise.all([explore.board(), harness.load("data/history.js", "history")]).then(([board, read]) => {
    all = board;
    points = read.points;
    const page = explore.follow(draw);
    change = page.change;
    for (const node of document.querySelectorAll(".replaced")) node.hidden = true;
    page.start();
  }, (error) => fill(tools, fault(error)));
})();
