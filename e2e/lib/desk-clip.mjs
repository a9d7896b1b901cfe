
/*
 * Copyright (C) rs-gateway contributors
 *
 * The clipboard of the stack's desktop, by another client (xclip).
 */

import { spawn } from "node:child_process";
import { once } from "node:events";


function xclip(desktop, args) {
    const [program, ...before] = [...desktop.enter ?? [], "xclip"];

    return spawn(program, [...before, "-selection", "clipboard", ...args], {
        stdio: ["pipe", "pipe", "ignore"],
        env: {...process.env, DISPLAY: desktop.display,
              XAUTHORITY: desktop.xauthority},
    });
}


/** Copies a text; close() ends the program that has it. */
export async function copyThere(desktop, text) {
    const child = xclip(desktop, ["-quiet", "-i"]);
    const [error] = await Promise.race([once(child, "error"),
                                        once(child, "spawn")]);

    if (error) {
        throw error;
    }

    child.stdin.end(text);

    return {
        async close() {
            if (child.exitCode === null && child.signalCode === null) {
                child.kill("SIGKILL");
                await once(child, "exit");
            }
        },
    };
}


/** What is pasted there: "" when there is nothing. */
export async function pasteThere(desktop) {
    const child = xclip(desktop, ["-o", "-t", "UTF8_STRING"]);
    const parts = [];

    child.stdin.end();
    child.stdout.on("data", (data) => parts.push(data));
    await once(child, "close");

    return Buffer.concat(parts).toString();
}
