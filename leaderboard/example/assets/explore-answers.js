// One sample and what models answered to it: the pages compare and samples show it alike.
"use strict";

(() => {
  const { el, number } = harness;
  const explore = harness.explore;
  const { askedOf, answersOf, shardOf, seenBy, seenView, fault, fill, count } = explore;
  const LONG = 3000; // characters of a text that are shown at once
  const PAIRS = 4e6; // comparisons of words that are made at most for one text
  const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

  // ------------------------------------------------------------------- words that differ

  // a word, or one sign of a script without spaces, or one other sign; with the space behind it
  const WORD = /(?:[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}]|[\p{L}\p{N}_'’]+|[^\s])\s*|\s+/gu;
  const LINE = /[^\n]*\n|[^\n]+/g;

  /** Which parts of b are not in a, and which of a not in b: two lists of [text, differs].
   * Long texts are compared line by line. */
  function difference(a, b) {
    let left = a.match(WORD) || [];
    let right = b.match(WORD) || [];
    if (left.length * right.length > PAIRS * 4) {
      left = a.match(LINE) || [];
      right = b.match(LINE) || [];
    }
    const same = (i, j) => left[i].trimEnd() === right[j].trimEnd();
    let start = 0;
    while (start < left.length && start < right.length && same(start, start)) start += 1;
    let end = 0;
    const room = Math.min(left.length, right.length) - start;
    while (end < room && same(left.length - 1 - end, right.length - 1 - end)) end += 1;
    const n = left.length - start - end;
    const m = right.length - start - end;
    const common = n * m > PAIRS ? [new Set(), new Set()] : longest(n, m, (i, j) => same(start + i, start + j));
    return [parts(left, start, end, common[0]), parts(right, start, end, common[1])];
  }

  /** The longest common subsequence of n and m parts: the places on both sides. */
  function longest(n, m, same) {
    const width = m + 1;
    const length = new Uint32Array((n + 1) * width);
    for (let i = n - 1; i >= 0; i -= 1) {
      for (let j = m - 1; j >= 0; j -= 1) {
        length[i * width + j] = same(i, j) ? length[(i + 1) * width + j + 1] + 1
          : Math.max(length[(i + 1) * width + j], length[i * width + j + 1]);
      }
    }
    const found = [new Set(), new Set()];
    for (let i = 0, j = 0; i < n && j < m;) {
      if (same(i, j)) {
        found[0].add(i);
        found[1].add(j);
        i += 1;
        j += 1;
      } else if (length[(i + 1) * width + j] >= length[i * width + j + 1]) i += 1;
      else j += 1;
    }
    return found;
  }

  function parts(words, start, end, common) {
    const found = [];
    words.forEach((word, at) => {
      const differs = at >= start && at < words.length - end && !common.has(at - start);
      const last = found[found.length - 1];
      if (last && last[1] === differs) last[0] += word;
      else found.push([word, differs]);
    });
    return found;
  }

  // ------------------------------------------------------------------------------ texts

  /** A text as it stands; `marked` are its parts [text, differs], `tag` marks those that differ. */
  function text(words, kind = "text", marked = null, tag = "ins") {
    if (words === null || words === undefined) return el("p", { class: "empty" }, "(left out when the site was published: --no-text)");
    if (words === "") return el("p", { class: "empty" }, "(empty)");
    if (marked) {
      // the space behind the last word that differs is none of it
      return el("div", { class: kind, dir: "auto" }, marked.map(([part, differs]) => (differs
        ? [el(tag, {}, part.trimEnd() || part), part.trimEnd() ? part.slice(part.trimEnd().length) : ""] : part)));
    }
    const block = el("div", { class: kind, dir: "auto" }, words.slice(0, LONG));
    if (words.length > LONG) {
      const rest = words.length - LONG;
      block.append(el("button", { type: "button", class: "more", onclick: () => fill(block, words) },
        `… show ${count(rest)} more characters`));
    }
    return block;
  }

  const block = (title, ...inside) => el("section", { class: "part" }, el("h3", {}, title), inside);

  /** The choices, the right one named, with the models that took each. */
  function choiceList(choices, target, takers) {
    const lines = choices.map((choice, at) => {
      const letter = LETTERS[at] || String(at + 1);
      const right = target === letter;
      const names = takers.get(letter) || [];
      return el("tr", { class: right ? "right" : null },
        el("th", { scope: "row" }, letter),
        el("td", {}, el("bdi", {}, choice), right ? el("strong", {}, " ✓ reference") : ""),
        takers.size ? el("td", {}, names.join(", ") || "–") : null);
    });
    const heads = ["letter", "choice", ...(takers.size ? ["taken by"] : [])].map((head) => el("th", { scope: "col" }, head));
    return el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Choices" },
      el("table", { class: "data choices" }, el("caption", { class: "unseen" }, "Choices"),
        el("thead", {}, el("tr", {}, heads)), el("tbody", {}, lines)));
  }

  function source(row) {
    const lines = Object.entries(row).map(([key, value]) =>
      [el("dt", {}, key), el("dd", { dir: "auto" }, typeof value === "string" ? value : JSON.stringify(value))]);
    return el("details", {}, el("summary", {}, "All fields of the data row"), el("dl", { class: "facts" }, lines));
  }

  // ----------------------------------------------------------------------------- answers

  /** The answers to sample i in a file of answers: one record an epoch. */
  function answersTo(shard, i) {
    const found = [];
    const pick = (list, at, other = null) => (list ? list[at] : other);
    for (let at = shard.i.indexOf(i); at >= 0; at = shard.i.indexOf(i, at + 1)) {
      const scores = Object.entries(shard.scores || {}).map(([metric, column]) => ({
        metric,
        value: column.value[at],
        status: pick(column.status, at, "ok"),
        answer: pick(column.answer, at),
        note: pick(column.note, at),
      }));
      const verdicts = Object.entries(shard.verdicts || {}).flatMap(([judge, list]) =>
        list.filter((one) => one.row === at).map((one) => ({ judge, ...one })));
      found.push({
        epoch: pick(shard.epoch, at, 0),
        text: pick(shard.text, at),
        error: pick(shard.error, at),
        finish: pick(shard.finish, at),
        prompt: pick(shard.prompt, at),
        read: pick(shard.prompt_tokens, at),
        written: pick(shard.completion_tokens, at),
        latency: pick(shard.latency_ms, at),
        frames: pick(shard.frames, at),
        truncated: pick(shard.truncated, at),
        scores,
        verdicts,
      });
    }
    return found;
  }

  const FINISH = {
    length: "cut off at the most tokens allowed",
    scored: "chosen by likelihood",
    skipped: "skipped",
    error: "failed",
  };

  function spent(answer) {
    return [
      answer.latency === null ? null : `${number(answer.latency)} ms`,
      answer.frames ? `${count(answer.frames)} ${answer.frames === 1 ? "frame" : "frames"} seen` : null,
      answer.read === null ? null : `${count(answer.read)} tokens read`,
      answer.written === null ? null : `${count(answer.written)} written`,
      FINISH[answer.finish] || null,
      answer.truncated ? `prompt cut at the ${answer.truncated}` : null,
    ].filter(Boolean).join(" · ");
  }

  /** Scores with their explanations; what a judge's verdict shows anyhow is left to it: its
   * criteria ("rubric.accuracy[model]"), and its explanation. */
  function scoreTable(answer, name) {
    const judges = answer.verdicts.map((one) => one.judge);
    const told = (score, mark) => judges.some((judge) => score.metric.startsWith(judge + mark));
    const scores = answer.scores.filter((score) => !told(score, "."));
    const read = scores.some((score) => score.answer !== null && score.answer !== undefined);
    const heads = ["metric", "score", read && "read as"].filter(Boolean);
    const lines = scores.map((score) => el("tr", {},
      el("th", { scope: "row" }, score.metric,
        score.note && !told(score, "") ? el("div", { class: "muted small why", dir: "auto" }, score.note) : null),
      el("td", { class: "n" }, score.status === "ok" ? number(score.value) : el("span", { class: "failed" }, score.status)),
      read && el("td", { dir: "auto" }, score.answer === "" ? el("span", { class: "muted" }, "(empty)") : score.answer ?? "")));
    return el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": `Scores of ${name}` },
      el("table", { class: "data compact" }, el("caption", { class: "unseen" }, `Scores of ${name}`),
        el("thead", {}, el("tr", {}, heads.map((head) => el("th", { scope: "col", class: head === "score" ? "n" : null }, head)))),
        el("tbody", {}, lines)));
  }

  /** Points of a rubric, most of which are whole. */
  const points = (mark) => (Number.isInteger(mark) ? String(mark) : number(mark));

  function verdictView(verdict, open) {
    const value = verdict.status === "ok" ? number(verdict.value) : verdict.status;
    const paid = [
      verdict.model,
      verdict.repeat ? `repeat ${verdict.repeat + 1}` : null,
      verdict.latency_ms === null || verdict.latency_ms === undefined ? null : `${number(verdict.latency_ms)} ms`,
      verdict.cost_usd ? `$${verdict.cost_usd.toPrecision(2)}` : null,
      ...(verdict.flags || []),
    ].filter(Boolean).join(" · ");
    const criteria = (verdict.criteria || []).map(([name, mark]) =>
      el("li", {}, el("span", {}, name), " ", el("strong", {}, points(mark))));
    const total = verdict.total === null || verdict.total === undefined ? "" : ` (total ${points(verdict.total)})`;
    return el("details", { class: "verdict-of", open },
      el("summary", {}, el("span", {}, `Judge ${verdict.judge}: `), el("strong", {}, value), total),
      el("p", { class: "muted small" }, paid),
      verdict.error ? el("p", { class: "fault" }, `Error: ${verdict.error}`) : null,
      criteria.length ? el("ul", { class: "criteria" }, criteria) : null,
      verdict.reasoning ? text(verdict.reasoning, "text reasoning") : null,
      verdict.raw ? el("details", {}, el("summary", {}, "Raw reply"), text(verdict.raw, "text raw")) : null);
  }

  /** One answer; `marked` as in text(). */
  function answerView(answer, name, many, marked, tag) {
    return el("div", { class: "answer" },
      many ? el("h5", {}, `Epoch ${answer.epoch + 1}`) : null,
      answer.error !== null && answer.error !== undefined
        ? el("p", { class: "fault" }, el("strong", {}, answer.finish === "skipped" ? "Skipped: " : "Error: "), answer.error)
        : text(answer.text, "text reply", marked, tag),
      el("p", { class: "muted small" }, spent(answer)),
      answer.scores.length ? scoreTable(answer, name) : null,
      answer.verdicts.map((one) => verdictView(one, answer.verdicts.length <= 2)),
      answer.prompt ? el("details", {}, el("summary", {}, "Prompt as the model read it"), text(answer.prompt, "text raw")) : null);
  }

  function chip(answers, metric) {
    const values = answers.flatMap((a) => a.scores).filter((s) => s.metric === metric);
    const known = values.filter((s) => s.status === "ok" && s.value !== null);
    if (!values.length) return null;
    const mean = known.reduce((sum, s) => sum + s.value, 0) / known.length;
    return el("span", { class: "badge" }, known.length ? `${metric} ${number(mean)}` : `${metric}: no score`);
  }

  /** Marks for the first answers of several models: each against the first, which is marked
   * itself where there are two. Null where there is nothing to compare. */
  function marks(firsts, reference, against) {
    const said = firsts.map((a) => (a && !a.error && a.text ? a.text : null));
    if (against === "none") return said.map(() => null);
    if (against === "reference") {
      return said.map((one) => (one && reference ? [difference(reference, one)[1], "ins"] : null));
    }
    const found = said.map((one, at) =>
      at > 0 && one && said[0] ? [difference(said[0], one)[1], "ins"] : null);
    if (said.length === 2 && found[1]) found[0] = [difference(said[0], said[1])[0], "del"];
    return found;
  }

  function card(model, answers, metric, mark) {
    const known = answers.length > 0;
    return el("section", { class: "panel card", "aria-label": model.name },
      el("h4", {}, el("span", {}, model.name), " ", known ? chip(answers, metric) : null),
      known ? answers.map((one, at) => answerView(one, model.name, answers.length > 1,
        at === 0 && mark ? mark[0] : null, mark ? mark[1] : "ins"))
        : el("p", { class: "empty" }, "(was not asked this sample)"));
  }

  // ------------------------------------------------------------------------------ sample

  const LEFT_OUT = "The texts of this sample were left out when the site was published (--max-samples): its scores are in the list.";

  function askedView(asked, at, takers, strips) {
    const pick = (name) => (asked[name] ? asked[name][at] : null);
    const media = pick("media") || [];
    const choices = pick("choices") || [];
    const target = pick("target");
    const row = pick("row");
    return [
      block("Input", text(pick("input"), "text input")),
      media.length || strips.length ? block("What was seen", seenView(media, strips)) : null,
      choices.length ? block("Choices", choiceList(choices, target, takers)) : null,
      choices.length ? null : block("Reference", text(target, "text reference")),
      row ? source(row) : null,
    ];
  }

  /** Which models took which letter. */
  function takersOf(models, answers) {
    const found = new Map();
    answers.forEach((list, at) => {
      const score = list.length ? list[0].scores.find((s) => s.answer) : null;
      if (score) found.set(score.answer, [...(found.get(score.answer) || []), models[at].name]);
    });
    return found;
  }

  async function answersOfModel(model, i, map) {
    const place = map ? map[i] : i;
    const shard = place < 0 ? 0 : await shardOf(model.cell, place);
    return shard ? answersTo(await answersOf(model.cell, shard), place) : [];
  }

  /**
   * The sample i with the answers of models, as a node; resolves as soon as the question can be
   * shown, and fills in the answers as they come.
   *
   * `asked` is {models: [{name, cell, map}], i, metric, against}; `cell` of the first says which
   * samples are meant, `map` is mapping() from its to theirs.
   */
  async function sampleView({ models, i, metric, against }) {
    const first = models[0].cell;
    const cards = el("div", { class: "answers" }, el("p", { class: "muted" }, "Loading the answers"));
    const view = el("div", { class: "sample" });
    const shard = await shardOf(first, i);
    if (!shard) return fill(view, el("p", { class: "note" }, LEFT_OUT));
    const question = askedOf(first, shard); // asked for first: it is shown first
    const loading = models.map((model) => answersOfModel(model, i, model.map).then(
      (answers) => ({ answers }), (error) => ({ answers: [], error })));
    let asked;
    try {
      asked = await question;
    } catch (error) {
      return fill(view, fault(error));
    }
    const at = asked.i.indexOf(i);
    if (at < 0) return fill(view, el("p", { class: "note" }, LEFT_OUT));
    const top = el("div", { class: "asked" });
    const answered = block("Answers", cards);
    const strips = await seenBy(models, i).catch(() => []); // a picture less is no reason to fail
    fill(top, askedView(asked, at, new Map(), strips));
    fill(view, top, answered);
    view.sampleId = asked.id[at];
    view.done = Promise.all(loading).then((found) => {
      const lists = found.map((one) => one.answers);
      const marked = marks(lists.map((list) => list[0]), asked.target && asked.target[at], against);
      if (asked.choices && asked.choices[at] && asked.choices[at].length) {
        fill(top, askedView(asked, at, takersOf(models, lists), strips));
      }
      fill(cards, found.map((one, k) => (one.error
        ? el("section", { class: "panel card" }, el("h4", {}, models[k].name), fault(one.error))
        : card(models[k], one.answers, metric, marked[k]))));
      if (marked.some(Boolean)) cards.before(legend(against, models[0].name, models.length));
    });
    return view;
  }

  function legend(against, first, n) {
    const what = against === "reference" ? "not in the reference" : n === 2 ? "only in the second answer" : `not in the answer of ${first}`;
    return el("p", { class: "muted small" }, el("ins", {}, "underlined and bold"), `: ${what}`,
      against !== "reference" && n === 2 ? ["; ", el("del", {}, "struck through"), ": only in the first"] : null, ".");
  }

  Object.assign(explore, { difference, sampleView });
})();
