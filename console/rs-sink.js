
/*
 * Copyright (C) rs-gateway contributors
 *
 * Where bytes of a file go while they come: into the browser's own private
 * file system, so that a file of gigabytes needs no memory; into memory where
 * there is none.
 *
 * What other pages of this origin left there, because they were closed, is
 * removed: each page holds a lock of the name of its folder for as long as it
 * lives.
 */

const FOLDER = "rs-files";
const MEMORY_MAX = 512 * 1024 * 1024;


class DiskSink {
    #folder;
    #name;
    #handle;
    #out;

    constructor(folder, name, handle, out) {
        this.#folder = folder;
        this.#name = name;
        this.#handle = handle;
        this.#out = out;
    }

    write(bytes) {
        return this.#out.write(bytes);
    }

    /** The whole of it. */
    async finish() {
        await this.#out.close();
        return this.#handle.getFile();
    }

    async discard() {
        await this.#out.abort().catch(() => {});
        await this.#folder.removeEntry(this.#name).catch(() => {});
    }
}


class MemorySink {
    #parts = [];
    #size = 0;

    async write(bytes) {
        this.#size += bytes.byteLength;

        if (this.#size > MEMORY_MAX) {
            this.#parts = [];
            throw new RangeError("this browser has no file system of its own, "
                                 + `and keeps ${MEMORY_MAX >> 20} MiB at most`);
        }

        this.#parts.push(bytes.slice());
    }

    async finish() {
        const blob = new Blob(this.#parts);

        this.#parts = [];

        return blob;
    }

    async discard() {
        this.#parts = [];
    }
}


let own = null;             /* promise of this page's folder */


async function ownFolder() {
    const root = await navigator.storage.getDirectory();
    const all = await root.getDirectoryHandle(FOLDER, {create: true});
    const name = crypto.randomUUID();
    const {held} = await navigator.locks.query();
    const alive = new Set(held.map((lock) => lock.name));

    for await (const other of all.keys()) {
        if (!alive.has(`${FOLDER}/${other}`)) {
            await all.removeEntry(other, {recursive: true}).catch(() => {});
        }
    }

    await new Promise((resolve, reject) => {
        navigator.locks.request(`${FOLDER}/${name}`, () => {
            resolve();
            return new Promise(() => {});       /* until the page is gone */
        }).catch(reject);
    });

    return all.getDirectoryHandle(name, {create: true});
}


/** Somewhere to put a file's bytes, in the order of the file. */
export async function openSink() {
    try {
        own ??= ownFolder();

        const folder = await own;
        const name = crypto.randomUUID();
        const handle = await folder.getFileHandle(name, {create: true});

        return new DiskSink(folder, name, handle,
                            await handle.createWritable());

    } catch {
        return new MemorySink();
    }
}
