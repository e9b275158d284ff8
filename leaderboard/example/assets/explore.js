// What the pages compare, samples, trade-off and history share: data, choosers, links, statistics.
// Names, ids and texts may be hostile: they only ever become text nodes and values.
"use strict";

(() => {
  const { el, load, state, number } = harness;
  const SHARD = 1000; // samples in a file of texts
  const MANY = 12; // models from which on a list of them can be searched

  // ------------------------------------------------------------------------------ data

  const board = () => load("data/board.js", "board");
  const nameOf = (path) => path.replace(/^data\//, "");
  const runOf = (cell) => cell.dir.replace(/^data\/runs\//, "");

  /** Ids, titles and clusters of the samples that a cell was asked. */
  const indexOf = (cell) => load(`${cell.samples}/index.js`, nameOf(cell.samples));

  /** Values of all metrics of a cell, one a sample. */
  const scoresOf = (cell) => load(`${cell.dir}/scores.js`, `scores/${runOf(cell)}`);

  const shardFile = (folder, shard) => `${folder}/${String(shard).padStart(4, "0")}.js`;
  const askedOf = (cell, shard) =>
    load(shardFile(cell.samples, shard), `${nameOf(cell.samples)}/${shard}`);
  /** The frames of videos that were seen in a cell; null if it saw none, or none is shown. */
  const postersOf = async (cell, shard) =>
    (cell.posters ? load(shardFile(cell.posters, shard), `${nameOf(cell.posters)}/${shard}`) : null);
  const answersOf = (cell, shard) =>
    load(shardFile(cell.dir, shard), `answers/${runOf(cell)}/${shard}`);

  /** Where a number stands in an ascending list, or -1. */
  function position(sorted, wanted) {
    let low = 0;
    let high = sorted.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (sorted[middle] < wanted) low = middle + 1;
      else high = middle;
    }
    return sorted[low] === wanted ? low : -1;
  }

  /** The file that has the texts of sample i; 0 if none has. Asks the index only where some
   * samples were left out. */
  async function shardOf(cell, i) {
    const kept = cell.whole ? null : (await indexOf(cell)).kept;
    const place = kept ? position(kept, i) : i;
    return place < 0 ? 0 : Math.floor(place / SHARD) + 1;
  }

  /** Sample numbers of `base` to those of `cell`, by id; null if both were asked the same. */
  async function mapping(base, cell) {
    if (base.samples === cell.samples) return null;
    const [from, to] = await Promise.all([indexOf(base), indexOf(cell)]);
    const places = new Map(to.ids.map((id, i) => [id, i]));
    return from.ids.map((id) => places.get(id) ?? -1);
  }

  /** The values of a metric, [] if there are none: a metric may be called "constructor". */
  const valuesOf = (scores, metric) => (Object.hasOwn(scores.metrics, metric) ? scores.metrics[metric] : []);

  const cellOf = (all, task, variant, model) =>
    all.cells.find((c) => c.task === task && c.variant === variant && c.model === model);

  /** The name of a model of the board; a cell may name it by id or by name. */
  const modelOf = (all, model) => all.models.find((m) => m.name === model || m.id === model);

  // ----------------------------------------------------------------------------- links

  /** The address of the page as it is, with some of its state changed: null takes a key away. */
  function link(patch, page = "") {
    const pairs = page ? [] : [...new URLSearchParams(location.hash.slice(1))];
    const kept = pairs.filter(([key]) => !(key in patch));
    for (const [key, value] of Object.entries(patch)) {
      for (const one of [value].flat()) if (one !== null && one !== "") kept.push([key, one]);
    }
    const text = kept.map(([key, value]) => `${encodeURIComponent(key)}=${encodeURIComponent(value)}`);
    return `${page}#${text.join("&")}`;
  }

  /** Draw the page now, and again whenever its state changes, whoever changed it. Returns the
   * function that changes it. */
  function follow(draw) {
    let drawn = null;
    const again = () => {
      if (location.hash === drawn) return;
      drawn = location.hash;
      draw();
    };
    state.listen(again);
    return {
      start: again,
      change(patch, options = {}) {
        state.set(patch, { push: Boolean(options.push) });
        again();
      },
    };
  }

  // ---------------------------------------------------------------------------- blocks

  /** What an address asks for and the site does not have. */
  class Absent extends Error {}

  /** One line on what could not be loaded or is not there, and what to do. */
  function fault(error) {
    const told = error instanceof Error ? error.message : String(error);
    return el("p", { class: "fault", role: "alert" }, told, /[.!?]$/.test(told) ? " " : ". ",
      error instanceof Absent ? "The address may be of an older state of this site: choose anew."
        : "Copy it again or publish the site anew, then reload this page.");
  }

  /** Put nodes in the place of all that is there. */
  function fill(place, ...nodes) {
    place.replaceChildren(...nodes.flat().filter((node) => node !== null && node !== undefined));
    return place;
  }

  /** A labelled choice of one; `options` are [value, text]. */
  function chooser(label, options, value, picked) {
    const select = el("select", {}, options.map(([key, text]) => el("option", { value: key }, text)));
    select.value = value;
    select.addEventListener("change", () => picked(select.value));
    return el("label", { class: "field" }, el("span", {}, label), select);
  }

  /** A labelled line of text that reports what was typed, a moment after the last key. */
  function typed(label, value, picked, attributes = {}) {
    const input = el("input", { type: "search", autocomplete: "off", value, ...attributes });
    let waiting = 0;
    input.addEventListener("input", () => {
      clearTimeout(waiting);
      waiting = setTimeout(() => picked(input.value), 200);
    });
    return el("label", { class: "field" }, el("span", {}, label), input);
  }

  /** Checkboxes for any number; `items` are {key, text, note}; `picked` gets the chosen keys. */
  function manyOf(title, items, chosen, picked) {
    const boxes = items.map((item) => {
      const box = el("input", { type: "checkbox", value: item.key, checked: chosen.includes(item.key) });
      box.addEventListener("change", () => {
        // in the order in which they were chosen: the first is what others are compared with
        const still = chosen.filter((key) => key !== item.key);
        picked(box.checked ? [...still, item.key] : still);
      });
      return el("label", { class: "chip", title: item.note || null }, box, el("bdi", {}, item.text));
    });
    const search = items.length > MANY ? searchOf(items, boxes) : null;
    return el("fieldset", { class: "many" }, el("legend", {}, title), search, el("div", { class: "chips" }, boxes));
  }

  function searchOf(items, boxes) {
    return typed("Find a model", "", (text) => {
      boxes.forEach((box, at) => {
        box.hidden = !items[at].text.toLowerCase().includes(text.toLowerCase());
      });
    });
  }

  /** Buttons of which one is on; `options` are [value, text]. */
  function toggles(label, options, value, picked) {
    const buttons = options.map(([key, text]) =>
      el("button", { type: "button", "aria-pressed": String(key === value), onclick: () => picked(key) }, text));
    return el("div", { class: "switch", role: "group", "aria-label": label }, buttons);
  }

  /** A table in a frame of its own width. `head` are texts or {text, n: whether numbers, fixed: whether never sorted by}; `rows`
   * are lists of cells (text, a node, or {text, v} with the number to sort by). With an id it can be
   * sorted, and its order stands in the state. */
  function table(caption, head, rows, { id = "", hidden = false } = {}) {
    const heads = head.map((one) => (typeof one === "string" ? { text: one } : one));
    const content = (cell) => (cell && cell.text !== undefined && !(cell instanceof Node) ? cell : { text: cell });
    const line = (cells) => cells.map((cell, at) => {
      const { text, v } = content(cell);
      const data = v === undefined ? null : { v: v === null ? "" : String(v) };
      const attributes = { class: heads[at].n ? "n" : null, dataset: data || {} };
      return at === 0 ? el("th", { scope: "row", ...attributes }, text) : el("td", attributes, text);
    });
    const found = el("table", { class: "data", id: id || null },
      el("caption", { class: hidden ? "unseen" : null }, caption),
      el("thead", {}, el("tr", {}, heads.map((one) => el("th", { scope: "col", class: one.n ? "n" : null, dataset: one.fixed ? { fixed: "" } : {} }, one.text)))),
      el("tbody", {}, rows.map((cells) => el("tr", cells.attributes || {}, line(cells)))));
    if (id) harness.table(found);
    return el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption }, found);
  }

  /** Fifty lines at a time: a line of buttons that reports the page chosen. */
  function pager(page, pages, picked) {
    const step = (to, text) => {
      const button = el("button", { type: "button", onclick: () => picked(to) }, text);
      button.disabled = to < 0 || to >= pages;
      return button;
    };
    return el("nav", { class: "row pager", "aria-label": "Pages of the list" },
      step(0, "First"), step(page - 1, "Previous 50"),
      el("span", {}, `page ${count(page + 1)} of ${count(pages)}`),
      step(page + 1, "Next 50"), step(pages - 1, "Last"));
  }

  const count = (n) => n.toLocaleString("en-US");
  const interval = (low, high) =>
    low === null || high === null ? "" : `[${number(low)}, ${number(high)}]`;

  /** Every object in a spec. */
  function* objects(node) {
    if (node === null || typeof node !== "object") return;
    if (!Array.isArray(node)) yield node;
    for (const inner of Object.values(node)) yield* objects(inner);
  }

  /** The axis titles of a spec, where they are not told apart by more than their channel. */
  function retitle(spec, titles) {
    for (const node of objects(spec)) {
      for (const [channel, title] of Object.entries(titles)) {
        if (node[channel] && node[channel].field && "title" in node[channel]) node[channel].title = title;
      }
    }
  }

  /** Scales and legends of verdicts: `domain` in the order of the theme's colours, and which of it
   * the legend has. */
  function rekind(spec, domain, shown) {
    for (const node of objects(spec)) {
      if (node.field !== "kind") continue;
      if (node.scale) node.scale.domain = domain;
      if (node.legend) node.legend.values = shown;
    }
  }

  const drawn = new WeakMap(); // figure -> what redraw() drew last

  /** Draw a chart of the page with other values, title and description; `edit` may change its
   * spec. Without values it is hidden; what is drawn already is left alone. */
  function redraw(figure, values, { title = "", words = "", edit = () => {} } = {}) {
    if (!figure) return;
    figure.hidden = values.length === 0;
    const now = JSON.stringify([values, title, words]);
    if (!values.length || drawn.get(figure) === now) return;
    drawn.set(figure, now);
    figure.querySelector(".plot").setAttribute("aria-label", `${title}. ${words}`);
    fill(figure.querySelector("figcaption"), el("h3", {}, title), el("p", {}, words));
    const source = figure.querySelector('script[type="application/json"]');
    const spec = JSON.parse(source.textContent);
    spec.description = words;
    edit(spec);
    source.textContent = JSON.stringify(spec);
    harness.chart(figure, values);
  }

  /** A chart of the same spec, for other values. */
  function copyOf(figure, data = {}) {
    const source = figure.querySelector('script[type="application/json"]').textContent;
    return el("figure", { class: "chart", dataset: { later: "", ...data } }, el("figcaption", {}),
      el("script", { type: "application/json" }, source), el("div", { class: "plot", role: "img" }));
  }

  // ------------------------------------------------------------------------ statistics

  function logGamma(x) {
    // Lanczos' series, g = 7, nine terms: 15 digits for x >= 0.5, which is all that is asked for
    const terms = [676.5203681218851, -1259.1392167224028, 771.32342877765313,
      -176.61502916214059, 12.507343278686905, -0.13857109526572012,
      9.9843695780195716e-6, 1.5056327351493116e-7];
    const z = x - 1;
    let sum = 0.99999999999980993;
    terms.forEach((term, k) => { sum += term / (z + k + 1); });
    const t = z + 7.5;
    return 0.5 * Math.log(2 * Math.PI) + (z + 0.5) * Math.log(t) - t + Math.log(sum);
  }

  /** The regularised incomplete beta function I_x(a, b), by its continued fraction (Lentz). */
  function betaI(x, a, b) {
    if (x <= 0 || x >= 1) return x <= 0 ? 0 : 1;
    if (x > (a + 1) / (a + b + 2)) return 1 - betaI(1 - x, b, a);
    const tiny = 1e-300;
    const safe = (v) => (Math.abs(v) < tiny ? tiny : v);
    let c = 1;
    let d = 1 / safe(1 - ((a + b) * x) / (a + 1));
    let f = d;
    for (let m = 1; m < 10000; m += 1) {
      const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
      const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
      let last = 1;
      for (const step of [even, odd]) {
        d = 1 / safe(1 + step * d);
        c = safe(1 + step / c);
        last = c * d;
        f *= last;
      }
      if (Math.abs(last - 1) < 1e-15) break;
    }
    const front = logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log1p(-x);
    return (Math.exp(front) * f) / a;
  }

  const tTail = (t, df) => 0.5 * betaI(df / (df + t * t), df / 2, 0.5);

  /** Student's t with `df` degrees of freedom: the value that is exceeded with chance 1 - p. */
  function tQuantile(p, df) {
    if (p === 0.5) return 0;
    if (p < 0.5) return -tQuantile(1 - p, df);
    let high = 1;
    while (tTail(high, df) > 1 - p) high *= 2;
    let low = 0;
    for (let turn = 0; turn < 200 && high - low > 1e-14 * high; turn += 1) {
      const middle = (low + high) / 2;
      if (tTail(middle, df) > 1 - p) low = middle;
      else high = middle;
    }
    return (low + high) / 2;
  }

  /** b minus a over the samples that both have a value for: mean, 95 % interval, wins, ties,
   * losses. Samples of one cluster count as one observation of the error (a cluster-robust
   * variance; without clusters it is the usual one). `higher`: whether more is better. */
  function paired(a, b, higher, clusters = null) {
    const found = { n: 0, before: 0, after: 0, diff: 0, low: null, high: null, wins: 0, ties: 0, losses: 0 };
    const at = [];
    for (let i = 0; i < a.length; i += 1) {
      if (a[i] === null || b[i] === null || a[i] === undefined || b[i] === undefined) continue;
      at.push(i);
      found.before += a[i];
      found.after += b[i];
      const better = higher ? b[i] - a[i] : a[i] - b[i];
      if (better > 0) found.wins += 1;
      else if (better < 0) found.losses += 1;
      else found.ties += 1;
    }
    const n = at.length;
    if (n === 0) return found;
    const mean = (found.after - found.before) / n;
    const sums = new Map();
    for (const i of at) {
      const group = clusters ? clusters[i] ?? `#${i}` : i;
      sums.set(group, (sums.get(group) || 0) + b[i] - a[i] - mean);
    }
    const groups = sums.size;
    if (groups > 1) {
      let squares = 0;
      for (const sum of sums.values()) squares += sum * sum;
      const error = Math.sqrt((groups / (groups - 1)) * squares) / n;
      const half = tQuantile(0.975, groups - 1) * error;
      Object.assign(found, { low: mean - half, high: mean + half });
    }
    return Object.assign(found, { n, before: found.before / n, after: found.after / n, diff: mean });
  }

  /** Whether values say yes or no. */
  const isYesNo = (...lists) => lists.every((list) => list.every((v) => v === null || v === 0 || v === 1));

  harness.explore = {
    Absent, board, indexOf, scoresOf, askedOf, postersOf, answersOf, shardOf, mapping, valuesOf, cellOf, modelOf, position,
    link, follow, fault, fill, chooser, typed, manyOf, toggles, table, pager, count, interval,
    redraw, copyOf, retitle, rekind, objects, tQuantile, paired, isYesNo,
  };
})();
