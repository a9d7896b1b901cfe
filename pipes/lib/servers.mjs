
/*
 * Copyright (C) rs-gateway contributors
 *
 * What stands behind the device: an HTTP server (nginx), an sshd, an echo of
 * datagrams, and a server of TCP that does what a test tells it.
 */

import { createSocket } from "node:dgram";
import { execFile, spawn } from "node:child_process";
import { createServer } from "node:net";
import { mkdir, rm, stat, writeFile } from "node:fs/promises";
import { createWriteStream } from "node:fs";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { join } from "node:path";
import { promisify } from "node:util";

import { until } from "../../e2e/lib/wait.mjs";
import { Bytes } from "./bytes.mjs";

const run = promisify(execFile);


/** Ends a child process, and waits for its end. */
export async function end(child, signal = "SIGTERM") {
    if (child.exitCode === null && child.signalCode === null) {
        child.kill(signal);
        await once(child, "exit");
    }
}


/** A free port of 127.0.0.1, as far as that can be known. */
export async function port() {
    const server = createServer();

    server.listen(0, "127.0.0.1");
    await once(server, "listening");

    const found = server.address().port;

    server.close();
    await once(server, "close");

    return found;
}


/** nginx with a file of so many bytes, which takes files, too. */
export class Http {
    static async open(dir, bytes) {
        const it = new Http();

        it.dir = join(dir, "http");
        it.port = await port();
        await mkdir(join(it.dir, "files"), {recursive: true});
        await it.#blob(bytes);

        const conf = join(it.dir, "nginx.conf");

        await writeFile(conf, `
            daemon off;
            worker_processes 1;
            user root;
            pid ${it.dir}/pid;
            error_log ${it.dir}/error.log;
            events { worker_connections 200; }
            http {
                access_log off;
                client_body_temp_path ${it.dir}/body;
                proxy_temp_path ${it.dir}/proxy;
                fastcgi_temp_path ${it.dir}/fastcgi;
                uwsgi_temp_path ${it.dir}/uwsgi;
                scgi_temp_path ${it.dir}/scgi;
                client_max_body_size 0;
                sendfile on;
                server {
                    listen 127.0.0.1:${it.port};
                    root ${it.dir}/files;
                    dav_methods PUT;
                }
            }`.replace(process.getuid() === 0 ? /^$/ : /user root;/, ""));

        it.child = spawn("/usr/sbin/nginx", ["-p", it.dir + "/", "-c", conf,
                                             "-e", `${it.dir}/error.log`],
                         {stdio: "inherit"});

        await until("HTTP server", () => fetch(
            `http://127.0.0.1:${it.port}/blob`, {method: "HEAD"}));

        return it;
    }

    async #blob(bytes) {
        const file = createWriteStream(join(this.dir, "files", "blob"));
        const source = new Bytes("blob");
        const hash = createHash("sha256");

        for (let left = bytes; left > 0;) {
            const chunk = source.next(Math.min(left, 65536));

            hash.update(chunk);
            left -= chunk.length;

            if (!file.write(chunk)) {
                await once(file, "drain");
            }
        }

        file.end();
        await once(file, "finish");
        this.hash = hash.digest("hex");
    }

    /** What came by PUT: its hash. */
    async taken(name) {
        const path = join(this.dir, "files", name);
        const {stdout} = await run("sha256sum", [path]);

        await rm(path);

        return stdout.slice(0, 64);
    }

    close() {
        return end(this.child);
    }
}


/** sshd, with a key for a client. */
export class Sshd {
    static async open(dir) {
        const it = new Sshd();

        it.dir = join(dir, "sshd");
        it.port = await port();
        it.key = join(it.dir, "key");
        await mkdir(it.dir, {mode: 0o700});

        for (const name of ["host", "key"]) {
            await run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f",
                                     join(it.dir, name)]);
        }

        await writeFile(join(it.dir, "config"), [
            `ListenAddress 127.0.0.1:${it.port}`,
            `HostKey ${it.dir}/host`,
            "PidFile none",
            `AuthorizedKeysFile ${it.dir}/key.pub`,
            "StrictModes no",
            "PasswordAuthentication no",
            "UsePAM no",
            "AllowUsers root *",
            "PermitRootLogin prohibit-password",
            "Subsystem sftp internal-sftp",
            ""].join("\n"));

        /* root's wants a folder that only a booted host has */

        it.made = process.getuid() === 0 && await stat("/run/sshd").then(
            () => false, () => mkdir("/run/sshd", {mode: 0o755})
                               .then(() => true));

        it.child = spawn("/usr/sbin/sshd", ["-D", "-e", "-f",
                                            join(it.dir, "config")],
                         {stdio: ["ignore", "ignore", "pipe"]});
        it.said = "";
        it.child.stderr.on("data", (text) => { it.said += text; });
        it.child.on("error", (e) => { it.said = `${e.message}: util/deps pipes`; });

        const gone = () => it.child.pid === undefined
                           || it.child.exitCode !== null;

        await until("sshd", () => gone() || /Server listening/.test(it.said));

        if (gone()) {
            throw new Error(it.said);
        }

        return it;
    }

    async close() {
        await end(this.child);

        if (this.made) {
            await rm("/run/sshd", {recursive: true, force: true});
        }
    }
}


/** Each datagram goes back to where it came from. */
export class Echo {
    static async open() {
        const it = new Echo();

        it.socket = createSocket("udp4");
        it.senders = new Set();
        it.socket.on("message", (bytes, from) => {
            it.senders.add(from.port);
            it.socket.send(bytes, from.port, from.address);
        });
        it.socket.bind(0, "127.0.0.1");
        await once(it.socket, "listening");
        it.port = it.socket.address().port;

        return it;
    }

    close() {
        this.socket.close();
    }
}


/** A server of TCP; the test has the sockets. */
export class Tcp {
    static async open() {
        const it = new Tcp();

        it.waiting = [];
        it.sockets = new Set();
        it.server = createServer({allowHalfOpen: true, pauseOnConnect: true},
                                 (socket) => {
            it.sockets.add(socket);
            socket.on("error", () => {});
            socket.on("close", () => it.sockets.delete(socket));
            it.waiting.push(socket);
        });
        it.server.listen(0, "127.0.0.1");
        await once(it.server, "listening");
        it.port = it.server.address().port;

        return it;
    }

    /** The next connection. */
    next() {
        return until("connection at the target", () => this.waiting.shift());
    }

    async close() {
        for (const socket of this.sockets) {
            socket.destroy();
        }

        this.server.close();
    }
}
