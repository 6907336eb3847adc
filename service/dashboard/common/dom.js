/** DOM building blocks. Text is always inserted as text nodes: user input is never parsed as HTML. */

/** Make an element: attributes by name, listeners under `on`, then children as for `fill`. */
export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "on") {
      for (const [event, listener] of Object.entries(value)) node.addEventListener(event, listener);
    } else {
      node.setAttribute(name, value === true ? "" : value);
    }
  }
  fill(node, ...children);
  return node;
}

/** Set a node's text only if it changes, so that a live region is not read out again. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Replace the children of `node`; those that are null, undefined or false are skipped. */
export function fill(node, ...children) {
  node.replaceChildren(...children.flat().filter((child) => (child ?? false) !== false));
}

/** A message box; kind is empty, loading, failed or warning. */
export function note(kind, ...children) {
  return el("div", { class: `note ${kind}`, role: kind === "failed" ? "alert" : null }, ...children);
}

/** An error message, with a button to try again. */
export function failure(error, retry) {
  return note("failed", el("p", {}, error.message), retry && button("Try again", retry));
}

/** Show an error in `place`. */
export function fail(place, error, retry) {
  fill(place, failure(error, retry));
}

export function button(text, onClick, attributes = {}) {
  return el("button", { type: "button", ...attributes, on: { click: onClick } }, text);
}

/** A toggle button, pressed unless `attributes` say otherwise; `onToggle` receives whether it now is. */
export function toggle(children, onToggle, attributes) {
  const press = () => {
    const isPressed = element.getAttribute("aria-pressed") === "false";
    element.setAttribute("aria-pressed", isPressed);
    onToggle(isPressed);
  };
  const element = button(children, press, { "aria-pressed": "true", ...attributes });
  return element;
}

/** A titled section of a page. */
export function section(title, ...children) {
  const id = `part-${title.toLowerCase().replaceAll(/[^a-z]+/g, "-")}`;
  const heading = el("h2", { id }, title);
  return el("section", { "aria-labelledby": id, class: "card" }, heading, ...children);
}

/** A control with its label. */
export function field(label, control) {
  return el("div", { class: "field" }, el("label", { for: control.id }, label), control);
}

/** Radio buttons shown side by side; their `change` events bubble up. */
export function choice(legend, name, titles, chosen) {
  const labels = Object.entries(titles).map(([value, title]) =>
    el(
      "label",
      {},
      el("input", { type: "radio", name, value, checked: value === chosen }),
      el("span", {}, title),
    ),
  );
  return el(
    "fieldset",
    {},
    el("legend", { class: "visually-hidden" }, legend),
    el("div", { class: "choice" }, labels),
  );
}

/** A status as a word with a coloured dot. */
export function statusBadge(status) {
  return el("span", { class: `status status-${status}` }, status);
}

/** Update a badge made by `statusBadge`. */
export function setStatus(badge, status) {
  setText(badge, status);
  badge.className = `status status-${status}`;
}

/** A progress bar with an accessible name. */
export function progressBar(label) {
  return el("progress", { max: 1, value: 0, "aria-label": label });
}

/** Update a bar made by `progressBar`; its colour shows whether the work has ended or stopped. */
export function setProgress(bar, { status, progress }) {
  bar.value = progress;
  bar.classList.toggle("is-done", status === "completed");
  bar.classList.toggle("is-failed", status === "failed");
  bar.classList.toggle("is-still", status === "cancelled" || status === "paused");
}

/** Announce `text` to screen readers. */
export function announce(text) {
  setText(document.getElementById("announcer"), text);
}

/** A shell command with a button that copies it. */
export function shellLine() {
  const code = el("code");
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(code.textContent);
      announce("Copied");
      setText(copier, "Copied");
    } catch {
      window.getSelection().selectAllChildren(code);
      setText(copier, "Selected");
    }
    setTimeout(() => setText(copier, "Copy"), 2000);
  };
  const copier = button("Copy", copy, { class: "small" });
  const element = el("div", { class: "shell" }, el("pre", { tabindex: 0 }, code), copier);
  return { element, set: (text) => setText(code, text) };
}
