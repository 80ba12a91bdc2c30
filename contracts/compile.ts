import { createHash, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join, relative } from 'node:path';
import { z } from 'zod';
import { fail } from '../core/errors.ts';

const require = createRequire(import.meta.url);
const FOLDER = import.meta.dirname;
const OUT = join(FOLDER, 'out');
const SOURCES = ['Distributor.sol', 'IDistributor.sol', 'PracticeToken.sol'];
const CONTRACTS = ['Distributor', 'PracticeToken'] as const;
export type ContractName = (typeof CONTRACTS)[number];

const artifact = z.object({ abi: z.array(z.unknown()), bytecode: z.string().regex(/^0x[0-9a-f]+$/) });
export type Artifact = z.output<typeof artifact>;

const compilerOutput = z.object({
  errors: z.array(z.object({ severity: z.string(), formattedMessage: z.string() })).default([]),
  contracts: z
    .record(
      z.string(),
      z.record(
        z.string(),
        z.object({ abi: z.array(z.unknown()), evm: z.object({ bytecode: z.object({ object: z.string() }) }) }),
      ),
    )
    .default({}),
});

type Solc = {
  readonly version: () => string;
  readonly compile: (input: string, callbacks: { readonly import: (path: string) => object }) => string;
};

// viaIR: without it claimFor has more variables than the stack can reach.
const SETTINGS = {
  viaIR: true,
  optimizer: { enabled: true, runs: 10_000 },
  evmVersion: 'cancun',
  outputSelection: { '*': { '*': ['abi', 'evm.bytecode.object'] } },
};

/** The compiled form of a contract; compiles first when sources or compiler changed. Throws BAD_INPUT with the compiler's words. */
export async function loadArtifact(name: ContractName): Promise<Artifact> {
  await compileContracts();
  return artifact.parse(JSON.parse(await readFile(join(OUT, `${name}.json`), 'utf8')));
}

/**
 * Compiles into `out/`, idempotent by a hash over sources, settings and compiler version.
 * Answers whether anything was compiled. Throws BAD_INPUT with the compiler's words.
 */
export async function compileContracts(): Promise<boolean> {
  const sources = await Promise.all(
    SOURCES.map(async (name) => [name, await readFile(join(FOLDER, name), 'utf8')] as const),
  );
  const versions = ['solc', '@openzeppelin/contracts'].map((name) => packageVersion(name));
  const hash = createHash('sha256')
    .update(JSON.stringify([sources, SETTINGS, versions]))
    .digest('hex');
  const stamp = join(OUT, 'hash');
  if ((await readFile(stamp, 'utf8').catch(() => '')) === hash) return false;

  const compiled = compileSources(Object.fromEntries(sources));
  await mkdir(OUT, { recursive: true });
  for (const name of CONTRACTS) {
    const contract = compiled.get(name) ?? fail('INTERNAL', `the compiler left out ${name}`);
    await writeAtomically(join(OUT, `${name}.json`), JSON.stringify(contract));
  }
  await writeAtomically(stamp, hash);
  return true;
}

/** Compiles file names and their text; contracts by name. Throws BAD_INPUT with the compiler's words. */
export function compileSources(sources: Readonly<Record<string, string>>): ReadonlyMap<string, Artifact> {
  const solc: Solc = require('solc');
  const input = {
    language: 'Solidity',
    sources: Object.fromEntries(Object.entries(sources).map(([name, content]) => [name, { content }])),
    settings: SETTINGS,
  };
  const output = compilerOutput.parse(JSON.parse(solc.compile(JSON.stringify(input), { import: openImport })));
  const errors = output.errors.filter((error) => error.severity === 'error');
  if (errors.length > 0) fail('BAD_INPUT', errors.map((error) => error.formattedMessage).join('\n'));
  return new Map(
    Object.values(output.contracts).flatMap((file) =>
      Object.entries(file).map(
        ([name, { abi, evm }]) => [name, { abi, bytecode: `0x${evm.bytecode.object}` }] as const,
      ),
    ),
  );
}

function packageVersion(name: string): string {
  return z.object({ version: z.string() }).parse(require(`${name}/package.json`)).version;
}

function openImport(path: string): { readonly contents: string } | { readonly error: string } {
  try {
    return { contents: readFileSync(require.resolve(path), 'utf8') };
  } catch {
    return { error: `${path} not found; run npm ci` };
  }
}

// Several may compile at once (tests do): each writes its own file and renames it into place.
async function writeAtomically(path: string, text: string): Promise<void> {
  const temporary = `${path}.${randomUUID()}.tmp`;
  await writeFile(temporary, text);
  await rename(temporary, path);
}

if (import.meta.main) {
  const compiled = await compileContracts();
  process.stdout.write(`${compiled ? 'compiled' : 'up to date'}: ${relative(process.cwd(), OUT)}\n`);
}
