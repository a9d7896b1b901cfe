#!/usr/bin/env node

/*
 * Copyright (C) rs-gateway contributors
 *
 * In the place of rs-render-host, where only the pool matters: reports, is
 * ready and has joined, with no browser and nobody to show it to.  As long as
 * the file $RS_PLAYED says so it is "mute" (is never ready), or "dies" as soon
 * as it was invited.
 */

import { readFileSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";

const args = Object.fromEntries(
    process.argv.slice(2).map((a, i, all) => [a, all[i + 1]])
                         .filter(([a]) => a.startsWith("--")));
const socket = connect(args["--socket"]);
const say = (msg) => socket.write(`${JSON.stringify(msg)}\n`);

function mood() {
    try {
        return readFileSync(process.env.RS_PLAYED, "utf8").trim();

    } catch {
        return "";
    }
}

writeFileSync(join(args["--runtime-dir"], "profile"), "x");
say({type: "hello", id: args["--id"], pid: process.pid,
     token: readFileSync(args["--token-file"], "utf8").trim()});

if (mood() !== "mute") {
    say({type: "ready"});
}

let rest = "";

socket.on("data", (chunk) => {
    const lines = (rest + chunk).split("\n");

    rest = lines.pop();

    for (const {type} of lines.map((line) => JSON.parse(line))) {
        if (type === "end") {
            process.exit(0);
        }

        if (type === "invite") {
            say({type: "joined"});

            if (mood() === "dies") {
                process.exit(1);
            }
        }
    }
});

socket.on("close", () => process.exit(0));
socket.on("error", () => process.exit(1));
