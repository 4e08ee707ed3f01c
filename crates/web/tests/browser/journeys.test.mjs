// What people do at the site, from end to end.
import assert from "node:assert/strict";
import { after } from "node:test";
import { launchBrowser } from "./site.mjs";
import { ada, journey } from "./visitor.mjs";

const browser = launchBrowser();
after(async () => (await browser).close());

async function fromNewcomerToMemberAndOut(visitor) {
  assert.equal(await visitor.register(ada), 200);
  visitor.isAt("/login");
  const messages = visitor.page.getByRole("status");
  assert.ok((await messages.first().innerText()).trim(), "nothing says that it worked");

  assert.equal(await visitor.logIn({ ...ada, password: "not-the-password-at-all" }), 401);
  visitor.isAt("/login");
  await visitor.reads("Invalid email or password.");
  assert.equal(await visitor.field("email").inputValue(), ada.email);
  assert.equal(await visitor.field("password").inputValue(), "");

  assert.equal(await visitor.logIn(ada), 200);
  visitor.isAt("/blogs");
  await visitor.reads("Hi ada");

  await visitor.goto("/");
  visitor.isAt("/");
  await visitor.reads("ada");

  await visitor.goto("/blogs");
  assert.equal(await visitor.press("Log out"), 200);
  visitor.isAt("/login");
  await visitor.readsNothingOf("Hi ada");

  await visitor.goBack();
  await visitor.readsNothingOf("Hi ada");
  await visitor.goto("/blogs");
  visitor.isAt("/login?next=%2Fblogs");
}

journey(
  "a newcomer registers, mistypes the password, logs in, looks around, logs out, and leaves nothing behind",
  browser,
  {},
  fromNewcomerToMemberAndOut,
);

journey("the same works without JavaScript", browser, { javaScriptEnabled: false }, async (visitor) => {
  await visitor.goto("/register");
  assert.equal(await visitor.page.getByRole("button", { name: /show/i }).count(), 0);
  await fromNewcomerToMemberAndOut(visitor);
});

journey("whoever asks for a members' page logs in first and lands on it", browser, {}, async (visitor) => {
  await visitor.register(ada);

  await visitor.goto("/blogs");
  visitor.isAt("/login?next=%2Fblogs");
  await visitor.reads("Please log in to access this page.");

  await visitor.logIn({ ...ada, password: "not-the-password-at-all" });
  await visitor.reads("Invalid email or password.");
  await visitor.logIn(ada);
  visitor.isAt("/blogs");
  await visitor.reads("Hi ada");
  await visitor.readsNothingOf("Please log in to access this page.");
});

journey("a member who asks for the login or register page is sent on", browser, {}, async (visitor) => {
  await visitor.join(ada);
  for (const path of ["/login", "/register"]) {
    await visitor.goto(path);
    visitor.isAt("/blogs");
  }
});

journey("a log-out in one tab holds in the other", browser, {}, async (visitor) => {
  await visitor.join(ada);
  const other = await visitor.page.context().newPage();
  await other.goto("/blogs");
  assert.match(await other.innerText("main"), /Hi ada/);

  await visitor.press("Log out");
  await other.reload();
  assert.equal(new URL(other.url()).pathname, "/login");
});

journey("a link to the log-out page logs nobody out", browser, {}, async (visitor) => {
  await visitor.join(ada);
  assert.equal(await visitor.goto("/logout"), 200);
  await visitor.goto("/blogs");
  await visitor.reads("Hi ada");

  await visitor.goto("/logout");
  await visitor.press("Log out");
  visitor.isAt("/login");
});

journey(
  "too short a password is explained at its field, where the focus is, and nothing else is lost",
  browser,
  {},
  async (visitor) => {
    await visitor.goto("/register");
    const before = await visitor.describedBy("password");
    await visitor.fill({ ...ada, password: "short" });
    assert.equal(await visitor.press("Register"), 422);

    assert.equal(await visitor.field("email").inputValue(), ada.email);
    assert.equal(await visitor.field("username").inputValue(), ada.username);
    assert.equal(await visitor.field("password").inputValue(), "");
    assert.equal(await visitor.field("password").getAttribute("aria-invalid"), "true");
    assert.equal(await visitor.field("email").getAttribute("aria-invalid"), null);
    assert.equal(await visitor.page.evaluate(() => document.activeElement.name), "password");
    const errors = (await visitor.describedBy("password")).filter((text) => !before.includes(text));
    assert.equal(errors.length, 1, `one text is new: ${JSON.stringify(errors)}`);
    assert.ok(await visitor.page.getByText(errors[0]).first().isVisible());

    await visitor.fill({ password: ada.password });
    assert.equal(await visitor.press("Register"), 200);
    visitor.isAt("/login");
  },
);

journey("an email address that is taken is said to be", browser, {}, async (visitor) => {
  await visitor.register(ada);
  assert.equal(await visitor.register({ ...ada, username: "another ada" }), 409);
  await visitor.reads("Email already present");
  assert.equal(await visitor.field("username").inputValue(), "another ada");
});

journey("the keyboard alone registers, logs in and logs out", browser, {}, async (visitor) => {
  const { keyboard } = visitor.page;
  await visitor.goto("/");
  await visitor.tabTo("a[href='/register']");
  await visitor.land(() => keyboard.press("Enter"));
  visitor.isAt("/register");
  for (const name of ["email", "username", "password"]) {
    await visitor.tabTo(`[name=${name}]`);
    await visitor.type(ada[name]);
  }
  await visitor.land(() => keyboard.press("Enter"));

  visitor.isAt("/login");
  for (const name of ["email", "password"]) {
    await visitor.tabTo(`[name=${name}]`);
    await visitor.type(ada[name]);
  }
  await visitor.tabTo("main button[type=submit]");
  await visitor.land(() => keyboard.press("Enter"));

  visitor.isAt("/blogs");
  await visitor.tabTo("main button[type=submit]");
  await visitor.land(() => keyboard.press("Space"));
  visitor.isAt("/login");
});

journey("the show-password button shows it, hides it again, and sends nothing", browser, {}, async (visitor) => {
  for (const path of ["/register", "/login"]) {
    await visitor.goto(path);
    const password = visitor.field("password");
    const button = visitor.page.getByRole("button", { name: /show password/i });
    assert.equal(await button.evaluate((button) => button.localName), "button");
    assert.equal(await button.getAttribute("type"), "button");
    const isShown = async () => [
      await password.getAttribute("type"),
      await button.getAttribute("aria-pressed"),
    ];

    await password.fill(ada.password);
    assert.deepEqual(await isShown(), ["password", "false"]);
    await button.click();
    assert.deepEqual(await isShown(), ["text", "true"]);
    await button.press("Space");
    assert.deepEqual(await isShown(), ["password", "false"]);
    assert.equal(await password.inputValue(), ada.password);
    visitor.isAt(path);
  }
});
