// The page compare: paired differences of two or more models, and the samples behind each.
"use strict";

(() => {
  if (document.body.dataset.page !== "compare") return;
  const { el, state, number, say } = harness;
  const explore = harness.explore;
  const { fill, fault, chooser, manyOf, table, count, interval, link } = explore;
  const COMPUTED = "computed in the page: Student's t, not corrected";
  const [tools, result, forest, behind, found] = ["choose", "result", "forest", "behind", "found"]
    .map((id) => document.getElementById(id));

  let all = null;
  let stored = null; // data/comparisons.js by key(); null if it could not be loaded
  let change = null;
  let list = null;
  const computed = new Map(); // key() -> what paired() found, or an Error

  const key = (...parts) => JSON.stringify(parts);
  const modelBy = (name) => explore.modelOf(all, name) ?? { id: name, name };
  const columnOf = (id) => all.columns.find((column) => column.id === id);

  // --------------------------------------------------------------------------- the state

  /** Models that the state names; else a model with its baseline, else the first two. */
  function chosenModels() {
    const known = all.models.filter((m) => all.cells.some((c) => c.model === m.name || c.model === m.id));
    const asked = state.all("m").map((id) => known.find((m) => m.id === id)).filter(Boolean);
    if (asked.length || state.all("m").length) return asked;
    const tuned = known.find((m) => m.baseline && known.some((b) => b.name === m.baseline));
    return tuned ? [known.find((b) => b.name === tuned.baseline), tuned] : known.slice(0, 2);
  }

  /** Every pair that is shown, each with what is known of it: in the order of the data where it
   * was compared there, else the one chosen first is the one compared with. */
  function pairsOf(models) {
    const every = state.get("pairs") === "all";
    const pairs = [];
    models.forEach((a, at) => {
      if (at === 0 || every) models.slice(at + 1).forEach((b) => pairs.push([a, b]));
    });
    const columns = all.columns.filter((c) => (state.get("metrics") === "all" || c.primary)
      && (state.get("task") ?? c.task) === c.task);
    return columns.flatMap((column) => pairs.map(([a, b]) => pairOf(column, a, b)).filter(Boolean));
  }

  function pairOf(column, a, b) {
    const cellBy = (model) => explore.cellOf(all, column.task, column.variant, model.name)
      ?? explore.cellOf(all, column.task, column.variant, model.id);
    const turned = stored && known(column, b, a) && !known(column, a, b);
    const [from, to] = turned ? [b, a] : [a, b];
    const [left, right] = [cellBy(from), cellBy(to)];
    if (!left || !right || !Object.hasOwn(left.metrics, column.metric) || !Object.hasOwn(right.metrics, column.metric)) return null;
    return { column, a: from, b: to, left, right, known: known(column, from, to),
      key: key(column.id, from.id, to.id) };
  }

  const known = (column, a, b) => stored?.get(key(column.task, column.variant, column.metric, a.name, b.name))
    ?? stored?.get(key(column.task, column.variant, column.metric, a.id, b.id));

  function readStored(data) {
    const rows = data.rows.map((row) => Object.fromEntries(data.fields.map((field, at) => [field, row[at]])));
    const map = new Map(rows.map((row) => [key(row.task, row.variant, row.metric, row.a, row.b), row]));
    for (const [task, variant, a, b, why] of data.refused || []) {
      for (const column of all.columns.filter((c) => c.task === task && c.variant === variant)) {
        map.set(key(task, variant, column.metric, a, b), { refused: why });
      }
    }
    return map;
  }

  // ------------------------------------------------------------------- computed in the page

  async function compute(pair) {
    const [a, b] = await Promise.all([explore.scoresOf(pair.left), explore.scoresOf(pair.right)]);
    const index = await explore.indexOf(pair.left);
    const map = await explore.mapping(pair.left, pair.right);
    const left = explore.valuesOf(a, pair.column.metric);
    const right = explore.valuesOf(b, pair.column.metric);
    const beside = map ? left.map((_, i) => right[map[i]] ?? null) : right;
    return explore.paired(left, beside, pair.column.higher || pair.column.neutral, index.clusters);
  }

  let large = null; // the second forest
  let turn = 0;

  /** Compute what the data lack, one after the other, and draw once more when all is there. */
  async function complete(pairs) {
    turn += 1;
    const mine = turn;
    const lacking = pairs.filter((pair) => !pair.known && !computed.has(pair.key));
    if (!lacking.length) return;
    for (const pair of lacking) {
      try {
        computed.set(pair.key, await compute(pair));
      } catch (error) {
        computed.set(pair.key, error);
      }
      if (mine !== turn) return;
    }
    drawResult(pairs);
    say(`${lacking.length} differences computed`);
    for (const pair of lacking) if (computed.get(pair.key) instanceof Error) computed.delete(pair.key);
  }

  /** What a pair's difference is, wherever it comes from; null while it is being computed. */
  function told(pair) {
    if (pair.known?.refused) return { refused: pair.known.refused };
    if (pair.known) return { ...pair.known, stored: true };
    const here = computed.get(pair.key);
    if (here === undefined) return null;
    if (here instanceof Error) return { error: here };
    if (here.n === 0) return { refused: "they share no scored sample" };
    const excludes = here.low !== null && (here.low > 0 || here.high < 0);
    const words = here.low === null ? "no interval" : excludes ? "interval excludes zero" : "interval includes zero";
    return { ...here, words, kind: "computed", excludes, stored: false };
  }

  // ------------------------------------------------------------------------------- tools

  function drawTools(models, pairs) {
    const inside = tools.contains(document.activeElement) ? document.activeElement : null;
    const place = inside ? [...tools.querySelectorAll("input, select, button")].indexOf(inside) : -1;
    const tasks = [...new Set(all.columns.map((column) => column.task))];
    const items = all.models.map((m) => ({ key: m.id, text: m.name, note: m.baseline ? `baseline: ${m.baseline}` : null }));
    const fresh = { i: null, sample: null, page: null };
    fill(tools,
      manyOf("Models: the first chosen is the one that the others are compared with", items, models.map((m) => m.id),
        (m) => change({ ...fresh, m: m.length ? m : null })),
      el("div", { class: "toolbar" },
        chooser("Task", [["", "all tasks"], ...tasks.map((t) => [t, t])], state.get("task") ?? "", (task) => change({ ...fresh, task })),
        chooser("Metrics", [["", "main metric of each task"], ["all", "all metrics"]], state.get("metrics") ?? "",
          (metrics) => change({ metrics })),
        models.length > 2 ? chooser("Pairs", [["", "each with the first"], ["all", "all pairs"]], state.get("pairs") ?? "",
          (all_) => change({ pairs: all_ })) : null));
    if (place >= 0) tools.querySelectorAll("input, select, button")[place]?.focus();
    return pairs;
  }

  // ------------------------------------------------------------------------------ result

  function verdict(pair, one) {
    if (!one) return el("span", { class: "muted" }, "computing");
    if (one.error) return fault(one.error);
    if (one.refused) return el("span", { class: "delta mismatch" }, `not comparable: ${one.refused}`);
    if (!one.stored) return el("span", { class: "pair" }, one.words, el("br", {}), el("span", { class: "muted small" }, COMPUTED));
    const side = { better: "better", worse: "worse", more: "more", fewer: "fewer" }[one.kind];
    const words = [one.words, side && !one.words.includes(side) ? side : null].filter(Boolean).join(", ");
    return el("span", { class: `delta ${one.kind}` }, words);
  }

  function line(pair, single, picked) {
    const one = told(pair);
    const sum = one && !one.error && !one.refused ? one : null;
    const { column } = pair;
    const open = el("a", { href: link({ c: column.id, a: pair.a.id, b: pair.b.id, i: null, sample: null, page: null, only: null }),
      "aria-label": `samples behind ${column.task_label || column.task}, ${column.label || column.metric}, ${pair.b.name} minus ${pair.a.name}`,
      onclick: () => { wanted = true; } }, "samples");
    const cells = [
      el("span", {}, el("bdi", {}, column.task_label || column.task), el("br", {}),
        el("span", { class: "muted small" }, column.label || column.metric, " · ", open)),
      ...(single ? [] : [el("span", { class: "pair" }, el("bdi", {}, pair.b.name), el("br", {}), el("span", { class: "muted small" }, "− ", el("bdi", {}, pair.a.name)))]),
      { text: sum ? el("span", {}, el("strong", {}, number(sum.diff, { sign: true })), el("br", {}),
        el("span", { class: "muted small" }, interval(sum.low, sum.high))) : "-", v: sum ? sum.diff : null },
      verdict(pair, one),
      { text: sum ? number(sum.before) : "-", v: sum ? sum.before : null },
      { text: sum ? number(sum.after) : "-", v: sum ? sum.after : null },
      { text: sum ? `${count(sum.wins)} / ${count(sum.ties)} / ${count(sum.losses)}` : "-", v: sum ? sum.wins - sum.losses : null },
      { text: sum ? count(sum.n) : "-", v: sum ? sum.n : null },
    ];
    if (picked) cells.attributes = { class: "picked", "aria-current": "true" };
    return cells;
  }

  function drawResult(pairs) {
    if (!pairs.length) {
      fill(result, el("p", { class: "empty" }, "These models share no task here. Choose others, or all tasks."));
      hideForests();
      return;
    }
    const first = pairs[0];
    const single = pairs.every((p) => p.a === first.a && p.b === first.b);
    const names = single ? [first.a.name, first.b.name] : ["compared with", "model"];
    const head = ["Task", ...(single ? [] : ["Pair"]), { text: "Difference", n: true }, "Verdict",
      { text: names[0], n: true }, { text: names[1], n: true }, { text: "Better / equal / worse", n: true }, { text: "n", n: true }];
    const now = pickedPair(pairs);
    const caption = single ? `${first.b.name} minus ${first.a.name}` : "Paired differences, model minus the one it is compared with";
    const focused = result.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
    fill(result, table(caption, head, pairs.map((pair) => line(pair, single, pair === now)), { id: "differences" }),
      el("p", { class: "muted small" }, "Differences are paired: each sample of the one with the same sample of the other; intervals are 95 %. Better, equal and worse count samples."));
    if (focused) [...result.querySelectorAll("a")].find((a) => a.getAttribute("href") === focused)?.focus();
    drawForest(pairs, single);
  }

  // ------------------------------------------------------------------------------ forest

  // in the order of the theme's colours, as harness/leaderboard/chart_verdicts.py has them
  const CLAIMS = ["better", "worse", "no difference shown", "too few to say", "better, content not shown", "more or fewer"];
  const CLAIM = { better: 0, worse: 1, none: 2, few: 3, more: 5, fewer: 5 };
  const HERE = "computed here, not corrected";

  function claim(one) {
    if (!one.stored) return HERE;
    return CLAIMS[one.words.includes("only in form") ? 4 : CLAIM[one.kind] ?? 2];
  }

  /** Claims in the places of their colours; what was computed here takes one that is free, and
   * never that of "better" or "worse". */
  function domainOf(kinds) {
    const domain = [...CLAIMS];
    if (kinds.has(HERE)) domain[[3, 5, 4, 2].find((at) => !kinds.has(CLAIMS[at])) ?? CLAIMS.length] = HERE;
    return domain;
  }

  const hideForests = () => document.querySelectorAll("figure.chart").forEach((figure) => explore.redraw(figure, []));

  function forestValues(pairs, single, oneBase) {
    const used = new Map();
    const oneColumn = pairs.every((pair) => pair.column === pairs[0].column);
    return pairs.flatMap((pair) => {
      const one = told(pair);
      if (!one || one.error || one.refused) return [];
      const models = oneBase ? pair.b.name : `${pair.b.name} − ${pair.a.name}`;
      const metric = `${pair.column.task_label || pair.column.task}: ${pair.column.label || pair.column.metric}`;
      let label = single ? metric : oneColumn ? models : `${models}, ${metric}`;
      const times = (used.get(label) || 0) + 1;
      used.set(label, times);
      if (times > 1) label += ` (${times})`;
      return [{ label, difference: one.diff, low: one.low, high: one.high, verdict: one.words, kind: claim(one),
        text: `${number(one.diff, { sign: true })} ${interval(one.low, one.high)}` }];
    });
  }

  /** Differences of more than 1 are of other units (points, tokens): on one axis with shares they
   * would press those flat. */
  function drawForest(pairs, single) {
    if (!forest) return;
    const oneBase = pairs.every((pair) => pair.a === pairs[0].a);
    const values = forestValues(pairs, single, oneBase);
    const big = (v) => Math.max(Math.abs(v.difference), Math.abs(v.low ?? 0), Math.abs(v.high ?? 0)) > 1;
    large ??= explore.copyOf(forest);
    if (!large.isConnected) forest.after(large);
    const title = single ? `${pairs[0].b.name} minus ${pairs[0].a.name}` : oneBase ? `Models minus ${pairs[0].a.name}` : "Paired differences";
    const small = values.filter((v) => !big(v));
    drawOne(forest, small, title);
    drawOne(large, values.filter(big), small.length ? `${title}: metrics of larger units` : title);
  }

  function drawOne(figure, values, title) {
    const kinds = new Set(values.map((value) => value.kind));
    const domain = domainOf(kinds);
    const wide = figure.parentElement.clientWidth;
    const words = `${values.length} paired differences with 95 % intervals; the table below has the numbers.`;
    explore.redraw(figure, values, { title, words, edit: (spec) => {
      explore.rekind(spec, domain, domain.filter((kind) => kinds.has(kind)));
      explore.retitle(spec, { x: "difference" });
      for (const node of explore.objects(spec)) {
        if (node.field === "label" && node.axis) node.axis.labelLimit = wide > 700 ? 330 : 130; // px
        if (node.field === "kind" && node.legend && wide < 520) node.legend.columns = 1;
      }
      // on a phone the numbers stand in the table alone
      if (wide < 520) spec.layer = spec.layer.filter((layer) => layer.mark.type !== "text");
    } });
  }

  // -------------------------------------------------------------- the samples behind a pair

  let wanted = false; // the list was asked for: it gets the focus

  const pickedPair = (pairs) => {
    const fits = (pair) => pair.column.id === state.get("c");
    return pairs.find((p) => fits(p) && p.a.id === state.get("a") && p.b.id === state.get("b")) ?? pairs.find(fits) ?? null;
  };

  async function dataOf(pair) {
    const [index, a, b, map] = await Promise.all([explore.indexOf(pair.left), explore.scoresOf(pair.left),
      explore.scoresOf(pair.right), explore.mapping(pair.left, pair.right)]);
    const left = explore.valuesOf(a, pair.column.metric);
    const there = explore.valuesOf(b, pair.column.metric);
    const right = map ? left.map((_, i) => there[map[i]] ?? null) : there;
    const yes = pair.column.higher && !pair.column.neutral && left.length > 0 && explore.isYesNo(left, right);
    return { index, left, right, yes, map, letters: [a.answers, b.answers], sign: pair.column.higher || pair.column.neutral ? 1 : -1 };
  }

  /** [value, words, whether sample i belongs to it]; by how much, for numbers. */
  function kinds(data, by) {
    const { left, right, sign } = data;
    const none = (v) => v === null || v === undefined;
    const failed = (i) => none(left[i]) || none(right[i]);
    const gain = (i) => sign * (right[i] - left[i]);
    const rest = [["failed", "any failed", failed], ["all", "all", () => true]];
    if (data.yes) {
      return [["b", "A wrong, B right", (i) => !failed(i) && right[i] > left[i]],
        ["a", "A right, B wrong", (i) => !failed(i) && left[i] > right[i]],
        ["wrong", "both wrong", (i) => left[i] === 0 && right[i] === 0],
        ["right", "both right", (i) => left[i] === 1 && right[i] === 1], ...rest];
    }
    const enough = (size) => size > 0 && size >= by - 1e-12;
    return [["b", "B better", (i) => !failed(i) && enough(gain(i))],
      ["a", "A better", (i) => !failed(i) && enough(-gain(i))],
      ["tied", "equal", (i) => !failed(i) && gain(i) === 0], ...rest];
  }

  async function drawBehind(pairs) {
    const pair = pickedPair(pairs);
    behind.hidden = !pair;
    if (!pair) return;
    const { column } = pair;
    fill(behind.querySelector("h2"), `Samples behind it: ${column.task_label || column.task}, ${column.label || column.metric}`);
    fill(behind.querySelector(".sides"), el("strong", {}, "A"), " ", el("bdi", {}, pair.a.name), " · ", el("strong", {}, "B"), " ", el("bdi", {}, pair.b.name));
    const mine = pair.key;
    behind.dataset.key = mine;
    let data;
    const inSample = state.get("i") !== null || state.get("sample") !== null;
    const filters = document.getElementById("filters");
    filters.hidden = inSample;
    const later = dataOf(pair);
    later.catch(() => {});
    const map = await explore.mapping(pair.left, pair.right).catch(() => null);
    const models = [{ name: pair.a.name, cell: pair.left, map: null }, { name: pair.b.name, cell: pair.right, map }];
    const others = ["first", "reference", "none"];
    const against = others.includes(state.get("marks")) ? state.get("marks") : "first";
    const show = () => list.show({
      key: JSON.stringify([mine, state.get("only"), state.get("by")]),
      models, metric: column.metric, against,
      marks: [["first", "each other"], ["reference", "the reference"], ["none", "nothing"]],
      title: `${column.task}${column.variant ? ` [${column.variant}]` : ""}`,
      order: async () => ordered(data ?? await later),
      lines: (numbers) => lines(pair, data, numbers),
      words: (n) => `${count(n)} of ${count(pair.left.n)} samples: ${kindNow(data)[1]}, largest difference first`,
    });
    if (inSample) {
      show();
      later.then((read) => { data = read; }, () => {});
      return;
    }
    try {
      data = await later;
    } catch (error) {
      fill(found, fault(error));
      return;
    }
    if (behind.dataset.key !== mine) return;
    drawKinds(data);
    show();
    if (wanted) {
      wanted = false;
      behind.querySelector("h2").focus({ preventScroll: true });
      behind.scrollIntoView({ block: "start" });
    }
  }

  const least = () => Math.max(0, Number(state.get("by")) || 0);

  const kindNow = (data) => {
    const every = kinds(data, least());
    return every.find((kind) => kind[0] === state.get("only")) ?? every[0];
  };

  function ordered(data) {
    const { left, right, sign } = data;
    const [kind, , fits] = kindNow(data);
    const kept = [];
    for (let i = 0; i < left.length; i += 1) if (fits(i)) kept.push(i);
    const gain = (i) => (left[i] === null || right[i] === null ? Infinity : sign * (right[i] - left[i]));
    const key_ = kind === "b" ? (i) => -gain(i) : kind === "a" ? gain : (i) => -Math.abs(gain(i));
    return kept.sort((i, j) => key_(i) - key_(j) || i - j);
  }

  function drawKinds(data) {
    const filters = document.getElementById("filters");
    if (filters.contains(document.activeElement) && document.activeElement.tagName === "INPUT") {
      countKinds(data, filters);
      return;
    }
    const at = filters.contains(document.activeElement) ? document.activeElement.dataset.kind : null;
    const now = kindNow(data)[0];
    const buttons = kinds(data, least()).map(([kind]) => el("button", { type: "button", class: "chip", "aria-pressed": String(kind === now),
      dataset: { kind }, onclick: () => change({ only: kind, page: null, i: null, sample: null }) }));
    const by = el("input", { type: "number", min: "0", step: "any", class: "number-input", value: state.get("by") ?? "", placeholder: "any" });
    by.addEventListener("change", () => change({ by: by.value, page: null }));
    fill(filters, el("div", { class: "row", role: "group", "aria-label": "Which samples" }, buttons),
      data.yes ? null : el("label", { class: "field" }, el("span", {}, "by at least"), by));
    countKinds(data, filters);
    if (at) filters.querySelector(`[data-kind="${at}"]`)?.focus();
  }

  function countKinds(data, filters) {
    for (const [kind, words, fits] of kinds(data, least())) {
      let n = 0;
      for (let i = 0; i < data.left.length; i += 1) if (fits(i)) n += 1;
      const button = filters.querySelector(`[data-kind="${kind}"]`);
      if (button) fill(button, words, " ", el("b", {}, count(n)));
    }
  }

  function lines(pair, data, numbers) {
    const { index, left, right, letters, yes, map } = data;
    const value = (v, side, i) => {
      const letter = letters[side] ? letters[side][side && map ? map[i] : i] : null;
      const said = letter ? el("span", { class: "muted" }, ` ${letter}`) : null;
      if (v === null || v === undefined) return el("span", { class: "failed" }, "failed");
      if (yes) return el("span", { class: v ? "yes" : "no" }, v ? "right" : "wrong", said);
      return el("span", {}, number(v), said);
    };
    const diff = (i) => (left[i] === null || right[i] === null ? "-" : number(right[i] - left[i], { sign: true }));
    const head = ["Sample", { text: `A ${pair.a.name}`, n: true },
      { text: `B ${pair.b.name}`, n: true }, ...(yes ? [] : [{ text: "B − A", n: true }])];
    const rows = numbers.map((i) => [list.opener(i, index),
      value(left[i], 0, i), value(right[i], 1, i), ...(yes ? [] : [diff(i)])]);
    return { caption: `Samples by difference in ${pair.column.metric}`, head, rows };
  }

  // --------------------------------------------------------------------------- the start

  function draw() {
    const models = chosenModels();
    if (models.length < 2) {
      drawTools(models, []);
      fill(result, el("p", { class: "note" }, all.models.length < 2 ? "There is only one model on this site: nothing to compare."
        : "Choose at least two models."));
      hideForests();
      behind.hidden = true;
      return;
    }
    const pairs = pairsOf(models);
    drawTools(models, pairs);
    drawResult(pairs);
    complete(pairs);
    drawBehind(pairs);
  }

  explore.board().then(async (board) => {
    all = board;
    const page = explore.follow(draw);
    change = page.change;
    list = explore.browser(found, change);
    try {
      stored = readStored(await harness.load("data/comparisons.js", "comparisons"));
    } catch (error) {
      result.before(fault(error));
    }
    page.start();
  }).catch((error) => fill(result, fault(error)));
})();
