import { z } from 'zod';
import { contentId, pullSource } from '../../core/catalogue.ts';
import { unixMs } from '../../core/primitives.ts';
import type { ImageRecord } from '../image-ports.ts';
import { readIfThere, writeFileAtomic } from './files.ts';

const record = z.strictObject({
  version: z.literal(1),
  images: z.array(
    z.strictObject({ ...pullSource.omit({ bytes: true }).shape, image: contentId, usedAt: unixMs }).readonly(),
  ),
});

/** One small file. What it does not name is somebody else's: a damaged one costs disk, and never an image of the owner's. */
export function imageRecordFile(path: string): ImageRecord {
  return {
    async load() {
      try {
        const text = await readIfThere(path);
        return text === null ? [] : record.parse(JSON.parse(text)).images;
      } catch {
        return [];
      }
    },
    save: (images) => writeFileAtomic(path, `${JSON.stringify({ version: 1, images })}\n`),
  };
}
