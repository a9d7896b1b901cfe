
/*
 * Copyright (C) rs-gateway contributors
 *
 * rs-client.d.ts by the TypeScript compiler: it holds by itself, and lets
 * types/use.ts do what it does, and nothing that is marked there.
 */

import test from "node:test";
import assert from "node:assert/strict";
import { join } from "node:path";

import ts from "typescript";

import { TOP } from "./lib/stack.mjs";


test("rs-client.d.ts: what a page may do, and may not", {timeout: 120000},
     () => {
    const files = [join(TOP, "e2e", "types", "use.ts"),
                   join(TOP, "console", "rs-client.d.ts")];
    const program = ts.createProgram(files, {
        strict: true, noEmit: true, noUncheckedIndexedAccess: true,
        exactOptionalPropertyTypes: true, types: [],
        target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ES2022,
        moduleResolution: ts.ModuleResolutionKind.Bundler,
        lib: ["lib.es2022.d.ts", "lib.dom.d.ts", "lib.dom.iterable.d.ts"]});
    const said = ts.getPreEmitDiagnostics(program).map((d) => {
        const text = ts.flattenDiagnosticMessageText(d.messageText, "\n");
        const at = d.file?.getLineAndCharacterOfPosition(d.start);

        return `${d.file?.fileName ?? ""}:${(at?.line ?? 0) + 1}: ${text}`;
    });

    assert.deepEqual(said, []);
});
