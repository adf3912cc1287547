// Figures of the desktop's window, on the display that DISPLAY names: `pilotctl bench ui` starts this and prints them.
//
//   node bench.mjs PILOTCTL PILOTHOUSE       prints one JSON object
//
// first_paint_ms  from the process's start to the engine's picture on the screen, the engine running already; all runs
// idle_percent    processor time of the window's processes while nobody touches it, in percent of one core
// pan_ms          time from frame to frame while a drawing of 200 nodes is panned: all of it, a part with every label (near), and an empty one
//                 for comparison
import { execFile, spawn } from "node:child_process";
import { mkdtemp, readFile, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { Browser, sleep } from "./webdriver.mjs";

const [pilotctl, desktop] = process.argv.slice(2);
const STARTS = 5;
const IDLE_S = 30;
const FRAMES = 180;
const NODES = 200;
const TICKS_A_SECOND = 100;

process.env.PILOTHOUSE_DATA = await mkdtemp(`${tmpdir()}/pilothouse-bench-`);
const run = async (...args) => (await promisify(execFile)(pilotctl, args)).stdout;
const lab = JSON.parse(await run("--json", "lab", "up", "--driver", "sim")).id;
const engine = spawn(pilotctl, ["serve", "--lab", lab, "--mode", "lab", "--bmp", "127.0.0.1:0"], { stdio: ["ignore", "ignore", "pipe"] });
await new Promise((resolve, reject) => {
  createInterface({ input: engine.stderr }).on("line", (line) => line.startsWith("engine is running") && resolve());
  engine.once("exit", (code) => reject(new Error(`serve ended with ${code}`)));
});
// tables and baselines first: what is measured is a window on a network that is watched
await sleep(15_000);

/** Starts the window; resolves with its process and the milliseconds to the first useful paint. */
function start() {
  const child = spawn(desktop, [], { stdio: ["ignore", "ignore", "pipe"], env: { ...process.env, RUST_LOG: "pilothouse=info" } });
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error("no first paint within 30 s")), 30_000);
    createInterface({ input: child.stderr }).on("line", (line) => {
      const ms = /first useful paint ms=(\d+)/.exec(line)?.[1];
      if (ms !== undefined) {
        clearTimeout(late);
        resolve({ child, ms: Number(ms) });
      }
    });
  });
}

async function stop(child) {
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.kill();
  await ended;
}

/** Processor seconds of a process and all it has started. */
async function seconds(root) {
  const all = new Map();
  for (const pid of (await readdir("/proc")).filter((n) => /^\d+$/.test(n))) {
    const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => undefined);
    if (stat) {
      const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      all.set(Number(pid), { parent: Number(fields[1]), ticks: Number(fields[11]) + Number(fields[12]) });
    }
  }
  const mine = (pid) => pid === root || (all.has(pid) && all.get(pid).parent > 1 && mine(all.get(pid).parent));
  return [...all].filter(([pid]) => mine(pid)).reduce((sum, [, p]) => sum + p.ticks, 0) / TICKS_A_SECOND;
}

/** Pans a drawing of so many nodes by pointer; returns the times between frames, milliseconds, sorted. */
async function pan(browser, nodes, nearer = 0) {
  await browser.tamper(
    `if (command !== "topology") return value;
     const count = ${nodes};
     const node = (i) => ({ id: "n" + i, name: "router-" + i, role: "edge", layer: i % 4, row: Math.floor(i / 4), fresh: true, finding: null, health: 1, sessions: [4, 4] });
     const nodes = Array.from({ length: count }, (_, i) => node(i));
     const link = (i, step) => ({ id: "l" + i + "-" + step, a: "n" + i, b: "n" + ((i + step) % count), exit: false, up: true, sessions: [0, 0], capacity_bps: 1e9, forward_bps: 1e8, backward_bps: 2e8 });
     return { nodes, links: nodes.flatMap((_, i) => [link(i, 1), link(i, 4)]) };`,
  );
  await browser.until(`${nodes} nodes`, 15_000, async () => (await browser.run("return document.querySelectorAll('svg g.node').length")) === nodes);
  await browser.keys("0", ...new Array(nearer).fill("+"));
  await sleep(1500);
  const times = await browser.runAsync(
    `const [frames, done] = arguments;
     const svg = document.querySelector("main svg");
     const box = svg.getBoundingClientRect();
     const at = (i) => ({ bubbles: true, clientX: box.x + box.width / 2 + 120 * Math.sin(i / 15), clientY: box.y + box.height / 2 + 80 * Math.cos(i / 15) });
     svg.dispatchEvent(new PointerEvent("pointerdown", at(0)));
     const times = [];
     let last;
     const step = (now) => {
       if (last !== undefined) times.push(now - last);
       last = now;
       if (times.length >= frames) {
         window.dispatchEvent(new PointerEvent("pointerup", at(0)));
         done(times);
       } else {
         svg.dispatchEvent(new PointerEvent("pointermove", at(times.length)));
         requestAnimationFrame(step);
       }
     };
     requestAnimationFrame(step);`,
    FRAMES,
  );
  return times.sort((a, b) => a - b);
}

const at = (sorted, share) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
const figures = {};
let browser;
try {
  const paints = [];
  for (let i = 0; i < STARTS; i += 1) {
    const { child, ms } = await start();
    paints.push(ms);
    await stop(child);
  }
  figures.first_paint_ms = paints;

  const { child } = await start();
  await sleep(10_000);
  const before = await seconds(child.pid);
  await sleep(IDLE_S * 1000);
  figures.idle_percent = Number(((100 * ((await seconds(child.pid)) - before)) / IDLE_S).toFixed(2));
  await stop(child);

  browser = await Browser.start("window", { program: desktop, env: { TAURI_AUTOMATION: "true", TAURI_WEBVIEW_AUTOMATION: "true" } });
  await browser.until("the topology", 60_000, async () => (await browser.text()).includes("edge-router-01"));
  await browser.keys("g", "t");
  const full = await pan(browser, NODES);
  const near = await pan(browser, NODES, 6);
  const empty = await pan(browser, 0);
  figures.pan_ms = { nodes: NODES, median: at(full, 0.5), p95: at(full, 0.95), near_median: at(near, 0.5), near_p95: at(near, 0.95), empty_median: at(empty, 0.5), ratio: Number((at(full, 0.5) / at(empty, 0.5)).toFixed(2)) };
  console.log(JSON.stringify(figures));
} finally {
  await browser?.end();
  engine.kill("SIGINT");
  await run("lab", "down", lab).catch(() => undefined);
  await rm(process.env.PILOTHOUSE_DATA, { recursive: true, force: true });
}
