// A real Chromium, headless, and what the tests and the screenshots ask of it.
import { chromium } from "playwright-core";

const ARGUMENTS = [
  "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update",
  "--disable-sync", "--disable-gpu", "--no-sandbox",
];

/// A browser. `CHROMIUM` names the program where it is not the distribution's.
export const launch = () =>
  chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ARGUMENTS });

/// A page of a new visitor. Whatever it asks of another server, and every error of its script, is kept in `strange`.
export const visitor = async (browser, base, options = {}) => {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, ...options });
  const page = await context.newPage();
  page.strange = [];
  const own = new URL(base).origin;
  page.on("request", (request) => {
    if (new URL(request.url()).origin !== own) page.strange.push(`asked ${request.url()}`);
  });
  page.on("pageerror", (error) => page.strange.push(`script: ${error.message}`));
  page.on("console", (message) => {
    if (/Content Security Policy/i.test(message.text())) page.strange.push(message.text());
  });
  page.setDefaultTimeout(60_000);
  return page;
};

/// Signs in with a key.
export const signIn = async (page, base, key) => {
  await page.goto(`${base}/console/sign-in`);
  await page.getByLabel("API key").fill(key);
  await page.getByRole("button", { name: "Sign in" }).click();
};
