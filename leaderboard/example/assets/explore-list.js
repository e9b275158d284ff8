// The list of samples that the pages compare and samples share: fifty lines at a time, and one
// sample opened from it. What stands in the list, and in which order, the page says.
"use strict";

(() => {
  const { el, state, say } = harness;
  const explore = harness.explore;
  const { fill, fault, link, pager, table, toggles, count } = explore;
  const LINES = 50;
  const AT_ONCE = 20000; // samples whose scores are loaded without being asked for

  /** A sample's number from the state: `i`, or by the id in `sample`. Null: the list is shown. */
  async function opened(cell) {
    const i = state.get("i");
    if (i !== null) {
      if (/^\d+$/.test(i) && Number(i) < cell.n) return Number(i);
      throw new explore.Absent(`There is no sample number ${i}: it has ${count(cell.n)}, from 0 on`);
    }
    const id = state.get("sample");
    if (id === null) return null;
    const found = (await explore.indexOf(cell)).ids.indexOf(id);
    if (found < 0) throw new explore.Absent(`There is no sample “${id}” in ${cell.task}`);
    return found;
  }

  /**
   * A list with a sample that opens in its place.
   *
   * `place` is the element that holds it. `change(patch, options)` sets the state and draws the
   * page. The returned `show(job)` draws; a job is
   *   key       text that differs if and only if the list does
   *   models    [{name, cell, map}], see sampleView; metric
   *   order     () -> Promise of the numbers of the samples in the list
   *   lines     (numbers) -> {caption, head, rows}; the first cell of a row is made by `opener`
   *   words     (number of lines) -> what the list is, in words
   *   against   what differences are marked against, and what it may be: [[value, text], ..]
   */
  function browser(place, change) {
    let turn = 0;
    let known = { key: null, order: null };
    let back = null; // the sample that was open last: the list returns to its line
    let focus = "";

    const orderOf = (job) => {
      if (known.key !== job.key) known = { key: job.key, order: job.order() };
      known.order.catch(() => { known.key = null; });
      return known.order;
    };

    async function show(job) {
      turn += 1;
      const mine = turn;
      place.dataset.key = job.key;
      try {
        const i = await opened(job.models[0].cell);
        if (mine !== turn) return;
        if (i === null) await showList(job, mine);
        else await showSample(job, i, mine);
      } catch (error) {
        if (mine === turn) fill(place, fault(error), closer("Back to the list"));
      }
    }

    // ------------------------------------------------------------------------ the list

    async function showList(job, mine) {
      const stays = place.dataset.view === "list";
      if (!stays) fill(place, el("p", { class: "muted" }, "Loading the scores"));
      const order = await orderOf(job);
      if (mine !== turn) return;
      const pages = Math.max(1, Math.ceil(order.length / LINES));
      const came = back === null ? -1 : order.indexOf(back);
      const asked = came >= 0 ? Math.floor(came / LINES) : Number(state.get("page") || 1) - 1;
      const page = Math.min(Math.max(0, Math.trunc(asked) || 0), pages - 1);
      if (came >= 0) state.set({ page: page ? page + 1 : null });
      const words = job.words(order.length);
      const turned = (to) => {
        focus = "page";
        change({ page: to ? to + 1 : null }, { push: true });
      };
      const content = job.lines(order.slice(page * LINES, (page + 1) * LINES));
      const list = order.length
        ? table(content.caption, content.head, content.rows, { hidden: true })
        : el("p", { class: "empty" }, "No sample is like that.");
      const heading = el("p", { class: "found", tabindex: "-1" }, words);
      fill(place, heading, pages > 1 ? pager(page, pages, turned) : null, list,
        pages > 1 ? pager(page, pages, turned) : null);
      const first = known.said !== words;
      known.said = words;
      place.dataset.view = "list";
      if (came >= 0) place.querySelector(`a[data-i="${back}"]`)?.focus();
      else if (focus === "page") heading.focus();
      if (focus === "page") say(`page ${page + 1} of ${pages}`);
      else if (first) say(words);
      back = null;
      focus = "";
    }

    /** The first cell of a sample's line: its id, which opens it, and how its input begins. */
    function opener(i, index) {
      const id = el("a", { class: "id", href: link({ i, sample: null }), dataset: { i: String(i) },
        onclick: (event) => {
          if (event.ctrlKey || event.metaKey || event.shiftKey) return;
          event.preventDefault();
          focus = "open";
          change({ i, sample: null }, { push: true });
        } }, el("bdi", {}, index.ids[i] === "" ? "(no id)" : index.ids[i]));
      return index.titles ? el("div", {}, id, el("span", { class: "title", dir: "auto" }, index.titles[i])) : id;
    }

    // ---------------------------------------------------------------------- the sample

    function close() {
      back = place.dataset.view === "sample" && shown ? shown.i : null;
      change({ i: null, sample: null }, { push: true });
    }

    const closer = (text) => el("button", { type: "button", onclick: close }, text);

    async function step(job, i, by) {
      const order = await orderOf(job);
      const at = order.indexOf(i);
      const to = at < 0 ? 0 : at + by;
      if (to < 0 || to >= order.length) {
        say(by > 0 ? "this is the last sample of the list" : "this is the first sample of the list");
        return;
      }
      change({ i: order[to], sample: null });
    }

    function frame(job) {
      const heading = el("h2", { tabindex: "-1" }, "Sample");
      const where = el("p", { class: "muted small" });
      const places = { heading, where, i: 0, job, view: el("div", {}) };
      const button = (text, key, by) => el("button", { type: "button", "aria-keyshortcuts": key, "aria-label": text,
        title: `${text} (key ${key})`, onclick: () => step(places.job, places.i, by) }, by < 0 ? "←" : "→");
      places.bar = el("div", { class: "row bar" }, closer("Back to the list"),
        button("Previous sample", "k", -1), button("Next sample", "j", 1),
        el("span", { class: "keys muted small" }, el("kbd", {}, "k"), " ", el("kbd", {}, "j"), " previous, next"));
      places.choice = el("div", { class: "row" });
      places.byId = el("a", {}, "Link by id");
      places.node = el("section", { class: "opened", "aria-label": "Sample" }, places.bar,
        el("div", { class: "head" }, heading, where), places.choice, places.view);
      return places;
    }

    let shown = null;

    async function showSample(job, i, mine) {
      const fresh = place.dataset.view !== "sample";
      if (fresh) {
        shown = frame(job);
        fill(place, shown.node);
        place.dataset.view = "sample";
      }
      Object.assign(shown, { job, i });
      const view = await explore.sampleView({ models: job.models, i, metric: job.metric, against: job.against });
      if (mine !== turn) return;
      const marked = shown.choice.contains(document.activeElement);
      shown.view.replaceWith(view);
      shown.view = view;
      const { cell } = job.models[0];
      const id = view.sampleId ?? (await explore.indexOf(cell)).ids[i];
      if (mine !== turn) return;
      fill(shown.heading, "Sample ", el("bdi", {}, id));
      shown.choice.hidden = view.sampleId === undefined; // nothing to mark
      const label = "Mark what differs from";
      fill(shown.choice, el("span", { class: "muted small", "aria-hidden": "true" }, label),
        toggles(label, job.marks, job.against, (marks) => change({ marks })));
      if (marked) shown.choice.querySelector('[aria-pressed="true"]').focus();
      shown.byId.setAttribute("href", link({ i: null, sample: id }));
      fill(shown.where, `${job.title} · number ${count(i + 1)} of ${count(cell.n)}`, el("span", {}, ""), " · ", shown.byId);
      const inBar = shown.bar.contains(document.activeElement);
      if (!inBar && !marked && !typing(document.activeElement)) {
        shown.heading.focus({ preventScroll: true });
      }
      if (shown.node.getBoundingClientRect().top < 0 || fresh) shown.node.scrollIntoView({ block: "start" });
      focus = "";
      say(`sample ${id}`);
      await view.done;
      if (mine === turn) rank(job, i, mine);
    }

    /** Where the sample stands in the list, once that is known: it never holds up the sample, and
     * is not worth loading the scores of very many samples. */
    function rank(job, i, mine) {
      if (known.key !== job.key && job.models[0].cell.n > AT_ONCE) return;
      setTimeout(() => orderOf(job).then((order) => {
        const at = order.indexOf(i);
        if (mine !== turn || !shown) return;
        shown.where.querySelector("span").textContent = at < 0 ? " · not in the list as it is filtered"
          : ` · place ${count(at + 1)} of ${count(order.length)} in the list`;
      }, () => {}), 300);
    }

    // ------------------------------------------------------------------------ keyboard

    const typing = (node) => Boolean(node && node.closest("input, select, textarea, video"));

    document.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey || typing(event.target)) return;
      const by = { j: 1, k: -1, ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (place.dataset.view === "sample" && shown) {
        const arrow = event.key.startsWith("Arrow");
        if (by && !(arrow && !shown.bar.contains(event.target) && event.target !== shown.heading && event.target !== document.body)) {
          event.preventDefault();
          step(shown.job, shown.i, by);
        } else if (event.key === "Escape") close();
      } else if (by && !event.key.startsWith("Arrow")) {
        const links = [...place.querySelectorAll("a[data-i]")];
        const next = links[links.indexOf(document.activeElement) + by];
        if (next) next.focus();
      }
    });

    return { show, opener };
  }

  Object.assign(explore, { browser });
})();
