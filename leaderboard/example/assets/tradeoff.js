// The page trade-off: quality of one column against one cost, and which model to take for what.
"use strict";

(() => {
  if (document.body.dataset.page !== "tradeoff") return;
  const { el, state, number, say } = harness;
  const explore = harness.explore;
  const { fill, fault, chooser, table } = explore;
  const FAR_APART = 30; // the ratio from which the axis of costs is logarithmic, as in Python
  const HEIGHT = 280; // px, as in harness/leaderboard/chart_trade.py
  const SIDES = { right: [13, 0], left: [-13, 0], "upper left": [-9, -13], "lower right": [9, 13],
    "upper right": [9, -13], "lower left": [-9, 13] }; // px from a point to where its name begins
  const [tools, picks, figure, result] = ["choose", "picks", "figure", "result"].map((id) => document.getElementById(id));

  let all = null;
  let trade = null;
  let change = null;

  // -------------------------------------------------------------------------- the rule

  /** The points that no other dominates: as in harness/leaderboard/pareto.py. `better` is the
   * quality with its sign turned where less is better. */
  function frontOf(points) {
    const order = [...points].sort((a, b) => a.cost - b.cost || b.better - a.better);
    const kept = new Set();
    let best = null;
    for (const point of order) {
      const same = best && point.better === best.better && point.cost === best.cost;
      if (best && !same && point.better <= best.better) continue;
      kept.add(point);
      best = point;
    }
    return kept;
  }

  const least = (list, ...keys) => list.reduce((a, b) => {
    const unlike = keys.find((key) => key(a) !== key(b));
    return unlike && unlike(b) < unlike(a) ? b : a;
  });

  /** What to take for each aim, and the rule in words. */
  function recommended(points, cheap = "Low cost") {
    const kept = points.filter((point) => frontOf(points).has(point));
    const costs = kept.map((p) => p.cost);
    const values = kept.map((p) => p.better);
    const scaled = (part, list) => {
      const span = Math.max(...list) - Math.min(...list);
      return span > 0 ? part / span : 0;
    };
    const distance = (p) => Math.round(1e12 * Math.hypot(scaled(Math.max(...values) - p.better, values),
      scaled(p.cost - Math.min(...costs), costs))) / 1e12;
    return [
      [cheap, least(kept, (p) => p.cost), "the least cost of all"],
      ["Best quality", least(kept, (p) => -p.better), "the best quality of all"],
      ["Balanced", least(kept, distance, (p) => -p.better),
        "nearest to the ideal corner, quality and cost each scaled to 0–1 over the front"],
    ];
  }

  // ---------------------------------------------------------------- room for the names

  /** The area that two boxes [left, top, right, bottom] share. */
  const common = (a, b) => Math.max(0, Math.min(a[2], b[2]) - Math.max(a[0], b[0]))
    * Math.max(0, Math.min(a[3], b[3]) - Math.max(a[1], b[1]));

  /** On which side of its point each name has room, "none" if on none: as in
   * harness/leaderboard/chart_names.py, the front's first, clear of points, names and the line. */
  function placeNames(points, front) {
    const wide = Math.max(150, figure.parentElement.clientWidth - 110); // less the axis
    const share = (list) => {
      const [low, high] = [Math.min(...list), Math.max(...list)];
      return list.map((v) => (high > low ? (v - low) / (high - low) : 0.5));
    };
    const xs = share(points.map((p) => (isFar(points) ? Math.log(p.cost) : p.cost))).map((x) => x * wide);
    const ys = share(points.map((p) => p.quality)).map((y) => (1 - y) * HEIGHT);
    const taken = xs.map((x, i) => [x - 8, ys[i] - 8, x + 8, ys[i] + 8]);
    const steps = points.map((_, i) => i).filter((i) => front.has(points[i])).sort((i, j) => xs[i] - xs[j]);
    const lines = steps.slice(1).flatMap((j, k) => {
      const i = steps[k];
      return [[xs[i], ys[i] - 1, xs[j], ys[i] + 1], [xs[j] - 1, Math.min(ys[i], ys[j]), xs[j] + 1, Math.max(ys[i], ys[j])]];
    });
    const order = points.map((_, i) => i).sort((i, j) => front.has(points[j]) - front.has(points[i]) || xs[i] - xs[j]);
    const sides = points.map(() => "none");
    for (const i of order) {
      const long = Math.min(160, 6.2 * points[i].model.length);
      let best = null;
      for (const [side, [dx, dy]] of Object.entries(SIDES)) {
        const left = dx > 0 ? xs[i] + dx : xs[i] + dx - long;
        const box = [left, ys[i] + dy - 6.5, left + long, ys[i] + dy + 6.5];
        const inside = box[0] >= 0 && box[2] <= wide + 14 && box[1] >= -14 && box[3] <= HEIGHT;
        if (!inside || taken.some((other, k) => k !== i && common(box, other) > 0)) continue;
        const crossed = lines.reduce((sum, line) => sum + common(box, line), 0);
        if (!best || crossed < best.crossed) best = { side, box, crossed };
      }
      if (!best || (best.crossed > 0 && !front.has(points[i]))) continue;
      sides[i] = best.side;
      taken.push(best.box);
    }
    return sides;
  }

  function isFar(points) {
    const costs = points.map((p) => p.cost);
    return Math.min(...costs) > 0 && Math.max(...costs) / Math.min(...costs) >= FAR_APART;
  }

  function scaleOf(known, points) {
    const { type, ...rest } = known;
    return isFar(points) ? { ...rest, type: "log" } : rest;
  }

  // ------------------------------------------------------------------------------- page

  const wordsOf = (column) => `${column.task_label || column.task}: ${column.label || column.metric}`;

  function chosen() {
    const columns = all.columns.filter((c) => !c.neutral && trade.points.some((p) => p.column === c.id && Object.keys(p.costs).length));
    if (!columns.length) throw new Error("No model of this site has both a quality and a cost");
    const column = columns.find((c) => c.id === state.get("c")) ?? columns.find((c) => c.primary) ?? columns[0];
    const here = trade.points.filter((p) => p.column === column.id);
    const costs = trade.costs.filter(([key]) => here.some((p) => Number.isFinite(p.costs[key])));
    if (!costs.length) return { columns, column, costs, cost: null, points: [] };
    const cost = costs.find(([key]) => key === state.get("cost")) ?? costs[0];
    const points = here.filter((p) => Number.isFinite(p.costs[cost[0]]) && Number.isFinite(p.quality))
      .map((p) => ({ model: p.model, quality: p.quality, better: column.higher ? p.quality : -p.quality, cost: p.costs[cost[0]] }));
    const lacking = here.filter((p) => !Number.isFinite(p.costs[cost[0]])).map((p) => p.model);
    return { columns, column, costs, cost, points, lacking };
  }

  function draw() {
    let now;
    try {
      now = chosen();
    } catch (error) {
      fill(result, el("p", { class: "note" }, error.message));
      explore.redraw(figure, []);
      return;
    }
    const inside = tools.contains(document.activeElement) ? [...tools.querySelectorAll("select")].indexOf(document.activeElement) : -1;
    fill(tools, chooser("Quality", now.columns.map((c) => [c.id, wordsOf(c)]), now.column.id, (c) => change({ c })),
      now.cost ? chooser("Cost", now.costs, now.cost[0], (cost) => change({ cost })) : null);
    if (inside >= 0) tools.querySelectorAll("select")[inside]?.focus();
    if (!now.points.length) {
      fill(result, el("p", { class: "note" }, "No cost is known of the models of this column."));
      fill(picks);
      explore.redraw(figure, []);
      return;
    }
    const front = frontOf(now.points);
    drawPicks(now);
    drawChart(now, front);
    drawTable(now, front);
    say(`${front.size} of ${now.points.length} models on the front`);
  }

  function drawPicks(now) {
    const [key, label] = now.cost;
    const cheap = key.startsWith("latency") ? "Low latency" : "Low cost";
    fill(picks, recommended(now.points, cheap).map(([aim, point, why]) => el("div", { class: "panel" },
      el("h3", {}, aim), el("p", {}, el("strong", {}, el("bdi", {}, point.model))),
      el("p", {}, `${number(point.quality)} for ${number(point.cost)}`),
      el("p", { class: "muted small" }, `Rule: of the models on the front, ${why}.`))));
    picks.setAttribute("aria-label", `Which to take: ${wordsOf(now.column)} against ${label}`);
  }

  function drawChart(now, front) {
    const sides = placeNames(now.points, front);
    const values = now.points.map((p, i) => ({ model: p.model, cost: p.cost, quality: p.quality, low: null, high: null,
      front: front.has(p), side: sides[i], text: number(p.quality), price: number(p.cost) })).sort((a, b) => a.cost - b.cost);
    const [, label] = now.cost;
    const title = `${wordsOf(now.column)} against ${label}`;
    const words = `${front.size} of ${values.length} models are on the Pareto front (ringed, joined by a line): no other model is as good for less. ${now.column.higher ? "Higher" : "Lower"} and further left is better.`;
    const legend = sides.includes("none") ? { title: null, symbolLimit: 0, columns: 2 } : null;
    const names = [...new Set([...all.models.map((m) => m.name), ...now.points.map((p) => p.model)])];
    explore.redraw(figure, values, { title, words, edit: (spec) => {
      explore.retitle(spec, { x: label, y: wordsOf(now.column) });
      for (const node of explore.objects(spec)) {
        if (node.field === "cost" && node.scale) node.scale = scaleOf(node.scale, now.points);
        if (node.field === "model" && node.scale && node.scale.domain) {
          node.legend = legend && { ...legend, values: now.points.map((p) => p.model) };
          for (const name of names) if (!node.scale.domain.includes(name)) node.scale.domain.push(name);
        }
      }
    } });
  }

  function drawTable(now, front) {
    const [, label] = now.cost;
    const rows = [...now.points].sort((a, b) => a.cost - b.cost || b.better - a.better).map((p) => [
      el("bdi", {}, p.model), { text: number(p.quality), v: p.quality }, { text: number(p.cost), v: p.cost },
      front.has(p) ? el("strong", { class: "front-mark" }, "on the front") : "",
    ]);
    fill(result, table(`${wordsOf(now.column)} against ${label}`,
      ["Model", { text: wordsOf(now.column), n: true }, { text: label, n: true }, "Pareto front"], rows, { id: "points" }),
      now.lacking.length ? el("p", { class: "muted small" }, `Of these models this cost is not known: ${now.lacking.join(", ")}.`) : null);
  }

  // --------------------------------------------------------------------------- the start

  Promise.all([explore.board(), harness.load("data/trade.js", "trade")]).then(([board, read]) => {
    all = board;
    trade = read;
    const page = explore.follow(draw);
    change = page.change;
    for (const node of document.querySelectorAll(".replaced")) node.hidden = true;
    page.start();
  }, (error) => fill(tools, fault(error)));

  explore.frontOf = frontOf;
  explore.recommended = recommended;
})();
