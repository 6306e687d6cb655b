// One table with boxes in its lines cannot be made of ipywidgets: no screen reader takes their boxes
// for a table, and sixty fields would make hundreds of widgets. Filtering sends nothing.
const KINDS = [["", "all fields"], ["ticked", "ticked"], ["custom", "custom"],
  ["required", "required"], ["picklist", "with values"], ["lookup", "lookups"]];
function render({ model, el }) {
  const id = "zcrm-" + Math.random().toString(36).slice(2);
  const bar = document.createElement("div");
  bar.className = "zcrm-find";
  bar.innerHTML = `<label for="${id}">Find fields</label>
    <input id="${id}" type="search" autocomplete="off" spellcheck="false"
      placeholder="label or API name">
    <select aria-label="Which fields"></select><span class="zcrm-soft" role="status"></span>`;
  const [input, select, status] = [...bar.children].slice(1);
  KINDS.forEach(([value, words]) => select.add(new Option(words, value)));
  const table = document.createElement("div");
  table.className = "zcrm-scroll zcrm-tall";
  table.tabIndex = 0;
  table.setAttribute("role", "region");
  table.setAttribute("aria-label", "Fields");
  const boxes = () => [...table.querySelectorAll("input[data-name]")];
  const filter = () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    const ticked = new Set(model.get("ticked"));
    const lines = [...table.querySelectorAll("tbody tr")];
    let shown = 0;
    for (const line of lines) {
      const box = line.querySelector("input[data-name]");
      const kind = select.value;
      const fits = !kind || (kind === "ticked" ? box && ticked.has(box.dataset.name)
        : line.dataset.kinds.split(" ").includes(kind));
      line.hidden = !(fits && words.every((word) => line.dataset.find.includes(word)));
      shown += !line.hidden;
    }
    const all = lines.length;
    status.textContent = all === 0 ? "" :
      `${shown === all ? all : `${shown} of ${all}`} fields, ${ticked.size} ticked`;
  };
  const tick = () => {
    const ticked = new Set(model.get("ticked"));
    boxes().forEach((box) => { box.checked = ticked.has(box.dataset.name); });
    filter();
  };
  const paint = () => { table.innerHTML = model.get("page"); input.value = ""; select.value = "";
    table.scrollTop = 0; tick(); };
  const ticking = (event) => {
    const { name } = event.target.dataset;
    if (name === undefined) return;
    const others = model.get("ticked").filter((each) => each !== name);
    model.set("ticked", event.target.checked ? [...others, name] : others);
    model.save_changes();
    filter();
  };
  const named = (event) => event.target.closest("tbody th")?.closest("tr")
    .querySelector("input[data-name]")?.click();
  // Lab would take single letters, Enter and the space bar for its own shortcuts.
  const typed = (event) => event.stopPropagation();
  input.addEventListener("input", filter);
  select.addEventListener("change", filter);
  table.addEventListener("change", ticking);
  table.addEventListener("click", named);
  el.addEventListener("keydown", typed);
  model.on("change:page", paint);
  model.on("change:ticked", tick);
  el.append(bar, table);
  paint();
  return () => { model.off("change:page", paint); model.off("change:ticked", tick); };
}
export default { render };
