// Search, filters, sorting and copy buttons. Without this file every page still shows everything.
"use strict";

const words = (text) => text.toLowerCase().split(/\s+/).filter(Boolean);

function images() {
  const form = document.getElementById("filter");
  if (!form) return;
  const rows = [...document.querySelectorAll("#images tbody tr")];
  const count = document.getElementById("count");
  const none = document.getElementById("none");
  const fields = [...form.elements].filter((field) => field.name);
  const known = rows.map((row) => ({
    text: row.dataset.text.toLowerCase(),
    packages: row.dataset.packages.split("|").filter(Boolean),
  }));

  // Every word of the query is in the image's own text, or the query is the beginning of a package name or of
  // "package version".
  function match(index, query) {
    if (!query.length) return [];
    const { text, packages } = known[index];
    if (query.every((word) => text.includes(word))) return [];
    const wanted = query.join(" ").replace(/\s*==\s*/, " ");
    const hits = packages.filter((name) => name.toLowerCase().startsWith(wanted));
    return hits.length ? hits : null;
  }

  function apply() {
    const query = words(form.elements.q.value);
    const chosen = fields.filter((field) => field.name !== "q" && field.value);
    let shown = 0;
    rows.forEach((row, index) => {
      const hits = match(index, query);
      const fits = hits && chosen.every((field) => row.dataset[field.name].split("|").includes(field.value));
      row.hidden = !fits;
      row.querySelector(".hits").textContent = fits && hits.length ? `has ${hits.slice(0, 3).join(", ")}` : "";
      shown += fits ? 1 : 0;
    });
    count.textContent = shown === rows.length ? `${shown} images` : `${shown} of ${rows.length} images`;
    none.hidden = shown > 0;
    const state = new URLSearchParams(fields.filter((field) => field.value).map((field) => [field.name, field.value]));
    const wanted = `#${state}`;
    if (location.hash !== wanted && (location.hash || `${state}`)) location.replace(wanted);
  }

  function restore() {
    const state = new URLSearchParams(location.hash.slice(1));
    fields.forEach((field) => {
      const value = state.get(field.name) || "";
      if (field.value !== value) field.value = value;
    });
    apply();
  }

  form.hidden = false;
  form.addEventListener("input", apply);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(apply));
  document.getElementById("clear").addEventListener("click", () => form.reset());
  window.addEventListener("hashchange", restore);
  restore();
}

function sorting() {
  document.querySelectorAll("th[data-sort]").forEach((head) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const up = head.getAttribute("aria-sort") !== "ascending";
      head.parentElement.querySelectorAll("th").forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const body = head.closest("table").tBodies[0];
      const value = (row) => row.cells[head.cellIndex].dataset.value;
      const order = head.dataset.sort === "number"
        ? (a, b) => Number(value(a)) - Number(value(b))
        : (a, b) => value(a).localeCompare(value(b), "en", { numeric: true });
      body.append(...[...body.rows].sort((a, b) => (up ? order(a, b) : order(b, a))));
    });
  });
}

function packages() {
  document.querySelectorAll("[data-filters]").forEach((field) => {
    const input = field.querySelector("input");
    const section = field.closest("section");
    field.hidden = false;
    input.addEventListener("input", () => {
      const query = words(input.value);
      section.querySelectorAll("table.packages tbody tr").forEach((row) => {
        const text = row.textContent.toLowerCase();
        row.hidden = !query.every((word) => text.includes(word));
      });
      section.querySelectorAll("details[data-list]").forEach((details) => { details.open = query.length > 0; });
    });
  });
}

function copying() {
  if (!navigator.clipboard) return;
  document.querySelectorAll(".copy").forEach((button) => {
    button.hidden = false;
    button.addEventListener("click", async () => {
      const code = button.parentElement.querySelector("code");
      try {
        await navigator.clipboard.writeText(code.textContent);
        button.textContent = "Copied";
      } catch {
        getSelection().selectAllChildren(code);
        button.textContent = "Selected";
      }
      setTimeout(() => { button.textContent = "Copy"; }, 1500);
    });
  });
}

images();
sorting();
packages();
copying();
