
/*
 * Copyright (C) rs-gateway contributors
 *
 * Documents that somebody shows to everybody: a PDF, a .docx and a PNG are
 * seen; a bomb, a program, a file of 1 GB are refused in words one can act
 * on; and nothing of them is anywhere when the session is over.
 */

import test, { after, before } from "node:test";
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, open, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { deflateRawSync, deflateSync, crc32 } from "node:zlib";

import { connected, screenshot, shows } from "../e2e/lib/browser.mjs";
import { until } from "../e2e/lib/wait.mjs";
import { World } from "./lib/world.mjs";


const run = promisify(execFile);

const WHITE = [255, 255, 255];
const GREEN = [0, 255, 0];
const MAGENTA = [255, 0, 255];
const MIDDLE = {x: 640, y: 400};

const OOXML = "http:" + "//schemas.openxmlformats.org";
const WORD = "application/vnd.openxmlformats-officedocument"
             + ".wordprocessingml.document.main+xml";

/* somebody's words that must be nowhere afterwards */
const CANARY = "tangerine-4711-quarterly";

let world, browser, folder, page, watcher, session;


before(async () => {
    folder = await mkdtemp(join(tmpdir(), "rs-documents-"));
    world = await World.open();
    browser = await world.browser();

    const made = await world.session(["controller", "viewer"]);

    session = made.session;
    page = await browser.page();
    watcher = await browser.page();
    await page.goto(made.links[0]);
    await connected(page);
    await watcher.goto(made.links[1]);
    await connected(watcher);
    await page.waitForSelector('#stage[data-control="true"]');
    await page.waitForSelector("#page-show:not([hidden]):not([disabled])");
}, {timeout: 180000});


after(async () => {
    await world?.close();
    await rm(folder, {recursive: true, force: true});
}, {timeout: 60000});


/* an archive: {name: bytes}, deflated */
function zip(files) {
    const parts = [];
    const directory = [];
    let at = 0;

    for (const [name, bytes] of Object.entries(files)) {
        const packed = deflateRawSync(bytes);
        const head = Buffer.alloc(30);
        const entry = Buffer.alloc(46);

        head.write("PK\x03\x04", "latin1");
        head.writeUInt16LE(8, 8);
        head.writeUInt32LE(crc32(bytes), 14);
        head.writeUInt32LE(packed.length, 18);
        head.writeUInt32LE(bytes.length, 22);
        head.writeUInt16LE(name.length, 26);
        entry.write("PK\x01\x02", "latin1");
        head.copy(entry, 6, 4, 30);
        entry.writeUInt32LE(at, 42);
        parts.push(head, Buffer.from(name), packed);
        directory.push(entry, Buffer.from(name));
        at += head.length + name.length + packed.length;
    }

    const listed = Buffer.concat(directory);
    const end = Buffer.alloc(22);

    end.write("PK\x05\x06", "latin1");
    end.writeUInt16LE(Object.keys(files).length, 8);
    end.writeUInt16LE(Object.keys(files).length, 10);
    end.writeUInt32LE(listed.length, 12);
    end.writeUInt32LE(at, 16);

    return Buffer.concat([...parts, listed, end]);
}


function docx(more = {}) {
    const rels = `xmlns="${OOXML}/package/2006/relationships"`;
    const type = `${OOXML}/officeDocument/2006/relationships`;

    return zip({
        "[Content_Types].xml": Buffer.from(
            `<Types xmlns="${OOXML}/package/2006/content-types"><Default `
            + 'Extension="rels" ContentType="application/vnd.openxmlformats-'
            + 'package.relationships+xml"/><Override PartName="/word/document'
            + `.xml" ContentType="${WORD}"/></Types>`),
        "_rels/.rels": Buffer.from(
            `<Relationships ${rels}><Relationship Id="r1" Type="${type}/`
            + 'officeDocument" Target="word/document.xml"/></Relationships>'),
        "word/document.xml": Buffer.from(
            `<w:document xmlns:w="${OOXML}/wordprocessingml/2006/main">`
            + `<w:body><w:p><w:r><w:t>${CANARY}</w:t></w:r></w:p></w:body>`
            + "</w:document>"),
        ...more});
}


/* one page, all green */
function pdf() {
    const content = "0 1 0 rg 0 0 600 800 re f";
    const objects = [
        "<</Type/Catalog/Pages 2 0 R>>",
        "<</Type/Pages/Kids[3 0 R]/Count 1>>",
        "<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Contents 4 0 R>>",
        `<</Length ${content.length}>>stream\n${content}\nendstream`];
    const at = [];
    let text = "%PDF-1.4\n";

    objects.forEach((o, i) => {
        at.push(text.length);
        text += `${i + 1} 0 obj${o}endobj\n`;
    });

    return text + "xref\n0 5\n0000000000 65535 f \n"
           + at.map((n) => `${String(n).padStart(10, "0")} 00000 n \n`).join("")
           + `trailer<</Size 5/Root 1 0 R>>\nstartxref\n${text.length}\n%%EOF\n`;
}


function png([r, g, b], width, height) {
    const chunk = (type, data) => {
        const both = Buffer.concat([Buffer.from(type), data]);
        const head = Buffer.alloc(4);
        const sum = Buffer.alloc(4);

        head.writeUInt32BE(data.length);
        sum.writeUInt32BE(crc32(both));

        return Buffer.concat([head, both, sum]);
    };
    const size = Buffer.alloc(13);
    const row = Buffer.alloc(1 + width * 3);

    for (let x = 0; x < width; x++) {
        row.set([r, g, b], 1 + x * 3);
    }

    size.writeUInt32BE(width);
    size.writeUInt32BE(height, 4);
    size.set([8, 2], 8);

    return Buffer.concat([
        Buffer.from("\x89PNG\r\n\x1a\n", "latin1"), chunk("IHDR", size),
        chunk("IDAT", deflateSync(Buffer.concat(Array(height).fill(row)))),
        chunk("IEND", Buffer.alloc(0))]);
}


async function choose(name, bytes) {
    const path = join(folder, name);

    if (bytes !== null) {
        await writeFile(path, bytes);
    }

    await page.setInputFiles("#page-document", path);

    return `#page-docs li:has(.name:text-is("${name}"))`;
}


/* it is the page of the browser now, and everybody sees it */
async function shown(name, bytes, at, color) {
    const start = Date.now();
    const row = await choose(name, bytes);

    await page.waitForSelector(`${row}[data-state="shown"]`);
    await until("the page of the document", async () =>
        /^http:\/\/documents\.rs\.internal\//.test(
            await page.inputValue("#page-url"))
        && await page.getAttribute("#page-url", "title") === name);
    await shows(page, at, color);
    await shows(watcher, at, color);
    console.log(`# ${name} after ${((Date.now() - start) / 1000).toFixed(1)} `
                + "s");
    await screenshot(page, `document-${name.split(".").at(-1)}`);
}


async function refused(name, bytes, words) {
    const row = await choose(name, bytes);

    await page.waitForSelector(`${row}[data-state="refused"]`);

    const said = await page.textContent(`${row} .words`);

    assert.match(said, words);
    console.log(`# ${name}: ${said}`);
    await page.click(`${row} button`);
}


test("a PNG, a PDF and a .docx are shown", {timeout: 180000}, async () => {
    await shown("dot.png", png(MAGENTA, 1000, 600), MIDDLE, MAGENTA);
    await shown("green.pdf", pdf(), MIDDLE, GREEN);
    await shown("figures.docx", docx(), MIDDLE, WHITE);
});


test("a bomb, a wrong type, 1 GB are refused", {timeout: 120000},
     async () => {
    const url = await page.inputValue("#page-url");

    await refused("bomb.docx",
                  docx({"word/media.xml": Buffer.alloc(64 * 1024 * 1024)}),
                  /unpacks to more than 100 times its size/);
    await refused("nested.docx", docx({"more.zip": zip({})}),
                  /has archives in it/);
    await refused("program.docx", Buffer.from("MZ\x90\0nothing"),
                  /is a program for Windows, whatever it is called/);
    await refused("dot.pdf", png(MAGENTA, 4, 4),
                  /is a PNG image, not what its name says: name it \.png/);
    await refused("page.html", Buffer.from("<!doctype html><h1>x"),
                  /is a web page/);
    await refused("broken.docx", docx().subarray(0, 400), /ends early/);

    const huge = await open(join(folder, "huge.pdf"), "w");
    const start = Date.now();

    await huge.truncate(1024 ** 3);
    await huge.close();
    await refused("huge.pdf", null, /at most/);
    assert.ok(Date.now() - start < 10000, "at once");

    /* what was shown is shown still */
    assert.equal(await page.inputValue("#page-url"), url);
});


test("another page of the browser does not get at a document",
     {timeout: 60000}, async () => {
    await page.fill("#page-url", "http://documents.rs.internal/");
    await page.keyboard.press("Enter");
    await until("nothing there", async () => await page.inputValue("#page-url")
                === "http://documents.rs.internal/");
});


test("nothing of it is left", {timeout: 60000}, async () => {
    const before = world.instances();

    assert.deepEqual([...page.complaints, ...watcher.complaints], []);
    await world.api.endSession(session.id);
    await until("end of the instance", () => {
        const now = world.instances();

        return before.folders.some((f) => !now.folders.includes(f))
               && !now.processes.some((p) => /soffice|document\./.test(
                   p.args.join(" ")));
    }, 5000);

    /* its words are on no disk: neither of the service, nor of /tmp */
    const {stdout} = await run("sh", ["-c",
        'grep -rlaE "$1|WordDocument" "$2" 2>/dev/null; true', "sh", CANARY,
        world.stack.state.render.dir]);

    assert.equal(stdout, "");
    assert.doesNotMatch(await readFile(world.stack.state.render.log, "utf8"),
                        new RegExp(CANARY));
});
