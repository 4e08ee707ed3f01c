// Every page, in every state that visitors can see. Add an entry for each new page and each new state:
// pages.test.mjs then tests it, and screenshots.mjs takes pictures of it.
//
// name     the name of the state and of its pictures
// member   the member who logs in before the page is opened (default: nobody)
// open     opens the page, and returns the status of the answer
// status   the expected status (default: 200)
import { ada } from "./visitor.mjs";

// The longest names that are allowed, without a place to break the line.
const longNamed = {
  ...ada,
  email: `${"long".repeat(16)}@${"subdomain".repeat(6)}.example.org`,
  username: "W".repeat(64),
};

// Values of the header User-Agent.
const firefox = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Firefox/145.0";
const program = "An-Unheard-Of-Program-With-A-Rather-Long-Name/1.0";

// Opens a page that asks a remembered member for the password.
async function toReauthenticate(visitor, person) {
  await visitor.join(person, { remember: true });
  await visitor.reopenBrowser();
  return visitor.goto("/account/email");
}

export const pages = [
  { name: "home", open: (visitor) => visitor.goto("/") },
  { name: "home of a member", member: ada, open: (visitor) => visitor.goto("/") },
  { name: "register", open: (visitor) => visitor.goto("/register") },
  {
    name: "register while choosing a password",
    open: async (visitor) => {
      const status = await visitor.goto("/register");
      await visitor.fill({ password: "almost enough" });
      await visitor.field("email").focus();
      return status;
    },
  },
  {
    name: "register with an error in every field",
    status: 422,
    open: (visitor) => visitor.register({ email: "no address", username: " ", password: "short" }),
  },
  {
    name: "register with an email address that is taken",
    status: 409,
    open: async (visitor) => {
      await visitor.register(ada);
      return visitor.register({ ...ada, username: "another ada" });
    },
  },
  { name: "login", open: (visitor) => visitor.goto("/login") },
  { name: "login after registering", open: (visitor) => visitor.register(ada) },
  { name: "login to go on", open: (visitor) => visitor.goto("/blogs") },
  {
    name: "login after too many attempts",
    status: 429,
    open: async (visitor) => {
      await visitor.register(ada);
      for (let n = 0; n < 5; n += 1) await visitor.logIn({ ...ada, password: "wrong" });
      return visitor.logIn(ada);
    },
  },
  {
    name: "login with a wrong password",
    status: 401,
    open: async (visitor) => {
      await visitor.register(ada);
      return visitor.logIn({ ...ada, password: "not-the-password-at-all" });
    },
  },
  {
    name: "login with nothing filled in",
    status: 422,
    open: async (visitor) => {
      await visitor.goto("/login");
      return visitor.press("Log in");
    },
  },
  {
    name: "login after logging out",
    member: ada,
    open: (visitor) => visitor.press("Log out"),
  },
  { name: "blogs", member: ada, open: (visitor) => visitor.goto("/blogs") },
  { name: "blogs with a long name", member: longNamed, open: (visitor) => visitor.goto("/blogs") },
  { name: "account", member: ada, open: (visitor) => visitor.goto("/account") },
  { name: "account with a long name", member: longNamed, open: (visitor) => visitor.goto("/account") },
  { name: "account password", member: ada, open: (visitor) => visitor.goto("/account/password") },
  {
    name: "account password while choosing one",
    member: ada,
    open: async (visitor) => {
      const status = await visitor.goto("/account/password");
      await visitor.fill({ current_password: ada.password, password: "almost enough" });
      return status;
    },
  },
  {
    name: "account password with an error in every field",
    member: ada,
    status: 422,
    open: async (visitor) => {
      await visitor.goto("/account/password");
      await visitor.fill({ password: "short" });
      return visitor.press("Change password");
    },
  },
  {
    name: "account password with a wrong password",
    member: ada,
    status: 401,
    open: async (visitor) => {
      await visitor.goto("/account/password");
      await visitor.fill({ current_password: "not-the-password-at-all", password: "cobalt-heron-ladle-spruce" });
      return visitor.press("Change password");
    },
  },
  {
    name: "account after changing the password",
    member: ada,
    open: async (visitor) => {
      await visitor.goto("/account/password");
      await visitor.fill({ current_password: ada.password, password: "cobalt-heron-ladle-spruce" });
      return visitor.press("Change password");
    },
  },
  { name: "account email", member: ada, open: (visitor) => visitor.goto("/account/email") },
  {
    name: "account email with an error",
    member: ada,
    status: 422,
    open: async (visitor) => {
      await visitor.goto("/account/email");
      await visitor.fill({ email: "ada" });
      return visitor.press("Change email address");
    },
  },
  { name: "account username", member: ada, open: (visitor) => visitor.goto("/account/profile") },
  { name: "account sessions", member: ada, open: (visitor) => visitor.goto("/account/sessions") },
  {
    name: "account sessions with others",
    open: async (visitor) => {
      await visitor.join(ada, { remember: true });
      await (await visitor.elsewhere({ userAgent: firefox })).comeIn(ada, { remember: true });
      await (await visitor.elsewhere({ userAgent: program })).comeIn(ada);
      return visitor.goto("/account/sessions");
    },
  },
  { name: "account activity", member: ada, open: (visitor) => visitor.goto("/account/activity") },
  {
    name: "account activity with failed attempts",
    open: async (visitor) => {
      await visitor.register(ada);
      for (let n = 0; n < 4; n += 1) await visitor.logIn({ ...ada, password: "wrong" });
      await visitor.logIn(ada);
      return visitor.goto("/account/activity");
    },
  },
  { name: "account delete", member: ada, open: (visitor) => visitor.goto("/account/delete") },
  {
    name: "account delete with a wrong password",
    member: ada,
    status: 401,
    open: async (visitor) => {
      await visitor.goto("/account/delete");
      await visitor.fill({ password: "not-the-password-at-all" });
      return visitor.press("Delete my account permanently");
    },
  },
  {
    name: "login in a browser that keeps no cookies",
    open: async (visitor) => {
      await visitor.goto("/");
      await visitor.page.context().clearCookies();
      return visitor.land(() => visitor.page.evaluate(() => location.assign("/login?next=%2Fblogs")));
    },
  },
  {
    name: "register in a browser where somebody has logged in meanwhile",
    member: ada,
    status: 409,
    open: async (visitor) => {
      const cookies = await visitor.page.context().cookies();
      await visitor.page.context().clearCookies();
      await visitor.goto("/register");
      await visitor.page.context().addCookies(cookies);
      await visitor.fill({ email: "bert@example.org", username: "Bert", password: ada.password });
      return visitor.press("Register");
    },
  },
  { name: "reauthenticate", open: (visitor) => toReauthenticate(visitor, ada) },
  {
    name: "reauthenticate with a wrong password",
    status: 401,
    open: async (visitor) => {
      await toReauthenticate(visitor, ada);
      await visitor.fill({ password: "not-the-password-at-all" });
      return visitor.press("Continue");
    },
  },
  { name: "reauthenticate with a long name", open: (visitor) => toReauthenticate(visitor, longNamed) },
  { name: "logout", member: ada, open: (visitor) => visitor.goto("/logout") },
  { name: "not found", status: 404, open: (visitor) => visitor.goto("/no/such/page") },
  {
    name: "not found by a member",
    member: ada,
    status: 404,
    open: (visitor) => visitor.goto("/no/such/page"),
  },
];

/** Leads a visitor to the page, and returns the status of the answer. */
export async function openPage(visitor, page) {
  if (page.member) await visitor.join(page.member);
  return page.open(visitor);
}
