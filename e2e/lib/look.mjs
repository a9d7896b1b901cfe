
/*
 * Copyright (C) rs-gateway contributors
 *
 * A page as people have it: it fits, axe-core finds nothing serious in it,
 * and there is a picture of it.
 */

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";

import { screenshot } from "./browser.mjs";


const AXE = createRequire(import.meta.url).resolve("axe-core");


/** Into build/screens/, under its name and width. */
export async function look(page, name) {
    const {width} = page.viewportSize();
    const [content, view] = await page.evaluate(() => [
        document.documentElement.scrollWidth, innerWidth]);

    /* what comes in is there, what goes on for ever need not end */
    await page.evaluate(() => Promise.all(document.getAnimations()
        .filter((a) => a.effect.getComputedTiming().iterations === 1)
        .map((a) => a.finished)));
    await screenshot(page, `${name}-${width}`);
    assert.ok(content <= view, `${name}: ${content} pixels wide in ${view}`);

    await page.evaluate(await readFile(AXE, "utf8"));

    const found = await page.evaluate(async () => {
        const {violations} = await window.axe.run(document);

        return violations.filter((v) => v.impact === "serious"
                                        || v.impact === "critical")
                         .map((v) => [v.id, v.nodes.map((n) => [
                             n.html.slice(0, 120),
                             n.any[0]?.message].join(" "))]);
    });

    assert.deepEqual(found, [], `${name} at ${width}`);
}
