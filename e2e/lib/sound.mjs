
/*
 * Copyright (C) rs-gateway contributors
 *
 * A PulseAudio of one's own, without hardware: what is played there goes
 * nowhere but to who listens.
 */

import { execFile, spawn } from "node:child_process";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

import { until } from "./wait.mjs";


const run = promisify(execFile);


export class Sound {
    #children = [];

    static async start() {
        const sound = new Sound();

        sound.dir = await mkdtemp(join(tmpdir(), "rs-e2e-sound-"));
        sound.server = `unix:${join(sound.dir, "native")}`;
        sound.env = {...process.env, HOME: sound.dir,
                     PULSE_SERVER: sound.server,
                     PULSE_RUNTIME_PATH: join(sound.dir, "run"),
                     PULSE_STATE_PATH: join(sound.dir, "state")};
        await mkdir(sound.env.PULSE_RUNTIME_PATH);
        await mkdir(sound.env.PULSE_STATE_PATH);

        sound.#spawn("pulseaudio", [
            "-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no",
            "--disable-shm=yes", "--log-level=error",
            "-L", `module-native-protocol-unix auth-anonymous=1 socket=${
                  join(sound.dir, "native")}`,
            "-L", "module-null-sink sink_name=test"]);

        await until("a sound server", () => sound.#pactl("info"));

        return sound;
    }

    #spawn(program, args) {
        const child = spawn(program, args, {
            stdio: ["ignore", "ignore", "inherit"], env: this.env});

        child.on("error", () => {
            /* it is not there: nobody will hear of it, and the test says so */
        });
        this.#children.push(child);
    }

    async #pactl(...args) {
        return (await run("pactl", args, {env: this.env, timeout: 5000}))
               .stdout;
    }

    /** The names of those who capture or play. */
    async clients() {
        const text = await this.#pactl("list", "clients");

        return [...text.matchAll(/application\.name = "([^"]*)"/g)]
               .map((m) => m[1]);
    }

    /** A tone, from now on. */
    async play() {
        this.#spawn("gst-launch-1.0", ["-q", "audiotestsrc", "is-live=true",
                                       "volume=0.5", "!", "pulsesink"]);
        await until("a tone", async () =>
            (await this.#pactl("list", "short", "sink-inputs")).trim() !== "");
    }

    async stop() {
        for (const child of this.#children.reverse()) {
            if (child.pid !== undefined && child.exitCode === null) {
                child.kill();
                await once(child, "exit");
            }
        }

        await rm(this.dir, {recursive: true, force: true, maxRetries: 5});
    }
}
