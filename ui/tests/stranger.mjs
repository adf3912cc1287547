// What a stranger tries, on the simulated lab: a small window, 200 % zoom, a router named like markup, taking a rejection back, rejecting, a second fault while a card
// waits, letting a card expire, unplugging a router, killing the engine in the middle of a change, and the capture in Replay.
//
//   node stranger.mjs chromium PILOTCTL              in Chromium against `pilotctl serve`
//   node stranger.mjs window PILOTCTL PILOTHOUSE     in the desktop's window, which finds the engine of $PILOTHOUSE_DATA
// Options: --pictures DIR, --only PART (comma-separated: sizes, hostile, reject, second, expire, unplug, kill, replay)
import { execFile, spawn } from "node:child_process";
import { mkdir, readdir } from "node:fs/promises";
import { createServer } from "node:net";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import assert from "node:assert/strict";
import { Browser, KEYS, sleep } from "./webdriver.mjs";

const words = process.argv.slice(2);
const option = (name) => (words.includes(name) ? words.splice(words.indexOf(name), 2)[1] : undefined);
const [pictures, only] = [option("--pictures"), option("--only")?.split(",")];
const [kind, pilotctl, desktop] = words;
const data = process.env.PILOTHOUSE_DATA;
assert.ok(data, "PILOTHOUSE_DATA names the data folder");
if (pictures) {
  await mkdir(pictures, { recursive: true });
}

const began = Date.now();
const say = (text) => console.log(`${((Date.now() - began) / 1000).toFixed(1).padStart(7)} s  ${text}`);
const run = async (...args) => (await promisify(execFile)(pilotctl, args, { maxBuffer: 1 << 28 })).stdout;
const pages = fileURLToPath(new URL("../dist", import.meta.url));
const APPROVAL_TTL_S = 45;

/** A `pilotctl serve` that has printed its link. */
class Engine {
  static async start(...args) {
    const engine = new Engine();
    engine.process = spawn(pilotctl, ["serve", "--listen", "127.0.0.1:0", "--ui", pages, ...args], { stdio: ["ignore", "inherit", "pipe"] });
    engine.ended = new Promise((resolve) => engine.process.once("exit", resolve));
    engine.link = await new Promise((resolve, reject) => {
      createInterface({ input: engine.process.stderr }).on("line", (line) => (line.startsWith("open ") ? resolve(line.slice(5)) : console.error(`        serve: ${line}`)));
      engine.ended.then((code) => reject(new Error(`serve ended with ${code}`)));
    });
    return engine;
  }

  async stop(signal) {
    this.process.kill(signal);
    await this.ended;
  }
}

const lab = JSON.parse(await run("--json", "lab", "up", "--driver", "sim")).id;
const watch = () => Engine.start("--lab", lab, "--mode", "lab", "--bmp", "127.0.0.1:0", "--approval-ttl", String(APPROVAL_TTL_S));
let engine = await watch();
let browser;

const look = async (...args) => {
  const started = await Browser.start(kind, kind === "window" ? { program: desktop, args, env: { TAURI_AUTOMATION: "true", TAURI_WEBVIEW_AUTOMATION: "true" } } : {});
  if (kind === "chromium") {
    await started.open(engine.link);
  }
  return started;
};

async function picture(name) {
  if (pictures && kind === "window") {
    await promisify(execFile)("import", ["-window", "root", `${pictures}/${name}.png`]);
  } else if (pictures) {
    await browser.picture(`${pictures}/${name}.png`);
  }
}

const strike = (name, parameters) => browser.rpc("lab_strike", { name, parameters });
const go = (key) => browser.keys("g", key);
const main = () => browser.text("main");
const says = (what, within, pattern, css = "main") => browser.until(what, within, async () => pattern.test(await browser.text(css)));
const status = () => browser.rpc("status");

async function healthy() {
  await browser.rpc("lab_restore");
  await browser.until("a healthy network", 180_000, async () => {
    const [now, probes, waiting] = [await status(), await browser.rpc("probes"), await browser.rpc("proposals")];
    const quiet = now.findings.length === 0 && now.changing === 0 && waiting.length === 0;
    const agreed = now.devices.every((d) => ["synced", "none"].includes(d.bmp) && d.gnmi === "synced" && d.agreement?.compared > 0 && d.agreement.equal === d.agreement.compared);
    return quiet && agreed && probes.length > 0 && probes.filter((p) => !p.name.startsWith("as-routed")).every((p) => p.state === "normal");
  });
}

/** Degrades a provider until its card is on the screen; returns the proposal's id. */
async function card(provider) {
  const known = new Set((await browser.rpc("history")).map((p) => p.id));
  await strike("degrade", { provider, delay: "40" });
  const fresh = await browser.until(`a card about ${provider}`, 90_000, async () => (await browser.rpc("proposals")).find((p) => !known.has(p.id)));
  await go("a");
  await browser.until("the card", 10_000, async () => {
    // an older one may still be selected
    await browser.run("[...document.querySelectorAll('.list button')].find((b) => b.innerText.includes(arguments[0]))?.click()", fresh.id);
    return (await browser.text("article .meta")).includes(fresh.id);
  });
  return fresh.id;
}

const outcome = async (id) => (await browser.rpc("history")).find((p) => p.id === id);

const parts = {
  async sizes() {
    // 640 × 400 is what 200 % zoom leaves of 1280 × 800
    for (const [width, height, name] of [[1100, 700, "1100x700"], [640, 400, "zoom-200"]]) {
      await browser.resize(width, height);
      for (const [key, screen] of [["t", "topology"], ["h", "health"], ["c", "chat"], ["a", "approvals"], ["l", "lab"]]) {
        await go(key);
        await sleep(1200);
        const found = await browser.run(`
          const out = [...document.querySelectorAll("button, h1, input, select")].filter((e) => {
            const r = e.getBoundingClientRect();
            const scrolls = e.closest("main, aside, .time, nav, table");
            return r.width > 0 && (r.right > innerWidth + 1 || r.left < -1) && !(scrolls && scrolls.scrollWidth > scrolls.clientWidth);
          });
          return { wide: document.documentElement.scrollWidth - innerWidth, width: innerWidth, out: out.map((e) => e.innerText || e.name) }`);
        assert.ok(found.wide <= 0, `${screen} at ${name} is ${found.wide} px too wide`);
        assert.deepEqual(found.out, [], `${screen} at ${name}: out of the window`);
        await picture(`${screen}-${name}`);
      }
    }
    await browser.resize(1280, 800);
  },

  // a host name comes from a device: it is text, whatever it holds
  async hostile() {
    await browser.tamper(`
      const evil = '<img src=x onerror="window.owned = 1"><script>window.owned = 1</scr' + 'ipt>';
      return JSON.parse(JSON.stringify(value ?? null).replaceAll("edge-router-01", JSON.stringify(evil).slice(1, -1)));`);
    for (const key of ["t", "h", "c", "a"]) {
      await go(key);
      await sleep(1500);
      const found = await browser.run("return { images: document.querySelectorAll('img').length, owned: window.owned ?? null, text: document.body.innerText.includes('<img src=x') }");
      assert.deepEqual({ images: found.images, owned: found.owned }, { images: 0, owned: null }, `a device's words were taken for markup (g ${key})`);
      assert.ok(found.text || key === "a", `the device's words are not shown (g ${key})`);
      await picture(`hostile-${key}`);
    }
    await browser.honest();
    await browser.until("honest words", 10_000, async () => !(await browser.text()).includes("<img src=x"));
  },

  // answers of a busy engine come late, and overtake each other: nothing is shown twice, nothing stands still
  async late() {
    await go("t");
    await browser.tamper("window.turn = (window.turn ?? 0) + 1; return new Promise((done) => setTimeout(() => done(value), (window.turn % 4) * 900));");
    await strike("degrade", { provider: "isp-a", delay: "40" });
    const found = await browser.until("a finding", 90_000, async () => (await status()).findings[0]);
    await browser.until("it on the timeline", 20_000, async () => (await browser.text(".time")).includes(found.id));
    await sleep(6000);
    await browser.honest();
    await browser.rpc("lab_restore");
    await browser.until("its end", 120_000, async () => (await status()).findings.length === 0);
    await says("its end on the timeline", 10_000, new RegExp(`${found.id} is over`), ".time");
    const newest = (await browser.rpc("timeline", 0)).filter((e) => e.severity > 0 || !["feed", "twin"].includes(e.kind)).at(-1);
    await browser.until("the newest entry", 10_000, async () => (await browser.text(".time")).includes(newest.text.split("\n")[0]));
  },

  async reject() {
    const id = await card("isp-a");
    await browser.keys("r");
    await says("the time to take it back", 5000, /Rejected; recorded in/);
    await browser.keys(KEYS.escape);
    await says("what was taken back", 5000, /taken back, nothing was sent/);
    await browser.keys("r");
    await browser.until("the reasons", 5000, async () => /too risky/.test(await main()));
    await browser.run("[...document.querySelectorAll('.chip')].find((b) => b.innerText === 'bad timing').click()");
    await picture("reject");
    await browser.until("the rejection", 15_000, async () => (await outcome(id)).status === "rejected");
    await says("the rejection on the card", 5000, /Rejected\./);
    assert.equal(await browser.run("return document.querySelectorAll('.approve').length"), 0, "a rejected card can be approved");
    await picture("rejected");
  },

  async second() {
    const id = await card("isp-a");
    const before = await browser.rpc("proposal", id);
    const to = before.moves[0][2];
    await strike("degrade", { exit: to, delay: "70" });
    // the card was proven on a network that is no more: it goes, or another says where to now
    const end = await browser.until("the end of that card", 90_000, async () => {
      const now = await outcome(id);
      return now.status === "waiting" ? undefined : now;
    });
    say(`second fault at ${to}: ${id} is ${end.status}`);
    assert.equal(end.status, "withdrawn");
    await says("why, on the timeline", 10_000, new RegExp(`leads to ${to}, which is degraded itself now`), ".time");
    await says("that on the card", 10_000, /Withdrawn: it leads to/, "article .actions");
    await picture("second");
  },

  async expire() {
    const id = await card("isp-a");
    await picture("before-expiry");
    await browser.until("the expiry", (APPROVAL_TTL_S + 30) * 1000, async () => (await outcome(id)).status !== "waiting");
    assert.equal((await outcome(id)).status, "expired");
    await says("the expiry on the card", 5000, /Expired; it can not be carried out any more/);
    await picture("expired");
    const refused = await browser.rpc("approve", { id, plan_hash: (await browser.rpc("proposal", id)).plan_hash, typed_target: null }).catch(String);
    assert.match(refused, /expired/i, "an expired card was approved");
  },

  async unplug() {
    await go("t");
    await strike("unplug", { router: "r2" });
    await browser.until("a stale router", 120_000, async () => {
      const router = (await status()).devices.find((d) => d.id === "r2");
      return router.bmp === "stale" && router.gnmi === "stale";
    });
    await says("that in the inspector", 5000, /stale/, "aside");
    await browser.until("that in the drawing", 5000, () => browser.run("return [...document.querySelectorAll('svg rect.unfresh')].length > 0"));
    await picture("unplugged");
    await browser.rpc("lab_restore");
    await browser.until("the router's return", 120_000, async () => (await status()).devices.every((d) => ["synced", "none"].includes(d.bmp) && d.gnmi === "synced"));
    say("r2 was unplugged and is back");
  },

  async kill() {
    const id = await card("isp-a");
    await browser.keys("a", KEYS.enter);
    await browser.until("a change on its way", 30_000, async () => ["committing", "verifying"].includes((await browser.rpc("proposal", id)).change?.stage));
    await engine.stop("SIGKILL");
    await says("the silence", 20_000, /the engine does not answer/, ".strip");
    await picture("killed");
    engine = await watch();
    if (kind === "chromium") {
      await browser.open(engine.link);
    }
    await says("that it goes on with the change", 60_000, /taken up after a restart/, ".time");
    await says("a change under way", 10_000, /change under way/, ".strip");
    // the device's own timer may have to run out first: two minutes
    const told = await browser.until("the end of the change", 240_000, async () => {
      const ends = await browser.rpc("timeline", 0).catch(() => []);
      return ends.map((e) => e.text).find((t) => /^C-\d+ (rolled_back|confirmed|failed|in_doubt)/.test(t));
    });
    say(`the engine was killed in the middle of a change: ${told}`);
    assert.match(told, /rolled_back|confirmed/);
    await says("that on the timeline", 5000, /rolled_back|confirmed/, ".time");
    await picture("after-kill");
    assert.match(await run("audit", "verify"), /intact/);
  },

  async replay() {
    // the last part: what is watched ends
    await engine.stop("SIGINT");
    await browser.end();
    const folder = `${data}/captures`;
    const captures = (await readdir(folder)).sort();
    const file = `${folder}/${captures[0]}`;
    const offline = JSON.parse(await run("--json", "replay", file));
    engine = await Engine.start("--replay", file);
    browser = await look(file);
    await says("the mode", 30_000, /REPLAY · a capture, nothing is sent/, ".strip");
    await browser.keys(" ");
    await browser.until("a clock that runs", 10_000, async () => (await browser.rpc("replay")).playing);
    await browser.keys(" ");
    const { last_ms } = await browser.rpc("replay");
    await browser.rpc("replay_control", { to_ms: last_ms + 1 });
    const end = await browser.until("the end", 120_000, async () => {
      const now = await browser.rpc("replay");
      return now.state_hash && now;
    });
    assert.deepEqual(end.diverged, []);
    assert.equal(end.state_hash, offline.state, "the window's replay ends in another state than `pilotctl replay`");
    await go("a");
    await says("the proposals of then", 10_000, /P-1/);
    assert.equal(await browser.run("return document.querySelectorAll('.approve').length"), 0, "a replay offers an approval");
    assert.match(String(await browser.rpc("reject", { id: (await browser.rpc("history"))[0].id, reason: null }).catch(String)), /replay/);
    await picture("replay-approvals");
    await go("h");
    await sleep(1500);
    await picture("replay-health");
    // back to the middle: the state is that of then
    await browser.rpc("replay_control", { to_ms: (end.first_ms + last_ms) / 2 });
    await browser.until("the middle", 60_000, async () => (await browser.rpc("replay")).seeking_ms === null);
    const middle = await browser.rpc("replay");
    assert.ok(Math.abs(middle.at_ms - (end.first_ms + last_ms) / 2) < 2000 && middle.state_hash === null, JSON.stringify(middle));
    // what was told before the middle is still there, what came later is not
    const told = await browser.rpc("timeline", 0);
    assert.ok(told.length > 0 && told.every((e) => Date.parse(e.time) <= middle.at_ms + 1), "the timeline is not that of the middle");
    await browser.keys(".");
    await browser.until("the next event", 60_000, async () => (await browser.rpc("replay")).at_ms > middle.at_ms);
    const stepped = await browser.until("a stop", 10_000, async () => {
      const now = await browser.rpc("replay");
      return now.seeking_ms === null && now;
    });
    const since = (await browser.rpc("timeline", told.at(-1).id)).map((e) => Date.parse(e.time));
    assert.ok(!stepped.playing && since.length > 0 && since.every((at) => Math.abs(at - stepped.at_ms) < 2), "the step did not stop at the next event");
    await go("t");
    await sleep(1500);
    await picture("replay-middle");
    say(`${file} replayed: ${end.inputs} inputs, state ${end.state_hash.slice(0, 16)}, as offline`);
  },
};

try {
  browser = await look();
  await browser.until("the topology", 60_000, async () => (await browser.text()).includes("edge-router-01"));
  for (const [name, part] of Object.entries(parts)) {
    if (only && !only.includes(name)) {
      continue;
    }
    if (name !== "replay") {
      await healthy();
    }
    await part();
    say(`${name}: as it should be`);
  }
} catch (error) {
  await picture("failed").catch(() => undefined);
  throw error;
} finally {
  await browser?.end();
  engine.process.kill();
  await run("lab", "down", lab).catch(() => undefined);
}
