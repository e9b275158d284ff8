"use strict";
// The page of what is running: asks `harness view` once a second, and shows what it says.
//
// Needs an element with the id "live". Asks by a classic script element for live.js beside the page
// (not this file, which lies elsewhere), which calls harness.put("live", {...}); the content of that
// stands in harness/leaderboard/serve.py. Every text is hostile and is only ever shown as text.
//
// Classes, all inside #live, for the style sheet; colours are inherited:
//   live-note     a line about the whole page: nothing runs, the command has ended
//   live-new      the line with the link "show the new results"
//   live-run      a run, a section; with it one of live-running live-finished live-stopped live-killed
//   live-state    its line of state, with the link to the finished run (live-link)
//   live-sum      its line of counts, rate and time left
//   live-bars     the list of cells or judges; each entry is live-bar, with live-failing if some of
//                 it has failed: label (live-label), progress, counts (live-count)
//   live-answers  the latest answers, newest first; each entry is live-answer, with live-failed if it
//                 has no answer: whose it is (live-who), its text (live-text) or error (live-error)
//   unseen        for screen readers only (the line of news, if the page has no #say of its own)
(function () {
  const POLL_MS = 1000;
  const LOST_MS = 5000;
  const NEWS_MS = 10000; // between two announcements of how far a run is
  const STEP = 0.25; // of a run, worth an announcement
  const MOST_BARS = 200;
  const GONE = "The command harness view has ended, or is busy: start it again to look on.";

  const top = document.getElementById("live");
  if (!top) return;
  const note = add(top, "p", "live-note");
  const fresh = add(top, "p", "live-new");
  const news = document.getElementById("say") || add(top, "p", "unseen");
  news.setAttribute("aria-live", "polite");
  const place = add(top, "div", "live-runs");
  const shown = new Map(); // id of a run -> what is on the page of it
  let version = null;
  let lost = false;
  let quiet = 0; // no announcement of progress before this time

  // ------------------------------------------------------------------------------ asking

  const box = typeof harness === "object" && harness ? harness : (window.harness = {});
  const before = box.put;
  box.put = function (name, value) {
    if (name === "live") show(value);
    else if (before) before.call(box, name, value);
  };

  function ask() {
    const script = document.createElement("script");
    const next = (milliseconds) => {
      script.remove();
      setTimeout(ask, milliseconds);
    };
    script.onload = () => {
      if (lost) say("Looking on again.");
      lost = false;
      next(POLL_MS);
    };
    script.onerror = () => {
      write(note, GONE);
      if (!lost) say(GONE);
      lost = true;
      next(LOST_MS);
    };
    script.src = "live.js?t=" + Date.now();
    document.head.append(script);
  }

  // ------------------------------------------------------------------------------ showing

  function show(live) {
    if (version === null) version = live.version;
    offer(live.version !== version);
    const ids = new Set(live.runs.map((run) => run.id));
    for (const [id, old] of shown) {
      if (ids.has(id)) continue;
      old.section.remove();
      shown.delete(id);
    }
    live.runs.forEach((run, number) => {
      const known = shown.get(run.id);
      const parts = known || build(run);
      if (place.children[number] !== parts.section) {
        place.insertBefore(parts.section, place.children[number] || null);
      }
      announce(run, parts);
      update(run, parts);
    });
    write(note, live.runs.length ? "" : "No run is at work. One that begins is shown here at once.");
  }

  function offer(isNew) {
    if (!isNew || fresh.firstChild) return;
    const link = add(fresh, "a", "live-link");
    link.href = "index.html";
    link.textContent = "show the new results";
    say("There are new results.");
  }

  function build(run) {
    const section = document.createElement("section");
    const title = add(section, "h2", "");
    title.id = "live-" + run.id;
    section.setAttribute("aria-labelledby", title.id);
    title.textContent = run.tasks.join(", ") + " on " + run.models.join(", ");
    const state = add(section, "p", "live-state");
    const words = add(state, "span", "");
    const link = add(state, "span", "");
    const parts = { section, words, link, bars: new Map(), said: -1, state: null, answers: "" };
    parts.sum = add(section, "p", "live-sum");
    parts.cells = add(section, "ul", "live-bars");
    parts.judges = add(section, "ul", "live-bars");
    const details = add(section, "details", "live-latest");
    details.open = true;
    add(details, "summary", "").textContent = "Latest answers";
    parts.list = add(details, "ol", "live-answers");
    parts.details = details;
    shown.set(run.id, parts);
    return parts;
  }

  function update(run, parts) {
    const running = run.state === "running";
    parts.section.className = "live-run live-" + run.state;
    write(parts.words, running ? run.waiting || run.phase : run.words);
    if (run.href && !parts.link.firstChild) {
      parts.link.append(" ");
      const link = add(parts.link, "a", "live-link");
      link.href = run.href;
      link.textContent = "show this run";
    }
    write(parts.sum, sum(run, running));
    run.cells.slice(0, MOST_BARS).forEach((cell, number) => {
      const name = cell.task + " on " + cell.model + (cell.variant ? " (" + cell.variant + ")" : "");
      bar(parts, parts.cells, "cell" + number, name, cell, counts(cell, "failed"));
    });
    for (const judge of run.judges) {
      const cost = judge.cost ? ", $" + judge.cost.toFixed(judge.cost < 0.1 ? 4 : 2) : "";
      const text = counts(judge, "judge errors") + cost;
      bar(parts, parts.judges, "judge" + judge.judge, "judge " + judge.judge, judge, text);
    }
    answers(run, parts);
  }

  function bar(parts, list, key, name, one, text) {
    let entry = parts.bars.get(key);
    if (!entry) {
      const item = add(list, "li", "");
      const label = add(item, "label", "live-label");
      const progress = add(item, "progress", "");
      progress.id = parts.section.getAttribute("aria-labelledby") + "-" + parts.bars.size;
      label.htmlFor = progress.id;
      label.textContent = name;
      entry = { item, progress, count: add(item, "span", "live-count") };
      parts.bars.set(key, entry);
    }
    entry.item.className = "live-bar" + (one.failed ? " live-failing" : "");
    entry.progress.max = Math.max(one.total, 1);
    entry.progress.value = one.total ? one.done : 1;
    write(entry.count, text);
  }

  function answers(run, parts) {
    const now = JSON.stringify(run.answers);
    parts.details.hidden = !run.answers.length;
    if (now === parts.answers) return;
    parts.answers = now;
    parts.list.replaceChildren();
    for (const answer of [...run.answers].reverse()) {
      const failed = answer.error !== null;
      const item = add(parts.list, "li", "live-answer" + (failed ? " live-failed" : ""));
      const cell = run.cells[answer.cell];
      const whose = cell ? ", " + cell.task + " on " + cell.model : "";
      add(item, "p", "live-who").textContent = answer.sample + whose;
      const text = failed ? "no answer: " + answer.error : answer.text || "(no text)";
      const said = add(item, "p", failed ? "live-error" : "live-text");
      said.dir = "auto";
      said.textContent = text;
    }
  }

  // ------------------------------------------------------------------------------ words

  function counts(one, failing) {
    const known = one.cached ? ", " + number(one.cached) + " from the cache" : "";
    const failed = one.failed ? ", " + number(one.failed) + " " + failing : "";
    return number(one.done) + " of " + number(one.total) + known + failed;
  }

  function sum(run, running) {
    const words = [counts(run, "failed") + (running ? "" : " answers")];
    if (running && run.rate !== null) {
      words.push((run.rate < 10 ? run.rate.toFixed(1) : number(Math.round(run.rate))) + " a second");
    }
    if (running && run.left !== null) words.push("about " + time(run.left) + " left");
    words.push(time(run.seconds) + (running ? " so far" : " in all"));
    return words.join(" · ");
  }

  function number(value) {
    return value.toLocaleString("en-US");
  }

  function time(seconds) {
    const whole = Math.max(0, Math.round(seconds));
    if (whole < 60) return whole + " s";
    if (whole < 3600) return Math.floor(whole / 60) + " min " + (whole % 60) + " s";
    return Math.floor(whole / 3600) + " h " + Math.floor((whole % 3600) / 60) + " min";
  }

  /** A run that ends is told at once; how far one is, at every quarter, and not all the time. */
  function announce(run, parts) {
    const step = run.total ? Math.floor(run.done / run.total / STEP) : 0;
    const who = run.tasks.join(", ") + " on " + run.models.join(", ");
    if (run.state !== parts.state) {
      if (parts.state !== null || run.state === "running") say(who + ": " + run.words);
      parts.said = step;
    } else if (run.state === "running" && step > parts.said && Date.now() > quiet) {
      say(who + ": " + counts(run, "failed"));
      parts.said = step;
    }
    parts.state = run.state;
  }

  function say(text) {
    quiet = Date.now() + NEWS_MS;
    news.textContent = text;
  }

  // ------------------------------------------------------------------------------ elements

  function add(parent, name, classes) {
    const element = document.createElement(name);
    if (classes) element.className = classes;
    parent.append(element);
    return element;
  }

  /** Only what has changed is written: a selection stays, and nothing is read out again. */
  function write(element, text) {
    if (element.textContent !== text) element.textContent = text;
  }

  ask();
})();
