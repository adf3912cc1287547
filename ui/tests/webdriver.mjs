// A small WebDriver client (W3C WebDriver): enough to drive Chromium and the desktop's web view with the same steps.
import { spawn } from "node:child_process";
import { createServer } from "node:net";
import { writeFile } from "node:fs/promises";

const ELEMENT = "element-6066-11e4-a52e-4f735466cecf";
export const KEYS = { enter: "\uE007", escape: "\uE00C", tab: "\uE004" };

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

export class Browser {
  constructor(process, base, id) {
    Object.assign(this, { process, base, id });
  }

  /** Starts `chromium` (headless) or `window` (the desktop program, by WebKitWebDriver). */
  static async start(kind, { program, args = [], size = [1280, 800], env = {} } = {}) {
    const port = await freePort();
    const [driver, flags, capabilities] =
      kind === "chromium"
        ? ["chromedriver", [`--port=${port}`], { browserName: "chrome", "goog:chromeOptions": { binary: "/usr/bin/chromium", args: ["--headless=new", "--no-sandbox", "--disable-gpu", "--force-color-profile=srgb", `--window-size=${size}`] } }]
        : ["WebKitWebDriver", [`--port=${port}`, "--host=127.0.0.1"], { "webkitgtk:browserOptions": { binary: program, args } }];
    const process_ = spawn(driver, flags, { stdio: ["ignore", "ignore", "inherit"], env: { ...process.env, ...env } });
    const base = `http://127.0.0.1:${port}`;
    const until = Date.now() + 60_000;
    for (;;) {
      try {
        const { sessionId } = await request(`${base}/session`, "POST", { capabilities: { alwaysMatch: capabilities } });
        return new Browser(process_, base, sessionId);
      } catch (error) {
        // the driver itself comes up a moment later; what it then says of the session counts
        if (Date.now() > until || !(error.cause || /ECONNREFUSED/.test(String(error)))) {
          process_.kill();
          throw error;
        }
        await sleep(100);
      }
    }
  }

  #at(path) {
    return `${this.base}/session/${this.id}${path}`;
  }

  open(url) {
    return request(this.#at("/url"), "POST", { url });
  }

  run(script, ...args) {
    return request(this.#at("/execute/sync"), "POST", { script, args });
  }

  runAsync(script, ...args) {
    return request(this.#at("/execute/async"), "POST", { script, args });
  }

  /** Carries out a command of the engine, through the page's own door. */
  async rpc(command, args = null) {
    const answer = await this.runAsync(
      `const [command, body, done] = arguments;
       const tauri = window.__TAURI_INTERNALS__;
       const call = tauri ? tauri.invoke("rpc", { command, arguments: body }) : fetch("/rpc/" + command, { method: "POST", body }).then((r) => (r.ok ? r.json() : r.json().then((e) => Promise.reject(e))));
       call.then((value) => done({ value }), (error) => done({ error: JSON.stringify(error) }));`,
      command,
      JSON.stringify(args),
    );
    if (answer.error) {
      throw new Error(`${command}: ${answer.error}`);
    }
    return answer.value;
  }

  /** Lets `script`, the body of a function of `command` and `value` (it may give a promise), change what the page hears from its engine, until `honest`. */
  tamper(script) {
    return this.run(
      `const change = (command, value) => { ${script} };
       window.realFetch ??= window.fetch;
       window.fetch = async (to, how) => {
         const response = await window.realFetch(to, how);
         const url = String(to);
         // the desktop's door is a scheme of its own; the command stands in the body
         const command = url.startsWith("ipc:") ? (() => { try { return JSON.parse(how.body).command; } catch { return undefined; } })() : url.split("/rpc/")[1];
         if (!command || !response.ok) return response;
         return new Response(JSON.stringify(await change(command, await response.json())), { status: response.status, headers: response.headers });
       };`,
    );
  }

  honest() {
    return this.run("window.fetch = window.realFetch ?? window.fetch");
  }

  async find(css) {
    return (await request(this.#at("/element"), "POST", { using: "css selector", value: css }))[ELEMENT];
  }

  async click(css) {
    return request(this.#at(`/element/${await this.find(css)}/click`), "POST", {});
  }

  /** Presses keys one after the other, wherever the focus is. */
  keys(...keys) {
    const actions = keys.flatMap((value) => [{ type: "keyDown", value }, { type: "keyUp", value }, { type: "pause", duration: 30 }]);
    return request(this.#at("/actions"), "POST", { actions: [{ type: "key", id: "keyboard", actions }] });
  }

  text(css = "body") {
    return this.run("return document.querySelector(arguments[0])?.innerText ?? ''", css);
  }

  /** Waits until `look` gives something true. */
  async until(what, withinMs, look) {
    const end = Date.now() + withinMs;
    for (;;) {
      const found = await look();
      if (found) {
        return found;
      }
      if (Date.now() > end) {
        throw new Error(`${what} did not happen within ${withinMs / 1000} s; the page says:\n${await this.text()}`);
      }
      await sleep(300);
    }
  }

  async picture(file) {
    const data = await request(this.#at("/screenshot"), "GET");
    await writeFile(file, Buffer.from(data, "base64"));
  }

  resize(width, height) {
    return request(this.#at("/window/rect"), "POST", { width, height });
  }

  async end() {
    await request(this.#at(""), "DELETE").catch(() => undefined);
    this.process.kill();
  }
}

async function request(url, method, body) {
  const response = await fetch(url, { method, body: body === undefined ? undefined : JSON.stringify(body) });
  const { value } = await response.json();
  if (!response.ok) {
    throw new Error(`${url}: ${value.error}: ${value.message}`);
  }
  return value;
}
