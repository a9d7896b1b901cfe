
/*
 * Copyright (C) rs-gateway contributors
 *
 * A session of Chromium and the agent that goes through a fault: the picture
 * goes on, both come back by themselves, and then the session is as good as
 * before.
 */

import assert from "node:assert/strict";

import { connected, frames } from "./browser.mjs";
import { until } from "./wait.mjs";


/* longest time without a new frame: ten times what is promised */
const GAP_MS = 30000;


/* notes the longest time without a new frame, from now on */
function watch(page) {
    return page.evaluate(() => {
        const pc = window.rsKept.connections.at(-1);
        const seen = {frames: 0, at: performance.now(), gap: 0};

        window.rsFrames = seen;
        seen.timer = setInterval(async () => {
            for (const s of (await pc.getStats()).values()) {
                if (s.type === "inbound-rtp" && s.framesDecoded > seen.frames)
                {
                    seen.frames = s.framesDecoded;
                    seen.at = performance.now();
                }
            }

            seen.gap = Math.max(seen.gap, performance.now() - seen.at);
        }, 100);
    });
}


function longestGap(page) {
    return page.evaluate(() => {
        clearInterval(window.rsFrames.timer);
        return window.rsFrames.gap;
    });
}


/** Sockets the page has made so far. */
export function sockets(page) {
    return page.evaluate(() => window.rsKept.sockets.length);
}


export class Trial {
    #stack;
    #window;
    #browser;

    constructor(stack, window, browser) {
        this.#stack = stack;
        this.#window = window;
        this.#browser = browser;
    }

    /* how often a socket of the agent's session was lost */
    async #losses() {
        const log = await this.#stack.agentLog();

        return log.split(": socket down (").length - 1;
    }

    async #join(link) {
        const page = await this.#browser.page();

        await page.goto(link);
        await connected(page);

        return page;
    }

    /** Both are there, by their own word and the gateway's. */
    async back(page, session) {
        await page.waitForSelector('#stage[data-socket="open"]');
        await until("everybody joined", async () => {
            const {participants, state}
                = await this.#stack.api.session(session.id);

            return state === "active" && participants.every(
                (p) => p.state === "joined" || p.state === "left");
        });
        await until("device online", async () =>
            (await this.#stack.api.device(this.#stack.device)).data.online);
    }

    /* somebody else gets the picture, then the keyboard works on a new line */
    async #asGoodAsBefore(page, session) {
        const {join_url} = await until("one more participant", () =>
            this.#stack.api.addParticipant(session.id, {role: "viewer"}));
        const other = await this.#join(join_url);
        const from = await frames(other);

        await until("frames of the other one",
                    async () => await frames(other) > from);
        await until("the other one in the list", () => page.$$eval(
            "#people li", (li) => li.length === 3));
        await other.context().close();

        const lines = await page.evaluate(
            () => window.rsKept.connections.length);

        await page.evaluate(() => dispatchEvent(new Event("online")));
        await until("a new line", () => page.evaluate(
            (n) => window.rsKept.connections.length > n
                   && window.rsKept.connections.at(-1).connectionState
                      === "connected", lines));
        this.#window.clear();
        await until("keys", async () => {
            await page.focus("#screen");
            await page.keyboard.press("g");
            return this.#window.presses.some((e) => e.keysym === "g"
                                                    && !e.down);
        });
    }

    /**
     * A session goes through fault(page, session); t is told how long there
     * was no new frame.  lost: who must have lost a socket over it, so that a
     * fault that hit nobody is told.
     */
    async through(t, fault, lost = {browser: true, agent: true}) {
        const {session, links} = await this.#stack.session(["controller"]);
        const page = await this.#join(links[0]);

        await page.waitForSelector('#stage[data-control="true"]');
        await until("session that is active", async () =>
            (await this.#stack.api.session(session.id)).state === "active");
        await watch(page);

        const had = await this.#losses();

        await fault(page, session);
        await this.back(page, session);

        /* the media were left alone: one connection, and it never stopped */
        const gap = await longestGap(page);

        t.diagnostic(`${Math.round(gap)} ms without a frame`);
        assert.ok(gap < GAP_MS, `${Math.round(gap)} ms without a frame`);
        assert.equal(await page.evaluate(
            () => window.rsKept.connections.length), 1);

        if (lost.browser) {
            assert.ok(await sockets(page) > 1, "the browser lost no socket");
        }

        if (lost.agent) {
            assert.ok(await this.#losses() > had, "the agent lost no socket");
        }

        await this.#asGoodAsBefore(page, session);
        assert.deepEqual(page.complaints, []);
        await page.context().close();
        await this.#stack.api.endSession(session.id);
    }
}
