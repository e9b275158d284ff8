"use strict";
// First script of every page: what data files call, and the colours, before anything is painted.
(function () {
  const store = new Map();
  const waiting = new Map();

  window.harness = {
    /** Called by every data file, once: keeps a value and wakes those who wait for it. */
    put(name, value) {
      store.set(name, value);
      for (const wake of waiting.get(name) || []) wake(value);
      waiting.delete(name);
    },
    get(name) {
      return store.get(name);
    },
    /** Calls `wake` with the value of `name`, now or as soon as it is there. */
    when(name, wake) {
      if (store.has(name)) wake(store.get(name));
      else waiting.set(name, (waiting.get(name) || []).concat(wake));
    },
  };

  function kept() {
    try {
      return localStorage.getItem("harness-theme");
    } catch (error) {
      return null; // storage is forbidden: the system's colours then
    }
  }

  const page = document.documentElement;
  page.classList.add("js");
  const asked = /[#&]theme=(dark|light)\b/.exec(location.hash);
  const theme = asked ? asked[1] : kept();
  if (theme === "dark" || theme === "light") page.dataset.theme = theme;
})();
