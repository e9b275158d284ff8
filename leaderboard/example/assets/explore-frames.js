// What was seen of a sample: pictures, and the frames of its videos with their times and events.
"use strict";

(() => {
  const { el } = harness;
  const explore = harness.explore;
  const { postersOf, shardOf } = explore;

  const seconds = (time) => `${time.toFixed(2)} s`;
  const published = (src) => /^media\/[^:]*$/.test(src || "");

  /** An element of a file of the site; a line in its place if the file is missing. */
  function shown(node, src) {
    node.addEventListener("error", () => node.replaceWith(el("p", { class: "empty" }, `(${src} is missing)`)));
    return node;
  }

  /** A picture or a video; only files of the site are asked for. */
  function medium(item) {
    const when = item.time === null || item.time === undefined ? "" : `at ${seconds(item.time)}`;
    const name = item.name || item.src || "";
    if (!published(item.src)) {
      return el("figure", { class: "medium" }, el("figcaption", {}, `${name} (not published)`));
    }
    const seen = item.kind === "video"
      ? el("video", { controls: true, preload: "metadata", src: item.src, "aria-label": name })
      : el("img", { src: item.src, loading: "lazy", alt: `${item.kind} ${when} ${name}`.replace(/\s+/g, " ") });
    return el("figure", { class: `medium ${item.kind}` }, shown(seen, item.src), el("figcaption", {}, when || name));
  }

  /** One frame: its time, and whether it lies within an event, in words as well. */
  function frame(item, at) {
    const when = item.time === null ? `picture ${at + 1}` : seconds(item.time);
    const inside = item.event ? ", within an event" : "";
    const seen = published(item.src)
      ? shown(el("img", { src: item.src, loading: "lazy", alt: `${item.name}: ${when}${inside}` }), item.src)
      : el("p", { class: "empty" }, "(not published)");
    return el("li", { class: item.event ? "event" : null },
      el("figure", {}, seen, el("figcaption", {}, when, item.event ? [" ", el("strong", {}, "event")] : null)));
  }

  /** How many of the frames that were seen an event has; a brief one may have none. */
  function event([first, last, hits], count) {
    const where = `Event from ${seconds(first)} to ${seconds(last)}: `;
    if (!count) return el("li", {}, `${where}no frame is known`);
    const none = el("strong", { class: "missed" }, "no frame that was seen lies in it");
    return el("li", {}, where, hits ? `${hits} of the ${count} frames seen ${hits === 1 ? "lies" : "lie"} in it` : none);
  }

  function strip(clip) {
    const drawn = clip.frames.length;
    const few = drawn < clip.seen ? `${drawn} of the ${clip.seen} frames seen` : `${drawn} ${drawn === 1 ? "frame" : "frames"} seen`;
    const events = clip.events || [];
    return el("div", { class: "strip" },
      el("p", { class: "small muted" }, el("bdi", {}, clip.name), drawn ? `: ${few}` : "", clip.how ? ` (${clip.how})` : ""),
      clip.note ? el("p", { class: "empty" }, `(${clip.note})`) : null,
      drawn ? el("ol", { class: "frames" }, clip.frames.map(frame)) : null,
      events.length ? el("ul", { class: "small events" }, events.map((one) => event(one, clip.seen))) : null);
  }

  /** The frames that models saw of sample i: [{names, clips}], once for all that saw the same. */
  async function seenBy(models, i) {
    const found = new Map();
    for (const model of models) {
      const place = model.map ? model.map[i] : i;
      const shard = place < 0 || !model.cell.posters ? 0 : await shardOf(model.cell, place);
      const key = `${model.cell.posters} ${place}`;
      if (found.has(key)) found.get(key).names.push(model.name);
      else if (shard) {
        const part = await postersOf(model.cell, shard);
        const at = part.i.indexOf(place);
        if (at >= 0) found.set(key, { names: [model.name], clips: part.clips[at] });
      }
    }
    return [...found.values()];
  }

  /** Nodes of all that was seen: `media` of the sample itself, `strips` as seenBy() has them. */
  function seenView(media, strips) {
    const named = media.filter((item) => published(item.src) || !strips.length);
    return [
      named.length ? el("div", { class: "media" }, named.map(medium)) : null,
      ...strips.flatMap(({ names, clips }) => [
        strips.length > 1 ? el("h4", {}, `By ${names.join(", ")}`) : null, ...clips.map(strip)]),
    ].filter(Boolean);
  }

  Object.assign(explore, { seenBy, seenView });
})();
