/**
 * Where a worker's compiled file lies.
 *
 * A worker thread starts from a JavaScript file. Compiled code finds it beside itself; code run from TypeScript source (tests) finds it
 * in `dist/`, which `npm test` builds first. The mapping is the build's: `<root>/a/b.ts` becomes `<root>/dist/a/b.js`.
 */
import { existsSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

/** The repository (or installed package) root: the nearest folder above `path` that holds a package.json. */
export function packageRoot(path: string): string {
  for (let folder = dirname(path); ; folder = dirname(folder)) {
    if (existsSync(join(folder, 'package.json'))) return folder;
    if (folder === dirname(folder)) throw new RangeError(`no package.json above ${path}`);
  }
}

/**
 * URL of a worker's JavaScript.
 * @param moduleUrl the caller's `import.meta.url` @param relativePath path of the worker's source from the caller, e.g. `./verify-worker.ts`
 */
export function workerUrl(moduleUrl: string, relativePath: string): URL {
  const source = new URL(relativePath, moduleUrl);
  const compiled = new URL(source.href.replace(/\.ts$/, '.js'));
  if (!moduleUrl.endsWith('.ts')) return compiled;
  const path = fileURLToPath(compiled);
  const root = packageRoot(path);
  return pathToFileURL(join(root, 'dist', relative(root, path)));
}
