
/*
 * Copyright (C) rs-gateway contributors
 *
 * Two controllers of one desktop: only the input of who has control arrives,
 * whatever the other one's page sends; it is asked for, given, taken and
 * locked by the panel's buttons, and a key held in that moment is let go.
 */

import test, { after, before } from "node:test";
import assert from "node:assert/strict";

import { Browser, connected } from "./lib/browser.mjs";
import { Stack } from "./lib/stack.mjs";
import { TestWindow } from "./lib/testwin.mjs";
import { until } from "./lib/wait.mjs";


let stack, window, browser;


before(async () => {
    stack = await Stack.up(["--agent"]);
    window = await TestWindow.open(stack.state.desktop);
    browser = await Browser.start(stack);
}, {timeout: 120000});


after(async () => {
    await browser?.close();
    await window?.close();
    await stack?.down();
}, {timeout: 60000});


async function join(link) {
    const page = await browser.page();

    await page.goto(link);
    await connected(page);
    await page.click("#tool-people");

    return page;
}


const has = (page, yes) =>
    page.waitForSelector(`#stage[data-control="${yes}"]`);

const press = (page, op) =>
    page.click(`#panel-people button[data-op="${op}"]`);


/* what a page sends that does not care what the console thinks */
async function force(page, keysym, downs = [true, false]) {
    await page.evaluate(({key, downs: all}) => {
        const channel = window.rsKept.channels
            .filter((c) => c.label === "rs-input").at(-1);

        for (const down of all) {
            channel.send(JSON.stringify({type: "key", key,
                                         code: `Key${key.toUpperCase()}`,
                                         down}));
        }

        channel.send(JSON.stringify({type: "ping", n: 4242}));

        return new Promise((resolve) => {
            channel.addEventListener("message", (ev) => {
                const m = JSON.parse(ev.data);

                if (m.type === "pong" && m.n === 4242) {
                    resolve();
                }
            });
        });
    }, {key: keysym, downs});
}


const typed = () => window.presses.map((e) => e.keysym + (e.down ? "+" : "-"));

const holder = async (session) =>
    (await stack.api.session(session.id)).control.holder;


test("two controllers: only the holder's input arrives",
     {timeout: 180000}, async () => {
    const {session, links} = await stack.session([], {participants: [
        {role: "controller", name: "Ana"}, {role: "controller", name: "Bo"}]});
    const first = await join(links[0]);

    await has(first, true);

    const second = await join(links[1]);

    await has(second, false);
    assert.equal(await second.textContent("#people-said"),
                 "Ana has control");
    assert.equal(await first.textContent("#people-said"),
                 "You have control · with Bo");

    window.clear();
    await force(second, "b");
    await force(first, "a");
    await window.wait({event: "key", keysym: "a", down: false});
    assert.deepEqual(typed(), ["a+", "a-"]);

    /* asked for and given, while the first one holds a key down */
    const one = (await stack.api.session(session.id)).participants
                .filter((p) => p.role === "controller").map((p) => p.id);

    assert.equal(await holder(session), one[0]);
    await press(second, "request");
    await first.waitForSelector('#tool-people .badge:text-is("!")');
    await force(first, "h", [true]);
    await window.wait({event: "key", keysym: "h", down: true});
    await first.click('#panel-people li[data-role="controller"] '
                      + 'button[data-op="grant"]');
    await window.wait({event: "key", keysym: "h", down: false});
    await has(second, true);
    await has(first, false);
    assert.equal(await holder(session), one[1]);

    window.clear();
    await force(first, "a");
    await force(second, "b");
    await window.wait({event: "key", keysym: "b", down: false});
    assert.deepEqual(typed(), ["b+", "b-"]);

    /* whose session it is takes it back, and locks it */
    await press(first, "take");
    await has(first, true);
    await has(second, false);
    await press(first, "lock");
    await until("no way to ask", async () =>
        await second.$('#panel-people button[data-op="request"]') === null);
    await press(first, "unlock");
    await second.waitForSelector('#panel-people button[data-op="request"]');

    /* it is let go, and asked for: who asks has it at once */
    await press(first, "release");
    await has(first, false);
    await press(second, "request");
    await has(second, true);

    /* and its holder leaves for good */
    await press(first, "take");
    await has(first, true);
    await press(second, "request");
    await first.context().close();
    await has(second, true);
    assert.equal(await holder(session), one[1]);

    window.clear();
    await second.focus("#screen");
    await second.keyboard.press("z");
    await window.wait({event: "key", keysym: "z", down: false});
    assert.deepEqual(typed(), ["z+", "z-"]);

    await second.context().close();
    await stack.api.endSession(session.id);
});
