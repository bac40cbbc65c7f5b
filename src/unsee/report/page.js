(() => {
  "use strict";
  const bar = document.getElementById("filter");
  if (bar) {
    const [probe, model] = bar.querySelectorAll("select");
    const count = bar.querySelector("output");
    const apply = () => {
      let shown = 0;
      document.querySelectorAll("[data-p]").forEach((q) => {
        q.hidden = probe.value !== "" && q.dataset.p !== probe.value;
        shown += q.hidden ? 0 : 1;
      });
      document.querySelectorAll("[data-m]").forEach((a) => {
        a.hidden = model.value !== "" && a.dataset.m !== "" && a.dataset.m !== model.value;
      });
      document.querySelectorAll(".card, .person, .fold").forEach((box) => {
        box.hidden = !box.querySelector("[data-p]:not([hidden])");
      });
      count.textContent = shown + (shown === 1 ? " question" : " questions");
    };
    bar.hidden = false;
    bar.addEventListener("change", apply);
    apply();
  }
  const closed = [];
  addEventListener("beforeprint", () => {
    document.querySelectorAll("details:not([open])").forEach((d) => { d.open = true; closed.push(d); });
  });
  addEventListener("afterprint", () => { while (closed.length) closed.pop().open = false; });
})();
