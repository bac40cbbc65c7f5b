(() => {
  "use strict";
  const bar = document.getElementById("filter");
  if (!bar) return;
  const [probe, model, outcome] = bar.querySelectorAll("select");
  const count = bar.querySelector("output");
  const failed = (q) => q.querySelector(".reply.bad:not([hidden])") && ["wrong", q.dataset.k].includes(outcome.value);
  const apply = () => {
    let shown = 0;
    document.querySelectorAll("[data-m]").forEach((a) => {
      a.hidden = model.value !== "" && a.dataset.m !== "" && a.dataset.m !== model.value;
    });
    document.querySelectorAll("[data-p]").forEach((q) => {
      q.hidden = (probe.value !== "" && q.dataset.p !== probe.value) || (outcome.value !== "" && !failed(q));
      shown += q.hidden ? 0 : 1;
    });
    document.querySelectorAll(".card, .person, .fold").forEach((box) => {
      box.hidden = !box.querySelector("[data-p]:not([hidden])");
    });
    if (probe.value + outcome.value !== "") {
      document.querySelectorAll(".fold").forEach((fold) => { fold.open = true; });
    }
    count.textContent = shown + (shown === 1 ? " question" : " questions");
  };
  bar.hidden = false;
  bar.addEventListener("change", apply);
  document.querySelectorAll("[data-show]").forEach((link) => {
    link.addEventListener("click", () => {
      probe.value = model.value = "";
      outcome.value = link.dataset.show;
      apply();
    });
  });
  apply();
})();
