/** The appendix: normalization statistics worked out step by step. */

import { el, fill } from "./dom.js";

export function mount(main) {
  const link = el("a", { href: "/appendix?format=html" }, "The study's sample, worked out");
  fill(main, el("h1", {}, "Appendix"), el("p", { class: "lead" }, link));
}
