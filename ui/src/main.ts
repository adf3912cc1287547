import { mount } from "svelte";
import "@fontsource-variable/inter/index.css";
import "@fontsource-variable/jetbrains-mono/index.css";
import "./tokens.css";

// uPlot refuses the locale "C", which an unset LANG gives
if (!navigator.language || navigator.language === "C") {
  Object.defineProperty(navigator, "language", { value: "en-GB", configurable: true });
}

const { default: App } = await import("./App.svelte");
const target = document.getElementById("app");
if (target) {
  mount(App, { target });
}
