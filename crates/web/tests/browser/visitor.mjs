// A visitor of the site, whose actions are named like the texts on the pages.
import assert from "node:assert/strict";
import { test } from "node:test";
import { startSite } from "./site.mjs";

export const ada = {
  email: "ada@example.org",
  username: "ada",
  password: "velvet-otter-quartz-mango",
};

/**
 * Defines a test with a new site and a new visitor, in which no page may cause a problem. `options` are those
 * of a Playwright context, and `settings` those of the site.
 */
export function journey(name, browser, { settings, ...options }, walk) {
  test(name, { timeout: 90_000 }, async (t) => {
    const site = await startSite(settings);
    let visitor;
    try {
      visitor = await Visitor.arrive(await browser, site, options);
      await walk(visitor, t);
      assert.deepEqual(visitor.problems, [], "the browser complained");
    } catch (error) {
      t.diagnostic(`at ${visitor?.page.url()}`);
      t.diagnostic(`the page said: ${await visitor?.page.innerText("body").catch(() => "nothing")}`);
      t.diagnostic(`the program said: ${site.log()}`);
      throw error;
    } finally {
      await visitor?.leave();
      await site.stop();
    }
  });
}

export class Visitor {
  /** The problems that the browser reported, including those of `elsewhere`. */
  problems = [];

  #elsewhere = [];
  #documents = new Set();

  /** Opens a browser. `options` are those of a Playwright context. */
  static async arrive(browser, site, options = {}) {
    const context = await browser.newContext({
      baseURL: site.url,
      reducedMotion: "reduce",
      ...options,
    });
    context.setDefaultTimeout(15_000);
    const page = await context.newPage();
    const visitor = new Visitor(site, page, options);
    await visitor.#watch();
    return visitor;
  }

  constructor(site, page, options) {
    this.site = site;
    this.page = page;
    this.options = options;
  }

  /** Returns a visitor with another, independent browser. It is closed together with this one. */
  async elsewhere(options = {}) {
    const browser = this.page.context().browser();
    const other = await Visitor.arrive(browser, this.site, { ...this.options, ...options });
    other.problems = this.problems;
    this.#elsewhere.push(other);
    return other;
  }

  async leave() {
    for (const other of this.#elsewhere) await other.leave();
    await this.page.context().close();
  }

  /** Closes the browser and opens it again, which removes the cookies without an expiry. */
  async reopenBrowser() {
    const context = this.page.context();
    const passing = (await context.cookies()).filter(({ expires }) => expires === -1);
    assert.ok(passing.some(({ name }) => name === "session"), "no session would have ended");
    for (const { name } of passing) await context.clearCookies({ name });
  }

  // Navigation

  /** Opens a path, and returns the status of the answer. */
  async goto(path) {
    const response = await this.page.goto(path);
    return response.status();
  }

  async goBack() {
    // The browser may show the page from its cache, without loading it again.
    await this.page.goBack({ waitUntil: "commit" });
    await this.page.getByRole("heading", { level: 1 }).waitFor();
  }

  /** Runs an action that makes the browser load a page, and returns the status of the answer. */
  async land(act) {
    const before = this.page.url();
    const landed = Promise.all([
      this.page.waitForResponse(
        (response) =>
          response.request().isNavigationRequest() && Math.trunc(response.status() / 100) !== 3,
      ),
      this.page.waitForEvent("load"),
      act(),
    ]);
    const [response] = await landed.catch((cause) => {
      throw new Error(`nothing was loaded from ${before}`, { cause });
    });
    return response.status();
  }

  /** Presses a button, found by its whole name or a pattern, and returns the status of the answer. */
  press(button) {
    return this.land(() => this.button(button).click());
  }

  async register(person) {
    await this.goto("/register");
    await this.fill({ email: person.email, username: person.username, password: person.password });
    return this.press("Register");
  }

  /** Fills in the login form on the current page. `remember` also ticks the box. */
  async logIn(person, { remember = false } = {}) {
    await this.fill({ email: person.email, password: person.password });
    if (remember) await this.field("remember").check();
    return this.press("Log in");
  }

  /** Registers and logs in. */
  async join(person, options) {
    await this.register(person);
    assert.equal(await this.logIn(person, options), 200);
    this.isAt("/blogs");
  }

  /** Logs in as a member, from any page. */
  async comeIn(person, options) {
    await this.goto("/login");
    assert.equal(await this.logIn(person, options), 200);
    this.isAt("/blogs");
  }

  /** Asserts that the visitor is logged out, by opening a page for members. */
  async isOut() {
    await this.goto("/blogs");
    this.isAt("/login?next=%2Fblogs");
    await this.readsNothingOf("Hi ");
  }

  // Content of the page

  field(name) {
    return this.page.locator(`main [name=${name}]`);
  }

  button(name) {
    return this.page.getByRole("main").getByRole("button", { name, exact: true });
  }

  async fill(values) {
    for (const [name, value] of Object.entries(values)) await this.field(name).fill(value);
  }

  isAt(path) {
    const { pathname, search } = new URL(this.page.url());
    assert.equal(pathname + search, path);
  }

  async reads(text) {
    const said = await this.page.innerText("body");
    assert.ok(said.includes(text), `"${text}" is not on the page:\n${said}`);
  }

  async readsNothingOf(text) {
    const source = await this.page.content();
    assert.ok(!source.includes(text), `"${text}" is on the page:\n${source}`);
  }

  /** Returns the texts that aria-describedby refers to. Assistive technology reads them with the field. */
  describedBy(name) {
    return this.field(name).evaluate((field) =>
      (field.getAttribute("aria-describedby") ?? "")
        .split(/\s+/)
        .map((id) => id && document.getElementById(id)?.textContent.trim())
        .filter(Boolean),
    );
  }

  // Keyboard

  /** Presses Tab until the element has the focus, and asserts that the focus is visible. */
  async tabTo(selector) {
    for (let presses = 0; presses < 30; presses += 1) {
      const focus = await this.page.evaluate((selector) => {
        const element = document.activeElement;
        const style = getComputedStyle(element);
        const outlined = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0;
        return {
          there: element.matches(selector),
          seen: element === document.body || outlined || style.boxShadow !== "none",
          html: element.cloneNode().outerHTML,
        };
      }, selector);
      assert.ok(focus.seen, `the focus cannot be seen on ${focus.html}`);
      if (focus.there) return;
      await this.page.keyboard.press("Tab");
    }
    assert.fail(`${selector} cannot be reached with Tab`);
  }

  async type(text) {
    await this.page.keyboard.type(text);
  }

  async #watch() {
    const { page, site } = this;
    // Violations of the policy are reported through the console, which is watched below.
    await page.addInitScript(() =>
      document.addEventListener("securitypolicyviolation", (violation) =>
        console.error(`${violation.effectiveDirective} refused ${violation.blockedURI}`),
      ),
    );
    page.on("request", (request) => {
      if (request.isNavigationRequest()) this.#documents.add(request.url());
      if (!request.url().startsWith(`${site.url}/`) && !request.url().startsWith("data:")) {
        this.problems.push(`asked another site for ${request.url()}`);
      }
    });
    page.on("console", (message) => {
      // The console also reports an error for a page that is answered with 401, 404 or 422.
      const { url } = message.location();
      if (message.text().startsWith("Failed to load resource") && this.#documents.has(url)) return;
      if (["error", "warning"].includes(message.type())) {
        this.problems.push(`${message.type()} on ${page.url()}: ${message.text()} (${url})`);
      }
    });
    page.on("pageerror", (error) => this.problems.push(`exception on ${page.url()}: ${error}`));
  }
}
