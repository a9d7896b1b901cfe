
/*
 * Copyright (C) rs-gateway contributors
 *
 * Thousands of devices in memory: order, search, counts; and how the list
 * is read and kept, against a gateway that is played.
 */

import test from "node:test";
import assert from "node:assert/strict";

import { DeviceFeed } from "../rs-feed.js";
import { Fleet } from "../rs-fleet.js";
import { RsError, RsEvent } from "../rs-api.js";
import { RsPrefs } from "../rs-prefs.js";
import { HandClock } from "./lib.mjs";


/* whatever has been promised by now is kept */
const settle = () => new Promise((resolve) => setImmediate(resolve));

const names = (devices) => devices.map((d) => d.name);


function fleetOf(...devices) {
    const fleet = new Fleet();

    for (const device of devices) {
        fleet.put(device);
    }

    return fleet;
}


test("devices are sorted as people sort, whatever comes when", () => {
    const fleet = fleetOf({id: "dev_c", name: "PC 10"},
                          {id: "dev_a", name: "pc 9"});

    assert.deepEqual(names(fleet.list()), ["pc 9", "PC 10"]);

    fleet.put({id: "dev_b", name: "Äpfel"});
    fleet.put({id: "dev_c", name: "PC 1"});
    assert.deepEqual(names(fleet.list()), ["Äpfel", "PC 1", "pc 9"]);

    fleet.delete("dev_b");
    fleet.delete("dev_none");
    assert.deepEqual(names(fleet.list()), ["PC 1", "pc 9"]);

    fleet.put({id: "dev_d"});
    assert.equal(fleet.list()[0].id, "dev_d", "its id, without a name");

    fleet.keep(new Set(["dev_a"]));
    assert.deepEqual(names(fleet.list()), ["pc 9"]);
    assert.equal(fleet.size, 1);
    fleet.clear();
    assert.deepEqual(fleet.list(), []);
});


test("search: every word somewhere in name, id, tags, system", () => {
    const fleet = fleetOf(
        {id: "dev_a", name: "Reception PC", tags: ["berlin"], online: true,
         group_id: "grp_a", meta: {os: "Debian 12"}, agent: {}},
        {id: "dev_b", name: "Till", tags: ["berlin", "shop"]});
    const found = (want) => fleet.list(want).map((d) => d.id);

    assert.deepEqual(found({query: ""}), ["dev_a", "dev_b"]);
    assert.deepEqual(found({query: "  pc BERLIN "}), ["dev_a"]);
    assert.deepEqual(found({query: "pc hamburg"}), []);
    assert.deepEqual(found({query: "debian"}), ["dev_a"]);
    assert.deepEqual(found({query: "dev_b"}), ["dev_b"]);
    assert.deepEqual(found({show: "online"}), ["dev_a"]);
    assert.deepEqual(found({show: "offline"}), ["dev_b"]);
    assert.deepEqual(found({tag: "shop"}), ["dev_b"]);
    assert.deepEqual(found({tag: "ber"}), []);
    assert.deepEqual(found({group: "grp_a"}), ["dev_a"]);
    assert.deepEqual(fleet.tags(), ["berlin", "shop"]);
    assert.equal(fleet.online, 1);

    fleet.patch("dev_b", {online: true, name: "A till"});
    assert.deepEqual(found({show: "online"}), ["dev_b", "dev_a"]);
    assert.equal(fleet.get("dev_b").tags.length, 2);
    assert.equal(fleet.patch("dev_c", {online: true}), false);
});


test("ten thousand devices are searched in a blink", () => {
    const fleet = new Fleet();

    for (let i = 0; i < 10000; i++) {
        fleet.put({id: `dev_${i}`, name: `PC ${(i * 7919) % 10000}`,
                   tags: [`floor-${i % 40}`], online: i % 3 === 0});
    }

    const from = performance.now();

    assert.equal(fleet.list().length, 10000);
    assert.equal(fleet.list({query: "pc floor-39"}).length, 250);
    assert.equal(fleet.list({query: "floor-39", show: "online"}).length, 84);

    fleet.put({id: "dev_5", name: "Another"});
    assert.equal(fleet.list()[0].name, "Another");

    const ms = performance.now() - from;

    console.log(`# a sort, four searches: ${Math.round(ms)} ms`);
    assert.ok(ms < 5000);
});


/* what is heard of when the test says so */
class Ears extends EventTarget {
    live = false;
    started = 0;

    start() {
        this.started++;
    }

    stop() {
        this.started = 0;
    }

    say(type, detail) {
        this.dispatchEvent(new RsEvent(type, detail));
    }

    setLive(live) {
        this.live = live;
        this.say("live", live);
    }
}


/* a gateway with a list of devices, two to a page */
class Lists {
    devicesOf = [];
    calls = 0;
    fail = null;

    singles = [];

    async device(id) {
        const data = this.devicesOf.find((d) => d.id === id);

        this.singles.push(id);

        if (data === undefined) {
            throw new RsError("not_found");
        }

        return {data};
    }

    async devices({cursor}) {
        this.calls++;

        if (this.fail !== null) {
            throw this.fail;
        }

        const from = Number(cursor ?? 0);

        return {items: this.devicesOf.slice(from, from + 2),
                next_cursor: from + 2 < this.devicesOf.length
                             ? String(from + 2) : null};
    }
}


/* answers come between one timer and the next */
async function pass(it, ms) {
    for (let left = ms; left > 0; left -= 100) {
        it.clock.pass(Math.min(left, 100));
        await settle();
    }
}


function feedOf(devices) {
    const api = new Lists();
    const clock = new HandClock();
    const fleet = new Fleet();
    const account = {api, expired: false};
    const watch = new Ears();
    const feed = new DeviceFeed({fleet, watch, account: () => account,
                                 clock});
    const said = [];

    api.devicesOf = devices;

    for (const type of ["change", "error", "out"]) {
        feed.addEventListener(type, (ev) => said.push([type,
                                                       ev.detail?.code]));
    }

    return {api, clock, fleet, account, watch, feed, said};
}


test("a feed reads all pages, and again, the less often the more", async () => {
    const it = feedOf([{id: "dev_a"}, {id: "dev_b"}, {id: "dev_c"}]);

    it.feed.start();
    assert.equal(it.feed.loaded, false);
    await settle();
    assert.equal(it.fleet.size, 3);
    assert.equal(it.feed.loaded, true);
    assert.equal(it.api.calls, 2);

    /* one of them goes; two pages are read every 8 s */
    it.api.devicesOf = [{id: "dev_a"}, {id: "dev_c", name: "C"}];
    await pass(it, 7900);
    assert.equal(it.api.calls, 2);
    await pass(it, 200);
    assert.deepEqual(it.fleet.list().map((d) => d.id), ["dev_c", "dev_a"]);

    /* a stopped one reads nothing */
    const {calls} = it.api;

    it.feed.stop();
    await pass(it, 100000);
    assert.equal(it.api.calls, calls);

    it.feed.forget();
    assert.equal(it.fleet.size, 0);
    assert.equal(it.feed.loaded, false);
});


test("a feed that fails says so, waits, and tries again", async () => {
    const it = feedOf([{id: "dev_a"}]);

    it.api.fail = new RsError("unavailable", {retry_after_s: 30});
    it.feed.start();
    await settle();
    assert.deepEqual(it.said, [["error", "unavailable"]]);
    await pass(it, 29000);
    assert.equal(it.api.calls, 1);
    it.api.fail = null;
    await pass(it, 6000);
    assert.equal(it.feed.loaded, true);

    /* a credential that is void is told to who can forget it */
    it.api.fail = new RsError("unauthenticated");
    await pass(it, 5000);
    assert.deepEqual(it.said.at(-1), ["out", "unauthenticated"]);

    const {calls} = it.api;

    await pass(it, 100000);
    assert.equal(it.api.calls, calls);

    /* one that ran out is told as such, and no more is read */
    it.account.expired = true;
    it.feed.refresh();
    await settle();
    assert.deepEqual(it.said.at(-1), ["error", "token_expired"]);
    await pass(it, 100000);
    assert.equal(it.api.calls, calls + 1);
});


test("a feed that hears of changes reads the list once", async () => {
    const it = feedOf([{id: "dev_a", name: "A"}, {id: "dev_b", name: "B"},
                       {id: "dev_c", name: "C"}]);
    const hear = async (id, change, at = 1790000000) => {
        it.watch.say("device", {id, change, at});
        await settle();
    };

    it.feed.start();
    it.watch.setLive(true);
    await settle();
    assert.equal(it.feed.loaded, true);

    const {calls} = it.api;

    await pass(it, 300000);
    assert.equal(it.api.calls, calls, "it is not read again");

    await hear("dev_b", "online");
    assert.equal(it.fleet.get("dev_b").online, true);
    assert.equal(it.fleet.get("dev_b").connected_at, 1790000000);
    await hear("dev_b", "offline", 1790000001);
    assert.equal(it.fleet.get("dev_b").online, false);
    assert.equal(it.fleet.get("dev_b").last_seen_at, 1790000001);
    await hear("dev_a", "gone");
    assert.equal(it.fleet.size, 2);
    assert.deepEqual(it.api.singles, []);

    /* what is new or another one is read, and nothing else */
    it.api.devicesOf.push({id: "dev_d", name: "D"});
    await hear("dev_d", "new");
    await hear("dev_x", "changed");
    await settle();
    assert.deepEqual(it.api.singles, ["dev_d", "dev_x"]);
    assert.equal(it.fleet.get("dev_d").name, "D");
    assert.equal(it.api.calls, calls);

    /* of many the list is quicker */
    for (let i = 0; i < 60; i++) {
        it.watch.say("device", {id: `dev_${i}`, change: "new", at: 1});
    }

    await settle();
    assert.ok(it.api.calls > calls);
    assert.ok(it.api.singles.length < 10);

    /* what may have been missed is read; deaf, it is read now and then */
    let before = it.api.calls;

    it.watch.say("resync");
    await settle();
    assert.ok(it.api.calls > before);
    it.watch.setLive(false);
    await settle();
    before = it.api.calls;
    await pass(it, 20000);
    assert.ok(it.api.calls > before);

    it.feed.stop();
    assert.equal(it.watch.started, 0);
    before = it.api.calls;
    await hear("dev_b", "new");
    await pass(it, 100000);
    assert.equal(it.api.calls, before);
});


test("what is heard while a page is on its way is newer than the page",
     async () => {
    const it = feedOf([{id: "dev_a", online: false, tags: ["t"]},
                       {id: "dev_b", online: true}]);
    let answer;

    it.watch.live = true;
    it.feed.start();
    await settle();
    it.api.devices = () => new Promise((resolve) => {
        answer = resolve;
    });
    it.feed.refresh();
    it.watch.say("device", {id: "dev_a", change: "online", at: 5});
    it.watch.say("device", {id: "dev_b", change: "gone", at: 5});
    answer({items: it.api.devicesOf, next_cursor: null});
    await settle();
    assert.equal(it.fleet.get("dev_a").online, true);
    assert.deepEqual(it.fleet.get("dev_a").tags, ["t"]);
    assert.equal(it.fleet.get("dev_b"), null);
});


test("what a user prefers is kept, where it is not the default", () => {
    const kept = new Map();
    const storage = {getItem: (n) => kept.get(n) ?? null,
                     setItem: (n, v) => kept.set(n, v),
                     removeItem: (n) => kept.delete(n)};
    const prefs = new RsPrefs(() => storage);

    assert.equal(prefs.get("theme"), "system");
    assert.equal(prefs.set("theme", "dark"), true);
    assert.equal(new RsPrefs(() => storage).get("theme"), "dark");
    prefs.set("theme", "system");
    assert.equal(kept.size, 0);

    /* nothing else than what there is */
    kept.set("rs-prefs", '{"theme":"<b>","role":"viewer","x":1}');

    const other = new RsPrefs(() => storage);

    assert.equal(other.get("theme"), "system");
    assert.equal(other.get("role"), "viewer");
    kept.set("rs-prefs", "not JSON");
    assert.equal(new RsPrefs(() => storage).get("role"), "controller");

    const none = new RsPrefs(() => {
        throw new Error("blocked");
    });

    assert.equal(none.set("role", "viewer"), false);
    assert.equal(none.get("role"), "viewer");
});


test("services are known, and in no list and no count", () => {
    const fleet = new Fleet();

    fleet.put({id: "dev_a", name: "Till", online: true, tags: ["x"],
               kind: "desktop"});
    fleet.put({id: "dev_b", name: "Old", online: true, tags: []});
    fleet.put({id: "dev_r", name: "render-1", online: true, tags: ["y"],
               kind: "renderer"});
    fleet.put({id: "dev_s", name: "recorder-1", online: false, tags: [],
               kind: "recorder"});
    assert.deepEqual(fleet.list().map((d) => d.id), ["dev_b", "dev_a"]);
    assert.deepEqual([fleet.size, fleet.online, fleet.tags()],
                     [2, 2, ["x"]]);
    assert.equal(fleet.get("dev_r").name, "render-1");
});
