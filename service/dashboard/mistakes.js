/** What an experiment's runs got wrong, as the service draws it. */

import { el, fill, section } from "./dom.js";
import { fileLink, Picture } from "./files.js";

export function mount(main, { signal, parts: [id] }) {
  const path = `/experiments/${id}/misclassified`;
  const name = `experiment-${id}-misclassified`;
  const picture = new Picture({ signal });
  const files = [
    fileLink("PNG", `${path}.png`, { name: `${name}.png` }),
    fileLink("JSON", path, { name: `${name}.json` }),
  ];
  const back = el("a", { href: `#/experiments/${id}` }, `Experiment ${id}`);
  fill(
    main,
    el("p", { class: "crumbs" }, back, " / misclassified"),
    el("h1", {}, "Misclassified"),
    section("Most confident mistakes", picture.element, el("p", { class: "links" }, "Download: ", files)),
  );
  picture.load(`${path}.png`, "Test images that the runs got wrong, with what each is and was taken for");
}
