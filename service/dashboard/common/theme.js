/** Theme: light, dark or the system's. Not a module, so that it applies before the first paint. */

(() => {
  const KEY = "lab-theme";
  const THEMES = ["auto", "light", "dark"];
  const NAMES = { auto: "system", light: "light", dark: "dark" };
  const root = document.documentElement;

  /** Storage can be forbidden; the theme then lasts as long as the page. */
  function remember(theme) {
    try {
      localStorage.setItem(KEY, theme);
    } catch {
      // The page keeps the theme anyway.
    }
  }

  function recall() {
    try {
      return localStorage.getItem(KEY) ?? "auto";
    } catch {
      return "auto";
    }
  }

  function tellPage() {
    window.dispatchEvent(new CustomEvent("theme-changed"));
  }

  root.dataset.theme = THEMES.includes(recall()) ? recall() : "auto";
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", tellPage);
  document.addEventListener("DOMContentLoaded", () => {
    const button = document.getElementById("theme");
    const label = () => button.setAttribute("aria-label", `Theme: ${NAMES[root.dataset.theme]}`);
    button.addEventListener("click", () => {
      const next = (THEMES.indexOf(root.dataset.theme) + 1) % THEMES.length;
      root.dataset.theme = THEMES[next];
      button.title = NAMES[THEMES[next]];
      remember(THEMES[next]);
      label();
      tellPage();
    });
    label();
  });
})();
