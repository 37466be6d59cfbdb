// Runs a WebAssembly program that was built for WASI: node wasi.mjs PROGRAM ARGUMENT...
// It starts in the project's folder and sees that, by either of its names, and /tmp.
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { argv, env, exit } from 'node:process';
import { fileURLToPath } from 'node:url';
import { WASI } from 'node:wasi';

const args = argv.slice(2);
const project = fileURLToPath(new URL('..', import.meta.url));
const preopens = { '/': project, [project]: project, '/tmp': tmpdir() };
const wasi = new WASI({ version: 'preview1', args, env, preopens, returnOnExit: true });
const { instance } = await WebAssembly.instantiate(await readFile(args[0]), wasi.getImportObject());
exit(wasi.start(instance));
