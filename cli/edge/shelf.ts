import type { Chunk, ContentFile } from '../../core/content.ts';
import type { Hex32 } from '../../core/primitives.ts';
import type { ContentReader } from './reader.ts';

/** Chunks that are kept in memory: a player asks for many small ranges of one, and each fetch is paid for. */
const MOST_CHUNKS = 48;
/** Contents that are open, each with channels to its devices. */
const MOST_CONTENTS = 16;

type OpenContent = { readonly reader: ContentReader; readonly files: ReadonlyMap<string, ContentFile> };

/** Contents and chunks that were asked for last. What several ask for at once is fetched once. */
export class Shelf {
  readonly #open: (content: Hex32) => Promise<ContentReader>;
  readonly #contents = new Map<Hex32, Promise<OpenContent>>();
  readonly #chunks = new Map<Hex32, Promise<Uint8Array>>();

  constructor(open: (content: Hex32) => Promise<ContentReader>) {
    this.#open = open;
  }

  /** Throws what opening it throws. */
  async content(content: Hex32): Promise<OpenContent> {
    const open = async (): Promise<OpenContent> => {
      const reader = await this.#open(content);
      return { reader, files: new Map(reader.manifest.files.map((file) => [file.path, file])) };
    };
    return await kept(this.#contents, content, MOST_CONTENTS, open, leave);
  }

  /** Throws what `ContentReader.chunk` throws. */
  chunk(reader: ContentReader, chunk: Chunk): Promise<Uint8Array> {
    return kept(this.#chunks, chunk.hash, MOST_CHUNKS, () => reader.chunk(chunk));
  }

  close(): void {
    for (const content of this.#contents.values()) leave(content);
    this.#contents.clear();
  }
}

function leave(content: Promise<OpenContent>): void {
  content.then(
    ({ reader }) => reader.close(),
    () => undefined,
  );
}

/** What is there, or what `make` makes; a failure is not kept. The one that was asked for longest ago makes room. */
function kept<T>(
  shelf: Map<Hex32, Promise<T>>,
  name: Hex32,
  most: number,
  make: () => Promise<T>,
  left: (value: Promise<T>) => void = () => undefined,
): Promise<T> {
  const value = shelf.get(name) ?? make();
  shelf.delete(name);
  shelf.set(name, value);
  value.catch(() => {
    if (shelf.get(name) === value) shelf.delete(name);
  });
  const [oldest] = shelf;
  if (shelf.size > most && oldest !== undefined) {
    shelf.delete(oldest[0]);
    left(oldest[1]);
  }
  return value;
}
