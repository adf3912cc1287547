// From a healthy network to a confirmed change, as an engineer does it: in Chromium against `pilotctl serve`, or in the desktop's window.
//
//   node journey.mjs chromium LINK            LINK as `pilotctl serve --listen` prints it
//   node journey.mjs window PROGRAM           the desktop program; it is started with --demo
// Options: --keyboard (no mouse), --pictures DIR, --axe (checks five screens), --attach (the window finds the engine that already
// runs on $PILOTHOUSE_DATA, instead of its demo lab)
import { readFile, mkdir } from "node:fs/promises";
import { createRequire } from "node:module";
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { Browser, KEYS, sleep } from "./webdriver.mjs";

const [kind, target, ...options] = process.argv.slice(2);
const keyboard = options.includes("--keyboard");
const pictures = options.includes("--pictures") ? options[options.indexOf("--pictures") + 1] : undefined;
const axe = options.includes("--axe") ? await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8") : undefined;
if (pictures) {
  await mkdir(pictures, { recursive: true });
}

const browser = await Browser.start(kind, kind === "window" ? { program: target, args: options.includes("--attach") ? [] : ["--demo"], env: { TAURI_AUTOMATION: "true", TAURI_WEBVIEW_AUTOMATION: "true" } } : {});
const began = Date.now();
const say = (text) => console.log(`${((Date.now() - began) / 1000).toFixed(1).padStart(7)} s  ${text}`);

async function picture(name) {
  if (!pictures) {
    return;
  }
  // WebKit's own pictures may come back empty: the window is taken from X
  if (kind === "window") {
    await promisify(execFile)("import", ["-window", "root", `${pictures}/${name}.png`]);
  } else {
    await browser.picture(`${pictures}/${name}.png`);
  }
}

async function checked(screen) {
  await browser.keys("g", { approvals: "a", topology: "t", health: "h", chat: "c", import: "i", lab: "l" }[screen]);
  await browser.until(`screen ${screen}`, 5000, () => browser.run("return location.hash.startsWith('#/' + arguments[0])", screen));
  await browser.keys("?");
  await browser.until(`the keys of ${screen}`, 5000, async () => /everything by name/.test(await browser.text("dialog")));
  await browser.keys(KEYS.escape);
  await browser.until("no keys", 5000, async () => (await browser.text("dialog")) === "");
  await sleep(1500);
  await picture(screen);
  if (axe) {
    await browser.run(`${axe}; window.axe = axe;`);
    const found = await browser.runAsync("const done = arguments[0]; window.axe.run(document).then((r) => done(r.violations), (e) => done([{ id: String(e), nodes: [] }]));");
    const lines = found.map((v) => `${v.id}: ${v.nodes.map((n) => n.target.join(" ")).join(", ")}`);
    assert.deepEqual(lines, [], `axe on ${screen}`);
  }
}

/** Lets a file be looked at, by keyboard; what was found is what axe then checks. */
async function looked() {
  const file = fileURLToPath(new URL("../../tests/recordings/seed/bmp/r1.bmp", import.meta.url));
  await browser.keys("g", "i");
  await browser.until("the import screen", 5000, async () => (await browser.text("main")).includes("Look at it"));
  await browser.run("document.querySelector('#import-path').focus()");
  await browser.keys(...file, KEYS.enter);
  await browser.until("what the file holds", 20_000, async () => /a stream of BMP messages[^]*route monitoring/.test(await browser.text("main")));
  assert.match(await browser.text("main"), /Import as a capture/);
  await browser.run("document.activeElement.blur()");
}

/** Asks where a prefix goes and why, by keyboard up to the button; the answer is what axe then checks. */
async function explained() {
  await browser.keys("g", "t");
  await browser.keys("/", ..."198.18.7.1", KEYS.enter);
  await browser.until("the paths of a prefix", 5000, async () => (await browser.text(".path")).includes("198.18.7.0/24"));
  await browser.run("[...document.querySelectorAll('.path tbody button')].at(-1).click()");
  await browser.until("why it goes there", 20_000, async () => (await browser.text(".path")).includes("packets go to"));
  await browser.run("document.activeElement.blur()");
}

try {
  if (kind === "chromium") {
    await browser.open(target);
  }
  await browser.until("the topology", 60_000, async () => (await browser.text()).includes("edge-router-01"));
  say("the network is shown");
  await browser.until("readiness", 120_000, async () => {
    const [status, probes] = [await browser.rpc("status"), await browser.rpc("probes")];
    const agreed = status.devices.every((d) => d.agreement && d.agreement.compared > 0 && d.agreement.equal === d.agreement.compared);
    return agreed && probes.length > 0 && probes.filter((p) => !p.name.startsWith("as-routed")).every((p) => p.state === "normal");
  });
  say("every path is learned, the twin agrees");
  await looked();
  await explained();
  for (const screen of ["topology", "health", "chat", "import", "approvals"]) {
    await checked(screen);
  }
  say(axe ? "five screens looked at, axe finds nothing" : "five screens looked at");

  await browser.keys("g", "l");
  await browser.until("the lab", 5000, async () => (await browser.text("main")).includes("Degrade"));
  await picture("lab");
  if (keyboard) {
    // by Tab to the button: focus order is part of what is tested
    await browser.until("the button by Tab", 10_000, async () => {
      await browser.keys(KEYS.tab);
      return browser.run("return document.activeElement?.textContent?.startsWith('Degrade')");
    });
    await browser.keys(KEYS.enter);
  } else {
    await browser.click(".faults button");
  }
  const broken = Date.now();
  say("ISP-A is degraded");
  await browser.until("a card", 90_000, async () => (await browser.rpc("proposals")).length > 0);
  say(`a proposal waits, ${((Date.now() - broken) / 1000).toFixed(1)} s after the fault`);
  await browser.keys("g", "a");
  await browser.until("the card", 5000, async () => (await browser.text("article")).includes("P-1"));
  await sleep(1200);
  await picture("card");
  if (keyboard) {
    await browser.keys("a");
    await browser.until("the armed button", 3000, async () => (await browser.text(".approve")).includes("Enter"));
    await browser.keys(KEYS.enter);
  } else {
    await browser.click(".approve");
  }
  say("approved");
  await browser.until("the end of the undo time", 15_000, async () => (await browser.rpc("proposals")).length === 0);
  await sleep(2500);
  await picture("progress");
  await browser.until("the confirmation", 120_000, async () => /Confirmed|Rolled back|failed/.test(await browser.text("article .actions")));
  const end = await browser.text("article .actions");
  await picture("confirmed");
  assert.match(end, /Confirmed/);
  const timeline = await browser.rpc("timeline", 0);
  const measured = timeline.find((e) => / measured, it helped/.test(e.text));
  assert.ok(measured, "the change was never measured as a help");
  say(measured.text);
  await browser.keys("g", "t");
  await sleep(1500);
  await picture("after");
  say("confirmed");
} finally {
  await browser.end();
}
