
/*
 * Copyright (C) rs-gateway contributors
 *
 * x11/rs-testwin.c on the stack's desktop: built on first use, its events as
 * a list that can be waited on.
 */

import { execFile, spawn } from "node:child_process";
import { mkdir, rename, stat } from "node:fs/promises";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { join } from "node:path";
import { promisify } from "node:util";

import { TOP } from "./stack.mjs";
import { until } from "./wait.mjs";


const run = promisify(execFile);

const SOURCE = join(TOP, "e2e", "x11", "rs-testwin.c");
const PROGRAM = join(TOP, "build", "e2e", "rs-testwin");

/**
 * What is where: the middle of each rectangle, to click at; a point beside
 * it, to look at, since the pointer is part of the picture; its colour.
 */
export const SPOTS = Object.fromEntries([
    ["red", 200, 175, [0xe0, 0x20, 0x20]],
    ["green", 1000, 175, [0x20, 0xc0, 0x20]],
    ["blue", 200, 555, [0x20, 0x40, 0xe0]],
    ["yellow", 1000, 555, [0xe0, 0xc0, 0x20]],
    ["ground", 500, 150, [0x20, 0x30, 0x40]],
].map(([name, x, y, color]) => [name, {x, y, color,
                                       look: {x: x - 60, y: y - 45}}]));

/** The red one's edges: its upper left pixel, and its size. */
export const RED = {x: 100, y: 100, width: 200, height: 150};


/** The pointer's colour after order("cursor"), and its size. */
export const MAGENTA = {color: [255, 0, 255], size: 16};

/** Where orders of rs-testwin paint. */
export const FILM = {x: 340, y: 400, width: 520, height: 300};
export const TEXT = {x: 340, y: 180, width: 520, height: 130};


/** Whether a pixel of TEXT is black, x and y from its corner. */
export function inked(x, y) {
    return y % 12 < 8 && (x * 7 + y * 13 + x * y) % 5 < 2;
}


async function build() {
    const age = async (path) => (await stat(path)).mtimeMs;
    const built = await age(PROGRAM).catch(() => 0);

    if (built > await age(SOURCE)) {
        return;
    }

    const fresh = `${PROGRAM}.${process.pid}`;

    await mkdir(join(PROGRAM, ".."), {recursive: true});
    await run("cc", ["-O2", "-Wall", "-Wextra", "-Werror", "-o", fresh,
                     SOURCE, "-lX11"]);
    await rename(fresh, PROGRAM);
}


export class TestWindow {
    events = [];

    static async open(desktop) {
        await build();

        const window = new TestWindow();

        const [program, ...args] = [...desktop.enter ?? [], PROGRAM];

        window.child = spawn(program, args, {
            stdio: ["pipe", "pipe", "inherit"],
            env: {...process.env, DISPLAY: desktop.display,
                  XAUTHORITY: desktop.xauthority},
        });

        createInterface({input: window.child.stdout}).on("line", (line) => {
            window.events.push(JSON.parse(line));
        });

        await until("test window on the desktop",
                    () => window.events.some((e) => e.event === "ready"));

        return window;
    }

    async close() {
        if (this.child.exitCode === null) {
            this.child.stdin.end();
            await once(this.child, "exit");
        }
    }

    /** "film" or "text": on, or off again; "cursor": MAGENTA, a square;
     *  "repeat": a key that is held down is one press. */
    order(name) {
        this.child.stdin.write(name[0]);
    }

    /** Forgets what has come so far. */
    clear() {
        this.events.length = 0;
    }

    /** Buttons and keys in order, without moves. */
    get presses() {
        return this.events.filter((e) => e.event === "button"
                                         || e.event === "key");
    }

    /** The first event that has all of these fields. */
    wait(fields) {
        return until(`event ${JSON.stringify(fields)} in the X server; came: ${
                     JSON.stringify(this.events.slice(-5))}`,
                     () => this.events.find((e) => Object.entries(fields)
                         .every(([name, value]) => e[name] === value)));
    }
}
