// Screenshots of every page, light and dark, wide and narrow: node screens.mjs ADDRESS KEY FOLDER [PART OF A NAME]
import { mkdir } from "node:fs/promises";
import { launch, signIn, visitor } from "./browser.mjs";

const [base, key, folder, only = ""] = process.argv.slice(2);

const PAGES = [
  ["tonight", "/"],
  ["universes", "/universes"],
  ["universe", "/universes/large_cap"],
  ["universe-past", "/universes/top_100?as_of=2026-03-02"],
  ["symbols", "/symbols"],
  ["symbol", "/symbols/AAPL"],
  ["jobs", "/jobs"],
  ["job", "/jobs/day-two"],
  ["revert", "/jobs/day-two/revert"],
  ["plan", "/plan?mode=full"],
  ["quarantine", "/quarantine"],
  ["pins", "/pins"],
  ["dead", "/dead"],
  ["guards", "/guards"],
  ["doctor", "/doctor"],
  ["missing", "/symbols/NOSUCH"],
];

await mkdir(folder, { recursive: true });
const browser = await launch();
for (const colorScheme of ["light", "dark"]) {
  for (const [width, height] of [[1440, 900], [380, 800]]) {
    const page = await visitor(browser, base, { colorScheme, viewport: { width, height } });
    const shoot = async (name) => {
      await page.waitForTimeout(250);
      await page.screenshot({ path: `${folder}/${name}-${width}-${colorScheme}.png`, fullPage: true });
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      if (overflow > 0) console.log(`${name} at ${width}: ${overflow} px wider than the screen`);
    };
    await page.goto(`${base}/console/sign-in`);
    await shoot("sign-in");
    await signIn(page, base, key);
    for (const [name, path] of PAGES.filter(([name]) => name.includes(only))) {
      await page.goto(`${base}/console${path}`);
      await shoot(name);
    }
    // The first of each list, opened.
    for (const [name, path, link] of [["quarantined", "/quarantine", "Look closer"], ["letter", "/dead", /^\d+-\d+$/]]) {
      if (!name.includes(only)) continue;
      await page.goto(`${base}/console${path}`);
      const first = page.getByRole("link", { name: link }).first();
      if (await first.count()) { await first.click(); await shoot(name); }
    }
    if (page.strange.length) console.log(page.strange.join("\n"));
    await page.context().close();
  }
}
await browser.close();
