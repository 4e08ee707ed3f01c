// Every page, in every state that somebody meets it in. A new page, or a new state of one, is an entry here: it is then
// tested for all that pages.test.mjs tests, and photographed by screenshots.mjs.
//
// name     of the state; also of its pictures
// member   who is logged in before the page is opened; left out: nobody
// open     opens the page, and returns the status it was answered with
// status   that it must be answered with; left out: 200
import { ada } from "./visitor.mjs";

// As long as names get, and without a place to break them.
const longNamed = {
  ...ada,
  email: `${"long".repeat(16)}@${"subdomain".repeat(6)}.example.org`,
  username: "W".repeat(64),
};

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
  { name: "logout", member: ada, open: (visitor) => visitor.goto("/logout") },
  { name: "not found", status: 404, open: (visitor) => visitor.goto("/no/such/page") },
  {
    name: "not found by a member",
    member: ada,
    status: 404,
    open: (visitor) => visitor.goto("/no/such/page"),
  },
];

/** Brings a visitor to the page; returns the status it was answered with. */
export async function openPage(visitor, page) {
  if (page.member) await visitor.join(page.member);
  return page.open(visitor);
}
