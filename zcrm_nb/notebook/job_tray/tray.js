// One table with buttons in its cells cannot be made of ipywidgets: no screen reader takes their
// boxes for a table. A button that had the focus has it again after a repainting.
function render({ model, el }) {
  const show = () => {
    const held = el.contains(document.activeElement) ? document.activeElement.dataset : {};
    el.innerHTML = model.get("page");
    const { act, job } = held;
    if (act === undefined) return;
    const buttons = [...el.querySelectorAll("button")];
    const same = (each) => each.dataset.job === job;
    (buttons.find((each) => same(each) && each.dataset.act === act) ?? buttons.find(same))?.focus();
  };
  const pressed = (event) => {
    const button = event.target.closest("button[data-act]");
    if (!button) return;
    button.disabled = true;
    model.send({ act: button.dataset.act, job: button.dataset.job });
    // Without a repainting (nothing has changed, or the kernel is gone) it can be pressed again.
    setTimeout(() => { button.disabled = false; }, 2000);
  };
  // Lab would take Enter and the space bar for its own shortcuts.
  const typed = (event) => {
    if (event.target.closest("button")) event.stopPropagation();
  };
  model.on("change:page", show);
  el.addEventListener("click", pressed);
  el.addEventListener("keydown", typed);
  show();
  return () => model.off("change:page", show);
}
export default { render };
