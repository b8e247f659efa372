// Reads a second's values at the pointer or with the arrow keys; the page is whole without it.
"use strict";
(() => {
  const words = (us) => {
    if (us === null) return "not measured";
    const [value, unit] = us >= 1e6 ? [us / 1e6, "s"] : us >= 1e3 ? [us / 1e3, "ms"] : [us, "µs"];
    return `${value >= 100 || unit === "µs" ? value.toFixed(0) : value.toPrecision(3)} ${unit}`;
  };

  const fill = (box, data, index) => {
    const last = (index + 1 < data.start.length ? data.start[index + 1] : data.end) - 1;
    const first = data.start[index];
    const when = last > first ? `seconds ${first} to ${last}` : `second ${first}`;
    box.replaceChildren();
    const line = (name, value) => {
      const row = document.createElement("div");
      for (const text of [name, value]) {
        const cell = document.createElement("span");
        cell.textContent = text;
        row.append(cell);
      }
      box.append(row);
    };
    line(when, "");
    for (const column of data.columns) line(column.name, words(column.us[index]));
  };

  const attach = (series) => {
    const data = JSON.parse(series.dataset.series);
    const grid = series.querySelector(".series-grid");
    const plots = [...series.querySelectorAll(".plot")];
    const cursor = document.createElement("div");
    const box = document.createElement("div");
    cursor.className = "cursor";
    box.className = "readout";
    box.setAttribute("role", "status");
    cursor.hidden = box.hidden = true;
    series.append(cursor, box);
    let at = -1;

    const hide = () => { cursor.hidden = box.hidden = true; };
    const show = (index) => {
      at = Math.max(0, Math.min(data.start.length - 1, index));
      const outer = series.getBoundingClientRect();
      const plot = plots[0].getBoundingClientRect();
      const x = plot.left - outer.left + ((at + 0.5) / data.start.length) * plot.width;
      fill(box, data, at);
      cursor.hidden = box.hidden = false;
      cursor.style.left = `${x}px`;
      const right = x + 12 + box.offsetWidth <= outer.width;
      box.style.left = `${right ? x + 12 : Math.max(0, x - 12 - box.offsetWidth)}px`;
      box.style.top = `${plot.top - outer.top}px`;
    };
    grid.addEventListener("pointermove", (event) => {
      const plot = plots[0].getBoundingClientRect();
      const share = (event.clientX - plot.left) / plot.width;
      if (share < 0 || share > 1) hide();
      else show(Math.floor(share * data.start.length));
    });
    grid.addEventListener("pointerleave", hide);
    grid.addEventListener("blur", hide);
    grid.tabIndex = 0;
    const label = "Seconds of this trial: left and right arrow keys read them out";
    grid.setAttribute("aria-label", label);
    grid.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1, Home: -1e9, End: 1e9 }[event.key];
      if (event.key === "Escape") hide();
      if (step === undefined) return;
      event.preventDefault();
      show(at + step);
    });
  };

  for (const series of document.querySelectorAll("[data-series]")) attach(series);
})();
