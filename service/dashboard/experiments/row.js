/** One experiment in the list. */

import { el, progressBar, setProgress, setStatus, setText, statusBadge } from "../common/dom.js";
import { age, count, moment, percent, share } from "../common/format.js";

export class ExperimentRow {
  #link;
  #facts = el("span", { class: "quiet facts" });
  #badge = statusBadge("queued");
  #bar = progressBar("Progress");
  #done = el("span", { class: "figure" });
  #best = el("span", { class: "figure" });
  #time = el("time", { class: "quiet" });
  #stall = el("p", { class: "error", hidden: true });

  constructor(id) {
    this.#link = el("a", { href: `#/experiments/${id}` });
    this.element = el(
      "li",
      {},
      el("div", { class: "what" }, el("h2", {}, this.#link), this.#facts),
      el("div", { class: "where" }, this.#badge, this.#time),
      el("div", { class: "bar" }, this.#bar, this.#done),
      el("div", { class: "best" }, this.#best, el("span", { class: "quiet" }, "best test accuracy")),
      this.#stall,
    );
  }

  update(experiment) {
    const { name, dataset, status, progress } = experiment;
    this.#stall.hidden = experiment.stalled === null;
    setText(this.#stall, experiment.stalled ?? "");
    setText(this.#link, name);
    setText(this.#facts, `${dataset} · ${count(experiment.num_runs, "run")} · no. ${experiment.id}`);
    setStatus(this.#badge, status);
    setProgress(this.#bar, { status, progress });
    this.#bar.setAttribute("aria-label", `Progress of ${name}`);
    setText(this.#done, share(progress));
    setText(this.#best, percent(experiment.best_test_accuracy));
    this.#time.dateTime = experiment.created_at;
    this.#time.title = moment(experiment.created_at);
    setText(this.#time, age(experiment.created_at));
  }
}
