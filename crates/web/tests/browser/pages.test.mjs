// Tests that apply to every page.
import assert from "node:assert/strict";
import { after } from "node:test";
import axe from "axe-core";
import { openPage, pages } from "./pages.mjs";
import { launchBrowser } from "./site.mjs";
import { journey } from "./visitor.mjs";

const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
const SEVERE = ["serious", "critical"];

const browser = launchBrowser();
after(async () => (await browser).close());

for (const page of pages) {
  const name = `the page "${page.name}" can be read and used by everybody, light or dark, wide or narrow`;
  journey(name, browser, {}, async (visitor, t) => {
    assert.equal(await openPage(visitor, page), page.status ?? 200);
    assert.match(await visitor.page.title(), /\S/);
    assert.equal(await visitor.page.getByRole("heading", { level: 1 }).count(), 1, "headings of level 1");

    for (const colorScheme of ["light", "dark"]) {
      await visitor.page.emulateMedia({ colorScheme });
      const faults = await audit(visitor.page);
      const told = faults.map(({ impact, text }) => `${colorScheme}: ${impact}: ${text}`);
      told.forEach((line) => t.diagnostic(line));
      assert.deepEqual(told.filter((_, i) => SEVERE.includes(faults[i].impact)), []);
    }

    await visitor.page.setViewportSize({ width: 320, height: 640 });
    assert.deepEqual(await sidewaysScrollers(visitor.page), [], "these are wider than 320 pixels");
  });
}

/** Returns the faults that axe finds, and the contrasts that it cannot determine. */
async function audit(page) {
  // The page's policy blocks scripts that are added to it, but not those that the debugger evaluates.
  await page.evaluate(axe.source);
  const { violations, incomplete } = await page.evaluate(async (values) => {
    // The ornament in front of a card prevents axe from determining the contrast of the text in it.
    const plain = new CSSStyleSheet();
    plain.replaceSync("*::before, *::after { display: none !important }");
    document.adoptedStyleSheets = [plain];
    const results = await window.axe.run({ runOnly: { type: "tag", values } });
    document.adoptedStyleSheets = [];
    return results;
  }, RULES);
  const unjudged = incomplete.filter(({ id }) => id === "color-contrast");
  return [...violations, ...unjudged].map(({ impact, id, help, nodes }) => ({
    impact,
    text: `${id}: ${help}: ${nodes.map(({ html }) => html).join(" ")}`,
  }));
}

/** Returns the elements that make the page scroll sideways. */
function sidewaysScrollers(page) {
  return page.evaluate(() => {
    const { scrollWidth, clientWidth } = document.documentElement;
    if (scrollWidth <= clientWidth) return [];
    return [...document.body.querySelectorAll("*")]
      .filter((element) => element.getBoundingClientRect().right > clientWidth)
      .map((element) => element.cloneNode().outerHTML);
  });
}
