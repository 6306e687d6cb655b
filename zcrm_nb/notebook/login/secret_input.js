function render({ model, el }) {
  // Not crypto.randomUUID: a hub on an intranet may speak plain http, and has none there.
  const id = "zcrm-" + Math.random().toString(36).slice(2);
  const label = document.createElement("label");
  const input = document.createElement("input");
  label.htmlFor = input.id = id;
  input.autocomplete = "off";
  input.spellcheck = false;
  el.classList.add("zcrm-secret");
  const show = () => {
    label.textContent = model.get("label");
    input.type = model.get("hidden") ? "password" : "text";
    input.placeholder = model.get("hint");
  };
  const give = (entered) => {
    const text = input.value;
    input.value = "";
    model.send({ text, entered });
  };
  const asked = (message) => { if (message === "give") give(false); };
  // Lab would take single letters for its own shortcuts.
  input.addEventListener("keydown", (event) => {
    event.stopPropagation();
    if (event.key === "Enter") { event.preventDefault(); give(true); }
  });
  model.on("change", show);
  model.on("msg:custom", asked);
  show();
  el.append(label, input);
  return () => { model.off("change", show); model.off("msg:custom", asked); };
}
export default { render };
