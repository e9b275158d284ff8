"use strict";
// The core that all pages share: loading, building, state, numbers, tables, charts, colours.
// Text of models and data is hostile: it only ever becomes text nodes and attribute values.
(function () {
  const harness = window.harness;
  const root = document.documentElement;

  // ------------------------------------------------------------------ loading

  const scripts = new Map();

  /** Appends a script once; resolves when it ran. A failed one may be tried again. */
  function script(path) {
    if (!scripts.has(path)) {
      scripts.set(
        path,
        new Promise((resolve, reject) => {
          const node = document.createElement("script");
          node.src = path;
          node.onload = () => resolve();
          node.onerror = () => {
            scripts.delete(path);
            node.remove();
            reject(new Error(`${path} could not be loaded; was the whole folder copied?`));
          };
          document.head.append(node);
        }),
      );
    }
    return scripts.get(path);
  }

  /** The value that the file at `path` puts under `name`. */
  async function load(path, name) {
    if (harness.get(name) === undefined) await script(path);
    const value = harness.get(name);
    if (value === undefined) throw new Error(`${path} is damaged: "${name}" is not in it`);
    return value;
  }

  // ------------------------------------------------------------------ building

  const SCHEME = /^\s*([a-z][a-z0-9+.-]*):/i;

  function attribute(node, name, value) {
    if (value === null || value === undefined || value === false) return;
    if (name === "dataset") Object.assign(node.dataset, value);
    else if (name === "style") {
      for (const [key, each] of Object.entries(value)) node.style.setProperty(key, each);
    } else if (name.startsWith("on")) {
      if (typeof value !== "function") throw new TypeError(`${name} must be a function`);
      node.addEventListener(name.slice(2), value);
    } else if (name === "href" || name === "src") {
      const scheme = SCHEME.exec(value);
      if (!scheme || /^https?$/i.test(scheme[1])) node.setAttribute(name, value);
    } else if (name === "value") node.value = value;
    else if (name === "checked") node.checked = Boolean(value);
    else node.setAttribute(name, value === true ? "" : value);
  }

  /** An element; strings and numbers become text, null and false nothing, arrays are laid flat. */
  function el(tag, attributes, ...children) {
    const node = document.createElement(tag);
    const later = [];
    for (const [name, value] of Object.entries(attributes || {})) {
      if (name === "value") later.push([name, value]); // of a <select>: after its options
      else attribute(node, name, value);
    }
    for (const child of children.flat(Infinity)) {
      if (child === null || child === undefined || child === false) continue;
      node.append(child instanceof Node ? child : String(child));
    }
    for (const [name, value] of later) attribute(node, name, value);
    return node;
  }

  let speaking = 0;

  /** Tells screen readers, politely. */
  function say(text) {
    const region = document.getElementById("say");
    if (!region) return;
    clearTimeout(speaking);
    region.textContent = "";
    speaking = setTimeout(() => (region.textContent = text), 120); // so that a repetition is read
  }

  // ------------------------------------------------------------------ the page's state

  function decoded(text) {
    try {
      return decodeURIComponent(text);
    } catch (error) {
      return text;
    }
  }

  /** The pairs of the hash; a hash without "=" is the id of a part of the page. */
  function pairs() {
    const text = location.hash.slice(1);
    if (!text.includes("=")) return [];
    return text.split("&").flatMap((part) => {
      const at = part.indexOf("=");
      return at < 1 ? [] : [[decoded(part.slice(0, at)), decoded(part.slice(at + 1))]];
    });
  }

  const state = {
    /** The value of a key, null if it is not there. */
    get(key) {
      const found = pairs().find(([name]) => name === key);
      return found ? found[1] : null;
    },
    /** All values of a key. */
    all(key) {
      return pairs().filter(([name]) => name === key).map(([, value]) => value);
    },
    /** Sets or (null, "", []) removes keys; the others stay. No listener is called. */
    set(changes, { push = false } = {}) {
      const kept = pairs().filter(([name]) => !(name in changes));
      for (const [name, value] of Object.entries(changes)) {
        for (const each of [value].flat()) {
          if (each !== null && each !== undefined && each !== "") kept.push([name, String(each)]);
        }
      }
      const hash = kept.map((pair) => pair.map(encodeURIComponent).join("=")).join("&");
      const address = location.href.split("#")[0] + (hash ? `#${hash}` : "");
      if (address === location.href) return;
      if (push) history.pushState(null, "", address);
      else history.replaceState(null, "", address);
    },
    /** Calls `heard` when the hash was changed from outside: a link, back, forward. */
    listen(heard) {
      window.addEventListener("hashchange", () => heard());
    },
  };

  // ------------------------------------------------------------------ numbers

  /** As Python writes it: what lies exactly between two goes to the even one. */
  function fixed(size, digits) {
    const twice = size * 2 ** (digits + 1);
    if (Number.isInteger(twice) && twice % 2 === 1) {
      const low = Math.floor(size * 10 ** digits);
      return ((low + (low % 2)) / 10 ** digits).toFixed(digits);
    }
    return size.toFixed(digits);
  }

  /** About three figures, "-" for none; the same as `number` of harness/results/render.py. */
  function number(value, { sign = false } = {}) {
    if (value === null || value === undefined) return "-";
    if (Number.isNaN(value)) return "nan";
    if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
    const size = Math.abs(value);
    const text = fixed(size, size < 10 ? 3 : size < 100 ? 2 : size < 10000 ? 1 : 0);
    if (Number(text) === 0) return text;
    return (value < 0 ? "-" : sign ? "+" : "") + text;
  }

  // ------------------------------------------------------------------ tables

  const words = new Intl.Collator("en", { numeric: true, sensitivity: "base" });

  function keyOf(row, column) {
    const cell = row.cells[column];
    if (!cell) return null;
    const value = cell.dataset.v;
    if (value !== undefined) return value === "" ? null : Number(value);
    return cell.textContent.trim() || null;
  }

  /** -1, 0, 1 with nothing last, whichever way the others run. */
  function order(a, b, down) {
    if (a === null || b === null) return (a === null) - (b === null);
    const found =
      typeof a === "number" && typeof b === "number" ? a - b : words.compare(String(a), String(b));
    return down ? -found : found;
  }

  /**
   * Makes a table sortable by its last head row: a button in each <th>, `aria-sort`, and the order
   * in the state under `data-key` (else "sort-<id>"). A cell's `data-v` is its number, "" none;
   * else its text counts. A <th> with `data-first="down"` starts with the largest; with
   * `data-fixed` it is left as it is. A part of the <th> with `data-label` becomes the button.
   */
  function table(node) {
    if (!node || !node.tBodies.length || node.dataset.ready) return;
    node.dataset.ready = "yes";
    const key = node.dataset.key || `sort-${node.id}`;
    const heads = () => [...node.tHead.rows[node.tHead.rows.length - 1].cells];
    const nameOf = (head) => head.dataset.id || String(head.cellIndex);
    const original = [...node.tBodies[0].rows];

    function sort(head, down) {
      const body = node.tBodies[0];
      for (const each of heads()) each.removeAttribute("aria-sort");
      const rows = original.filter((row) => row.parentNode === body);
      if (head) {
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        const column = head.cellIndex;
        const keys = new Map(rows.map((row) => [row, keyOf(row, column)]));
        rows.sort((a, b) => order(keys.get(a), keys.get(b), down));
      }
      body.append(...rows);
    }

    function pressed(head) {
      const first = head.dataset.first === "down";
      const now = head.getAttribute("aria-sort");
      const down = now ? now === "ascending" : first;
      if (now && down === first) {
        sort(null); // the third press: as it was
        state.set({ [key]: null });
        say("sorted as at first");
        return;
      }
      sort(head, down);
      state.set({ [key]: `${nameOf(head)}:${down ? "down" : "up"}` });
      say(`sorted by ${head.textContent.replace(/\s+/g, " ").trim()}, ${down ? "largest" : "smallest"} first`);
    }

    function dress(head) {
      if ("fixed" in head.dataset || head.querySelector("button")) return;
      const inside = head.querySelector("[data-label]") || head;
      const button = el("button", { type: "button", class: "sort", onclick: () => pressed(head) });
      button.append(...inside.childNodes);
      if (head.dataset.note) button.title = head.dataset.note;
      inside.append(button);
    }

    function restore() {
      const wanted = state.get(key);
      const at = wanted ? wanted.lastIndexOf(":") : -1;
      const head = at > 0 ? heads().find((each) => nameOf(each) === wanted.slice(0, at)) : null;
      sort(head || null, head ? wanted.slice(at + 1) === "down" : false);
    }

    node.harness = { dress: () => heads().forEach(dress), restore };
    heads().forEach(dress);
    if (state.get(key)) restore();
    state.listen(restore);
  }

  // ------------------------------------------------------------------ charts

  const drawn = new Map(); // figure -> {values, view}
  const dark = matchMedia("(prefers-color-scheme: dark)");

  function theme() {
    return root.dataset.theme || (dark.matches ? "dark" : "light");
  }

  function specOf(figure) {
    return JSON.parse(figure.querySelector('script[type="application/json"]').textContent);
  }

  /** Draws the chart of a <figure class="chart">, with other values if they are given. */
  async function chart(figure, values) {
    const known = drawn.get(figure) || {};
    const job = { values: values === undefined ? known.values : values, view: known.view };
    drawn.set(figure, job);
    const plot = figure.querySelector(".plot");
    try {
      const themes = await load("assets/themes.js", "themes");
      await script("assets/vega.js");
      const spec = specOf(figure);
      if (job.values !== undefined) spec.data = { ...spec.data, values: job.values };
      if (drawn.get(figure) !== job) return; // drawn anew meanwhile
      const options = {
        mode: "vega-lite",
        config: themes[theme()],
        ast: true, // expressions are interpreted: no eval
        renderer: "svg",
        logLevel: 1, // errors; warnings tell nothing to a reader
        actions: false, // its menu would link to the network
        defaultStyle: false,
        tooltip: { disableDefaultStyle: true },
      };
      if (job.view) job.view.finalize();
      // numbers written beside the marks need room: on a phone such a chart scrolls in its box
      const wide = JSON.stringify(spec).includes('"type":"text"');
      const place = el("div", { class: wide ? "room" : null });
      plot.replaceChildren(place);
      plot.removeAttribute("data-fault");
      job.view = await window.vegaEmbed(place, spec, options);
      plot.toggleAttribute("tabindex", false);
      if (plot.scrollWidth > plot.clientWidth) plot.tabIndex = 0;
      figure.classList.add("drawn");
    } catch (error) {
      plot.dataset.fault = "yes";
      plot.textContent = `The chart cannot be drawn: ${error.message}`;
      const details = figure.querySelector("details");
      if (details) details.open = true;
    }
  }

  const near = new IntersectionObserver(
    (entries) => {
      for (const entry of entries) {
        if (!entry.isIntersecting) continue;
        near.unobserve(entry.target);
        if (!drawn.has(entry.target)) chart(entry.target);
      }
    },
    { rootMargin: "300px" },
  );

  // a chart whose values the page computes waits for its first call
  function watch(figure) {
    if (!("later" in figure.dataset)) near.observe(figure);
  }

  // ------------------------------------------------------------------ colours

  function repaint() {
    for (const figure of drawn.keys()) if (figure.isConnected) chart(figure);
    const button = document.getElementById("theme");
    if (button) button.setAttribute("aria-pressed", String(theme() === "dark"));
  }

  function switchTheme() {
    const next = theme() === "dark" ? "light" : "dark";
    root.dataset.theme = next;
    if (state.get("theme")) state.set({ theme: next });
    try {
      localStorage.setItem("harness-theme", next);
    } catch (error) {
      // forbidden: it holds until the page is left
    }
    repaint();
    say(`${next} colours`);
  }

  // ------------------------------------------------------------------ the page

  /** Goes to a part of the page and keeps the rest of the state. */
  function go(id, focus) {
    const target = document.getElementById(id);
    if (!target) return false;
    for (let node = target; node; node = node.parentElement) {
      if (node.tagName === "DETAILS") node.open = true;
    }
    target.scrollIntoView();
    if (focus) {
      if (!target.hasAttribute("tabindex")) target.setAttribute("tabindex", "-1");
      target.focus({ preventScroll: true });
    }
    return true;
  }

  function follow(event) {
    const link = event.target.closest('a[href^="#"]');
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const text = link.getAttribute("href").slice(1);
    if (text.includes("=") || !go(decoded(text), true)) return;
    event.preventDefault();
    if (!link.classList.contains("skip")) state.set({ at: decoded(text) });
  }

  /** Menus (<details class="menu">) close on Escape and when something else is pressed. */
  function closeMenus(event) {
    for (const menu of document.querySelectorAll("details.menu[open]")) {
      const inside = menu.contains(event.target);
      if (event.type === "keydown" ? event.key !== "Escape" : inside) continue;
      menu.open = false;
      if (event.type === "keydown" && inside) menu.querySelector("summary").focus();
    }
  }

  let opened = [];

  function start() {
    document.querySelectorAll("table.sortable").forEach(table);
    document.querySelectorAll("figure.chart").forEach(watch);
    const button = document.getElementById("theme");
    if (button) button.addEventListener("click", switchTheme);
    dark.addEventListener("change", repaint);
    document.addEventListener("click", follow);
    for (const kind of ["click", "keydown", "focusin"]) document.addEventListener(kind, closeMenus);
    window.addEventListener("beforeprint", () => {
      opened = [...document.querySelectorAll("figure.chart:not(.drawn) > details:not([open])")];
      for (const each of opened) each.open = true; // on paper the table stands for the chart
    });
    window.addEventListener("afterprint", () => opened.forEach((each) => (each.open = false)));
    repaint();
    let at = null;
    const arrive = () => {
      const next = state.get("at");
      if (next && next !== at) go(next, false);
      at = next;
    };
    arrive();
    state.listen(arrive);
  }

  Object.assign(harness, { load, el, state, number, chart, table, say, theme, script, go });
  harness.page = document.body ? document.body.dataset.page : "";
  harness.root = "";
  start(); // deferred: the document is there
})();
