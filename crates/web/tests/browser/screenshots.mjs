// Takes pictures of every page, for people to look at:
//
//   COUNTERSIGN_BIN=... node screenshots.mjs DIRECTORY [WORD]
//
// With a WORD, takes only those with the WORD in their names. Each is taken wide and narrow, light and dark.
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { openPage, pages } from "./pages.mjs";
import { launchBrowser, startSite } from "./site.mjs";
import { Visitor } from "./visitor.mjs";

const WIDTHS = { wide: { width: 1280, height: 800 }, narrow: { width: 320, height: 640 } };

const [directory, word = ""] = process.argv.slice(2);
if (!directory) {
  console.error("usage: node screenshots.mjs DIRECTORY [WORD]");
  process.exit(2);
}
await mkdir(directory, { recursive: true });

const browser = await launchBrowser();
for (const page of pages.filter(({ name }) => name.includes(word))) {
  const site = await startSite();
  try {
    const visitor = await Visitor.arrive(browser, site);
    await openPage(visitor, page);
    for (const [width, viewport] of Object.entries(WIDTHS)) {
      for (const colorScheme of ["light", "dark"]) {
        await visitor.page.setViewportSize(viewport);
        await visitor.page.emulateMedia({ colorScheme });
        const path = join(directory, `${page.name.replaceAll(" ", "-")}.${width}.${colorScheme}.png`);
        await visitor.page.screenshot({ path, fullPage: true });
        console.log(path);
      }
    }
    await visitor.leave();
  } catch (error) {
    console.error(`${page.name}: ${error.message}`);
    process.exitCode = 1;
  } finally {
    await site.stop();
  }
}
await browser.close();
