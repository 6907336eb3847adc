/** Pause, resume, cancel, delete; irreversible actions ask for confirmation. */

import { postJson, removeAt } from "../common/api.js";
import { announce, button, el, fail, fill } from "../common/dom.js";

const OPEN = ["queued", "running", "paused"];

export class Actions {
  #failure = el("div", { class: "action-failure" });

  constructor({ id, onDone, onDeleted }) {
    this.id = id;
    this.onDone = onDone;
    this.onDeleted = onDeleted;
    this.pause = button("Pause", () => this.#post("pause"));
    this.resume = button("Resume", () => this.#post("resume"), { class: "primary" });
    this.cancel = button("Cancel", () => this.#cancel());
    this.remove = button("Delete", () => this.#remove(), { class: "danger" });
    const buttons = [this.resume, this.pause, this.cancel, this.remove];
    this.element = el("div", { class: "actions" }, el("div", { class: "row" }, buttons), this.#failure);
  }

  update({ status, name }) {
    this.name = name;
    this.pause.hidden = !["queued", "running"].includes(status);
    this.resume.hidden = status !== "paused";
    this.cancel.hidden = !OPEN.includes(status);
  }

  async #post(action) {
    fill(this.#failure);
    try {
      this.onDone(await postJson(`/experiments/${this.id}/${action}`));
      announce(`Asked to ${action}.`);
    } catch (error) {
      fail(this.#failure, error, () => this.#post(action));
    }
  }

  async #cancel() {
    const words = "Its unfinished runs cannot be resumed. Measured results are kept.";
    const options = { title: `Cancel “${this.name}”?`, words, yes: "Cancel it", no: "Keep it running" };
    if (await confirm(options)) await this.#post("cancel");
  }

  async #remove() {
    const words = "Its runs, figures and trained weights cannot be restored.";
    const options = { title: `Delete “${this.name}”?`, words, yes: "Delete it", no: "Keep it" };
    if (!(await confirm(options))) return;
    try {
      await removeAt(`/experiments/${this.id}`);
      this.onDeleted();
    } catch (error) {
      fail(this.#failure, error);
    }
  }
}

/** Ask for confirmation in a dialog; resolves to true or false. */
function confirm({ title, words, yes, no }) {
  const dialog = el(
    "dialog",
    { "aria-labelledby": "question" },
    el("h2", { id: "question" }, title),
    el("p", {}, words),
    el(
      "form",
      { method: "dialog", class: "row" },
      el("button", { value: "no", autofocus: true }, no),
      el("button", { value: "yes", class: "danger" }, yes),
    ),
  );
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
  });
}
