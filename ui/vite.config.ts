import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vite";

export default defineConfig({
  plugins: [svelte()],
  clearScreen: false,
  // loopback only: the development server shows what the engine sees
  server: { host: "127.0.0.1", port: 5173, strictPort: true },
  // WebKitGTK 2.50; no inline scripts or data: modules, which the content security policy refuses
  build: { target: "safari17", assetsInlineLimit: 0, modulePreload: { polyfill: false } },
});
