// Takes a picture of every screen of a served engine, as it is: node look.mjs LINK DIR [WIDTHxHEIGHT]
import { mkdir } from "node:fs/promises";
import { Browser, sleep } from "./webdriver.mjs";

const [link, folder, size = "1280x800"] = process.argv.slice(2);
await mkdir(folder, { recursive: true });
const browser = await Browser.start("chromium", { size: size.split("x").map(Number) });
try {
  await browser.open(link);
  for (const [key, name] of [["t", "topology"], ["h", "health"], ["a", "approvals"], ["c", "chat"], ["r", "replay"], ["i", "import"], ["l", "lab"]]) {
    await sleep(500);
    await browser.keys("g", key);
    await sleep(2500);
    await browser.picture(`${folder}/${name}.png`);
  }
} finally {
  await browser.end();
}
