
/*
 * Copyright (C) rs-gateway contributors
 *
 * The rendered browser's page: what it says, what is asked of it, over the
 * channel and by the gateway; addresses as people type them; the rules of
 * "Browse together".
 */

import test from "node:test";
import assert from "node:assert/strict";

import { linesOf, policyOf } from "../pages/together.js";
import { RsPage, addressOf } from "../rs-page.js";
import { TestChannel, record } from "./lib.mjs";


function start(hello = {}) {
    const channel = new TestChannel();
    const detour = [];
    const it = new RsPage(channel, {detour: (m) => detour.push(m) > 0});
    const seen = record(it, ["open", "page", "blocked", "crashed",
                             "downloaded", "document"]);

    if (hello !== null) {
        channel.say({type: "hello", url: "https://a.test/", title: "A",
                     loading: false, back: false, forward: false,
                     documents: true, downloads: false, max_document: 1000,
                     ...hello});
    }

    return {channel, detour, it, seen,
            of: (type) => seen.filter((e) => e[0] === type).map((e) => e[1])};
}


test("hello, changes, the end of the line", () => {
    const {channel, it, of} = start();

    assert.equal(it.open, true);
    assert.equal(it.state.url, "https://a.test/");
    assert.equal(it.state.max_document, 1000);
    channel.say({type: "page", url: "https://a.test/2", title: "B",
                 loading: true, back: true, forward: false,
                 documents: false, downloads: true, max_document: 0});
    assert.deepEqual(it.state, {url: "https://a.test/2", title: "B",
                                loading: true, back: true, forward: false,
                                documents: false, max_document: 0,
                                downloads: true});
    channel.lose();
    assert.deepEqual(of("open"), [true, false]);
    channel.open = true;
    channel.say({type: "hello", url: "https://a.test/3"});
    assert.deepEqual(of("open"), [true, false, true]);
    assert.equal(of("page").length, 3);
});


test("what is asked of it goes over the channel", () => {
    const {channel, it, detour} = start();

    assert.equal(it.go("https://b.test/"), true);
    it.back();
    it.forward();
    it.reload();
    it.stop();
    assert.equal(it.show("a.pdf"), 1);
    assert.equal(it.show("b.pdf"), 2);
    assert.deepEqual(channel.sent, [
        {type: "go", url: "https://b.test/"}, {type: "back"},
        {type: "forward"}, {type: "reload"}, {type: "stop"},
        {type: "show", id: 1, name: "a.pdf"},
        {type: "show", id: 2, name: "b.pdf"}]);
    assert.deepEqual(detour, []);
});


test("by the gateway where there is no channel, or not at all", () => {
    const {channel, it, detour} = start(null);

    channel.open = false;
    assert.equal(it.back(), true);
    assert.deepEqual(detour, [{type: "back"}]);

    const alone = new RsPage(channel);

    assert.equal(alone.back(), false);
    assert.equal(alone.show("a"), 0);
});


test("blocked, crashed, documents; what is not of the protocol", () => {
    const {channel, it, of} = start();

    channel.say({type: "blocked", url: "http://127.0.0.1/", why: "network"});
    channel.say({type: "blocked", url: 7, why: "constructor"});
    channel.say({type: "crashed", restarting: true});
    channel.say({type: "crashed"});
    channel.say({type: "document", id: 1, name: "a.pdf", state: "refused",
                 code: "bomb", message: "1 GB"});
    channel.say({type: "document", id: 1, name: "a.pdf", state: "exploded"});
    channel.say({type: "downloaded", name: "a.pdf"});
    channel.say({type: "no such thing"});
    assert.deepEqual(of("blocked"), [
        {url: "http://127.0.0.1/", why: "network"}, {url: "", why: "other"}]);
    assert.deepEqual(of("crashed"), [true, false]);
    assert.deepEqual(of("downloaded"), [{name: "a.pdf"}]);
    assert.deepEqual(of("document"), [
        {id: 1, name: "a.pdf", state: "refused", code: "bomb",
         message: "1 GB"}]);

    channel.say({type: "page", url: {}, title: "x".repeat(5000),
                 max_document: -1, back: "yes"});
    assert.equal(it.state.url, "");
    assert.equal(it.state.title.length, 512);
    assert.equal(it.state.max_document, 0);
    assert.equal(it.state.back, false);

    it.close();
    channel.say({type: "page", url: "https://late.test/"});
    assert.equal(it.state.url, "");
});


test("addresses as they are typed", () => {
    for (const [typed, url] of [
        ["example.com", "https://example.com/"],
        [" https://example.com/a?b#c ", "https://example.com/a?b#c"],
        ["http://example.com", "http://example.com/"],
        ["host:8080/x", "https://host:8080/x"],
        ["javascript:alert(1)", ""], ["file:///etc/passwd", ""],
        ["about:blank", ""], ["data:text/html,x", ""], ["", ""],
        ["two words", ""], ["https://", ""],
        [`example.com/${"x".repeat(2048)}`, ""]])
    {
        assert.equal(addressOf(typed), url, typed);
    }
});


const NOTHING = {urls: "", mask: "", no_submit: false, downloads: false,
                 clipboard: "both", recording: "off"};


test("rules: what is said, and what is wrong", () => {
    assert.deepEqual(linesOf(" a \n\n b"), ["a", "b"]);
    assert.deepEqual(policyOf(NOTHING),
                     {policy: {downloads: "none"}, wrong: ""});
    assert.deepEqual(policyOf({
        urls: "https://*.example.com/*\n*://a.test/", mask: "#card",
        no_submit: true, downloads: true, clipboard: "none",
        recording: "required"}), {wrong: "", policy: {
        urls: ["https://*.example.com/*", "*://a.test/"],
        mask: ["#card"], no_submit: true, downloads: "both",
        clipboard: "none", recording: "required"}});

    for (const more of [{urls: "example.com"}, {urls: "ftp://a/"},
                        {urls: "https://a.test/ b"},
                        {urls: "https://a/\n".repeat(33)},
                        {mask: "a\n".repeat(17)}, {mask: "a".repeat(257)},
                        {mask: "a {}"}])
    {
        assert.notEqual(policyOf({...NOTHING, ...more}).wrong, "",
                        JSON.stringify(more));
    }
});
