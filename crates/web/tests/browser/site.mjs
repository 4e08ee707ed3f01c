// Starts the program and the browser. No other file starts them.
//
// COUNTERSIGN_BIN is the program to test. CHROMIUM is the browser (default: the first on the PATH).
import { spawn } from "node:child_process";
import { once } from "node:events";
import { accessSync, constants } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join, resolve } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { chromium } from "playwright-core";

const running = new Set();
process.on("exit", () => running.forEach((program) => program.kill("SIGKILL")));

/** Starts a browser that is installed. None is downloaded. */
export function launchBrowser() {
  return chromium.launch({
    executablePath: findChromium(),
    // Chromium's sandbox does not work for root.
    chromiumSandbox: process.getuid?.() !== 0,
    args: ["--disable-gpu", "--disable-quic", "--disable-sync"],
    // Browsers keep the pages that a visitor leaves. The back button must not show private data from them.
    ignoreDefaultArgs: ["--disable-back-forward-cache"],
  });
}

/**
 * Starts the program on a free port, with a new database, in an empty directory that is removed with it.
 * `settings` are environment variables for it.
 */
export async function startSite(settings = {}) {
  const binary = process.env.COUNTERSIGN_BIN;
  if (!binary) throw new Error("COUNTERSIGN_BIN must be the path of the program");
  const directory = await mkdtemp(join(tmpdir(), "countersign-browser-"));
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  // The environment of this process is not passed on, since its COUNTERSIGN_* would be settings.
  const program = spawn(resolve(binary), [], {
    cwd: directory,
    env: {
      PATH: process.env.PATH,
      ROCKET_ADDRESS: "127.0.0.1",
      ROCKET_PORT: String(port),
      ROCKET_CLI_COLORS: "false",
      COUNTERSIGN_PUBLIC_URL: url,
      COUNTERSIGN_DATABASE_URL: `sqlite://${join(directory, "site.db")}?mode=rwc`,
      ...settings,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  running.add(program);
  const ended = once(program, "close").catch(() => {});
  let log = "";
  const listen = (text) => (log = (log + text).slice(-20_000));
  program.stdout.on("data", listen);
  program.stderr.on("data", listen);
  program.on("error", (error) => listen(`${error}\n`));

  const site = {
    url,
    log: () => log,
    stop: async () => {
      program.kill("SIGKILL");
      await ended;
      running.delete(program);
      await rm(directory, { recursive: true, force: true });
    },
  };
  if (await isReady(url, program)) return site;
  await site.stop();
  throw new Error(`the program did not become ready; it said:\n${log}`);
}

async function isReady(url, program) {
  for (const deadline = Date.now() + 20_000; Date.now() < deadline; await pause(20)) {
    if (!program.pid || program.exitCode !== null || program.signalCode !== null) return false;
    const answer = await fetch(`${url}/health/ready`).catch(() => null);
    await answer?.arrayBuffer();
    if (answer?.ok) return true;
  }
  return false;
}

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

function findChromium() {
  if (process.env.CHROMIUM) return process.env.CHROMIUM;
  const names = ["chromium", "chromium-browser", "google-chrome"];
  const directories = process.env.PATH.split(delimiter);
  const found = names
    .flatMap((name) => directories.map((directory) => join(directory, name)))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
  if (!found) throw new Error("no Chromium on the PATH: install it, or set CHROMIUM to its path");
  return found;
}
