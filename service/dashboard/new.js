/** A new experiment: the form that queues it. */

import { el, fill, section } from "./dom.js";
import { SubmitForm } from "./submit.js";

export function mount(main, { signal }) {
  fill(main, el("h1", {}, "New experiment"), section("What to train", new SubmitForm(signal).element));
}
