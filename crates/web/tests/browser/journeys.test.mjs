// End-to-end tests of what people do at the site.
import assert from "node:assert/strict";
import { after } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { launchBrowser } from "./site.mjs";
import { ada, journey } from "./visitor.mjs";

const browser = launchBrowser();
after(async () => (await browser).close());

const newAda = { ...ada, password: "cobalt-heron-ladle-spruce" };
const wrongAda = { ...ada, password: "not-the-password-at-all" };

async function fromNewcomerToMemberAndOut(visitor) {
  assert.equal(await visitor.register(ada), 200);
  visitor.isAt("/login");
  const messages = visitor.page.getByRole("status");
  assert.ok((await messages.first().innerText()).trim(), "no message confirms the action");

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

journey("whoever wants to be remembered is still logged in after closing the browser", browser, {}, async (visitor) => {
  await visitor.register(ada);
  assert.equal(await visitor.field("remember").isChecked(), false);
  assert.equal(await visitor.logIn(wrongAda, { remember: true }), 401);
  assert.equal(await visitor.field("remember").isChecked(), true);
  assert.equal(await visitor.logIn(ada), 200);

  // Twice, since each use replaces the cookie of the remembered login.
  for (let times = 0; times < 2; times += 1) {
    await visitor.reopenBrowser();
    await visitor.goto("/blogs");
    visitor.isAt("/blogs");
    await visitor.reads("Hi ada");
  }

  await visitor.press("Log out");
  await visitor.isOut();
});

journey("whoever does not is logged out by closing the browser", browser, {}, async (visitor) => {
  await visitor.join(ada);
  await visitor.reopenBrowser();
  await visitor.isOut();
});

journey(
  "whoever logged in a while ago types the password again before going where the owner alone may go",
  browser,
  { settings: { COUNTERSIGN_SESSION__FRESH_FOR: "3s" } },
  async (visitor) => {
    const turnStale = () => pause(3_500);
    await visitor.join(ada);
    await turnStale();

    await visitor.goto("/account/email");
    visitor.isAt("/reauthenticate?next=%2Faccount%2Femail");
    await visitor.reads("Please reauthenticate to access this page.");
    await visitor.fill({ password: wrongAda.password });
    assert.equal(await visitor.press("Continue"), 401);
    await visitor.reads("This is not your password.");
    assert.equal(await visitor.page.evaluate(() => document.activeElement.name), "password");

    await visitor.fill({ password: ada.password });
    assert.equal(await visitor.press("Continue"), 200);
    visitor.isAt("/account/email");
    await visitor.readsNothingOf("Please reauthenticate to access this page.");

    // The login turns stale while the form is filled in, so nothing is changed. The visitor comes back to what
    // they have typed.
    await turnStale();
    await visitor.fill({ email: "lovelace@example.org" });
    await visitor.press("Change email address");
    visitor.isAt("/reauthenticate?next=%2Faccount%2Femail%3Femail%3Dlovelace%2540example.org");
    await visitor.reads("Please reauthenticate to access this page.");
    await visitor.fill({ password: newAda.password });
    assert.equal(await visitor.press("Continue"), 401);
    await visitor.fill({ password: ada.password });
    assert.equal(await visitor.press("Continue"), 200);
    assert.equal(await visitor.press("Change email address"), 200);
    visitor.isAt("/account");
    await visitor.reads("lovelace@example.org");

    // A form that asks for the password needs no fresh login.
    await turnStale();
    await visitor.goto("/account/password");
    visitor.isAt("/account/password");
    await visitor.fill({ current_password: ada.password, password: newAda.password });
    assert.equal(await visitor.press("Change password"), 200);
    visitor.isAt("/account");
  },
);

journey("whoever is only remembered types the password before going there", browser, {}, async (visitor) => {
  await visitor.join(ada, { remember: true });
  await visitor.reopenBrowser();
  await visitor.goto("/account");
  visitor.isAt("/account");
  await visitor.goto("/account/email");
  visitor.isAt("/reauthenticate?next=%2Faccount%2Femail");
  await visitor.fill({ password: ada.password });
  await visitor.press("Continue");
  visitor.isAt("/account/email");
});

async function changesThePassword(visitor) {
  await visitor.join(ada);
  const other = await visitor.elsewhere();
  await other.comeIn(ada, { remember: true });

  await visitor.goto("/account");
  await visitor.land(() => visitor.page.getByRole("link", { name: /Change password/ }).click());
  visitor.isAt("/account/password");
  await visitor.fill({ current_password: wrongAda.password, password: newAda.password });
  assert.equal(await visitor.press("Change password"), 401);
  await visitor.reads("This is not your password.");
  assert.equal(await visitor.page.evaluate(() => document.activeElement.name), "current_password");
  await visitor.fill({ current_password: ada.password, password: newAda.password });
  assert.equal(await visitor.press("Change password"), 200);
  visitor.isAt("/account");
  await visitor.reads("Your password has been changed.");

  await other.isOut();
  assert.equal(await other.logIn(ada), 401);
  assert.equal(await other.logIn(newAda), 200);
  other.isAt("/blogs");
  await visitor.goto("/blogs");
  await visitor.reads("Hi ada");
}

journey("a new password logs out everywhere else, and the old one is worth nothing", browser, {}, changesThePassword);

journey("the same works without JavaScript, too", browser, { javaScriptEnabled: false }, changesThePassword);

async function logsAnotherDeviceOut(visitor) {
  await visitor.join(ada);
  const other = await visitor.elsewhere({
    userAgent: "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Firefox/145.0",
  });
  await other.comeIn(ada);

  await visitor.goto("/account");
  await visitor.land(() => visitor.page.getByRole("link", { name: /Devices/ }).click());
  visitor.isAt("/account/sessions");
  const devices = visitor.page.getByRole("main").getByRole("listitem");
  assert.equal(await devices.count(), 2);
  assert.match(await devices.nth(0).innerText(), /This device/);
  assert.doesNotMatch(await devices.nth(1).innerText(), /This device/);
  assert.match(await devices.nth(1).innerText(), /Firefox on Windows/);
  assert.equal(await devices.nth(0).getByRole("button").count(), 0);

  assert.equal(await visitor.press(/^Log out this device: Firefox on Windows/), 200);
  visitor.isAt("/account/sessions");
  await visitor.reads("That device has been logged out.");
  assert.equal(await devices.count(), 1);
  await visitor.reads("You are not logged in anywhere else.");
  await other.isOut();
}

journey("a device is logged out from another", browser, {}, logsAnotherDeviceOut);

journey("a device is, without JavaScript", browser, { javaScriptEnabled: false }, logsAnotherDeviceOut);

journey("all other devices are logged out at once, remembered or not, awake or not", browser, {}, async (visitor) => {
  await visitor.join(ada);
  const awake = await visitor.elsewhere();
  await awake.comeIn(ada);
  const remembered = await visitor.elsewhere();
  await remembered.comeIn(ada, { remember: true });

  await visitor.goto("/account/sessions");
  const devices = visitor.page.getByRole("main").getByRole("listitem");
  assert.equal(await devices.count(), 3);
  assert.equal(await visitor.press("Log out all other devices"), 200);
  visitor.isAt("/account/sessions");
  await visitor.reads("All other devices have been logged out.");
  assert.equal(await devices.count(), 1);
  assert.equal(await visitor.button("Log out all other devices").count(), 0);

  await awake.isOut();
  await remembered.reopenBrowser();
  await remembered.isOut();
});

journey("whose remembered login was stolen is told, and the thief is out", browser, {}, async (visitor) => {
  await visitor.join(ada, { remember: true });
  const thief = await visitor.elsewhere();
  const cookies = await visitor.page.context().cookies();
  const loot = cookies.filter(({ name }) => name === "remember_token");
  assert.equal(loot.length, 1);
  await thief.page.context().addCookies(loot);
  await thief.goto("/blogs");
  await thief.reads("Hi ada");

  // Within ten seconds, requests of one browser share a session. Later, the answer that the thief got could
  // have been lost on its way to the owner: the owner comes in, and the session of the thief ends.
  await pause(11_000);
  await visitor.reopenBrowser();
  await visitor.goto("/blogs");
  visitor.isAt("/blogs");
  // When the thief comes back, two have used the login.
  await thief.goto("/blogs");
  thief.isAt("/login?next=%2Fblogs");
  await thief.reads("Somebody else has used the login that this browser remembered");

  await visitor.isOut();
  assert.equal(await visitor.logIn(ada), 200);
  visitor.isAt("/blogs");
  await visitor.readsNothingOf("Somebody else");
});

journey("whoever deletes the account is gone for good, everywhere", browser, {}, async (visitor) => {
  await visitor.join(ada);
  const other = await visitor.elsewhere();
  await other.comeIn(ada, { remember: true });

  await visitor.goto("/account");
  await visitor.land(() => visitor.page.getByRole("link", { name: /Delete account/ }).click());
  await visitor.fill({ password: wrongAda.password });
  assert.equal(await visitor.press("Delete my account permanently"), 401);
  await visitor.reads("This is not your password.");
  await visitor.fill({ password: ada.password });
  assert.equal(await visitor.press("Delete my account permanently"), 200);
  visitor.isAt("/login");
  await visitor.reads("Your account has been deleted.");

  assert.equal(await visitor.logIn(ada), 401);
  await visitor.reads("Invalid email or password.");
  await other.isOut();
  assert.equal(await visitor.register({ ...ada, username: "ada again" }), 200);
  await visitor.logIn(ada);
  await visitor.reads("Hi ada again");
});
