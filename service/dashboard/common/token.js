/** Ask for the API token when the service requires one. */

import { keepToken } from "./api.js";
import { el, fill } from "./dom.js";

/** Show a form in `place` whenever the API requires a token; `onToken` is called with it. */
export function askForToken(place, onToken) {
  window.addEventListener("token-needed", () => {
    if (place.childElementCount > 0) return;
    const input = el("input", { type: "password", id: "token", autocomplete: "off", required: true });
    const form = el(
      "form",
      { class: "note warning token" },
      el("label", { for: "token" }, "This service requires its API token (the value of LAB_API_TOKEN)."),
      el("div", { class: "row" }, input, el("button", { class: "primary" }, "Use it in this tab")),
    );
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      keepToken(input.value.trim());
      fill(place);
      onToken();
    });
    fill(place, form);
    input.focus();
  });
}
